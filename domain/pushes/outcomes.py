"""Write down what became of a claimed chunk: sent, the next step, a later try, or a failure."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, null, or_, update
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import set_each, transaction
from core.log import logger
from domain.pushes.addresses import remember
from domain.pushes.campaigns import Chunk
from domain.pushes.claims import ClaimedChunk, PushToSend
from domain.pushes.ledger import change, grouped, send_after_commit, tried_entry
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
)
from domain.pushes.policy import after_lost_answer, next_route, retry_delay

GAVE_UP = "gave-up"


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What the platform said; ``status`` is SENT, a failure, UNKNOWN when it said nothing, or
    CREATED when it was not asked: then ``due_at`` says when it may be. ``held_until``: the whole
    account has to wait so long, or only its campaigns of this kind."""

    status: PushStatus
    msgid: str | None = None
    errcode: int | None = None
    reason: str | None = None
    due_at: datetime | None = None
    held_until: datetime | None = None
    holds_kind_only: bool = False


def record_outcomes(claimed: ClaimedChunk, outcomes: Mapping[int, PushOutcome]) -> None:
    """Write down what became of pushes of a claimed chunk, in a few statements however many.

    An outcome for a push that is no longer ours (its claim was too old) changes nothing.
    """
    now = utc_now()
    sent = [(one, what.msgid) for one, what in outcomes.items() if what.status is PushStatus.SENT]
    rest = [
        (push, _entry(claimed, push, outcomes[push.id], now))
        for push in claimed.pushes
        if push.id in outcomes and outcomes[push.id].status is not PushStatus.SENT
    ]
    with transaction() as session:
        _write_sent(session, claimed.claim, sent, now)
        for entry, group in grouped(rest, lambda one: one[1]).items():
            ours = [Push.id.in_([push.id for push, _ in group]), Push.claim == claimed.claim]
            change(session, ours, **entry.values())
        said = [(push.identity_id, outcomes[push.id].reason) for push, _ in rest]
        remember(session, said, claimed.kind, now)
        moved = [push.id for push, entry in rest if entry.due_at == now]
        if moved:
            send_after_commit(Chunk(claimed.campaign_id, min(moved), max(moved)))
    _hold(claimed, outcomes.values())
    counts = Counter(what.status.value for what in outcomes.values())
    logger.info("pushes recorded", extra={"campaign_id": claimed.campaign_id, "outcomes": counts})


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is written of a push that was not sent; equal ones go into one statement."""

    status: PushStatus
    route: Route
    reason: str | None
    errcode: int | None
    due_at: datetime | None
    in_doubt_since: datetime | None
    attempts: int
    story: str

    def values(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "route": self.route,
            "reason": self.reason,
            "errcode": self.errcode,
            "due_at": self.due_at,
            "in_doubt_since": self.in_doubt_since,
            "attempts": self.attempts,
            "tried": json.loads(self.story) or null(),
            "claim": None,
        }


def _entry(claimed: ClaimedChunk, push: PushToSend, what: PushOutcome, now: datetime) -> _Entry:
    since = push.in_doubt_since if push.in_doubt_since < claimed.at else None
    known = _Entry(
        what.status,
        push.route,
        what.reason,
        what.errcode,
        None,
        since,
        push.attempts,
        json.dumps(push.tried),
    )
    match what.status:
        case PushStatus.CREATED:
            status, at = PushStatus.TEMPORARY_FAILURE, what.due_at or now
            return replace(known, status=status, due_at=at, attempts=push.attempts - 1)
        case PushStatus.UNKNOWN:
            return _tried_again(replace(known, in_doubt_since=push.in_doubt_since), now)
        case PushStatus.TEMPORARY_FAILURE:
            entry = _tried_again(known, now)
            given_up = entry.status is PushStatus.PERMANENT_FAILURE
            return _moved_on(claimed, push, entry, now) if given_up else entry
        case _:
            return _moved_on(claimed, push, replace(known, in_doubt_since=None), now)


def _tried_again(entry: _Entry, now: datetime) -> _Entry:
    """When the next try is, if it still is one: what may have arrived is not repeated later than
    the platform drops repeats."""
    delay = retry_delay(entry.attempts)
    if entry.in_doubt_since is not None:
        status = after_lost_answer(entry.route, now + (delay or timedelta()) - entry.in_doubt_since)
        if status is PushStatus.UNKNOWN or delay is None:
            return replace(entry, status=PushStatus.UNKNOWN)
    if delay is None:
        return replace(entry, status=PushStatus.PERMANENT_FAILURE, reason=entry.reason or GAVE_UP)
    return replace(entry, status=PushStatus.TEMPORARY_FAILURE, due_at=now + delay)


def _moved_on(claimed: ClaimedChunk, push: PushToSend, entry: _Entry, now: datetime) -> _Entry:
    """After a final no: the next step of the ladder, or the end."""
    last = tried_entry(push.route, entry.reason, entry.errcode, now)
    if push.in_doubt_since < claimed.at:  # nobody heard what became of a try before this one
        last["in_doubt"] = True
    story = [*push.tried, last]
    step = next_route(claimed.ladder, push.route)
    if step is None:
        reason = str(story[0]["reason"])
        return replace(
            entry, status=PushStatus.PERMANENT_FAILURE, reason=reason, story=json.dumps(story)
        )
    return replace(
        entry,
        status=PushStatus.TEMPORARY_FAILURE,
        route=step,
        due_at=now,
        attempts=0,
        story=json.dumps(story),
    )


def _write_sent(
    session: Session, claim: int, sent: Sequence[tuple[int, str | None]], now: datetime
) -> None:
    if not sent:
        return
    set_each(session, cast(Table, Push.__table__), "msgid", sent, claim)
    ours = [Push.id.in_([push_id for push_id, _ in sent]), Push.claim == claim]
    change(
        session,
        ours,
        status=PushStatus.SENT,
        sent_at=now,
        reason=None,
        errcode=None,
        due_at=None,
        in_doubt_since=None,
        claim=None,
    )


def _hold(claimed: ClaimedChunk, outcomes: Collection[PushOutcome]) -> None:
    """The account's budget is used up, or a template is gone: none of the campaigns that need it
    is fed before. In a transaction of its own, because elsewhere campaigns are locked before their
    pushes."""
    for kinds, is_one in ((list(MessageKind), False), ([claimed.kind], True)):
        held = [one.held_until for one in outcomes if one.holds_kind_only is is_one]
        until = max(filter(None, held), default=None)
        if until is None:
            continue
        with transaction() as session:
            session.execute(
                update(Campaign)
                .where(
                    Campaign.channel_account_id == claimed.channel_account_id,
                    Campaign.status.in_([CampaignStatus.RUNNING, CampaignStatus.PAUSED]),
                    Campaign.kind.in_(kinds),
                    or_(Campaign.held_until.is_(None), Campaign.held_until < until),
                )
                .values(held_until=until)
                .execution_options(synchronize_session=False)
            )
