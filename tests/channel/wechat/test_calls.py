"""Every call goes out as the official page wants it, and comes back as a typed answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from channel import budget, limits
from channel.breaker import breaker_state
from channel.budget import BudgetExhausted, Caller, Priority
from channel.limits import CHINA_DAY, Limit
from channel.rules import RuleBroken
from channel.tokens import TokenStore
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.media import MediaKind
from channel.wechat.menus import Menus
from channel.wechat.miniprogram import MiniprogramClient, MiniprogramMessage, Release
from channel.wechat.outgoing import (
    CustomArticle,
    CustomImage,
    CustomMenu,
    CustomMiniprogram,
    CustomText,
    Miniprogram,
    SubscriptionMessage,
)
from channel.wechat.transport import File, http_session
from domain.directory.accounts import ChannelKind
from tests.channel.wechat.conftest import API, SECRET

OK = {"errcode": 0, "errmsg": "ok"}
CGI = "/cgi-bin"
CUSTOM = f"{CGI}/message/custom/send"
APPID = "wx2c2769f8efd9abc2"


@pytest.fixture
def platform(responses):
    token = {"access_token": "token-1", "expires_in": 7200}
    responses.post(f"{API}/cgi-bin/stable_token", json=token)
    return responses


@pytest.fixture
def mini(account, redis):
    with http_session(API) as http:
        yield MiniprogramClient(account, http, TokenStore(redis), API)


@dataclass(frozen=True)
class Case:
    path: str
    call: Callable[[Any], Any]
    sends: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    tells: Callable[[Any], Any] = lambda answer: answer
    expected: Any = None
    method: str = "POST"


CASES = [
    Case(
        f"{CGI}/user/info/batchget",
        lambda c: c.get_user_infos(["o1", "o2"]),
        {"user_list": [{"openid": "o1", "lang": "zh_CN"}, {"openid": "o2", "lang": "zh_CN"}]},
        {"user_info_list": [{"openid": "o1", "subscribe": 1, "tagid_list": [2]}]},
        lambda infos: (infos[0].subscribe, infos[0].tagid_list),
        (True, (2,)),
    ),
    Case(
        f"{CGI}/tags/create",
        lambda c: c.create_tag("高净值"),
        {"tag": {"name": "高净值"}},
        {"tag": {"id": 134, "name": "高净值"}},
        lambda tag: tag.id,
        134,
    ),
    Case(
        f"{CGI}/tags/get",
        lambda c: c.list_tags(),
        {},
        {"tags": [{"id": 134, "name": "高净值", "count": 5}]},
        lambda tags: tags[0].count,
        5,
        "GET",
    ),
    Case(
        f"{CGI}/tags/members/batchtagging",
        lambda c: c.tag_followers(134, ["o1"]),
        {"tagid": 134, "openid_list": ["o1"]},
    ),
    Case(
        f"{CGI}/tags/members/batchuntagging",
        lambda c: c.untag_followers(134, ["o1"]),
        {"tagid": 134, "openid_list": ["o1"]},
    ),
    Case(
        f"{CGI}/tags/getidlist",
        lambda c: c.get_tags_of("o1"),
        {"openid": "o1"},
        {"tagid_list": [134]},
        expected=(134,),
    ),
    Case(
        f"{CGI}/template/api_add_template",
        lambda c: c.add_template("43244", ["单位", "时间"]),
        {"template_id_short": "43244", "keyword_name_list": ["单位", "时间"]},
        {"template_id": "tpl-1"},
        expected="tpl-1",
    ),
    Case(
        f"{CGI}/template/api_add_template",
        lambda c: c.add_template("43244"),
        {"template_id_short": "43244"},
        {"template_id": "tpl-1"},
        expected="tpl-1",
    ),
    Case(
        f"{CGI}/template/del_private_template",
        lambda c: c.delete_template("tpl-1"),
        {"template_id": "tpl-1"},
    ),
    Case(
        f"{CGI}/message/subscribe/bizsend",
        lambda c: c.send_subscription_message(
            "o1",
            SubscriptionMessage(
                "tpl-1", {"thing1": "工资条"}, "/me", Miniprogram("wxm", "pages/a")
            ),
        ),
        {
            "touser": "o1",
            "template_id": "tpl-1",
            "data": {"thing1": {"value": "工资条"}},
            "page": "/me",
            "miniprogram": {"appid": "wxm", "pagepath": "pages/a"},
        },
    ),
    Case(
        CUSTOM,
        lambda c: c.send_custom("o1", CustomImage("m1")),
        {"touser": "o1", "msgtype": "image", "image": {"media_id": "m1"}},
    ),
    Case(
        CUSTOM,
        lambda c: c.send_custom("o1", CustomArticle("标题", "描述", "https://b", "https://p")),
        {
            "touser": "o1",
            "msgtype": "news",
            "news": {
                "articles": [
                    {
                        "title": "标题",
                        "description": "描述",
                        "url": "https://b",
                        "picurl": "https://p",
                    }
                ]
            },
        },
    ),
    Case(
        CUSTOM,
        lambda c: c.send_custom("o1", CustomMenu("满意吗?", [("1", "满意")], "谢谢")),
        {
            "touser": "o1",
            "msgtype": "msgmenu",
            "msgmenu": {
                "head_content": "满意吗?",
                "list": [{"id": "1", "content": "满意"}],
                "tail_content": "谢谢",
            },
        },
    ),
    Case(
        CUSTOM,
        lambda c: c.send_custom("o1", CustomMiniprogram("开户", "wxm", "pages/a", "m1")),
        {
            "touser": "o1",
            "msgtype": "miniprogrampage",
            "miniprogrampage": {
                "title": "开户",
                "appid": "wxm",
                "pagepath": "pages/a",
                "thumb_media_id": "m1",
            },
        },
    ),
    Case(
        f"{CGI}/message/custom/typing",
        lambda c: c.show_typing("o1"),
        {"touser": "o1", "command": "Typing"},
    ),
    Case(
        f"{CGI}/message/custom/typing",
        lambda c: c.show_typing("o1", is_typing=False),
        {"touser": "o1", "command": "CancelTyping"},
    ),
    Case(
        f"{CGI}/qrcode/create",
        lambda c: c.create_lasting_qrcode("branch-1"),
        {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "branch-1"}}},
        {"ticket": "t", "url": "http://weixin.qq.com/q/1"},
        lambda code: code.expire_seconds,
        0,
    ),
    Case(
        f"{CGI}/menu/addconditional",
        lambda c: c.add_conditional_menu([{"type": "click", "name": "A"}], {"tag_id": "2"}),
        {"button": [{"type": "click", "name": "A"}], "matchrule": {"tag_id": "2"}},
        {"menuid": 208396993},
        expected="208396993",
    ),
    Case(
        f"{CGI}/menu/delconditional",
        lambda c: c.delete_conditional_menu("208396993"),
        {"menuid": "208396993"},
    ),
    Case(f"{CGI}/menu/delete", lambda c: c.delete_menus(), method="GET"),
    Case(
        f"{CGI}/menu/get",
        lambda c: c.get_menus(),
        {},
        {
            "menu": {"button": []},
            "conditionalmenu": [{"menuid": 5, "button": [], "matchrule": {"tag_id": "2"}}],
        },
        lambda menus: (menus.conditional[0].menuid, menus.conditional[0].matchrule),
        ("5", {"tag_id": "2"}),
        "GET",
    ),
    Case(
        f"{CGI}/openapi/quota/get",
        lambda c: c.get_quota(CUSTOM),
        {"cgi_path": CUSTOM},
        {"quota": {"daily_limit": 500, "used": 3, "remain": 497}, "rate_limit": {}},
        lambda quota: (quota.daily_limit, quota.used, quota.remain),
        (500, 3, 497),
    ),
    Case(
        f"{CGI}/getcallbackip",
        lambda c: c.list_callback_ips(),
        {},
        {"ip_list": ["10.0.0.1"]},
        lambda ips: ips,
        ("10.0.0.1",),
        "GET",
    ),
    Case(
        f"{CGI}/callback/check",
        lambda c: c.check_callback(),
        {"action": "all", "check_operator": "DEFAULT"},
        {
            "dns": [{"ip": "10.0.0.1", "real_operator": "UNICOM"}],
            "ping": [{"ip": "10.0.0.1", "package_loss": "0%", "time": "13.5ms"}],
        },
        lambda found: (found.dns[0].ip, found.ping[0].package_loss),
        ("10.0.0.1", "0%"),
    ),
]

MINI_CASES = [
    Case(
        "/wxa/business/getuserphonenumber",
        lambda c: c.get_phone_number("c0de"),
        {"code": "c0de"},
        {"phone_info": {"purePhoneNumber": "13800005678", "countryCode": "86"}},
        lambda phone: (phone.number, "13800005678" in repr(phone)),
        ("13800005678", False),
    ),
    Case(
        "/wxa/generate_urllink",
        lambda c: c.make_url_link("/pages/a", "x=1", days=7),
        {
            "path": "/pages/a",
            "query": "x=1",
            "is_expire": True,
            "expire_type": 1,
            "expire_interval": 7,
        },
        {"url_link": "https://wxaurl.cn/1"},
        expected="https://wxaurl.cn/1",
    ),
    Case(
        "/wxa/generatescheme",
        lambda c: c.make_scheme("/pages/a"),
        {
            "jump_wxa": {"path": "/pages/a", "query": ""},
            "is_expire": True,
            "expire_type": 1,
            "expire_interval": 30,
        },
        {"openlink": "weixin://dl/business/?t=1"},
        expected="weixin://dl/business/?t=1",
    ),
    Case(
        f"{CGI}/message/subscribe/send",
        lambda c: c.send_subscription_message(
            "o1", MiniprogramMessage("tpl-1", {"thing1": "工资条"}, "pages/a", Release.TRIAL)
        ),
        {
            "touser": "o1",
            "template_id": "tpl-1",
            "data": {"thing1": {"value": "工资条"}},
            "page": "pages/a",
            "miniprogram_state": "trial",
            "lang": "zh_CN",
        },
    ),
]


def run(client, platform, case):
    platform.add(case.method, API + case.path, json=OK | dict(case.answers))

    told = case.tells(case.call(client))

    asked = platform.calls[-1].request
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.url).query).items()}
    assert query.pop("access_token") == "token-1"
    assert (json.loads(asked.body) if case.method == "POST" else query) == case.sends
    assert told == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_call_is_asked_and_read_as_the_page_says(wechat, platform, case):
    run(wechat, platform, case)


@pytest.mark.parametrize("case", MINI_CASES, ids=lambda case: case.path)
def test_a_mini_programs_call_is_asked_and_read_as_the_page_says(mini, platform, case):
    run(mini, platform, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_refusal_beside_empty_lists_is_never_an_answer(wechat, platform, case):
    empty = {name: [] for name, value in case.answers.items() if isinstance(value, list)}
    platform.add(case.method, API + case.path, json={"errcode": 99999, "errmsg": "no"} | empty)

    with pytest.raises(WeChatError):
        case.call(wechat)


def test_an_account_without_menus_has_none(wechat, platform):
    platform.get(f"{API}/cgi-bin/menu/get", json={"errcode": 46003, "errmsg": "no menu"})

    assert wechat.get_menus() == Menus()


def test_followers_are_walked_to_the_empty_page(wechat, platform):
    page = {"total": 1, "count": 1, "data": {"openid": ["o1"]}, "next_openid": "o1"}
    platform.get(f"{API}/cgi-bin/user/get", json=page)
    platform.get(f"{API}/cgi-bin/user/get", json={"total": 1, "count": 0, "next_openid": ""})

    assert [page.data.openid for page in wechat.walk_followers()] == [("o1",), ()]


@pytest.mark.parametrize(
    "broken",
    [
        lambda c: c.get_user_infos([]),
        lambda c: c.get_user_infos(["o"] * 101),
        lambda c: c.tag_followers(1, ["o"] * 51),
        lambda c: c.create_tag("标" * 31),
        lambda c: c.send_custom("o1", CustomText("字" * 683)),
        lambda c: c.send_custom("o1", CustomText("")),
        lambda c: c.send_custom("o1", CustomMenu("?", [])),
        lambda c: c.upload_media(MediaKind.THUMB, File("a.png", bytes(65 << 10))),
    ],
)
def test_what_breaks_a_rule_is_not_sent(wechat, responses, broken):
    with pytest.raises(RuleBroken):
        broken(wechat)

    assert len(responses.calls) == 0


# --- files ------------------------------------------------------------------------------------


def test_a_picture_is_uploaded(wechat, platform):
    answer = {"type": "image", "media_id": "m1", "created_at": 5}
    platform.post(f"{API}/cgi-bin/media/upload", json=answer)

    assert wechat.upload_media(MediaKind.IMAGE, File("a.png", b"png")).media_id == "m1"

    assert "type=image" in platform.calls[-1].request.url


def test_a_thumb_answers_under_another_name(wechat, platform):
    answer = {"type": "thumb", "thumb_media_id": "m1", "created_at": 5}
    platform.post(f"{API}/cgi-bin/media/upload", json=answer)

    assert wechat.upload_media(MediaKind.THUMB, File("a.png", b"png")).media_id == "m1"


def test_a_file_comes_back_whatever_it_is_called(wechat, platform):
    url = f"{API}/cgi-bin/media/get"
    platform.get(url, body=b"plain words", content_type="text/plain")
    platform.get(url, body=b"\x00\x01", content_type="application/octet-stream; charset=x")

    words, octets = wechat.get_media("m1"), wechat.get_media("m2")

    assert (words.content, words.content_type) == (b"plain words", "text/plain")
    assert octets.content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"json": {"errcode": 40007, "errmsg": "no"}}, WeChatError),
        ({"body": '{"errcode":40007}', "content_type": "text/plain"}, WeChatError),
        ({"json": {"video_url": "https://v.example"}}, WeChatUnreachable),
        ({"body": "<html>", "content_type": "text/html"}, WeChatUnreachable),
        ({"body": b"\x89PNG", "status": 502}, WeChatUnreachable),
    ],
)
def test_what_is_no_file_is_none(wechat, platform, answer, error):
    platform.get(f"{API}/cgi-bin/media/get", **answer)

    with pytest.raises(error):
        wechat.get_media("m1")


def test_a_code_for_the_mini_program_is_a_picture_or_a_refusal(mini, platform):
    url = f"{API}/wxa/getwxacodeunlimit"
    platform.post(url, body=b"\xff\xd8jpeg", content_type="image/jpeg")
    platform.post(url, json={"errcode": 41030, "errmsg": "invalid page"})

    picture = mini.get_code_picture("rm=17", "pages/a", release=Release.TRIAL)

    assert json.loads(platform.calls[-1].request.body) == {
        "scene": "rm=17",
        "check_path": True,
        "env_version": "trial",
        "width": 430,
        "page": "pages/a",
    }
    assert picture.content == b"\xff\xd8jpeg"
    with pytest.raises(WeChatError):
        mini.get_code_picture("rm=17")
    assert "page" not in json.loads(platform.calls[-1].request.body)


@pytest.mark.parametrize(
    "broken",
    [
        lambda c: c.get_code_picture("汉字"),
        lambda c: c.get_code_picture("s" * 33),
        lambda c: c.get_code_picture(""),
        lambda c: c.get_code_picture("a", width=100),
        lambda c: c.make_url_link("/a", "q" * 1025),
        lambda c: c.make_url_link("/a", days=31),
        lambda c: c.make_scheme("/a", days=0),
    ],
)
def test_a_code_or_link_that_cannot_be_is_not_asked_for(mini, responses, broken):
    with pytest.raises(RuleBroken):
        broken(mini)

    assert len(responses.calls) == 0


# --- signing in to a mini-program ---------------------------------------------------------------


def test_a_mini_programs_code_becomes_an_openid(mini, responses):
    answer = {"openid": "o1", "session_key": "k3y", "unionid": "u1"}
    responses.get(f"{API}/sns/jscode2session", json=answer)

    session = mini.exchange_code("c0de")

    assert (session.openid, session.unionid) == ("o1", "u1")
    assert session.session_key.get_secret_value() == "k3y"
    assert "k3y" not in repr(session)
    query = parse_qs(urlsplit(responses.calls[0].request.url).query)
    assert query["js_code"] == ["c0de"]
    assert query["secret"] == [SECRET]


@pytest.mark.parametrize("errcode", [40029, 40163, 40226, 45011, -1])
def test_a_person_whose_code_is_refused_does_not_stop_the_others(mini, responses, errcode):
    url = f"{API}/sns/jscode2session"
    responses.get(url, json={"errcode": errcode, "errmsg": "c0de no"})
    responses.get(url, json={"openid": "o1", "session_key": "k3y"})

    with pytest.raises(WeChatError) as refused:
        mini.exchange_code("c0de")

    assert "c0de" not in str(refused.value)
    assert mini.exchange_code("another").openid == "o1"


def test_a_refused_secret_stops_sign_in_and_tokens_alike(wechat, responses):
    url = f"{API}/sns/oauth2/access_token"
    responses.get(url, json={"errcode": 40125, "errmsg": "invalid appsecret"})

    for _ in range(3):
        with pytest.raises(WeChatError):
            wechat.exchange_code("c0de")
    with pytest.raises(WeChatError):
        wechat.list_tags()

    assert len(responses.calls) == 1
    assert breaker_state(7).errcode == 40125


# --- the real quota -----------------------------------------------------------------------------


@pytest.fixture
def small_quota(monkeypatch):
    """A new account may list its tags once a day, as we suppose."""
    limit = Limit(1, CHINA_DAY, "https://a.example", is_shared=False)
    monkeypatch.setitem(limits.WECHAT, "/cgi-bin/tags/get", (limit,))


def test_a_larger_account_is_asked_for_its_real_quota_before_it_is_stopped(
    wechat, platform, small_quota
):
    platform.get(f"{API}/cgi-bin/tags/get", json={"tags": []})
    quota = {"quota": {"daily_limit": 3, "used": 1, "remain": 2}}
    platform.post(f"{API}/cgi-bin/openapi/quota/get", json=OK | quota)

    for _ in range(3):
        wechat.list_tags()
    with pytest.raises(BudgetExhausted):
        wechat.list_tags()

    asked = [call for call in platform.calls if "quota/get" in call.request.url]
    assert len(asked) == 1


def test_a_quota_that_nobody_tells_stands(wechat, platform, small_quota):
    platform.get(f"{API}/cgi-bin/tags/get", json={"tags": []})
    refusal = {"errcode": 76003, "errmsg": "not found"}
    platform.post(f"{API}/cgi-bin/openapi/quota/get", json=refusal)
    wechat.list_tags()

    for _ in range(3):
        with pytest.raises(BudgetExhausted):
            wechat.list_tags()

    assert len([call for call in platform.calls if "quota/get" in call.request.url]) == 1


def test_what_a_real_quota_says_is_kept_for_all_processes(wechat, platform, small_quota):
    quota = {"quota": {"daily_limit": 2, "used": 0, "remain": 2}}
    platform.post(f"{API}/cgi-bin/openapi/quota/get", json=OK | quota)
    caller = Caller(ChannelKind.OFFICIAL_ACCOUNT, APPID)

    wechat.get_quota("/cgi-bin/tags/get")

    assert budget.take(caller, "/cgi-bin/tags/get", Priority.SYNC, 9) == 2
