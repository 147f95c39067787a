"""What the callback doors of both platforms share: verify, store, answer within five seconds.

``success`` means stored. What cannot be stored is answered with 5xx, so that the platform tries
again; what we do not understand is stored and answered ``success``, or they would send it for
ever. An answer holds nothing of what was sent, save a passive reply's receiver.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from channel.replies import reply_to
from channel.wechat.crypto import CryptoRefused, MessageCrypto
from channel.wechat.messages import BODY_LIMIT_BYTES, Received, read_fields
from core.clock import utc_now
from core.errors import DomainError, Forbidden, NotFound, Unavailable
from core.log import logger
from core.security import random_code
from core.settings import get_settings
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import kept_account_by_name
from domain.inbox import intake

LONGEST_NAME = 64
# The envelope as both platforms write it; others are parsed. What stands in it is believed only
# under its signature.
_ENVELOPE = re.compile(
    r"<xml>\s*(?:<(?:ToUserName|AgentID)>[^<>]*(?:<!\[CDATA\[[^<>]*\]\]>)?</\w+>\s*)*"
    r"<Encrypt>(?:<!\[CDATA\[)?([A-Za-z0-9+/=]+)(?:\]\]>)?</Encrypt>"
    r"\s*(?:<AgentID>[^<>]*(?:<!\[CDATA\[[^<>]*\]\]>)?</AgentID>\s*)?</xml>\s*"
)


class CallbackRefused(Forbidden):
    code, message = "callback_refused", "回调没有通过校验"


class CallbackNotStored(Unavailable):
    code, message = "callback_not_stored", "回调没有保存，请重试"


def callback_room(name: str) -> Blueprint:
    """A blueprint that refuses in status codes: the platforms read nothing else."""
    bp = Blueprint(name, __name__)
    bp.register_error_handler(DomainError, _refuse)
    bp.register_error_handler(HTTPException, _refuse_request)
    bp.register_error_handler(SQLAlchemyError, _refuse_fault)
    return bp


def _refuse(error: DomainError) -> Response:
    return answer("", error.status)


def _refuse_request(error: HTTPException) -> Response:
    return answer("", error.code or 400)


def _refuse_fault(error: SQLAlchemyError) -> Response:
    # Its class only: a database error's text holds what was to be stored.
    logger.error("callback not stored", extra={"error": type(error).__name__})
    return answer("", CallbackNotStored.status)


def answer(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain")


# --- verifying ------------------------------------------------------------------------------


def callback_account(name: str, *kinds: ChannelKind) -> ChannelAccountCredentials:
    account = kept_account_by_name(name[:LONGEST_NAME])
    if account.kind not in kinds:
        raise NotFound
    return account


def sent_body() -> str:
    """What was posted, as text. Longer bodies than the platforms send are not read."""
    request.max_content_length = BODY_LIMIT_BYTES
    try:
        return request.get_data(cache=False).decode()
    except UnicodeDecodeError:
        raise CallbackRefused from None


def encrypted_part(body: str) -> str | None:
    """The ``Encrypt`` of an envelope; None for a message in clear."""
    if plain := _ENVELOPE.fullmatch(body):
        return plain[1]
    fields = read_fields(body)
    if fields is None:
        raise CallbackRefused
    encrypted = fields.get("Encrypt")
    return encrypted if isinstance(encrypted, str) else None


def crypto_of(account: ChannelAccountCredentials) -> MessageCrypto:
    keys = [key for key in account.aes_keys if key]
    if not keys:
        raise CallbackRefused
    return MessageCrypto(account.token.get_secret_value(), keys, account.appid)


def decrypt(account: ChannelAccountCredentials, args: Mapping[str, str], encrypted: str) -> str:
    """The clear text under a ``msg_signature`` that is good and of these minutes."""
    timestamp, nonce = fresh(account, args)
    crypto = crypto_of(account)
    try:
        crypto.verify(args.get("msg_signature", ""), timestamp, nonce, encrypted)
        return crypto.decrypt(encrypted)
    except CryptoRefused as refused:
        logger.warning("callback refused", extra={"account": account.name, "why": str(refused)})
        raise CallbackRefused from None


def fresh(account: ChannelAccountCredentials, args: Mapping[str, str]) -> tuple[str, str]:
    """Timestamp and nonce, if the timestamp is of these minutes."""
    timestamp, nonce = args.get("timestamp", ""), args.get("nonce", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12 and nonce):
        raise CallbackRefused
    if abs(utc_now().timestamp() - int(timestamp)) > _window_seconds(account):
        raise CallbackRefused
    return timestamp, nonce


def _window_seconds(account: ChannelAccountCredentials) -> int:
    return account.callback_window_seconds or get_settings().callback_window_seconds


# --- storing --------------------------------------------------------------------------------


def deadline_of(message: Received) -> datetime | None:
    """When what the event is good for ends; a platform's clock that runs ahead gains nothing."""
    if message.urgent_seconds is None:
        return None
    return min(message.sent_at, utc_now()) + timedelta(seconds=message.urgent_seconds)


def store(account: ChannelAccountCredentials, body: str, message: Received | None) -> None:
    """Returns when the callback is in the database; else CallbackNotStored or a reused nonce."""
    callback = intake.Callback(
        event=message.name if message else "",
        change_type=message.change_type if message else "",
        openid=message.person if message else "",
        body=body,
        deadline_at=deadline_of(message) if message else None,
        nonce=_nonce(account),
    )
    try:
        accepted = intake.accept(account, callback)
    except SQLAlchemyError as error:
        logger.error(
            "callback not stored", extra={"account": account.name, "error": type(error).__name__}
        )
        raise CallbackNotStored from None
    logger.info(
        "callback accepted",
        extra={"account": account.name, "event_id": accepted.event_id, "is_new": accepted.is_new},
    )


def spend_nonce(account: ChannelAccountCredentials, text: str) -> None:
    """For what is answered and not stored: a nonce that came with something else is refused."""
    intake.spend(account, _nonce(account), text)


def _nonce(account: ChannelAccountCredentials) -> intake.Nonce:
    # Looked at in every mode. In plain mode alone it keeps somebody out: a copied signature under
    # another body. A msg_signature fits no other body, and the same body again is the same row.
    is_plain = account.mode is CallbackMode.PLAIN and account.kind is not ChannelKind.WECOM_APP
    return intake.Nonce(
        text=f"{request.args.get('timestamp')}\0{request.args.get('nonce')}",
        seconds=2 * _window_seconds(account),
        must_hold=is_plain,
    )


# --- answering ------------------------------------------------------------------------------


def answer_at_once(account: ChannelAccountCredentials, message: Received | None) -> Response:
    """A passive reply where somebody has one, else ``success``."""
    xml = reply_to(account, message) if message else None
    if xml is None:
        return answer("success")
    if account.kind is not ChannelKind.WECOM_APP and account.mode is CallbackMode.PLAIN:
        return answer(xml)
    return answer(crypto_of(account).envelope(xml, request.args["timestamp"], random_code(10)))
