"""Binding: the right person, and no help for somebody who guesses."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from core.clock import utc_now
from core.errors import Forbidden, NotFound
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory import queries, service
from domain.directory.access import Actor, ActorKind
from domain.directory.errors import BindingLocked, BindingRefused, BoundToAnotherWechat
from domain.directory.models import EmployeeBinding, Identity
from domain.pushes.campaigns import Chunk
from domain.pushes.claims import claim
from domain.pushes.models import Push, PushStatus
from domain.pushes.policy import STILL_NEWS
from tests.factories import (
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_operator,
    make_org,
    make_push,
)

PHONE, ID_NO, TAIL = "13800000001", "11010119900307123X", "07123X"


@pytest.fixture
def account(session):
    return make_channel_account("/hq/")


@pytest.fixture
def wechat(account):
    return make_identity(account).id


@pytest.fixture
def zhang(session):
    return make_employee(name="张伟", phone=PHONE, id_no=ID_NO)


def bindings(session):
    return session.scalar(select(func.count(EmployeeBinding.id)))


def bind(wechat, name="张伟", phone=PHONE, tail=TAIL):
    return service.bind_employee(wechat, name, phone, tail)


# --- who is it ------------------------------------------------------------------------------


def test_name_phone_and_id_number_bind_an_employee(zhang, wechat, account):
    assert bind(wechat) == 1

    actor = queries.find_signed_in_identity(wechat, account.id, 0)
    assert (actor.kind, actor.employee_ids) == (ActorKind.EMPLOYEE, (zhang.id,))
    assert actor.channel_account_id == account.id


@pytest.mark.parametrize(("name", "tail"), [("张 伟", "07123x"), ("张伟 ", "07123X")])
def test_spaces_and_a_small_x_are_no_obstacle(zhang, wechat, name, tail):
    assert bind(wechat, name=name, tail=tail) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "张炜"},
        {"phone": "13800000002"},
        {"tail": "071230"},
        {"tail": ""},
        {"name": ""},
        {"phone": ""},
    ],
)
def test_any_mismatch_is_refused_with_the_same_sentence(session, zhang, wechat, wrong):
    with pytest.raises(BindingRefused) as refusal:
        bind(wechat, **wrong)

    assert refusal.value.sentence == BindingRefused.message
    assert bindings(session) == 0


def test_a_stranger_hears_the_same_sentence(session, wechat):
    with pytest.raises(BindingRefused):
        bind(wechat)


@pytest.mark.parametrize("missing", [{"phone": ""}, {"id_no": ""}])
def test_a_roster_row_without_phone_or_id_number_binds_nobody(session, wechat, missing):
    make_employee(**{"name": "张伟", "phone": PHONE, "id_no": ID_NO} | missing)

    with pytest.raises(BindingRefused):
        bind(wechat, phone=missing.get("phone", PHONE), tail="" if "id_no" in missing else TAIL)


def test_of_two_with_one_phone_only_the_person_is_bound(session, zhang, wechat, account):
    make_employee(name="李娜", phone=PHONE)

    assert bind(wechat) == 1
    assert queries.find_signed_in_identity(wechat, account.id, 0).employee_ids == (zhang.id,)


def test_who_works_for_two_enterprises_is_bound_to_both(session, zhang, wechat, account):
    second = make_employee("/hq/bj/ent-2/", name="张伟", phone=PHONE, id_no=ID_NO)

    assert bind(wechat) == 2

    assert queries.find_signed_in_identity(wechat, account.id, 0).employee_ids == (
        zhang.id,
        second.id,
    )


def test_an_enterprise_that_the_account_does_not_serve_is_not_bound(session, wechat):
    make_employee("/other/ent-1/", name="张伟", phone=PHONE, id_no=ID_NO)
    make_employee("/hq2/ent-1/", name="张伟", phone=PHONE, id_no=ID_NO)

    with pytest.raises(BindingRefused):
        bind(wechat)


def test_an_unknown_wechat_cannot_bind(zhang):
    with pytest.raises(NotFound):
        bind(4711)


# --- once -----------------------------------------------------------------------------------


def test_binding_again_is_harmless_and_written_down_once(session, zhang, wechat):
    bind(wechat)

    assert bind(wechat) == 1

    assert bindings(session) == 1
    events = session.scalars(select(AuditEvent)).all()
    assert [(event.action, event.details) for event in events] == [
        ("directory.employee.bound", {"identity": wechat})
    ]


def test_another_wechat_does_not_take_an_employee_over(session, zhang, wechat, account):
    other = make_identity(account).id
    bind(wechat)

    with pytest.raises(BoundToAnotherWechat):
        bind(other)

    assert queries.find_signed_in_identity(other, account.id, 0).employee_ids == ()
    assert queries.find_signed_in_identity(wechat, account.id, 0).employee_ids == (zhang.id,)


def test_a_refused_second_enterprise_takes_the_first_back(session, zhang, wechat, account):
    second = make_employee("/hq/bj/ent-2/", name="张伟", phone=PHONE, id_no=ID_NO)
    make_binding(second, account)

    with pytest.raises(BoundToAnotherWechat):
        bind(wechat)

    assert queries.find_signed_in_identity(wechat, account.id, 0).employee_ids == ()


def test_two_wechats_at_the_same_moment_share_no_employee(committed, together):
    account = make_channel_account("/hq/")
    make_employee(name="张伟", phone=PHONE, id_no=ID_NO)
    wechats = [make_identity(account).id for _ in range(2)]

    results = together(*[lambda one=one: bind(one) for one in wechats])

    assert {type(result) for result in results} == {int, BoundToAnotherWechat}
    assert bindings(committed) == 1


def test_the_same_person_may_bind_at_another_account(session, zhang, wechat):
    other = make_channel_account("/hq/")

    bind(wechat)
    bind(make_identity(other).id)

    assert bindings(session) == 2


def test_who_has_a_new_wechat_is_unbound_by_hr_and_binds_again(session, zhang, wechat, account):
    bind(wechat)

    service.unbind_employee(make_hr(), zhang.id)

    assert queries.find_signed_in_identity(wechat, account.id, 0).employee_ids == ()
    assert bind(make_identity(account).id) == 1
    actions = session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert "directory.employee.unbound" in actions


@pytest.mark.parametrize("org_path", ["/hq/bj/ent-2/", "/hq/bj/ent-10/"])
def test_another_enterprise_cannot_unbind(session, zhang, wechat, org_path):
    bind(wechat)

    with pytest.raises(NotFound):
        service.unbind_employee(make_hr(org_path), zhang.id)

    assert bindings(session) == 1


def test_only_hr_unbinds(zhang):
    with pytest.raises(Forbidden):
        service.unbind_employee(make_operator(), zhang.id)


def test_a_binding_at_one_account_says_nothing_at_another(session, zhang, wechat):
    bind(wechat)

    other = make_channel_account("/hq/")

    assert queries.find_signed_in_identity(wechat, other.id, 0) is None


def test_an_employee_is_told_where_their_wechat_is_bound(session, zhang, wechat, account):
    make_employee("/hq/bj/ent-2/", name="张伟", phone=PHONE, id_no=ID_NO, department="财务部")
    make_employee("/hq/bj/ent-1/", name="李娜")
    bind(wechat)

    rows = queries.list_bound_employees(queries.find_signed_in_identity(wechat, account.id, 0))

    assert [(row.name, row.phone, row.department) for row in rows] == [
        ("张伟", PHONE, "生产部"),
        ("张伟", PHONE, "财务部"),
    ]
    assert [row.enterprise for row in rows] == ["机构ent-1", "机构ent-2"]


# --- guessing -------------------------------------------------------------------------------


@pytest.fixture
def clock():
    # Redis has its own clock: only the distance to now matters to it.
    with time_machine.travel(datetime.now(UTC)) as traveller:
        yield traveller


def test_a_wechat_has_five_tries_an_hour(zhang, wechat, clock):
    for tail in ("000001", "000002", "000003", "000004", "000005"):
        with pytest.raises(BindingRefused):
            bind(wechat, tail=tail)

    with pytest.raises(BindingLocked):
        bind(wechat)


def test_who_binds_gets_the_notices_that_could_not_be_sent(session, zhang, wechat, account, queue):
    missed = make_push(zhang, account, status=PushStatus.PERMANENT_FAILURE, reason="not-bound").id
    muted = make_push(zhang, account, status=PushStatus.PERMANENT_FAILURE, reason="muted").id
    old = make_push(
        zhang,
        account,
        campaign=make_campaign(account, created_at=utc_now() - STILL_NEWS),
        status=PushStatus.PERMANENT_FAILURE,
        reason="not-bound",
    ).id

    bind(wechat)

    push = session.get_one(Push, missed, populate_existing=True)
    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, missed, missed)]
    assert claim(Chunk(push.campaign_id, missed, missed)).pushes[0].identity_id == wechat
    for other in (muted, old):
        push = session.get_one(Push, other, populate_existing=True)
        assert push.status is PushStatus.PERMANENT_FAILURE


def test_a_right_answer_gives_no_tries_back_for_guessing_at_others(session, zhang, wechat):
    for tail in ("000001", "000002", "000003", "000004"):
        with pytest.raises(BindingRefused):
            bind(wechat, tail=tail)
    assert bind(wechat) == 1

    with pytest.raises(BindingLocked):
        bind(wechat, tail="000005")


def test_a_phone_cannot_be_tried_from_one_wechat_after_another(session, zhang, account):
    for _ in range(10):
        with pytest.raises(BindingRefused):
            bind(make_identity(account).id, tail="000000")

    with pytest.raises(BindingLocked):
        bind(make_identity(account).id)


def test_a_locked_wechat_does_not_use_up_the_persons_own_tries(zhang, wechat, account):
    for _ in range(30):
        with pytest.raises((BindingRefused, BindingLocked)):
            bind(wechat, tail="000000")

    assert bind(make_identity(account).id) == 1


# --- the trail ------------------------------------------------------------------------------


def refused(session):
    query = select(AuditEvent).where(AuditEvent.action == "directory.binding.refused")
    return session.scalars(query.order_by(AuditEvent.id)).all()


def test_a_wrong_try_stands_in_the_accounts_trail_without_what_was_typed(session, zhang, wechat):
    for _ in range(6):
        with pytest.raises((BindingRefused, BindingLocked)):
            bind(wechat, name="李四", tail="000001")

    events = refused(session)
    assert {(event.org_path, event.subject, event.subject_id) for event in events} == {
        ("/hq/", "identities", wechat)
    }
    codes = [event.details for event in events]
    assert codes == [{"code": "binding_refused"}] * 5 + [{"code": "binding_locked"}]


def test_the_enterprise_hears_of_another_wechat_that_knows_an_employees_details(
    session, zhang, wechat, account
):
    bind(wechat)
    other = make_identity(account).id

    with pytest.raises(BoundToAnotherWechat):
        bind(other)

    [event] = refused(session)
    assert (event.org_path, event.subject_id) == (zhang.org_path, zhang.id)
    assert (event.actor_kind, event.actor_id) == (ActorKind.EMPLOYEE, other)


# --- identities -----------------------------------------------------------------------------


def test_a_wechat_is_noted_once(session, account):
    first = service.note_identity(account, "o-1")

    assert service.note_identity(account, "o-1") == first
    assert service.note_identity(account, "O-1") != first
    assert session.get_one(Identity, first).openid == "o-1"


def test_a_wechat_noted_at_the_same_moment_is_one(committed, together):
    account = make_channel_account("/hq/")

    ids = together(*[lambda: service.note_identity(account, "o-1")] * 4)

    assert len(set(ids)) == 1
    assert isinstance(ids[0], int)


EARLY, LATE = datetime(2026, 4, 5, 12, tzinfo=UTC), datetime(2026, 4, 5, 13, tzinfo=UTC)


def test_following_and_leaving_is_remembered(session, account):
    def is_follower():
        return session.get_one(Identity, identity).is_follower

    identity = service.note_follower(account, "o-1", is_follower=True, at=EARLY)
    assert is_follower()

    service.note_identity(account, "o-1")
    assert is_follower()

    service.note_follower(account, "o-1", is_follower=False, at=EARLY)
    assert not is_follower()


@pytest.mark.parametrize("is_follower", [True, False])
def test_what_is_told_late_does_not_overwrite_what_is_newer(session, account, is_follower):
    service.note_follower(account, "o-1", is_follower=is_follower, at=LATE)
    identity = service.note_follower(account, "o-1", is_follower=not is_follower, at=EARLY)

    stored = session.get_one(Identity, identity)
    assert (stored.is_follower, stored.follow_changed_at) == (is_follower, LATE)


def test_a_sign_in_alone_makes_no_follower(session, account):
    identity = service.note_identity(account, "o-1")

    assert not session.get_one(Identity, identity).is_follower


def test_an_identity_belongs_to_its_accounts_organisation(session, account):
    make_org("/other/")
    identity = session.get_one(Identity, service.note_identity(account, "o-1"))

    assert identity.org_path == "/hq/"
    stranger = Actor(ActorKind.USER, 1, "/other/")
    assert session.scalars(select(Identity.id).where(Identity.visible_to(stranger))).all() == []


def test_an_identity_is_renewed_when_it_changes(session, account):
    with time_machine.travel(datetime(2026, 4, 5, tzinfo=UTC), tick=False) as clock:
        identity = service.note_follower(account, "o-1", is_follower=True, at=utc_now())
        clock.shift(timedelta(hours=1))
        service.note_follower(account, "o-1", is_follower=False, at=utc_now())

    assert session.get_one(Identity, identity).updated_at == datetime(2026, 4, 5, 1, tzinfo=UTC)
