from datetime import UTC, datetime

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from channel.wechat.messages import (
    Article,
    CodeScanned,
    FollowerLeft,
    FollowerSubscribed,
    MenuClicked,
    MenuViewed,
    RawMessage,
    TemplateSendFinished,
    TextMessage,
    UnknownEvent,
    news_reply,
    read_fields,
    read_message,
    text_reply,
    transfer_reply,
)

AT = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
ABOUT = {"openid": "oPerson", "to": "gh_us", "sent_at": datetime.fromtimestamp(1395658920, UTC)}


def body(inside: str) -> str:
    return (
        "<xml><ToUserName><![CDATA[gh_us]]></ToUserName>"
        "<FromUserName><![CDATA[oPerson]]></FromUserName>"
        f"<CreateTime>1395658920</CreateTime>{inside}</xml>"
    )


def event(name: str, inside: str = "") -> str:
    return body(f"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>{inside}")


def key(value: str) -> str:
    return f"<EventKey><![CDATA[{value}]]></EventKey>"


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (
            body(
                "<MsgType>text</MsgType><Content>你好</Content><MsgId>6054768590064713728</MsgId>"
            ),
            TextMessage(name="text", msgid=6054768590064713728, content="你好", **ABOUT),
        ),
        (event("subscribe"), FollowerSubscribed(name="subscribe", scene="", **ABOUT)),
        (event("subscribe", key("")), FollowerSubscribed(name="subscribe", scene="", **ABOUT)),
        (
            event("subscribe", key("qrscene_login-1") + "<Ticket>t</Ticket>"),
            FollowerSubscribed(name="subscribe", scene="login-1", **ABOUT),
        ),
        (event("SCAN", key("login-1")), CodeScanned(name="SCAN", scene="login-1", **ABOUT)),
        (event("unsubscribe"), FollowerLeft(name="unsubscribe", **ABOUT)),
        (event("CLICK", key("payslips")), MenuClicked(name="CLICK", key="payslips", **ABOUT)),
        (
            event("VIEW", key("https://bank.example/me")),
            MenuViewed(name="VIEW", url="https://bank.example/me", **ABOUT),
        ),
    ],
)
def test_each_message_becomes_its_own_small_value(received, expected):
    assert read_message(received) == expected


@pytest.mark.parametrize(
    ("status", "ok", "reason"),
    [
        ("success", True, ""),
        ("failed:user block", False, "user block"),
        ("failed: user block", False, "user block"),
        ("failed: system failed", False, "system failed"),
        ("failed:system failed", False, "system failed"),
        ("odd", False, "odd"),
    ],
)
def test_the_result_of_a_template_message_is_read_in_both_spellings(status, ok, reason):
    inside = f"<MsgID>200163836</MsgID><Status><![CDATA[{status}]]></Status>"

    finished = read_message(event("TEMPLATESENDJOBFINISH", inside))

    assert finished == TemplateSendFinished(
        name="TEMPLATESENDJOBFINISH", msgid=200163836, ok=ok, reason=reason, **ABOUT
    )


def test_a_picture_is_kept_as_it_came():
    received = read_message(body("<MsgType>image</MsgType><MediaId>m1</MediaId><MsgId>7</MsgId>"))

    assert isinstance(received, RawMessage)
    assert (received.name, received.msgid, received.fields["MediaId"]) == ("image", 7, "m1")


@pytest.mark.parametrize(
    ("received", "name"),
    [
        (event("PUBLISHJOBFINISH"), "PUBLISHJOBFINISH"),
        (event("invented_yesterday"), "invented_yesterday"),
        (event("TEMPLATESENDJOBFINISH"), "TEMPLATESENDJOBFINISH"),
        (event("TEMPLATESENDJOBFINISH", "<MsgID>x</MsgID>"), "TEMPLATESENDJOBFINISH"),
        (event("SCAN", "<EventKey><a/></EventKey>"), "SCAN"),
        (body("<InfoType>suite_ticket</InfoType>"), "suite_ticket"),
        (body("<MsgType/>"), ""),
        (body("<MsgType>text</MsgType><MsgType>text</MsgType>"), ""),
        (body("<MsgType>event</MsgType>"), ""),
        (body("<MsgType>text</MsgType><MsgId>soon</MsgId>"), "text"),
        ("<xml><MsgType>text</MsgType></xml>", "text"),
        ("<xml><CreateTime>99999999999999999999</CreateTime></xml>", ""),
        ("<xml><FromUserName><a/></FromUserName></xml>", ""),
    ],
)
def test_what_cannot_be_understood_is_an_unknown_event_and_no_error(received, name):
    message = read_message(received)

    assert isinstance(message, UnknownEvent)
    assert message.name == name or message.name == "event"


@pytest.mark.parametrize(
    "received",
    [
        "",
        "   ",
        "<a/>",
        "<xml/>",
        "<xml>text</xml>",
        "success",
        "{}",
        "\0",
        "<xml>\ud800</xml>",
        "<xml><MsgType>text",
        '<!DOCTYPE xml [<!ENTITY a "b">]><xml><MsgType>&a;</MsgType></xml>',
        body(f"<MsgType>text</MsgType><Content>{'字' * 22_000}</Content>"),
        body(f"<MsgType>text</MsgType><Content>{'x' * 65_536}</Content>"),
    ],
)
def test_what_is_no_message_at_all_is_none_and_no_error(received):
    assert read_message(received) is None
    assert read_fields(received) is None


@given(st.text(max_size=200))
def test_no_text_whatsoever_raises(text):
    for received in (text, f"<xml>{text}</xml>", event(text), event("SCAN", text)):
        read_message(received)


def test_what_people_write_does_not_appear_when_a_message_is_printed():
    received = read_message(body("<MsgType>text</MsgType><Content>my secret</Content>"))

    assert "my secret" not in repr(received)


def test_a_text_reply_goes_back_to_the_person_at_our_time():
    reply = read_fields(text_reply(read_message(event("subscribe")), "您好 <b>&", AT))

    assert reply == {
        "MsgType": "text",
        "FromUserName": "gh_us",
        "ToUserName": "oPerson",
        "CreateTime": str(int(AT.timestamp())),
        "Content": "您好 <b>&",
    }


def test_a_reply_cannot_break_out_of_its_field():
    hostile = "]]></Content><MsgType>image</MsgType><Content><![CDATA[\x08"

    reply = read_fields(text_reply(read_message(event("subscribe")), hostile, AT))

    assert reply["MsgType"] == "text"
    assert reply["Content"] == hostile.removesuffix("\x08")


def test_news_and_the_transfer_to_a_person_are_well_formed():
    to = read_message(event("subscribe"))
    news = xmltodict.parse(news_reply(to, [Article("标题", "说明", "https://i", "https://u")], AT))

    assert news["xml"]["ArticleCount"] == "1"
    assert news["xml"]["Articles"]["item"]["Url"] == "https://u"
    assert read_fields(transfer_reply(to, AT))["MsgType"] == "transfer_customer_service"
