"""Reads the fields of a body: the right type, not too long, not too many."""

from sandbox.state import Json
from sandbox.wecom.call import as_number
from sandbox.wecom.errors import Refusal

BAD_FIELD = 40058
DAY = 86_400


def text(given: Json, name: str, longest: int | None = None) -> str:
    """Empty when the field is missing. ``longest`` counts characters."""
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or (longest is not None and len(value) > longest):
        raise bad(name)
    return value


def needed(given: Json, name: str, errcode: int = BAD_FIELD, longest: int | None = None) -> str:
    value = text(given, name, longest)
    if not value:
        raise Refusal(errcode, detail=f"{name} is missing")
    return value


def texts(given: Json, name: str, most: int) -> list[str]:
    """A list of texts, each one once; empty when the field is missing."""
    value = given.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise bad(name)
    if len(value) > most:
        raise bad(f"{name} has at most {most} entries")
    return list(dict.fromkeys(value))


def numbers(given: Json, name: str, most: int) -> list[int]:
    value = given.get(name) or []
    if not isinstance(value, list) or len(value) > most:
        raise bad(name)
    return [as_number(one, BAD_FIELD) for one in value]


def number(given: Json, name: str, default: int, allowed: range) -> int:
    value = given.get(name)
    if value is None:
        return default
    value = as_number(value, BAD_FIELD)
    if value not in allowed:
        raise bad(f"{name} is from {allowed.start} to {allowed.stop - 1}")
    return value


def flag(given: Json, name: str, default: bool) -> bool:
    """True or false, also as the 1 or 0 of older interfaces."""
    value = given.get(name)
    if value is None:
        return default
    if value not in (True, False):
        raise bad(name)
    return bool(value)


def inside(given: Json, name: str) -> Json:
    """The object within; empty when it is missing."""
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad(name)
    return value


def limit(given: Json, default: int, most: int) -> int:
    """How many a page. Nothing and 0 mean the default."""
    return number(given, "limit", default, range(most + 1)) or default


def period(given: Json, begins: str, ends: str, longest_days: int) -> tuple[int, int]:
    start = as_number(given.get(begins), BAD_FIELD)
    end = as_number(given.get(ends), BAD_FIELD)
    if start > end:
        raise bad(f"{ends} is before {begins}")
    if end - start > longest_days * DAY:
        raise bad(f"more than {longest_days} days")
    return start, end


def bad(detail: str) -> Refusal:
    return Refusal(BAD_FIELD, detail=detail)
