"""Writes the XML of callbacks: nested, with lists as repeated elements."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape


def as_xml(fields: Mapping[str, Any]) -> str:
    return f"<xml>{_inside(fields)}</xml>"


def _inside(fields: Mapping[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    return f"<{name}>{_content(value)}</{name}>"


def _content(value: Any) -> str:
    if isinstance(value, Mapping):
        return _inside(value)
    if isinstance(value, int | float):
        return str(value)
    return f"<![CDATA[{value}]]>" if "]]>" not in value else escape(value)
