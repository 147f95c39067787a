"""Storing what arrives. While one transaction is committed, the callbacks that come meanwhile
gather, and the next transaction stores them all: a commit costs the same for one as for thirty.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisSilent
from sqlalchemy import insert, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import reading, transaction
from core.queues import Job, QueueName, enqueue_many_after_commit
from core.redis import PREFIX, redis
from core.security import blind_index, seal
from domain.directory.accounts import ChannelAccountCredentials
from domain.inbox.errors import NonceReused, NoncesUnknown
from domain.inbox.models import InboxEvent, InboxState

BODY = "inbox.body"
LONGEST_WORD = 64
MOST_TOGETHER = 64
EVENTS_A_JOB = 16

Key = tuple[int, str]
_table = InboxEvent.metadata.tables[InboxEvent.__tablename__]


@dataclass(frozen=True, slots=True)
class Nonce:
    """What a callback was signed with once; it belongs to the body it came with.

    ``must_hold``: the signature does not cover the body, so that nothing is taken while nonces
    cannot be looked at. Elsewhere a Redis that is away costs us nothing.
    """

    text: str
    seconds: int  # how long it is remembered
    must_hold: bool


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified callback in plain values; ``body`` is decrypted."""

    event: str
    change_type: str
    openid: str
    body: str = field(repr=False)
    deadline_at: datetime | None = None
    nonce: Nonce | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    event_id: int
    is_new: bool


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Arrival:
    """One callback in the line, and what became of it."""

    row: dict[str, Any] = field(repr=False)
    nonce: Nonce | None = None
    # Redis did not answer in its seconds: it is not waited for twice, the sweeper enqueues.
    is_left_to_sweeper: bool = False
    accepted: Accepted | None = None
    error: Exception | None = None
    woken: threading.Lock = field(default_factory=_held_lock, repr=False)

    @property
    def key(self) -> Key:
        return self.row["channel_account_id"], self.row["body_index"]

    @property
    def is_settled(self) -> bool:
        return self.accepted is not None or self.error is not None


def accept(account: ChannelAccountCredentials, callback: Callback) -> Accepted:
    """Store a callback; the same body of the same account is stored, and enqueued, once.

    Returns only after the commit: what is acknowledged to the platform is in the database. Raises
    NonceReused, NoncesUnknown, and what the database raises.
    """
    arrival = _Arrival(_row(account, callback), callback.nonce)
    _line.store(arrival)
    if arrival.accepted is None:
        raise arrival.error or RuntimeError("an arrival was left behind")
    return arrival.accepted


def spend(account: ChannelAccountCredentials, nonce: Nonce, text: str) -> None:
    """The same for what is not stored. Raises NonceReused and NoncesUnknown."""
    index = blind_index(BODY, text)
    arrival = _Arrival({"channel_account_id": account.id, "body_index": index}, nonce)
    _look_at_nonces([(arrival, nonce)])
    if arrival.error is not None:
        raise arrival.error


def _row(account: ChannelAccountCredentials, callback: Callback) -> dict[str, Any]:
    return {
        "org_path": account.org_path,
        "channel_account_id": account.id,
        "body_index": blind_index(BODY, callback.body),
        "event": callback.event[:LONGEST_WORD],
        "change_type": callback.change_type[:LONGEST_WORD],
        "openid": callback.openid[:LONGEST_WORD],
        "body_sealed": seal(BODY, callback.body),
        "state": InboxState.RECEIVED,
        "attempts": 0,
        "received_at": utc_now(),
        "deadline_at": callback.deadline_at,
    }


