"""Where WeCom tells an app things. Always encrypted, whatever the account's mode says.

https://developer.work.weixin.qq.com/document/path/90930
"""

import re

from flask import Response, request

from channel import callbacks
from channel.callbacks import CallbackRefused, answer
from channel.wecom.messages import read_message
from core.web import csrf
from domain.directory.accounts import ChannelKind

bp = callbacks.callback_room("wecom_callback")

# The console's text, a number of nineteen digits. An event's XML is none: whoever saw a callback
# pass, and asks the console's question with it, would have it decrypted here.
_ECHO = re.compile(r"[A-Za-z0-9+/=_.-]{1,64}")


@bp.get("/wecom/<account_name>")
def check(account_name: str) -> Response:
    """The console asks whether this address is ours, and wants its text decrypted in a second."""
    account = callbacks.callback_account(account_name, ChannelKind.WECOM_APP)
    # A plus in the address has become a space on its way through form decoders.
    echo = request.args.get("echostr", "").replace(" ", "+")
    text = callbacks.decrypt(account, request.args, echo)
    callbacks.spend_nonce(account, text)
    if _ECHO.fullmatch(text) is None:
        raise CallbackRefused
    return answer(text)


@csrf.exempt  # type: ignore[untyped-decorator]  # flask-wtf has no types
@bp.post("/wecom/<account_name>")
def receive(account_name: str) -> Response:
    account = callbacks.callback_account(account_name, ChannelKind.WECOM_APP)
    encrypted = callbacks.encrypted_part(callbacks.sent_body())
    if encrypted is None:
        raise CallbackRefused
    body = callbacks.decrypt(account, request.args, encrypted)
    message = read_message(body)
    # Sealed with the same key as what we are told: our own answer, sent back to us by a stranger.
    if message is not None and message.person == account.appid:
        raise CallbackRefused
    callbacks.store(account, body, message)
    return callbacks.answer_at_once(account, message)
