"""Followers, tags, QR codes and the menu."""

import io

import pytest
import requests
import zxingcpp
from PIL import Image

CREATE = "/cgi-bin/qrcode/create"


def test_followers_are_listed_and_those_who_left_are_not(client):
    assert client.get("/cgi-bin/user/get") == {"total": 0, "count": 0, "next_openid": ""}
    first, second, third = client.fans(3)
    client.happen(second, "unsubscribe")

    everyone = client.get("/cgi-bin/user/get")

    assert everyone["total"] == 2
    assert everyone["data"]["openid"] == [first, third]
    assert everyone["next_openid"] == third
    after = client.get("/cgi-bin/user/get", next_openid=first)
    assert after["data"]["openid"] == [third]
    assert "data" not in client.get("/cgi-bin/user/get", next_openid=third)
    assert client.get("/cgi-bin/user/get", next_openid="nobody")["errcode"] == 40003


def test_more_than_ten_thousand_followers_come_in_pages(client):
    client.fans(10_001)
    page = client.get("/cgi-bin/user/get")
    assert (page["total"], page["count"]) == (10_001, 10_000)
    rest = client.get("/cgi-bin/user/get", next_openid=page["next_openid"])
    assert rest["count"] == 1


def test_a_follower_is_described_without_name_or_picture(client):
    fan = client.fan()
    info = client.get("/cgi-bin/user/info", openid=fan)
    assert info["subscribe"] == 1
    assert not {"nickname", "headimgurl", "sex", "city", "unionid"} & set(info)
    client.happen(fan, "unsubscribe")
    assert client.get("/cgi-bin/user/info", openid=fan) == {"subscribe": 0, "openid": fan}
    assert client.get("/cgi-bin/user/info", openid="nobody")["errcode"] == 40003


def test_unionids_appear_by_switch(client):
    client.switch(unionid=True)
    assert client.get("/cgi-bin/user/info", openid=client.fan())["unionid"].startswith("u")


def test_many_followers_are_described_at_once(client):
    fans = client.fans(2)
    batch = {"user_list": [{"openid": fan} for fan in fans]}
    answer = client.post("/cgi-bin/user/info/batchget", batch)
    assert [one["openid"] for one in answer["user_info_list"]] == fans
    too_many = {"user_list": batch["user_list"] * 51}
    assert client.post("/cgi-bin/user/info/batchget", too_many)["errcode"] == 40032


def test_followers_can_be_tagged_and_remarked(client):
    fan = client.fan()
    tag = client.post("/cgi-bin/tags/create", {"tag": {"name": "教师"}})["tag"]
    assert client.post("/cgi-bin/tags/create", {"tag": {"name": "教师"}})["errcode"] == 45157
    assert client.post("/cgi-bin/tags/create", {"tag": {"name": "长" * 11}})["errcode"] == 45158
    members = {"tagid": tag["id"], "openid_list": [fan]}
    assert client.post("/cgi-bin/tags/members/batchtagging", members)["errcode"] == 0
    assert client.post("/cgi-bin/tags/getidlist", {"openid": fan}) == {"tagid_list": [tag["id"]]}
    assert client.get("/cgi-bin/tags/get")["tags"][0]["count"] == 1
    assert client.post("/cgi-bin/tags/members/batchuntagging", members)["errcode"] == 0
    assert client.post("/cgi-bin/tags/getidlist", {"openid": fan}) == {"tagid_list": []}
    wrong = {"tagid": 9999, "openid_list": [fan]}
    assert client.post("/cgi-bin/tags/members/batchtagging", wrong)["errcode"] == 45159
    too_many = {"tagid": tag["id"], "openid_list": [fan] * 51}
    assert client.post("/cgi-bin/tags/members/batchtagging", too_many)["errcode"] == 40032
    remark = {"openid": fan, "remark": "王老师"}
    client.post("/cgi-bin/user/info/updateremark", remark)
    assert client.get("/cgi-bin/user/info", openid=fan)["remark"] == "王老师"


def test_at_most_a_hundred_tags(client):
    for number in range(100):
        client.post("/cgi-bin/tags/create", {"tag": {"name": f"t{number}"}})
    assert client.post("/cgi-bin/tags/create", {"tag": {"name": "one more"}})["errcode"] == 45056


def qr_code(client, action="QR_STR_SCENE", expire=600, **scene):
    return client.post(
        CREATE,
        {
            "action_name": action,
            "expire_seconds": expire,
            "action_info": {"scene": scene or {"scene_str": "login-1"}},
        },
    )


def test_the_picture_of_a_qr_code_holds_its_address(client):
    code = qr_code(client)
    assert code["expire_seconds"] == 600
    query = {"ticket": code["ticket"]}

    response = requests.get(client.url("/cgi-bin/showqrcode"), params=query, timeout=5)

    assert response.headers["Content-Type"] == "image/png"
    (seen,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(response.content)).convert("L"))
    assert seen.text == code["url"]
    assert seen.text.startswith("http://weixin.qq.com/q/")
    wrong = requests.get(client.url("/cgi-bin/showqrcode"), params={"ticket": "x"}, timeout=5)
    assert wrong.status_code == 404


