import pytest

from channel.checkup.findings import Check, Finding, Verdict, advice_for, finding, refused_address


@pytest.mark.parametrize(
    ("errmsg", "address"),
    [
        ("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 1", "203.0.113.7"),
        ("not allow to access from your ip, hint: [1], from ip: 203.0.113.8, more", "203.0.113.8"),
        ("from ip: 2001:db8::1, more info at", "2001:db8::1"),
        ("from ip: 999.1.1.1", ""),
        ("invalid credential", ""),
        ("", ""),
    ],
)
def test_the_refused_address_is_read_from_the_answer(errmsg, address):
    assert refused_address(errmsg) == address


def test_the_same_number_means_another_thing_at_the_other_platform(official_account, wecom_app):
    assert "AppSecret" in advice_for(official_account, 40001)
    assert "封禁" in advice_for(wecom_app, 40001)
    assert "rotate bank-oa" in advice_for(official_account, 40001)
    assert "可调用接口的应用" in advice_for(wecom_app, 48002)
    assert "work.weixin" in advice_for(wecom_app, 4711)
    assert "developers.weixin" in advice_for(official_account, 4711)


def test_what_is_not_known_is_no_fault(official_account):
    unknown = finding(official_account, Check.ARRIVALS, Verdict.UNKNOWN, "还没有收到过")

    assert not unknown.is_broken
    assert unknown.check == "公众号 bank-oa 的回调到达"
    assert Finding("x", "y", Verdict.BROKEN, "z").is_broken
