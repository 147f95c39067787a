"""Pure rules of the directory."""

import hmac
import re
from datetime import date

_ORG_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,31}")
AES_KEY_LENGTH = 43
LONGEST_TOKEN = 32
ID_TAIL_LENGTH = 6


def is_org_slug(text: str) -> bool:
    return bool(_ORG_SLUG.fullmatch(text))


def account_fault(*, name: str, token: str, aes_key: str) -> str | None:
    """What is wrong with a channel account's settings, in words; None when nothing is."""
    if not _ACCOUNT_NAME.fullmatch(name):
        return "名称只能用小写字母、数字和短横线（2 到 32 位）"
    if not re.fullmatch(r"[A-Za-z0-9]{3,32}", token):
        return "回调 Token 应为 3 到 32 位字母或数字"
    if not re.fullmatch(r"[A-Za-z0-9]{43}", aes_key):
        return "EncodingAESKey 应为 43 位字母或数字"
    return None


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
