import pytest
import responses as responses_library
from pydantic import SecretStr

from channel.tokens import TokenStore
from channel.wechat.transport import http_session
from channel.wecom.client import WecomClient
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind

API = "http://127.0.0.1:8100/wecom"
CORPID = "ww1234567890abcdef"
SECRET = "5ecre7-0f-the-app"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


def app_account(account_id=8, agentid="1000002", secret=SECRET, corpid=CORPID):
    return ChannelAccountCredentials(
        id=account_id,
        name=f"app-{account_id}",
        kind=ChannelKind.WECOM_APP,
        org_path="/jx/",
        appid=corpid,
        secret=SecretStr(secret),
        token=SecretStr("spamtest"),
        aes_keys=(AES_KEY,),
        mode=CallbackMode.SAFE,
        agentid=agentid,
    )


@pytest.fixture
def account():
    return app_account()


@pytest.fixture
def responses():
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def http():
    with http_session(API) as session:
        yield session


@pytest.fixture
def client_of(http, session, redis):
    return lambda account, **more: WecomClient(account, http, TokenStore(redis), API, **more)


@pytest.fixture
def wecom(account, client_of):
    return client_of(account)


@pytest.fixture
def tokens(responses):
    """The platform hands out ``token-1, token-2, …`` in turn."""
    for number in (1, 2, 3):
        answer = {"errcode": 0, "errmsg": "ok", "access_token": f"token-{number}"}
        responses.get(f"{API}/cgi-bin/gettoken", json=answer | {"expires_in": 7200})
    return responses
