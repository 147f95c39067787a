"""Where WeChat tells us things: verify, decrypt, store, and answer within five seconds.

https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html

``success`` means stored. What cannot be stored is answered with 5xx, so that WeChat tries again;
what we do not understand is stored and answered ``success``, or they would send it for ever. No
answer holds anything of what was sent.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import cast

from flask import Blueprint, Response, request
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from channel.wechat.crypto import CryptoRefused, MessageCrypto, same, signature
from channel.wechat.messages import BODY_LIMIT_BYTES, read_fields, read_message
from core.clock import utc_now
from core.errors import DomainError, Forbidden, NotFound, Unavailable
from core.log import logger
from core.redis import PREFIX, redis
from core.settings import get_settings
from core.web import csrf
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import channel_account_by_name
from domain.inbox import service as inbox

bp = Blueprint("wechat_callback", __name__)

NONCE_SECONDS = 600
_OURS = frozenset({ChannelKind.OFFICIAL_ACCOUNT, ChannelKind.MINIPROGRAM})


class CallbackRefused(Forbidden):
    code, message = "callback_refused", "回调没有通过校验"


class CallbackNotStored(Unavailable):
    code, message = "callback_not_stored", "回调没有保存，请重试"


@bp.get("/wechat/<account_name>")
def check(account_name: str) -> Response:
    """The console asks whether this address is ours. The answer is plain in every mode."""
    _verify_plain(_get_account(account_name), request.args)
    return _answer(request.args.get("echostr", ""))


@csrf.exempt  # type: ignore[untyped-decorator]  # flask-wtf has no types
@bp.post("/wechat/<account_name>")
def receive(account_name: str) -> Response:
    request.max_content_length = BODY_LIMIT_BYTES
    sent = request.get_data(cache=False)
    try:
        account = _get_account(account_name)
        body = _open(account, request.args, sent)
        _refuse_reused_nonce(account, request.args, body)
        message = read_message(body)
        accepted = inbox.accept(
            account,
            inbox.Callback(
                event=message.name if message else "",
                change_type="",
                openid=message.openid if message else "",
                body=body,
            ),
        )
    except (SQLAlchemyError, RedisError) as error:
        # Its class only: a database error's text holds what was to be stored.
        logger.error(
            "callback not stored", extra={"account": account_name, "error": type(error).__name__}
        )
        raise CallbackNotStored from None
    logger.info(
        "callback accepted",
        extra={"account": account_name, "event_id": accepted.event_id, "is_new": accepted.is_new},
    )
    return _answer("success")


@bp.errorhandler(DomainError)
def _refuse(error: DomainError) -> Response:
    return _answer("", error.status)


@bp.errorhandler(HTTPException)
def _refuse_request(error: HTTPException) -> Response:
    return _answer("", error.code or 400)


def _answer(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain")


def _get_account(name: str) -> ChannelAccountCredentials:
    account = channel_account_by_name(name)
    if account.kind not in _OURS:
        raise NotFound
    return account


def _open(account: ChannelAccountCredentials, args: Mapping[str, str], sent: bytes) -> str:
    """The verified, decrypted body."""
    try:
        body = sent.decode()
    except UnicodeDecodeError:
        raise CallbackRefused from None
    fields = read_fields(body)
    if fields is None:
        raise CallbackRefused
    encrypted = fields.get("Encrypt")
    if isinstance(encrypted, str):
        return _decrypt(account, args, encrypted)
    # The plain signature does not cover the body: enough only where nothing better was agreed.
    if account.mode is not CallbackMode.PLAIN:
        raise CallbackRefused
    _verify_plain(account, args)
    return body


def _decrypt(account: ChannelAccountCredentials, args: Mapping[str, str], encrypted: str) -> str:
    timestamp, nonce = _fresh(args)
    token, keys = account.token.get_secret_value(), [key for key in account.aes_keys if key]
    if not keys:
        raise CallbackRefused
    crypto = MessageCrypto(token, keys, account.appid)
    try:
        crypto.verify(args.get("msg_signature", ""), timestamp, nonce, encrypted)
        return crypto.decrypt(encrypted)
    except CryptoRefused as refused:
        logger.warning("callback refused", extra={"account": account.name, "why": str(refused)})
        raise CallbackRefused from None


def _verify_plain(account: ChannelAccountCredentials, args: Mapping[str, str]) -> None:
    timestamp, nonce = _fresh(args)
    expected = signature(account.token.get_secret_value(), timestamp, nonce)
    if not same(expected, args.get("signature", "")):
        raise CallbackRefused


def _fresh(args: Mapping[str, str]) -> tuple[str, str]:
    """Timestamp and nonce, if the timestamp is of these minutes."""
    timestamp, nonce = args.get("timestamp", ""), args.get("nonce", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12 and nonce):
        raise CallbackRefused
    if abs(utc_now().timestamp() - int(timestamp)) > get_settings().callback_window_seconds:
        raise CallbackRefused
    return timestamp, nonce


def _refuse_reused_nonce(
    account: ChannelAccountCredentials, args: Mapping[str, str], body: str
) -> None:
    """A nonce belongs to the body it came with: the same body again is WeChat's own repeat.

    Only in plain mode does this keep anybody out (a copied signature under another body); there
    it must hold. An encrypted body is signed, so that a Redis which is away costs us nothing.
    """
    used = sha256(f"{args.get('timestamp')}\0{args.get('nonce')}".encode("utf-8", "replace"))
    key = f"{PREFIX}callback-nonce:{account.id}:{used.hexdigest()}"
    digest = sha256(body.encode()).hexdigest()
    try:
        if redis().set(key, digest, nx=True, ex=NONCE_SECONDS):
            return
        first = cast(str | None, redis().get(key))
    except RedisError:
        if account.mode is CallbackMode.PLAIN:
            raise
        return
    if first is not None and first != digest:
        raise CallbackRefused
