"""How a message would reach one person now."""

from datetime import timedelta

import pytest

from core.clock import utc_now
from core.db import transaction
from core.errors import Forbidden, NotFound
from core.settings import get_settings
from domain.directory.accounts import ChannelKind
from domain.pushes import previews
from domain.pushes.models import MessageKind, Route, Unreachable
from domain.pushes.previews import StepState, find_people, get_person, get_reach
from tests.factories import (
    make_binding,
    make_channel_account,
    make_employee,
    make_identity,
    make_operator,
    make_user,
)

KIND = MessageKind.PAYSLIP_READY


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def operator(account):
    return make_operator()


@pytest.fixture
def person(account):
    return make_employee(name="张三", emp_no="1001")


@pytest.fixture
def gateway(monkeypatch):
    with_sms = get_settings().model_copy(update={"sms_gateway": "file"})
    monkeypatch.setattr(previews, "get_settings", lambda: with_sms)


def refuse(identity, reason, kind=KIND.value, *, days=1):
    with transaction() as session:
        session.add(
            Unreachable(
                identity_id=identity.id,
                kind=kind,
                reason=reason,
                noted_at=utc_now(),
                until=utc_now() + timedelta(days=days),
            )
        )


def states(reach):
    return {step.route: step.state for step in reach.steps}


# --- who ------------------------------------------------------------------------------------


def test_people_are_found_by_the_beginning_of_a_name_or_by_number(operator, person):
    make_employee(name="李四", emp_no="1002")

    for text in ("张", "张三", "1001"):
        (found,) = find_people(operator, text)
        assert (found.id, found.name, found.has_phone) == (person.id, "张三", True)
    assert find_people(operator, "100") == []
    assert find_people(operator, "%") == []


def test_without_a_word_nobody_is_found(operator, person):
    assert find_people(operator, "") == []


def test_of_many_only_a_few_are_shown(operator):
    for _ in range(previews.MOST_PEOPLE + 2):
        make_employee(name="王伟")

    assert len(find_people(operator, "王")) == previews.MOST_PEOPLE


def test_another_branch_finds_nobody(person):
    stranger = make_operator("/hq/sh/")

    assert find_people(stranger, "张三") == []
    with pytest.raises(NotFound):
        get_person(stranger, person.id)
    with pytest.raises(NotFound):
        get_reach(stranger, person.id, KIND, 1)


def test_who_may_not_see_messages_may_look_for_nobody(person):
    with pytest.raises(Forbidden):
        find_people(make_user("/hq/"), "张三")
    with pytest.raises(Forbidden):
        get_person(make_user("/hq/"), person.id)


# --- how ------------------------------------------------------------------------------------


def test_who_is_bound_and_follows_gets_a_template_message(operator, account, person):
    make_binding(person, account)

    reach = get_reach(operator, person.id, KIND, account.id)

    assert reach.next.route is Route.TEMPLATE
    assert reach.next.account_id == account.id
    assert states(reach) == {
        Route.TEMPLATE: StepState.READY,
        Route.MINIPROGRAM: StepState.NO_ACCOUNT,
        Route.WECOM: StepState.NO_ACCOUNT,
        Route.SMS: StepState.SWITCHED_OFF,
    }


def test_who_does_not_follow_is_tried_all_the_same(operator, account, person):
    make_binding(person, account, make_identity(account, is_follower=False))

    reach = get_reach(operator, person.id, KIND, account.id)

    assert (reach.next.route, reach.next.state) == (Route.TEMPLATE, StepState.NOT_FOLLOWING)


def test_who_refused_before_is_reached_by_the_next_step(operator, account, person):
    app = make_channel_account(kind=ChannelKind.WECOM_APP, appid="ww1", agentid="1")
    refuse(make_binding(person, account), "muted")
    make_binding(person, app)

    reach = get_reach(operator, person.id, KIND, account.id)

    first = reach.steps[0]
    assert (first.state, first.reason, first.is_next) == (StepState.REFUSED, "muted", False)
    assert (reach.next.route, reach.next.account_id) == (Route.WECOM, app.id)


def test_a_step_without_a_template_is_passed_over(operator, account, person, gateway):
    mini = make_channel_account(kind=ChannelKind.MINIPROGRAM, templates={})
    refuse(make_binding(person, account), "muted")
    make_binding(person, mini)

    reach = get_reach(operator, person.id, KIND, account.id)

    assert states(reach)[Route.MINIPROGRAM] is StepState.NO_TEMPLATE
    assert reach.next.route is Route.SMS


def test_a_refusal_of_another_message_or_of_long_ago_counts_no_more(operator, account, person):
    identity = make_binding(person, account)
    refuse(identity, "muted", MessageKind.QUESTION_ANSWERED.value)
    refuse(identity, "muted", days=-1)

    assert get_reach(operator, person.id, KIND, account.id).next.route is Route.TEMPLATE


def test_nobody_is_reached_who_is_bound_nowhere(operator, account, person):
    make_channel_account(kind=ChannelKind.MINIPROGRAM)

    reach = get_reach(operator, person.id, KIND, account.id)

    assert reach.next is None
    assert states(reach)[Route.TEMPLATE] is StepState.NOT_BOUND
    assert states(reach)[Route.MINIPROGRAM] is StepState.NOT_BOUND


def test_a_text_message_is_the_last_step(operator, account, person, gateway):
    reach = get_reach(operator, person.id, KIND, account.id)

    assert (reach.next.route, reach.next.state) == (Route.SMS, StepState.READY)


def test_without_a_number_there_is_no_text_message(operator, account, gateway):
    person = make_employee(phone="")

    reach = get_reach(operator, person.id, KIND, account.id)

    assert reach.next is None
    assert states(reach)[Route.SMS] is StepState.NO_PHONE


def test_a_kind_without_text_messages_has_no_such_step(operator, account, person, gateway):
    reach = get_reach(operator, person.id, MessageKind.QUESTION_ANSWERED, account.id)

    assert Route.SMS not in states(reach)


def test_asking_writes_nothing_down(operator, account, person, session):
    get_reach(operator, person.id, KIND, account.id)

    assert not session.new
    assert not session.dirty
