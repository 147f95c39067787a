"""The WeCom desktop: what a member sees, pages beside a chat, and the JS-SDK that they call."""

import json
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import expect

from sandbox.screens.forms import DESKTOP
from sandbox.wechat.jssdk import signature_of
from sandbox.wecom import control

BUTTONS = {
    "card_type": "button_interaction",
    "task_id": "pay-1",
    "main_title": {"title": "付款审批"},
    "button_selection": {
        "question_key": "why",
        "option_list": [{"id": "a", "text": "工资"}, {"id": "b", "text": "货款"}],
    },
    "button_list": [{"text": "同意", "key": "yes"}, {"text": "驳回", "key": "no"}],
}
ALL = [
    "getContext",
    "getCurExternalContact",
    "getCurExternalChat",
    "sendChatMessage",
    "shareToExternalContact",
    "selectExternalContact",
]


class Desk:
    """The JSON behind the desktop of one member, and a server that takes the callbacks."""

    def __init__(self, corp, receiver):
        corp.keep(callback_url=receiver.url, title="客户经理工作台")
        corp.members("wang", "li", names=["王芳", "李强"])
        self.corp, self.receiver = corp, receiver
        (self.customer,) = corp.contacts("wang", names=["赵敏"])
        self.base = f"{corp.address}/desktop/{corp.corpid}"
        self.mine = f"{self.base}/members/wang"

    def get(self, path, status=200, **query):
        response = requests.get(path, params=query, timeout=5)
        assert response.status_code == status
        return response.json() if status == 200 else None

    def post(self, path, body, status=200):
        response = requests.post(path, json=body, timeout=5)
        assert response.status_code == status, response.text
        return response.json()

    def chat(self):
        return self.get(f"{self.mine}/contacts/{self.customer}")

    def cause(self, event, status=200, **more):
        body = {"account": self.corp.name, "userid": "wang", "event": event, **more}
        return self.post(f"{self.base}/events", body, status)

    def call(self, name, params=None, **stands):
        where = {
            "entry": "single_chat_tools",
            "external_userid": self.customer,
            "agentid": str(self.corp.agentid),
            "agent_apis": ALL,
            "corp_apis": ["openUserProfile"],
        }
        body = {"name": name, "params": params or {}, "stands": where | stands}
        return self.post(f"{self.mine}/call", body)

    def sign(self, kind, url):
        path = "/cgi-bin/get_jsapi_ticket" if kind == "corp" else "/cgi-bin/ticket/get"
        ticket = self.corp.get(path, type="agent_config")["ticket"]
        signature = signature_of(ticket, "n", "1700000000", url)
        return {"timestamp": "1700000000", "nonceStr": "n", "signature": signature}

    def configure(self, kind, url, **changed):
        ids = {"corpid": self.corp.corpid, "agentid": str(self.corp.agentid)}
        params = ids | self.sign(kind, url) | changed
        body = {"name": "agentConfig", "params": params, "url": url}
        return self.post(f"{self.mine}/call", body)["errMsg"]


@pytest.fixture
def desk(corp, receiver):
    return Desk(corp, receiver)


def test_every_event_has_a_form_on_the_desktop():
    assert set(control.EVENTS) - {"write"} == {form.event for form in DESKTOP}


def test_a_member_sees_apps_customers_and_what_came_last(desk):
    desk.corp.send("wang")
    desk.cause("write_in_chat", external_userid=desk.customer, content="在吗", from_contact=True)
    seen = desk.get(desk.mine)
    assert [(one["title"], one["unread"], one["last"]) for one in seen["apps"]] == [
        ("客户经理工作台", 1, "您有一条待办")
    ]
    assert [(one["name"], one["last"]) for one in seen["contacts"]] == [("赵敏", "在吗")]
    assert len(desk.get(f"{desk.mine}/apps/{desk.corp.name}")["messages"]) == 1
    assert desk.get(desk.mine)["apps"][0]["unread"] == 0
    assert desk.get(desk.mine, q="没有")["contacts"] == []


