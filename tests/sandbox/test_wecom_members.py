"""Members, departments, and external contacts as the API shows them."""

import pytest

DEPARTMENTS = [
    {"id": 2, "name": "上海分行"},
    {"id": 3, "name": "陆家嘴支行", "parentid": 2, "leaders": ["Li"]},
]


@pytest.fixture
def people(corp):
    corp.members(
        departments=DEPARTMENTS,
        members=[
            {"userid": "Wang", "name": "王芳", "departments": [2], "mobile": "13800000001"},
            {"userid": "Li", "name": "李强", "departments": [3], "is_leader": True},
        ],
    )
    return corp


def test_a_member_is_found_whatever_the_case(people):
    answer = people.get("/cgi-bin/user/get", userid="wANG")
    assert (answer["userid"], answer["name"], answer["department"]) == ("Wang", "王芳", [2])
    assert people.get("/cgi-bin/user/get", userid="nobody")["errcode"] == 60111
    assert people.get("/cgi-bin/user/get")["errcode"] == 41009


def test_mobile_numbers_are_shown_by_a_switch_only(people):
    assert "mobile" not in people.get("/cgi-bin/user/get", userid="Wang")
    people.switch(sensitive_fields=True)
    assert people.get("/cgi-bin/user/get", userid="Wang")["mobile"] == "13800000001"


def test_an_app_sees_only_its_members(people):
    people.switch(visible_userids=["Li"])
    assert people.get("/cgi-bin/user/get", userid="Wang")["errcode"] == 60011
    listed = people.get("/cgi-bin/user/simplelist", department_id=1, fetch_child=1)["userlist"]
    assert [one["userid"] for one in listed] == ["Li"]


@pytest.mark.parametrize(
    ("query", "userids"),
    [
        ({"department_id": 2}, ["Wang"]),
        ({"department_id": 2, "fetch_child": 1}, ["Wang", "Li"]),
        ({"department_id": 1}, []),
    ],
)
def test_lists_are_of_one_department_or_of_all_below(people, query, userids):
    for path in ("/cgi-bin/user/simplelist", "/cgi-bin/user/list"):
        assert [one["userid"] for one in people.get(path, **query)["userlist"]] == userids


def test_an_unknown_department_is_refused(people):
    assert people.get("/cgi-bin/user/list", department_id=9)["errcode"] == 60003
    assert people.get("/cgi-bin/user/list", department_id="x")["errcode"] == 60003
    assert people.get("/cgi-bin/department/list", id=9)["errcode"] == 60003


def test_departments_are_listed_with_what_is_below(people):
    every = people.get("/cgi-bin/department/list")["department"]
    assert [(one["id"], one["parentid"]) for one in every] == [(1, 0), (2, 1), (3, 2)]
    below = people.get("/cgi-bin/department/simplelist", id=2)["department_id"]
    assert [one["id"] for one in below] == [2, 3]
    one = people.get("/cgi-bin/department/get", id=3)["department"]
    assert (one["name"], one["department_leader"]) == ("陆家嘴支行", ["Li"])


def test_ids_come_in_pages(people):
    first = people.post("/cgi-bin/user/list_id", {"limit": 1})
    second = people.post("/cgi-bin/user/list_id", {"limit": 1, "cursor": first["next_cursor"]})
    assert first["dept_user"] == [{"userid": "Wang", "department": 2}]
    assert second["dept_user"] == [{"userid": "Li", "department": 3}]
    assert second["next_cursor"] == ""
    assert people.post("/cgi-bin/user/list_id", {"cursor": "?"})["errcode"] == 40058


def test_members_are_found_by_mobile_and_by_openid(people):
    found = people.post("/cgi-bin/user/getuserid", {"mobile": "13800000001"})
    assert found["userid"] == "Wang"
    assert people.post("/cgi-bin/user/getuserid", {"mobile": "1"})["errcode"] == 46004
    assert people.post("/cgi-bin/user/getuserid", {})["errcode"] == 60103
    openid = people.post("/cgi-bin/user/convert_to_openid", {"userid": "Wang"})["openid"]
    back = people.post("/cgi-bin/user/convert_to_userid", {"openid": openid})
    assert back["userid"] == "Wang"
    assert people.post("/cgi-bin/user/convert_to_userid", {"openid": "o"})["errcode"] == 40073


def test_contacts_belong_to_the_corp_and_are_seen_by_all_its_apps(people):
    (contact,) = people.contacts("wang", names=["赵云"], state="poster7")
    other = people.app(1000003)

    assert other.get("/cgi-bin/externalcontact/list", userid="Wang")["external_userid"] == [contact]
    answer = other.get("/cgi-bin/externalcontact/get", external_userid=contact)
    assert answer["external_contact"]["name"] == "赵云"
    (follow,) = answer["follow_user"]
    assert (follow["userid"], follow["state"], follow["remark_mobiles"]) == ("Wang", "poster7", [])
    assert "unionid" not in answer["external_contact"]


def test_a_member_without_contacts_is_an_error_or_an_empty_list(people):
    path = "/cgi-bin/externalcontact/list"
    assert people.get(path, userid="Wang")["errcode"] == 84061
    people.switch(none_is_84061=False)
    answer = people.get(path, userid="Wang")
    assert (answer["errcode"], answer["external_userid"]) == (0, [])


def test_an_unknown_contact_is_refused_with_empty_followers(people):
    answer = people.get("/cgi-bin/externalcontact/get", external_userid="wm")
    assert (answer["errcode"], answer["follow_user"]) == (40096, [])


def test_more_than_500_followers_come_in_pages(people):
    userids = people.members(*(f"u{number}" for number in range(501)))
    for userid in userids:
        people.contacts(userid, count=None, external_userids=["wm-popular"])

    path = "/cgi-bin/externalcontact/get"
    first = people.get(path, external_userid="wm-popular")
    second = people.get(path, external_userid="wm-popular", cursor=first["next_cursor"])
    assert len(first["follow_user"]) == 500
    assert len(second["follow_user"]) == 1
    assert "next_cursor" not in second


def test_a_contact_who_is_a_person_on_the_phone_shares_the_unionid(people):
    people.control(
        "POST", "/accounts", {"name": "oa", "appid": "wxoa", "secret": "s", "settings": {}}
    )
    people.control("POST", "/wecom/members", {"account": people.name, "userids": ["Wang"]})
    people.control("POST", "/wechat/fans", {"account": "oa", "count": 1})
    (contact,) = people.contacts("Wang", people=["p1"])
    people.switch(unionid=True)

    answer = people.get("/cgi-bin/externalcontact/get", external_userid=contact)
    assert answer["external_contact"]["unionid"].startswith("u")
    assert "nobody" in people.refused(
        "POST",
        "/wecom/contacts",
        {"account": people.name, "userid": "Wang", "count": 1, "people": ["p99"]},
    )
