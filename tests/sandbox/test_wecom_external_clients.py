"""Our own client and wechatpy's do their work with customers against the sandbox."""

import pytest
from pydantic import SecretStr
from wechatpy.work import WeChatClient

from channel.tokens import TokenStore
from channel.wechat.errors import WeChatError
from channel.wechat.transport import http_session
from channel.wecom.approvals import Application
from channel.wecom.attachments import AttachedLink
from channel.wecom.client import WecomClient
from channel.wecom.external_contacts import Remark
from channel.wecom.moments import Moment
from channel.wecom.outreach import ChatType, GroupMessage, GroupWelcome
from channel.wecom.ways import ContactWay, JoinWay
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind
from sandbox.wecom.external.approvals import STANDARD
from tests.sandbox.detour import Detour
from tests.sandbox.wecom import AES_KEY

NOW = 1774663200  # where the sandbox's clock begins
LINK = AttachedLink(title="稳健理财", url="https://b.example/s/1")


@pytest.fixture
def team(corp):
    corp.members("Wang", "Li")
    corp.switch(dispatch_seconds=0, unionid=True)
    return corp


@pytest.fixture
def ours(team, redis):
    account = ChannelAccountCredentials(
        id=77,
        name=team.name,
        kind=ChannelKind.WECOM_APP,
        org_path="/jx/",
        appid=team.corpid,
        secret=SecretStr(team.secret),
        token=SecretStr("spamtest"),
        aes_keys=(AES_KEY,),
        mode=CallbackMode.SAFE,
        agentid=str(team.agentid),
    )
    with http_session(team.address) as http:
        yield WecomClient(account, http, TokenStore(redis), f"{team.address}/wecom")


@pytest.fixture
def theirs(team):
    client = WeChatClient(team.corpid, team.secret)
    client._http.mount("https://", Detour(team.address, "wecom"))
    return client


def test_ours_reads_and_notes_contacts(team, ours):
    contacts = team.contacts("wang", count=120)
    pages = list(ours.walk_contacts_of(["wang"]))
    assert [len(page.external_contact_list) for page in pages] == [100, 20]
    ours.set_remark("wang", contacts[0], Remark(remark="老客户", company="瓷厂"))

    got = ours.get_contact(contacts[0])
    assert got.follow_user[0].remark == "老客户"
    unionid = got.external_contact.unionid
    assert ours.find_by_unionid(unionid, "o-1").external_userid == contacts[0]
    assert ours.find_by_unionid("u-stranger", "o-1").pending_id
    assert ours.find_contact_by_unionid(unionid, "o-1").external_userid == contacts[0]
    assert ours.get_openid_of_contact(contacts[0])
    midnight = 1774540800
    assert len(ours.get_behaviour(["wang"], midnight, midnight)) == 1


def test_ours_makes_marks_and_deletes_tags(team, ours):
    (contact,) = team.contacts("wang")
    group = ours.add_corp_tags(["金卡", "银卡"], group_name="等级")
    ours.rename_corp_tag(group.tag[0].id, "黑卡")
    ours.mark_tags("wang", contact, add=[group.tag[0].id])
    assert ours.get_contact(contact).follow_user[0].tags[0].tag_name == "黑卡"
    ours.delete_corp_tags(group_ids=[group.group_id])
    assert ours.list_corp_tags() == ()
    assert ours.list_corp_tags(group_ids=[group.group_id])[0].deleted


