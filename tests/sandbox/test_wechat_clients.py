"""wechatpy's own official-account client against the sandbox, unchanged: only hosts lead here."""

from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from wechatpy.client import WeChatClient
from wechatpy.exceptions import WeChatClientException
from wechatpy.oauth import WeChatOAuth

from tests.sandbox.detour import Detour


@pytest.fixture
def account(client):
    return client.account


@pytest.fixture
def wechat(client, account):
    theirs = WeChatClient(account["appid"], account["secret"])
    theirs._http.mount("https://", Detour(client.address, "wechat"))
    return theirs


def test_wechatpy_gets_a_token_and_reads_followers(client, wechat):
    (openid,) = client.fans(1)

    assert list(wechat.user.iter_followers()) == [openid]
    assert wechat.user.get(openid)["subscribe"] == 1
    assert wechat.access_token


def test_wechatpy_sends_template_messages_and_texts(client, wechat):
    (openid,) = client.fans(1)
    template = wechat.template.get_all_private_template()["template_list"][0]
    fields = [part.split(".DATA")[0] for part in template["content"].split("{{")[1:]]
    values = {
        "thing": "三月工资条",
        "date": "2026-03-31",
        "time": "2026-03-31 10:00",
        "amount": "1元",
    }

    sent = wechat.message.send_template(
        openid,
        template["template_id"],
        {key: {"value": values.get(key.rstrip("0123456789"), "1")} for key in fields},
    )

    assert sent["errcode"] == 0
    assert [one["msgid"] for one in client.inbox(openid) if one["template_id"]] == [sent["msgid"]]


def test_wechatpy_makes_codes_menus_tags_and_signatures(client, wechat):
    (openid,) = client.fans(1)

    code = wechat.qrcode.create(
        {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "poster"}}}
    )
    wechat.menu.create({"button": [{"type": "click", "name": "工资条", "key": "slips"}]})
    tag = wechat.tag.create("员工")["id"]
    wechat.tag.tag_user(tag, openid)

    assert code["ticket"]
    assert wechat.menu.get()["menu"]["button"][0]["key"] == "slips"
    assert wechat.user.get(openid)["tagid_list"] == [tag]
    assert wechat.jsapi.get_jsapi_signature("n", wechat.jsapi.get_jsapi_ticket(), 1, "http://x/")


def test_wechatpy_signs_people_in(client, account):
    (openid,) = client.fans(1)
    oauth = WeChatOAuth(account["appid"], account["secret"], "http://127.0.0.1/back")
    oauth._http.mount("https://", Detour(client.address, "wechat"))

    back = requests.get(
        f"{client.address}/_sandbox/authorize",
        params={
            "account": client.name,
            "openid": openid,
            "redirect_uri": "http://127.0.0.1/back",
            "state": "s",
        },
        allow_redirects=False,
        timeout=10,
    )
    code = dict(parse_qsl(urlsplit(back.headers["Location"]).query))["code"]

    assert oauth.fetch_access_token(code)["openid"] == openid
    with pytest.raises(WeChatClientException) as refused:
        oauth.fetch_access_token(code)
    assert refused.value.errcode == 40163


def test_wechatpy_is_told_what_was_wrong(wechat):
    with pytest.raises(WeChatClientException) as refused:
        wechat.user.get("oNobody")

    assert refused.value.errcode == 40003
