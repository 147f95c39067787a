"""The overview: what was found last, checking anew, callbacks of a day, queues."""

from datetime import timedelta

import pytest
import responses as responses_library
import time_machine

from channel.checkup.service import examine, only_one
from channel.workbench.ops import words
from core.clock import utc_now
from core.queues import Job, QueueName, enqueue
from core.settings import get_settings
from domain.directory.channel_accounts import set_account_enabled
from tests.factories import make_channel_account, make_hr, make_operator, make_user


@pytest.fixture
def silence():
    """Neither platform answers, and nobody serves our own address."""
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def test_an_account_that_was_never_checked_says_so(client, operator):
    page = client.get("/ops/").text

    assert "还没有检查过" in page
    assert "/callback/wechat/demo-oa" in page
    assert "只在本机能打开" in page


def test_checking_now_shows_what_is_wrong_and_what_to_do(client, operator, silence):
    answer = client.post("/ops/check")

    assert (answer.status_code, answer.location) == (303, "/ops/")
    page = client.get("/ops/").text
    assert "项有误" in page
    assert "1 个账号有问题" in page
    assert "XINQIAO_WECHAT_API_URL" in page
    assert "检查于" in page


def test_what_is_well_is_folded_away(client, operator, silence):
    api = get_settings().wechat_api_url
    token = {"access_token": "t0ken", "expires_in": 7200}
    silence.post(f"{api}/cgi-bin/stable_token", json=token)
    client.post("/ops/check")

    page = client.get("/ops/").text

    assert "正常的 2 项" in page
    assert "密钥有效" in page.partition("<details")[2]


def test_a_checkup_under_way_is_not_begun_again(client, operator, silence):
    with only_one(operator):
        client.post("/ops/check")

    assert "正在检查" in client.get("/ops/").text


def test_a_checkup_without_faults_says_so(client, session):
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)

    client.post("/ops/check")

    page = client.get("/ops/").text
    assert "没有发现问题" in page
    assert "还没有登记账号" in page


def test_a_branch_sees_its_own_accounts_only(client, account, silence):
    make_channel_account("/hq/sh/", name="sh-oa")
    branch = make_operator("/hq/sh/")
    examine(make_operator())
    client.sign_in("/ops", user_id=branch.id)

    page = client.get("/ops/").text

    assert "sh-oa" in page
    assert "demo-oa" not in page


def test_a_disabled_account_is_shown_as_such(client, operator):
    make_channel_account(name="old-oa", is_enabled=False)

    assert "已停用" in client.get("/ops/").text


def test_what_was_found_at_an_account_is_gone_once_it_is_disabled(client, operator, silence):
    make_channel_account(name="old-oa")
    client.post("/ops/check")
    assert "2 个账号有问题" in client.get("/ops/").text

    set_account_enabled(operator, "old-oa", is_enabled=False)

    page = client.get("/ops/").text
    assert "已停用" in page
    assert "1 个账号有问题" in page
    for only_of_the_other in ("检查于", 'aria-label="要留意的检查项"'):
        assert page.count(only_of_the_other) == 1


def test_callbacks_and_queues_are_counted(client, operator, received):
    received()
    received(state="done")
    received(state="ignored")
    enqueue(QueueName.PAYROLL, Job.READ_PAYROLL_SHEET, 1)
    with time_machine.travel(utc_now() + timedelta(minutes=5), tick=False):
        page = client.get("/ops/figures").text

        assert "<html" not in page
        assert "5 分钟" in page
        assert "stat--warn" in page
        assert 'href="/ops/inbox?state=done"' in page
        assert "识别工资表" in page


def test_waiting_is_told_in_words():
    lengths = [timedelta(0), timedelta(seconds=5), timedelta(minutes=3), timedelta(hours=30)]
    assert [words.duration(one) for one in lengths] == ["无", "5 秒", "3 分钟", "30 小时"]


@pytest.mark.parametrize("path", ["/ops/", "/ops/figures", "/ops/inbox", "/ops/usage"])
def test_hr_is_told_that_this_is_not_theirs(client, account, path):
    client.sign_in("/ops", user_id=make_hr().id)

    answer = client.get(path)

    assert answer.status_code == 403
    assert "不在您的权限内" in answer.text
    assert "运行状况" not in answer.text


def test_hr_may_not_check(client, account):
    client.sign_in("/ops", user_id=make_hr().id)

    assert client.post("/ops/check").status_code == 403


def test_a_stranger_is_led_to_the_sign_in_of_the_desk(client, account):
    assert client.get("/ops/").location == "/hr/signin/"


def test_who_signed_in_at_the_desk_is_signed_in_here(client, account):
    client.sign_in("/hr", user_id=make_operator().id)

    assert client.get("/ops/").status_code == 200
    assert 'href="/ops/inbox"' in client.get("/hr/").text


def test_a_form_without_its_token_changes_nothing(client_with_csrf, account, received):
    client_with_csrf.sign_in("/ops", user_id=make_operator().id)
    event_id = received(state="done")

    for path in ("check", "inbox/replay", "inbox/replay-all", f"inbox/{event_id}/replay"):
        assert client_with_csrf.post(f"/ops/{path}").status_code == 400


def test_an_auditor_may_look_at_neither(client, account):
    client.sign_in("/ops", user_id=make_user("/hq/").id)

    assert client.get("/ops/").status_code == 403
