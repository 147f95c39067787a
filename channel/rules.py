"""Rules of the platforms for what we send, checked before it is sent: nothing is cut in silence."""

from collections.abc import Sequence
from typing import TypeVar

from core.errors import BadInput

T = TypeVar("T")


class RuleBroken(BadInput):
    """``field`` is what people call it on the screen."""

    code, message = "platform_rule", "{field}{reason}，请修改后再提交"


def need(field: str, value: str) -> str:
    if not value.strip():
        raise RuleBroken(field=field, reason="不能为空")
    return value


def bytes_at_most(field: str, value: str, most: int) -> str:
    """The platform counts bytes of UTF-8: three for a Chinese character."""
    size = len(value.encode())
    if size > most:
        raise RuleBroken(field=field, reason=f"太长（{size} 字节，最多 {most} 字节）")
    return value


def chars_at_most(field: str, value: str, most: int) -> str:
    if len(value) > most:
        raise RuleBroken(field=field, reason=f"太长（{len(value)} 字，最多 {most} 字）")
    return value


def at_most(field: str, values: Sequence[T], most: int) -> list[T]:
    if len(values) > most:
        raise RuleBroken(field=field, reason=f"太多（{len(values)} 个，最多 {most} 个）")
    return list(values)


def some(field: str, values: Sequence[T], most: int) -> list[T]:
    if not values:
        raise RuleBroken(field=field, reason="不能为空")
    return at_most(field, values, most)