def test_both_sides_write_until_they_part(desk):
    chat = f"{desk.mine}/contacts/{desk.customer}"
    desk.post(chat, {"text": "利率多少", "from_contact": True})
    desk.post(chat, {"text": "1.55%"})
    said = [(one["mine"], one["text"]) for one in desk.chat()["messages"]]
    assert said == [(False, "利率多少"), (True, "1.55%")]
    desk.cause("del_follow_user", external_userid=desk.customer)
    assert desk.chat()["relation"]["lost"] is True
    assert "不是好友" in desk.post(chat, {"text": "还在吗"}, 400)["error"]
    desk.cause("add_external_contact", external_userid=desk.customer, state="branch-7")
    assert desk.chat()["relation"]["state"] == "branch-7"
    desk.cause("edit_external_contact", external_userid=desk.customer, remark="赵总")
    assert desk.chat()["relation"]["remark"] == "赵总"
    desk.cause("del_external_contact", external_userid=desk.customer)
    assert desk.chat()["relation"] is None


def test_a_group_message_waits_for_the_member_s_word(desk):
    text = {"content": "存款季"}
    body = {"chat_type": "single", "external_userid": [desk.customer], "text": text}
    msgid = desk.corp.post("/cgi-bin/externalcontact/add_msg_template", body)["msgid"]
    desk.corp.advance(3600)
    (task,) = desk.get(desk.mine)["tasks"]
    assert (task["msgid"], task["text"], task["to"]) == (msgid, "存款季", ["赵敏"])
    assert desk.chat()["messages"] == []
    desk.cause("confirm_group_message", msgid=msgid)
    assert [(one["text"], one["via"]) for one in desk.chat()["messages"]] == [("存款季", "group")]
    assert desk.get(desk.mine)["tasks"] == []


def test_what_became_of_an_event_is_shown(desk):
    desk.corp.switch(callback_retry_seconds=0.01)
    desk.receiver.answer = lambda _: (200, "") if len(desk.receiver.received) > 1 else (500, "")
    desk.corp.happen("add_external_contact", userid="wang")
    (outcome,) = desk.get(f"{desk.base}/outcomes")["callbacks"]
    assert (outcome["title"], outcome["state"]) == ("客户添加成员", "good")
    assert outcome["outcome"] == "第 2 次才收到确认"
    desk.corp.switch(mark_fail=True)
    desk.receiver.answer = lambda _: (500, "")
    desk.corp.happen("click", userid="wang", key="K")
    desk.corp.happen("click", userid="wang", key="K")
    lost, failed, _ = desk.get(f"{desk.base}/outcomes")["callbacks"]
    assert failed["outcome"] == "3 次都没有成功：HTTP 500"
    assert lost["outcome"].startswith("丢失")


def test_an_event_that_cannot_be_is_refused_with_a_sentence(desk):
    assert "做不到" in desk.cause("del_follow_user", 400, external_userid="nobody")["error"]
    assert "latitude" in desk.cause("LOCATION", 400, latitude="north")["error"]


def test_the_addresses_of_an_app_can_be_set_and_must_be_of_the_web(desk):
    origin = desk.receiver.url.removesuffix("/callback")
    every = desk.get(f"{desk.corp.address}/desktop/corps")["corps"]
    (app,) = next(one["apps"] for one in every if one["corpid"] == desk.corp.corpid)
    assert app["sidebar"] == f"{origin}/sidebar/"
    body = {"account": desk.corp.name, "sidebar": "http://a/b", "home": ""}
    assert desk.post(f"{desk.base}/addresses", body)["sidebar"] == "http://a/b"
    assert "http" in desk.post(f"{desk.base}/addresses", body | {"home": "ftp://a"}, 400)["error"]
    query = {"account": desk.corp.name, "url": "javascript:alert(1)"}
    assert requests.get(f"{desk.mine}/open", params=query, timeout=5).status_code == 400


def test_nobody_s_desktop(desk):
    desk.get(f"{desk.base}/members/nobody", 404)
    desk.get(f"{desk.corp.address}/desktop/wwnothing/members", 404)
    desk.get(f"{desk.mine}/contacts/nobody", 404)
    desk.get(f"{desk.mine}/apps/nothing", 404)
    desk.get(f"{desk.base}/media/nothing", 404)


# The JS-SDK


