"""Pure rules of pushing."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from core.clock import CHINA
from domain.pushes.models import MessageKind, PushStatus, Route, Urgency

RETRY_AFTER = (
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)

# For so long a platform drops the repeat of a message that it has (reference 2.6, 2.11); we stay
# a minute inside. A gateway for SMS promises it by its contract (docs/sms.md); a mini-program's
# subscription message has no such thing.
REPEATABLE_FOR = {
    Route.TEMPLATE: timedelta(minutes=9),
    Route.MINIPROGRAM: timedelta(0),
    Route.WECOM: timedelta(minutes=29),
    Route.SMS: timedelta(minutes=9),
}
# No call begins later than this after its claim, nor does the waiting for its token, which is the
# longest of what may still be under way then; afterwards the outcomes are written.
BEGIN_WITHIN = timedelta(seconds=20)
# A claim older than this belongs to a worker that died; a living one has let go of it before.
CLAIM_LIFE = timedelta(seconds=60)
# The others say that they took it, and never more.
REPORTING = (Route.TEMPLATE,)
# The platform reports within seconds; what it has not reported by then it will not report.
REPORT_LIFE = timedelta(minutes=10)
# A notice that nobody could send is still news when its receiver binds within this time.
STILL_NEWS = timedelta(days=60)
# Nobody tells us that a person allowed a message again: after this time we ask the platform.
REMEMBERED_FOR = {
    "muted": timedelta(days=30),
    "user block": timedelta(days=30),
    "blacklisted": timedelta(days=30),
    "openid": timedelta(days=365),
    "not-a-member": timedelta(days=1),
    "not-following": timedelta(days=30),
}
# About the person as a whole, not about one kind of message.
ABOUT_ALL_KINDS = frozenset(
    {"user block", "blacklisted", "openid", "not-a-member", "not-following"}
)

NOT_BOUND = "not-bound"

LADDERS: dict[MessageKind, tuple[Route, ...]] = {
    MessageKind.PAYSLIP_READY: (Route.TEMPLATE, Route.MINIPROGRAM, Route.WECOM, Route.SMS),
    MessageKind.PAYSLIP_REMINDER: (Route.TEMPLATE, Route.MINIPROGRAM, Route.WECOM),
    MessageKind.QUESTION_ANSWERED: (Route.TEMPLATE, Route.MINIPROGRAM, Route.WECOM),
}
URGENCIES = {MessageKind.QUESTION_ANSWERED: Urgency.URGENT}
EXPIRES_AFTER = timedelta(days=3)

# Nobody's telephone rings for a payslip at night.
QUIET_ROUTES = frozenset({Route.SMS})
QUIET_FROM, QUIET_TO = time(21), time(8)
# Who waits for the end of the night is not given up before this much of the day.
MORNING = timedelta(hours=4)

# A gradual start: this share of all may have been handed out after so long.
GRADUAL = ((timedelta(0), 0.01), (timedelta(minutes=1), 0.1), (timedelta(minutes=2), 1.0))
LEAST_AT_FIRST = 20
ALL_AFTER = GRADUAL[-1][0]


def retry_delay(attempts: int) -> timedelta | None:
    """How long to wait after the ``attempts``-th failure; None when it is time to give up."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None


def after_lost_answer(route: Route, age: timedelta) -> PushStatus:
    """What becomes of a push whose outcome nobody heard; ``age`` of its first try when it would
    be repeated."""
    is_safe = age < REPEATABLE_FOR[route]
    return PushStatus.TEMPORARY_FAILURE if is_safe else PushStatus.UNKNOWN


def next_route(ladder: Sequence[str], route: Route) -> Route | None:
    """The step after ``route``; None at the top."""
    steps = [Route(step) for step in ladder]
    later = steps[steps.index(route) + 1 :] if route in steps else []
    return later[0] if later else None


def quiet_until(route: Route, now: datetime) -> datetime | None:
    """When a message by this route may go out; None for at once."""
    local = now.astimezone(CHINA)
    if route not in QUIET_ROUTES or QUIET_TO <= local.time() < QUIET_FROM:
        return None
    morning = datetime.combine(local.date(), QUIET_TO, CHINA)
    return morning if local < morning else morning + timedelta(days=1)


def expiry(ladder: Sequence[str], begins_at: datetime) -> datetime:
    """Until when what is sent from ``begins_at`` on is worth sending. Where a step of the ladder
    waits for the morning, that is never in the night nor early in the day."""
    ends_at = begins_at + EXPIRES_AFTER
    for route in QUIET_ROUTES.intersection(map(Route, ladder)):
        night_ends_at = quiet_until(route, ends_at) or quiet_until(route, ends_at - MORNING)
        if night_ends_at:
            ends_at = night_ends_at + MORNING
    return ends_at


def is_mended(
    ladder: Sequence[str],
    route: Route,
    reason: str | None,
    tried: Sequence[Mapping[str, Any]],
    mended: Collection[str],
) -> bool:
    """Whether a push that failed for good, last by ``route``, may go out again because one of the
    reasons in its story is mended. What may have arrived is left alone."""
    if any(one.get("in_doubt") for one in tried):
        return False
    # The first step is passed without a word by who is not bound.
    is_passed = route != ladder[0] and all(one["route"] != ladder[0] for one in tried)
    reasons = {reason, *(one["reason"] for one in tried), *([NOT_BOUND] if is_passed else ())}
    return not reasons.isdisjoint(mended)


def may_be_fed(total: int, running_for: timedelta, *, is_gradual: bool) -> int:
    """How many pushes of a campaign may have been handed out after so long."""
    if not is_gradual:
        return total
    share = max(share for begins, share in GRADUAL if running_for >= begins)
    return min(total, max(LEAST_AT_FIRST, int(total * share)))


def client_msg_id(nonce: str, push_id: int, resends: int) -> str:
    """At most 32 characters; the same for every try of a push, another after a resend."""
    return f"{nonce}-{push_id:x}-{resends:x}"
