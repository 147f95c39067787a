"""The registry of templates: what the platform shows, what changed, what is gone."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from core.clock import utc_now
from core.errors import Forbidden
from domain.audit.models import AuditEvent
from domain.directory.access import Actor
from domain.directory.channel_accounts import set_templates, templates_of
from domain.directory.errors import AccountUnknown
from domain.directory.message_templates import (
    FoundTemplate,
    TemplateField,
    find_template,
    list_templates,
    sync_templates,
)
from tests.factories import make_channel_account, make_hr, make_operator

KIND = "payslip_ready"


def found(template_id="t1", kind=KIND, keys=("thing1", "time2"), title="工资发放通知", choices=()):
    return FoundTemplate(
        template_id=template_id,
        title=title,
        content="".join(f"标签:{{{{{key}.DATA}}}}\n" for key in keys),
        example="",
        fields=tuple(TemplateField(key, "标签", tuple(choices)) for key in keys),
        kind=kind,
    )


@pytest.fixture
def account(session):
    return make_channel_account(templates={})


@pytest.fixture
def operator(account):
    return make_operator()


def sync(account, *templates):
    return sync_templates(Actor.system(), account.id, templates)


def test_what_the_platform_shows_is_kept(account, operator):
    synced = sync(account, found(choices=("甲", "乙")), found("t2", None, title="活动通知"))

    assert (synced.count, synced.changed, synced.removed) == (2, (), ())
    ours, other = list_templates(operator)
    assert (ours.kind, ours.title, ours.keys) == (KIND, "工资发放通知", ("thing1", "time2"))
    assert ours.choices == {"thing1": ("甲", "乙"), "time2": ("甲", "乙")}
    assert (other.kind, other.title) == (None, "活动通知")
    assert templates_of(account.id) == {KIND: "t1"}
    assert find_template(account.id, KIND) == ours
    assert find_template(account.id, "question_answered") is None


def test_a_sync_is_written_down_with_counts_only(account, session):
    sync(account, found())

    event = session.scalars(select(AuditEvent)).one()
    assert event.action == "directory.account.templates"
    assert event.details == {"count": 1, "changed_templates": 0, "removed_templates": 0}


def test_a_template_whose_fields_changed_is_found_and_no_longer_used(account, operator):
    sync(account, found())

    synced = sync(account, found(kind=None, keys=("thing1", "time5")))

    assert synced.changed == ("工资发放通知",)
    (row,) = list_templates(operator)
    assert (row.keys, row.former_keys) == (("thing1", "time5"), ("thing1", "time2"))
    assert row.changed_at is not None
    assert templates_of(account.id) == {}


def test_the_change_is_remembered_until_the_template_fits_again(account, operator):
    sync(account, found())
    changed = found(kind=None, keys=("thing9",))
    sync(account, changed)
    sync(account, changed)
    assert list_templates(operator)[0].changed_at is not None

    sync(account, found())

    (row,) = list_templates(operator)
    assert (row.changed_at, row.former_keys) == (None, ())
    assert templates_of(account.id) == {KIND: "t1"}


def test_a_removed_template_is_marked_once_and_not_used(account, operator):
    sync(account, found())

    with time_machine.travel(utc_now() + timedelta(hours=1), tick=False):
        assert sync(account).removed == ("工资发放通知",)
        removed_at = utc_now()
    assert sync(account).removed == ()

    (row,) = list_templates(operator)
    assert row.removed_at == removed_at
    assert templates_of(account.id) == {}
    assert find_template(account.id, KIND) is None


def test_a_template_that_comes_back_is_used_again(account):
    sync(account, found())
    sync(account)

    sync(account, found())

    assert templates_of(account.id) == {KIND: "t1"}


def test_a_template_known_by_its_id_only_has_not_changed(account):
    set_templates(account.id, {KIND: "t1"})

    assert sync(account, found()).changed == ()


def test_who_says_what_carries_a_message_says_it_of_all(account):
    set_templates(account.id, {KIND: "t1", "question_answered": "t2"})

    set_templates(account.id, {KIND: "t2"})

    assert templates_of(account.id) == {KIND: "t2"}


def test_templates_of_one_account_say_nothing_of_another(account):
    other = make_channel_account(templates={})
    sync(account, found())

    sync(other)

    assert templates_of(account.id) == {KIND: "t1"}
    assert templates_of(other.id) == {}


def test_a_branch_neither_sees_nor_syncs_anothers(account):
    sync(account, found())
    branch = make_operator("/hq/sh/")

    assert list_templates(branch) == []
    with pytest.raises(AccountUnknown):
        sync_templates(branch, account.id, [])


def test_hr_may_neither_see_nor_sync(account):
    hr = make_hr()

    with pytest.raises(Forbidden):
        list_templates(hr)
    with pytest.raises(Forbidden):
        sync_templates(hr, account.id, [])