def test_scanning_a_code_makes_a_stranger_a_follower_from_that_scene(client):
    code = qr_code(client, "QR_LIMIT_SCENE", scene_id=7)
    assert "expire_seconds" not in code
    client.happen("o-stranger", "scan", ticket=code["ticket"])
    info = client.get("/cgi-bin/user/info", openid="o-stranger")
    assert (info["subscribe"], info["qr_scene"]) == (1, 7)
    assert info["subscribe_scene"] == "ADD_SCENE_QR_CODE"


def test_an_expired_code_cannot_be_scanned(client):
    code = qr_code(client, expire=60)
    client.advance(61)
    body = {"account": client.name, "openid": client.fan(), "event": "scan", "url": code["url"]}
    assert "二维码已过期" in client.refused("POST", "/wechat/events", body)


def test_a_code_lives_sixty_seconds_unless_told_and_thirty_days_at_most(client):
    assert qr_code(client, expire=None)["expire_seconds"] == 60
    assert qr_code(client, expire=99_999_999)["expire_seconds"] == 2_592_000


@pytest.mark.parametrize(
    ("action", "scene", "errcode"),
    [
        ("QR_NONSENSE", {"scene_str": "x"}, 40052),
        ("QR_STR_SCENE", {"scene_str": "x" * 65}, 40053),
        ("QR_STR_SCENE", {"scene_id": 1}, 40053),
        ("QR_SCENE", {"scene_id": 2**32}, 40053),
        ("QR_SCENE", {"scene_id": 0}, 40053),
        ("QR_LIMIT_SCENE", {"scene_id": 100_001}, 40053),
    ],
)
def test_scenes_outside_the_limits_are_refused(client, action, scene, errcode):
    assert qr_code(client, action, **scene)["errcode"] == errcode


MENU = {
    "button": [
        {"type": "click", "name": "我的工资", "key": "PAYSLIPS"},
        {"name": "服务", "sub_button": [{"type": "view", "name": "官网", "url": "http://a.cn"}]},
    ]
}


def test_the_menu_is_replaced_whole_read_and_deleted(client):
    assert client.get("/cgi-bin/menu/get")["errcode"] == 46003
    assert client.post("/cgi-bin/menu/create", MENU)["errcode"] == 0
    assert client.get("/cgi-bin/menu/get") == {"menu": MENU}
    assert client.get("/cgi-bin/get_current_selfmenu_info")["selfmenu_info"] == MENU
    assert client.get("/cgi-bin/menu/delete")["errcode"] == 0
    assert client.get("/cgi-bin/menu/get")["errcode"] == 46003


def test_a_conditional_menu_is_for_those_with_the_tag(client):
    fan = client.fan()
    tag = client.post("/cgi-bin/tags/create", {"tag": {"name": "财务"}})["tag"]["id"]
    client.post("/cgi-bin/tags/members/batchtagging", {"tagid": tag, "openid_list": [fan]})
    special = {
        "button": [{"type": "click", "name": "审批", "key": "APPROVE"}],
        "matchrule": {"tag_id": str(tag)},
    }
    assert client.post("/cgi-bin/menu/addconditional", special)["errcode"] == 65303
    client.post("/cgi-bin/menu/create", MENU)
    menu_id = client.post("/cgi-bin/menu/addconditional", special)["menuid"]
    tried = client.post("/cgi-bin/menu/trymatch", {"user_id": fan})
    assert tried == {"button": special["button"]}
    other = client.post("/cgi-bin/menu/trymatch", {"user_id": client.fan()})
    assert other == MENU
    client.post("/cgi-bin/menu/delconditional", {"menuid": menu_id})
    assert client.post("/cgi-bin/menu/trymatch", {"user_id": fan}) == MENU


@pytest.mark.parametrize(
    ("buttons", "errcode"),
    [
        ([], 40016),
        ([MENU["button"][0]] * 4, 40016),
        ([{"type": "click", "name": "名字实在太长了", "key": "K"}], 40018),
        ([{"type": "click", "name": "x", "key": "k" * 129}], 40019),
        ([{"type": "view", "name": "x", "url": "http://a.cn/" + "x" * 1024}], 40020),
        ([{"type": "fax", "name": "x"}], 40017),
        ([{"type": "miniprogram", "name": "x", "url": "http://a.cn", "appid": "WXUPPER"}], 40013),
        ([{"name": "x", "sub_button": [MENU["button"][0]] * 6}], 40023),
        ([{"name": "x", "sub_button": [{"type": "click", "name": "", "key": "k"}]}], 40025),
    ],
)
def test_menus_outside_the_limits_are_refused(client, buttons, errcode):
    assert client.post("/cgi-bin/menu/create", {"button": buttons})["errcode"] == errcode
