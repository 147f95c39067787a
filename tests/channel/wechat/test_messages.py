from datetime import UTC, datetime
from pathlib import Path

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from channel.wechat import messages
from channel.wechat.messages import (
    Article,
    AuthorizationRevoked,
    CodeScanned,
    FollowerLeft,
    FollowerSubscribed,
    ImageMessage,
    LinkMessage,
    LocationMessage,
    LocationReported,
    MassSendFinished,
    MenuClicked,
    MenuCodeScanned,
    MenuLocationSent,
    MenuMiniprogramOpened,
    MenuPicturesSent,
    MenuViewed,
    MiniprogramPageMessage,
    NoticeChoice,
    NoticesChanged,
    NoticesChosen,
    NoticesSent,
    PersonCancelled,
    PersonInfoModified,
    SentNotice,
    SentPicture,
    ServiceEntered,
    TemplateSendFinished,
    TextMessage,
    UnknownEvent,
    VideoMessage,
    VoiceMessage,
    cdata,
    image_reply,
    news_reply,
    read_fields,
    read_message,
    text_reply,
    transfer_reply,
)

SAMPLES = Path(__file__).parent / "samples"
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


def sent(kind: str, inside: str) -> str:
    return body(f"<MsgType><![CDATA[{kind}]]></MsgType>{inside}<MsgId>7</MsgId>")


