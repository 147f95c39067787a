"""Campaigns at the desk: watched, controlled, and explained to the last person."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from channel import ways
from channel.breaker import BreakerOpen
from channel.budget import BudgetExhausted
from channel.caps import MemberFull
from channel.delivery import PERMANENT
from channel.retries import ALARMING, OVER_QUOTA
from channel.sms import SmsUnreachable
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.workbench.pushes import (
    FILTERS,
    KINDS,
    LISTED_FOR,
    ROUTES,
    coming_time,
    time_left,
)
from core.clock import utc_now
from core.db import transaction
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import Role
from domain.directory.errors import AccountUnknown
from domain.pushes import addresses, outcomes, sweeper
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Push, PushStatus, Route
from domain.pushes.policy import REMEMBERED_FOR
from domain.pushes.queries import PushFilter, reason_in_words
from tests.counting import count_queries
from tests.factories import (
    make_campaign,
    make_employee,
    make_hr,
    make_operator,
    make_push,
    make_user,
)

HTMX = {"HX-Request": "true"}
NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)
MARKS = ("listed", "listed_at")
LOST = {"status": PushStatus.PERMANENT_FAILURE, "reason": "not-bound"}


@pytest.fixture
def campaign(hr, account):
    """Of three people one was reached, one waits, one cannot be reached."""
    campaign = make_campaign(account)
    reached = {"status": PushStatus.DELIVERED, "sent_at": utc_now(), "delivered_at": utc_now()}
    make_push(make_employee(name="陈静"), account, campaign=campaign, **reached)
    make_push(make_employee(name="吴磊"), account, campaign=campaign)
    make_push(make_employee(name="周洋"), account, campaign=campaign, **LOST)
    return campaign


def follow(client, answer):
    assert answer.status_code == 303
    return client.get(answer.location).text


def post(client, campaign, deed):
    return follow(client, client.post(f"/hr/pushes/{campaign.id}/{deed}"))


def status_of(session, campaign):
    return session.get_one(Campaign, campaign.id, populate_existing=True).status


# --- the list -------------------------------------------------------------------------------


def test_every_campaign_says_what_for_whom_and_how_far(client, campaign, account):
    make_campaign(
        account,
        kind=MessageKind.QUESTION_ANSWERED,
        params={"enterprise": "长河机械"},
        key="answer:1",
    )

    page = client.get("/hr/pushes").text

    assert f'<a href="/hr/pushes/{campaign.id}">2026年3月 工资条通知</a>' in page
    assert page.index("提问的回复") < page.index("2026年3月 工资条通知")
    for words in ("机构ent-1", "长河机械", "发送中"):
        assert words in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"starts_at": utc_now() + timedelta(days=1)}, "定时发送"),
        ({"prepared_at": None}, "准备名单"),
        ({"held_until": utc_now() + timedelta(days=1)}, "等待恢复"),
        ({"status": CampaignStatus.PAUSED}, "已暂停"),
        ({"status": CampaignStatus.CANCELLED}, "已取消"),
        ({"status": CampaignStatus.FINISHED, "ended_at": utc_now()}, "已完成"),
    ],
)
def test_every_state_of_a_campaign_has_its_words(client, hr, account, fields, words):
    campaign = make_campaign(account, **fields)

    assert words in client.get("/hr/pushes").text
    assert words in client.get(f"/hr/pushes/{campaign.id}").text


def test_campaigns_come_in_pages(client, hr, account):
    assert "还没有发送过通知" in client.get("/hr/pushes").text
    campaigns = [make_campaign(account) for _ in range(51)]

    page = client.get("/hr/pushes").text

    assert f"before={campaigns[1].id}" in page
    assert "回到第一页" in client.get(f"/hr/pushes?before={campaigns[1].id}").text


def test_every_kind_and_route_has_its_words():
    assert set(KINDS) == set(MessageKind)
    assert set(ROUTES) == set(Route)
    assert [only for only, _ in FILTERS] == list(PushFilter)


def test_every_reason_that_sending_writes_has_words_of_its_own():
    written = {*PERMANENT.values(), *REMEMBERED_FOR, ways.NO_ACCOUNT, MemberFull.code, ways.QUIET}
    written |= {ways.SMS_CAPPED, ways.SMS_REFUSED, ways.SMS_OFF, ways.SMS_BUSY, ways.SMS_UNCOUNTED}
    written |= {addresses.NOT_BOUND, outcomes.GAVE_UP, sweeper.EXPIRED}
    refusals = (BudgetExhausted, BreakerOpen, WeChatError, WeChatUnreachable, SmsUnreachable)
    written |= {one.code for one in (*refusals, AccountUnknown)}

    unnamed = reason_in_words("a platform's own word")
    alarming = frozenset().union(*ALARMING.values(), OVER_QUOTA)
    refused = {reason_in_words(WeChatError.code, errcode) for errcode in alarming}
    assert reason_in_words(WeChatError.code) not in refused

    assert {reason for reason in written if reason_in_words(reason) == unnamed} == set()


# --- one campaign ---------------------------------------------------------------------------


def test_the_numbers_are_asked_often_while_they_move(client, campaign):
    page = client.get(f"/hr/pushes/{campaign.id}/figures", headers=HTMX).text

    assert "<html" not in page
    assert "every 2s" in page
    for words in ("2 / 3", "正在发送", "员工还没有绑定微信", "1 人"):
        assert words in page


def test_the_rate_and_the_time_left_are_told(client, campaign, account):
    sent = {"status": PushStatus.SENT, "sent_at": utc_now() - timedelta(seconds=30)}
    make_push(make_employee(), account, campaign=campaign, **sent)

    page = client.get(f"/hr/pushes/{campaign.id}/figures").text

    assert "每分钟 4 条，还要不到 1 分钟" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(20, "不到 1 分钟"), (130, "约 2 分钟"), (7500, "约 2 小时 5 分钟")],
)
def test_the_time_left_is_a_guess(seconds, words):
    assert time_left(seconds) == words


def test_why_some_have_to_wait_and_until_when(client, campaign, account):
    due_at = utc_now() + timedelta(hours=1)
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "wechat_budget_exhausted"}
    make_push(make_employee(), account, campaign=campaign, due_at=due_at, **waits)
    with transaction() as session:
        session.get_one(Campaign, campaign.id).held_until = due_at

    page = client.get(f"/hr/pushes/{campaign.id}").text

    for words in ("为什么还在等", "接口的调用额度已用完", "后自动继续"):
        assert words in page


def test_a_gradual_start_says_so(client, hr, account):
    with time_machine.travel(NOON, tick=False):
        client.sign_in("/hr", user_id=make_hr().id)
        campaign = make_campaign(account, is_gradual=True, total_count=500, fed_count=20)
        page = client.get(f"/hr/pushes/{campaign.id}").text
        with transaction() as session:
            session.get_one(Campaign, campaign.id).fed_count = 500
        later = client.get(f"/hr/pushes/{campaign.id}").text

    assert "12:01 发到 50 人，12:02 发给其余 450 人；发现不对可以先暂停" in page
    assert "发给其余" not in later


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (timedelta(0), "马上再发"),
        (timedelta(minutes=5), "12:05 再发"),
        (timedelta(days=1), "4月6日 12:00 再发"),
    ],
)
def test_no_time_that_is_over_is_promised(wait, words):
    with time_machine.travel(NOON, tick=False):
        assert coming_time(NOON + wait, "再发") == words


def test_who_only_waits_for_another_try_is_told_when(client, hr, account):
    with time_machine.travel(NOON, tick=False):
        client.sign_in("/hr", user_id=make_hr().id)
        campaign = make_campaign(account)
        sent = {"status": PushStatus.SENT, "sent_at": NOON - timedelta(seconds=30)}
        waits = {"status": PushStatus.TEMPORARY_FAILURE, "due_at": NOON + timedelta(minutes=5)}
        for fields in (sent, waits):
            make_push(make_employee(), account, campaign=campaign, **fields)

        page = client.get(f"/hr/pushes/{campaign.id}/figures").text

    assert "其余 1 人 12:05 再发" in page
    assert "还要" not in page


def test_a_held_campaign_names_its_reason_and_one_time(client, hr, account):
    with time_machine.travel(NOON, tick=False):
        client.sign_in("/hr", user_id=make_hr().id)
        campaign = make_campaign(account, held_until=NOON + timedelta(minutes=26))
        waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "template"}
        due_at = NOON - timedelta(minutes=3)
        make_push(make_employee(), account, campaign=campaign, due_at=due_at, **waits)

        page = client.get(f"/hr/pushes/{campaign.id}/figures").text

    assert "消息模板在公众号里已被删除，请联系银行；12:26 后自动继续" in page
    assert "最早 12:26 再发" in page
    assert "11:57" not in page


def test_how_many_were_sent_by_each_route_and_what_never_reports(client, hr, account):
    campaign = make_campaign(account, status=CampaignStatus.FINISHED, ended_at=utc_now())
    old = {"status": PushStatus.SENT, "sent_at": utc_now() - timedelta(hours=1)}
    for route in (Route.TEMPLATE, Route.SMS, Route.SMS):
        make_push(make_employee(), account, campaign=campaign, route=route, **old)

    page = client.get(f"/hr/pushes/{campaign.id}").text

    assert "已发：公众号 1，短信 2" in page
    assert "2 条由小程序、企业微信或短信发出，这些途径不告诉我们是否送达" in page
    assert "1 条没有收到公众号的回执" in page
    assert "没有绑定微信，直接发短信" in page


def test_who_is_sent_to_by_the_next_route_is_told_by_which(client, hr, account):
    at = utc_now().isoformat()
    tried = [{"route": "template", "reason": "not-following", "errcode": 43004, "at": at}]
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "not-following", "tried": tried}
    push = make_push(make_employee(), account, route=Route.SMS, due_at=utc_now(), **waits)

    page = " ".join(client.get(f"/hr/pushes/{push.campaign_id}").text.split())

    assert '<span class="reason">改发短信，马上</span>' in page
    assert '改发短信，<span class="story__at">马上</span>' in page


def test_only_a_campaign_with_cancelled_people_can_list_them(client, campaign, account):
    assert "only=cancelled" not in client.get(f"/hr/pushes/{campaign.id}").text
    cancelled = {"status": PushStatus.CANCELLED}
    make_push(make_employee(name="郑爽"), account, campaign=campaign, **cancelled)

    page = client.get(f"/hr/pushes/{campaign.id}?only=cancelled").text

    assert "only=cancelled#people" in page
    assert "郑爽" in page
    assert "陈静" not in page
    assert 'value="2" max="4"' in page


def test_the_people_are_read_again_when_somebodys_story_went_on(client, campaign, account):
    def asked(page, seconds):
        listed, at = (page.split(f'name="{name}" value="')[1].split('"')[0] for name in MARKS)
        query = f"listed={listed}&listed_at={float(at) - seconds}"
        return client.get(f"/hr/pushes/{campaign.id}/figures?{query}").headers.get("HX-Trigger")

    page = client.get(f"/hr/pushes/{campaign.id}").text
    assert 'hx-include="#people"' in page
    assert asked(page, 60) is None

    make_push(make_employee(), account, campaign=campaign, status=PushStatus.DELIVERED)

    assert asked(page, 0) is None
    assert asked(page, LISTED_FOR.total_seconds()) == "settled"


def test_what_stands_around_the_numbers_is_asked_anew_when_it_is_outdated(client, campaign):
    page = client.get(f"/hr/pushes/{campaign.id}").text
    shown = page.split("shown=")[1].split('"')[0]
    figures = f"/hr/pushes/{campaign.id}/figures?shown={shown}"
    assert "HX-Trigger" not in client.get(figures).headers

    with transaction() as session:
        stored = session.get_one(Campaign, campaign.id)
        stored.status, stored.ended_at = CampaignStatus.FINISHED, utc_now()

    assert client.get(figures).headers["HX-Trigger"] == "settled"
    assert 'hx-select-oob="#actions"' in page


def test_people_are_filtered_by_what_became_of_them(client, campaign):
    def names(only):
        page = client.get(f"/hr/pushes/{campaign.id}?only={only}").text
        return [one for one in ("陈静", "吴磊", "周洋") if f'<th scope="row">{one}</th>' in page]

    assert names("all") == ["陈静", "吴磊", "周洋"]
    assert names("failed") == ["周洋"]
    assert names("waiting") == ["吴磊"]
    assert names("delivered") == ["陈静"]
    assert names("sent") == []


def test_people_come_in_pages(client, hr, account):
    campaign = make_campaign(account)
    pushes = [make_push(make_employee(), account, campaign=campaign) for _ in range(51)]

    first = client.get(f"/hr/pushes/{campaign.id}").text
    second = client.get(f"/hr/pushes/{campaign.id}?after={pushes[49].id}").text

    assert f"after={pushes[49].id}" in first
    assert "回到第一页" in second


def test_every_state_of_a_message_has_its_words(client, hr, account):
    campaign = make_campaign(account)
    for status in PushStatus:
        make_push(make_employee(), account, campaign=campaign, status=status)

    page = client.get(f"/hr/pushes/{campaign.id}").text

    for words in (
        "待发送",
        "发送中",
        "已发出",
        "已送达",
        "稍后重试",
        "未送达",
        "结果不明",
        "已取消",
    ):
        assert words in page


def test_the_whole_story_of_a_failed_person_is_told(client, hr, account):
    tried = [
        {
            "route": "template",
            "reason": "muted",
            "errcode": 43101,
            "at": "2026-03-05T01:02:00+00:00",
        },
        {
            "route": "wecom",
            "reason": "not-a-member",
            "errcode": 0,
            "at": "2026-03-05T01:03:00+00:00",
        },
    ]
    failed = {"status": PushStatus.PERMANENT_FAILURE, "reason": "muted", "errcode": 0}
    push = make_push(make_employee(), account, route=Route.WECOM, tried=tried, **failed)

    page = " ".join(client.get(f"/hr/pushes/{push.campaign_id}?only=failed").text.split())

    assert "公众号：员工关闭了这类消息 <span" in page
    assert "错误码 43101" in page
    assert "3月5日 09:02" in page
    assert "企业微信：不在企业微信通讯录里" in page
    assert "没有别的途径可以通知到" in page
    assert "错误码 0" not in page


def test_who_waits_for_the_next_step_is_told_when(client, hr, account):
    morning = utc_now() + timedelta(hours=9)
    waits = {"status": PushStatus.TEMPORARY_FAILURE, "reason": "quiet-hours", "due_at": morning}
    push = make_push(make_employee(), account, route=Route.SMS, **waits)

    page = client.get(f"/hr/pushes/{push.campaign_id}").text

    assert "短信：夜间不打扰" in page
    assert "再发</span>" in page


def test_a_campaign_costs_the_same_with_one_person_and_with_three(client, hr, account):
    one, three = make_campaign(account), make_campaign(account)
    for campaign, people in ((one, 1), (three, 3)):
        for _ in range(people):
            make_push(make_employee(), account, campaign=campaign, **LOST)

    with count_queries() as few:
        client.get(f"/hr/pushes/{one.id}")
    with count_queries() as many:
        client.get(f"/hr/pushes/{three.id}")

    assert few.count == many.count


# --- control --------------------------------------------------------------------------------


def test_a_campaign_is_paused_and_goes_on(client, campaign, session, queue):
    page = post(client, campaign, "pause")
    assert "已暂停，正在路上的几条还会发出" in page
    assert "已暂停，1 人还没有发" in page
    assert status_of(session, campaign) is CampaignStatus.PAUSED

    page = post(client, campaign, "resume")

    assert "已继续发送" in page
    assert status_of(session, campaign) is CampaignStatus.RUNNING
    assert queue.args(Job.FEED_PUSHES) == [(campaign.channel_account_id,)]
    deeds = session.scalars(select(AuditEvent.action)).all()
    assert {"pushes.campaign.paused", "pushes.campaign.resumed"} <= set(deeds)
    assert "暂停一次发送" in client.get("/hr/audit").text


def test_a_campaign_is_cancelled_for_good(client, campaign, session):
    assert "已取消，还没有发的不会再发" in post(client, campaign, "cancel")

    for deed in ("pause", "cancel", "resend"):
        assert "已经结束，不能再操作" in post(client, campaign, deed)
    assert "这次发送没有暂停" in post(client, campaign, "resume")
    assert status_of(session, campaign) is CampaignStatus.CANCELLED


def test_who_failed_is_sent_to_again_and_only_they(client, campaign, session):
    assert "正在重新发送给 1 人" in post(client, campaign, "resend")

    statuses = session.scalars(select(Push.status).order_by(Push.id)).all()
    assert statuses == [PushStatus.DELIVERED, PushStatus.CREATED, PushStatus.TEMPORARY_FAILURE]
    assert "没有需要重新发送的人" in post(client, campaign, "resend")


def test_only_what_can_be_done_is_offered(client, campaign, session):
    def offered():
        page = client.get(f"/hr/pushes/{campaign.id}").text
        actions = page.split('id="actions"')[1].split("</header>")[0]
        words = ("暂停", "继续", "取消", "重新发送给失败的人")
        return {one for one in words if f">{one}<" in actions}

    assert offered() == {"暂停", "取消", "重新发送给失败的人"}
    post(client, campaign, "pause")
    assert offered() == {"继续", "取消"}
    post(client, campaign, "cancel")
    assert offered() == set()


# --- who may --------------------------------------------------------------------------------


def test_finance_sees_the_campaign_but_nobodys_whole_name_and_changes_nothing(
    client, campaign, account, session
):
    make_push(make_employee(name="欧阳静"), account, campaign=campaign)
    client.sign_in("/hr", user_id=make_user("/hq/bj/ent-1/", Role.FINANCE).id)

    page = client.get(f"/hr/pushes/{campaign.id}").text

    assert "欧*" in page
    assert "欧阳静" not in page
    assert 'action="/hr/pushes' not in page
    for deed in ("pause", "resume", "cancel", "resend"):
        assert client.post(f"/hr/pushes/{campaign.id}/{deed}").status_code == 403
    assert status_of(session, campaign) is CampaignStatus.RUNNING


def test_bank_operations_watch_and_control_without_names(client, campaign, session):
    client.sign_in("/hr", user_id=make_operator().id)

    page = client.get(f"/hr/pushes/{campaign.id}").text

    assert f'href="/hr/pushes/{campaign.id}"' in client.get("/hr/pushes").text
    assert "陈*" in page
    assert "陈静" not in page
    assert "已暂停" in post(client, campaign, "pause")
    assert status_of(session, campaign) is CampaignStatus.PAUSED


def test_another_enterprises_campaign_does_not_exist(client, campaign, session):
    client.sign_in("/hr", user_id=make_hr("/hq/bj/ent-2/").id)

    assert "工资条通知" not in client.get("/hr/pushes").text
    assert client.get(f"/hr/pushes/{campaign.id}").status_code == 404
    assert client.get(f"/hr/pushes/{campaign.id}/figures").status_code == 404
    for deed in ("pause", "resume", "cancel", "resend"):
        assert client.post(f"/hr/pushes/{campaign.id}/{deed}").status_code == 404
    assert status_of(session, campaign) is CampaignStatus.RUNNING


def test_who_may_not_see_pushes_is_refused(client, campaign):
    client.sign_in("/hr", user_id=make_user("/hq/bj/ent-1/", Role.AUDITOR).id)

    for path in ("/hr/pushes", f"/hr/pushes/{campaign.id}", f"/hr/pushes/{campaign.id}/figures"):
        assert client.get(path).status_code == 403


def test_a_control_without_its_token_changes_nothing(client_with_csrf, account, session):
    campaign = make_campaign(account)
    client_with_csrf.sign_in("/hr", user_id=make_hr().id)

    for deed in ("pause", "resume", "cancel", "resend"):
        assert client_with_csrf.post(f"/hr/pushes/{campaign.id}/{deed}").status_code == 400
    assert status_of(session, campaign) is CampaignStatus.RUNNING


def test_nonsense_in_an_address_is_refused_and_never_an_error(client, campaign):
    for path in (
        f"/hr/pushes/{campaign.id}?only=nobody",
        f"/hr/pushes/{campaign.id}?after=x",
        f"/hr/pushes?before={10**30}",
    ):
        assert client.get(path).status_code == 422
    assert client.get("/hr/pushes/999999").status_code == 404
