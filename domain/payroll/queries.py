"""What can be asked of payrolls: finished rows for the desk and for the employee."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, func, not_, or_, select

from core.clock import utc_now
from core.db import reading
from core.money import Fen
from core.paging import PAGE_SIZE, Page, page_of
from core.security import unseal
from domain.audit.refusals import strangers_noted
from domain.directory.access import Actor, Permission
from domain.directory.models import Employee, Org, User
from domain.payroll import slips
from domain.payroll.errors import BatchNotYours, PayslipNotYours
from domain.payroll.models import (
    SLIP,
    BatchStatus,
    HeldRow,
    HeldStatus,
    PayrollBatch,
    Payslip,
    PayslipQuestion,
    QuestionStatus,
)
from domain.payroll.service import campaign_key, reading_progress, unseal_held
from domain.payroll.sheets import Column, Layout
from domain.payroll.sheets import HeldRow as HeldContent
from domain.payroll.slips import SlipContent
from domain.pushes.models import Campaign, Push, PushStatus
from domain.pushes.queries import PushCounts, count_campaign, reason_in_words

MOST_HELD_SHOWN = 200
REFUSED_SHOWN = timedelta(days=1)


# --- the desk -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchRow:
    id: int
    period: str
    status: BatchStatus
    file_name: str
    created_at: datetime
    published_at: datetime | None
    slips: int
    held: int
    read: int
    confirmed: int
    open_questions: int


@dataclass(frozen=True, slots=True)
class BatchDetail:
    """``rows_done`` and ``rows_total`` move while the sheet is being read."""

    row: BatchRow
    net_total_fen: Fen
    refusal_message: str
    warnings: tuple[str, ...]
    hidden_columns: tuple[str, ...]
    left_out: int
    rows_done: int
    rows_total: int
    pushes: PushCounts


@dataclass(frozen=True, slots=True)
class HeldView:
    """``summary`` is the columns that say where somebody works and what they get."""

    id: int
    content: HeldContent
    summary: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class LeftOutView:
    """A row that nobody gets, and who decided so."""

    held: HeldView
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class RecipientRow:
    payslip_id: int
    employee_id: int
    name: str
    department: str
    push_status: PushStatus | None
    push_reason: str
    read_at: datetime | None
    confirmed_at: datetime | None


class RecipientFilter(StrEnum):
    ALL = "all"
    UNREAD = "unread"
    UNCONFIRMED = "unconfirmed"
    UNDELIVERED = "undelivered"


def list_batches(
    actor: Actor, *, before: int | None = None, refused: bool = False
) -> Page[BatchRow]:
    """The newest first. Discarded ones are left out, and so are refused ones after a day: those
    are listed by themselves with ``refused``."""
    actor.require(Permission.PAYROLL_READ)
    query = _batches(actor).where(
        _is_put_away()
        if refused
        else and_(PayrollBatch.status != BatchStatus.DISCARDED, not_(_is_put_away()))
    )
    if before is not None:
        query = query.where(PayrollBatch.id < before)
    query = query.order_by(PayrollBatch.id.desc()).limit(PAGE_SIZE + 1)
    rows = [BatchRow(*row) for row in reading().execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


def count_refused(actor: Actor) -> int:
    """The refused ones that the list no longer shows."""
    actor.require(Permission.PAYROLL_READ)
    query = select(func.count(PayrollBatch.id)).where(PayrollBatch.visible_to(actor))
    return reading().scalar(query.where(_is_put_away())) or 0


def _is_put_away() -> ColumnElement[bool]:
    return and_(
        PayrollBatch.status == BatchStatus.REFUSED,
        PayrollBatch.created_at < utc_now() - REFUSED_SHOWN,
    )


@strangers_noted
def get_batch(actor: Actor, batch_id: int) -> BatchDetail:
    actor.require(Permission.PAYROLL_READ)
    query = _batches(actor).add_columns(
        PayrollBatch.net_total_fen,
        PayrollBatch.refusal_message,
        PayrollBatch.warnings,
        PayrollBatch.hidden_columns,
        _count_held(HeldStatus.LEFT_OUT),
    )
    row = reading().execute(query.where(PayrollBatch.id == batch_id)).one_or_none()
    if row is None:
        raise BatchNotYours(PayrollBatch, batch_id)
    *columns, net_total_fen, refusal, warnings, hidden, left_out = row
    done, total = reading_progress(batch_id)
    return BatchDetail(
        row=BatchRow(*columns),
        net_total_fen=net_total_fen,
        refusal_message=refusal or "",
        warnings=tuple(warning["message"] for warning in warnings),
        hidden_columns=tuple(hidden),
        left_out=left_out,
        rows_done=done,
        rows_total=total,
        pushes=count_campaign(campaign_key(batch_id)),
    )


def _batches(actor: Actor) -> Select[Any]:
    def count_slips(*conditions: Any) -> Any:
        query = select(func.count(Payslip.id)).where(Payslip.batch_id == PayrollBatch.id)
        return query.where(*conditions).correlate(PayrollBatch).scalar_subquery()

    questions = (
        select(func.count(PayslipQuestion.id))
        .join(Payslip, Payslip.id == PayslipQuestion.payslip_id)
        .where(Payslip.batch_id == PayrollBatch.id, PayslipQuestion.status == QuestionStatus.OPEN)
        .correlate(PayrollBatch)
        .scalar_subquery()
    )
    return select(
        PayrollBatch.id,
        PayrollBatch.period,
        PayrollBatch.status,
        PayrollBatch.file_name,
        PayrollBatch.created_at,
        PayrollBatch.published_at,
        count_slips(),
        _count_held(HeldStatus.HELD),
        count_slips(Payslip.read_at.is_not(None)),
        count_slips(Payslip.confirmed_at.is_not(None)),
        questions,
    ).where(PayrollBatch.visible_to(actor))


def _count_held(status: HeldStatus) -> ScalarSelect[int]:
    return (
        select(func.count(HeldRow.id))
        .where(HeldRow.batch_id == PayrollBatch.id, HeldRow.status == status)
        .correlate(PayrollBatch)
        .scalar_subquery()
    )


def list_held(actor: Actor, batch_id: int) -> list[HeldView]:
    """The rows that still wait, in the order of the sheet (the first 200)."""
    actor.require(Permission.PAYROLL_READ)
    return [view for view, _ in _held_rows(actor, batch_id, HeldStatus.HELD)]


def list_left_out(actor: Actor, batch_id: int) -> list[LeftOutView]:
    """The rows left out, in the order of the sheet (the first 200)."""
    actor.require(Permission.PAYROLL_READ)
    return [
        LeftOutView(view, row.name or "", row.decided_at)
        for view, row in _held_rows(actor, batch_id, HeldStatus.LEFT_OUT)
    ]


def _held_rows(
    actor: Actor, batch_id: int, status: HeldStatus
) -> Iterator[tuple[HeldView, Row[Any]]]:
    stored = reading().scalar(
        select(PayrollBatch.layout).where(
            PayrollBatch.id == batch_id, PayrollBatch.visible_to(actor)
        )
    )
    parts = Layout.from_dict(stored).parts if stored else ()
    summaries = [
        tuple(column for column in part.columns if column.role == "dept" or column.is_money)
        for part in parts
    ]
    query = (
        select(HeldRow.id, HeldRow.content_sealed, HeldRow.decided_at, User.name)
        .outerjoin(User, User.id == HeldRow.decided_by)
        .where(HeldRow.batch_id == batch_id, HeldRow.visible_to(actor), HeldRow.status == status)
        .order_by(HeldRow.id)
        .limit(MOST_HELD_SHOWN)
    )
    for row in reading().execute(query):
        content = unseal_held(row.content_sealed)
        yield HeldView(row.id, content, summaries[content.layout]), row


def names_of_candidates(actor: Actor, emp_ids: Sequence[str]) -> dict[str, str]:
    """emp_id → ``姓名 · 部门 · 工号``, for the choices beside a held row."""
    actor.require(Permission.ROSTER_READ)
    query = select(Employee.emp_id, Employee.name, Employee.department, Employee.emp_no).where(
        Employee.visible_to(actor), Employee.emp_id.in_(emp_ids)
    )
    return {
        row.emp_id: " · ".join(filter(None, (row.name, row.department, row.emp_no or row.emp_id)))
        for row in reading().execute(query)
    }


def list_recipients(
    actor: Actor,
    batch_id: int,
    *,
    only: RecipientFilter = RecipientFilter.ALL,
    name: str = "",
    after: int = 0,
) -> Page[RecipientRow]:
    """In the order of the sheet; ``name`` narrows them to names that begin so."""
    actor.require(Permission.PAYROLL_READ)
    published = select(Campaign.id).where(Campaign.key == campaign_key(batch_id))
    query = (
        select(
            Payslip.id,
            Payslip.employee_id,
            Employee.name,
            Employee.department,
            Push.status,
            Push.reason,
            Payslip.read_at,
            Payslip.confirmed_at,
        )
        .join(Employee, Employee.id == Payslip.employee_id)
        .outerjoin(
            Push,
            and_(
                Push.campaign_id == published.scalar_subquery(),
                Push.employee_id == Payslip.employee_id,
            ),
        )
        .where(Payslip.batch_id == batch_id, Payslip.visible_to(actor), Payslip.id > after)
        .order_by(Payslip.id)
        .limit(PAGE_SIZE + 1)
    )
    if name:
        query = query.where(Employee.name.startswith(name, autoescape=True))
    match only:
        case RecipientFilter.UNREAD:
            query = query.where(Payslip.read_at.is_(None))
        case RecipientFilter.UNCONFIRMED:
            query = query.where(Payslip.confirmed_at.is_(None))
        case RecipientFilter.UNDELIVERED:
            query = query.where(or_(Push.id.is_(None), Push.status != PushStatus.DELIVERED))
    rows = [
        RecipientRow(
            payslip_id=row[0],
            employee_id=row[1],
            name=row[2],
            department=row[3],
            push_status=row[4],
            push_reason=reason_in_words(row[5]),
            read_at=row[6],
            confirmed_at=row[7],
        )
        for row in reading().execute(query)
    ]
    return page_of(rows, PAGE_SIZE, lambda row: row.payslip_id)


# --- slips ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PayslipRow:
    """One line of an employee's list."""

    id: int
    period: str
    enterprise: str
    net_fen: Fen
    published_at: datetime
    read_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PayslipView:
    """One whole slip. ``published_at`` is None only in HR's preview of a draft."""

    id: int
    batch_id: int
    period: str
    enterprise: str
    employee_name: str
    content: SlipContent
    published_at: datetime | None
    read_at: datetime | None
    confirmed_at: datetime | None


