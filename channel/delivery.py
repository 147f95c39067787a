"""A claimed chunk out: each push by its route, many at once, to what the platforms said."""

import asyncio
import traceback
from collections import Counter as Counts
from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import Counter
from rq.timeouts import JobTimeoutException

from channel import bulk
from channel.budget import BudgetExhausted
from channel.bulk import CONNECTIONS, Attempt, TooLate
from channel.retries import BUSY, Reaction
from channel.ways import (
    BAD_TEMPLATE,
    NO_SUCH_TEMPLATE,
    NOT_A_MEMBER,
    Way,
    wait_for_template,
    way_of,
)
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.clock import utc_now
from core.db import let_go
from core.log import logger
from domain.pushes.claims import ClaimedChunk, PushToSend
from domain.pushes.models import PushStatus, Route
from domain.pushes.outcomes import PushOutcome
from domain.pushes.policy import BEGIN_WITHIN

# A platform that does not answer so many calls in a row is left alone for a while.
SILENCES = 50
AFTER_SILENCE = timedelta(seconds=15)
AFTER_ALARM = timedelta(minutes=5)

TRIES = Counter(
    "xinqiao_push_tries_total",
    "Tries to send a message by what became of them",
    ["route", "outcome"],
)
OUTCOMES = {PushStatus.CREATED: "postponed"}  # not asked: it is tried later

# What trying again cannot change, and the ledger's word for it. All else is worth another try.
PERMANENT = {
    40003: "openid",  # the openid belongs to another account
    40165: BAD_TEMPLATE,  # the mini-program has no such page
    41030: BAD_TEMPLATE,  # the same of a subscription message
    43004: "not-following",  # the receiver does not follow us
    43019: "blacklisted",  # the account's own operators blocked the receiver
    43101: "muted",  # the receiver muted this template; no event tells us so
    47003: BAD_TEMPLATE,  # a value breaks the rule of its field
    60111: NOT_A_MEMBER,  # WeCom: no such member
    81013: NOT_A_MEMBER,  # WeCom: none of the receivers can be reached
}


def deliver(claimed: ClaimedChunk) -> dict[int, PushOutcome]:
    """Send what was claimed; the outcome of every push. Never raises for what a platform does;
    opens no transaction while it calls out."""
    if not claimed.pushes:
        return {}
    routes = {push.route for push in claimed.pushes}
    ways = {route: way_of(claimed, route) for route in routes}
    let_go()
    outcomes = bulk.run(_Delivery(ways, claimed).run())
    _count(claimed, outcomes)
    return outcomes


def _count(claimed: ClaimedChunk, outcomes: Mapping[int, PushOutcome]) -> None:
    """A chunk at once: a write for each message would cost more than the message may."""
    tries = Counts((push.route, outcomes[push.id].status) for push in claimed.pushes)
    for (route, status), count in tries.items():
        TRIES.labels(route.value, OUTCOMES.get(status, status.value)).inc(count)


class _Delivery:
    """One chunk on its way. ``_stopped`` is what becomes of pushes that are not tried any more."""

    def __init__(self, ways: "Mapping[Route, Way | PushOutcome]", claimed: ClaimedChunk) -> None:
        self._ways, self._pushes = ways, iter(claimed.pushes)
        self._lanes = min(CONNECTIONS, len(claimed.pushes))
        self._outcomes: dict[int, PushOutcome] = {}
        self._stopped: dict[Route, PushOutcome] = {}
        self._silences = 0
        self._faults: set[str] = set()
        self._end = claimed.at + BEGIN_WITHIN

    async def run(self) -> dict[int, PushOutcome]:
        async with asyncio.TaskGroup() as lanes:  # broken off, all end together
            for _ in range(self._lanes):
                lanes.create_task(self._lane())
        return self._outcomes

    async def _lane(self) -> None:
        for push in self._pushes:  # shared by all lanes
            self._outcomes[push.id] = await self._one(push)

    async def _one(self, push: PushToSend) -> PushOutcome:
        way = self._ways[push.route]
        if isinstance(way, PushOutcome):
            return way
        if push.route in self._stopped:
            return self._stopped[push.route]
        attempt = Attempt(self._end)
        try:
            attempt.check_time()
            return await self._tried(push, way, attempt)
        except TooLate:
            return PushOutcome(PushStatus.CREATED)
        except JobTimeoutException:  # nobody's fault: the whole chunk is broken off
            raise
        except Exception as error:  # a fault of ours, which only this push pays for
            return self._failed(error, attempt)

    async def _tried(self, push: PushToSend, way: "Way", attempt: Attempt) -> PushOutcome:
        try:
            outcome = await way.send(push, attempt)
        except BudgetExhausted as exhausted:
            wait = timedelta(seconds=exhausted.retry_after_seconds)
            return self._stop(push.route, exhausted.code, wait)
        except WeChatError as error:
            self._silences = 0
            return self._refused(push.route, error, way)
        except WeChatUnreachable as error:
            return self._lost(push.route, error)
        self._silences = 0
        return outcome

    def _refused(self, route: Route, error: WeChatError, way: "Way") -> PushOutcome:
        reaction = way.note_refusal(error.errcode)
        if error.errcode == NO_SUCH_TEMPLATE:
            return self._stopped.setdefault(route, wait_for_template(route))
        reason = PERMANENT.get(error.errcode)
        if reason:
            return PushOutcome(PushStatus.PERMANENT_FAILURE, errcode=error.errcode, reason=reason)
        if reaction in {Reaction.ALARM, Reaction.WAIT, Reaction.REFRESH}:
            self._stop(route, error.code, AFTER_ALARM)
        # Carried out or not: the ledger repeats it only while the platform drops repeats.
        failed = PushStatus.UNKNOWN if error.errcode in BUSY else PushStatus.TEMPORARY_FAILURE
        return PushOutcome(failed, errcode=error.errcode, reason=error.code)

    def _lost(self, route: Route, error: WeChatUnreachable) -> PushOutcome:
        """Lost on the way there is worth another try; lost on the way back, nobody knows."""
        self._silences += 1
        if self._silences >= SILENCES:
            self._stop(route, error.code, AFTER_SILENCE)
        lost = PushStatus.UNKNOWN if error.may_have_arrived else PushStatus.TEMPORARY_FAILURE
        return PushOutcome(lost, reason=error.code)

    def _failed(self, error: Exception, attempt: Attempt) -> PushOutcome:
        """Its message is not told, it may name somebody; said once, however many it concerns."""
        *_, place = traceback.extract_tb(error.__traceback__)
        fault = f"{type(error).__name__} in {place.name}:{place.lineno}"
        if fault not in self._faults:
            self._faults.add(fault)
            logger.error("push failed by a fault of ours", extra={"why": fault})
        status = PushStatus.UNKNOWN if attempt.has_begun else PushStatus.TEMPORARY_FAILURE
        return PushOutcome(status)

    def _stop(self, route: Route, reason: str, wait: timedelta) -> PushOutcome:
        """Nothing more by this route for now; nobody's tries are used up by it."""
        later = utc_now() + wait
        held = later if route is Route.TEMPLATE else None
        outcome = PushOutcome(PushStatus.CREATED, reason=reason, due_at=later, held_until=held)
        self._stopped.setdefault(route, outcome)
        return outcome
