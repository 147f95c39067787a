"""What HR and operations are told about pushes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core import paging
from core.clock import utc_now
from core.errors import Forbidden
from domain.directory.access import Role
from domain.pushes import queries
from domain.pushes.models import PushStatus
from domain.pushes.policy import REPORT_LIFE
from domain.pushes.queries import PushCounts
from tests.counting import count_queries
from tests.factories import make_channel_account, make_employee, make_hr, make_push, make_user


@pytest.fixture
def account(session):
    return make_channel_account()


@pytest.fixture
def employee(session):
    return make_employee()


def test_every_push_of_a_topic_is_counted_once(employee, account):
    for status in PushStatus:
        make_push(employee, account, topic="payroll:7", status=status)
    make_push(employee, account, topic="payroll:8")

    assert queries.count_topic("payroll:7") == PushCounts(
        total=7, waiting=3, sent=2, delivered=1, failed=2, awaited=0
    )


def test_what_was_sent_long_ago_is_awaited_no_more(employee, account):
    for age in (timedelta(minutes=1), REPORT_LIFE):
        make_push(
            employee,
            account,
            topic="payroll:7",
            status=PushStatus.SENT,
            sent_at=utc_now() - age,
        )

    counts = queries.count_topic("payroll:7")

    assert (counts.sent, counts.awaited, counts.is_moving) == (2, 1, True)


def test_a_topic_without_pushes_counts_nothing(session):
    assert queries.count_topic("payroll:7") == PushCounts(0, 0, 0, 0, 0, 0)


def test_pushes_are_listed_newest_first_and_page_by_page(employee, account, monkeypatch):
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    pushes = [make_push(employee, account) for _ in range(3)]
    hr = make_hr()

    first = queries.list_pushes(hr)
    second = queries.list_pushes(hr, before=first.next_cursor)

    assert [row.id for row in (*first.rows, *second.rows)] == [one.id for one in reversed(pushes)]
    assert second.next_cursor is None
    assert paging.PAGE_SIZE == 50


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_is_one_query_however_long(employee, account, count):
    for _ in range(count):
        make_push(employee, account)
    hr = make_hr()

    with count_queries() as made:
        assert len(queries.list_pushes(hr).rows) == count

    assert made.count == 1


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (None, ""),
        ("not-bound", "员工还没有绑定微信"),
        ("user block", "员工拒收公众号消息"),
        ("system failed", "平台没有送达，稍后可再试"),
    ],
)
def test_a_reason_is_said_in_words(employee, account, reason, sentence):
    make_push(employee, account, status=PushStatus.PERMANENT_FAILURE, reason=reason)

    (row,) = queries.list_pushes(make_hr()).rows

    assert row.reason == sentence


def test_another_enterprises_pushes_stay_unseen(employee, account):
    make_push(employee, account)

    assert queries.list_pushes(make_hr("/hq/bj/ent-10/")).rows == []
    assert len(queries.list_pushes(make_user("/hq/", Role.BANK_OPERATIONS)).rows) == 1


def test_who_may_not_see_pushes_is_refused(session):
    with pytest.raises(Forbidden):
        queries.list_pushes(replace(make_hr(), permissions=frozenset()))
