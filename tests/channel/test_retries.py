import pytest

from channel.retries import (
    FIRST_DELAY_SECONDS,
    Reaction,
    delay_seconds,
    is_worth_repeating,
    reaction_to,
)
from domain.directory.accounts import ChannelKind

OA, WECOM, MINI = (
    ChannelKind.OFFICIAL_ACCOUNT,
    ChannelKind.WECOM_APP,
    ChannelKind.MINIPROGRAM,
)


@pytest.mark.parametrize(
    ("kind", "errcode", "reaction"),
    [
        (OA, 40001, Reaction.REFRESH),
        (WECOM, 40014, Reaction.REFRESH),
        (WECOM, 42001, Reaction.REFRESH),
        (OA, -1, Reaction.BACK_OFF),
        (WECOM, 45033, Reaction.BACK_OFF),
        (WECOM, 45035, Reaction.BACK_OFF),
        (OA, 45009, Reaction.WAIT),
        (OA, 45011, Reaction.WAIT),
        (WECOM, 45009, Reaction.WAIT),
        (OA, 40164, Reaction.ALARM),
        (OA, 48001, Reaction.ALARM),
        (MINI, 40125, Reaction.ALARM),
        (WECOM, 40013, Reaction.ALARM),
        (WECOM, 48002, Reaction.ALARM),
        (WECOM, 48009, Reaction.ALARM),
        (WECOM, 50003, Reaction.ALARM),
        (WECOM, 60011, Reaction.ALARM),
        (WECOM, 60020, Reaction.ALARM),
        (WECOM, 301002, Reaction.ALARM),
        (OA, 48002, Reaction.REFUSE),  # there it is a person who wants no messages
        (OA, 43004, Reaction.REFUSE),
        (WECOM, 84061, Reaction.REFUSE),
    ],
)
def test_every_errcode_has_its_reaction(kind, errcode, reaction):
    assert reaction_to(kind, errcode) is reaction


@pytest.mark.parametrize(
    ("errcode", "is_safe", "worth"),
    [
        (-1, True, True),
        (-1, False, False),
        (45033, False, True),
        (45035, False, True),
        (45009, True, False),
        (43004, True, False),
    ],
)
def test_only_what_harms_nobody_is_repeated(errcode, is_safe, worth):
    assert is_worth_repeating(errcode, is_safe=is_safe) is worth


def test_delays_grow_and_differ():
    for repeats in (1, 2, 3):
        longest = FIRST_DELAY_SECONDS * 2 ** (repeats - 1)
        delays = {delay_seconds(repeats) for _ in range(50)}
        assert len(delays) > 1
        assert all(longest / 2 <= delay <= longest for delay in delays)
