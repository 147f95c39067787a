"""Signatures with which a page of ours may call WeChat's JS-SDK.

https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/JS-SDK.html
"""

import secrets
from dataclasses import dataclass
from urllib.parse import urldefrag, urlsplit

from wechatpy.client.api import WeChatJSAPI

from channel.wechat.client import OfficialAccountClient
from core.clock import utc_now
from core.errors import Forbidden

_DEFAULT_PORTS = {"http": 80, "https": 443}


class PageNotOurs(Forbidden):
    code, message = "jssdk_page_not_ours", "这个页面不能使用微信功能，请从公众号重新打开"


@dataclass(frozen=True, slots=True)
class JsConfig:
    """What ``wx.config`` takes, beside the list of functions."""

    appid: str
    timestamp: int
    nonce_str: str
    signature: str


def js_signature(ticket: str, nonce_str: str, timestamp: int, url: str) -> str:
    signer = WeChatJSAPI()
    return str(signer.get_jsapi_signature(nonce_str, ticket, timestamp, urldefrag(url).url))


def js_config(
    client: OfficialAccountClient, appid: str, page_url: str, public_url: str
) -> JsConfig:
    """Sign exactly the address that the browser shows. Others' pages get no signature of ours."""
    if _origin(page_url) is None or _origin(page_url) != _origin(public_url):
        raise PageNotOurs
    timestamp, nonce_str = int(utc_now().timestamp()), secrets.token_hex(8)
    signed = js_signature(client.get_jsapi_ticket(), nonce_str, timestamp, page_url)
    return JsConfig(appid, timestamp, nonce_str, signed)


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
