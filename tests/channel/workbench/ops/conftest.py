import pytest

from domain.directory.accounts import ChannelKind
from domain.inbox.intake import Callback, accept
from domain.inbox.models import InboxState
from domain.inbox.service import claim, record_processed
from tests.factories import make_channel_account, make_operator


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa", templates={"payslip_ready": "T1"})


@pytest.fixture
def app_account(session):
    return make_channel_account(
        kind=ChannelKind.WECOM_APP, name="demo-wecom", appid="ww1", agentid="1000002"
    )


@pytest.fixture
def operator(client, account):
    """Bank operations at the top of the tree, signed in at this browser."""
    actor = make_operator()
    client.sign_in("/ops", user_id=actor.id)
    return actor


@pytest.fixture
def received(account):
    """A callback that was accepted, and ended in ``state`` when one is given; its id."""

    def receives(event="subscribe", *, body="", state=None, at=account, change_type="", openid=""):
        person = openid or "oLongOpenid-123456789"
        text = body or f"<xml><Event>{event}</Event><N>{receives.count}</N></xml>"
        receives.count += 1
        event_id = accept(at, Callback(event, change_type, person, text)).event_id
        if state:
            record_processed(claim(event_id), InboxState(state))
        return event_id

    receives.count = 0
    return receives
