"""Approvals: those a page of ours began, and those of WeCom's own app."""

import pytest

from tests.sandbox.wecom import Corp

TEMPLATE = {
    "template_id": "transfer",
    "name": "转账",
    "controls": [
        {"control": "Text", "id": "Text-1", "title": "事由", "require": 1},
        {"control": "Money", "id": "Money-1"},
    ],
}
REASON = {"control": "Text", "id": "Text-1", "value": {"text": "购茶"}}
SUMMARY = [{"summary_info": [{"text": "购茶", "lang": "zh_CN"}]}]


def ask(corp: Corp, path: str, /, **body):
    return corp.post(f"/cgi-bin/{path}", body)


def apply(corp, **more):
    body = {
        "creator_userid": "wang",
        "template_id": "transfer",
        "use_template_approver": 1,
        "apply_data": {"contents": [REASON]},
        "summary_list": SUMMARY,
    }
    return ask(corp, "oa/applyevent", **body | more)


@pytest.fixture
def team(corp):
    corp.members("Wang", "Li")
    body = TEMPLATE | {"account": corp.name}
    corp.control("POST", "/wecom/approval_templates", body)
    return corp


def test_an_approval_that_our_page_began_is_known_once_it_moved(team):
    assert ask(team, "corp/getopenapprovaldata", thirdNo="pay-1")["errcode"] == 301025
    who = {"userid": "wang", "number": "pay-1", "members": ["Li"]}
    team.happen("open_approval_change", **who, status=1)
    team.happen("open_approval_change", **who, status=2, content="同意")

    data = ask(team, "corp/getopenapprovaldata", thirdNo="pay-1")["data"]
    assert (data["ThirdNo"], data["OpenSpstatus"], data["ApplyUserId"]) == ("pay-1", 2, "Wang")
    (node,) = data["ApprovalNodes"]["ApprovalNode"]
    assert node["Items"]["Item"][0]["ItemSpeech"] == "同意"


def test_a_template_shows_its_controls(team):
    shown = ask(team, "oa/gettemplatedetail", template_id="transfer")
    assert shown["template_names"] == [{"text": "转账", "lang": "zh_CN"}]
    first, second = (one["property"] for one in shown["template_content"]["controls"])
    assert (first["title"][0]["text"], first["require"]) == ("事由", 1)
    assert (second["title"][0]["text"], second["require"]) == ("Money-1", 0)
    refused = ask(team, "oa/gettemplatedetail", template_id="x")
    assert (refused["errcode"], refused["template_names"]) == (301025, [])
    assert "control" in team.refused(
        "POST",
        "/wecom/approval_templates",
        TEMPLATE | {"account": team.name, "controls": [{"control": "Text"}]},
    )


def test_an_application_is_found_and_moves(team):
    number = apply(team)["sp_no"]
    assert number.startswith("202603")
    team.happen("sys_approval_change", userid="wang", number=number, status=2)

    info = ask(team, "oa/getapprovaldetail", sp_no=number)["info"]
    assert (info["sp_name"], info["sp_status"]) == ("转账", 2)
    assert info["applyer"] == {"userid": "Wang", "partyid": "1"}
    assert info["apply_data"] == {"contents": [REASON]}
    assert ask(team, "oa/getapprovaldetail", sp_no="x")["errcode"] == 301025


def test_numbers_come_in_pages_of_either_age(team):
    numbers = [apply(team)["sp_no"] for _ in range(3)]
    team.happen("sys_approval_change", userid="wang", number=numbers[0], status=3)
    period = {"starttime": "1774600000", "endtime": "1774700000"}

    page = ask(team, "oa/getapprovalinfo", **period, size=2, new_cursor="")
    rest = ask(team, "oa/getapprovalinfo", **period, size=2, new_cursor=page["new_next_cursor"])
    assert page["sp_no_list"] + rest["sp_no_list"] == numbers
    assert "new_next_cursor" not in rest
    old = ask(team, "oa/getapprovalinfo", **period, size=2, cursor=0)
    assert (old["sp_no_list"], old["next_cursor"]) == (numbers[:2], 2)

    for key, value, count in (
        ("sp_status", "3", 1),
        ("creator", "Wang", 3),
        ("template_id", "x", 0),
        ("department", "1", 3),
    ):
        filters = [{"key": key, "value": value}]
        found = ask(team, "oa/getapprovalinfo", **period, new_cursor="", filters=filters)
        assert len(found["sp_no_list"]) == count
    for more in (
        {"filters": [{"key": "mood", "value": "1"}]},
        {"filters": "all"},
        {"starttime": "soon"},
        {"endtime": "1784600000"},
    ):
        answer = ask(team, "oa/getapprovalinfo", **period | more)
        assert (answer["errcode"], answer["sp_no_list"]) == (301025, [])


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"creator_userid": "nobody"}, 60111),
        ({"template_id": "x"}, 301025),
        ({"use_template_approver": 0}, 301025),
        ({"apply_data": {}}, 301025),
        ({"apply_data": {"contents": []}}, 301025),
        ({"apply_data": {"contents": ["x"]}}, 301025),
        ({"apply_data": {"contents": [REASON, REASON | {"id": "Text-9"}]}}, 301025),
        ({"summary_list": []}, 301025),
        ({"summary_list": ["x"]}, 301025),
        ({"summary_list": [{"summary_info": [{"text": "长" * 21}]}]}, 301025),
        ({"choose_department": 9}, 60003),
    ],
)
def test_a_wrong_application_is_refused(team, body, errcode):
    assert apply(team, **body)["errcode"] == errcode


def test_approvals_may_be_asked_for_six_hundred_times_a_minute(team):
    answers = [ask(team, "oa/getapprovaldetail", sp_no="x")["errcode"] for _ in range(601)]
    assert answers[599:] == [301025, 45009]