def test_tickets_of_corp_and_app_are_strangers_and_the_address_is_exact(desk):
    url = "http://127.0.0.1:8000/sidebar/?a=1"
    assert desk.configure("agent", url) == "agentConfig:ok"
    assert desk.configure("corp", url) == "agentConfig:fail invalid signature"
    assert desk.configure("agent", url, agentid="99") == "agentConfig:fail invalid agentid"
    assert desk.configure("agent", url, corpid="wwother") == "agentConfig:fail invalid corpid"
    signed = desk.sign("agent", f"{url}&b=2")
    assert desk.configure("agent", url, **signed) == "agentConfig:fail invalid signature"


def test_a_page_learns_where_it_stands_only_with_the_app_s_identity(desk):
    assert desk.call("getContext")["entry"] == "single_chat_tools"
    assert desk.call("getCurExternalContact")["userId"] == desk.customer
    without = "fail without context of external contact"
    for stands in ({"entry": "normal"}, {"external_userid": "nobody"}):
        result = desk.call("getCurExternalContact", **stands)["errMsg"]
        assert result == f"getCurExternalContact:{without}"
    assert desk.call("getCurExternalChat")["errMsg"] == f"getCurExternalChat:{without}"
    assert desk.call("getContext", agentid="")["errMsg"] == "getContext:fail no permission"
    assert desk.call("getContext", agent_apis=[])["errMsg"] == "getContext:fail no permission"
    assert desk.call("openUserProfile")["errMsg"] == "openUserProfile:ok"
    assert desk.call("previewImage")["errMsg"] == "previewImage:fail no permission"
    assert desk.call("dance")["errMsg"] == "dance:fail function not exist"
    desk.corp.switch(visible_userids=["li"])
    assert desk.call("getContext")["errMsg"] == "getContext:fail no permission"


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ({"msgtype": "text", "text": {"content": "您好"}}, "ok"),
        ({"msgtype": "text", "text": {"content": " "}}, "fail invalid parameter"),
        ({"msgtype": "text"}, "fail invalid parameter"),
        ({"msgtype": "news", "news": {"link": "https://a/s/1", "title": "存单"}}, "ok"),
        ({"msgtype": "news", "news": {"link": "a"}}, "fail invalid parameter"),
        ({"msgtype": "news", "news": {"link": "http://a", "imgUrl": "b"}}, "fail invalid imgUrl"),
        ({"msgtype": "image", "image": {"mediaid": "of-the-account"}}, "fail invalid mediaid"),
        ({"msgtype": "dance", "dance": {}}, "fail unsupported msgtype"),
        (
            {
                "msgtype": "miniprogram",
                "miniprogram": {
                    "appid": "wx1",
                    "title": "理财",
                    "imgUrl": "http://a/b.png",
                    "page": "pages/index.html?x=1",
                },
            },
            "ok",
        ),
        (
            {"msgtype": "miniprogram", "miniprogram": {"page": "pages/index"}},
            "fail invalid parameter",
        ),
        ({"msgtype": "miniprogram", "miniprogram": {"page": "a.html"}}, "fail invalid imgUrl"),
    ],
)
def test_what_a_page_sends_goes_into_the_chat_or_nowhere(desk, message, result):
    assert desk.call("sendChatMessage", message)["errMsg"] == f"sendChatMessage:{result}"
    assert [one["via"] for one in desk.chat()["messages"]] == ["sidebar"] * (result == "ok")


def test_a_page_beside_a_group_chat_sends_into_it(desk):
    body = {"change_type": "create", "name": "理财群", "members": [desk.customer]}
    desk.cause("change_external_chat", chat_id="wr1", **body)
    stands = {"entry": "group_chat_tools", "chat_id": "wr1"}
    assert desk.call("getCurExternalChat", **stands)["chatId"] == "wr1"
    text = {"msgtype": "text", "text": {"content": "大家好"}}
    assert desk.call("sendChatMessage", text, **stands)["errMsg"] == "sendChatMessage:ok"
    (said,) = desk.get(f"{desk.mine}/chats/wr1")["messages"]
    assert (said["text"], said["mine"], said["speaker"]) == ("大家好", True, "王芳")


