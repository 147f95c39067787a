"""Pure rules of the directory."""

import hmac
import re
from collections.abc import Sequence
from datetime import date

_ORG_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,31}")
# WeChat repeats a callback within seconds; a nonce is remembered for twice the window.
CALLBACK_WINDOWS_SECONDS = range(30, 7201)
LONGEST_REPLY_BYTES = 2048
LONGEST_ID = 64
LONGEST_TITLE = 100
ID_TAIL_LENGTH = 6


def is_org_slug(text: str) -> bool:
    return bool(_ORG_SLUG.fullmatch(text))


def account_fault(*, name: str, title: str, appid: str, agentid: str = "") -> str | None:
    """What is wrong with what a channel account is known by, in words; None when nothing is."""
    if not _ACCOUNT_NAME.fullmatch(name):
        return "名称只能用小写字母、数字和短横线（2 到 32 位）"
    if not appid.strip() or len(appid) > LONGEST_ID:
        return f"appid（企业微信为 corpid）应为 1 到 {LONGEST_ID} 位"
    if len(agentid) > LONGEST_ID:
        return f"agentid 最长 {LONGEST_ID} 位"
    return title_fault(title) or None


def title_fault(title: str | None) -> str:
    """What is wrong with a title, when one is given, in words; empty when nothing is."""
    if title is not None and not (title.strip() and len(title) <= LONGEST_TITLE):
        return f"标题应为 1 到 {LONGEST_TITLE} 个字"
    return ""


def keys_fault(*, secret: str, token: str, aes_key: str) -> str | None:
    """What is wrong with a channel account's secrets, in words; None when nothing is."""
    if not secret.strip():
        return "secret 不能为空"
    if not re.fullmatch(r"[A-Za-z0-9]{3,32}", token):
        return "回调 Token 应为 3 到 32 位字母或数字"
    if not re.fullmatch(r"[A-Za-z0-9]{43}", aes_key):
        return "EncodingAESKey 应为 43 位字母或数字"
    return None


def callback_fault(window_seconds: int | None, replies: Sequence[str]) -> str:
    """What is wrong with how callbacks are to be taken, in words; empty when nothing is."""
    windows = CALLBACK_WINDOWS_SECONDS
    if window_seconds is not None and window_seconds not in windows:
        return f"回调时间窗口应为 {windows.start} 到 {windows.stop - 1} 秒"
    if any(len(reply.encode(errors="replace")) > LONGEST_REPLY_BYTES for reply in replies):
        return f"自动回复最长 {LONGEST_REPLY_BYTES} 字节（约 {LONGEST_REPLY_BYTES // 3} 个汉字）"
    return ""


def is_employed(joined_on: date | None, left_on: date | None, day: date) -> bool:
    """Whether somebody is on the roster on ``day``; the last working day counts."""
    return (joined_on is None or joined_on <= day) and (left_on is None or day <= left_on)


def fits_id_tail(id_no: str, tail: str) -> bool:
    """Whether ``tail`` is the ID number's end, compared in constant time."""
    expected = id_no[-ID_TAIL_LENGTH:].upper()
    return len(expected) == ID_TAIL_LENGTH and hmac.compare_digest(
        expected.encode(), tail.upper().encode()
    )


def plain_name(name: str) -> str:
    """A name as it is compared: without spaces, every middle dot the same."""
    return re.sub(r"[·•・‧∙⋅．.]", "·", "".join(name.split()))
