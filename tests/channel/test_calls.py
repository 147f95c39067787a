"""Calls are counted by what was said and how long it took; what was broken off is not."""

import pytest
from prometheus_client import REGISTRY

from channel.calls import NO_ANSWER, Tally, counted, tally_of, write_down
from channel.wechat.errors import WeChatError, WeChatUnreachable


def calls(api, errcode):
    labels = {"api": api, "errcode": str(errcode)}
    return REGISTRY.get_sample_value("xinqiao_platform_calls_total", labels) or 0


def timed(api):
    return REGISTRY.get_sample_value("xinqiao_platform_call_seconds_count", {"api": api}) or 0


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (None, 0),
        (WeChatError(43101, "muted"), 43101),
        (WeChatUnreachable("HTTP 502"), NO_ANSWER),
    ],
)
def test_a_call_is_counted_by_its_answer(error, answer):
    before = calls("/alone", answer), timed("/alone")

    def call():
        with counted("/alone"):
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            call()
    else:
        call()

    assert (calls("/alone", answer), timed("/alone")) == (before[0] + 1, before[1] + 1)


def test_what_we_broke_off_ourselves_is_no_call():
    with pytest.raises(TimeoutError), counted("/broken-off"):
        raise TimeoutError

    assert timed("/broken-off") == 0


def test_many_calls_are_written_together_and_once():
    for answer in (0, 0, 45009):
        tally_of("/together").note(answer, 0.03)
    assert timed("/together") == 0

    for _ in range(2):
        write_down()

    assert (calls("/together", 0), calls("/together", 45009)) == (2, 1)
    assert timed("/together") == 3


def test_an_empty_tally_writes_nothing():
    Tally("/never-called").write()

    labels = {"api": "/never-called"}
    assert REGISTRY.get_sample_value("xinqiao_platform_call_seconds_count", labels) is None
