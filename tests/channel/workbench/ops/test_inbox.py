"""Callbacks on the page of operations: found, looked at with a trace, handled again."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from channel.breaker import BreakerOpen
from channel.budget import BudgetExhausted
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.workbench.ops.bodies import (
    DEEPEST,
    LONGEST_SHOWN,
    MOST_FIELDS,
    TOO_DEEP,
    masked_fields,
    masked_id,
)
from channel.workbench.ops.words import REASONS
from core.clock import utc_now
from core.db import transaction
from core.paging import PAGE_SIZE
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import ROLE_PERMISSIONS, Permission, Role
from domain.directory.errors import AccountUnknown
from domain.inbox import service
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.service import claim, record_failed
from tests.factories import make_channel_account, make_operator

NOON = datetime(2026, 3, 5, 4, 0, tzinfo=UTC)  # in China


def state_of(session, event_id):
    session.rollback()
    return session.get_one(InboxEvent, event_id, populate_existing=True).state


def actions(session):
    return [row.action for row in session.scalars(select(AuditEvent).order_by(AuditEvent.id))]


# --- the list -------------------------------------------------------------------------------


def test_an_empty_inbox_says_what_to_do(client, operator):
    assert "还没有收到过回调" in client.get("/ops/inbox").text


def test_callbacks_are_listed_with_what_became_of_them(client, operator, received):
    first = received("change_external_contact", change_type="add_external_contact", state="done")
    second = received(state="too-late")
    third = received("text")
    record_failed(claim(third), WeChatUnreachable.code)

    page = client.get("/ops/inbox").text

    for words in ("add_external_contact", "已处理", "已过时限", "等待处理", "微信没有回应"):
        assert words in page
    assert (
        page.index(f"/inbox/{third}")
        < page.index(f"/inbox/{second}")
        < page.index(f"/inbox/{first}")
    )
    assert "oLongOpenid" not in page


def shown(client, **query):
    page = client.get("/ops/inbox", query_string=query).text
    return [one.partition('"')[0] for one in page.split('href="/ops/inbox/')[1:]]


def test_callbacks_are_found_by_account_state_event_and_time(client, operator, received):
    other = make_channel_account(name="other-oa")
    with time_machine.travel(NOON):
        morning = str(received("subscribe", state="done"))
    with time_machine.travel(NOON + timedelta(hours=3)):
        evening = str(received("text", at=other, state="ignored"))

    def found(**query):
        return [one for one in shown(client, **query) if one in {morning, evening}]

    assert found() == [evening, morning]
    assert found(account="other-oa") == [evening]
    assert found(state="done") == [morning]
    assert found(event="text") == [evening]
    assert found(since="2026-03-05T13:00") == [evening]
    assert found(until="2026-03-05T13:00") == [morning]
    assert found(account="", state="", event="", since="", until="") == [evening, morning]
    assert "没有这样的回调" in client.get("/ops/inbox?state=dead").text


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "since=yesterday",
        "since=0001-01-01T00:00",
        "until=2026-03-05T13:00%2B08:00",
        f"event={'x' * 65}",
        "before=-1",
    ],
)
def test_a_filter_that_is_none_is_refused(client, operator, query):
    assert client.get(f"/ops/inbox?{query}").status_code == 422


def test_long_lists_have_pages_that_keep_the_filter(client, operator, received):
    ids = [str(received("subscribe")) for _ in range(PAGE_SIZE + 1)]

    page = client.get("/ops/inbox?event=subscribe").text

    assert f"event=subscribe&amp;before={ids[1]}" in page
    second = client.get(f"/ops/inbox?event=subscribe&before={ids[1]}").text
    assert "回到第一页" in second
    assert f"/inbox/{ids[0]}" in second


def test_a_branch_sees_its_own_callbacks_only(client, account, received):
    event_id = received(state="done")
    client.sign_in("/ops", user_id=make_operator("/hq/sh/").id)

    assert "还没有收到过回调" in client.get("/ops/inbox").text
    for path in (f"/ops/inbox/{event_id}", f"/ops/inbox/{event_id}/state"):
        assert client.get(path).status_code == 404
    for path in ("body", "replay"):
        assert client.post(f"/ops/inbox/{event_id}/{path}").status_code == 404
    client.post("/ops/inbox/replay", data={"event_id": event_id})
    assert "没有可以重放的回调" in client.get("/ops/inbox").text
    assert "没有可以重放的回调" in client.get("/ops/inbox/replay").text


# --- one event ------------------------------------------------------------------------------


def test_one_callback_has_its_own_page(client, operator, received):
    event_id = received("subscribe", openid="oAbcdefghijklmnopqrst1234")
    record_failed(claim(event_id), "worker-died")

    page = client.get(f"/ops/inbox/{event_id}").text

    assert "处理它的进程中途退出（worker-died）" in page
    assert "oAbc…1234" in page
    assert "oAbcdefghijklmnopqrst1234" not in page
    assert f'hx-get="/ops/inbox/{event_id}/state"' in page


def test_a_finished_callback_is_not_asked_about_again(client, operator, received):
    event_id = received(state="done")

    part = client.get(f"/ops/inbox/{event_id}/state").text

    assert "hx-get" not in part
    assert "<html" not in part


def test_a_deadline_is_shown_and_what_a_replay_means_then(client, operator, received, session):
    event_id = received(state="too-late")
    with transaction() as writing:
        writing.get_one(InboxEvent, event_id).deadline_at = utc_now()

    page = client.get(f"/ops/inbox/{event_id}").text

    assert "最晚处理" in page
    assert "时限已过" in page


BODY = """<xml><ToUserName>gh_123</ToUserName><FromUserName>oAbcdefghijklmnopqrst1234</FromUserName>
<MsgType>event</MsgType><Event>SCAN</Event><Content>我的手机号 13800000001</Content><Empty></Empty>
<SelectedItems><SelectedItem><OptionIds><OptionId>a</OptionId><OptionId>b</OptionId></OptionIds>
</SelectedItem></SelectedItems></xml>"""


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_looking_at_the_content_is_written_down_and_shows_nobody(
    client, operator, received, session, headers
):
    event_id = received(body=BODY)
    assert "13800000001" not in client.get(f"/ops/inbox/{event_id}").text

    page = client.post(f"/ops/inbox/{event_id}/body", headers=headers).text

    assert "gh_123" in page
    assert "SCAN" in page
    assert "oAbc…1234（25 字符）" in page
    assert "（17 字符）" in page
    assert "138000" not in page
    assert ("<html" in page) is (not headers)
    assert actions(session)[-1] == "inbox.event.read"


def test_a_content_that_is_no_message_is_not_shown(client, operator, received):
    event_id = received(body="what is this")

    assert "无法逐项显示" in client.post(f"/ops/inbox/{event_id}/body").text


@pytest.mark.parametrize("levels", [DEEPEST, 3000])
def test_a_content_that_goes_down_for_ever_is_cut_off_with_a_sentence(
    client, operator, received, levels
):
    body = (
        f"<xml><Event>SCAN</Event>{'<a>' * levels}<b>1</b>{'</a>' * levels}<Count>7</Count></xml>"
    )

    answer = client.post(f"/ops/inbox/{received(body=body)}/body")

    assert answer.status_code == 200
    assert "层级太深，没有展开" in answer.text
    assert [(one.path[:9], one.shown) for one in masked_fields(body)] == [
        ("Event", "SCAN"),
        ("a / a / a", TOO_DEEP),
        ("Count", "7"),
    ]


def test_as_deep_as_the_platforms_go_all_is_shown():
    levels = DEEPEST - 1

    [field] = masked_fields(f"<xml>{'<a>' * levels}<Count>7</Count>{'</a>' * levels}</xml>")

    assert field.shown == "7"


def test_only_words_of_the_protocol_are_shown_in_clear():
    fields = {one.path: one for one in masked_fields(BODY)}

    clear = {path for path, one in fields.items() if not one.is_masked}
    assert clear == {"ToUserName", "MsgType", "Event", "Empty"}
    assert "SelectedItems / SelectedItem / OptionIds / OptionId" in fields
    long = masked_fields(f"<xml><Event>{'e' * 500}</Event></xml>")
    assert [one.shown for one in long] == ["e" * LONGEST_SHOWN]
    many = masked_fields(f"<xml><a>{'<b>1</b>' * 500}</a></xml>")
    assert len(many) == MOST_FIELDS
    assert masked_id("") == ""


CARD, ID_NO = "6222021001123457890", "11010119900307453X"


@pytest.mark.parametrize(
    "name", ["Content", "Recognition", "EventKey", "ScanResult", "State", "Anything", "UserID"]
)
@pytest.mark.parametrize("typed", [CARD, ID_NO])
def test_of_a_number_that_somebody_typed_only_the_length_is_shown(name, typed):
    [field] = masked_fields(f"<xml><{name}>{typed}</{name}></xml>")

    assert (field.shown, field.is_masked) == (f"（{len(typed)} 字符）", True)


@pytest.mark.parametrize("name", ["Content", "EventKey", "WelcomeCode", "ResponseCode", "Anything"])
def test_what_looks_like_an_id_in_another_field_is_not_shown_in_part(name):
    [field] = masked_fields(f"<xml><{name}>oAbcdefghijklmnopqrst1234</{name}></xml>")

    assert field.shown == "（25 字符）"


@pytest.mark.parametrize("name", ["FromUserName", "ExternalUserID", "ChatId"])
def test_an_id_can_be_compared_by_its_ends(name):
    [field] = masked_fields(f"<xml><{name}>oAbcdefghijklmnopqrst1234</{name}></xml>")

    assert field.shown == "oAbc…1234（25 字符）"


def test_who_may_not_replay_may_not_look_inside(client, account, received, monkeypatch):
    reading = frozenset({Permission.INBOX_READ})
    monkeypatch.setitem(ROLE_PERMISSIONS, Role.BANK_OPERATIONS, reading)
    event_id = received(state="done")
    client.sign_in("/ops", user_id=make_operator().id)

    assert 'type="checkbox"' not in client.get("/ops/inbox").text
    assert "不能查看回调的内容" in client.get(f"/ops/inbox/{event_id}").text
    for path in (f"{event_id}/body", f"{event_id}/replay", "replay", "replay-all"):
        answer = client.post(f"/ops/inbox/{path}", data={"last_id": event_id})
        assert answer.status_code == 403
    assert client.get("/ops/inbox/replay").status_code == 403


# --- handling again -------------------------------------------------------------------------


def test_one_callback_is_handled_again(client, operator, received, session, queue):
    event_id = received(state="done")
    queue.clear()

    answer = client.post(f"/ops/inbox/{event_id}/replay")

    assert answer.location == f"/ops/inbox/{event_id}"
    assert "已重新排队" in client.get(answer.location).text
    assert state_of(session, event_id) is InboxState.RECEIVED
    assert queue.names == [Job.HANDLE_INBOX_EVENTS]
    assert actions(session)[-1] == "inbox.event.replayed"


def test_a_callback_in_hand_is_left_alone(client, operator, received, session):
    event_id = received()
    claim(event_id)

    client.post(f"/ops/inbox/{event_id}/replay")

    page = client.get(f"/ops/inbox/{event_id}").text
    assert "不用重放" in page
    assert 'data-opens="replay"' not in page
    assert state_of(session, event_id) is InboxState.PROCESSING


def test_ticked_ones_are_handled_again_and_the_filter_stays(client, operator, received, session):
    ids = [received(state="done") for _ in range(3)]

    answer = client.post("/ops/inbox/replay?state=done", data={"event_id": ids[:2]})

    assert answer.location == "/ops/inbox?state=done"
    states = [state_of(session, one) for one in ids]
    assert states == [InboxState.RECEIVED, InboxState.RECEIVED, InboxState.DONE]
    assert "2 条回调已重新排队" in client.get(answer.location).text


def test_ticks_that_are_no_ids_are_refused(client, operator):
    for ticked in (["one"], ["1"] * 51):
        assert client.post("/ops/inbox/replay", data={"event_id": ticked}).status_code == 422


def test_a_filter_is_counted_before_it_is_handled_again(client, operator, received, session):
    ids = [received("subscribe", state="done") for _ in range(2)]
    other = received("text", state="done")
    query = {"event": "subscribe", "state": "done", "since": "2026-01-01T00:00"}

    asked = client.get("/ops/inbox/replay", query_string=query).text

    assert "将重放 2 条" in asked
    assert "已处理" in asked
    assert f'name="last_id" value="{ids[1]}"' in asked
    assert state_of(session, ids[0]) is InboxState.DONE
    late = received("subscribe", state="done")
    answer = client.post("/ops/inbox/replay-all", data={**query, "last_id": ids[1]})
    assert "event=subscribe" in answer.location
    states = [state_of(session, one) for one in (*ids, other, late)]
    assert states == [*[InboxState.RECEIVED] * 2, *[InboxState.DONE] * 2]


def test_a_filter_that_finds_nothing_offers_nothing(client, operator, received):
    received(state="done")

    page = client.get("/ops/inbox/replay?state=dead").text

    assert "没有可以重放的回调" in page
    assert "last_id" not in page


def test_too_many_at_once_are_refused(client, operator, received, monkeypatch):
    ids = [received(state="done") for _ in range(2)]
    monkeypatch.setattr("channel.workbench.ops.inbox.REPLAY_LIMIT", 1)
    monkeypatch.setattr(service, "REPLAY_LIMIT", 1)

    asked = client.get("/ops/inbox/replay").text
    client.post("/ops/inbox/replay-all", data={"last_id": ids[1]})

    assert "一次放不下" in asked
    assert "请缩小范围" in client.get("/ops/inbox").text


@pytest.mark.parametrize(
    "refusal", [WeChatError, WeChatUnreachable, BreakerOpen, BudgetExhausted, AccountUnknown]
)
def test_every_refusal_of_the_platforms_has_chinese_words(refusal):
    assert not REASONS[refusal.code].isascii()