class _Line:
    """Threads of one process: the first in the line stores for all who stand in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Arrival] = []
        self._is_storing = False

    def store(self, arrival: _Arrival) -> None:
        with self._lock:
            self._waiting.append(arrival)
            must_wait, self._is_storing = self._is_storing, True
        # Each is woken once: when it has been stored, or when it is its turn to store.
        if must_wait:
            arrival.woken.acquire()
        if not arrival.is_settled:
            self._store_next()

    def _store_next(self) -> None:
        with self._lock:
            together = self._waiting[:MOST_TOGETHER]
            del self._waiting[:MOST_TOGETHER]
        try:
            _settle(together)
        finally:
            with self._lock:
                self._is_storing = bool(self._waiting)
                following = self._waiting[:1]
            for other in [*together, *following]:
                other.woken.release()


_line = _Line()


def _settle(together: Sequence[_Arrival]) -> None:
    """Store them, or give each its error: one that cannot be stored must not take others along."""
    try:
        _look_at_nonces([(one, one.nonce) for one in together if one.nonce])
        together = [arrival for arrival in together if not arrival.is_settled]
        _store_all(together)
    except Exception as error:  # raised again in the thread of each
        for arrival in together:
            arrival.error = error


def _store_all(together: Sequence[_Arrival]) -> None:
    """Nearly always all are new and sound; else each is looked at by itself."""
    if not together:
        return
    try:
        _store(together)
    except (IntegrityError, DataError):
        for arrival in together:
            _settle_alone(arrival)


def _look_at_nonces(signed: Sequence[tuple[_Arrival, Nonce]]) -> None:
    """All in one round trip. The same body again is the platform's own repeat."""
    try:
        used = _used_before(signed)
    except RedisError as error:
        for arrival, nonce in signed:
            arrival.error = NoncesUnknown() if nonce.must_hold else None
            arrival.is_left_to_sweeper = isinstance(error, RedisSilent)
        return
    for arrival, first in used:
        # None: it went out of memory between the two questions.
        if first not in (arrival.row["body_index"], None):
            arrival.error = NonceReused()


def _used_before(signed: Sequence[tuple[_Arrival, Nonce]]) -> Sequence[tuple[_Arrival, str | None]]:
    """Those whose nonce is not new, with the body that came with it first."""
    asked = [(arrival, _nonce_key(arrival, nonce), nonce.seconds) for arrival, nonce in signed]
    with redis().pipeline(transaction=False) as together:
        for arrival, key, seconds in asked:
            together.set(key, arrival.row["body_index"], nx=True, ex=seconds)
        is_new = together.execute()
    old = [(arrival, key) for (arrival, key, _), new in zip(asked, is_new, strict=True) if not new]
    firsts = cast(list[str | None], redis().mget([key for _, key in old]) if old else [])
    return [(arrival, first) for (arrival, _), first in zip(old, firsts, strict=True)]


def _nonce_key(arrival: _Arrival, nonce: Nonce) -> str:
    used = sha256(nonce.text.encode("utf-8", "replace")).hexdigest()
    return f"{PREFIX}callback-nonce:{arrival.row['channel_account_id']}:{used}"


def _settle_alone(arrival: _Arrival) -> None:
    try:
        _store([arrival])
    except IntegrityError as error:
        # The same callback came before, or to another process: the unique key has the last word.
        stored = _ids(reading(), [arrival.key]).get(arrival.key)
        arrival.accepted = Accepted(stored, is_new=False) if stored else None
        arrival.error = None if stored else error
    except Exception as error:  # raised again in the thread of each
        arrival.error = error


def _store(together: Sequence[_Arrival]) -> None:
    # Sorted, so that two processes take the index's locks in one order.
    rows = {arrival.key: arrival.row for arrival in sorted(together, key=lambda one: one.key)}
    with transaction() as session:
        session.execute(insert(_table), list(rows.values()))
        stored = _ids(session, list(rows))
        if not any(arrival.is_left_to_sweeper for arrival in together):
            _enqueue({stored[key]: row["deadline_at"] is not None for key, row in rows.items()})
    for arrival in together:
        is_new = rows.pop(arrival.key, None) is not None
        arrival.accepted = Accepted(stored[arrival.key], is_new)


def _ids(session: Session, keys: Sequence[Key]) -> dict[Key, int]:
    columns = _table.c
    found = session.execute(
        select(columns.channel_account_id, columns.body_index, columns.id).where(
            columns.channel_account_id.in_({account_id for account_id, _ in keys}),
            columns.body_index.in_([index for _, index in keys]),
        )
    )
    return {(account_id, index): event_id for account_id, index, event_id in found}


def _enqueue(urgency: dict[int, bool]) -> None:
    enqueue_events([one for one, is_urgent in urgency.items() if is_urgent], is_urgent=True)
    enqueue_events([one for one, is_urgent in urgency.items() if not is_urgent])


def enqueue_events(event_ids: Sequence[int], *, is_urgent: bool = False) -> None:
    """After the commit. Urgent ones wait for nobody; others share a job."""
    queue, size = (QueueName.URGENT, 1) if is_urgent else (QueueName.INBOX, EVENTS_A_JOB)
    starts = range(0, len(event_ids), size)
    some = [tuple(event_ids[start : start + size]) for start in starts]
    enqueue_many_after_commit(queue, Job.HANDLE_INBOX_EVENTS, some)