def test_sharing_sends_nothing_before_the_member_says_so(desk):
    link = {"msgtype": "link", "link": {"url": "http://a", "title": "存单"}}
    params = {
        "externalUserIds": [desk.customer, "nobody"],
        "text": {"content": "您好"},
        "attachments": [link],
    }
    effect = desk.call("shareToExternalContact", params)["effect"]
    assert effect["params"]["to"] == [desk.customer]
    assert desk.chat()["messages"] == []
    assert desk.post(f"{desk.mine}/share", {"params": params, "to": [desk.customer]}) == {"sent": 1}
    assert [(one["kind"], one["via"]) for one in desk.chat()["messages"]] == [
        ("text", "group"),
        ("link", "group"),
    ]


def test_the_scripts_are_served_and_no_others(desk):
    for name in ("jssdk.js", "jweixin-1.2.0.js", "jwxwork-1.0.0.js"):
        text = requests.get(f"{desk.corp.url('/open/js')}/{name}", timeout=5).text
        assert "WeixinJSBridge" in text
    assert requests.get(f"{desk.corp.url('/open/js')}/client.py", timeout=5).status_code == 404


# In a browser

PAGE = """<!doctype html><meta charset="utf-8"><title>页面</title><pre id="log"></pre>
<script src="SCRIPT"></script><script>
const log = (text) => document.getElementById("log").append(text + "\\n");
const sign = (kind) => (url) =>
  fetch("?" + new URLSearchParams({ sign: kind, url })).then((answer) => answer.json());
BODY
</script>"""
NEW = """
ww.register({ corpId: "CORPID", agentId: "AGENTID",
  jsApiList: ["getContext", "getCurExternalContact", "sendChatMessage"],
  getAgentConfigSignature: sign("TICKET"), onAgentConfigFail: (result) => log(result.errMsg) });
log("registered");
ww.getCurExternalContact().then(async (result) => {
  log(result.errMsg + " " + result.userId + " " + (await ww.getContext()).entry);
  const sent = await ww.sendChatMessage({ msgtype: "text", text: { content: "来自侧边栏" } });
  log(sent.errMsg);
}).catch((problem) => log("caught " + problem.errMsg));
"""
OLD = """
sign("corp")(location.href.split("#")[0]).then((corp) => {
  wx.config({ beta: true, appId: "CORPID", jsApiList: ["openUserProfile"], ...corp });
  wx.ready(async () => {
    log("ready");
    const agent = await sign("TICKET")(location.href.split("#")[0]);
    const done = (result) => log(result.err_msg + " " + result.userId);
    wx.agentConfig({ corpid: "CORPID", agentid: "AGENTID", ...agent,
      jsApiList: ["getCurExternalContact"],
      success: () => wx.invoke("getCurExternalContact", {}, done),
      fail: (result) => log(result.errMsg) });
  });
});
"""


def serve(desk, body, script="jssdk.js", ticket="agent"):
    """Let the receiver serve a page of the platform, and signatures for it."""
    text = PAGE.replace("BODY", body).replace("SCRIPT", desk.corp.url(f"/open/js/{script}"))
    for name, value in (("CORPID", desk.corp.corpid), ("AGENTID", str(desk.corp.agentid))):
        text = text.replace(name, value)
    text = text.replace("TICKET", ticket)

    def answer(received):
        if kind := received.query.get("sign"):
            return 200, json.dumps(desk.sign(kind, received.query["url"]))
        return 200, text if received.method == "GET" else "success"

    desk.receiver.answer = answer
    url = f"{desk.receiver.url}?page=1"
    body = {"account": desk.corp.name, "sidebar": url, "home": url}
    desk.post(f"{desk.base}/addresses", body)
    return url


@pytest.fixture
def open_desktop(desk, browser):
    def open_at(chat="", width=1280):
        page = browser.new_page(viewport={"width": width, "height": 812})
        query = urlencode({"corp": desk.corp.corpid, "member": "wang", "chat": chat})
        page.goto(f"{desk.corp.address}/desktop?{query}")
        return page

    return open_at


@pytest.mark.browser
def test_a_page_beside_the_chat_knows_the_customer_and_sends(desk, open_desktop):
    serve(desk, NEW)
    page = open_desktop(f"contact:{desk.customer}")
    log = page.frame_locator("#frame").locator("#log")
    expect(log).to_contain_text("sendChatMessage:ok")
    expect(log).to_contain_text(f"getCurExternalContact:ok {desk.customer} single_chat_tools")
    expect(page.locator(".said-mine .bubble")).to_have_text("来自侧边栏")


