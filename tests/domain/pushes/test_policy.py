"""Pure rules of pushing, by table."""

from datetime import timedelta

import pytest

from domain.pushes.models import PushStatus
from domain.pushes.policy import (
    CLAIM_LIFE,
    REPEATABLE_FOR,
    after_lost_answer,
    retry_delay,
)

WECHAT_DROPS_DUPLICATES_FOR = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 15), (2, 60), (3, 300), (4, 1800), (5, 7200), (6, None)]
)
def test_retries_wait_longer_and_end(attempts, seconds):
    delay = retry_delay(attempts)

    assert (delay and delay.total_seconds()) == seconds


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(0), PushStatus.TEMPORARY_FAILURE),
        (timedelta(minutes=8, seconds=59), PushStatus.TEMPORARY_FAILURE),
        (timedelta(minutes=9), PushStatus.UNKNOWN),
        (timedelta(days=1), PushStatus.UNKNOWN),
    ],
)
def test_a_lost_answer_is_repeated_for_nine_minutes(age, status):
    assert after_lost_answer(age) is status


def test_a_dead_workers_push_comes_back_while_a_repetition_is_harmless():
    assert CLAIM_LIFE < REPEATABLE_FOR < WECHAT_DROPS_DUPLICATES_FOR
