"""Channel accounts: several side by side, their secrets sealed and never shown."""

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from core.errors import Forbidden
from domain.audit.models import AuditEvent
from domain.directory import channel_accounts as accounts
from domain.directory.access import Actor
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.channel_accounts import NewAccount
from domain.directory.errors import (
    AccountInvalid,
    AccountNameTaken,
    AccountNotNamed,
    AccountTaken,
    AccountUnknown,
    NoAccountYet,
    OrgUnknown,
)
from tests.factories import make_channel_account, make_hr, make_operator, make_org

SECRET, TOKEN = "5ecre7-0f-the-account", "spamtest"
KEY, NEW_KEY = "a" * 43, "b" * 43


def new_account(**changes):
    fields = {
        "kind": ChannelKind.OFFICIAL_ACCOUNT,
        "name": "demo-oa",
        "title": "示范公众号",
        "appid": "wx2c2769f8efd9abc2",
        "secret": SecretStr(SECRET),
        "token": SecretStr(TOKEN),
        "aes_key": SecretStr(KEY),
    }
    return NewAccount(**fields | changes)


@pytest.fixture
def operator(session):
    return make_operator("/hq/")


def test_an_account_comes_back_whole_for_the_gatehouse(operator):
    accounts.add_channel_account(operator, "/hq/", new_account(mode=CallbackMode.COMPATIBLE))

    account = accounts.channel_account_by_name("demo-oa")

    assert (account.appid, account.org_path) == ("wx2c2769f8efd9abc2", "/hq/")
    assert account.secret.get_secret_value() == SECRET
    assert account.token.get_secret_value() == TOKEN
    assert (account.aes_keys, account.mode) == ((KEY,), CallbackMode.COMPATIBLE)
    assert accounts.channel_account(account.id) == account


def test_secrets_are_sealed_at_rest_and_do_not_print(operator, session):
    accounts.add_channel_account(operator, "/hq/", new_account())

    stored = str(session.execute(text("SELECT * FROM channel_accounts")).one())
    shown = repr(accounts.channel_account_by_name("demo-oa")) + repr(new_account())
    for secret in (SECRET, TOKEN, KEY):
        assert secret not in stored
        assert secret not in shown


def test_a_new_account_is_written_to_the_audit_trail_without_secrets(operator, session):
    accounts.add_channel_account(operator, "/hq/", new_account())

    event = session.scalars(select(AuditEvent)).one()
    assert (event.action, event.details) == ("directory.account.added", {})


def test_a_name_is_given_once(operator):
    accounts.add_channel_account(operator, "/hq/", new_account())

    with pytest.raises(AccountNameTaken, match="demo-oa"):
        accounts.add_channel_account(operator, "/hq/", new_account(appid="wx1"))


@pytest.mark.parametrize("kind", [ChannelKind.OFFICIAL_ACCOUNT, ChannelKind.MINIPROGRAM])
def test_an_appid_is_registered_once(operator, kind):
    accounts.add_channel_account(operator, "/hq/", new_account(kind=kind))

    with pytest.raises(AccountTaken, match="accounts rotate"):
        accounts.add_channel_account(
            operator, "/hq/", new_account(kind=kind, name="again", agentid="7")
        )


def test_apps_of_one_corp_stand_side_by_side_each_once(operator):
    app = {"kind": ChannelKind.WECOM_APP, "appid": "ww1"}
    accounts.add_channel_account(operator, "/hq/", new_account(**app, agentid="1"))
    accounts.add_channel_account(operator, "/hq/", new_account(**app, name="two", agentid="2"))

    with pytest.raises(AccountTaken):
        accounts.add_channel_account(operator, "/hq/", new_account(**app, name="it", agentid="2"))


@pytest.mark.parametrize(
    "fault",
    [
        {"name": "Demo"},
        {"title": "长" * 101},
        {"appid": ""},
        {"appid": "w" * 65},
        {"secret": SecretStr("")},
        {"token": SecretStr("?")},
        {"aes_key": SecretStr("short")},
        {"kind": ChannelKind.WECOM_APP},
        {"kind": ChannelKind.WECOM_APP, "agentid": "my-app"},
    ],
)
def test_a_faulty_account_is_refused_before_anything_is_stored(operator, fault):
    with pytest.raises(AccountInvalid):
        accounts.add_channel_account(operator, "/hq/", new_account(**fault))

    assert accounts.list_channel_accounts(operator) == []


def test_a_wecom_app_needs_its_agentid(operator):
    new = new_account(kind=ChannelKind.WECOM_APP, agentid="1000002")

    assert accounts.add_channel_account(operator, "/hq/", new).agentid == "1000002"
    assert accounts.channel_account_by_name(new.name).agentid == "1000002"


def test_an_account_is_added_only_below_ones_own_organisation(operator):
    make_org("/other/")

    with pytest.raises(OrgUnknown):
        accounts.add_channel_account(operator, "/other/", new_account())


def test_hr_neither_adds_nor_sees_accounts(session):
    hr = make_hr()

    for call in (
        lambda: accounts.add_channel_account(hr, hr.org_path, new_account()),
        lambda: accounts.list_channel_accounts(hr),
        lambda: accounts.rotate_keys(hr, "demo-oa"),
        lambda: accounts.set_account_enabled(hr, "demo-oa", is_enabled=False),
    ):
        with pytest.raises(Forbidden):
            call()


# --- rotation -------------------------------------------------------------------------------


