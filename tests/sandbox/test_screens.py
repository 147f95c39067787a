"""The screens: what the phone is told, and the phone itself in a real browser."""

import io
import re

import pytest
import qrcode
import requests
from playwright.sync_api import expect


@pytest.fixture
def phone(client):
    """The JSON behind the phone of one follower."""
    client.openid = client.fan(names=["王小明"])
    found = requests.get(f"{client.address}/phone/people", params={"q": "王小明"}, timeout=5)
    person = found.json()["people"][0]["id"]

    class Phone:
        id = person
        base = f"{client.address}/phone/{person}"

        def chat(self):
            return requests.get(f"{self.base}/chats/{client.name}", timeout=5).json()

        def unread(self):
            chats = requests.get(self.base, timeout=5).json()["chats"]
            return next(one["unread"] for one in chats if one["account"] == client.name)

        def act(self, act, value=""):
            body = {"act": act, "value": value}
            url = f"{self.base}/chats/{client.name}"
            return requests.post(url, json=body, timeout=5).status_code

        def scan(self, text):
            return requests.post(f"{self.base}/scan", json={"text": text}, timeout=5).json()

        def scan_picture(self, picture):
            return requests.post(f"{self.base}/picture", data=picture, timeout=5).json()

    return Phone()


def login_code(client):
    scene = {"scene": {"scene_str": "login-1"}}
    body = {"action_name": "QR_STR_SCENE", "expire_seconds": 600, "action_info": scene}
    return client.post("/cgi-bin/qrcode/create", body)


def test_a_card_shows_labels_and_values_and_looking_makes_it_read(client, phone):
    client.payslip(client.openid)
    assert phone.unread() == 1
    (card,) = phone.chat()["messages"]
    assert card["title"] == "工资发放通知"
    assert card["lines"][0] == ["单位名称", "滨江实验学校"]
    assert card["url"].endswith("/me/payslips/1")
    assert phone.unread() == 0


def test_one_can_leave_return_mute_and_block_on_the_phone(client, phone):
    template_id = client.account["templates"]["payslip"]
    assert phone.act("unfollow") == 200
    assert phone.act("text", "在吗") == 400
    assert client.payslip(client.openid)["errcode"] == 43004
    phone.act("follow")
    phone.act("mute", template_id)
    assert client.payslip(client.openid)["errcode"] == 43101
    phone.act("unmute", template_id)
    phone.act("block")
    client.payslip(client.openid)
    assert client.inbox(client.openid) == []
    phone.act("unblock")
    client.payslip(client.openid)
    assert len(client.inbox(client.openid)) == 1
    assert phone.act("dance") == 400


def test_a_code_is_scanned_by_address_ticket_picture_or_link_to_the_picture(client, phone):
    code = login_code(client)
    picture = requests.get(
        client.url("/cgi-bin/showqrcode"), params={"ticket": code["ticket"]}, timeout=5
    )
    here = {"account": client.name}
    assert phone.scan(code["url"]) == here
    assert phone.scan(code["ticket"]) == here
    assert phone.scan(picture.url) == here
    assert phone.scan_picture(picture.content) == here
    codes = requests.get(f"{client.address}/phone/codes", timeout=5).json()["codes"]
    assert [one["scene"] for one in codes] == ["login-1"]


def test_an_ordinary_address_opens_as_a_page(client, phone):
    buffer = io.BytesIO()
    qrcode.make("http://127.0.0.1:8000/s/abc").save(buffer)
    assert phone.scan("http://127.0.0.1:8000/s/abc") == {"url": "http://127.0.0.1:8000/s/abc"}
    assert phone.scan_picture(buffer.getvalue()) == {"url": "http://127.0.0.1:8000/s/abc"}


def test_the_list_of_chats_tells_what_came_last(client, phone):
    def last():
        chats = requests.get(phone.base, timeout=5).json()["chats"]
        return next(one["last"] for one in chats if one["account"] == client.name)

    assert last() == ""
    client.payslip(client.openid)
    assert last() == "工资发放通知"
    phone.act("text", "收到")
    assert last() == "收到"
    news = {"articles": [{"title": "存款季", "url": "http://example.com"}]}
    body = {"touser": client.openid, "msgtype": "news", "news": news}
    client.post("/cgi-bin/message/custom/send", body)
    assert last() == "[图文] 存款季"
    delete = {"template_id": client.account["templates"]["payslip"]}
    client.payslip(client.openid)
    client.post("/cgi-bin/template/del_private_template", delete)
    assert last() == "模板消息"
    assert phone.chat()["messages"][0]["lines"][0] == ["", "滨江实验学校"]


def test_nobody_s_phone_and_no_account_s_chat(client, phone):
    assert requests.get(f"{client.address}/phone/nobody", timeout=5).status_code == 404
    assert requests.get(f"{phone.base}/chats/nothing", timeout=5).status_code == 404
    assert requests.post(f"{phone.base}/scan", data="{", timeout=5).status_code == 400


