"""Who wants to hear what: rooms register listeners here, the worker tells them.

``@listens(FollowerSubscribed)`` marks a function of the account and the event. It may be told
twice (a worker died, a person replayed the event): a unique key must make that harmless. When one
listener fails, all are told again later.
"""

import traceback
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from channel.wechat.messages import Received, read_message
from core.db import let_go
from core.errors import DomainError
from core.log import logger
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.channel_accounts import channel_account
from domain.inbox import service as inbox

E = TypeVar("E", bound=Received)
Listener = Callable[[ChannelAccountCredentials, E], None]

_listeners: dict[type[Received], list[Listener[Any]]] = defaultdict(list)


class TryLater(Exception):
    """A listener's way to say: not yet, tell me again later."""


def listens(kind: type[E]) -> Callable[[Listener[E]], Listener[E]]:
    def register(listener: Listener[E]) -> Listener[E]:
        _listeners[kind].append(listener)
        return listener

    return register


def handle_inbox_event(event_id: int) -> None:
    """The job: claim, tell everyone who listens, write down what became of it."""
    claimed = inbox.claim(event_id)
    if claimed is None:
        return
    try:
        account = channel_account(claimed.channel_account_id)
        message = read_message(claimed.body)
        let_go()  # a listener may call WeChat: no transaction waits for that
        is_heard = message is not None and _tell(account, message)
    except Exception as error:  # whatever a listener raises, the event is not lost
        _note_failure(claimed, error)
    else:
        inbox.record_processed(claimed, is_ignored=not is_heard)


def _tell(account: ChannelAccountCredentials, message: Received) -> bool:
    listeners = _listeners.get(type(message), [])
    for listener in listeners:
        listener(account, message)
    return bool(listeners)


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
