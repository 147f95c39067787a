"""What of the messages does not move, what was given up, and who may see it."""

import re
from datetime import timedelta

import pytest
from rq.exceptions import AbandonedJobError

from channel.workbench.ops.pushes import safe_error
from core.clock import utc_now
from core.queues import Job, QueueName, enqueue
from domain.pushes.models import PushStatus
from tests.factories import make_employee, make_hr, make_operator, make_push
from workers.worker import work

LOST = PushStatus.PERMANENT_FAILURE
JOBS_CARD = "放弃的任务"


@pytest.fixture
def add(account):
    return lambda **fields: make_push(make_employee(name="欧阳修"), account, **fields)


@pytest.fixture
def stuck(add):
    return add(status=PushStatus.SENDING, due_at=utc_now() - timedelta(hours=2))


def test_when_all_goes_well_the_page_says_so(client, operator):
    page = client.get("/ops/pushes").text

    for words in ("没有停住的消息", "没有放弃的消息", "没有放弃的任务"):
        assert words in page
    assert 'href="/ops/usage"' in page


def test_what_is_stuck_says_how_long_and_what_to_do(client, operator, stuck):
    page = client.get("/ops/pushes").text

    assert "发送中断，没有收回" in page
    assert "2 小时" in page
    assert "检查 timetable" in page
    assert f'href="/hr/pushes/{stuck.campaign_id}"' in page
    assert "欧阳" not in page


def test_what_nobody_tries_again_is_counted_by_reason(client, operator, add):
    push = add(status=LOST, reason="template", errcode=40037)
    add(status=LOST, reason="not-bound")
    add(status=LOST, reason=None)
    add(status=PushStatus.UNKNOWN)

    page = client.get("/ops/pushes/now").text

    assert "消息模板没有配置好" in page
    assert "40037" in page
    assert f'href="/hr/pushes/{push.campaign_id}?only=failed"' in page
    assert "没有绑定" not in page
    assert "没有写明" in page
    assert page.count("不知道是否送达") == 1
    assert "没有停住的消息" in page
    assert "<html" not in page


@pytest.fixture
def failed_job(app, monkeypatch):
    def fail(_account_id):
        raise LookupError("张三 13800000001 'oLongOpenid-123456789' of 4")

    monkeypatch.setattr("workers.jobs.campaigns.feed", fail)

    def make(count=1):
        for number in range(count):
            enqueue(QueueName.PUSH, Job.FEED_PUSHES, 7000 + number)
        work(app, QueueName.PUSH, burst=True)

    return make


def test_a_job_that_was_given_up_is_shown_without_people(client, operator, failed_job):
    failed_job()

    page = client.get("/ops/pushes").text

    assert "feed_pushes" in page
    assert "7000" in page
    assert re.search(r"LookupError（tests/channel/workbench/ops/test_pushes\.py:\d+）", page)
    for private in ("张三", "13800000001", "oLongOpenid", "of 4"):
        assert private not in page


def test_of_very_many_the_newest_are_shown(client, operator, failed_job, monkeypatch):
    monkeypatch.setattr("channel.workbench.ops.pushes.JOBS_SHOWN", 2)
    failed_job(3)

    assert "共 3 个，显示最新 2 个" in client.get("/ops/pushes").text


def test_another_bank_sees_neither_rows_nor_jobs(client, account, stuck, failed_job):
    failed_job()
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)

    page = client.get("/ops/pushes").text

    assert "没有停住的消息" in page
    assert JOBS_CARD not in page
    assert "feed_pushes" not in page


@pytest.mark.parametrize("path", ["/ops/pushes", "/ops/pushes/now"])
def test_hr_is_told_that_this_is_not_theirs(client, account, stuck, path):
    client.sign_in("/ops", user_id=make_hr().id)

    answer = client.get(path)

    assert answer.status_code == 403
    assert "不在您的权限内" in answer.text


def test_the_page_is_in_the_navigation(client, operator):
    assert 'href="/ops/pushes"' in client.get("/ops/").text


TRACEBACK = "Traceback (most recent call last):\n  File x, line 1\n"
CHAINED = (
    f"{TRACEBACK}OSError: 1\n\nDuring handling, another occurred:\n\n{TRACEBACK}"
    "sqlalchemy.exc.OperationalError: (2013, 'Lost')\n[parameters: ('张三',)]\n"
)
LOST_WORKER = f"Moved to FailedJobRegistry, due to {AbandonedJobError.__name__}, at 2026-04-05"


@pytest.mark.parametrize(
    ("traceback", "shown"),
    [
        ("", ""),
        (TRACEBACK, ""),
        (TRACEBACK + "KeyError: zhangsan\n", "KeyError"),
        (TRACEBACK + "ValueError: 1234 of wangwu\n  and lisi\n", "ValueError"),
        (
            TRACEBACK + "rq.timeouts.JobTimeoutException: over 120\n",
            "rq.timeouts.JobTimeoutException",
        ),
        (TRACEBACK + "ValueError\n", "ValueError"),
        (TRACEBACK + "张三: 1\n", ""),
        (CHAINED, "sqlalchemy.exc.OperationalError"),
        (LOST_WORKER, AbandonedJobError.__name__),
        ("zhangsan: 1", ""),
    ],
)
def test_of_an_error_its_class_is_told_and_nothing_of_what_it_says(traceback, shown):
    assert safe_error(traceback) == shown
