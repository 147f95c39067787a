"""What we may still call: budgets, open breakers, and what needs a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import g, render_template
from flask.typing import ResponseReturnValue

from channel.alarms import Alarm, list_alarms
from channel.breaker import breaker_state
from channel.budget import BudgetRow, list_budgets
from channel.checkup.findings import KIND_WORDS, advice_for
from channel.workbench.desk import desk_room
from channel.workbench.ops import words
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import AccountRow, list_channel_accounts
from domain.directory.queries import root_org

bp = desk_room("usage", "/usage")

# Calls of all owners together, from our address: nobody's own.
EVERYBODY = "address"
NEARLY_USED = 0.8


@dataclass(frozen=True, slots=True)
class BudgetLine:
    row: BudgetRow
    window: str
    used: str
    left: str
    limit: str
    is_low: bool


@dataclass(frozen=True, slots=True)
class Owner:
    name: str
    lines: Sequence[BudgetLine]


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    account: str
    sentence: str
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class AlarmLine:
    account: str
    alarm: Alarm
    advice: str


@bp.get("")
def index() -> ResponseReturnValue:
    return render_template("ops/usage/index.html", **_usage(g.actor))


@bp.get("/now")
def now() -> ResponseReturnValue:
    return render_template("ops/usage/_now.html", **_usage(g.actor))


def _usage(actor: Actor) -> dict[str, Any]:
    rows = list_channel_accounts(actor)
    in_use = [row for row in rows if row.is_enabled]
    return {
        "owners": _owners(actor, rows),
        "breakers": [one for row in in_use if (one := _open_breaker(row))],
        "alarms": _alarms(in_use),
    }


def _owners(actor: Actor, rows: Sequence[AccountRow]) -> list[Owner]:
    """Budgets of what the actor sees; those of our address belong to the top of the tree."""
    names = {row.appid: _name_of_owner(row) for row in rows}
    if actor.org_path == root_org().org_path:
        names[EVERYBODY] = "本机地址（所有企业合计）"
    grouped: dict[str, list[BudgetLine]] = {}
    for row in list_budgets():
        appid, _, agentid = row.owner.partition(":")
        if appid in names:
            name = f"{names[appid]} · 应用 {agentid}" if agentid else names[appid]
            grouped.setdefault(name, []).append(_line(row))
    return [Owner(name, grouped[name]) for name in sorted(grouped)]


def _name_of_owner(row: AccountRow) -> str:
    """Apps of one corp share its budget."""
    if row.kind is ChannelKind.WECOM_APP:
        return f"企业微信 {row.appid}"
    return f"{KIND_WORDS[row.kind]} {row.title}"


def _line(row: BudgetRow) -> BudgetLine:
    is_low = row.blocked_until is not None or (
        row.limit is not None and row.used is not None and row.used >= row.limit * NEARLY_USED
    )
    return BudgetLine(
        row,
        window=words.WINDOWS[row.window],
        used=_grouped(row.used),
        left=_grouped(row.left),
        limit=_grouped(row.limit),
        is_low=is_low,
    )


def _grouped(count: int | None) -> str:
    return "—" if count is None else f"{count:,}"


def _open_breaker(row: AccountRow) -> OpenBreaker | None:
    state = breaker_state(row.id)
    if state is None:
        return None
    return OpenBreaker(f"{KIND_WORDS[row.kind]} {row.title}", state.sentence, state.closes_at)


def _alarms(rows: Sequence[AccountRow]) -> list[AlarmLine]:
    seen = {row.id: row for row in rows}
    return [
        AlarmLine(f"{KIND_WORDS[row.kind]} {row.title}", alarm, advice_for(row, alarm.errcode))
        for alarm in list_alarms()
        if (row := seen.get(alarm.account_id))
    ]
