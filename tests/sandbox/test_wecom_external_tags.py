"""The corp's tags, and who bears them."""

import pytest

from tests.sandbox.wecom import Corp

EXTERNAL = "/cgi-bin/externalcontact"


def ask(corp: Corp, name: str, /, **body):
    return corp.post(f"{EXTERNAL}/{name}", body)


def add(corp, group, *names, **more):
    body = {"group_name": group, "tag": [{"name": name} for name in names]} | more
    return ask(corp, "add_corp_tag", **body)


def ids(group):
    return [one["id"] for one in group["tag"]]


@pytest.fixture
def contact(corp):
    corp.members("Wang", "Li")
    return corp.contacts("Wang")[0]


def test_tags_join_the_group_of_that_name_or_id(corp):
    first = add(corp, "等级", "金卡", "银卡", order=3)["tag_group"]
    second = add(corp, "等级", "普卡")["tag_group"]
    third = add(corp, "", "白金", group_id=first["group_id"])["tag_group"]

    assert [one["name"] for one in second["tag"]] == ["普卡"]
    assert first["group_id"] == second["group_id"] == third["group_id"]
    (group,) = ask(corp, "get_corp_tag_list")["tag_group"]
    assert [one["name"] for one in group["tag"]] == ["金卡", "银卡", "普卡", "白金"]
    assert (group["group_name"], group["order"]) == ("等级", 3)
    asked = ask(corp, "get_corp_tag_list", tag_id=ids(second))["tag_group"]
    assert [ids(one) for one in asked] == [ids(second)]
    by_group = ask(corp, "get_corp_tag_list", group_id=[first["group_id"]], tag_id=["x"])
    assert len(by_group["tag_group"][0]["tag"]) == 4


def test_wrong_tags_are_refused(corp):
    add(corp, "等级", "金卡")
    for body, errcode in (
        ({"group_name": "等级", "tag": [{"name": "金卡"}]}, 40071),
        ({"group_name": "等级", "tag": []}, 40063),
        ({"group_name": "等级", "tag": [{"name": "长" * 31}]}, 40058),
        ({"group_name": "等级", "tag": ["金卡"]}, 40058),
        ({"tag": [{"name": "新"}]}, 40058),
        ({"group_id": "x", "tag": [{"name": "新"}]}, 40068),
        ({"group_name": "等级", "tag": [{"name": "新", "order": -1}]}, 40058),
    ):
        assert ask(corp, "add_corp_tag", **body)["errcode"] == errcode


def test_there_may_be_only_so_many_tags(corp):
    corp.switch(most_corp_tags=2)
    add(corp, "等级", "金卡", "银卡")
    assert add(corp, "等级", "普卡")["errcode"] == 40126


def test_tags_are_renamed_unless_the_name_is_taken(corp):
    group = add(corp, "等级", "金卡", "银卡")["tag_group"]
    other = add(corp, "行业", "瓷器")["tag_group"]
    gold, silver = ids(group)

    assert ask(corp, "edit_corp_tag", id=gold, name="黑卡", order=5)["errcode"] == 0
    assert ask(corp, "edit_corp_tag", id=group["group_id"], name="层级")["errcode"] == 0
    assert ask(corp, "edit_corp_tag", id=silver, name="黑卡")["errcode"] == 40071
    assert ask(corp, "edit_corp_tag", id=other["group_id"], name="层级")["errcode"] == 40071
    assert ask(corp, "edit_corp_tag", id="x", name="层级")["errcode"] == 40068
    shown = ask(corp, "get_corp_tag_list", tag_id=[gold])["tag_group"][0]
    assert (shown["group_name"], shown["tag"][0]["name"]) == ("层级", "黑卡")
    assert shown["tag"][0]["order"] == 5


def test_only_what_the_app_made_may_be_changed(corp):
    corp.happen(
        "change_external_tag", change_type="create", tag_type="tag_group", tag_id="g1", name="总行"
    )
    other = add(corp.app(1000009), "等级", "金卡")["tag_group"]

    for one in ("g1", other["group_id"], ids(other)[0]):
        assert ask(corp, "edit_corp_tag", id=one, name="新")["errcode"] == 81011
    assert ask(corp, "del_corp_tag", group_id=["g1"])["errcode"] == 81011
    assert len(ask(corp, "get_corp_tag_list")["tag_group"]) == 2


def test_a_deleted_tag_leaves_its_bearers_and_is_shown_only_when_asked_for(corp, contact):
    group = add(corp, "等级", "金卡", "银卡")["tag_group"]
    gold, silver = ids(group)
    ask(corp, "mark_tag", userid="wang", external_userid=contact, add_tag=[gold, silver])

    assert ask(corp, "del_corp_tag", tag_id=[gold])["errcode"] == 0
    (shown,) = ask(corp, "get_corp_tag_list", tag_id=[gold])["tag_group"]
    assert shown["tag"] == [{**shown["tag"][0], "id": gold, "deleted": True}]
    follow = corp.get(f"{EXTERNAL}/get", external_userid=contact)["follow_user"][0]
    assert [one["tag_id"] for one in follow["tags"]] == [silver]

    assert ask(corp, "del_corp_tag", group_id=[group["group_id"]])["errcode"] == 0
    assert ask(corp, "get_corp_tag_list")["tag_group"] == []
    (gone,) = ask(corp, "get_corp_tag_list", group_id=[group["group_id"]])["tag_group"]
    assert gone["deleted"] is True
    assert ask(corp, "del_corp_tag")["errcode"] == 40063


def test_marking_is_for_ones_own_contacts_with_known_tags(corp, contact):
    (gold,) = ids(add(corp, "等级", "金卡")["tag_group"])
    who = {"userid": "wang", "external_userid": contact}

    assert ask(corp, "mark_tag", **who, add_tag=[gold, "unknown"])["errcode"] == 0
    assert ask(corp, "mark_tag", **who, add_tag=[gold])["errcode"] == 0
    (one,) = corp.control("GET", "/wecom/contacts", account=corp.name)["contacts"]
    assert one["follows"][0]["tag_ids"] == [gold]
    assert ask(corp, "mark_tag", **who, remove_tag=[gold])["errcode"] == 0
    for body, errcode in (
        (who, 40063),
        (who | {"add_tag": ["unknown"]}, 40070),
        (who | {"add_tag": gold}, 40058),
        ({"userid": "li", "external_userid": contact, "add_tag": [gold]}, 84061),
    ):
        assert ask(corp, "mark_tag", **body)["errcode"] == errcode
    (one,) = corp.control("GET", "/wecom/contacts", account=corp.name)["contacts"]
    assert one["follows"][0]["tag_ids"] == []
