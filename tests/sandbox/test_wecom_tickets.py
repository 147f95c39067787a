"""Signatures for the JS-SDK: those of the corp and those of an app are checked apart."""

import pytest

from sandbox.state import Account, Kind
from sandbox.wechat.jssdk import signature_of
from sandbox.wecom import tickets
from sandbox.wecom.call import Call
from sandbox.world import World

URL = "https://bank.example/sidebar?from=chat"


@pytest.fixture
def world():
    world = World()
    for agentid in ("1", "2"):
        world.keep_account(Account(Kind.WECOM_APP, f"app-{agentid}", "ww1", "s", agentid))
    return world


def call(world, agentid="1"):
    account = world.state.accounts[f"app-{agentid}"]
    query = {"type": "agent_config"}
    return Call(world, world.corp(account), account, query, {}, world.clock.now())


def checked(world, ticket, agentid="", **more):
    query = {
        "corpid": "ww1",
        "agentid": agentid,
        "nonceStr": "n",
        "timestamp": "1",
        "url": f"{URL}#top",
        "signature": signature_of(ticket, "n", "1", URL),
    }
    return tickets.check_signature(world, query | more)


def test_each_identity_needs_its_own_ticket(world):
    corp_ticket = tickets.get_for_corp(call(world))["ticket"]
    agent_ticket = tickets.get_for_agent(call(world))["ticket"]
    other_ticket = tickets.get_for_agent(call(world, "2"))["ticket"]

    assert checked(world, corp_ticket) == "config:ok"
    assert checked(world, agent_ticket) == "config:fail invalid signature"
    assert checked(world, agent_ticket, "1") == "agentConfig:ok"
    assert checked(world, other_ticket, "1") == "agentConfig:fail invalid signature"
    assert checked(world, other_ticket, "2") == "agentConfig:ok"


def test_a_ticket_ends_and_another_page_is_another_signature(world):
    ticket = tickets.get_for_corp(call(world))["ticket"]
    assert checked(world, ticket, url="https://bank.example/") == "config:fail invalid signature"
    world.clock.set(world.clock.now() + 7200)
    assert checked(world, ticket) == "config:fail invalid signature"


def test_who_is_unknown_is_told_so(world):
    assert checked(world, "x", "9") == "agentConfig:fail invalid agentid"
    assert checked(world, "x", corpid="ww9") == "config:fail invalid corpid"
