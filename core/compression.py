"""Answers travel compressed even where no nginx stands in front.

Only texts, and only those long enough to gain. Pages never repeat what a request sent beside a
secret, so their length tells nothing (BREACH). Static files are compressed once and kept.
"""

import gzip
from functools import lru_cache

from flask import Flask, Response, request

LEVEL = 6
SHORTEST_BYTES = 1000
TEXTS = frozenset(
    {
        "text/html",
        "text/css",
        "text/plain",
        "text/javascript",
        "application/javascript",
        "application/json",
        "image/svg+xml",
    }
)


def compress_answers(app: Flask) -> None:
    """To be called before other ``after_request`` hooks are registered: it then runs last."""
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if response.mimetype not in TEXTS:
        return response
    response.vary.add("Accept-Encoding")
    if (
        response.status_code != 200
        or not request.accept_encodings["gzip"]
        or "Content-Encoding" in response.headers
        or "Content-Range" in response.headers
        or request.method == "HEAD"
    ):
        return response
    response.direct_passthrough = False
    plain = response.get_data()
    if len(plain) < SHORTEST_BYTES:
        return response
    response.set_data(_kept(plain) if request.endpoint == "static" else _gzipped(plain))
    response.headers["Content-Encoding"] = "gzip"
    return response


def _gzipped(plain: bytes) -> bytes:
    return gzip.compress(plain, LEVEL, mtime=0)


@lru_cache(maxsize=64)
def _kept(plain: bytes) -> bytes:
    return _gzipped(plain)
