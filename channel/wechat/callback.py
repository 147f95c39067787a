"""Where WeChat tells an official account or mini-program things.

https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html
"""

from flask import Response, request

from channel import callbacks
from channel.callbacks import CallbackRefused, answer
from channel.wechat.crypto import same, signature
from channel.wechat.messages import read_message
from core.web import csrf
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind

bp = callbacks.callback_room("wechat_callback")

_KINDS = (ChannelKind.OFFICIAL_ACCOUNT, ChannelKind.MINIPROGRAM)


@bp.get("/wechat/<account_name>")
def check(account_name: str) -> Response:
    """The console asks whether this address is ours. The answer is plain in every mode."""
    _verify_plain(callbacks.callback_account(account_name, *_KINDS))
    return answer(request.args.get("echostr", ""))


@csrf.exempt  # type: ignore[untyped-decorator]  # flask-wtf has no types
@bp.post("/wechat/<account_name>")
def receive(account_name: str) -> Response:
    account = callbacks.callback_account(account_name, *_KINDS)
    body = _open(account, callbacks.sent_body())
    message = read_message(body)
    callbacks.store(account, body, message)
    return callbacks.answer_at_once(account, message)


def _open(account: ChannelAccountCredentials, sent: str) -> str:
    """The verified, decrypted body."""
    encrypted = callbacks.encrypted_part(sent)
    if encrypted is not None:
        return callbacks.decrypt(account, request.args, encrypted)
    # The plain signature does not cover the body: enough only where nothing better was agreed.
    if account.mode is not CallbackMode.PLAIN:
        raise CallbackRefused
    _verify_plain(account)
    return sent


def _verify_plain(account: ChannelAccountCredentials) -> None:
    timestamp, nonce = callbacks.fresh(account, request.args)
    expected = signature(account.token.get_secret_value(), timestamp, nonce)
    if not same(expected, request.args.get("signature", "")):
        raise CallbackRefused
