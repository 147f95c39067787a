"""Template cards: the five kinds, tapping them, and changing them afterwards."""

import copy

import pytest
import xmltodict

from channel.wechat.crypto import MessageCrypto
from tests.sandbox.wecom import AES_KEY

TITLE = {"main_title": {"title": "付款审批"}}
ACTION = {"card_action": {"type": 1, "url": "http://127.0.0.1:8000/"}}
OPTIONS = [{"id": "a", "text": "同意"}, {"id": "b", "text": "不同意"}]
SUBMIT = {"submit_button": {"text": "提交", "key": "submit"}}
CARDS = {
    "text_notice": TITLE | ACTION,
    "news_notice": TITLE | ACTION | {"card_image": {"url": "http://x/y.png"}},
    "button_interaction": TITLE
    | {
        "task_id": "t1",
        "button_list": [{"text": "批准", "key": "yes"}, {"text": "驳回", "key": "no"}],
        "button_selection": {"question_key": "q", "option_list": OPTIONS},
    },
    "vote_interaction": TITLE
    | SUBMIT
    | {"task_id": "t1", "checkbox": {"question_key": "q", "option_list": OPTIONS}},
    "multiple_interaction": TITLE
    | SUBMIT
    | {"task_id": "t1", "select_list": [{"question_key": "q", "option_list": OPTIONS}]},
}
MENU = {"action_menu": {"desc": "更多", "action_list": [{"text": "不再提醒", "key": "mute"}]}}

CARD_REPLY = (
    "<MsgType>update_template_card</MsgType><TemplateCard><CardType>text_notice</CardType>"
    "<MainTitle><Title>办完了</Title></MainTitle></TemplateCard>"
)


@pytest.fixture
def app(corp, receiver):
    corp.members("Wang", "Li")
    return corp.keep(callback_url=receiver.url, settings={"callback_retry_seconds": 0})


def send(app, kind, touser="wang", **more):
    return app.send(touser, "template_card", {"card_type": kind, **CARDS[kind], **more})


def update(app, code, **more):
    body = {"userids": ["wang"], "agentid": app.agentid, "response_code": code, **more}
    return app.post("/cgi-bin/message/update_template_card", body)


@pytest.mark.parametrize("kind", CARDS)
def test_each_kind_is_shown(app, kind):
    answer = send(app, kind)
    assert answer["errcode"] == 0, answer
    assert ("response_code" in answer) == kind.endswith("interaction")
    assert app.inbox("wang")[0]["content"]["card_type"] == kind


def test_a_notice_with_a_menu_can_be_answered(app):
    assert "response_code" in send(app, "text_notice", task_id="t2", **MENU)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("text_notice", {"card_action": None}),
        ("text_notice", {"card_action": {"type": 0}}),
        ("text_notice", {"card_action": {"type": 1}}),
        ("text_notice", {"card_action": {"type": 2, "pagepath": "x"}}),
        ("text_notice", {"main_title": {"desc": "x"}}),
        ("text_notice", {"main_title": "x"}),
        ("text_notice", {"quote_area": {"type": 9}}),
        ("text_notice", {"action_menu": "x"}),
        ("text_notice", {"action_menu": {"action_list": []}}),
        ("text_notice", MENU),
        ("text_notice", {"task_id": "名字"}),
        ("text_notice", {"horizontal_content_list": [{"keyname": "金额"}] * 7}),
        ("text_notice", {"horizontal_content_list": [{"value": "1"}]}),
        ("text_notice", {"horizontal_content_list": [{"keyname": "金额", "type": 1}]}),
        ("text_notice", {"jump_list": [{"title": "看"}] * 4}),
        ("text_notice", {"jump_list": "x"}),
        ("text_notice", {"jump_list": [{"title": "看", "type": 2}]}),
        ("news_notice", {"card_image": None}),
        ("news_notice", {"card_image": {}}),
        ("news_notice", {"image_text_area": {"type": 0}}),
        ("news_notice", {"vertical_content_list": [{"title": "x"}] * 5}),
        ("news_notice", {"main_title": None}),
        ("button_interaction", {"task_id": ""}),
        ("button_interaction", {"task_id": "x" * 129}),
        ("button_interaction", {"button_list": []}),
        ("button_interaction", {"button_list": [{"text": "批准", "key": "k"}] * 2}),
        ("button_interaction", {"button_list": [{"text": "看", "type": 1}]}),
        ("button_interaction", {"button_selection": {"option_list": OPTIONS}}),
        ("vote_interaction", {"checkbox": None}),
        ("vote_interaction", {"checkbox": {"question_key": "q", "option_list": []}}),
        ("vote_interaction", {"submit_button": None}),
        ("multiple_interaction", {"select_list": []}),
        ("multiple_interaction", {"select_list": CARDS["multiple_interaction"]["select_list"] * 2}),
        ("multiple_interaction", {"submit_button": {"text": "提交"}}),
    ],
)
def test_a_wrong_card_is_refused_with_the_field(app, kind, wrong):
    answer = send(app, kind, **copy.deepcopy(wrong))
    assert answer["errcode"] == 40058
    assert "template_card." in answer["errmsg"]
    assert not app.inbox("wang")


def test_an_unknown_kind_is_refused(app):
    assert app.send("wang", "template_card", {"card_type": "x"})["errcode"] == 40058


def test_a_row_may_point_to_a_file_that_exists(app):
    row = {"keyname": "附件", "type": 2, "media_id": "unknown"}
    assert send(app, "text_notice", horizontal_content_list=[row])["errcode"] == 40007


