import json
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
import responses as responses_library

from core.settings import get_settings
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.models import Employee, Identity
from tests.factories import make_binding, make_channel_account, make_employee, make_identity

DETAILS = {"name": "陈静", "phone": "13800001234", "id_no": "110101199003074530"}


@dataclass(frozen=True)
class Person:
    """An employee with their phone in hand."""

    employee: Employee
    identity: Identity
    account: ChannelAccountCredentials

    @property
    def session(self):
        return {"identity_id": self.identity.id, "account": self.account.id}


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa")


@pytest.fixture
def somebody(account):
    def make(**fields):
        employee = make_employee(**fields)
        return Person(employee, make_binding(employee, account), account)

    return make


@pytest.fixture
def me(client, somebody):
    """An employee whose browser is signed in."""
    person = somebody(**DETAILS)
    client.sign_in("/me", **person.session)
    return person


@pytest.fixture
def visitor(client, account):
    """A WeChat that is signed in and bound to nobody yet."""
    identity = make_identity(account)
    client.sign_in("/me", identity_id=identity.id, account=account.id)
    return identity


@pytest.fixture
def wechat():
    """WeChat's API, answering what the test says."""
    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        api = f"{get_settings().wechat_api_url}/sns/oauth2/access_token"

        def says(**answer):
            mock.get(api, body=json.dumps(answer), content_type="text/plain")

        yield says


def query_of(address):
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
