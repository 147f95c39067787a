"""What to do about which errcode, as data; what is not named here is simply a refusal.

https://developer.work.weixin.qq.com/document/path/90313 (WeCom)
https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html
"""

import random
from enum import StrEnum

from channel.wechat.errors import TOKEN_REFUSED
from domain.directory.accounts import ChannelKind


class Reaction(StrEnum):
    REFRESH = "refresh"  # another token, once
    BACK_OFF = "back-off"  # a little later, a few times
    WAIT = "wait"  # until the window of the quota ends
    ALARM = "alarm"  # a person has to mend it
    REFUSE = "refuse"  # they said no, and will say it again


BUSY = frozenset(
    {
        -1,  # the system is busy: it may or may not have been carried out
    }
)
CROWDED = frozenset(
    {
        45033,  # too many of this API at once
        45035,  # another call is changing the same customer
    }
)
OVER_QUOTA = frozenset(
    {
        45009,  # official account: the day's quota; WeCom: any window
        45011,  # official account: the minute's quota
    }
)
ALARMING = {
    ChannelKind.OFFICIAL_ACCOUNT: frozenset(
        {
            40013,  # invalid appid
            40125,  # invalid appsecret
            40164,  # our address is not in the allow-list
            40243,  # appsecret frozen
            43107,  # the ability to send subscription messages was taken away
            48001,  # no permission for this API
            48004,  # the API was banned for breaking rules
            50002,  # the account is restricted
        }
    ),
    ChannelKind.WECOM_APP: frozenset(
        {
            40013,  # invalid corpid
            48002,  # no permission for this API
            48009,  # the app is not among those that may call this API
            50003,  # the app is disabled
            60011,  # no permission for this member, department or tag
            60020,  # our address is not a trusted one
            301002,  # the agentid does not belong to the token's app
        }
    ),
}
ALARMING[ChannelKind.MINIPROGRAM] = ALARMING[ChannelKind.OFFICIAL_ACCOUNT]

MOST_REPEATS = 3
FIRST_DELAY_SECONDS = 0.3


def reaction_to(kind: ChannelKind, errcode: int) -> Reaction:
    if errcode in TOKEN_REFUSED:
        return Reaction.REFRESH
    if errcode in BUSY | CROWDED:
        return Reaction.BACK_OFF
    if errcode in OVER_QUOTA:
        return Reaction.WAIT
    return Reaction.ALARM if errcode in ALARMING[kind] else Reaction.REFUSE


def is_worth_repeating(errcode: int, *, is_safe: bool) -> bool:
    """``is_safe``: carried out twice, the call does no more than once."""
    return errcode in CROWDED or (errcode in BUSY and is_safe)


def delay_seconds(repeats: int) -> float:
    """Before the ``repeats``-th repeat; spread out, so that many do not come back together."""
    longest = FIRST_DELAY_SECONDS * 2 ** (repeats - 1)
    return random.uniform(longest / 2, longest)  # noqa: S311 -- no secret is made of it