@pytest.mark.browser
def test_without_a_chat_the_side_says_what_to_do(desk, open_desktop):
    page = open_desktop()

    expect(page.locator("#page-hint")).to_have_text("选一个会话，这里就打开侧边栏。")


@pytest.mark.browser
def test_the_corp_s_ticket_does_not_open_what_the_app_s_does(desk, open_desktop):
    serve(desk, NEW, ticket="corp")
    page = open_desktop(f"contact:{desk.customer}")
    log = page.frame_locator("#frame").locator("#log")
    expect(log).to_contain_text("caught agentConfig:fail invalid signature")
    assert desk.chat()["messages"] == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("ticket", "result"),
    [("agent", "getCurExternalContact:ok"), ("corp", "agentConfig:fail invalid signature")],
)
def test_the_old_scripts_check_both_signatures(desk, open_desktop, ticket, result):
    serve(desk, OLD, "jweixin-1.2.0.js", ticket)
    page = open_desktop(f"contact:{desk.customer}")
    log = page.frame_locator("#frame").locator("#log")
    expect(log).to_contain_text("ready")
    expect(log).to_contain_text(result)


@pytest.mark.browser
def test_outside_the_client_the_sdk_is_silent(desk, browser):
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(serve(desk, NEW))
    page.wait_for_timeout(300)
    assert page.locator("#log").inner_text().strip() == "registered"
    assert errors == []


@pytest.mark.browser
def test_a_card_s_button_is_pressed_and_the_card_is_changed(desk, open_desktop):
    desk.corp.send("wang", "template_card", BUTTONS)
    page = open_desktop(f"app:{desk.corp.name}")
    page.locator(".template-card select").select_option("b")
    page.get_by_role("button", name="同意").click()
    page.get_by_role("tab", name="事件").click()
    page.locator(".outcomes summary").filter(has_text="点击卡片按钮").click()
    xml = page.locator(".outcomes pre").inner_text()
    assert "<EventKey><![CDATA[yes]]></EventKey>" in xml
    assert "<OptionId><![CDATA[b]]></OptionId>" in xml
    code = xml.split("<ResponseCode><![CDATA[")[1].split("]]")[0]
    change = {"userids": ["wang"], "agentid": desk.corp.agentid, "response_code": code}
    path = "/cgi-bin/message/update_template_card"
    assert desk.corp.post(path, change | {"button": {"replace_name": "已同意"}})["errcode"] == 0
    expect(page.get_by_role("button", name="已同意")).to_be_disabled()
    expect(page.get_by_role("button", name="驳回")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1280])
def test_a_customer_is_added_and_writes(desk, open_desktop, width):
    page = open_desktop(width=width)
    page.get_by_role("button", name="添加客户").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("姓名").fill("孙行")
    dialog.get_by_label("渠道（state）").fill("branch-7")
    dialog.get_by_role("button", name="扫码添加").click()
    # The new chat is open.
    page.get_by_role("button", name="客户 孙行").click()
    page.get_by_label("消息", exact=True).fill("您好")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(page.locator(".said:not(.said-mine) .bubble")).to_have_text("您好")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    latest = desk.get(f"{desk.base}/outcomes")["callbacks"][0]
    assert latest["title"] == "客户添加成员"
    assert "<State><![CDATA[branch-7]]></State>" in latest["xml"]
    assert "<WelcomeCode>" in latest["xml"]


@pytest.mark.browser
def test_rare_events_are_caused_by_a_form(desk, open_desktop):
    page = open_desktop(f"contact:{desk.customer}")
    page.get_by_role("tab", name="事件").click()
    for title in ("新建标签组", "建群", "额度即将耗尽", "审批引擎：状态变化", "新增成员"):
        page.get_by_label("事件", exact=True).select_option(label=title)
        page.get_by_role("button", name="让它发生").click()
        expect(page.locator(".outcomes li").first).to_contain_text(title)
        expect(page.locator(".outcomes li").first).to_contain_text("已确认")
