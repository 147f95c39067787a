"""Leads a client of somebody else here without a change to it."""

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


class Detour(HTTPAdapter):
    """Every host, to one of the sandbox's platforms: ``wechat`` or ``wecom``."""

    def __init__(self, address: str, platform: str) -> None:
        super().__init__()
        self._base = f"{address}/{platform}"

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        request.url = f"{self._base}{parts.path}?{parts.query}"
        return super().send(request, **more)
