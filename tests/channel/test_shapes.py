"""Our requests beside wechatpy's: the same path, query and body wherever wechatpy is right."""

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses as responses_library
from pydantic import SecretStr
from wechatpy import WeChatClient
from wechatpy.work import WeChatClient as WorkClient

from channel.tokens import TokenStore
from channel.wechat.client import OfficialAccountClient
from channel.wechat.outgoing import CustomText, TemplateMessage
from channel.wechat.transport import http_session
from channel.wecom.client import WecomClient
from channel.wecom.outgoing import Markdown, Receivers, Text, TextCard
from domain.directory.accounts import ChannelKind
from tests.channel.wecom.conftest import app_account

# Enough of everything to be a good answer to each of these calls.
ANYTHING = {
    "errcode": 0,
    "errmsg": "ok",
    "access_token": "token-1",
    "expires_in": 7200,
    "ticket": "ticket-1",
    "msgid": 1,
    "openid": "o1",
    "userid": "zs",
    "subscribe": 1,
    "total": 0,
    "count": 0,
    "tag": {"id": 1, "name": "甲"},
    "tagid_list": [],
    "user_info_list": [],
    "template_list": [],
    "department": [],
    "follow_user": [],
    "external_userid": [],
    "external_contact": {"external_userid": "wm1"},
    "info": {"sp_no": "202603", "sp_status": 1},
    "behavior_data": [],
}
API_URL, WORK_URL = "https://api.weixin.qq.com", "https://qyapi.weixin.qq.com"
BUTTON = {"type": "click", "name": "甲", "key": "a"}

OFFICIAL = [
    (lambda our: our.get_user_info("o1"), lambda their: their.user.get("o1")),
    (lambda our: our.list_followers("o9"), lambda their: their.user.get_followers("o9")),
    (
        lambda our: our.get_user_infos(["o1"]),
        lambda their: their.user.get_batch([{"openid": "o1", "lang": "zh_CN"}]),
    ),
    (lambda our: our.create_tag("甲"), lambda their: their.tag.create("甲")),
    (lambda our: our.tag_followers(2, ["o1"]), lambda their: their.tag.tag_user(2, ["o1"])),
    (lambda our: our.get_tags_of("o1"), lambda their: their.tag.get_user_tag("o1")),
    (
        lambda our: our.send_template_message(
            "o1", TemplateMessage("tpl", {"thing2": "甲"}, "https://b.example")
        ),
        lambda their: their.message.send_template(
            "o1", "tpl", {"thing2": {"value": "甲"}}, url="https://b.example"
        ),
    ),
    (
        lambda our: our.list_templates(),
        lambda their: their.template.get_all_private_template(),
    ),
    (
        lambda our: our.send_custom("o1", CustomText("您好")),
        lambda their: their.message.send_text("o1", "您好"),
    ),
    (lambda our: our.set_menu([BUTTON]), lambda their: their.menu.create({"button": [BUTTON]})),
    (lambda our: our.get_jsapi_ticket(), lambda their: their.jsapi.get_ticket()),
]

WORK = [
    (lambda our: our.get_member("zs"), lambda their: their.user.get("zs")),
    (
        lambda our: our.send_message(Receivers(["zs", "ls"], [1], [2]), Text("您好")),
        lambda their: their.message.send_text(1000002, ["zs", "ls"], "您好", ["1"], ["2"]),
    ),
    (
        lambda our: our.send_message(Receivers(["zs"]), Markdown("**您好**")),
        lambda their: their.message.send_markdown(1000002, ["zs"], "**您好**"),
    ),
    (
        lambda our: our.send_message(Receivers(["zs"]), TextCard("甲", "乙", "https://b", "看")),
        lambda their: their.message.send_text_card(1000002, ["zs"], "甲", "乙", "https://b", "看"),
    ),
    (
        lambda our: our.list_follow_users(),
        lambda their: their.external_contact.get_follow_user_list(),
    ),
    (lambda our: our.list_contacts("zs"), lambda their: their.external_contact.list("zs")),
    (lambda our: our.get_contact("wm1"), lambda their: their.external_contact.get("wm1")),
    (
        lambda our: our.mark_tags("zs", "wm1", add=["t1"], remove=["t2"]),
        lambda their: their.external_contact.mark_tag("zs", "wm1", ["t1"], ["t2"]),
    ),
    (
        lambda our: our.get_behaviour(["zs"], 1, 2),
        lambda their: their.external_contact.get_user_behavior_data(["zs"], 1, 2),
    ),
    (lambda our: our.get_corp_ticket(), lambda their: their.jsapi.get_ticket()),
    (lambda our: our.get_agent_ticket(), lambda their: their.jsapi.get_agent_ticket()),
    (lambda our: our.get_approval("202603"), lambda their: their.oa.get_approval_detail("202603")),
    (
        lambda our: our.get_approval_template("t1"),
        lambda their: their.oa.get_template_detail("t1"),
    ),
]


@pytest.fixture
def wechat_account():
    official = ChannelKind.OFFICIAL_ACCOUNT
    return replace(app_account(), kind=official, appid="wx1", secret=SecretStr("s"))


@pytest.fixture
def platform():
    with responses_library.RequestsMock() as mock:
        for method in ("GET", "POST"):
            mock.add(method, re.compile(r"https?://.*"), json=ANYTHING)
        mock.assert_all_requests_are_fired = False
        yield mock


def last_request(platform) -> tuple[Any, ...]:
    """Without what says nothing: empty texts, zeros, the token and the host."""
    asked = platform.calls[-1].request
    path = urlsplit(asked.url).path
    query = parse_qs(urlsplit(asked.url).query)
    query.pop("access_token")
    body = json.loads(asked.body) if asked.body else {}
    said = {key: value for key, value in body.items() if value not in ("", 0, None)}
    return asked.method, path[path.index("/cgi-bin") :], query, said


@pytest.mark.parametrize(("our_call", "their_call"), OFFICIAL)
def test_an_official_accounts_request_has_wechatpys_shape(
    wechat_account, redis, platform, our_call, their_call
):
    with http_session(API_URL) as http:
        our_call(OfficialAccountClient(wechat_account, http, TokenStore(redis), API_URL))
    ours = last_request(platform)

    their_call(WeChatClient("wx1", "s", access_token="token-1"))

    assert ours == last_request(platform)


@pytest.mark.parametrize(("our_call", "their_call"), WORK)
def test_an_apps_request_has_wechatpys_shape(session, redis, platform, our_call, their_call):
    with http_session(WORK_URL) as http:
        our_call(WecomClient(app_account(), http, TokenStore(redis), WORK_URL))
    ours = last_request(platform)

    their_call(WorkClient("ww1", "s", access_token="token-1"))

    assert ours == last_request(platform)
