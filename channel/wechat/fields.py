"""From a callback's XML to small frozen values, strictly: nothing half-filled gets through.

A class says beside each of its attributes where in the XML it stands and whether it must be there;
``build`` reads them all, or refuses with ``FieldOdd``. wechatpy's own classes are not used for
this: what is missing is a default there (openid ``None``, time 0), one ``<Item>`` is a dict and
two are a list, and five WeCom events are not known at all.
Knows nothing of our house: the sandbox uses this file too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import xmltodict

BODY_LIMIT_BYTES = 64 * 1024

# A DTD can only stand before the root element, so that nothing but the XML declaration may.
_START = re.compile(r"\s*(?:<\?xml\s[^<>]*\?>\s*)?<xml[\s/>]")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,19})?")
_BIGINT = 2**63

Fields = Mapping[str, Any]
Reader = Callable[[Fields], Any]
T = TypeVar("T")

_READ = "read"


class FieldOdd(Exception):
    """A field is missing, or of another shape than documented."""


# --- the body -------------------------------------------------------------------------------


def read_fields(body: str) -> Fields | None:
    """The top-level fields of ``<xml>…</xml>``, stripped of blanks, or None. Never raises."""
    if is_refused(body):
        return None
    try:
        found = xmltodict.parse(body)["xml"]
    except Exception:  # expat's, xmltodict's and encoding errors alike mean: no such body
        return None
    return found if isinstance(found, dict) else None


def is_refused(body: str) -> bool:
    """Whether a body is not even parsed: the platforms never send a DTD, nor anything this long."""
    too_long = len(body) > BODY_LIMIT_BYTES or len(body.encode(errors="replace")) > BODY_LIMIT_BYTES
    return too_long or _START.match(body) is None


# --- where an attribute stands: ``openid: str = field(metadata=text("FromUserName"))`` ----------
# A path goes down through the elements: ``text("BatchJob", "JobId")``.


def text(*path: str) -> dict[str, Reader]:
    """There, and not empty."""
    return reading(lambda told: text_in(told, *path))


def present(*path: str) -> dict[str, Reader]:
    """There, but possibly empty."""

    def read(told: Fields) -> str:
        above = _at(told, path[:-1])
        return maybe_in(told, *path) if above and path[-1] in above else _odd(path)

    return reading(read)


def maybe(*path: str) -> dict[str, Reader]:
    """Empty when it is not there."""
    return reading(lambda told: maybe_in(told, *path))


def found(*path: str) -> dict[str, Reader]:
    """None when it is not there, or empty."""
    return reading(lambda told: maybe_in(told, *path) or None)


def number(*path: str) -> dict[str, Reader]:
    """A whole number that fits a database's BIGINT."""
    return reading(lambda told: whole(text_in(told, *path)))


def found_number(*path: str) -> dict[str, Reader]:
    def read(told: Fields) -> int | None:
        value = maybe_in(told, *path)
        return whole(value) if value else None

    return reading(read)


def decimal(*path: str) -> dict[str, Reader]:
    def read(told: Fields) -> float:
        value = text_in(told, *path)
        return float(value) if _DECIMAL.fullmatch(value) else _odd(path)

    return reading(read)


def instant(*path: str) -> dict[str, Reader]:
    """Seconds since 1970, as an aware instant."""
    return reading(lambda told: _instant(whole(text_in(told, *path))))


def found_instant(*path: str) -> dict[str, Reader]:
    """None when it is not there, empty, or 0, which means "not yet"."""

    def read(told: Fields) -> datetime | None:
        value = maybe_in(told, *path)
        return _instant(seconds) if value and (seconds := whole(value)) else None

    return reading(read)


def listed(*path: str) -> dict[str, Reader]:
    """``zhangsan,lisi``: empty when it is not there."""
    return reading(lambda told: _split(maybe_in(told, *path)))


def listed_numbers(*path: str) -> dict[str, Reader]:
    """``1,2,3``: empty when it is not there."""
    return reading(lambda told: tuple(whole(part) for part in _split(maybe_in(told, *path))))


