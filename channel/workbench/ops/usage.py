"""What we may still call: budgets, open breakers, and what needs a person."""

from collections.abc import Mapping, Sequence
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
from channel.workbench.ops.apis import Api, api_of
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import AccountRow, list_channel_accounts
from domain.directory.queries import root_org
from domain.pushes.models import MessageKind
from domain.pushes.queries import list_held

bp = desk_room("usage", "/usage")

# Calls of all owners together, from our address: nobody's own.
EVERYBODY = "address"
NEARLY_USED = 0.8


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """``is_again``: the line before is of the same API, and names it."""

    api: Api
    is_again: bool
    window: str
    used: str
    left: str
    limit: str
    is_low: bool


@dataclass(frozen=True, slots=True)
class Pause:
    api: Api
    until: datetime


@dataclass(frozen=True, slots=True)
class Owner:
    name: str
    lines: Sequence[BudgetLine]
    pauses: Sequence[Pause]


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    account: str
    sentence: str
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """``held_until``: no message of this kind goes out before."""

    account: str
    alarm: Alarm
    api: Api
    advice: str
    held_until: datetime | None


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
        "alarms": _alarms(in_use, list_held(actor)),
    }


def _owners(actor: Actor, rows: Sequence[AccountRow]) -> list[Owner]:
    """Budgets of what the actor sees; those of our address belong to the top of the tree."""
    known = {row.appid: (_name_of_owner(row), row.kind) for row in rows}
    if actor.org_path == root_org().org_path:
        known[EVERYBODY] = "本机地址（所有企业合计）", ChannelKind.WECOM_APP
    grouped: dict[tuple[str, ChannelKind], list[BudgetRow]] = {}
    for row in list_budgets():
        appid, _, agentid = row.owner.partition(":")
        if appid in known:
            name, kind = known[appid]
            name = f"{name} · 应用 {agentid}" if agentid else name
            grouped.setdefault((name, kind), []).append(row)
    return [_owner(name, kind, grouped[name, kind]) for name, kind in sorted(grouped)]


def _owner(name: str, kind: ChannelKind, rows: Sequence[BudgetRow]) -> Owner:
    """Which window the platform found used up is not known: what is paused is the API."""
    lines: list[BudgetLine] = []
    for row in rows:
        if row.limit is not None:
            api = api_of(kind, row.api)
            lines.append(_line(row, api, is_again=bool(lines) and lines[-1].api == api))
    paused = {row.api: row.blocked_until for row in rows if row.blocked_until}
    pauses = [Pause(api_of(kind, api), until) for api, until in paused.items()]
    return Owner(name, lines, pauses)


def _name_of_owner(row: AccountRow) -> str:
    """Apps of one corp share its budget."""
    if row.kind is ChannelKind.WECOM_APP:
        return f"企业微信 {row.appid}"
    return f"{KIND_WORDS[row.kind]} {row.title}"


def _line(row: BudgetRow, api: Api, *, is_again: bool) -> BudgetLine:
    used, limit = row.used or 0, row.limit or 0
    return BudgetLine(
        api,
        is_again,
        window=words.WINDOWS[row.window],
        used=f"{used:,}",
        left=f"{row.left or 0:,}",
        limit=f"{limit:,}",
        is_low=used >= limit * NEARLY_USED,
    )


def _open_breaker(row: AccountRow) -> OpenBreaker | None:
    state = breaker_state(row.id)
    if state is None:
        return None
    return OpenBreaker(f"{KIND_WORDS[row.kind]} {row.title}", state.sentence, state.closes_at)


def _alarms(
    rows: Sequence[AccountRow], held: Mapping[tuple[int, MessageKind], datetime]
) -> list[AlarmLine]:
    seen = {row.id: row for row in rows}
    return [
        _alarm(row, alarm, held) for alarm in list_alarms() if (row := seen.get(alarm.account_id))
    ]


def _alarm(
    row: AccountRow, alarm: Alarm, held: Mapping[tuple[int, MessageKind], datetime]
) -> AlarmLine:
    api = api_of(row.kind, alarm.api)
    return AlarmLine(
        f"{KIND_WORDS[row.kind]} {row.title}",
        alarm,
        api,
        advice_for(row, alarm.errcode),
        held_until=held.get((row.id, api.message)) if api.message else None,
    )