PLACE = (
    "<Location_X>28.6762</Location_X><Location_Y>115.8</Location_Y><Scale>20</Scale>"
    "<Label>南昌</Label>"
)
PICTURES = "<SendPicsInfo><Count>{}</Count><PicList>{}</PicList></SendPicsInfo>"
PICTURE = "<item><PicMd5Sum>5a75aaca956d97be686719218f275c6b</PicMd5Sum></item>"
MASS = (
    "<MsgID>1000001625</MsgID><Status>{}</Status><TotalCount>100</TotalCount>"
    "<FilterCount>80</FilterCount><SentCount>75</SentCount><ErrorCount>5</ErrorCount>"
)
PERSON = "<OpenID>oOther</OpenID><AppID>wx13974bf780d3dc89</AppID>"
TOLD = [
    (
        body("<MsgType>text</MsgType><Content>你好</Content><MsgId>6054768590064713728</MsgId>"),
        TextMessage(name="text", msgid=6054768590064713728, content="你好", **ABOUT),
    ),
    (
        sent("text", "<Content><![CDATA[ ]]></Content>"),
        TextMessage(name="text", msgid=7, content="", **ABOUT),
    ),
    (
        sent("image", "<PicUrl>https://mmbiz.example/0</PicUrl><MediaId>m1</MediaId>"),
        ImageMessage(name="image", msgid=7, media_id="m1", url="https://mmbiz.example/0", **ABOUT),
    ),
    (
        sent("voice", "<MediaId>m1</MediaId><Format>amr</Format><Recognition>嗯</Recognition>"),
        VoiceMessage(name="voice", msgid=7, media_id="m1", format="amr", recognition="嗯", **ABOUT),
    ),
    (
        sent("video", "<MediaId>m1</MediaId><ThumbMediaId>t1</ThumbMediaId>"),
        VideoMessage(name="video", msgid=7, media_id="m1", thumb_media_id="t1", **ABOUT),
    ),
    (
        sent("shortvideo", "<MediaId>m1</MediaId><ThumbMediaId>t1</ThumbMediaId>"),
        VideoMessage(name="shortvideo", msgid=7, media_id="m1", thumb_media_id="t1", **ABOUT),
    ),
    (
        sent("location", PLACE),
        LocationMessage(
            name="location",
            msgid=7,
            latitude=28.6762,
            longitude=115.8,
            scale=20,
            label="南昌",
            **ABOUT,
        ),
    ),
    (
        sent("link", "<Title>标题</Title><Description/><Url>https://bank.example</Url>"),
        LinkMessage(
            name="link",
            msgid=7,
            title="标题",
            description="",
            url="https://bank.example",
            **ABOUT,
        ),
    ),
    (
        sent(
            "miniprogrampage",
            "<Title>贷款</Title><AppId>wx1</AppId><PagePath>p/1</PagePath>"
            "<ThumbUrl>https://i</ThumbUrl><ThumbMediaId>t1</ThumbMediaId>",
        ),
        MiniprogramPageMessage(
            name="miniprogrampage",
            msgid=7,
            title="贷款",
            appid="wx1",
            page_path="p/1",
            thumb_url="https://i",
            thumb_media_id="t1",
            **ABOUT,
        ),
    ),
    (event("subscribe"), FollowerSubscribed(name="subscribe", scene="", ticket="", **ABOUT)),
    (
        event("subscribe", key("")),
        FollowerSubscribed(name="subscribe", scene="", ticket="", **ABOUT),
    ),
    (
        event("subscribe", key("qrscene_login-1") + "<Ticket>t</Ticket>"),
        FollowerSubscribed(name="subscribe", scene="login-1", ticket="t", **ABOUT),
    ),
    (
        event("subscribe", key("last_trade_no_4003752001201412033233333333")),
        FollowerSubscribed(name="subscribe", scene="", ticket="", **ABOUT),
    ),
    (
        event("SCAN", key("login-1") + "<Ticket>t</Ticket>"),
        CodeScanned(name="SCAN", scene="login-1", ticket="t", **ABOUT),
    ),
    (event("unsubscribe"), FollowerLeft(name="unsubscribe", **ABOUT)),
    (
        event(
            "LOCATION",
            "<Latitude>23.137466</Latitude><Longitude>-113.352425</Longitude>"
            "<Precision>119.385040</Precision>",
        ),
        LocationReported(
            name="LOCATION",
            latitude=23.137466,
            longitude=-113.352425,
            precision=119.38504,
            **ABOUT,
        ),
    ),
    (event("CLICK", key("payslips")), MenuClicked(name="CLICK", key="payslips", **ABOUT)),
    (
        event("VIEW", key("https://bank.example/me") + "<MenuId>433</MenuId>"),
        MenuViewed(name="VIEW", url="https://bank.example/me", menu_id="433", **ABOUT),
    ),
    (
        event("view_miniprogram", key("pages/index/index") + "<MenuId>433</MenuId>"),
        MenuMiniprogramOpened(
            name="view_miniprogram", page_path="pages/index/index", menu_id="433", **ABOUT
        ),
    ),
    *(
        (
            event(
                name,
                key("6") + "<ScanCodeInfo><ScanType>qrcode</ScanType>"
                "<ScanResult>1</ScanResult></ScanCodeInfo>",
            ),
            MenuCodeScanned(name=name, key="6", scan_type="qrcode", scan_result="1", **ABOUT),
        )
        for name in ("scancode_push", "scancode_waitmsg")
    ),
    *(
        (
            event(name, key("6") + PICTURES.format(count, PICTURE * count)),
            MenuPicturesSent(
                name=name,
                key="6",
                count=count,
                pictures=(SentPicture(md5="5a75aaca956d97be686719218f275c6b"),) * count,
                **ABOUT,
            ),
        )
        for name in ("pic_sysphoto", "pic_photo_or_album", "pic_weixin")
        for count in (0, 1, 3)
    ),
    (
        event("location_select", key("6") + f"<SendLocationInfo>{PLACE}</SendLocationInfo>"),
        MenuLocationSent(
            name="location_select",
            key="6",
            latitude=28.6762,
            longitude=115.8,
            scale=20,
            label="南昌",
            poi_name="",
            **ABOUT,
        ),
    ),
    *(
        (
            event("MASSSENDJOBFINISH", MASS.format(status)),
            MassSendFinished(
                name="MASSSENDJOBFINISH",
                msgid=1000001625,
                ok=ok,
                reason=reason,
                total_count=100,
                filter_count=80,
                sent_count=75,
                error_count=5,
                **ABOUT,
            ),
        )
        for status, ok, reason in (
            ("sendsuccess", True, ""),
            ("send success", True, ""),
            ("send fail", False, "send fail"),
            ("err(10001)", False, "err(10001)"),
        )
    ),
    (
        event(
            "subscribe_msg_change_event",
            "<SubscribeMsgChangeEvent><List><TemplateId>T1</TemplateId>"
            "<SubscribeStatusString>reject</SubscribeStatusString></List>"
            "</SubscribeMsgChangeEvent>",
        ),
        NoticesChanged(
            name="subscribe_msg_change_event",
            choices=(NoticeChoice(template_id="T1", is_accepted=False, popup_scene=""),),
            **ABOUT,
        ),
    ),
    (
        event("user_enter_tempsession", "<SessionFrom>page</SessionFrom>"),
        ServiceEntered(name="user_enter_tempsession", session_from="page", **ABOUT),
    ),
    (
        event("user_info_modified", PERSON),
        PersonInfoModified(
            name="user_info_modified",
            appid="wx13974bf780d3dc89",
            **ABOUT | {"openid": "oOther"},
        ),
    ),
    (
        event("user_authorization_revoke", PERSON + "<RevokeInfo>301, 302</RevokeInfo>"),
        AuthorizationRevoked(
            name="user_authorization_revoke",
            appid="wx13974bf780d3dc89",
            revoked=("301", "302"),
            **ABOUT | {"openid": "oOther"},
        ),
    ),
    (
        event("user_authorization_cancellation", PERSON),
        PersonCancelled(
            name="user_authorization_cancellation",
            appid="wx13974bf780d3dc89",
            **ABOUT | {"openid": "oOther"},
        ),
    ),
]


