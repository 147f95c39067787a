"""Payrolls: the list, the upload, and one page per batch that follows its state."""

from datetime import date, datetime
from typing import Annotated

from flask import flash, g, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator, Field

from channel.workbench.desk import Cursor, Form, desk_room, form_of, query_of, see_other, sentences
from channel.workbench.held import cards_of, lines_of
from core.clock import CHINA, business_date, utc_now
from core.errors import BadInput, Conflict
from core.settings import get_settings
from core.web import written_china_time
from domain.directory.access import Actor, Permission
from domain.payroll import service, viewing
from domain.payroll.errors import SheetUploadedAlready
from domain.payroll.models import BatchStatus
from domain.payroll.policy import period_in_words
from domain.payroll.queries import (
    BatchDetail,
    RecipientFilter,
    count_refused,
    get_batch,
    get_payslip_for_hr,
    list_batches,
    list_held,
    list_left_out,
    list_recipients,
    names_of_candidates,
)
from domain.payroll.service import campaign_key
from domain.pushes.queries import has_moving, list_campaigns_about

bp = desk_room("payroll", "/payroll")

ENDINGS = ".xlsx,.xls,.csv"
MONTHS_OFFERED = 15
FILTERS = (
    (RecipientFilter.ALL, "全部"),
    (RecipientFilter.UNDELIVERED, "未送达"),
    (RecipientFilter.UNREAD, "未读"),
    (RecipientFilter.UNCONFIRMED, "未确认"),
)


class BatchesQuery(Form):
    before: Cursor | None = None
    refused: bool = False


class UploadForm(Form):
    period: str = Field(default="", max_length=20)


class PublishForm(Form):
    """``notice_at`` is what a clock in China shows; without it the notice goes out at once."""

    notice_at: Annotated[datetime | None, BeforeValidator(lambda text: text or None)] = None
    is_gradual: bool = False

    @property
    def starts_at(self) -> datetime | None:
        return self.notice_at.replace(tzinfo=CHINA) if self.notice_at else None


class RecipientsQuery(Form):
    only: RecipientFilter = RecipientFilter.ALL
    name: str = Field(default="", max_length=50)
    after: Cursor = 0


@bp.get("")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    query = query_of(BatchesQuery)
    return render_template(
        "hr/payroll/index.html",
        page=list_batches(actor, before=query.before, refused=query.refused),
        query=query,
        refused_count=count_refused(actor),
        may_upload=actor.may(Permission.PAYROLL_UPLOAD),
    )


# --- upload ---------------------------------------------------------------------------------


@bp.get("/new")
def new() -> ResponseReturnValue:
    g.actor.require(Permission.PAYROLL_UPLOAD)
    return _upload_page(None)


@bp.post("/new")
def upload() -> ResponseReturnValue:
    g.actor.require(Permission.PAYROLL_UPLOAD)
    form = form_of(UploadForm)
    sheet = request.files.get("sheet")
    content, name = (sheet.read(), sheet.filename or "") if sheet else (b"", "")
    try:
        batch = service.upload_sheet(g.actor, content, name, form.period)
    except (BadInput, Conflict) as refusal:
        return _upload_page(refusal, form.period), refusal.status
    return see_other(".batch", batch_id=batch.id)


def _upload_page(refusal: BadInput | Conflict | None, period: str = "") -> str:
    twin = refusal.fields["batch_id"] if isinstance(refusal, SheetUploadedAlready) else None
    return render_template(
        "hr/payroll/new.html",
        refusal=refusal,
        twin_url=url_for(".batch", batch_id=twin) if twin else "",
        months=[("", "按表里写的月份"), *months_offered(business_date())],
        period=period,
        endings=ENDINGS,
        max_bytes=get_settings().upload_limit_bytes,
    )


def months_offered(today: date) -> list[tuple[str, str]]:
    """This month and those before it, the newest first."""
    newest = today.year * 12 + today.month - 1
    periods = [f"{n // 12}-{n % 12 + 1:02d}" for n in range(newest, newest - MONTHS_OFFERED, -1)]
    return [(period, period_in_words(period)) for period in periods]


# --- one batch ------------------------------------------------------------------------------


@bp.get("/<int:batch_id>")
def batch(batch_id: int) -> ResponseReturnValue:
    return render_template("hr/payroll/batch.html", **_batch_page(get_batch(g.actor, batch_id)))


@bp.get("/<int:batch_id>/progress")
def progress(batch_id: int) -> ResponseReturnValue:
    """Asked every second while a sheet is read; then the page becomes the review."""
    detail = get_batch(g.actor, batch_id)
    if detail.row.status is BatchStatus.READING:
        return render_template("hr/payroll/_progress.html", batch=detail)
    answer = make_response(
        render_template("hr/payroll/_batch.html", is_fresh=True, **_batch_page(detail))
    )
    answer.headers.update({"HX-Retarget": "#main", "HX-Reswap": "innerHTML"})
    return answer


