"""Campaigns of messages: the list, and one page each to watch, control and explain it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import flash, g, render_template, url_for
from flask.typing import ResponseReturnValue

from channel.workbench.desk import Cursor, Form, desk_room, query_of, see_other, sentences
from core.clock import business_date, china_time, utc_now
from core.security import mask_name
from core.web import written_china_time
from domain.directory.access import Actor, Permission
from domain.payroll.policy import period_in_words
from domain.pushes import campaigns
from domain.pushes.models import MessageKind, Route
from domain.pushes.queries import (
    CampaignDetail,
    CampaignRow,
    PushCounts,
    PushFilter,
    PushRow,
    counts_of,
    get_campaign,
    list_campaigns,
    list_pushes,
)

bp = desk_room("pushes", "/pushes")

KINDS = {
    MessageKind.PAYSLIP_READY: "工资条通知",
    MessageKind.PAYSLIP_REMINDER: "工资条未读提醒",
    MessageKind.QUESTION_ANSWERED: "提问的回复",
}
ROUTES = {
    Route.TEMPLATE: "公众号",
    Route.MINIPROGRAM: "小程序",
    Route.WECOM: "企业微信",
    Route.SMS: "短信",
}
FILTERS = (
    (PushFilter.ALL, "全部"),
    (PushFilter.FAILED, "失败"),
    (PushFilter.WAITING, "等待"),
    (PushFilter.SENT, "没有回执"),
    (PushFilter.DELIVERED, "送达"),
    (PushFilter.CANCELLED, "已取消"),
)
# The people on the page are read again at most so often while the numbers move.
LISTED_FOR = timedelta(seconds=5)


class CampaignsQuery(Form):
    before: Cursor | None = None


class PeopleQuery(Form):
    only: PushFilter = PushFilter.ALL
    after: Cursor = 0


class FiguresQuery(Form):
    """What the page shows around the numbers: ``listed`` is how far its people were ``listed_at``,
    in seconds."""

    shown: str = ""
    listed: str = ""
    listed_at: float = 0


def title_of(row: CampaignRow) -> str:
    month = period_in_words(row.params.get("period", ""))
    return f"{month} {KINDS[row.kind]}".strip()


def time_left(seconds: int) -> str:
    """``约 3 分钟``: a guess, so no finer than it is true."""
    if seconds < 60:
        return "不到 1 分钟"
    minutes = round(timedelta(seconds=seconds) / timedelta(minutes=1))
    if minutes < 60:
        return f"约 {minutes} 分钟"
    return f"约 {minutes // 60} 小时 {minutes % 60} 分钟"


@bp.app_template_filter("coming_time")
def coming_time(instant: datetime, what: str = "") -> str:
    """When something goes on by itself: ``17:05 再发`` today, ``马上再发`` when that is over."""
    if instant <= utc_now():
        return f"马上{what}"
    is_today = business_date(instant) == business_date()
    at = f"{china_time(instant):%H:%M}" if is_today else written_china_time(instant)
    return f"{at} {what}".strip()


WORDS = {"title_of": title_of, "time_left": time_left, "route_words": ROUTES}


@bp.context_processor
def _words() -> dict[str, Any]:
    return WORDS


@bp.get("")
def index() -> ResponseReturnValue:
    query = query_of(CampaignsQuery)
    page = list_campaigns(g.actor, before=query.before)
    return render_template(
        "hr/pushes/index.html", page=page, query=query, counts=counts_of(page.rows)
    )


# --- one campaign ---------------------------------------------------------------------------


@bp.get("/<int:campaign_id>")
def campaign(campaign_id: int) -> ResponseReturnValue:
    actor: Actor = g.actor
    detail = get_campaign(actor, campaign_id)
    query = query_of(PeopleQuery)
    people = list_pushes(actor, campaign_id, only=query.only, after=query.after)
    return render_template(
        "hr/pushes/campaign.html",
        detail=detail,
        shown=_shown(detail),
        may_control=actor.may(Permission.PUSHES_CONTROL),
        people=replace(people, rows=_as_readable(actor, people.rows)),
        query=query,
        filters=_filters(detail.counts, query.only),
        listed=_listed(detail.counts),
        listed_at=utc_now(),
        again_url=url_for(
            ".campaign", campaign_id=campaign_id, only=query.only.value, after=query.after or None
        ),
    )


@bp.get("/<int:campaign_id>/figures")
def figures(campaign_id: int) -> ResponseReturnValue:
    """The moving numbers. When what stands around them is true no more, that is asked once."""
    detail = get_campaign(g.actor, campaign_id)
    query = query_of(FiguresQuery)
    shown = _shown(detail)
    page = render_template("hr/pushes/_figures.html", detail=detail, shown=shown)
    is_outdated = bool(query.shown) and query.shown != shown
    is_old = utc_now().timestamp() - query.listed_at >= LISTED_FOR.total_seconds()
    has_moved = bool(query.listed) and query.listed != _listed(detail.counts)
    return (page, {"HX-Trigger": "settled"}) if is_outdated or (has_moved and is_old) else page


def _filters(counts: PushCounts, chosen: PushFilter) -> list[tuple[PushFilter, str]]:
    """Nobody asks for the cancelled ones while there are none."""
    is_offered = bool(counts.cancelled) or chosen is PushFilter.CANCELLED
    return [one for one in FILTERS if is_offered or one[0] is not PushFilter.CANCELLED]


def _listed(counts: PushCounts) -> str:
    """Differs when the story of somebody went on."""
    marks = (counts.sent, counts.delivered, counts.failed, counts.cancelled, counts.sending)
    return "-".join(map(str, marks))


def _shown(detail: CampaignDetail) -> str:
    """Which buttons stand on the page, and whether its people are still on the move."""
    marks = (detail.is_moving, detail.can_resend)
    return "-".join([detail.row.phase, *(str(int(mark)) for mark in marks)])


def _as_readable(actor: Actor, rows: Sequence[PushRow]) -> Sequence[PushRow]:
    if actor.may(Permission.ROSTER_READ):
        return rows
    return [replace(row, name=mask_name(row.name)) for row in rows]


# --- control --------------------------------------------------------------------------------


@bp.post("/<int:campaign_id>/pause")
def pause(campaign_id: int) -> ResponseReturnValue:
    return _control(campaigns.pause, campaign_id, "已暂停，正在路上的几条还会发出")


@bp.post("/<int:campaign_id>/resume")
def resume(campaign_id: int) -> ResponseReturnValue:
    return _control(campaigns.resume, campaign_id, "已继续发送")


@bp.post("/<int:campaign_id>/cancel")
def cancel(campaign_id: int) -> ResponseReturnValue:
    return _control(campaigns.cancel, campaign_id, "已取消，还没有发的不会再发")


@bp.post("/<int:campaign_id>/resend")
def resend(campaign_id: int) -> ResponseReturnValue:
    return _control(campaigns.resend_failed, campaign_id, "正在重新发送给 {} 人")


def _control(
    act: Callable[[Actor, int], int | None], campaign_id: int, said: str
) -> ResponseReturnValue:
    with sentences():
        flash(said.format(act(g.actor, campaign_id)), "ok")
    return see_other(".campaign", campaign_id=campaign_id)