@pytest.mark.parametrize(("received", "expected"), TOLD)
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


def sample(name: str):
    return read_message((SAMPLES / f"{name}.xml").read_text())


def test_the_samples_of_the_reference_are_understood():
    finished = sample("templatesendjobfinish")
    chosen = sample("subscribe_msg_popup_event")
    told = sample("subscribe_msg_sent_event")

    assert isinstance(finished, TemplateSendFinished)
    assert (finished.msgid, finished.ok, finished.person) == (200163836, True, "fromuser")
    assert isinstance(chosen, NoticesChosen)
    assert [(choice.is_accepted, choice.popup_scene) for choice in chosen.choices] == [
        (True, "2"),
        (False, "2"),
    ]
    assert isinstance(told, NoticesSent)
    assert told.notices == (
        SentNotice(
            template_id="VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3_3gz3Oc0NIc",
            msgid=1700827132819554304,
            errcode=0,
            status="success",
        ),
    )


def test_every_kind_is_read_by_a_test_above_and_none_is_urgent():
    kinds = {*messages._EVENTS.values(), *messages._MESSAGES.values()}
    seen = [read_message(received) for received, _ in TOLD]
    seen += [sample(path.stem) for path in SAMPLES.iterdir()]

    assert {type(message) for message in seen} == kinds
    assert {message.urgent_seconds for message in seen} == {None}


def removed(whole: str, name: str) -> str:
    start, end = whole.index(f"<{name}>"), whole.index(f"</{name}>") + len(f"</{name}>")
    return whole[:start] + whole[end:]


@pytest.mark.parametrize(
    ("received", "name"),
    [
        (received, name)
        for received, _ in TOLD
        for name in ("FromUserName", "ToUserName", "CreateTime", "MsgType")
        if name != "FromUserName" or "<OpenID>" not in received
    ],
)
def test_a_message_without_its_head_is_unknown(received, name):
    told = read_message(removed(received, name))

    assert isinstance(told, UnknownEvent)


@pytest.mark.parametrize(
    ("received", "name"),
    [
        (TOLD[0][0], "MsgId"),
        (TOLD[0][0], "Content"),
        (TOLD[2][0], "MediaId"),
        (sent("location", PLACE), "Location_X"),
        (event("location_select", key("6") + f"<SendLocationInfo>{PLACE}</SendLocationInfo>"), "X"),
        (event("MASSSENDJOBFINISH", MASS.format("sendsuccess")), "Status"),
        (event("MASSSENDJOBFINISH", MASS.format("sendsuccess")), "SentCount"),
        (event("user_info_modified", PERSON), "OpenID"),
    ],
)
def test_a_message_without_what_it_is_about_is_unknown(received, name):
    name = "SendLocationInfo" if name == "X" else name

    told = read_message(removed(received, name))

    assert isinstance(told, UnknownEvent)
    assert told.openid == "oPerson"
    assert name not in told.fields


@pytest.mark.parametrize(
    "inside",
    [
        "<SubscribeMsgPopupEvent/>",
        "<SubscribeMsgPopupEvent>no list</SubscribeMsgPopupEvent>",
        "<SubscribeMsgPopupEvent><List>T1</List></SubscribeMsgPopupEvent>",
        (
            "<SubscribeMsgPopupEvent><List><TemplateId>T1</TemplateId>"
            "<SubscribeStatusString>perhaps</SubscribeStatusString></List></SubscribeMsgPopupEvent>"
        ),
    ],
)
def test_a_list_of_another_shape_is_unknown(inside):
    assert isinstance(read_message(event("subscribe_msg_popup_event", inside)), UnknownEvent)