def list_own_years(actor: Actor) -> list[int]:
    """Years with slips, the newest first."""
    query = (
        select(PayrollBatch.period)
        .distinct()
        .join(Payslip, Payslip.batch_id == PayrollBatch.id)
        .where(Payslip.employee_id.in_(actor.employee_ids), Payslip.published_at.is_not(None))
    )
    return sorted({int(period[:4]) for period in reading().scalars(query)}, reverse=True)


def list_own_payslips(actor: Actor, year: int) -> list[PayslipRow]:
    """One's own slips of a year, the newest first."""
    query = (
        select(
            Payslip.id,
            PayrollBatch.period,
            Org.name,
            Payslip.content_sealed,
            Payslip.published_at,
            Payslip.read_at,
            Payslip.confirmed_at,
        )
        .join(PayrollBatch, PayrollBatch.id == Payslip.batch_id)
        .join(Org, Org.org_path == Payslip.org_path)
        .where(
            Payslip.employee_id.in_(actor.employee_ids),
            Payslip.published_at.is_not(None),
            PayrollBatch.period.startswith(f"{year:04d}-", autoescape=True),
        )
        .order_by(PayrollBatch.period.desc(), Payslip.id.desc())
    )
    return [
        PayslipRow(
            id=row.id,
            period=row.period,
            enterprise=row.name,
            net_fen=slips.unpack_net(unseal(SLIP, row.content_sealed)),
            published_at=row.published_at,
            read_at=row.read_at,
            confirmed_at=row.confirmed_at,
        )
        for row in reading().execute(query)
    ]


