"""Logs: one JSON object a line, ids only. What looks like a secret or a person is struck out."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

logger = logging.getLogger("xinqiao")

request_id: ContextVar[str] = ContextVar("request_id", default="")

_STRUCK = "[struck]"
_PRIVATE_KEYS = re.compile(r"token|secret|password|phone|id_no|card|name$|amount|_fen$|body|cookie")
_PRIVATE_TEXT = re.compile(
    r"(?P<key>(?:access_token|secret|corpsecret|ticket|code|js_code)=)[^&\s\"']+"
    r"|(?<!\d)1[3-9]\d{9}(?!\d)"  # a mobile phone
    r"|(?<!\d)\d{17}[\dXx](?!\d)"  # an ID number
)


def strike(text: str) -> str:
    """Take tokens, phones and ID numbers out of a text of unknown origin."""
    return _PRIVATE_TEXT.sub(lambda m: (m["key"] or "") + _STRUCK, text)


def _strike_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key not in {"event", "logger", "level", "file_name"} and _PRIVATE_KEYS.search(key):
            event[key] = _STRUCK
        elif isinstance(value, str):
            event[key] = strike(value)
    return event


def _add_request_id(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if request_id.get():
        event["request_id"] = request_id.get()
    return event


def setup_logging(level: str) -> None:
    """Send every logger of the process through one JSON formatter on standard error."""
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        structlog.processors.format_exc_info,
        _strike_event,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # At DEBUG these two print addresses with tokens in them.
    for noisy in ("urllib3", "requests", "rq", "granian"):
        logging.getLogger(noisy).setLevel(max(logging.getLevelName(level), logging.WARNING))
