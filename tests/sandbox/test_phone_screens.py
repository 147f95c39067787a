"""What the phone can make happen: every message and event of an official account."""

import pytest
import requests
import xmltodict
from playwright.sync_api import expect

from sandbox.screens.forms import PHONE
from sandbox.wechat import deeds

NAMES = {"follow", "unfollow", "write"}  # second names of events that have a form
UNTOLD = {"mute", "unmute", "block", "unblock"}


@pytest.fixture
def heard(client, receiver):
    """What the account was told: the fields of each callback that an event sent."""
    client.keep_account(name=client.name, callback_url=receiver.url)
    openid = client.fan(names=["王小明"])

    def cause(event, **more):
        return [fields_of(one) for one in client.happen(openid, event, **more)]

    cause.openid = openid
    return cause


def fields_of(callback):
    assert callback["outcome"] == "acknowledged"
    return xmltodict.parse(callback["xml"])["xml"]


def test_every_event_has_a_form_on_the_phone():
    assert set(deeds.EVENTS) - NAMES == {
        form.event if form.event == "LOCATION" else form.event.lower() for form in PHONE
    }


def test_every_form_can_be_sent_as_it_is_offered(client, heard):
    template_id = client.account["templates"]["payslip"]
    for form in PHONE:
        given = {one.name: one.default for one in form.fields if one.kind != "json"}
        given = {
            name: template_id if value == "$template_id" else value for name, value in given.items()
        }
        if form.event in {"raw", "image"}:
            continue
        if form.event != "subscribe":
            heard("subscribe")
        told = heard(form.event, **given)
        assert bool(told) is (form.event not in UNTOLD), form.title


@pytest.mark.parametrize(
    ("event", "given", "fields"),
    [
        (
            "image",
            {"url": "http://a/b.png", "media_id": "m1"},
            {"PicUrl": "http://a/b.png", "MediaId": "m1"},
        ),
        (
            "voice",
            {"media_id": "m2", "content": "查工资"},
            {"Format": "amr", "Recognition": "查工资"},
        ),
        ("video", {"media_id": "m3"}, {"MediaId": "m3", "ThumbMediaId": "THUMB_MEDIA_ID"}),
        ("shortvideo", {}, {"MediaId": "MEDIA_ID"}),
        (
            "location",
            {"content": "外滩", "latitude": 31.2},
            {"Label": "外滩", "Location_X": "31.2"},
        ),
        (
            "link",
            {"name": "题", "content": "述", "url": "http://a"},
            {"Title": "题", "Url": "http://a"},
        ),
    ],
)
def test_a_message_of_each_kind_carries_its_fields_and_stands_in_the_chat(
    client, heard, event, given, fields
):
    (told,) = heard(event, **given)
    assert told["MsgType"] == event
    assert told["MsgId"].isdigit()
    assert fields.items() <= told.items()
    body = {"touser": heard.openid, "msgtype": "text", "text": {"content": "收到"}}
    assert (
        client.post("/cgi-bin/message/custom/send", body)["errcode"] == 0
    )  # writing opens the window