@strangers_noted
def get_own_payslip(actor: Actor, payslip_id: int) -> PayslipView:
    """The slip's content, for a view that has opened it (``viewing.open_payslip``)."""
    return _get_slip(
        payslip_id,
        _slips().where(
            Payslip.employee_id.in_(actor.employee_ids),
            Payslip.published_at.is_not(None),
        ),
    )


@strangers_noted
def get_payslip_for_hr(actor: Actor, payslip_id: int) -> PayslipView:
    """As its employee sees it, for a view that has noted the look (``look_at_payslip``)."""
    actor.require(Permission.PAYROLL_READ)
    return _get_slip(payslip_id, _slips().where(Payslip.visible_to(actor)))


def _slips() -> Select[Any]:
    return (
        select(
            Payslip.id,
            Payslip.batch_id,
            PayrollBatch.period,
            Org.name,
            Employee.name,
            Payslip.content_sealed,
            Payslip.published_at,
            Payslip.read_at,
            Payslip.confirmed_at,
        )
        .join(PayrollBatch, PayrollBatch.id == Payslip.batch_id)
        .join(Employee, Employee.id == Payslip.employee_id)
        .join(Org, Org.org_path == Payslip.org_path)
    )


def _get_slip(payslip_id: int, query: Select[Any]) -> PayslipView:
    row = reading().execute(query.where(Payslip.id == payslip_id)).one_or_none()
    if row is None:
        raise PayslipNotYours(Payslip, payslip_id)
    return PayslipView(
        id=row[0],
        batch_id=row[1],
        period=row[2],
        enterprise=row[3],
        employee_name=row[4],
        content=slips.unpack(unseal(SLIP, row[5])),
        published_at=row[6],
        read_at=row[7],
        confirmed_at=row[8],
    )
