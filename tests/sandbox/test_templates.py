"""Template messages: what is accepted, what is refused and how, and what the person receives."""

import pytest
import requests

from sandbox.wechat.messages import MOST_TEMPLATES

SEND = "/cgi-bin/message/template/send"


def test_a_payslip_notice_arrives_once_with_everything_it_said(client):
    fan = client.fan()

    answer = client.payslip(fan, client_msg_id="payslip:1")

    assert answer["errcode"] == 0
    assert isinstance(answer["msgid"], int)
    (message,) = client.inbox(fan)
    assert message["msgid"] == answer["msgid"]
    assert message["template_id"] == client.account["templates"]["payslip"]
    assert message["client_msg_id"] == "payslip:1"
    assert message["data"]["thing1"] == {"value": "滨江实验学校"}
    assert message["url"].endswith("/me/payslips/1")
    assert message["received_at"].startswith("2026-03-28T02:00:")


def test_the_newest_message_is_last(client):
    fan = client.fan()
    ids = [client.payslip(fan)["msgid"] for _ in range(3)]
    assert [message["msgid"] for message in client.inbox(fan)] == ids


def test_the_same_client_msg_id_within_ten_minutes_is_one_message(client):
    fan, other = client.fans(2)
    first = client.payslip(fan, client_msg_id="a")
    assert client.payslip(fan, client_msg_id="a") == first
    client.payslip(other, client_msg_id="a")
    client.payslip(fan, client_msg_id="b")
    assert len(client.inbox(fan)) == 2
    assert len(client.inbox(other)) == 1

    client.advance(601)
    client.payslip(fan, client_msg_id="a")

    assert len(client.inbox(fan)) == 3
    messages = client.control("GET", "/stats")["messages"]
    assert messages == {"accepted": 4, "delivered": 4, "refused": 0, "duplicates": 1}


def test_a_client_msg_id_has_at_most_32_characters(client):
    assert client.payslip(client.fan(), client_msg_id="x" * 33)["errcode"] == 47003


def test_who_cannot_be_reached_and_why(client):
    stranger, leaver, muter, outcast = client.fans(4)
    client.happen(leaver, "unsubscribe")
    client.happen(muter, "mute", template_id=client.account["templates"]["payslip"])
    client.post("/cgi-bin/tags/members/batchblacklist", {"openid_list": [outcast]})

    assert client.payslip(stranger + "x")["errcode"] == 40003
    assert client.payslip(stranger, template_id="unknown")["errcode"] == 40037
    assert client.payslip(leaver)["errcode"] == 43004
    assert client.payslip(muter)["errcode"] == 43101
    assert client.payslip(outcast)["errcode"] == 43019
    outcasts = {"openid_list": [outcast]}
    client.post("/cgi-bin/tags/members/batchunblacklist", outcasts)
    assert client.payslip(outcast, template_id="unknown")["errcode"] == 40037
    assert all(client.inbox(fan) == [] for fan in (stranger, leaver, muter, outcast))
    assert client.control("GET", "/stats")["messages"]["refused"] == 6


def test_a_mute_survives_leaving_and_coming_back_until_it_is_taken_back(client):
    fan = client.fan()
    template_id = client.account["templates"]["payslip"]
    client.happen(fan, "mute", template_id=template_id)
    client.happen(fan, "unsubscribe")
    client.happen(fan, "subscribe")
    assert client.payslip(fan)["errcode"] == 43101

    client.happen(fan, "unmute", template_id=template_id)

    assert client.payslip(fan)["errcode"] == 0


def test_an_openid_belongs_to_one_account(client):
    fan = client.fan()
    first = client.account
    client.keep_account(name=f"{first['name']}-b", appid="wxother", secret="s", token="t")
    client._token = ""
    template_id = client.account["templates"]["payslip"]
    assert template_id != first["templates"]["payslip"]
    assert client.payslip(fan)["errcode"] == 40003


