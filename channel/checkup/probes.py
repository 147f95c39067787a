"""Clients that ask and change nothing, and do not wait long for an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from channel.budget import Priority
from channel.tokens import TokenStore
from channel.wechat.client import OfficialAccountClient
from channel.wechat.errors import WeChatError
from channel.wechat.transport import http_session
from channel.wecom.client import WecomClient
from core.redis import redis
from core.settings import get_settings
from domain.directory.accounts import ChannelAccountCredentials

CONNECT_SECONDS, READ_SECONDS = 1.5, 3.0
# No openid or userid of anybody: the refusal shows that we may ask.
NOBODY = "xinqiao-asks-for-nobody"
NO_SUCH_OPENID = 40003
NO_SUCH_USERID = frozenset({60111, 40003})


class _HastyAdapter(HTTPAdapter):
    """Whatever a caller would wait, somebody looks at the screen meanwhile."""

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        return super().send(request, *args, **kwargs)


@contextmanager
def hasty_http(base_url: str) -> Iterator[requests.Session]:
    with http_session(base_url) as session:
        for scheme in ("https://", "http://"):
            session.mount(scheme, _HastyAdapter())
        yield session


class OfficialAccountProbe(OfficialAccountClient):
    """For mini-programs too, which have the same token."""

    def ask_for_token(self) -> None:
        """Though one is kept: is the secret still accepted, from this address?"""
        self._fetch_access_token()

    def ask_for_nobody(self) -> None:
        try:
            self.get_user_info(NOBODY)
        except WeChatError as error:
            if error.errcode != NO_SUCH_OPENID:
                raise


class WecomProbe(WecomClient):
    def ask_for_token(self) -> None:
        """Though one is kept: is the secret still accepted? The platform repeats the same token."""
        self._fetch_access_token()

    def ask_for_nobody(self) -> None:
        try:
            self.get_member(NOBODY)
        except WeChatError as error:
            if error.errcode not in NO_SUCH_USERID:
                raise

    def ask_for_own_app(self) -> None:
        """https://developer.work.weixin.qq.com/document/path/90227"""
        self._get("/cgi-bin/agent/get", {"agentid": self._account.agentid or ""})


def official_account_probe(
    account: ChannelAccountCredentials, http: requests.Session
) -> OfficialAccountProbe:
    return OfficialAccountProbe(account, http, *_rest(get_settings().wechat_api_url))


def wecom_probe(account: ChannelAccountCredentials, http: requests.Session) -> WecomProbe:
    return WecomProbe(account, http, *_rest(get_settings().wecom_api_url))


def _rest(api_url: str) -> tuple[TokenStore, str, Priority, Any]:
    tokens = TokenStore(redis(), wait_seconds=READ_SECONDS)
    return tokens, api_url, Priority.NOTICE, _not_at_all


def _not_at_all(_seconds: float) -> None:
    """How long to wait before a repeat."""