def test_the_aes_key_before_stays_readable_after_a_rotation(operator):
    accounts.add_channel_account(operator, "/hq/", new_account())

    accounts.rotate_keys(operator, "demo-oa", aes_key=SecretStr(NEW_KEY))

    assert accounts.channel_account_by_name("demo-oa").aes_keys == (NEW_KEY, KEY)


def test_the_key_in_use_given_again_does_not_push_out_the_key_before(operator):
    accounts.add_channel_account(operator, "/hq/", new_account())

    for _ in range(2):
        accounts.rotate_keys(operator, "demo-oa", aes_key=SecretStr(NEW_KEY))

    assert accounts.channel_account_by_name("demo-oa").aes_keys == (NEW_KEY, KEY)


def test_only_what_is_given_is_replaced(operator):
    accounts.add_channel_account(operator, "/hq/", new_account())

    accounts.rotate_keys(operator, "demo-oa", secret=SecretStr("new"))
    account = accounts.channel_account_by_name("demo-oa")
    assert (account.secret.get_secret_value(), account.token.get_secret_value()) == ("new", TOKEN)

    accounts.rotate_keys(operator, "demo-oa", token=SecretStr("newtoken"))
    account = accounts.channel_account_by_name("demo-oa")
    assert account.secret.get_secret_value() == "new"
    assert account.token.get_secret_value() == "newtoken"
    assert account.aes_keys == (KEY,)


@pytest.mark.parametrize(
    "fault",
    [
        {"secret": SecretStr("")},
        {"token": SecretStr("")},
        {"token": SecretStr("?")},
        {"aes_key": SecretStr("short")},
    ],
)
def test_a_faulty_rotation_changes_nothing(operator, fault):
    accounts.add_channel_account(operator, "/hq/", new_account())
    before = accounts.channel_account_by_name("demo-oa")

    with pytest.raises(AccountInvalid):
        accounts.rotate_keys(operator, "demo-oa", **{"secret": SecretStr("new")} | fault)

    assert accounts.channel_account_by_name("demo-oa") == before


@pytest.mark.parametrize("name", ["nobody", "neighbour"])
def test_another_banks_account_does_not_exist_for_one(operator, name):
    make_channel_account("/hq2/", name="neighbour")

    with pytest.raises(AccountUnknown):
        accounts.rotate_keys(operator, name, secret=SecretStr("new"))
    with pytest.raises(AccountUnknown):
        accounts.set_account_enabled(operator, name, is_enabled=False)

    assert accounts.channel_account_by_name("neighbour").secret.get_secret_value() == SECRET


# --- disabling ------------------------------------------------------------------------------


def test_a_disabled_account_is_unknown_until_it_is_enabled_again(operator):
    account = make_channel_account("/hq/", name="demo-oa")

    accounts.set_account_enabled(operator, "demo-oa", is_enabled=False)
    for call in (
        lambda: accounts.channel_account_by_name("demo-oa"),
        lambda: accounts.channel_account(account.id),
        lambda: accounts.official_account_for("/hq/bj/"),
    ):
        with pytest.raises(AccountUnknown):
            call()
    assert [row.is_enabled for row in accounts.list_channel_accounts(operator)] == [False]

    accounts.set_account_enabled(operator, "demo-oa", is_enabled=True)
    assert accounts.channel_account_by_name("demo-oa") == account


def test_the_list_is_the_actors_branch(operator):
    mine = make_channel_account("/hq/bj/")
    make_channel_account("/hq2/")

    assert [row.id for row in accounts.list_channel_accounts(operator)] == [mine.id]


# --- which account --------------------------------------------------------------------------


def test_the_nearest_official_account_above_serves(session):
    union, bank = make_channel_account("/hq/"), make_channel_account("/hq/bj/")
    make_channel_account("/hq/bj/ent-1/", kind=ChannelKind.MINIPROGRAM)

    assert accounts.official_account_for("/hq/bj/ent-1/") == bank
    assert accounts.official_account_for("/hq/bj2/ent-1/") == union
    with pytest.raises(AccountUnknown):
        accounts.official_account_for("/other/")


def test_a_sole_official_account_need_not_be_named(session):
    only = make_channel_account("/hq/")
    make_channel_account("/hq/", kind=ChannelKind.MINIPROGRAM)

    assert accounts.sole_official_account() == only


def test_where_there_are_two_one_has_to_be_named(session):
    for _ in range(2):
        make_channel_account("/hq/")

    with pytest.raises(AccountNotNamed):
        accounts.sole_official_account()


def test_without_any_account_the_bank_has_to_act(session):
    with pytest.raises(NoAccountYet):
        accounts.sole_official_account()


# --- templates ------------------------------------------------------------------------------


def test_templates_are_remembered(session):
    account = make_channel_account("/hq/", templates={})
    assert accounts.templates_of(account.id) == {}

    accounts.set_templates(account.id, {"payslip_ready": "tm-1"})

    assert accounts.templates_of(account.id) == {"payslip_ready": "tm-1"}
    event = session.scalars(select(AuditEvent)).one()
    assert (event.action, event.details) == ("directory.account.templates", {"count": 1})
    assert (event.actor_kind, event.actor_id) == (Actor.system().kind, 0)


def test_an_unknown_account_has_no_templates(session):
    assert accounts.templates_of(4711) == {}
    with pytest.raises(AccountUnknown):
        accounts.set_templates(4711, {})