def test_the_daily_quota_ends_the_day_and_a_new_day_begins_in_china(client):
    client.switch(quotas={SEND: 2})
    fan = client.fan()
    assert [client.payslip(fan)["errcode"] for _ in range(3)] == [0, 0, 45009]
    messages = client.control("GET", "/stats")["messages"]
    assert (messages["accepted"], messages["refused"]) == (2, 1)
    quota = client.post("/cgi-bin/openapi/quota/get", {"cgi_path": SEND})["quota"]
    assert quota == {"daily_limit": 2, "used": 2, "remain": 0}

    client._token = ""
    client.advance(14 * 3600 + 1)  # midnight in Shanghai

    assert client.payslip(fan)["errcode"] == 0


def test_quotas_can_be_cleared_ten_times_a_month(client):
    appid, secret = client.account["appid"], client.account["secret"]
    assert client.post("/cgi-bin/clear_quota", {"appid": "wxother"})["errcode"] == 40013
    for _ in range(9):
        assert client.post("/cgi-bin/clear_quota", {"appid": appid})["errcode"] == 0
    by_secret = {"appid": appid, "appsecret": secret}
    assert client.post("/cgi-bin/clear_quota/v2", by_secret, token=None)["errcode"] == 0
    assert client.post("/cgi-bin/clear_quota", {"appid": appid})["errcode"] == 48006
    wrong = client.post("/cgi-bin/openapi/quota/get", {"cgi_path": "/cgi-bin/nonsense"})
    assert wrong["errcode"] == 76003


def test_clearing_by_secret_needs_the_right_secret(client):
    wrong = {"appid": client.account["appid"], "appsecret": "wrong"}
    assert client.post("/cgi-bin/clear_quota/v2", wrong, token=None)["errcode"] == 40125


@pytest.fixture
def trying(client):
    """Sends a value in a field of the type under test, through the approval template."""
    fan = client.fan()
    values = {"thing1": "工资代发", "thing2": "张会计", "amount3": "¥1.00", "time4": "2026-03-28"}

    def send(key, value):
        data = {name: {"value": text} for name, text in {**values, key: value}.items()}
        template_id = client.account["templates"]["approval"]
        return client.post(SEND, {"touser": fan, "template_id": template_id, "data": data})

    return send


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "一" * 20),
        ("thing1", "工资条 (March) 1,234.50!"[:20]),
        ("amount3", "128600.50"),
        ("amount3", "¥128600.50元"),
        ("time4", "15:01"),
        ("time4", "2019年10月1日 15:01"),
        ("time4", "2026年3月"),
        ("time4", "2026-03-28 15:01:02"),
        ("time4", "2026年3月1日~2026年3月31日"),
        ("time4", "3月28日"),
    ],
)
def test_these_values_are_accepted(trying, key, value):
    assert trying(key, value)["errcode"] == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "一" * 21),
        ("thing1", "两\n行"),
        ("amount3", "128,600.50"),
        ("amount3", "12345678901"),
        ("amount3", "一百元"),
        ("time4", "昨天下午"),
        ("time4", "2026-03-28T15:01"),
    ],
)
def test_these_values_are_refused_with_the_name_of_the_field(trying, key, value):
    answer = trying(key, value)
    assert answer["errcode"] == 47003
    assert answer["errmsg"].startswith(f"argument invalid! data.{key}.value invalid rid: ")


def test_a_missing_field_is_refused_or_left_blank_by_switch(client, trying):
    assert trying("thing2", "")["errcode"] == 47003
    client.switch(missing_fields="blank")
    assert trying("thing2", "")["errcode"] == 0


def test_values_that_are_too_long_are_cut_when_the_switch_says_so(client):
    client.switch(long_values="truncate")
    fan = client.fan()
    data = {"thing1": {"value": "一" * 30}, "time2": {"value": "3月28日"}, "thing3": {"value": "x"}}
    assert client.payslip(fan, data=data)["errcode"] == 0
    assert client.inbox(fan)[0]["data"]["thing1"]["value"] == "一" * 20


def test_emoji_colours_and_the_old_first_and_remark_are_not_shown(client):
    fan = client.fan()
    data = {
        "first": {"value": "您好"},
        "thing1": {"value": "工资🎉到了", "color": "#ff0000"},
        "time2": {"value": "2026年3月"},
        "thing3": {"value": "点击查看"},
    }
    client.payslip(fan, data=data)
    shown = client.inbox(fan)[0]["data"]
    assert shown["thing1"] == {"value": "工资到了"}
    assert "first" not in shown


