"""Many calls of one API at once: their token, their budget, their connections."""

import asyncio
from datetime import UTC, datetime

import pytest

from channel import bulk, clients
from channel.alarms import list_alarms
from channel.budget import BudgetExhausted, list_budgets
from channel.bulk import GRANT, Attempt, Bulk
from channel.clients import official_account_client
from channel.wechat.client import OfficialAccountClient
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.wechat.outgoing import TEMPLATE_SEND
from tests.channel.fake_platform import SILENCE, running_platform
from tests.factories import make_channel_account

IN_TIME = datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def platform(session, monkeypatch):
    with running_platform() as platform:
        given = {"wechat_api_url": platform.url}
        settings = clients.get_settings().model_copy(update=given)
        monkeypatch.setattr(clients, "get_settings", lambda: settings)
        clients.forget_http()
        yield platform
        bulk.close()
        clients.forget_http()


@pytest.fixture
def client(platform) -> OfficialAccountClient:
    return official_account_client(make_channel_account())


def post_all(client, platform, count, calls=None):
    """What became of each of ``count`` calls beside each other."""

    async def work():
        together = Bulk(client, platform.url, TEMPLATE_SEND, calls or count)
        bodies = (f'{{"n": {number}}}'.encode() for number in range(count))
        posts = (together.post(body, Attempt(IN_TIME)) for body in bodies)
        return await asyncio.gather(*posts, return_exceptions=True)

    return bulk.run(work())


def used(platform) -> int:
    return next(row.used for row in list_budgets() if row.api == TEMPLATE_SEND)


def test_refused_tokens_cost_one_refresh_however_many_calls_had_them(client, platform):
    platform.answer = lambda call: (
        {"errcode": 42001} if call.token == "t0ken-1" else {"errcode": 0, "msgid": 1}
    )

    answers = post_all(client, platform, 60)

    assert [answer["msgid"] for answer in answers] == [1] * 60
    assert platform.tokens == ["t0ken-1", "t0ken-2"]
    assert {call.body["n"] for call in platform.calls if call.token == "t0ken-2"} == set(range(60))
    assert list_alarms() == []


def test_a_token_that_was_fetched_is_used_by_the_next_chunk(client, platform):
    for _ in range(3):
        post_all(client, platform, 2)

    assert platform.tokens == ["t0ken-1"]
    assert {call.token for call in platform.calls} == {"t0ken-1"}


def test_a_second_refusal_is_an_alarm_and_no_third_try(client, platform):
    platform.answer = lambda _: {"errcode": 40014, "errmsg": "no"}

    [error] = post_all(client, platform, 1)

    assert (type(error), error.errcode) == (WeChatError, 40014)
    assert [call.token for call in platform.calls] == ["t0ken-1", "t0ken-2"]
    [alarm] = list_alarms()
    assert (alarm.account_id, alarm.errcode) == (client.account_id, 40014)


def test_another_refusal_after_a_refresh_is_no_alarm(client, platform):
    platform.answer = lambda call: {"errcode": 40001 if call.token == "t0ken-1" else 43101}

    [error] = post_all(client, platform, 1)

    assert error.errcode == 43101
    assert list_alarms() == []


def test_an_errors_text_holds_no_address_and_no_token(client, platform):
    platform.answer = lambda call: (
        SILENCE if call.body["n"] else {"errcode": 43101, "errmsg": f"{call.token} is muted"}
    )

    refused, lost = post_all(client, platform, 2)

    assert "[struck]" in str(refused)
    assert isinstance(lost, WeChatUnreachable)
    for error in (refused, lost):
        told = f"{error!s} {error!r} {error.__context__!r} {error.__cause__!r}"
        assert "t0ken" not in told
        assert platform.url not in told


@pytest.mark.parametrize("count", [1, 3, GRANT + 50])
def test_as_many_calls_are_counted_as_are_made(client, platform, count):
    post_all(client, platform, count)

    assert used(platform) == len(platform.calls) == count


def test_calls_that_nobody_expected_are_counted_too(client, platform):
    post_all(client, platform, 4, calls=1)

    assert used(platform) == 4


class Scarce(OfficialAccountClient):
    """Its budget is used up when it is first asked."""

    wait_seconds = 1
    asked = 0

    def take_some(self, path: str, wanted: int) -> int:
        self.asked += 1
        if path == TEMPLATE_SEND and self.asked == 1:
            raise BudgetExhausted(path, self.wait_seconds)
        return super().take_some(path, wanted)


def scarce(client) -> Scarce:
    found = object.__new__(Scarce)
    found.__dict__.update(vars(client))
    return found


def test_a_budget_that_fills_soon_is_waited_for(client, platform):
    [answer] = post_all(scarce(client), platform, 1)

    assert answer["errcode"] == 0


def test_a_budget_that_does_not_fill_soon_is_not_waited_for(client, platform):
    poor = scarce(client)
    poor.wait_seconds = 60

    [error] = post_all(poor, platform, 1)

    assert isinstance(error, BudgetExhausted)
    assert platform.calls == []


def test_connections_outlive_a_chunk_and_a_closed_loop_begins_anew(client, platform):
    post_all(client, platform, 1)
    before = platform.connections
    post_all(client, platform, 1)
    assert platform.connections == before

    bulk.close()
    post_all(client, platform, 1)

    assert platform.connections == before + 1


def test_what_was_on_its_way_when_a_job_was_broken_off_does_not_go_on_later(client, platform):
    went_on = []

    async def linger():
        await asyncio.sleep(0.05)
        went_on.append(True)

    async def work():
        lingering = asyncio.ensure_future(linger())
        await asyncio.sleep(0)
        assert not lingering.done()
        raise TimeoutError("the job's time is up")

    with pytest.raises(TimeoutError):
        bulk.run(work())
    bulk.run(asyncio.sleep(0.1))

    assert went_on == []
