import json
import re
from datetime import timedelta

import pytest
import responses
from sqlalchemy import select

from channel import desk_signin, listeners
from channel.desk_signin import DeskState
from channel.events import TryLater, handle_inbox_event
from core.clock import utc_now
from core.db import transaction
from core.queues import Job
from core.settings import SANDBOX_WECHAT
from domain.directory import service
from domain.directory.access import Actor, Role
from domain.directory.models import Identity, User
from domain.inbox.intake import Callback, accept
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.service import replay
from domain.pushes.models import Push, PushStatus, Route
from tests.factories import (
    ENTERPRISE,
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_identity,
    make_org,
    make_push,
    make_user,
)

XML = (
    "<xml><ToUserName>gh</ToUserName><FromUserName>{openid}</FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType>event</MsgType><Event>{event}</Event>{more}</xml>"
)


@pytest.fixture
def account(session):
    listeners.listen()
    return make_channel_account()


@pytest.fixture
def told():
    """What people are told in the chat."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wechat:
        token = {"access_token": "t0ken", "expires_in": 7200}
        wechat.post(f"{SANDBOX_WECHAT}/cgi-bin/stable_token", json=token)
        sent = wechat.post(f"{SANDBOX_WECHAT}/cgi-bin/message/custom/send", json={"errcode": 0})
        yield lambda: [json.loads(call.request.body)["text"]["content"] for call in sent.calls]


def receive(account, event: str, more: str = "", *, openid: str = "o1", age=timedelta(0)) -> int:
    at = int((utc_now() - age).timestamp())
    body = XML.format(openid=openid, at=at, event=event, more=more)
    event_id = accept(account, Callback(event, "", openid, body)).event_id
    handle_inbox_event(event_id)
    return event_id


def scan(account, scene: str, *, openid: str = "o1") -> int:
    return receive(account, "SCAN", f"<EventKey>{scene}</EventKey>", openid=openid)


def follower(session, openid: str = "o1") -> Identity:
    return session.scalars(select(Identity).where(Identity.openid == openid)).one()


def make_bound_user(session, account) -> int:
    """HR whose WeChat is ``o1``."""
    identity_id = make_identity(account, openid="o1").id
    user_id = make_user(ENTERPRISE, Role.HR).id
    with transaction() as session:
        session.get_one(User, user_id).identity_id = identity_id
    return user_id


def test_who_follows_is_known_and_who_leaves_too(session, account):
    receive(account, "subscribe")
    assert follower(session).is_follower

    receive(account, "unsubscribe")
    session.expire_all()
    assert not follower(session).is_follower


def test_who_left_stays_away_though_the_following_before_is_told_again(session, account):
    followed = receive(account, "subscribe", age=timedelta(minutes=2))
    receive(account, "unsubscribe", age=timedelta(minutes=1))

    replay(Actor.system(), [followed])
    handle_inbox_event(followed)

    session.expire_all()
    assert not follower(session).is_follower


def test_a_scan_by_a_user_of_the_desk_asks_the_phone_to_confirm(session, account, told):
    user_id = make_bound_user(session, account)
    waiting = desk_signin.begin("browser")

    scan(account, waiting.scene)

    found = desk_signin.find(waiting.code)
    assert (found.state, found.user_id) == (DeskState.SCANNED, user_id)
    [text] = told()
    assert "您正在登录工作台" in text
    assert f"%2Fme%2Fdesk%2F{waiting.code}" in text
    assert found.number not in re.sub('href="[^"]*"', "", text)


def test_somebody_new_who_scans_from_the_desk_is_known_but_not_let_in(session, account, told):
    waiting = desk_signin.begin("browser")

    receive(account, "subscribe", f"<EventKey>qrscene_{waiting.scene}</EventKey><Ticket>t</Ticket>")

    assert desk_signin.find(waiting.code).state is DeskState.WAITING
    assert told() == [listeners.NOT_A_USER]


def test_a_second_scan_by_another_changes_nothing_and_says_nothing(session, account, told):
    make_bound_user(session, account)
    other = make_identity(account, openid="o2").id
    waiting = desk_signin.begin("browser")
    assert desk_signin.note_scan(waiting.code, make_user(ENTERPRISE, Role.HR).id, other)

    scan(account, waiting.scene)

    assert desk_signin.find(waiting.code).identity_id == other
    assert told() == []


def test_a_scan_whose_answer_was_lost_is_answered_when_it_is_told_again(session, account, told):
    make_bound_user(session, account)
    waiting = desk_signin.begin("browser")
    event_id = scan(account, waiting.scene)

    replay(Actor.system(), [event_id])
    handle_inbox_event(event_id)

    assert len(told()) == 2
    assert len(set(told())) == 1


def test_a_code_of_no_desk_is_only_a_follower(session, account, told):
    scan(account, "poster-7")
    assert told() == []


def test_an_invitation_makes_the_scanner_that_user_once(session, account, told):
    make_org(ENTERPRISE)
    user, code = service.add_user(Actor.system(), ENTERPRISE, "方", [Role.HR])
    user_id = user.id

    scan(account, f"invite-{code}")
    scan(account, f"invite-{code}", openid="o2")

    stored = session.get_one(User, user_id, populate_existing=True)
    assert stored.identity_id == follower(session).id
    assert told()[0] == listeners.WELCOME
    assert "失效" in told()[1]


def test_an_invitation_whose_answer_was_lost_is_still_accepted(session, account, told):
    make_org(ENTERPRISE)
    _, code = service.add_user(Actor.system(), ENTERPRISE, "方", [Role.HR])
    event_id = scan(account, f"invite-{code}")

    replay(Actor.system(), [event_id])
    handle_inbox_event(event_id)

    assert told() == [listeners.WELCOME] * 2


@pytest.mark.parametrize(
    ("status", "becomes", "reason"),
    [
        ("success", PushStatus.DELIVERED, None),
        ("failed:user block", PushStatus.PERMANENT_FAILURE, "user block"),
        ("failed: system failed", PushStatus.PERMANENT_FAILURE, "system failed"),
    ],
)
def test_wechats_report_ends_the_push(session, account, status, becomes, reason):
    campaign = make_campaign(account, ladder=["template"])
    push_id = make_push(
        make_employee(), account, campaign=campaign, status=PushStatus.SENT, msgid="42"
    ).id

    receive(account, "TEMPLATESENDJOBFINISH", f"<MsgID>42</MsgID><Status>{status}</Status>")

    push = session.get_one(Push, push_id, populate_existing=True)
    assert (push.status, push.reason) == (becomes, reason)


def test_a_report_that_it_did_not_arrive_is_followed_by_the_next_step(session, account, queue):
    push_id = make_push(make_employee(), account, status=PushStatus.SENT, msgid="42").id

    receive(account, "TEMPLATESENDJOBFINISH", "<MsgID>42</MsgID><Status>failed:user block</Status>")

    push = session.get_one(Push, push_id, populate_existing=True)
    assert (push.status, push.route) == (PushStatus.TEMPORARY_FAILURE, Route.MINIPROGRAM)
    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, push_id, push_id)]


def test_who_follows_again_gets_the_notices_that_could_not_reach_them(session, account, queue):
    employee = make_employee()
    make_binding(employee, account, make_identity(account, openid="o1", is_follower=False))
    missed = make_push(
        employee, account, status=PushStatus.PERMANENT_FAILURE, reason="not-following"
    )
    chunk = (missed.campaign_id, missed.id, missed.id)

    receive(account, "subscribe")

    assert queue.args(Job.SEND_PUSHES) == [chunk]
    assert follower(session).is_follower


def test_a_report_that_overtakes_its_answer_waits_but_not_for_ever(session, account):
    report = "<MsgID>43</MsgID><Status>success</Status>"
    early = receive(account, "TEMPLATESENDJOBFINISH", report)
    late = receive(account, "TEMPLATESENDJOBFINISH", report, age=timedelta(minutes=11))

    states = {
        event.id: (event.state, event.reason)
        for event in session.scalars(select(InboxEvent).execution_options(populate_existing=True))
    }
    assert states[early] == (InboxState.RECEIVED, TryLater.__name__)
    assert states[late] == (InboxState.DONE, None)
