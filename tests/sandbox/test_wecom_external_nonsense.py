"""No wrong field of any of these APIs breaks the sandbox, and what is kept survives a restart."""

import pytest

from sandbox.server import running
from sandbox.wecom.external import APIS
from tests.sandbox.wecom import Corp

NONSENSE = (None, "", "x", -1, 10**30, True, 1.5, [], ["x"], [None], [[]], {}, {"x": 1}, [{}])
FIELDS_IN_WORDS = (
    "userid external_userid userid_list limit cursor remark remark_mobiles tag_id group_id "
    "group_name tag id name order add_tag remove_tag status_filter owner_filter chat_id need_name "
    "opengid chat_id_list new_owner day_begin_time day_end_time offset order_by order_asc type "
    "scene style user party state is_temp expires_in conclusions config_id room_base_id "
    "auto_create_room start_time end_time chat_type sender text attachments tag_filter "
    "allow_select msgid filter_type creator welcome_code template_id image link notify "
    "visible_range moment_id handover_userid takeover_userid transfer_success_msg page_size "
    "page_id partyid link_name range skip_verify link_id unionid openid subject_type "
    "source_agentid thirdNo creator_userid apply_data summary_list use_template_approver "
    "starttime endtime size new_cursor filters sp_no"
)
FIELDS = tuple(FIELDS_IN_WORDS.split())


def good(corp):
    """Fields that lead deep into most of the APIs."""
    (contact,) = corp.contacts("wang")
    chat = {"userid": "wang", "chat_id": "wr1", "members": [contact]}
    corp.happen("change_external_chat", change_type="create", **chat)
    who = {"userid": "wang", "external_userid": contact}
    return who | {
        "userid_list": ["wang"],
        "limit": 10,
        "remark": "x",
        "group_name": "x",
        "tag": [{"name": "x"}],
        "chat_id": "wr1",
        "chat_id_list": ["wr1"],
        "new_owner": "wang",
        "handover_userid": "wang",
        "takeover_userid": "li",
        "owner_filter": {"userid_list": ["wang"]},
        "day_begin_time": 1774627200,
        "start_time": 1774627200,
        "end_time": 1774627200,
        "type": 1,
        "scene": 2,
        "user": ["wang"],
        "text": {"content": "x"},
        "sender": "wang",
        "chat_type": "single",
        "link_name": "x",
        "range": {"user_list": ["wang"]},
        "template_id": "3WJEcUsFkZ8sTf1qYMtxQ2bHnPvDaLrGuKoE9",
        "unionid": "x",
        "openid": "x",
        "creator_userid": "wang",
        "use_template_approver": 1,
        "starttime": 1774627200,
        "endtime": 1774627200,
    }


@pytest.mark.parametrize("path", sorted(APIS))
def test_no_field_breaks_an_api(corp, path):
    corp.members("Wang", "Li")
    corp.switch(unionid=True, calls_per_minute=10**6, calls_per_hour=10**6)
    body = good(corp)
    if APIS[path].method == "GET":
        assert "errcode" in corp.get(
            path, userid="\x00", external_userid="x", jobid="x", cursor="y"
        )
        return
    for number, name in enumerate(FIELDS):
        wrong = NONSENSE[number % len(NONSENSE)]
        for value in (wrong, [wrong], {"tag_list": wrong, "user_list": wrong, "content": wrong}):
            assert "errcode" in corp.post(path, body | {name: value}), (name, value)


def test_what_was_begun_survives_a_restart(tmp_path):
    with running(tmp_path) as address:
        corp = Corp(address, "ww1", "demo-app").keep(settings={"dispatch_seconds": 0})
        corp.members("Wang", "Li")
        (contact,) = corp.contacts("wang")
        post = lambda name, **body: corp.post(f"/cgi-bin/externalcontact/{name}", body)  # noqa: E731
        config_id = post("add_contact_way", type=1, scene=2, user=["wang"])["config_id"]
        msgid = post("add_msg_template", sender="wang", text={"content": "您好"})["msgid"]
        corp.happen("confirm_group_message", userid="wang", msgid=msgid)
        post("add_moment_task", text={"content": "您好"})
        pair = {"handover_userid": "wang", "takeover_userid": "li"}
        post("transfer_customer", **pair, external_userid=[contact])
        token = corp.token

    with running(tmp_path) as address:
        corp = Corp(address, "ww1", "demo-app", _token=token)
        (got,) = corp.control("GET", f"/wecom/contacts/{contact}/inbox")
        assert got["content"] == {"content": "您好"}
        assert len(corp.happen("scan_code", config_id=config_id)) == 0  # nobody listens
        assert len(corp.control("GET", "/wecom/tasks", account="demo-app")["tasks"]) == 3
        corp.a_day_later()
        result = corp.post("/cgi-bin/externalcontact/transfer_result", pair)["customer"]
        assert [one["status"] for one in result] == [1]