def test_data_that_is_no_object_and_a_body_without_receiver(client):
    fan = client.fan()
    assert client.payslip(fan, data="text")["errcode"] == 47001
    assert client.payslip(None)["errcode"] == 40003


def test_the_templates_are_listed_added_and_deleted(client):
    listed = client.get("/cgi-bin/template/get_all_private_template")["template_list"]
    payslip = next(one for one in listed if one["title"] == "工资发放通知")
    assert payslip["template_id"] == client.account["templates"]["payslip"]
    assert payslip["content"].startswith("单位名称:{{thing1.DATA}}\n发放月份:{{time2.DATA}}")

    add = {"template_id_short": "OPENTM50001"}
    added = client.post("/cgi-bin/template/api_add_template", add)["template_id"]
    assert added not in {one["template_id"] for one in listed}
    delete = {"template_id": added}
    assert client.post("/cgi-bin/template/del_private_template", delete)["errcode"] == 0
    assert client.post("/cgi-bin/template/del_private_template", delete)["errcode"] == 40037
    unknown = {"template_id_short": "OPENTM1"}
    assert client.post("/cgi-bin/template/api_add_template", unknown)["errcode"] == 40037
    for _ in range(MOST_TEMPLATES - len(listed)):
        assert client.post("/cgi-bin/template/api_add_template", add)["errcode"] == 0
    assert client.post("/cgi-bin/template/api_add_template", add)["errcode"] == 45026


def test_template_ids_are_the_same_after_everything_was_forgotten(client):
    before = client.account["templates"]
    client.control("POST", "/reset")
    (account,) = [
        one for one in client.control("GET", "/accounts")["accounts"] if one["name"] == client.name
    ]
    assert account["templates"] == before


def test_the_industry_can_be_set(client):
    body = {"industry_id1": "7", "industry_id2": "9"}
    assert client.post("/cgi-bin/template/api_set_industry", body)["errcode"] == 0
    industry = client.get("/cgi-bin/template/get_industry")
    assert industry["secondary_industry"] == {"first_class": "金融业", "second_class": "保险"}
    body = {"industry_id1": "7", "industry_id2": "999"}
    assert client.post("/cgi-bin/template/api_set_industry", body)["errcode"] == 40102


def test_chinese_arrives_whether_escaped_or_not(client):
    fan = client.fan()
    body = (
        f'{{"touser":"{fan}","template_id":"{client.account["templates"]["payslip"]}",'
        '"data":{"thing1":{"value":"学校"},"time2":{"value":"3月28日"},'
        '"thing3":{"value":"\\u5de5\\u8d44"}}}'
    )
    query = {"access_token": client.token}
    requests.post(client.url(SEND), params=query, data=body.encode(), timeout=5)
    assert client.inbox(fan)[0]["data"]["thing3"]["value"] == "工资"


def test_a_miniprogram_has_subscription_templates_of_its_own(client):
    assert client.get("/wxaapi/newtmpl/gettemplate")["errcode"] == 48001
    name = f"mp-{client.name}"
    client.keep_account(name=name, kind="miniprogram", appid=f"wx{name}", secret="5ecre7")
    token = client.stable_token()["access_token"]

    answer = client.get("/wxaapi/newtmpl/gettemplate", token=token)

    assert (answer["errcode"], answer["errmsg"]) == (0, "ok")
    payslip, *others = answer["data"]
    assert payslip == {
        "priTmplId": client.account["templates"]["payslip"],
        "title": "工资发放通知",
        "content": "单位名称:{{thing1.DATA}}\n发放月份:{{time2.DATA}}\n温馨提示:{{thing3.DATA}}",
        "example": "单位名称:滨江实验学校\n发放月份:2026年3月\n温馨提示:工资条已发放，点击查看",
        "type": 3,
    }
    assert {one["title"] for one in others} == {"咨询回复通知", "工资条查看提醒"}
    assert client.get("/cgi-bin/template/get_all_private_template", token=token)["errcode"] == 48001