@bp.get("/<int:batch_id>/figures")
def figures(batch_id: int) -> ResponseReturnValue:
    """The moving numbers. When they have come to rest, the recipients below are asked once."""
    detail = get_batch(g.actor, batch_id)
    values = _notices(detail)
    page = render_template("hr/payroll/_figures.html", batch=detail, **values)
    has_settled = "moving" in request.args and not values["is_moving"]
    return (page, {"HX-Trigger": "settled"}) if has_settled else page


def _batch_page(detail: BatchDetail) -> dict[str, object]:
    actor: Actor = g.actor
    values: dict[str, object] = {"batch": detail}
    if detail.row.status is BatchStatus.DRAFT:
        held = list_held(actor, detail.row.id)
        candidates = {emp_id for view in held for emp_id in view.content.candidates}
        values |= {
            "held": cards_of(held, names_of_candidates(actor, sorted(candidates))),
            "left_out": lines_of(list_left_out(actor, detail.row.id)) if detail.left_out else [],
            "months": months_offered(business_date()),
            "may_publish": actor.may(Permission.PAYROLL_PUBLISH),
            "earliest": utc_now().astimezone(CHINA).strftime("%Y-%m-%dT%H:%M"),
        }
    if detail.row.status is BatchStatus.PUBLISHED:
        values |= _recipients(detail.row.id)
        values |= _notices(detail)
        values |= _reminder(actor, detail)
    return values


def _reminder(actor: Actor, detail: BatchDetail) -> dict[str, object]:
    """Whether those who have not read may be reminded now, or why not yet."""
    row = detail.row
    if row.read >= row.slips or not actor.may(Permission.PUSHES_CONTROL):
        return {"may_remind": False, "not_yet": ""}
    refusal = service.find_reminder_refusal(actor, row.id, row.published_at)
    return {"may_remind": refusal is None, "not_yet": refusal.sentence if refusal else ""}


def _notices(detail: BatchDetail) -> dict[str, object]:
    """The campaign that told of the batch, and the reminders that followed it."""
    campaigns = list_campaigns_about(g.actor, campaign_key(detail.row.id))
    told = campaigns[0] if campaigns else None
    return {
        "told": told,
        "reminders": campaigns[1:],
        "is_moving": told is not None and has_moving(told, detail.pushes),
    }


def _recipients(batch_id: int) -> dict[str, object]:
    query = query_of(RecipientsQuery)
    return {
        "recipients": list_recipients(
            g.actor, batch_id, only=query.only, name=query.name, after=query.after
        ),
        "query": query,
        "filters": FILTERS,
    }


@bp.post("/<int:batch_id>/period")
def set_period(batch_id: int) -> ResponseReturnValue:
    with sentences():
        service.set_period(g.actor, batch_id, form_of(UploadForm).period)
        flash("月份已保存", "ok")
    return see_other(".batch", batch_id=batch_id)


@bp.post("/<int:batch_id>/publish")
def publish(batch_id: int) -> ResponseReturnValue:
    with sentences():
        form = form_of(PublishForm)
        service.publish_batch(
            g.actor, batch_id, starts_at=form.starts_at, is_gradual=form.is_gradual
        )
        later = written_china_time(form.starts_at)
        flash(
            f"已发布，员工现在就能查看；通知定在 {later} 发出" if later else "已发布，通知正在发出",
            "ok",
        )
    return see_other(".batch", batch_id=batch_id)


@bp.post("/<int:batch_id>/remind")
def remind(batch_id: int) -> ResponseReturnValue:
    with sentences():
        service.remind_unread(g.actor, batch_id)
        flash("正在提醒还没有查看的员工", "ok")
    return see_other(".batch", batch_id=batch_id)


@bp.post("/<int:batch_id>/discard")
def discard(batch_id: int) -> ResponseReturnValue:
    with sentences():
        service.discard_batch(g.actor, batch_id)
        flash("这一批已放弃，员工没有收到任何消息；同一个文件可以重新上传", "ok")
    return see_other(".index")


# --- slips ----------------------------------------------------------------------------------


@bp.get("/<int:batch_id>/slips")
def slips(batch_id: int) -> ResponseReturnValue:
    """Whose slips a draft holds, to look at one as that employee will see it."""
    detail = get_batch(g.actor, batch_id)
    return render_template("hr/payroll/slips.html", batch=detail, **_recipients(batch_id))


@bp.get("/slips/<int:payslip_id>")
def payslip(payslip_id: int) -> ResponseReturnValue:
    viewing.look_at_payslip(g.actor, payslip_id)
    return render_template("hr/payroll/payslip.html", slip=get_payslip_for_hr(g.actor, payslip_id))