@pytest.mark.parametrize(
    ("event", "given", "fields"),
    [
        (
            "LOCATION",
            {"latitude": 31.5},
            {"Event": "LOCATION", "Latitude": "31.5", "Precision": "65.0"},
        ),
        ("view_miniprogram", {"key": "pages/a"}, {"EventKey": "pages/a", "MenuId": "1"}),
        (
            "scancode_waitmsg",
            {"key": "K", "content": "http://a"},
            {"EventKey": "K", "ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "http://a"}},
        ),
        (
            "TEMPLATESENDJOBFINISH",
            {"msgid": 7, "status": "failed: user block"},
            {"MsgID": "7", "Status": "failed: user block"},
        ),
        (
            "MASSSENDJOBFINISH",
            {"msgid": 8, "count": 3},
            {"MsgID": "8", "SentCount": "3", "ErrorCount": "0"},
        ),
        (
            "MASSSENDJOBFINISH",
            {"count": 3, "status": "send fail"},
            {"SentCount": "0", "ErrorCount": "3"},
        ),
        (
            "subscribe_msg_popup_event",
            {"template_id": "t", "accept": False},
            {
                "SubscribeMsgPopupEvent": {
                    "List": {
                        "TemplateId": "t",
                        "SubscribeStatusString": "reject",
                        "PopupScene": "2",
                    }
                }
            },
        ),
        (
            "subscribe_msg_change_event",
            {"template_id": "t"},
            {
                "SubscribeMsgChangeEvent": {
                    "List": {"TemplateId": "t", "SubscribeStatusString": "reject"}
                }
            },
        ),
        (
            "subscribe_msg_sent_event",
            {"template_id": "t", "msgid": 9, "status": "user refuse"},
            {
                "SubscribeMsgSentEvent": {
                    "List": {
                        "TemplateId": "t",
                        "MsgID": "9",
                        "ErrorCode": "1",
                        "ErrorStatus": "user refuse",
                    }
                }
            },
        ),
    ],
)
def test_an_event_has_the_fields_of_the_manual(heard, event, given, fields):
    (told,) = heard(event, **given)
    assert told["MsgType"] == "event"
    assert fields.items() <= told.items()


def test_pictures_and_places_from_the_menu_arrive_as_messages_too(heard):
    event, message = heard("pic_weixin", key="K", media_id="m")
    assert (event["Event"], event["SendPicsInfo"]["Count"]) == ("pic_weixin", "1")
    assert (message["MsgType"], message["MediaId"]) == ("image", "m")
    event, message = heard("location_select", key="K", content="外滩")
    assert event["SendLocationInfo"]["Label"] == message["Label"] == "外滩"


def test_any_field_can_be_set_left_out_or_invented(heard):
    (told,) = heard("text", content="你好", fields={"MsgId": None, "Future": "x"})
    assert "MsgId" not in told
    assert told["Future"] == "x"
    (told,) = heard("raw", fields={"MsgType": "event", "Event": "tomorrow"})
    assert told == {"MsgType": "event", "Event": "tomorrow"}


def test_what_a_wish_lacks_is_named(client, heard):
    body = {"account": client.name, "openid": heard.openid}
    assert "needs template_id" in client.refused(
        "POST", "/wechat/events", body | {"event": "subscribe_msg_change_event"}
    )
    assert "needs key" in client.refused(
        "POST", "/wechat/events", body | {"event": "scancode_push"}
    )
    assert "one of subscribe" in client.refused("POST", "/wechat/events", body | {"event": "dance"})
    assert "has no template" in client.refused(
        "POST", "/wechat/events", body | {"event": "mute", "template_id": "t"}
    )


@pytest.mark.parametrize(
    ("answer", "kind", "shown"),
    [
        ("<MsgType>text</MsgType><Content>收到</Content>", "text", {"text": "收到"}),
        (
            "<MsgType>image</MsgType><Image><MediaId>m1</MediaId></Image>",
            "image",
            {"media_id": "m1"},
        ),
        (
            "<MsgType>video</MsgType><Video><MediaId>m</MediaId><Title>题</Title></Video>",
            "video",
            {"title": "题"},
        ),
        (
            "<MsgType>music</MsgType><Music><MusicUrl>http://a</MusicUrl></Music>",
            "music",
            {"url": "http://a"},
        ),
        (
            "<MsgType>news</MsgType><ArticleCount>1</ArticleCount><Articles><item><Title>题</Title></item></Articles>",
            "news",
            {},
        ),
        ("<MsgType>transfer_customer_service</MsgType>", "notice", {"text": "已转接人工客服"}),
    ],
)
def test_a_passive_reply_of_each_kind_is_seen(client, heard, receiver, answer, kind, shown):
    client.keep_account(name=client.name, mode="plain")
    receiver.answer = lambda _: (200, f"<xml>{answer}</xml>")
    heard("click", key="K")
    person = requests.get(f"{client.address}/phone/people", timeout=5).json()["people"][0]["id"]
    chat = requests.get(f"{client.address}/phone/{person}/chats/{client.name}", timeout=5).json()
    reply = chat["messages"][-1]
    assert reply["kind"] == kind
    assert shown.items() <= reply.items()


def test_the_panel_tells_what_is_wrong_and_what_became_of_it(client, heard, receiver):
    person = requests.get(f"{client.address}/phone/people", timeout=5).json()["people"][0]["id"]
    url = f"{client.address}/phone/{person}/chats/{client.name}"

    def send(wish):
        return requests.post(url, json={"act": "event", "wish": wish}, timeout=5)

    assert "copies" in send({"event": "image", "copies": 0}).json()["error"]
    assert "做不到" in send({"event": "scancode_push"}).json()["error"]
    receiver.answer = lambda _: (500, "")
    client.switch(callback_retry_seconds=0.01)
    assert client.happen(heard.openid, "image")[0]["outcome"].startswith("failed")
    (outcome,) = requests.get(f"{url}/outcomes", timeout=5).json()["callbacks"]
    assert (outcome["title"], outcome["state"]) == ("图片", "bad")
    assert "3 次都没有成功：HTTP 500" in outcome["outcome"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1280])
def test_more_events_are_caused_from_the_phone_and_their_outcome_is_seen(
    client, heard, browser, width
):
    button = {"type": "scancode_push", "name": "扫工资码", "key": "SCAN"}
    client.post("/cgi-bin/menu/create", {"button": [button]})
    person = requests.get(f"{client.address}/phone/people", timeout=5).json()["people"][0]["id"]
    page = browser.new_page(viewport={"width": width, "height": 812})
    page.goto(f"{client.address}/?person={person}&chat={client.name}")
    page.get_by_role("button", name="更多").click()
    page.get_by_role("button", name="更多事件").click()
    page.get_by_label("事件", exact=True).select_option(label="位置")
    page.get_by_role("button", name="让它发生").click()
    expect(page.locator(".outcomes")).to_contain_text("已确认")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("button", name="返回").click()
    expect(page.locator(".said-mine .bubble")).to_have_text("[位置] 上海市黄浦区外滩")
    page.get_by_role("button", name="扫工资码").click()
    expect(page.get_by_label("按钮的 key")).to_have_value("SCAN")
    page.get_by_role("button", name="让它发生").click()
    expect(page.locator(".outcomes li").first).to_contain_text("扫码推事件")
