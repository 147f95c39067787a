"""Signatures with which a page of ours may call the JS-SDK; WeChat and WeCom sign alike.

https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/JS-SDK.html
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, g, jsonify, request
from flask.typing import ResponseReturnValue
from wechatpy.client.api import WeChatJSAPI

from channel import signin
from channel.clients import official_account_client
from channel.wechat.client import OfficialAccountClient
from core import ratelimit
from core.clock import utc_now
from core.db import let_go
from core.errors import Forbidden
from core.settings import get_settings
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.channel_accounts import channel_account

# Anybody may ask, and many people share the address of a mobile network.
SIGNATURES_PER_ADDRESS = "600/minute"
LONGEST_URL = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}

bp = Blueprint("wechat", __name__)
own_bp = Blueprint("jssdk", __name__)


class PageNotOurs(Forbidden):
    code, message = "jssdk_page_not_ours", "这个页面不能使用微信功能，请重新打开"


@dataclass(frozen=True, slots=True)
class JsSignature:
    timestamp: int
    nonce_str: str
    signature: str

    def as_json(self) -> dict[str, object]:
        """Spelled as ``wx.config`` and ``ww.register`` take it."""
        return {
            "timestamp": self.timestamp,
            "nonceStr": self.nonce_str,
            "signature": self.signature,
        }


@bp.get("/wechat/<account_name>")
def for_page(account_name: str) -> ResponseReturnValue:
    """What ``wx.config`` needs on the page at ``?url=``, e.g. one that a customer was sent."""
    return _answer(signin.named_account(account_name))


@own_bp.get("/jssdk")
def for_own_page() -> ResponseReturnValue:
    """The same for the account that the employee is signed in with."""
    return _answer(channel_account(g.actor.channel_account_id))


def _answer(account: ChannelAccountCredentials) -> ResponseReturnValue:
    client: OfficialAccountClient = official_account_client(account)
    return jsonify(appId=account.appid, **requested(client.get_jsapi_ticket).as_json())


def requested(ticket: Callable[[], str]) -> JsSignature:
    """The signature that this request asks for. Others' pages cost no ticket."""
    ratelimit.count_attempt(SIGNATURES_PER_ADDRESS, "jssdk", request.remote_addr or "")
    page_url = request.args.get("url", "")
    require_own_page(page_url, get_settings().public_url)
    let_go()
    return sign_page(ticket(), page_url)


def sign_page(ticket: str, page_url: str) -> JsSignature:
    """Sign exactly the address that the browser shows."""
    timestamp, nonce_str = int(utc_now().timestamp()), secrets.token_hex(8)
    return JsSignature(timestamp, nonce_str, js_signature(ticket, nonce_str, timestamp, page_url))


def js_signature(ticket: str, nonce_str: str, timestamp: int, url: str) -> str:
    signer = WeChatJSAPI()
    return str(signer.get_jsapi_signature(nonce_str, ticket, timestamp, url.partition("#")[0]))


def require_own_page(page_url: str, public_url: str) -> None:
    """Others' pages get no signature of ours."""
    is_plain = len(page_url) <= LONGEST_URL and not any(char <= " " for char in page_url)
    if not is_plain or _origin(page_url) is None or _origin(page_url) != _origin(public_url):
        raise PageNotOurs


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no plain web address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if port is None or not parts.hostname or "@" in parts.netloc or "\\" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port
