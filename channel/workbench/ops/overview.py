"""Where things stand: each channel account's findings, callbacks of a day, queues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import flash, g, render_template
from flask.typing import ResponseReturnValue

from channel.checkup.findings import KIND_WORDS, Finding, Verdict
from channel.checkup.reach import callback_address, examine_public_url
from channel.checkup.service import Checkup, examine, last_checkups, only_one
from channel.workbench.desk import desk_room, see_other, sentences
from channel.workbench.ops import words
from core.clock import utc_now
from core.queues import QueueName, queue_length
from core.settings import get_settings
from domain.directory.access import Actor, Permission
from domain.directory.channel_accounts import AccountRow, list_channel_accounts
from domain.inbox.models import InboxState
from domain.inbox.queries import count_by_state, get_lag

bp = desk_room("overview")

A_DAY = timedelta(hours=24)
ATTENTION_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """An account with what was found last; ``checked_at`` is None before the first checkup."""

    row: AccountRow
    kind: str
    callback_url: str
    checked_at: datetime | None
    verdict: Verdict
    open: Sequence[Finding]
    well: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Figures:
    lag: str
    is_lagging: bool
    received: int
    states: Sequence[tuple[InboxState, int]]
    queues: Sequence[tuple[str, int]]
    waiting: int


@bp.get("/")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    rows = list_channel_accounts(actor)
    # What was found before an account was disabled troubles nobody now.
    checkups = last_checkups([row for row in rows if row.is_enabled])
    accounts = [_health(row, checkups.get(row.id)) for row in rows]
    return render_template(
        "ops/overview/index.html",
        accounts=accounts,
        broken=sum(one.verdict is Verdict.BROKEN for one in accounts),
        public_url=examine_public_url(get_settings().public_url),
        figures=_figures(actor),
        words=words,
    )


@bp.get("/figures")
def figures() -> ResponseReturnValue:
    return render_template("ops/overview/_figures.html", figures=_figures(g.actor), words=words)


@bp.post("/check")
def check() -> ResponseReturnValue:
    with sentences(), only_one(g.actor):
        found = examine(g.actor)
        broken = sum(finding.is_broken for finding in found)
        if broken:
            flash(f"已检查，{broken} 项有误，办法写在各账号下面", "warn")
        else:
            flash("已检查，没有发现问题", "ok")
    return see_other(".index")


def _health(row: AccountRow, checkup: Checkup | None) -> AccountHealth:
    findings = checkup.findings if checkup else ()
    order = (Verdict.BROKEN, Verdict.UNKNOWN)
    unwell = [one for one in findings if one.verdict is not Verdict.WELL]
    return AccountHealth(
        row=row,
        kind=KIND_WORDS[row.kind],
        callback_url=callback_address(row.kind, row.name),
        checked_at=checkup.at if checkup else None,
        verdict=checkup.verdict if checkup else Verdict.UNKNOWN,
        open=sorted(unwell, key=lambda one: order.index(one.verdict)),
        well=[one for one in findings if one.verdict is Verdict.WELL],
    )


def _figures(actor: Actor) -> Figures:
    actor.require(Permission.ACCOUNTS_READ)
    counts = count_by_state(actor, since=utc_now() - A_DAY)
    lag = get_lag()
    queues = [(words.QUEUES[queue], queue_length(queue)) for queue in QueueName]
    return Figures(
        lag=words.duration(lag),
        is_lagging=lag >= ATTENTION_AFTER,
        received=sum(counts.values()),
        states=list(counts.items()),
        queues=queues,
        waiting=sum(length for _, length in queues),
    )
