"""The demo bank: a member bank with three enterprises, its people, and their WeChats.

The organisation and its files come from ``sandbox.demo_data``; the people get followers' openids
in the sandbox, through its control API, as if they had followed the bank's official account.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr
from sqlalchemy import select

from channel.setup import read_templates, set_up_account
from core.clock import utc_now
from core.db import reading, transaction
from core.log import logger
from core.settings import get_settings
from domain.directory import service
from domain.directory.access import Actor, Role
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import (
    NewAccount,
    add_channel_account,
    channel_account_by_name,
)
from domain.directory.models import Employee, EmployeeBinding, Org, OrgKind
from domain.directory.roster import import_roster
from domain.payroll.sheets import read_roster
from sandbox import demo_data

OFFICIAL_ACCOUNT, WECOM, MINIPROGRAM = "demo-oa", "demo-wecom", "demo-mp"
# The last people of each roster have not bound their WeChat: somebody to try it with.
UNBOUND = 3
SHORT_NAMES = {"school": "学校", "site": "工地", "factory": "工厂"}
EMPTY_ROOT = ("/", "bank", OrgKind.BANK, "演示银行")


@dataclass(frozen=True, slots=True)
class Fan:
    openid: str
    name: str


def load(sandbox_url: str, *, with_people: bool) -> None:
    """Fill a new database; a second call on the same one changes nothing."""
    if reading().scalar(select(Org.id).limit(1)) is not None:
        return
    if not with_people:
        # Something for `xinqiao accounts add` to hang an account under.
        service.add_org(Actor.system(), *EMPTY_ROOT)
        return
    data = demo_data.generate(get_settings().data_dir / "demo")
    plan = json.loads(data.organisation.read_text(encoding="utf-8"))
    for org in plan["orgs"]:
        parent, _, slug = org["org_path"].rstrip("/").rpartition("/")
        service.add_org(Actor.system(), f"{parent}/", slug, OrgKind(org["kind"]), org["name"])
    bank_path = next(org["org_path"] for org in plan["orgs"] if org["kind"] == "bank")
    account = _open_accounts(sandbox_url, bank_path)
    for enterprise in data.enterprises:
        _load_roster(enterprise.org_path, enterprise.roster_csv)
        fans = _bind_employees(account, enterprise.org_path, SHORT_NAMES[enterprise.key])
        _follow(sandbox_url, fans)
    _follow(sandbox_url, [_add_user(account, user) for user in plan["users"]])
    _add_members(sandbox_url, plan["users"])
    read_templates(Actor.system(), channel_account_by_name(MINIPROGRAM))
    missing = set_up_account(account)
    logger.info("demo bank loaded", extra={"missing_templates": len(missing)})


# --- channel accounts -----------------------------------------------------------------------


def _open_accounts(sandbox_url: str, org_path: str) -> ChannelAccountCredentials:
    """The same account on both sides, as if copied from the platform's console."""
    for kind, name, title in (
        (ChannelKind.OFFICIAL_ACCOUNT, OFFICIAL_ACCOUNT, "信桥农商银行"),
        (ChannelKind.WECOM_APP, WECOM, "客户经理助手"),
        (ChannelKind.MINIPROGRAM, MINIPROGRAM, "信桥惠民"),
    ):
        _open_account(sandbox_url, org_path, kind, name, title)
    return channel_account_by_name(OFFICIAL_ACCOUNT)


def _open_account(
    sandbox_url: str, org_path: str, kind: ChannelKind, name: str, title: str
) -> None:
    is_wecom = kind is ChannelKind.WECOM_APP
    new = NewAccount(
        kind=kind,
        name=name,
        title=title,
        appid=f"{'ww' if is_wecom else 'wx'}{secrets.token_hex(8)}",
        secret=SecretStr(secrets.token_hex(16)),
        token=SecretStr(secrets.token_hex(12)),
        aes_key=SecretStr(_aes_key()),
        agentid="1000002" if is_wecom else None,
    )
    door = "wecom" if is_wecom else "wechat"
    public_url = get_settings().public_url
    _control(
        sandbox_url,
        "accounts",
        {
            "kind": kind.value,
            "name": name,
            "title": title,
            "appid": new.appid,
            "agentid": new.agentid or "",
            "secret": new.secret.get_secret_value(),
            "token": new.token.get_secret_value(),
            "aes_key": new.aes_key.get_secret_value(),
            "mode": new.mode.value,
            "callback_url": f"{public_url}/callback/{door}/{name}",
            "oauth_domain": public_url.partition("://")[2],
        },
    )
    add_channel_account(Actor.system(), org_path, new)