@pytest.mark.parametrize(
    "msgid", ["", "x", "1_0", "１", "9223372036854775808", "9" * 5000, "1.0", "<a>1</a>"]
)
def test_a_message_id_that_is_no_number_for_a_database_is_unknown(msgid):
    received = body(f"<MsgType>text</MsgType><Content>x</Content><MsgId>{msgid}</MsgId>")

    assert isinstance(read_message(received), UnknownEvent)


@pytest.mark.parametrize("number", ["nan", "inf", "1e999", "", "一"])
def test_a_place_that_is_no_place_is_unknown(number):
    received = sent("location", PLACE.replace("115.8", number))

    assert isinstance(read_message(received), UnknownEvent)


def test_a_person_may_write_about_doctypes():
    received = sent("text", "<Content><![CDATA[<!DOCTYPE html> & <!ENTITY x>]]></Content>")

    assert read_message(received).content == "<!DOCTYPE html> & <!ENTITY x>"


def test_a_declaration_before_the_body_is_allowed_and_a_document_type_after_it_is_not():
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

    assert isinstance(read_message(declaration + event("unsubscribe")), FollowerLeft)
    assert read_message(declaration + "<!DOCTYPE xml>" + event("unsubscribe")) is None
    assert read_message("<!-- x --><!DOCTYPE xml>" + event("unsubscribe")) is None


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
        "<xml>&#0;</xml>",
        "<xml><MsgType>&undefined;</MsgType></xml>",
        "<xml><MsgType>text</MsgType></xml><xml/>",
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


AS_IT_ARRIVES = (
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=200)
    .map(lambda written: messages._NO_XML.sub("", written).replace("\r", "\n").strip())
    .filter(bool)
)


@given(AS_IT_ARRIVES | st.sampled_from(["]]>", "a]]>b]]]]>", "😀👨‍👩‍👧", "<b>&amp;", "]]"]))
def test_whatever_a_person_writes_arrives_as_it_was_written(written):
    told = read_message(sent("text", f"<Content><![CDATA[{cdata(written)}]]></Content>"))

    assert told == TextMessage(name="text", msgid=7, content=written, **ABOUT)


@given(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.integers(0, 253402300799),
    st.lists(AS_IT_ARRIVES, min_size=1, max_size=4),
)
def test_numbers_instants_and_lists_arrive_as_they_were_sent(msgid, seconds, templates):
    notices = "".join(
        f"<List><TemplateId><![CDATA[{cdata(template)}]]></TemplateId><MsgID>{msgid}</MsgID>"
        "<ErrorCode>0</ErrorCode></List>"
        for template in templates
    )
    received = event(
        "subscribe_msg_sent_event", f"<SubscribeMsgSentEvent>{notices}</SubscribeMsgSentEvent>"
    )

    told = read_message(received.replace("1395658920", str(seconds)))

    assert told.sent_at.timestamp() == seconds
    assert [(notice.template_id, notice.msgid) for notice in told.notices] == [
        (template, msgid) for template in templates
    ]


@given(st.text(st.characters(), max_size=60))
def test_a_reply_can_be_read_whatever_is_in_it(written):
    """Half a surrogate pair too, which no XML can hold."""
    to = read_message(event("subscribe"))

    reply = read_fields(text_reply(to, written, AT))

    readable = messages._NO_XML.sub("", written).replace("\r\n", "\n").replace("\r", "\n")
    assert (reply["Content"] or "") == readable.strip()
    assert reply["MsgType"] == "text"


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


def test_a_picture_is_answered_with_a_picture():
    reply = read_fields(image_reply(read_message(event("CLICK", key("x"))), "m]]>1", AT))

    assert (reply["MsgType"], reply["Image"]["MediaId"]) == ("image", "m]]>1")


def test_news_and_the_transfer_to_a_person_are_well_formed():
    to = read_message(event("subscribe"))
    news = xmltodict.parse(news_reply(to, [Article("标题", "说明", "https://i", "https://u")], AT))

    assert news["xml"]["ArticleCount"] == "1"
    assert news["xml"]["Articles"]["item"]["Url"] == "https://u"
    assert read_fields(transfer_reply(to, AT))["MsgType"] == "transfer_customer_service"
