"""Our clients against the running sandbox, which knows nothing of them."""

import pytest
import requests
from pydantic import SecretStr

from channel.breaker import BreakerOpen
from channel.tokens import TokenStore
from channel.wechat.client import OfficialAccountClient
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.outgoing import TemplateMessage
from channel.wechat.transport import File, http_session
from channel.wecom.cards import Button, ButtonCard, Page, Question, QuestionsCard, Row, TextNotice
from channel.wecom.client import WecomClient
from channel.wecom.outgoing import (
    Article,
    FileMessage,
    News,
    Receivers,
    Text,
    TextCard,
    WecomMediaKind,
)
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind
from sandbox.server import running

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SECRET = "s" * 43


@pytest.fixture(scope="module")
def address():
    with running() as address:
        yield address


def control(address, path, body, method="POST"):
    response = requests.request(method, f"{address}/_sandbox{path}", json=body, timeout=10)
    assert response.status_code == 200, response.text
    return response.json()


def account_in(address, kind, appid, agentid=None, secret=SECRET):
    name = f"here-{kind.value}"
    body = {
        "kind": kind.value,
        "name": name,
        "appid": appid,
        "secret": SECRET,
        "token": "spamtest",
        "aes_key": AES_KEY,
        # Interactive cards need a callback address; nobody listens at this one.
        "callback_url": "http://127.0.0.1:9/callback",
    }
    control(address, "/accounts", body | ({"agentid": agentid} if agentid else {}))
    return ChannelAccountCredentials(
        id=21,
        name=name,
        kind=kind,
        org_path="/jx/",
        appid=appid,
        secret=SecretStr(secret),
        token=SecretStr("spamtest"),
        aes_keys=(AES_KEY,),
        mode=CallbackMode.SAFE,
        agentid=agentid,
    )


@pytest.fixture
def wecom(address, session, redis):
    account = account_in(address, ChannelKind.WECOM_APP, "wwhere", "1000002")
    control(address, "/wecom/members", {"account": account.name, "userids": ["zhangsan", "lisi"]})
    with http_session(address) as http:
        yield WecomClient(account, http, TokenStore(redis), f"{address}/wecom")


@pytest.fixture
def wechat(address, redis):
    account = account_in(address, ChannelKind.OFFICIAL_ACCOUNT, "wxhere")
    with http_session(address) as http:
        yield OfficialAccountClient(account, http, TokenStore(redis), f"{address}/wechat")


def stats(address):
    return control(address, "/stats", None, "GET")


def test_members_departments_and_tickets_are_read(wecom):
    assert wecom.get_member("zhangsan").userid == "zhangsan"
    assert {one.userid for one in wecom.list_members(1)} >= {"zhangsan", "lisi"}
    assert 1 in {one.id for one in wecom.list_departments()}
    walked = [one.userid for page in wecom.walk_member_ids() for one in page.dept_user]
    assert {"zhangsan", "lisi"} <= set(walked)
    assert wecom.get_corp_ticket() != wecom.get_agent_ticket()


def test_every_kind_of_message_is_taken(wecom):
    file = File("工资条.txt", "六个字节以上".encode(), "text/plain")
    media = wecom.upload_media(WecomMediaKind.FILE, file)
    page = Page("https://b.example/me")
    messages = [
        Text("您好"),
        TextCard("工资条", "三月", "https://b.example/me"),
        News([Article("标题", "https://b.example/me")]),
        FileMessage(media.media_id),
        TextNotice(title="工资条", rows=[Row("单位", "信桥")], page=page),
        ButtonCard(title="审批", buttons=[Button("同意", "yes")], task_id="task-1"),
        QuestionsCard(
            title="登记", questions=[Question("q", [("1", "是"), ("2", "否")])], task_id="task-2"
        ),
    ]

    sent = [wecom.send_message(Receivers(["zhangsan", "nobody"]), one) for one in messages]

    assert all(one.msgid and one.invaliduser == ("nobody",) for one in sent)
    assert wecom.get_media(media.media_id).content == file.content
    assert (
        wecom.replace_card_button(sent[5].response_code, "已同意", ["zhangsan"]).invaliduser == ()
    )
    wecom.recall_message(sent[0].msgid)


def test_a_message_to_nobody_is_refused(wecom):
    with pytest.raises(WeChatError) as refused:
        wecom.send_message(Receivers(["nobody"]), Text("您好"))

    assert refused.value.errcode == 81013


def test_customers_are_listed_and_described(address, wecom):
    body = {"account": "here-wecom_app", "userid": "zhangsan", "count": 2, "state": "poster7"}
    control(address, "/wecom/contacts", body)

    ids = wecom.list_contacts("zhangsan")

    assert len(ids) >= 2
    assert "zhangsan" in wecom.list_follow_users()
    [follow] = wecom.get_contact(ids[-1]).follow_user
    assert (follow.userid, follow.state) == ("zhangsan", "poster7")


@pytest.mark.parametrize("errcode", [40014, 42001])
def test_a_token_that_ends_early_is_replaced_once(address, wecom, errcode):
    fault = {"path": "/wecom/cgi-bin/user/get", "errcode": errcode, "times": 1}
    control(address, "/faults", fault)

    assert wecom.get_member("zhangsan").userid == "zhangsan"


def test_a_wrong_secret_is_tried_once(address, redis):
    account = account_in(address, ChannelKind.WECOM_APP, "wwhere", "1000002", secret="wrong")
    path = "/wecom/cgi-bin/gettoken"
    before = stats(address)["requests"].get(path, 0)

    with http_session(address) as http:
        client = WecomClient(account, http, TokenStore(redis), f"{address}/wecom")
        for _ in range(5):
            with pytest.raises(WeChatError) as refused:
                client.get_member("zhangsan")

    assert stats(address)["requests"][path] == before + 1
    assert refused.value.errcode == 40001
    redis.delete("xq:token:21:access:pause")
    with http_session(address) as http, pytest.raises(BreakerOpen):
        WecomClient(account, http, TokenStore(redis), f"{address}/wecom").get_member("zhangsan")


def test_an_official_accounts_calls_are_taken(address, wechat):
    control(address, "/wechat/fans", {"account": "here-official_account", "openids": ["oOne"]})
    [template, *_] = wechat.list_templates()
    values = {"thing1": "信桥", "time2": "2026年3月5日", "thing3": "三月工资"}

    tag = wechat.create_tag("高净值")
    wechat.tag_followers(tag.id, ["oOne"])

    assert wechat.get_tags_of("oOne") == (tag.id,)
    assert [info.openid for info in wechat.get_user_infos(["oOne"])] == ["oOne"]
    assert next(wechat.walk_followers()).count >= 1
    assert wechat.get_quota("/cgi-bin/message/template/send").daily_limit > 0
    assert wechat.list_callback_ips()
    assert wechat.check_callback()
    assert template.template_id
    with pytest.raises(WeChatError) as refused:
        wechat.send_template_message("oNobody", TemplateMessage(template.template_id, values))
    assert refused.value.errcode == 40003


def test_an_address_that_the_platform_does_not_know_is_silence(wecom):
    with pytest.raises(WeChatUnreachable, match="404"):
        wecom._get("/cgi-bin/no/such/thing")
