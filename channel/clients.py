"""Ready clients for channel accounts: one HTTP session per platform, one token store."""

from functools import lru_cache

import requests

from channel.budget import Priority
from channel.tokens import TokenStore
from channel.wechat.client import OfficialAccountClient
from channel.wechat.miniprogram import MiniprogramClient
from channel.wechat.transport import http_session
from channel.wecom.client import WecomClient
from core.redis import redis
from core.settings import get_settings
from domain.directory.accounts import ChannelAccountCredentials


@lru_cache(maxsize=2)
def _http(base_url: str) -> requests.Session:
    return http_session(base_url)


def official_account_client(
    account: ChannelAccountCredentials, priority: Priority = Priority.NOTICE
) -> OfficialAccountClient:
    url = get_settings().wechat_api_url
    return OfficialAccountClient(account, _http(url), TokenStore(redis()), url, priority)


def miniprogram_client(
    account: ChannelAccountCredentials, priority: Priority = Priority.NOTICE
) -> MiniprogramClient:
    url = get_settings().wechat_api_url
    return MiniprogramClient(account, _http(url), TokenStore(redis()), url, priority)


def wecom_client(
    account: ChannelAccountCredentials, priority: Priority = Priority.NOTICE
) -> WecomClient:
    url = get_settings().wecom_api_url
    return WecomClient(account, _http(url), TokenStore(redis()), url, priority)


def forget_http() -> None:
    """After a fork: connections of the parent are not shared."""
    _http.cache_clear()
