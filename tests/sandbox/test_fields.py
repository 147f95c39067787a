"""Every type of field, with what it may and may not hold."""

import pytest

from sandbox.state import Account, Kind, Settings, Template
from sandbox.wechat import quotas
from sandbox.wechat.errors import Refusal
from sandbox.wechat.fields import shown_values


def shown(key, value, settings=None, enums=None):
    template = Template("id", "short", "标题", f"标签:{{{{{key}.DATA}}}}", "", enums or {})
    return shown_values(template, {key: {"value": value}}, settings or Settings())[key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "工资条" * 6),
        ("character_string2", "TX-2026/03 #1"),
        ("character_string2", "x" * 32),
        ("time3", "09:05"),
        ("time3", "2026年3月28日 09:05"),
        ("date4", "2026-03-28"),
        ("date4", "2026.03.28 09:05~2026.03.29 18:00"),
        ("date4", "3/28"),
        ("amount5", "￥1000"),
        ("amount5", "12.5元"),
        ("phone_number6", "+86-0766-66888866"),
        ("car_number7", "赣A12345"),
        ("car_number7", "赣A1234警"),
        ("number8", "12.75"),
        ("letter9", "ABC"),
        ("symbol10", "※!"),
        ("phrase11", "已发放"),
        ("name12", "欧阳娜娜"),
        ("name12", "John Smith"),
        ("enum13", "成功"),
        ("const14", "任何值"),
    ],
)
def test_a_value_that_fits_is_shown_as_it_is(key, value):
    assert shown(key, value) == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("thing1", "长" * 21),
        ("character_string2", "编号一"),
        ("character_string2", "x" * 33),
        ("time3", "九点"),
        ("date4", "昨天"),
        ("amount5", "1,000.00"),
        ("amount5", "$¥1"),
        ("phone_number6", "1" * 18),
        ("car_number7", "赣A123456789"),
        ("number8", "一"),
        ("letter9", "A1"),
        ("symbol10", "!!!!!!"),
        ("phrase11", "六个字不可以"),
        ("phrase11", "ok"),
        ("name12", "这个名字超过了十个汉字"),
        ("short_thing15", "两\n行"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(key, value):
    with pytest.raises(Refusal, match=rf"47003: argument invalid! data\.{key}\.value invalid"):
        shown(key, value)


def test_a_constant_must_be_one_of_the_declared_values():
    assert shown("const1", "已发放", enums={"const1": ["已发放", "发放失败"]}) == "已发放"
    with pytest.raises(Refusal):
        shown("const1", "处理中", enums={"const1": ["已发放", "发放失败"]})


def test_untyped_fields_of_old_templates_are_cut_and_first_and_remark_not_shown():
    assert shown("keyword1", "长" * 30) == "长" * 20
    assert shown("first", "您好") == ""
    assert shown("remark", "") == ""


def test_a_limit_per_minute_is_another_errcode_than_the_daily_one():
    account = Account(Kind.OFFICIAL_ACCOUNT, "oa", "wx", "s")
    path = "/cgi-bin/stable_token"
    for _ in range(10_000):
        quotas.spend(account, path, now=1_000_000)
    with pytest.raises(Refusal, match="45011"):
        quotas.spend(account, path, now=1_000_001)
    quotas.spend(account, path, now=1_000_061)