def many(*path: str, of: type[Any] = str, least: int = 0) -> dict[str, Reader]:
    """Every element of that name: xmltodict gives one as itself, several as a list."""

    def read(told: Fields) -> tuple[Any, ...]:
        value = _at(told, path)
        items = value if isinstance(value, list) else [] if value is None else [value]
        if len(items) < least:
            _odd(path)
        return tuple(_item(item, of) for item in items)

    return reading(read)


def reading(read: Reader) -> dict[str, Reader]:
    """For what needs a rule of its own."""
    return {_READ: read}


def build(kind: type[T], told: Fields) -> T:
    """Raises FieldOdd."""
    plan: tuple[tuple[str, Reader], ...] = _plan(kind)  # type: ignore[arg-type]  # a class has a hash
    return kind(**{name: read(told) for name, read in plan})


@cache
def _plan(kind: Any) -> tuple[tuple[str, Reader], ...]:
    return tuple(
        (each.name, each.metadata[_READ]) for each in fields(kind) if _READ in each.metadata
    )


def text_in(told: Fields, *path: str) -> str:
    return maybe_in(told, *path) or _odd(path)


def maybe_in(told: Fields, *path: str) -> str:
    value = _at(told, path)
    if value is None:
        return ""
    # Else it was given twice, or has elements inside.
    return value if isinstance(value, str) else _odd(path)


def plain(told: Fields, name: str) -> str:
    """A field's text, or empty, whatever came in its place. Never raises."""
    value = told.get(name)
    return value if isinstance(value, str) else ""


def whole(value: str) -> int:
    if not _WHOLE.fullmatch(value) or abs(read := int(value)) >= _BIGINT:
        raise FieldOdd("a whole number")
    return read


def _at(told: Fields, path: tuple[str, ...]) -> Any:
    value: Any = told
    for name in path:
        if value is None:
            break
        if not isinstance(value, dict):
            _odd(path)
        value = value.get(name)
    return value


def _item(item: Any, of: type[Any]) -> Any:
    if of is str:
        return item if isinstance(item, str) else _odd(())
    return build(of, item) if isinstance(item, dict) else _odd(())


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise FieldOdd("an instant") from None


def _split(value: str) -> tuple[str, ...]:
    return tuple(stripped for part in value.split(",") if (stripped := part.strip()))


def _odd(path: tuple[str, ...]) -> Any:
    raise FieldOdd("/".join(path))


# --- what both platforms' messages have in common ---------------------------------------------


def told_name(told: Fields) -> str:
    """The platform's own word: the ``Event`` of an event, else the ``MsgType``."""
    kind = text_in(told, "MsgType")
    return text_in(told, "Event") if kind.lower() == "event" else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """``change_type`` is WeCom's second word after ``name``; empty where there is none."""

    name: str = field(metadata=reading(told_name))
    change_type: str = field(default="", metadata=maybe("ChangeType"))
    to: str = field(metadata=text("ToUserName"))
    sent_at: datetime = field(metadata=instant("CreateTime"))

    @property
    def person(self) -> str:
        """The openid or userid whom it is about, empty when it is about nobody."""
        raise NotImplementedError

    @property
    def urgent_seconds(self) -> float | None:
        """How long after ``sent_at`` it is of use at all; None when it keeps."""
        return None


def unknown_about(told: Fields) -> dict[str, Any]:
    """What can be said of a message that is not understood. Never raises."""
    names = [told.get(key) for key in ("Event", "InfoType", "MsgType")]
    return {
        # InfoType: pushes to a third-party platform, which have no MsgType.
        "name": next((name for name in names if name and isinstance(name, str)), ""),
        "change_type": plain(told, "ChangeType"),
        "to": plain(told, "ToUserName"),
        "sent_at": _instant_or_zero(plain(told, "CreateTime")),
        "fields": told,
    }


def _instant_or_zero(value: str) -> datetime:
    try:
        return _instant(whole(value))
    except FieldOdd:
        return datetime.fromtimestamp(0, UTC)
