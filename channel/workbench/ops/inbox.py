"""Callbacks received, what became of each, and handling them again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from flask import flash, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator, Field

from channel.checkup.findings import KIND_WORDS
from channel.workbench.desk import (
    Cursor,
    Form,
    desk_room,
    form_of,
    query_of,
    read_values,
    see_other,
    sentences,
)
from channel.workbench.ops import words
from channel.workbench.ops.bodies import masked_fields, masked_id
from core.clock import CHINA
from core.paging import PAGE_SIZE
from domain.directory.access import Actor, Permission
from domain.directory.channel_accounts import list_channel_accounts
from domain.inbox import queries, service
from domain.inbox.models import InboxState
from domain.inbox.queries import EventFilter, EventRow
from domain.inbox.service import REPLAY_LIMIT

bp = desk_room("inbox", "/inbox")

YEARS = range(2000, 2101)
UNFINISHED = (InboxState.RECEIVED, InboxState.PROCESSING)


def _blank_is_none(value: object) -> object:
    return value or None


def _moment(value: object) -> object:
    """A date and time as browsers send it: without a zone, so that it is China's."""
    if not value:
        return None
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is not None or moment.year not in YEARS:
        raise ValueError("no such time")
    return moment.replace(tzinfo=CHINA)


_Word = Annotated[Annotated[str, Field(max_length=64)] | None, BeforeValidator(_blank_is_none)]
_State = Annotated[InboxState | None, BeforeValidator(_blank_is_none)]
_Moment = Annotated[datetime | None, BeforeValidator(_moment)]


class InboxQuery(Form):
    account: _Word = None
    state: _State = None
    event: _Word = None
    since: _Moment = None
    until: _Moment = None
    before: Cursor | None = None

    def wanted(self, last_id: int | None = None) -> EventFilter:
        return EventFilter(
            self.account, self.state, self.event, self.since, self.until, last_id=last_id
        )

    def as_values(self) -> dict[str, Any]:
        """What brings the same filter back."""
        given = {
            "account": self.account,
            "state": self.state.value if self.state else None,
            "event": self.event,
            "since": _written(self.since),
            "until": _written(self.until),
        }
        return {key: value for key, value in given.items() if value}


class ReplayAllForm(InboxQuery):
    """``last_id``: what arrived after the count was shown is not meant."""

    last_id: Cursor


class TickedForm(Form):
    event_ids: tuple[Cursor, ...] = Field(max_length=PAGE_SIZE)


def _written(moment: datetime | None) -> str | None:
    return moment.astimezone(CHINA).strftime("%Y-%m-%dT%H:%M") if moment else None


@bp.get("")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    query = query_of(InboxQuery)
    values = query.as_values()
    page = queries.list_events(actor, query.wanted(), before=query.before)
    return render_template(
        "ops/inbox/index.html",
        page=page,
        query=query,
        values=values,
        first_url=url_for(".index", **values) if query.before else None,
        next_url=url_for(".index", **values, before=page.next_cursor) if page.next_cursor else None,
        accounts=_accounts(actor),
        may_replay=actor.may(Permission.INBOX_REPLAY),
        words=words,
    )


def _accounts(actor: Actor) -> list[tuple[str, str]]:
    if not actor.may(Permission.ACCOUNTS_READ):
        return []
    rows = list_channel_accounts(actor)
    return [(row.name, f"{KIND_WORDS[row.kind]} {row.title}") for row in rows]


# --- one event ------------------------------------------------------------------------------


@bp.get("/<int:event_id>")
def event(event_id: int) -> ResponseReturnValue:
    return _event_page(event_id)


@bp.get("/<int:event_id>/state")
def state(event_id: int) -> ResponseReturnValue:
    return render_template("ops/inbox/_event.html", **_event_of(event_id))


@bp.post("/<int:event_id>/body")
def body(event_id: int) -> ResponseReturnValue:
    """Looking is written down, so it takes a tap."""
    fields = masked_fields(service.read_body(g.actor, event_id))
    if request.headers.get("HX-Request"):
        return render_template("ops/inbox/_body.html", fields=fields)
    return _event_page(event_id, fields=fields)


@bp.post("/<int:event_id>/replay")
def replay(event_id: int) -> ResponseReturnValue:
    queries.get_event(g.actor, event_id)
    if service.replay(g.actor, [event_id]):
        flash("已重新排队，结果会显示在这里", "ok")
    else:
        flash("这条回调正在处理，不用重放", "info")
    return see_other(".event", event_id=event_id)


def _event_page(event_id: int, **more: Any) -> ResponseReturnValue:
    return render_template("ops/inbox/event.html", **_event_of(event_id), **more)


def _event_of(event_id: int) -> dict[str, Any]:
    row: EventRow = queries.get_event(g.actor, event_id)
    return {
        "event": row,
        "person": masked_id(row.openid),
        "reason": words.REASONS.get(row.reason or "", ""),
        "is_unfinished": row.state in UNFINISHED,
        "may_replay": g.actor.may(Permission.INBOX_REPLAY),
        "words": words,
    }


# --- several at once ------------------------------------------------------------------------


@bp.post("/replay")
def replay_ticked() -> ResponseReturnValue:
    ticked = {"event_ids": request.form.getlist("event_id")}
    values = query_of(InboxQuery).as_values()
    found = service.replay(g.actor, read_values(TickedForm, ticked).event_ids)
    _say_replayed(found)
    return see_other(".index", **values)


@dataclass(frozen=True, slots=True)
class Condition:
    label: str
    value: str


@bp.get("/replay")
def ask() -> ResponseReturnValue:
    """How many a replay would take; nothing is changed."""
    query = query_of(InboxQuery)
    stretch = queries.measure_replay(g.actor, query.wanted(), most=REPLAY_LIMIT + 1)
    return render_template(
        "ops/inbox/ask.html",
        stretch=stretch,
        limit=REPLAY_LIMIT,
        values=query.as_values(),
        conditions=_conditions(query.as_values()),
    )


def _conditions(values: Mapping[str, str]) -> list[Condition]:
    labels = {
        "account": "账号",
        "state": "状态",
        "event": "事件",
        "since": "从",
        "until": "到",
    }
    shown = dict(values)
    if "state" in shown:
        shown["state"] = words.STATES[InboxState(shown["state"])][0]
    for moment in ("since", "until"):
        if moment in shown:
            shown[moment] = shown[moment].replace("T", " ")
    return [Condition(labels[key], value) for key, value in shown.items()]


@bp.post("/replay-all")
def replay_all() -> ResponseReturnValue:
    form = form_of(ReplayAllForm)
    with sentences():
        _say_replayed(service.replay_all(g.actor, form.wanted(form.last_id)))
    return see_other(".index", **form.as_values())


def _say_replayed(found: int) -> None:
    if found:
        flash(f"{found} 条回调已重新排队", "ok")
    else:
        flash("没有可以重放的回调，请先勾选，或换一个筛选条件", "info")
