"""Ready clients for channel accounts: one HTTP session and one token store for the process."""

from functools import lru_cache

import requests

from channel.tokens import TokenStore
from channel.wechat.client import OfficialAccountClient
from channel.wechat.transport import http_session
from core.redis import redis
from core.settings import get_settings
from domain.directory.accounts import ChannelAccountCredentials


@lru_cache(maxsize=1)
def _http() -> requests.Session:
    return http_session(get_settings().wechat_api_url)


def official_account_client(account: ChannelAccountCredentials) -> OfficialAccountClient:
    settings = get_settings()
    return OfficialAccountClient(account, _http(), TokenStore(redis()), settings.wechat_api_url)


def forget_http() -> None:
    """After a fork: connections of the parent are not shared."""
    _http.cache_clear()