def test_ours_makes_ways_links_and_welcomes(team, ours, receiver):
    team.keep(callback_url=receiver.url)
    made = ours.add_contact_way(ContactWay(["wang"], state="poster7"))
    ours.update_contact_way(made.config_id, ContactWay(["Li"], state="poster8"))
    kept = ours.get_contact_way(made.config_id)
    assert (kept.state, kept.user, kept.qr_code) == ("poster8", ("Li",), made.qr_code)
    assert sum(len(page.contact_way) for page in ours.walk_contact_ways(0, NOW + 60)) == 1

    (callback,) = team.happen("scan_code", url=made.qr_code, external_userid="wm1")
    code = callback["xml"].partition("<WelcomeCode><![CDATA[")[2].partition("]]>")[0]
    ours.send_welcome(code, "您好", [LINK])
    with pytest.raises(WeChatError) as refused:
        ours.send_welcome(code, "您好")
    assert refused.value.errcode == 41050
    ours.delete_contact_way(made.config_id)

    link = ours.create_acquisition_link("获客", ["wang"])
    team.happen("open_acquisition_link", url=f"{link.url}?customer_channel=a")
    ours.update_acquisition_link(link.link_id, "新", ["wang", "li"])
    assert ours.get_acquisition_link(link.link_id).range.user_list == ("Wang", "Li")
    (page,) = ours.walk_acquired_customers(link.link_id)
    assert [one.state for one in page.customer_list] == ["a"]
    assert ours.get_acquisition_figures(link.link_id, NOW, NOW).new_customer_cnt == 1
    assert ours.get_acquisition_quota().balance == 999
    assert ours.list_acquisition_links() == (link.link_id,)
    ours.delete_acquisition_link(link.link_id)

    template_id = ours.add_group_welcome(GroupWelcome("欢迎", LINK))
    ours.edit_group_welcome(template_id, GroupWelcome("您好"))
    assert ours.get_group_welcome(template_id).text == {"content": "您好"}
    ours.delete_group_welcome(template_id)


def test_ours_writes_to_many_and_publishes(team, ours):
    contacts = team.contacts("wang", count=2)
    made = ours.add_group_message(GroupMessage("新产品", [LINK], external_userids=contacts))
    team.happen("confirm_group_message", userid="wang", msgid=made.msgid)
    ours.remind_of_group_message(made.msgid)

    (tasks,) = ours.walk_group_message_tasks(made.msgid)
    assert [one.status for one in tasks.task_list] == [2]
    (results,) = ours.walk_group_message_results(made.msgid, "wang")
    assert {one.external_userid: one.status for one in results.send_list} == dict.fromkeys(
        contacts, 1
    )
    (listed,) = ours.walk_group_messages(ChatType.SINGLE, NOW - 60, NOW + 60)
    assert [one.msgid for one in listed.group_msg_list] == [made.msgid]
    ours.cancel_group_message(made.msgid)

    job = ours.get_moment_job(ours.add_moment(Moment("好消息", [LINK])))
    moment_id = job.result.moment_id
    team.happen("publish_moment", userid="wang", moment_id=moment_id)
    team.happen("like_moment", userid="wang", moment_id=moment_id, external_userid=contacts[0])
    (page,) = ours.walk_moments(NOW - 60, NOW + 60)
    assert [one.moment_id for one in page.moment_list] == [moment_id]
    (tasks,) = ours.walk_moment_tasks(moment_id)
    assert {one.userid: one.publish_status for one in tasks.task_list} == {"Wang": 1, "Li": 0}
    (seen,) = ours.walk_moment_customers(moment_id, "wang")
    (reached,) = ours.walk_moment_results(moment_id, "wang")
    assert len(seen.customer_list) == len(reached.customer_list) == 2
    assert len(ours.get_moment_reactions(moment_id, "wang").like_list) == 1
    ours.cancel_moment(moment_id)


def test_ours_passes_customers_and_chats_on(team, ours):
    one, two = team.contacts("wang", count=2)
    create = {"change_type": "create", "userid": "wang"}
    for chat_id in ("wr1", "wr2"):
        team.happen("change_external_chat", **create, chat_id=chat_id, members=[one])
    begun = ours.transfer_customers("wang", "li", [one, "wm-unknown"], "您好")
    assert [refused.errcode for refused in begun.refused] == [40096]
    team.happen("accept_transfer", external_userid=one)
    (page,) = ours.walk_transfers("wang", "li")
    assert [row.status for row in page.customer] == [1]

    (chats,) = ours.walk_group_chats(["wang"])
    assert len(chats.group_chat_list) == 2
    assert ours.transfer_chats(["wr1"], "li").failed_chat_list == ()
    assert ours.get_group_chat("wr1", needs_names=True).owner == "Li"
    way = ours.add_join_way(JoinWay(["wr1"], state="a"))
    ours.update_join_way(way, JoinWay(["wr1"], state="b"))
    assert ours.get_join_way(way).state == "b"
    ours.delete_join_way(way)
    (figures,) = ours.walk_chat_figures(["wang", "li"], NOW, NOW)
    assert figures.total == 2
    assert len(ours.get_chat_figures_by_day(["wang"], NOW, NOW)) == 1

    team.happen("change_contact", change_type="delete_user", userid="wang")
    assert ours.transfer_chats_of_leaver(["wr2", "wr1"], "li").failed_chat_list[0].errcode == 90500
    (left,) = ours.walk_unassigned()
    assert [row.external_userid for row in left.info] == [two]
    assert ours.transfer_customers_of_leaver("wang", "li", [two]).refused == ()
    (page,) = ours.walk_transfers_of_leaver("wang", "li")
    assert [row.status for row in page.customer] == [2]


