"""Can the platforms reach us: our public address, our callback address, what arrived lately."""

import secrets
import time
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.exceptions import SSLError

from channel.callbacks import crypto_of
from channel.checkup.findings import Check, Finding, Verdict, finding
from channel.checkup.probes import hasty_http
from channel.wechat.crypto import signature
from core.clock import utc_now
from core.security import random_code
from core.settings import get_settings
from core.web import written_china_time
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind

LONGEST_ANSWER = 4096
# WeCom's console waits so long for the decrypted text.
CONSOLE_SECONDS = 1.0
LATELY = timedelta(days=1)


def callback_address(kind: ChannelKind, name: str) -> str:
    """What is entered in the platform's console."""
    door = "wecom" if kind is ChannelKind.WECOM_APP else "wechat"
    return f"{get_settings().public_url}/callback/{door}/{name}"


# --- the public address ---------------------------------------------------------------------


def examine_public_url(url: str) -> Finding:
    """What the consoles demand of the host of callbacks, sign-in and the JS-SDK.

    https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/JS-SDK.html
    https://developer.work.weixin.qq.com/document/path/90547
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or _is_loopback(host):
        return _public_url(
            Verdict.UNKNOWN,
            f"{url} 只在本机能打开，适合演示",
            "接真实账号之前，把 XINQIAO_PUBLIC_URL 设为已备案的 https 域名",
        )
    faults = [
        *(["不是 https"] if parts.scheme != "https" else []),
        *(["是 IP，不是域名"] if _is_ip(host) else ["不是公网域名"] if "." not in host else []),
        *([f"带了端口 {parts.port}"] if parts.port else []),
    ]
    if faults:
        advice = "微信后台只收已备案、不带端口的 https 域名。改好 XINQIAO_PUBLIC_URL 后重启"
        return _public_url(Verdict.BROKEN, f"{url} {'，'.join(faults)}", advice)
    return _public_url(Verdict.WELL, url)


def _public_url(verdict: Verdict, says: str, advice: str = "") -> Finding:
    return Finding("public-url", "对外地址", verdict, says, advice)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_ip(host) and ip_address(host).is_loopback


# --- the callback address -------------------------------------------------------------------


def examine_callback(account: ChannelAccountCredentials, last_at: datetime | None) -> Finding:
    """Call it as the console does when its "save" is tapped, and look at the answer."""
    echo = str(secrets.randbelow(10**18))
    address = callback_address(account.kind, account.name)
    started = time.monotonic()
    try:
        status, text = _call(address, _console_query(account, echo))
    except requests.RequestException as error:
        return _unreachable(account, error, last_at)
    seconds = time.monotonic() - started
    if status == requests.codes.ok and text == echo:
        return _answered(account, seconds)
    says, advice = _wrong_answer(status)
    return finding(account, Check.CALLBACK, Verdict.BROKEN, says, advice)


def _console_query(account: ChannelAccountCredentials, echo: str) -> dict[str, str]:
    timestamp, nonce = str(int(utc_now().timestamp())), random_code(10)
    signed = {"timestamp": timestamp, "nonce": nonce}
    if account.kind is not ChannelKind.WECOM_APP:
        token = account.token.get_secret_value()
        return signed | {"signature": signature(token, timestamp, nonce), "echostr": echo}
    crypto = crypto_of(account)
    encrypted = crypto.encrypt(echo)
    return signed | {
        "msg_signature": crypto.sign(timestamp, nonce, encrypted),
        "echostr": encrypted,
    }


def _call(address: str, query: dict[str, str]) -> tuple[int, str]:
    with (
        hasty_http(address) as http,
        http.get(address, params=query, allow_redirects=False, stream=True) as response,
    ):
        start = next(response.iter_content(LONGEST_ANSWER), b"")
        return response.status_code, start.decode("utf-8", "replace")


def _answered(account: ChannelAccountCredentials, seconds: float) -> Finding:
    if seconds > CONSOLE_SECONDS:
        says = f"应答正确，但用了 {seconds:.1f} 秒"
        advice = "后台保存回调地址时只等 1 秒。请看网络、反向代理和本机负载"
        return finding(account, Check.CALLBACK, Verdict.UNKNOWN, says, advice)
    return finding(account, Check.CALLBACK, Verdict.WELL, "从本机访问，应答正确")


def _wrong_answer(status: int) -> tuple[str, str]:
    if status == requests.codes.ok:
        says = "应答的内容被改动"
        return says, "检查反向代理和防火墙：应答前后不能加内容，/callback/ 要转到本服务"
    if status == requests.codes.forbidden:
        return (
            "拒绝了签名正确的请求（403）",
            "对外地址可能指向另一套安装，或各台机器的时钟不准。核对 XINQIAO_PUBLIC_URL 和时钟",
        )
    if status == requests.codes.not_found:
        return "没有这个回调地址（404）", "反向代理没有把 /callback/ 转到本服务"
    if requests.codes.multiple_choices <= status < requests.codes.bad_request:
        says = f"被转到别的地址（{status}）"
        return says, "微信不跟随跳转。把 XINQIAO_PUBLIC_URL 设为最终的 https 地址"
    return f"应答出错（HTTP {status}）", "看 /readyz 和反向代理的日志"


def _unreachable(
    account: ChannelAccountCredentials, error: requests.RequestException, last_at: datetime | None
) -> Finding:
    if isinstance(error, SSLError):
        says, advice = "https 证书无效", "换一张受信任的证书，并带上中间证书"
        return finding(account, Check.CALLBACK, Verdict.BROKEN, says, advice)
    if last_at and utc_now() - last_at < LATELY:
        # Many a network does not let a machine call its own public address.
        says = "从本机打不开，但一天之内收到过回调"
        return finding(account, Check.CALLBACK, Verdict.UNKNOWN, says)
    says = f"从本机打不开（{type(error).__name__}）"
    advice = "确认 xinqiao run 在运行、域名解析正确、防火墙放行 443"
    return finding(account, Check.CALLBACK, Verdict.BROKEN, says, advice)


# --- what arrived ---------------------------------------------------------------------------


# What anybody can do so that a first callback comes.
_FIRST_SIGN = {
    ChannelKind.OFFICIAL_ACCOUNT: "关注一次公众号，或给它发一条消息",
    ChannelKind.MINIPROGRAM: "在小程序里给客服发一条消息",
    ChannelKind.WECOM_APP: "在企业微信里打开应用，给它发一条消息",
}


def examine_arrivals(account: ChannelAccountCredentials, last_at: datetime | None) -> Finding:
    if last_at:
        says = f"最近一次 {written_china_time(last_at)}"
        return finding(account, Check.ARRIVALS, Verdict.WELL, says)
    address = callback_address(account.kind, account.name)
    advice = f"在后台填写并启用 {address}，然后{_FIRST_SIGN[account.kind]}"
    return finding(account, Check.ARRIVALS, Verdict.UNKNOWN, "还没有收到过", advice)