def test_what_cannot_be_scanned_gets_a_sentence(client, phone):
    assert "没有识别出" in phone.scan("你好")["error"]
    assert "没有识别出" in phone.scan("http://weixin.qq.com/q/unknown")["error"]
    assert "不是图片" in phone.scan_picture(b"no picture")["error"]
    code = login_code(client)
    client.advance(601)
    assert "二维码已过期" in phone.scan(code["url"])["error"]
    assert requests.get(f"{client.address}/phone/codes", timeout=5).json() == {"codes": []}


def test_a_page_opens_only_over_http(client, phone):
    url, query = f"{client.address}/open", {"person": phone.id, "url": "javascript:alert(1)"}
    assert requests.get(url, params=query, timeout=5).status_code == 400
    query["url"] = "http://127.0.0.1:8000/me"
    opened = requests.get(url, params=query, timeout=5, allow_redirects=False)
    assert opened.headers["Location"] == "http://127.0.0.1:8000/me"
    assert opened.cookies["sandbox_person"] == phone.id


def test_people_are_found_and_those_with_news_come_first(client):
    fans = client.fans(100)
    client.payslip(fans[70])
    everyone = requests.get(f"{client.address}/phone/people", timeout=5).json()
    assert everyone["total"] == 100
    assert len(everyone["people"]) == 60
    assert everyone["people"][0]["unread"] == 1


def test_only_the_named_files_are_served(client):
    assert requests.get(f"{client.address}/static/sandbox.css", timeout=5).status_code == 200
    assert requests.get(f"{client.address}/static/phone.py", timeout=5).status_code == 404


@pytest.fixture
def browse(browser):
    """Opens pages in Chromium."""

    def open_at(url, width=1440, height=900):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(url)
        return page

    return open_at


@pytest.mark.browser
def test_a_message_arrives_live_and_its_page_opens_as_that_person(client, phone, browse):
    page = browse(f"{client.address}/?person={phone.id}")
    row = page.locator(f'.screen .row[data-account="{client.name}"]')
    expect(row).to_be_visible()
    expect(row.locator(".badge")).to_have_count(0)

    redirect = f"{client.address}/hall"
    authorize = (
        f"{client.url('/connect/oauth2/authorize')}?appid={client.account['appid']}"
        f"&redirect_uri={redirect}&response_type=code&scope=snsapi_base&state=s#wechat_redirect"
    )
    client.payslip(client.openid, url=authorize)

    expect(row.locator(".badge")).to_have_text("1")
    row.click()
    card = page.locator("a.card")
    expect(card).to_contain_text("滨江实验学校")
    with page.expect_popup() as popup:
        card.click()
    popup.value.wait_for_url(re.compile(r"/hall\?code=.*&state=s"))
    code = popup.value.url.split("code=")[1].split("&")[0]
    query = {"grant_type": "authorization_code", "code": code, **client.credentials}
    answer = client.get("/sns/oauth2/access_token", token=None, **query)
    assert answer["openid"] == client.openid


@pytest.mark.browser
def test_on_a_small_screen_one_scans_taps_the_menu_and_writes(client, phone, browse):
    login_code(client)
    menu = {"button": [{"type": "click", "name": "我的工资", "key": "PAYSLIPS"}]}
    client.post("/cgi-bin/menu/create", menu)
    page = browse(f"{client.address}/?person={phone.id}", 375, 812)
    page.get_by_role("button", name="扫一扫").click()
    page.locator('.code[data-scene="login-1"]').click()
    expect(page.locator("#title")).to_have_text(client.name)
    page.get_by_role("button", name="输入文字").click()
    page.get_by_label("发消息").fill("我的工资条呢")
    page.get_by_role("button", name="发送").click()
    expect(page.locator(".said-mine .bubble")).to_have_text("我的工资条呢")
    page.get_by_role("button", name="显示菜单").click()
    page.get_by_role("button", name="我的工资").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.reload()
    expect(page.locator(".said-mine .bubble")).to_have_text("我的工资条呢")


@pytest.mark.browser
def test_the_hall_counts_live(client, phone, browse):
    page = browse(f"{client.address}/hall")
    expect(page.locator("#accepted")).to_have_text("0")
    for _ in range(3):
        client.payslip(client.openid)
    expect(page.locator("#accepted")).to_have_text("3")
    expect(page.locator("#latest li")).to_have_count(3)
    expect(page.locator("#latest li").first).to_contain_text("王小明")


@pytest.mark.browser
def test_the_stand_in_for_jweixin_checks_the_page_s_signature(client, browse):
    page = browse(f"{client.address}/hall")
    page.add_script_tag(url=client.url("/open/js/jweixin-1.6.0.js"))
    verdict = page.evaluate(
        """(appId) => new Promise((resolve) => {
            wx.error((result) => resolve(result.errMsg));
            wx.config({appId, timestamp: 1, nonceStr: "n", signature: "wrong", jsApiList: []});
        })""",
        client.account["appid"],
    )
    assert verdict == "config:invalid signature"
