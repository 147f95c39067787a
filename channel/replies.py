"""What is answered at once, in the answer to the callback itself.

``@replies(TextMessage)`` marks a function of the account and the message that returns the reply's
XML, or None. It runs while WeChat waits (five seconds, the storing included), so it may not call
anybody; it may run again when WeChat repeats itself. The first that answers is heard.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from channel.wechat.messages import (
    FollowerSubscribed,
    Received,
    TextMessage,
    text_reply,
    transfer_reply,
)
from channel.wecom import messages as wecom
from channel.wecom.messages import AppFollowed, MemberText
from core.clock import utc_now
from core.log import logger
from domain.directory.accounts import ChannelAccountCredentials

M = TypeVar("M", bound=Received)
Replier = Callable[[ChannelAccountCredentials, M], str | None]

_repliers: dict[type[Received], list[Replier[Any]]] = defaultdict(list)


def replies(kind: type[M]) -> Callable[[Replier[M]], Replier[M]]:
    def register(replier: Replier[M]) -> Replier[M]:
        _repliers[kind].append(replier)
        return replier

    return register


def reply_to(account: ChannelAccountCredentials, message: Received) -> str | None:
    """The reply's XML in clear; None when nobody has anything to say."""
    for replier in _repliers.get(type(message), ()):
        try:
            xml = replier(account, message)
        except Exception as error:
            logger.error("no reply", extra={"account": account.name, "error": type(error).__name__})
            continue
        if xml is not None:
            return xml
    return None


# --- what the bank has written down for the account -----------------------------------------


@replies(FollowerSubscribed)
def greet(account: ChannelAccountCredentials, event: FollowerSubscribed) -> str | None:
    return text_reply(event, account.replies.follow, utc_now()) if account.replies.follow else None


@replies(AppFollowed)
def greet_member(account: ChannelAccountCredentials, event: AppFollowed) -> str | None:
    follow = account.replies.follow
    return wecom.text_reply(event, follow, utc_now()) if follow else None


@replies(MemberText)
def answer_member(account: ChannelAccountCredentials, message: MemberText) -> str | None:
    """WeCom has no customer service to hand a member over to."""
    text = account.replies.message
    return wecom.text_reply(message, text, utc_now()) if text else None


@replies(TextMessage)
def answer_text(account: ChannelAccountCredentials, message: TextMessage) -> str | None:
    if account.replies.hands_over:
        return transfer_reply(message, utc_now())
    if account.replies.message:
        return text_reply(message, account.replies.message, utc_now())
    return None
