"""A client of somebody else runs against the sandbox unchanged: only its hosts lead here."""

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.detour import Detour


@pytest.fixture
def work(corp):
    client = WeChatClient(corp.corpid, corp.secret)
    client._http.mount("https://", Detour(corp.address, "wecom"))
    return client


def test_wechatpy_reads_members_and_departments(corp, work):
    corp.members("ZhangSan", names=["张三"])

    assert work.user.get("zhangsan")["name"] == "张三"
    assert [one["userid"] for one in work.user.list(1)] == ["ZhangSan"]
    assert [one["id"] for one in work.department.list()] == [1]
    assert work.fetch_access_token()["access_token"] == corp.token


def test_wechatpy_sends_messages_and_files(corp, work, tmp_path):
    corp.members("zhangsan")
    (tmp_path / "report.txt").write_text("six bytes and more")

    answer = work.message.send_text(corp.agentid, "zhangsan", "你好")
    with (tmp_path / "report.txt").open("rb") as file:
        media_id = work.media.upload("file", file)["media_id"]
    work.message.send_file(corp.agentid, "zhangsan", media_id)

    assert answer["errcode"] == 0
    assert [one["msgtype"] for one in corp.inbox("zhangsan")] == ["text", "file"]
    assert corp.inbox("zhangsan")[0]["content"] == {"content": "你好"}


def test_wechatpy_lists_external_contacts(corp, work):
    corp.members("zhangsan")
    (external_userid,) = corp.contacts("zhangsan", state="poster7")

    assert work.external_contact.get_follow_user_list()["follow_user"] == ["zhangsan"]
    assert work.external_contact.list("zhangsan")["external_userid"] == [external_userid]
    found = work.external_contact.get(external_userid)
    assert found["follow_user"][0]["state"] == "poster7"


def test_wechatpy_exchanges_the_code_of_a_member(corp, work):
    corp.members("zhangsan")
    code = corp.code("zhangsan")

    assert work.oauth.get_user_info(code)["UserId"] == "zhangsan"
    with pytest.raises(WeChatClientException) as refused:
        work.oauth.get_user_info(code)
    assert refused.value.errcode == 40029


def test_wechatpy_gets_both_tickets(corp, work):
    assert work.jsapi.get_jsapi_ticket() != work.jsapi.get_agent_jsapi_ticket()
