"""Every call goes out as the official page wants it, and comes back as a typed answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from channel.caps import MEMBER_LIMITS, MemberFull
from channel.wechat.errors import WeChatError
from channel.wechat.transport import File
from channel.wecom.approvals import Application, EngineStatus
from channel.wecom.attachments import (
    AttachedFile,
    AttachedImage,
    AttachedLink,
    AttachedMiniprogram,
    AttachedVideo,
)
from channel.wecom.cards import Page, TextNotice
from channel.wecom.client import WecomClient
from channel.wecom.external_contacts import Remark
from channel.wecom.moments import Moment
from channel.wecom.outgoing import Markdown, Receivers, Text, WecomMediaKind
from channel.wecom.outreach import ChatType, GroupMessage, GroupWelcome
from channel.wecom.ways import ContactWay, JoinWay
from tests.channel.wecom.conftest import API

OK = {"errcode": 0, "errmsg": "ok"}
X = "/cgi-bin/externalcontact"


@dataclass(frozen=True)
class Case:
    """``sends`` is the body of a POST, the query of a GET; ``tells`` what the caller reads."""

    path: str
    call: Callable[[WecomClient], Any]
    sends: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    tells: Callable[[Any], Any] = lambda answer: answer
    expected: Any = None
    method: str = "POST"


def get(path, call, sends, answers, tells, expected):
    return Case(path, call, sends, answers, tells, expected, "GET")


def first(pages):
    return next(iter(pages))


CASES = [
    # --- directory
    get(
        "/cgi-bin/user/get",
        lambda c: c.get_member("zs"),
        {"userid": "zs"},
        {"userid": "zs", "name": "张三", "department": [1, 2]},
        lambda member: (member.name, member.department),
        ("张三", (1, 2)),
    ),
    get(
        "/cgi-bin/user/list",
        lambda c: c.list_members(2),
        {"department_id": "2"},
        {"userlist": [{"userid": "zs", "status": 1}]},
        lambda members: [(one.userid, one.status) for one in members],
        [("zs", 1)],
    ),
    get(
        "/cgi-bin/user/simplelist",
        lambda c: c.list_member_names(2),
        {"department_id": "2"},
        {"userlist": [{"userid": "zs", "name": "张三"}]},
        lambda members: [one.name for one in members],
        ["张三"],
    ),
    Case(
        "/cgi-bin/user/list_id",
        lambda c: first(c.walk_member_ids()),
        {"cursor": "", "limit": 10000},
        {"dept_user": [{"userid": "zs", "department": 1}]},
        lambda page: [(one.userid, one.department) for one in page.dept_user],
        [("zs", 1)],
    ),
    Case(
        "/cgi-bin/user/getuserid",
        lambda c: c.find_userid_by_mobile("13800005678"),
        {"mobile": "13800005678"},
        {"userid": "zs"},
        expected="zs",
    ),
    Case(
        "/cgi-bin/user/convert_to_openid",
        lambda c: c.get_openid_of_member("zs"),
        {"userid": "zs"},
        {"openid": "o1"},
        expected="o1",
    ),
    get(
        "/cgi-bin/department/list",
        lambda c: c.list_departments(1),
        {"id": "1"},
        {"department": [{"id": 2, "name": "营业部", "parentid": 1}]},
        lambda them: [(one.id, one.name, one.parentid) for one in them],
        [(2, "营业部", 1)],
    ),
    get(
        "/cgi-bin/department/simplelist",
        lambda c: c.list_department_ids(),
        {},
        {"department_id": [{"id": 2, "parentid": 1}]},
        lambda them: [(one.id, one.parentid) for one in them],
        [(2, 1)],
    ),
    # --- customers
    get(
        f"{X}/get_follow_user_list",
        lambda c: c.list_follow_users(),
        {},
        {"follow_user": ["zs", "ls"]},
        lambda answer: answer,
        ("zs", "ls"),
    ),
    get(
        f"{X}/list",
        lambda c: c.list_contacts("zs"),
        {"userid": "zs"},
        {"external_userid": ["wm1"]},
        lambda answer: answer,
        ("wm1",),
    ),
    get(
        f"{X}/get",
        lambda c: c.get_contact("wm1"),
        {"external_userid": "wm1"},
        {
            "external_contact": {"external_userid": "wm1", "name": "王五", "type": 1, "gender": 2},
            "follow_user": [
                {
                    "userid": "zs",
                    "createtime": 5,
                    "state": "s1",
                    "add_way": 16,
                    "tags": [{"tag_name": "高净值", "type": 1, "tag_id": "t1"}],
                    "remark_mobiles": None,
                }
            ],
        },
        lambda page: (
            page.external_contact.name,
            page.follow_user[0].tags[0].tag_id,
            page.follow_user[0].state,
            page.follow_user[0].remark_mobiles,
        ),
        ("王五", "t1", "s1", ()),
    ),
    Case(
        f"{X}/batch/get_by_user",
        lambda c: first(c.walk_contacts_of(["zs"])),
        {"userid_list": ["zs"], "cursor": "", "limit": 100},
        {
            "external_contact_list": [
                {
                    "external_contact": {"external_userid": "wm1"},
                    "follow_info": {"userid": "zs", "tag_id": ["t1"]},
                }
            ],
            "fail_info": {"unlicensed_userid_list": ["ls"]},
        },
        lambda page: (
            page.external_contact_list[0].follow_info.tag_id,
            page.fail_info.unlicensed_userid_list,
        ),
        (("t1",), ("ls",)),
    ),
    Case(
        f"{X}/remark",
        lambda c: c.set_remark("zs", "wm1", Remark(remark="王总", mobiles=["13800005678"])),
        {
            "userid": "zs",
            "external_userid": "wm1",
            "remark": "王总",
            "remark_mobiles": ["13800005678"],
        },
    ),
    Case(
        f"{X}/remark",
        lambda c: c.set_remark("zs", "wm1", Remark(description="", company="信桥")),
        {"userid": "zs", "external_userid": "wm1", "description": "", "remark_company": "信桥"},
    ),
    Case(
        f"{X}/get_user_behavior_data",
        lambda c: c.get_behaviour(["zs"], 1, 2),
        {"userid": ["zs"], "start_time": 1, "end_time": 2},
        {"behavior_data": [{"stat_time": 1, "chat_cnt": 3, "reply_percentage": 50.5}]},
        lambda days: (days[0].chat_cnt, days[0].reply_percentage, days[0].avg_reply_time),
        (3, 50.5, None),
    ),
    Case(
        "/cgi-bin/idconvert/unionid_to_external_userid",
        lambda c: c.find_by_unionid("u1", "o1"),
        {"unionid": "u1", "openid": "o1", "subject_type": 0},
        {"pending_id": "p1"},
        lambda found: (found.external_userid, found.pending_id),
        (None, "p1"),
    ),
    Case(
        f"{X}/unionid_to_external_userid",
        lambda c: c.find_contact_by_unionid("u1", "o1"),
        {"unionid": "u1", "openid": "o1"},
        {"external_userid": "wm1"},
        lambda found: found.external_userid,
        "wm1",
    ),
    Case(
        f"{X}/convert_to_openid",
        lambda c: c.get_openid_of_contact("wm1"),
        {"external_userid": "wm1"},
        {"openid": "o1"},
        expected="o1",
    ),
    # --- tags
    Case(
        f"{X}/get_corp_tag_list",
        lambda c: c.list_corp_tags(["t1"], ["g1"]),
        {"tag_id": ["t1"], "group_id": ["g1"]},
        {"tag_group": [{"group_id": "g1", "tag": [{"id": "t1", "name": "高净值"}]}]},
        lambda groups: groups[0].tag[0].name,
        "高净值",
    ),
    Case(
        f"{X}/add_corp_tag",
        lambda c: c.add_corp_tags(["高净值"], group_name="等级"),
        {"tag": [{"name": "高净值"}], "group_name": "等级", "agentid": "1000002"},
        {"tag_group": {"group_id": "g1", "tag": [{"id": "t1", "name": "高净值"}]}},
        lambda group: group.tag[0].id,
        "t1",
    ),
    Case(
        f"{X}/add_corp_tag",
        lambda c: c.add_corp_tags(["高净值"], group_id="g1"),
        {"tag": [{"name": "高净值"}], "group_id": "g1", "agentid": "1000002"},
        {"tag_group": {"group_id": "g1"}},
        lambda group: group.tag,
        (),
    ),
    Case(
        f"{X}/edit_corp_tag",
        lambda c: c.rename_corp_tag("t1", "新"),
        {"id": "t1", "name": "新", "agentid": "1000002"},
    ),
    Case(
        f"{X}/del_corp_tag",
        lambda c: c.delete_corp_tags(["t1"], ["g1"]),
        {"tag_id": ["t1"], "group_id": ["g1"], "agentid": "1000002"},
    ),
    Case(
        f"{X}/mark_tag",
        lambda c: c.mark_tags("zs", "wm1", add=["t1"], remove=["t2"]),
        {"userid": "zs", "external_userid": "wm1", "add_tag": ["t1"], "remove_tag": ["t2"]},
    ),
    # --- ways to us
    Case(
        f"{X}/add_contact_way",
        lambda c: c.add_contact_way(ContactWay(["zs"], state="s1")),
        {
            "type": 1,
            "scene": 2,
            "user": ["zs"],
            "party": [],
            "state": "s1",
            "remark": "",
            "skip_verify": True,
            "is_exclusive": False,
        },
        {"config_id": "c1", "qr_code": "https://p.example/1"},
        lambda added: (added.config_id, added.qr_code),
        ("c1", "https://p.example/1"),
    ),
    Case(
        f"{X}/get_contact_way",
        lambda c: c.get_contact_way("c1"),
        {"config_id": "c1"},
        {"contact_way": {"config_id": "c1", "type": 1, "user": ["zs"], "state": "s1"}},
        lambda way: (way.user, way.state),
        (("zs",), "s1"),
    ),
    Case(
        f"{X}/list_contact_way",
        lambda c: first(c.walk_contact_ways(1, 2)),
        {"start_time": 1, "end_time": 2, "cursor": "", "limit": 1000},
        {"contact_way": [{"config_id": "c1"}]},
        lambda page: [one.config_id for one in page.contact_way],
        ["c1"],
    ),
    Case(
        f"{X}/update_contact_way",
        lambda c: c.update_contact_way("c1", ContactWay(["zs", "ls"], state="s2")),
        {
            "config_id": "c1",
            "user": ["zs", "ls"],
            "party": [],
            "state": "s2",
            "remark": "",
            "skip_verify": True,
            "is_exclusive": False,
        },
    ),
    Case(f"{X}/del_contact_way", lambda c: c.delete_contact_way("c1"), {"config_id": "c1"}),
    Case(
        f"{X}/groupchat/add_join_way",
        lambda c: c.add_join_way(JoinWay(["wr1"], state="s1", room_name="理财群")),
        {
            "scene": 2,
            "chat_id_list": ["wr1"],
            "state": "s1",
            "remark": "",
            "auto_create_room": 1,
            "room_base_name": "理财群",
            "room_base_id": 1,
        },
        {"config_id": "c1"},
        expected="c1",
    ),
    Case(
        f"{X}/groupchat/get_join_way",
        lambda c: c.get_join_way("c1"),
        {"config_id": "c1"},
        {"join_way": {"config_id": "c1", "qr_code": "https://p.example/1", "auto_create_room": 1}},
        lambda way: (way.qr_code, way.auto_create_room),
        ("https://p.example/1", True),
    ),
    Case(
        f"{X}/groupchat/update_join_way",
        lambda c: c.update_join_way("c1", JoinWay(["wr1"], makes_new_rooms=False)),
        {
            "config_id": "c1",
            "scene": 2,
            "chat_id_list": ["wr1"],
            "state": "",
            "remark": "",
            "auto_create_room": 0,
        },
    ),
    Case(f"{X}/groupchat/del_join_way", lambda c: c.delete_join_way("c1"), {"config_id": "c1"}),
    Case(
        f"{X}/customer_acquisition/create_link",
        lambda c: c.create_acquisition_link("开户", ["zs"]),
        {"link_name": "开户", "range": {"user_list": ["zs"]}, "skip_verify": True},
        {"link": {"link_id": "l1", "url": "https://work.weixin.qq.com/ca/l1"}},
        lambda link: link.url,
        "https://work.weixin.qq.com/ca/l1",
    ),
    Case(
        f"{X}/customer_acquisition/update_link",
        lambda c: c.update_acquisition_link("l1", "开户", ["ls"]),
        {"link_id": "l1", "link_name": "开户", "range": {"user_list": ["ls"]}},
    ),
    Case(
        f"{X}/customer_acquisition/delete_link",
        lambda c: c.delete_acquisition_link("l1"),
        {"link_id": "l1"},
    ),
    Case(
        f"{X}/customer_acquisition/get",
        lambda c: c.get_acquisition_link("l1"),
        {"link_id": "l1"},
        {"link": {"link_id": "l1"}, "range": {"user_list": ["zs"]}},
        lambda detail: detail.range.user_list,
        ("zs",),
    ),
    Case(
        f"{X}/customer_acquisition/list_link",
        lambda c: c.list_acquisition_links(),
        {"cursor": "", "limit": 100},
        {"link_id_list": ["l1", "l2"]},
        expected=("l1", "l2"),
    ),
    Case(
        f"{X}/customer_acquisition/customer",
        lambda c: first(c.walk_acquired_customers("l1")),
        {"link_id": "l1", "cursor": "", "limit": 1000},
        {"customer_list": [{"external_userid": "wm1", "userid": "zs", "chat_status": 1}]},
        lambda page: page.customer_list[0].external_userid,
        "wm1",
    ),
    Case(
        f"{X}/customer_acquisition/statistic",
        lambda c: c.get_acquisition_figures("l1", 1, 2),
        {"link_id": "l1", "start_time": 1, "end_time": 2},
        {"click_link_customer_cnt": 9, "new_customer_cnt": 4},
        lambda figures: (figures.click_link_customer_cnt, figures.new_customer_cnt),
        (9, 4),
    ),
    get(
        f"{X}/customer_acquisition_quota",
        lambda c: c.get_acquisition_quota(),
        {},
        {"total": 1000, "balance": 10},
        lambda quota: (quota.total, quota.balance),
        (1000, 10),
    ),
    # --- groups
    Case(
        f"{X}/groupchat/list",
        lambda c: first(c.walk_group_chats(["zs"])),
        {"status_filter": 0, "limit": 1000, "owner_filter": {"userid_list": ["zs"]}, "cursor": ""},
        {"group_chat_list": [{"chat_id": "wr1", "status": 0}]},
        lambda page: page.group_chat_list[0].chat_id,
        "wr1",
    ),
    Case(
        f"{X}/groupchat/list",
        lambda c: first(c.walk_group_chats()),
        {"status_filter": 0, "limit": 1000, "cursor": ""},
        {"group_chat_list": []},
        lambda page: page.group_chat_list,
        (),
    ),
    Case(
        f"{X}/groupchat/get",
        lambda c: c.get_group_chat("wr1", needs_names=True),
        {"chat_id": "wr1", "need_name": 1},
        {
            "group_chat": {
                "chat_id": "wr1",
                "owner": "zs",
                "member_list": [
                    {"userid": "zs", "type": 1, "invitor": {"userid": "ls"}},
                    {"userid": "wm1", "type": 2},
                ],
                "admin_list": [{"userid": "zs"}],
            }
        },
        lambda chat: (
            chat.owner,
            [one.type for one in chat.member_list],
            chat.admin_list[0].userid,
        ),
        ("zs", [1, 2], "zs"),
    ),
    Case(
        f"{X}/groupchat/transfer",
        lambda c: c.transfer_chats_of_leaver(["wr1", "wr2"], "ls"),
        {"chat_id_list": ["wr1", "wr2"], "new_owner": "ls"},
        {"failed_chat_list": [{"chat_id": "wr2", "errcode": 90500, "errmsg": "not resigned"}]},
        lambda answer: [(one.chat_id, one.errcode) for one in answer.failed_chat_list],
        [("wr2", 90500)],
    ),
    Case(
        f"{X}/groupchat/onjob_transfer",
        lambda c: c.transfer_chats(["wr1"], "ls"),
        {"chat_id_list": ["wr1"], "new_owner": "ls"},
        {"failed_chat_list": []},
        lambda answer: answer.failed_chat_list,
        (),
    ),
    Case(
        f"{X}/groupchat/statistic",
        lambda c: first(c.walk_chat_figures(["zs"], 1, 2)),
        {
            "day_begin_time": 1,
            "day_end_time": 2,
            "owner_filter": {"userid_list": ["zs"]},
            "offset": 0,
            "limit": 1000,
        },
        {"total": 1, "next_offset": 1, "items": [{"owner": "zs", "data": {"chat_total": 7}}]},
        lambda page: page.items[0].data.chat_total,
        7,
    ),
    Case(
        f"{X}/groupchat/statistic_group_by_day",
        lambda c: c.get_chat_figures_by_day(["zs"], 1, 2),
        {"day_begin_time": 1, "day_end_time": 2, "owner_filter": {"userid_list": ["zs"]}},
        {"items": [{"stat_time": 1, "data": {"msg_total": 9}}]},
        lambda days: days[0].data.msg_total,
        9,
    ),
    # --- messages to customers
    Case(
        f"{X}/send_welcome_msg",
        lambda c: c.send_welcome("w1", "您好", [AttachedImage(pic_url="https://p.example/1")]),
        {
            "welcome_code": "w1",
            "text": {"content": "您好"},
            "attachments": [{"msgtype": "image", "image": {"pic_url": "https://p.example/1"}}],
        },
    ),
    Case(
        f"{X}/add_msg_template",
        lambda c: c.add_group_message(
            GroupMessage(
                "通知", [AttachedVideo("v1")], external_userids=["wm1", "wm2"], sender="zs"
            )
        ),
        {
            "chat_type": "single",
            "external_userid": ["wm1", "wm2"],
            "sender": "zs",
            "allow_select": False,
            "text": {"content": "通知"},
            "attachments": [{"msgtype": "video", "video": {"media_id": "v1"}}],
        },
        {"msgid": "m1", "fail_list": ["wm2"]},
        lambda made: (made.msgid, made.fail_list),
        ("m1", ("wm2",)),
    ),
    Case(
        f"{X}/add_msg_template",
        lambda c: c.add_group_message(
            GroupMessage(
                attachments=[AttachedFile("f1")],
                chat_type=ChatType.GROUP,
                chat_ids=["wr1"],
                tags=[["t1", "t2"]],
                sender="zs",
            )
        ),
        {
            "chat_type": "group",
            "chat_id_list": ["wr1"],
            "tag_filter": {"group_list": [{"tag_list": ["t1", "t2"]}]},
            "sender": "zs",
            "allow_select": False,
            "attachments": [{"msgtype": "file", "file": {"media_id": "f1"}}],
        },
        {"msgid": "m1"},
        lambda made: made.fail_list,
        (),
    ),
    Case(
        f"{X}/get_groupmsg_list_v2",
        lambda c: first(c.walk_group_messages(ChatType.SINGLE, 1, 2, "zs")),
        {
            "chat_type": "single",
            "start_time": 1,
            "end_time": 2,
            "limit": 100,
            "creator": "zs",
            "cursor": "",
        },
        {"group_msg_list": [{"msgid": "m1", "create_time": 5, "text": {"content": "通知"}}]},
        lambda page: page.group_msg_list[0].create_time,
        5,
    ),
    Case(
        f"{X}/get_groupmsg_task",
        lambda c: first(c.walk_group_message_tasks("m1")),
        {"msgid": "m1", "limit": 1000, "cursor": ""},
        {"task_list": [{"userid": "zs", "status": 2, "send_time": 5}]},
        lambda page: page.task_list[0].status,
        2,
    ),
    Case(
        f"{X}/get_groupmsg_send_result",
        lambda c: first(c.walk_group_message_results("m1", "zs")),
        {"msgid": "m1", "userid": "zs", "limit": 500, "cursor": ""},
        {"send_list": [{"userid": "zs", "external_userid": "wm1", "status": 3}]},
        lambda page: page.send_list[0].status,
        3,
    ),
    Case(f"{X}/remind_groupmsg_send", lambda c: c.remind_of_group_message("m1"), {"msgid": "m1"}),
    Case(f"{X}/cancel_groupmsg_send", lambda c: c.cancel_group_message("m1"), {"msgid": "m1"}),
    Case(
        f"{X}/group_welcome_template/add",
        lambda c: c.add_group_welcome(
            GroupWelcome("欢迎", AttachedLink("产品", "https://b.example"))
        ),
        {
            "text": {"content": "欢迎"},
            "link": {"title": "产品", "url": "https://b.example"},
            "notify": 0,
        },
        {"template_id": "t1"},
        expected="t1",
    ),
    Case(
        f"{X}/group_welcome_template/edit",
        lambda c: c.edit_group_welcome(
            "t1", GroupWelcome(attachment=AttachedMiniprogram("小程序", "p1", "wxmini", "pages/a"))
        ),
        {
            "template_id": "t1",
            "miniprogram": {
                "title": "小程序",
                "pic_media_id": "p1",
                "appid": "wxmini",
                "page": "pages/a",
            },
        },
    ),
    Case(
        f"{X}/group_welcome_template/get",
        lambda c: c.get_group_welcome("t1"),
        {"template_id": "t1"},
        {"text": {"content": "欢迎"}},
        lambda kept: kept.text,
        {"content": "欢迎"},
    ),
    Case(
        f"{X}/group_welcome_template/del",
        lambda c: c.delete_group_welcome("t1"),
        {"template_id": "t1"},
    ),
    # --- moments
    Case(
        f"{X}/add_moment_task",
        lambda c: c.add_moment(
            Moment(
                "新品",
                [AttachedLink("产品", "https://b.example", "https://p.example/1", "好")],
                ["zs"],
                [2],
                ["t1"],
            )
        ),
        {
            "text": {"content": "新品"},
            "attachments": [
                {
                    "msgtype": "link",
                    "link": {
                        "title": "产品",
                        "url": "https://b.example",
                        "picurl": "https://p.example/1",
                        "desc": "好",
                    },
                }
            ],
            "visible_range": {
                "sender_list": {"user_list": ["zs"], "department_list": [2]},
                "external_contact_list": {"tag_list": ["t1"]},
            },
        },
        {"jobid": "j1"},
        expected="j1",
    ),
    Case(
        f"{X}/add_moment_task",
        lambda c: c.add_moment(Moment("新品")),
        {"text": {"content": "新品"}},
        {"jobid": "j1"},
        expected="j1",
    ),
    get(
        f"{X}/get_moment_task_result",
        lambda c: c.get_moment_job("j1"),
        {"jobid": "j1"},
        {
            "status": 3,
            "type": "add_moment_task",
            "result": {
                "errcode": 0,
                "moment_id": "mo1",
                "invalid_sender_list": {"user_list": ["gone"], "department_list": []},
            },
        },
        lambda job: (job.result.moment_id, job.result.invalid_sender_list.user_list),
        ("mo1", ("gone",)),
    ),
    Case(f"{X}/cancel_moment_task", lambda c: c.cancel_moment("mo1"), {"moment_id": "mo1"}),
    Case(
        f"{X}/get_moment_list",
        lambda c: first(c.walk_moments(1, 2, "zs")),
        {"start_time": 1, "end_time": 2, "limit": 20, "creator": "zs", "cursor": ""},
        {"moment_list": [{"moment_id": "mo1", "image": [{"media_id": "p1"}]}]},
        lambda page: page.moment_list[0].image,
        ({"media_id": "p1"},),
    ),
    Case(
        f"{X}/get_moment_task",
        lambda c: first(c.walk_moment_tasks("mo1")),
        {"moment_id": "mo1", "cursor": "", "limit": 1000},
        {"task_list": [{"userid": "zs", "publish_status": 1}]},
        lambda page: page.task_list[0].publish_status,
        1,
    ),
    Case(
        f"{X}/get_moment_customer_list",
        lambda c: first(c.walk_moment_customers("mo1", "zs")),
        {"moment_id": "mo1", "userid": "zs", "cursor": "", "limit": 1000},
        {"customer_list": [{"userid": "zs", "external_userid": "wm1"}]},
        lambda page: page.customer_list[0].external_userid,
        "wm1",
    ),
    Case(
        f"{X}/get_moment_send_result",
        lambda c: first(c.walk_moment_results("mo1", "zs")),
        {"moment_id": "mo1", "userid": "zs", "cursor": "", "limit": 3000},
        {"customer_list": [{"external_userid": "wm1"}]},
        lambda page: page.customer_list[0].external_userid,
        "wm1",
    ),
    Case(
        f"{X}/get_moment_comments",
        lambda c: c.get_moment_reactions("mo1", "zs"),
        {"moment_id": "mo1", "userid": "zs"},
        {
            "comment_list": [{"external_userid": "wm1", "create_time": 5}],
            "like_list": [{"userid": "zs", "create_time": 6}],
        },
        lambda them: (them.comment_list[0].external_userid, them.like_list[0].userid),
        ("wm1", "zs"),
    ),
    # --- passing on
    Case(
        f"{X}/transfer_customer",
        lambda c: c.transfer_customers("zs", "ls", ["wm1", "wm2"], "您好"),
        {
            "handover_userid": "zs",
            "takeover_userid": "ls",
            "external_userid": ["wm1", "wm2"],
            "transfer_success_msg": "您好",
        },
        {
            "customer": [
                {"external_userid": "wm1", "errcode": 0},
                {"external_userid": "wm2", "errcode": 40096},
            ]
        },
        lambda begun: [(one.external_userid, one.errcode) for one in begun.refused],
        [("wm2", 40096)],
    ),
    Case(
        f"{X}/transfer_result",
        lambda c: first(c.walk_transfers("zs", "ls")),
        {"handover_userid": "zs", "takeover_userid": "ls", "cursor": ""},
        {"customer": [{"external_userid": "wm1", "status": 3}]},
        lambda page: page.customer[0].status,
        3,
    ),
    Case(
        f"{X}/resigned/transfer_customer",
        lambda c: c.transfer_customers_of_leaver("zs", "ls", ["wm1"]),
        {"handover_userid": "zs", "takeover_userid": "ls", "external_userid": ["wm1"]},
        {"customer": [{"external_userid": "wm1", "errcode": 0}]},
        lambda begun: begun.refused,
        (),
    ),
    Case(
        f"{X}/resigned/transfer_result",
        lambda c: first(c.walk_transfers_of_leaver("zs", "ls")),
        {"handover_userid": "zs", "takeover_userid": "ls", "cursor": ""},
        {"customer": [{"external_userid": "wm1", "status": 1, "takeover_time": 5}]},
        lambda page: page.customer[0].takeover_time,
        5,
    ),
    Case(
        f"{X}/get_unassigned_list",
        lambda c: first(c.walk_unassigned()),
        {"page_size": 1000, "cursor": ""},
        {
            "info": [{"handover_userid": "zs", "external_userid": "wm1", "dimission_time": 5}],
            "is_last": True,
            "next_cursor": "more",
        },
        lambda page: page.info[0].dimission_time,
        5,
    ),
    # --- approvals
    Case(
        "/cgi-bin/corp/getopenapprovaldata",
        lambda c: c.get_engine_approval("no1"),
        {"thirdNo": "no1"},
        {
            "data": {
                "ThirdNo": "no1",
                "OpenTemplateId": "t1",
                "OpenSpstatus": 2,
                "ApplyTime": 5,
                "ApplyUserId": "zs",
                "ApprovalNodes": {
                    "ApprovalNode": [
                        {
                            "NodeStatus": 2,
                            "NodeAttr": 1,
                            "NodeType": 1,
                            "Items": {
                                "Item": [{"ItemUserId": "ls", "ItemStatus": 2, "ItemOpTime": 6}]
                            },
                        }
                    ]
                },
                "approverstep": 1,
            }
        },
        lambda it: (
            it.status,
            it.applicant,
            it.step,
            it.nodes.nodes[0].approvers.items[0].userid,
            it.nodes.nodes[0].approvers.items[0].decided_at,
        ),
        (EngineStatus.APPROVED, "zs", 1, "ls", 6),
    ),
    Case(
        "/cgi-bin/corp/getopenapprovaldata",
        lambda c: c.get_engine_approval("no1"),
        {"thirdNo": "no1"},
        {
            "data": {
                "ThirdNo": "no1",
                "OpenSpstatus": 1,
                "ApprovalNodes": {
                    "ApprovalNode": {
                        "NodeStatus": 1,
                        "Items": {"Item": {"ItemUserId": "ls", "ItemStatus": 1}},
                    }
                },
            }
        },
        lambda it: it.nodes.nodes[0].approvers.items[0].userid,
        "ls",
    ),
    Case(
        "/cgi-bin/oa/gettemplatedetail",
        lambda c: c.get_approval_template("t1"),
        {"template_id": "t1"},
        {"template_names": [{"text": "付款", "lang": "zh_CN"}], "template_content": {"a": 1}},
        lambda template: template.template_names[0]["text"],
        "付款",
    ),
    Case(
        "/cgi-bin/oa/applyevent",
        lambda c: c.apply_for(
            Application("zs", "t1", [{"control": "Text", "id": "T-1"}], ["代发"])
        ),
        {
            "creator_userid": "zs",
            "template_id": "t1",
            "use_template_approver": 1,
            "apply_data": {"contents": [{"control": "Text", "id": "T-1"}]},
            "summary_list": [{"summary_info": [{"text": "代发", "lang": "zh_CN"}]}],
        },
        {"sp_no": "202603050001"},
        expected="202603050001",
    ),
    Case(
        "/cgi-bin/oa/getapprovalinfo",
        lambda c: first(c.walk_approval_numbers(1, 2, {"template_id": "t1"})),
        {
            "starttime": "1",
            "endtime": "2",
            "size": 100,
            "filters": [{"key": "template_id", "value": "t1"}],
            "new_cursor": "",
        },
        {"sp_no_list": [202603050001]},
        lambda page: page.sp_no_list,
        ("202603050001",),
    ),
    Case(
        "/cgi-bin/oa/getapprovaldetail",
        lambda c: c.get_approval("202603050001"),
        {"sp_no": "202603050001"},
        {"info": {"sp_no": "202603050001", "sp_status": 2, "sp_record": [{"sp_status": 2}]}},
        lambda detail: (detail.sp_status, len(detail.sp_record)),
        (2, 1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_call_is_asked_and_read_as_the_page_says(wecom, tokens, case):
    tokens.add(case.method, API + case.path, json=OK | dict(case.answers))

    told = case.tells(case.call(wecom))

    asked = tokens.calls[-1].request
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.url).query).items()}
    assert query.pop("access_token") == "token-1"
    assert (json.loads(asked.body) if case.method == "POST" else query) == case.sends
    assert told == case.expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_refusal_beside_empty_lists_is_never_an_answer(wecom, tokens, case):
    empty = {name: [] for name, value in case.answers.items() if isinstance(value, list)}
    tokens.add(case.method, API + case.path, json={"errcode": 99999, "errmsg": "no"} | empty)

    with pytest.raises(WeChatError) as refused:
        case.call(wecom)

    assert refused.value.errcode == 99999


def test_pages_are_followed_to_the_end(wecom, tokens):
    for ids, cursor in ((["t1"], "second"), (["t2"], "third"), ([], "")):
        answer = {"task_list": [{"userid": id_, "status": 0} for id_ in ids]}
        tokens.post(f"{API}{X}/get_groupmsg_task", json=OK | answer | {"next_cursor": cursor})

    pages = list(wecom.walk_group_message_tasks("m1"))

    assert [one.userid for page in pages for one in page.task_list] == ["t1", "t2"]
    asked = [json.loads(call.request.body)["cursor"] for call in tokens.calls[1:]]
    assert asked == ["", "second", "third"]


def test_a_cursor_that_comes_again_ends_the_walk(wecom, tokens):
    answer = {"task_list": [{"userid": "zs", "status": 0}], "next_cursor": "again"}
    tokens.post(f"{API}{X}/get_groupmsg_task", json=OK | answer)

    assert len(list(wecom.walk_group_message_tasks("m1"))) == 2


def test_a_walk_that_is_refused_on_its_second_page_says_so(wecom, tokens):
    tokens.get(
        f"{API}{X}/get",
        json=OK | {"external_contact": {"external_userid": "wm1"}, "next_cursor": "more"},
    )
    tokens.get(f"{API}{X}/get", json={"errcode": 40096, "errmsg": "no", "follow_user": []})

    walk = wecom.walk_follows("wm1")

    assert next(walk).external_contact.external_userid == "wm1"
    with pytest.raises(WeChatError):
        next(walk)
    assert "cursor=more" in tokens.calls[-1].request.url


def test_figures_are_walked_by_their_offset(wecom, tokens):
    for offset, following in ((0, 1), (1, 2)):
        answer = {
            "total": 2,
            "next_offset": following,
            "items": [{"owner": f"o{offset}", "data": {}}],
        }
        tokens.post(f"{API}{X}/groupchat/statistic", json=OK | answer)

    pages = list(wecom.walk_chat_figures(["zs"], 1, 2))

    assert [page.items[0].owner for page in pages] == ["o0", "o1"]
    assert json.loads(tokens.calls[-1].request.body)["offset"] == 1


def test_a_last_page_of_unassigned_customers_is_the_last_whatever_its_cursor(wecom, tokens):
    answer = {"info": [], "is_last": True, "next_cursor": "more"}
    tokens.post(f"{API}{X}/get_unassigned_list", json=OK | answer)

    assert len(list(wecom.walk_unassigned())) == 1


# --- messages of the app ----------------------------------------------------------------------


def test_a_message_tells_whom_it_did_not_reach(wecom, tokens):
    answer = {"invaliduser": "ls|ww", "invalidparty": "", "unlicenseduser": "zl", "msgid": "m1"}
    tokens.post(f"{API}/cgi-bin/message/send", json=OK | answer)

    sent = wecom.send_message(Receivers(["zs", "ls"], [1], [2]), Text("工资条已发放"))

    assert json.loads(tokens.calls[-1].request.body) == {
        "touser": "zs|ls",
        "toparty": "1",
        "totag": "2",
        "msgtype": "text",
        "text": {"content": "工资条已发放"},
        "agentid": 1000002,
    }
    assert "工资条已发放".encode() in tokens.calls[-1].request.body
    assert (sent.msgid, sent.invaliduser, sent.invalidparty) == ("m1", ("ls", "ww"), ())
    assert sent.unlicenseduser == ("zl",)
    assert not sent.is_complete


def test_no_member_gets_more_messages_or_cards_than_wecom_delivers(wecom, tokens):
    tokens.post(f"{API}/cgi-bin/message/send", json=OK | {"msgid": "m1"})
    card = TextNotice(title="待审批", page=Page("https://bank.example/a"))
    for number in range(MEMBER_LIMITS[0][0]):
        wecom.send_message(Receivers(["zs"]), card if number % 2 else Text("你好"))
    asked = len(tokens.calls)

    with pytest.raises(MemberFull) as refused:
        wecom.send_message(Receivers(["ls", "zs"]), card)

    assert 0 < refused.value.retry_after_seconds <= 120
    assert len(tokens.calls) == asked
    wecom.send_message(Receivers(["ls"], partyids=[1]), card)
    wecom.send_message(Receivers(partyids=[1]), card)
    assert len(tokens.calls) == asked + 2


def test_everybody_may_be_written_to_and_repeats_dropped(wecom, tokens):
    tokens.post(f"{API}/cgi-bin/message/send", json=OK | {"msgid": "m1"})

    sent = wecom.send_message(
        Receivers(is_everybody=True),
        Markdown("**通知**"),
        is_confidential=True,
        drop_repeats_for_seconds=99_999,
    )

    body = json.loads(tokens.calls[-1].request.body)
    assert (body["touser"], body["safe"]) == ("@all", 1)
    assert (body["enable_duplicate_check"], body["duplicate_check_interval"]) == (1, 14_400)
    assert sent.is_complete


def test_a_message_whose_repeat_is_dropped_is_sent_again_when_they_are_busy(
    account, client_of, tokens
):
    slept = []
    wecom = client_of(account, sleep=slept.append)
    tokens.post(f"{API}/cgi-bin/message/send", json={"errcode": -1, "errmsg": "busy"})
    tokens.post(f"{API}/cgi-bin/message/send", json=OK | {"msgid": "m1"})

    sent = wecom.send_message(Receivers(["zs"]), Text("你好"), drop_repeats_for_seconds=1800)

    assert (sent.msgid, len(slept)) == ("m1", 1)


def test_a_message_is_recalled_and_cards_are_changed(wecom, tokens):
    tokens.post(f"{API}/cgi-bin/message/recall", json=OK)
    changed = OK | {"invaliduser": ["ls"]}
    tokens.post(f"{API}/cgi-bin/message/update_template_card", json=changed)

    wecom.recall_message("m1")
    assert json.loads(tokens.calls[-1].request.body) == {"msgid": "m1"}

    updated = wecom.replace_card_button("code", "已同意", ["zs", "ls"])
    assert json.loads(tokens.calls[-1].request.body) == {
        "agentid": 1000002,
        "response_code": "code",
        "button": {"replace_name": "已同意"},
        "userids": ["zs", "ls"],
    }
    assert updated.invaliduser == ("ls",)


def test_a_file_is_uploaded_whole_and_again_whole_after_a_refused_token(wecom, tokens):
    url = f"{API}/cgi-bin/media/upload"
    tokens.post(url, json={"errcode": 42001, "errmsg": "expired"})
    tokens.post(url, json=OK | {"type": "file", "media_id": "m1", "created_at": "1380000000"})
    content = bytes(range(256)) * 20

    media = wecom.upload_media(WecomMediaKind.FILE, File("工资条.pdf", content, "application/pdf"))

    assert (media.media_id, media.created_at) == ("m1", 1_380_000_000)
    for call in tokens.calls[-3], tokens.calls[-1]:
        assert content in call.request.body
        assert b'name="media"' in call.request.body
        assert "工资条.pdf".encode() in call.request.body
        assert "type=file" in call.request.url


def test_an_upload_is_not_repeated_when_it_may_have_arrived(wecom, tokens):
    tokens.post(f"{API}/cgi-bin/media/upload", json={"errcode": -1, "errmsg": "busy"})

    with pytest.raises(WeChatError):
        wecom.upload_media(WecomMediaKind.IMAGE, File("a.png", b"a picture"))

    assert len([call for call in tokens.calls if "/upload" in call.request.url]) == 1


def test_a_file_comes_back_as_bytes_or_as_a_refusal(wecom, tokens):
    url = f"{API}/cgi-bin/media/get"
    tokens.get(url, body=b"\x89PNG...", content_type="image/png")
    tokens.get(url, json={"errcode": 40007, "errmsg": "invalid media_id"})

    picture = wecom.get_media("m1")
    with pytest.raises(WeChatError):
        wecom.get_media("m2")

    assert (picture.content, picture.content_type) == (b"\x89PNG...", "image/png")
