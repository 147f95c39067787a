from datetime import timedelta

import pytest

from channel.breaker import (
    TRIPS,
    BreakerOpen,
    breaker_state,
    close_breaker,
    open_after,
    refuse_while_open,
)
from channel.wechat.errors import WeChatError
from core.clock import utc_now


def test_a_closed_breaker_lets_calls_through(redis):
    refuse_while_open(7)

    assert breaker_state(7) is None


@pytest.mark.parametrize(
    ("errcode", "seconds", "says"),
    [
        (40001, 3600, "密钥"),
        (40013, 3600, "密钥"),
        (40125, 3600, "密钥"),
        (40243, 3600, "冻结"),
        (50003, 3600, "停用"),
        (40164, 60, "白名单"),
        (60020, 60, "白名单"),
        (45009, 3600, "封禁"),
    ],
)
def test_a_refusal_opens_it_for_as_long_as_it_takes(redis, errcode, seconds, says):
    open_after(7, errcode)

    with pytest.raises(BreakerOpen) as refused:
        refuse_while_open(7)
    assert isinstance(refused.value, WeChatError)
    assert refused.value.errcode == errcode
    assert 0 < refused.value.retry_after_seconds <= seconds
    told = breaker_state(7).sentence
    assert says in told
    assert str(errcode) in told
    # Anybody may read this one.
    assert refused.value.sentence == "微信服务暂时不可用，请稍后再试或联系银行"


def test_an_open_breaker_can_be_read(redis):
    open_after(7, 40125)

    state = breaker_state(7)

    assert state.errcode == 40125
    assert "60 分钟" in state.sentence
    assert abs(state.closes_at - utc_now() - timedelta(hours=1)) < timedelta(seconds=3)


@pytest.mark.parametrize("errcode", [-1, 40029, 40163, 48001])
def test_what_says_nothing_of_the_secret_leaves_it_closed(redis, errcode):
    open_after(7, errcode)

    assert errcode not in TRIPS
    assert breaker_state(7) is None


def test_accounts_have_their_own_and_closing_it_helps_at_once(redis):
    open_after(7, 40125)
    open_after(8, 40125)

    close_breaker(7)

    refuse_while_open(7)
    with pytest.raises(BreakerOpen):
        refuse_while_open(8)
