"""Who wants to hear what: rooms register listeners here, the worker tells them.

``listen_to(FollowerSubscribed, …)`` takes a function of the account and the event. It may be told
twice (a worker died, a person replayed the event): a unique key must make that harmless. When one
listener fails, all are told again later.

Who listens ``urgent=True`` is told first, and only while the event's deadline lasts:
a welcome code is not even tried when its twenty seconds are over. Others hear such an event all
the same, because the customer is there whether greeted or not.
"""

import traceback
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from rq.timeouts import JobTimeoutException

from channel.wechat.messages import Received
from channel.wechat.messages import read_message as read_wechat
from channel.wecom.messages import read_message as read_wecom
from core.db import let_go
from core.errors import DomainError
from core.log import logger
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import channel_account
from domain.inbox import service as inbox
from domain.inbox.models import InboxState

E = TypeVar("E", bound=Received)
Listener = Callable[[ChannelAccountCredentials, E], None]

_listeners: dict[type[Received], list[Listener[Any]]] = defaultdict(list)
_urgent_listeners: dict[type[Received], list[Listener[Any]]] = defaultdict(list)


class TryLater(Exception):
    """A listener's way to say: not yet, tell me again later."""


def listen_to(kind: type[E], listener: Listener[E], *, urgent: bool = False) -> None:
    (_urgent_listeners if urgent else _listeners)[kind].append(listener)


def handle_inbox_event(event_id: int) -> None:
    """The job: claim, tell everyone who listens, write down what became of it."""
    claimed = inbox.claim(event_id)
    if claimed is None:
        return
    try:
        account = channel_account(claimed.channel_account_id)
        message = _read(account, claimed.body)
        let_go()  # a listener may call the platform: no transaction waits for that
        state = _tell(account, message, claimed) if message else InboxState.IGNORED
    except TryLater:  # nothing failed: whatever a report speaks of may come after it
        let_go()
        inbox.record_failed(claimed, TryLater.__name__)
    except JobTimeoutException as error:
        # The limit is spent: what is left of the job would run without one. It comes again.
        _note_failure(claimed, error)
        raise
    except Exception as error:  # whatever a listener raises, the event is not lost
        _note_failure(claimed, error)
    else:
        inbox.record_processed(claimed, state)


def _read(account: ChannelAccountCredentials, body: str) -> Received | None:
    is_wecom = account.kind is ChannelKind.WECOM_APP
    return read_wecom(body) if is_wecom else read_wechat(body)


def _tell(
    account: ChannelAccountCredentials, message: Received, claimed: inbox.ClaimedEvent
) -> InboxState:
    is_too_late, is_heard = claimed.is_too_late, False
    if claimed.deadline_at and not is_too_late:
        is_heard = _tell_all(_urgent_listeners, account, message)
        inbox.note_in_time(claimed)
        let_go()
    is_heard = _tell_all(_listeners, account, message) or is_heard
    if is_too_late:
        return InboxState.TOO_LATE
    return InboxState.DONE if is_heard else InboxState.IGNORED


def _tell_all(
    listeners: dict[type[Received], list[Listener[Any]]],
    account: ChannelAccountCredentials,
    message: Received,
) -> bool:
    """Whether anybody listened."""
    those = listeners.get(type(message), [])
    for listener in those:
        listener(account, message)
    return bool(those)


def _note_failure(claimed: inbox.ClaimedEvent, error: Exception) -> None:
    reason = error.code if isinstance(error, DomainError) else type(error).__name__
    # Where, not what: an error's text may hold what a person wrote.
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    logger.warning(
        "callback failed",
        extra={
            "event_id": claimed.id,
            "attempts": claimed.attempts,
            "reason": reason,
            "where": where,
        },
    )
    let_go()
    inbox.record_failed(claimed, reason)
