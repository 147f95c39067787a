import pytest
import responses as responses_library
from pydantic import SecretStr

from channel.tokens import TokenStore
from channel.wechat.client import OfficialAccountClient
from channel.wechat.transport import http_session
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind

API = "http://127.0.0.1:8100/wechat"
SECRET = "5ecre7-0f-the-account"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@pytest.fixture
def account():
    return ChannelAccountCredentials(
        id=7,
        name="demo-oa",
        kind=ChannelKind.OFFICIAL_ACCOUNT,
        org_path="/jx/",
        appid="wx2c2769f8efd9abc2",
        secret=SecretStr(SECRET),
        token=SecretStr("spamtest"),
        aes_keys=(AES_KEY,),
        mode=CallbackMode.SAFE,
    )


@pytest.fixture
def responses():
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def wechat(account, redis):
    with http_session(API) as http:
        yield OfficialAccountClient(account, http, TokenStore(redis), API)