def test_an_app_without_callback_address_sends_no_interactive_cards(corp):
    corp.members("Wang")
    assert send(corp, "text_notice")["errcode"] == 0
    assert send(corp, "button_interaction")["errcode"] == 40057


def test_a_task_id_is_used_once_per_app(app):
    other = app.app(1000003, callback_url="http://127.0.0.1:9/")
    assert send(app, "button_interaction")["errcode"] == 0
    assert send(app, "button_interaction")["errcode"] == 40058
    assert send(other, "button_interaction")["errcode"] == 0


def test_tapping_tells_the_app_what_was_chosen(app):
    send(app, "multiple_interaction")
    (callback,) = app.happen("template_card_event", userid="wang", selected={"q": ["b"]})

    event = xmltodict.parse(callback["xml"])["xml"]
    assert event["FromUserName"] == "Wang"
    assert (event["EventKey"], event["TaskId"]) == ("submit", "t1")
    assert (event["CardType"], event["AgentID"]) == ("multiple_interaction", str(app.agentid))
    assert event["SelectedItems"]["SelectedItem"] == {
        "QuestionKey": "q",
        "OptionIds": {"OptionId": "b"},
    }


def test_the_menu_of_a_card_tells_the_app_too(app):
    send(app, "text_notice", task_id="t9", **MENU)
    (callback,) = app.happen("template_card_menu_event", userid="wang", key="mute")
    event = xmltodict.parse(callback["xml"])["xml"]
    assert (event["Event"], event["EventKey"]) == ("template_card_menu_event", "mute")


def test_what_is_not_on_the_card_cannot_be_tapped(app):
    assert "no such" in app.impossible("template_card_event", userid="wang")
    send(app, "button_interaction")
    assert "no button" in app.impossible("template_card_event", userid="wang", key="x")
    assert "no menu" in app.impossible("template_card_menu_event", userid="wang")
    assert "no question" in app.impossible(
        "template_card_event", userid="wang", selected={"q": ["x"]}
    )
    assert "no such" in app.impossible("template_card_event", userid="wang", task_id="t8")


def test_a_response_code_changes_the_card_once_within_72_hours(app):
    code = send(app, "button_interaction", "wang|li")["response_code"]
    button = {"button": {"replace_name": "已批准"}}

    answer = update(app, code, userids=["WANG", "nobody"], **button)
    assert (answer["errcode"], answer["invaliduser"]) == (0, ["nobody"])
    assert app.inbox("wang")[0]["content"]["button_replaced"] == "已批准"
    assert "button_replaced" not in app.inbox("li")[0]["content"]
    assert update(app, code, **button)["errcode"] == 40058
    assert "grey" in app.impossible("template_card_event", userid="wang")

    late = send(app, "button_interaction", task_id="t2")["response_code"]
    app.advance(72 * 3600)
    app._token = ""
    assert update(app, late, **button)["errcode"] == 40058


def test_a_card_is_replaced_for_all_of_a_party_or_a_tag(app):
    app.members(tags=[{"tagid": 7, "name": "标签", "userids": ["li"]}])
    card = {"template_card": {"card_type": "text_notice", **CARDS["text_notice"]}}
    for task_id, whom, changed in (
        ("a", {"userids": [], "partyids": [1]}, {"Wang", "Li"}),
        ("b", {"userids": [], "tagids": [7, 8]}, {"Li"}),
        ("c", {"atall": 1}, {"Wang", "Li"}),
    ):
        code = send(app, "button_interaction", "wang|li", task_id=task_id)["response_code"]
        assert update(app, code, **whom, **card)["errcode"] == 0
        kinds = {one: app.inbox(one)[-1]["content"]["card_type"] for one in ("Wang", "Li")}
        assert {one for one in kinds if kinds[one] == "text_notice"} == changed


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"button": {}},
        {"button": {"replace_name": "x"}, "userids": "wang"},
        {"template_card": {"card_type": "x"}},
    ],
)
def test_a_wrong_change_is_refused_and_does_not_use_the_code(app, wrong):
    code = send(app, "button_interaction")["response_code"]
    assert update(app, code, **wrong)["errcode"] == 40058
    assert update(app, code, userids=[], button={"replace_name": "x"})["errcode"] == 82001
    assert update(app, code, button={"replace_name": "x"})["errcode"] == 0


def test_the_codes_of_another_app_are_no_codes(app):
    code = send(app, "button_interaction")["response_code"]
    other = app.app(1000003)
    assert update(other, code, button={"replace_name": "x"})["errcode"] == 40058
    assert update(app, code, agentid=1000003)["errcode"] == 301002


def test_a_tap_gives_a_code_of_its_own(app):
    send(app, "button_interaction")
    (callback,) = app.happen("template_card_event", userid="wang", key="yes")
    code = xmltodict.parse(callback["xml"])["xml"]["ResponseCode"]
    assert update(app, code, button={"replace_name": "已批准"})["errcode"] == 0


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (
            "<MsgType>update_button</MsgType><Button><ReplaceName>已办</ReplaceName></Button>",
            {"button_replaced": "已办"},
        ),
        (
            CARD_REPLY,
            {"main_title": {"title": "办完了"}},
        ),
    ],
)
def test_the_answer_to_a_tap_changes_the_card(app, receiver, reply, shown):
    send(app, "button_interaction")
    crypto = MessageCrypto("callback-token", [AES_KEY], app.corpid)
    receiver.answer = lambda _: (200, crypto.envelope(f"<xml>{reply}</xml>", "1", "n"))

    app.happen("template_card_event", userid="wang")
    content = app.inbox("wang")[0]["content"]
    assert {key: content[key] for key in shown} == shown

    app.happen("enter_agent", userid="wang")
    assert app.inbox("wang")[0]["content"] == content
