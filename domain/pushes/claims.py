"""Claim a chunk of the ledger for sending: each push is some worker's, or nobody's."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from domain.pushes.addresses import Step, book_of
from domain.pushes.campaigns import CHUNK, Chunk
from domain.pushes.ledger import change, grouped, send_after_commit
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Push, PushStatus, Route
from domain.pushes.policy import CLAIM_LIFE, REPEATABLE_FOR, client_msg_id


@dataclass(frozen=True, slots=True)
class PushToSend:
    """A claimed push in plain values. ``address`` is an openid, a userid or a phone number."""

    id: int
    route: Route
    address: str = field(repr=False)
    client_msg_id: str
    subject_id: int
    attempts: int
    in_doubt_since: datetime
    identity_id: int | None = None
    tried: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimedChunk:
    """``accounts``: through which channel account each route goes. ``requested_at`` is the time of
    the campaign, so that all tries of its messages say the same."""

    campaign_id: int
    channel_account_id: int
    org_path: str
    kind: MessageKind
    params: dict[str, Any]
    requested_at: datetime
    path: str
    ladder: tuple[Route, ...]
    claim: int
    at: datetime
    accounts: dict[Route, int]
    pushes: tuple[PushToSend, ...]


def claim(chunk: Chunk) -> ClaimedChunk | None:
    """Take what is due in a chunk for sending; None when nothing is, or another worker has it.

    Who cannot be reached by a step of the ladder is moved to the next at once; who cannot be
    reached by any ends as a permanent failure that the sender sees.
    """
    mine = secrets.randbits(62)
    with transaction() as session:
        now = utc_now()  # not before: the transaction may have waited for its turn
        campaign = session.get(Campaign, chunk.campaign_id)
        if campaign is None or not _may_send(campaign, now):
            return None
        due = and_(Push.status == PushStatus.TEMPORARY_FAILURE, Push.due_at <= now)
        waiting = or_(Push.status == PushStatus.CREATED, due)
        chunk = _not_too_long(session, chunk, waiting)
        in_chunk = (Push.campaign_id == chunk.campaign_id, Push.id.between(*chunk.ids))
        change(
            session,
            (*in_chunk, waiting),
            status=PushStatus.SENDING,
            claim=mine,
            attempts=Push.attempts + 1,
            due_at=now + CLAIM_LIFE,
            in_doubt_since=func.coalesce(Push.in_doubt_since, now),
        )
        columns = (
            *(Push.id, Push.employee_id, Push.subject_id, Push.route, Push.resends),
            *(Push.tried, Push.attempts, Push.in_doubt_since),
        )
        rows = session.execute(select(*columns).where(*in_chunk, Push.claim == mine)).all()
        if not rows:
            return None
        book = book_of(session, campaign, rows, now)
        ready, lost, doubtful = [], [], []
        for row in rows:
            step = book.step_for(row.employee_id, row.route)
            if _is_too_doubtful(row, step, now):
                doubtful.append(row.id)
            elif step is None:
                lost.append((row.id, book.reason_for(row.employee_id, row.tried or ())))
            else:
                ready.append(_to_send(campaign, row, step))
        _write_steps(session, ready, {row.id: row.route for row in rows})
        _write_lost(session, lost)
        _write_doubtful(session, doubtful)
        return ClaimedChunk(
            campaign_id=campaign.id,
            channel_account_id=campaign.channel_account_id,
            org_path=campaign.org_path,
            kind=campaign.kind,
            params=campaign.params,
            requested_at=campaign.created_at,
            path=campaign.path,
            ladder=tuple(Route(step) for step in campaign.ladder),
            claim=mine,
            at=now,
            accounts=book.accounts,
            pushes=tuple(ready),
        )


def _may_send(campaign: Campaign, now: datetime) -> bool:
    return (
        campaign.status is CampaignStatus.RUNNING
        and campaign.starts_at <= now < campaign.expires_at
    )


def _not_too_long(session: Session, chunk: Chunk, waiting: ColumnElement[bool]) -> Chunk:
    """The range of a few late pushes may hold very many others: the rest is a chunk of its own."""
    if chunk.last_id - chunk.first_id < CHUNK:
        return chunk
    too_many = session.scalar(
        select(Push.id)
        .where(Push.campaign_id == chunk.campaign_id, Push.id.between(*chunk.ids), waiting)
        .order_by(Push.id)
        .offset(CHUNK)
        .limit(1)
    )
    if too_many is None:
        return chunk
    send_after_commit(replace(chunk, first_id=too_many))
    return replace(chunk, last_id=too_many - 1)


def _is_too_doubtful(row: Any, step: Step | None, now: datetime) -> bool:
    """It may have arrived, and its repeat would not be dropped: by now it is too late, or it would
    go by another route."""
    if row.in_doubt_since >= now:  # nothing went out before
        return False
    is_same = step is not None and step.route is row.route
    return not is_same or row.in_doubt_since <= now - REPEATABLE_FOR[row.route]


def _to_send(campaign: Campaign, row: Any, step: "Step") -> PushToSend:
    return PushToSend(
        id=row.id,
        route=step.route,
        address=step.address,
        client_msg_id=client_msg_id(campaign.nonce, row.id, row.resends),
        subject_id=row.subject_id,
        attempts=row.attempts if step.route is row.route else 1,
        in_doubt_since=row.in_doubt_since,
        identity_id=step.identity_id,
        tried=(*(row.tried or ()), *step.passed),
    )


def _write_steps(session: Session, ready: Sequence[PushToSend], routes: dict[int, Route]) -> None:
    """Most stay where they are; who moved on does so with others of the same story."""
    moved = [push for push in ready if push.route is not routes[push.id]]
    for (route, story), pushes in grouped(
        moved, lambda push: (push.route, json.dumps(push.tried))
    ).items():
        change(
            session,
            [Push.id.in_([push.id for push in pushes])],
            route=route,
            tried=json.loads(story),
            attempts=1,
        )


def _write_lost(session: Session, lost: Sequence[tuple[int, str]]) -> None:
    for reason, group in grouped(lost, lambda one: one[1]).items():
        change(
            session,
            [Push.id.in_([push_id for push_id, _ in group])],
            status=PushStatus.PERMANENT_FAILURE,
            reason=reason,
            in_doubt_since=None,
            due_at=None,
            claim=None,
        )


def _write_doubtful(session: Session, push_ids: Sequence[int]) -> None:
    if push_ids:
        ours = [Push.id.in_(push_ids)]
        change(session, ours, status=PushStatus.UNKNOWN, due_at=None, claim=None)