def _aes_key() -> str:
    """43 letters and digits that are 32 bytes in base64, as the platform's console makes them."""
    while True:
        key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        if key.isalnum():
            return key


# --- people ---------------------------------------------------------------------------------


def _load_roster(org_path: str, roster: Path) -> None:
    report = read_roster(roster.read_bytes(), roster.name)
    hr = Actor(Actor.system().kind, 0, org_path, Actor.system().permissions)
    import_roster(hr, [row.entry for row in report.accepted])


def _bind_employees(
    account: ChannelAccountCredentials, org_path: str, short_name: str
) -> list[Fan]:
    """Followers for everybody employed; the last few are left to bind by hand."""
    employees = reading().execute(
        select(Employee.id, Employee.emp_id, Employee.name)
        .where(Employee.org_path == org_path, Employee.left_on.is_(None))
        .order_by(Employee.id)
    )
    people = [
        (row.id, Fan(_openid(row.emp_id), f"{row.name}（{short_name}）")) for row in employees
    ]
    identities = {fan.openid: _note_follower(account, fan.openid) for _, fan in people}
    with transaction() as session:
        session.add_all(
            EmployeeBinding(
                org_path=org_path,
                channel_account_id=account.id,
                identity_id=identities[fan.openid],
                employee_id=employee_id,
                bound_at=utc_now(),
            )
            for employee_id, fan in people[:-UNBOUND]
        )
    unbound = {fan.openid for _, fan in people[-UNBOUND:]}
    return [
        Fan(fan.openid, f"{fan.name[:-1]}·未绑定）") if fan.openid in unbound else fan
        for _, fan in people
    ]


def _note_follower(account: ChannelAccountCredentials, openid: str) -> int:
    # Whole seconds, as the platform counts: who leaves in this very second has left.
    now = utc_now().replace(microsecond=0)
    return service.note_follower(account, openid, is_follower=True, at=now)


def _add_user(account: ChannelAccountCredentials, user: Mapping[str, Any]) -> Fan:
    """A user who signs in with their WeChat, and with WeCom too."""
    roles = [Role(role) for role in user["roles"]]
    added, code = service.add_user(Actor.system(), user["org_path"], user["name"], roles)
    fan = Fan(_openid(user["login"]), f"{user['name']}（{_title(user)}）")
    identity_id = _note_follower(account, fan.openid)
    service.accept_invitation(identity_id, code)
    member_id = service.note_identity(channel_account_by_name(WECOM), user["login"])
    service.accept_invitation(member_id, service.invite_again(Actor.system(), added.id))
    return fan


def _add_members(sandbox_url: str, users: Iterable[Mapping[str, Any]]) -> None:
    members = [
        {"userid": user["login"], "name": user["name"], "position": _title(user)} for user in users
    ]
    _control(sandbox_url, "wecom/members", {"account": WECOM, "members": members})


def _title(user: Mapping[str, Any]) -> str:
    if Role.BANK_OPERATIONS in user["roles"]:
        return "银行运营"
    place = SHORT_NAMES.get(user["org_path"].rstrip("/").rpartition("/")[2], "")
    return f"{place}人事" if user["roles"] == [Role.HR] else f"{place}财务"


def _openid(key: str) -> str:
    return f"oDemo{hashlib.sha256(key.encode()).hexdigest()[:23]}"


# --- the sandbox ----------------------------------------------------------------------------


def _follow(sandbox_url: str, fans: Iterable[Fan]) -> None:
    people = list(fans)
    _control(
        sandbox_url,
        "wechat/fans",
        {
            "account": OFFICIAL_ACCOUNT,
            "openids": [fan.openid for fan in people],
            "names": [fan.name for fan in people],
        },
    )


def _control(sandbox_url: str, call: str, body: Mapping[str, Any]) -> None:
    requests.post(f"{sandbox_url}/_sandbox/{call}", json=body, timeout=30).raise_for_status()
