import pytest
import responses as responses_library

from core.settings import get_settings
from domain.directory.accounts import ChannelKind
from tests.factories import make_channel_account

TOKEN = {"access_token": "t0ken", "expires_in": 7200}


class Platforms:
    """WeChat and WeCom, answering what they are told to; silent about all else."""

    def __init__(self, mock):
        self.mock = mock

    def wechat(self, method, path, **answer):
        url = f"{get_settings().wechat_api_url}/cgi-bin/{path}"
        return self.mock.upsert(method, url, **_json(answer))

    def wecom(self, method, path, **answer):
        url = f"{get_settings().wecom_api_url}/cgi-bin/{path}"
        return self.mock.upsert(method, url, **_json(answer))

    def callback(self, account, answer):
        """Our own door: ``answer`` takes the request, or is one of ``responses``' bodies."""
        door = "wecom" if account.kind is ChannelKind.WECOM_APP else "wechat"
        url = f"{get_settings().public_url}/callback/{door}/{account.name}"
        self.mock.add_callback("GET", url, answer)

    def wechat_is_well(self):
        self.wechat("POST", "stable_token", json=TOKEN)
        self.wechat("GET", "template/get_all_private_template", json={"template_list": []})
        self.wechat("GET", "user/info", json={"errcode": 40003, "errmsg": "invalid openid"})
        self.wechat("GET", "ticket/getticket", json={"ticket": "t1cket", "expires_in": 7200})
        pings = [{"ip": "1.2.3.4", "package_loss": "0%"}]
        self.wechat("POST", "callback/check", json={"dns": [{"ip": "1.2.3.4"}], "ping": pings})

    def wecom_is_well(self):
        self.wecom("GET", "gettoken", json=TOKEN)
        self.wecom("GET", "user/get", json={"errcode": 60111, "errmsg": "userid not found"})
        self.wecom("GET", "agent/get", json={"errcode": 0, "agentid": 1000002})
        served = {"errcode": 0, "follow_user": ["zhang", "li"]}
        self.wecom("GET", "externalcontact/get_follow_user_list", json=served)
        self.wecom("GET", "get_jsapi_ticket", json={"ticket": "corp", "expires_in": 7200})
        self.wecom("GET", "ticket/get", json={"ticket": "agent", "expires_in": 7200})


def _json(answer):
    return answer if {"status", "body"} & {*answer} else {"json": {"errcode": 0, **answer["json"]}}


@pytest.fixture
def platforms(session):
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Platforms(mock)


@pytest.fixture
def official_account(session):
    return make_channel_account(name="bank-oa")


@pytest.fixture
def wecom_app(session):
    return make_channel_account(kind=ChannelKind.WECOM_APP, name="rm-app", agentid="1000002")