def test_ours_applies_for_approval(team, ours):
    shown = ours.get_approval_template(STANDARD.template_id)
    assert shown.template_names[0]["text"] == STANDARD.name
    contents = [
        {"control": "Text", "id": "Text-1", "value": {"text": "购茶"}},
        {"control": "Money", "id": "Money-1", "value": {"new_money": "1.00"}},
    ]
    number = ours.apply_for(Application("wang", STANDARD.template_id, contents, ["购茶"]))
    assert ours.get_approval(number).sp_status == 1
    (page,) = ours.walk_approval_numbers(NOW - 60, NOW + 60, {"sp_status": "1"})
    assert page.sp_no_list == (number,)
    team.happen("open_approval_change", userid="wang", number="pay-1", status=2)
    assert ours.get_engine_approval("pay-1").status == 2


def test_wechatpy_does_the_same(team, theirs):
    (contact,) = team.contacts("wang")
    external = theirs.external_contact
    way = external.add_contact_way(type=1, scene=2, style=1, remark="x", state="a", user=["wang"])
    external.update_contact_way(way["config_id"], "y", user=["li"])
    assert external.get_contact_way(way["config_id"])["contact_way"]["user"] == ["Li"]
    external.del_contact_way(way["config_id"])
    group = external.add_corp_tag(None, "等级", 1, [{"name": "金卡"}])["tag_group"]
    tag_id = group["tag"][0]["id"]
    external.edit_corp_tag(tag_id, "黑卡")
    external.mark_tag("wang", contact, add_tag=[tag_id])
    assert external.get_corp_tag_list([tag_id])["tag_group"][0]["tag"][0]["name"] == "黑卡"
    (one,) = external.gen_all_by_user("wang")
    assert one["follow_info"]["tag_id"] == [tag_id]
    external.del_corp_tag([tag_id])

    made = external.add_msg_template({"sender": "wang", "text": {"content": "您好"}})
    team.happen("confirm_group_message", userid="wang", msgid=made["msgid"])
    (row,) = external.get_group_msg_result(made["msgid"])["detail_list"]
    assert row["status"] == 1
    team.happen("change_external_chat", change_type="create", userid="wang", chat_id="wr1")
    assert external.get_group_chat_list(limit=10)["group_chat_list"][0]["chat_id"] == "wr1"
    assert external.get_group_chat_info("wr1")["group_chat"]["owner"] == "Wang"
    template = external.add_group_welcome_template({"text": {"content": "欢迎"}})["template_id"]
    assert external.get_group_welcome_template(template)["text"] == {"content": "欢迎"}
    midnight = 1774540800
    figures = external.get_user_behavior_data(["wang"], midnight, midnight)["behavior_data"]
    assert len(figures) == 1
    assert external.get_unassigned_list()["is_last"] is True
    with pytest.raises(Exception, match="41050"):
        external.send_welcome_msg({"welcome_code": "x", "text": {"content": "您好"}})


def test_wechatpy_asks_for_approvals(team, theirs):
    team.happen("open_approval_change", userid="wang", number="pay-1", status=2)
    assert theirs.oa.get_open_approval_data("pay-1")["data"]["ThirdNo"] == "pay-1"
    assert theirs.oa.get_template_detail(STANDARD.template_id)["template_names"]
    assert theirs.oa.get_approval_info(NOW - 60, NOW + 60, 0)["sp_no_list"] == []
