"""What HR can do with payrolls: upload, have read, correct, publish."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.clock import business_date, utc_now
from core.db import after_commit, reading, transaction
from core.errors import Conflict
from core.files import files
from core.log import logger
from core.money import Fen
from core.queues import Job, QueueName, enqueue_after_commit
from core.redis import PREFIX, redis
from core.security import seal, unseal
from core.settings import get_settings
from domain.audit import service as audit
from domain.audit.refusals import strangers_noted
from domain.directory.access import Actor, Permission
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.channel_accounts import official_account_for
from domain.directory.errors import AccountUnknown
from domain.directory.models import PERSONAL, Employee
from domain.directory.policy import is_employed
from domain.directory.queries import name_of_org
from domain.payroll import policy, slips
from domain.payroll.errors import (
    BatchAlreadyPublished,
    BatchNotDraft,
    BatchNotPublished,
    BatchNotYours,
    EmployeeHasSlip,
    EmployeeNotOnRoster,
    NothingToPublish,
    NoticesNotOpen,
    NoticeTimeWrong,
    NoticeUnderWay,
    PeriodMissing,
    RemindedLately,
    RowDecided,
    RowNotYours,
    RowsStillHeld,
    SheetUploadedAlready,
    UploadBlank,
    UploadEmpty,
    UploadTooLarge,
)
from domain.payroll.models import (
    HELD,
    SLIP,
    BatchStatus,
    HeldRow,
    HeldStatus,
    PayrollBatch,
    Payslip,
)
from domain.payroll.sheets import (
    AcceptedRow,
    Layout,
    Roster,
    RosterEntry,
    SheetReport,
    check_sheet,
    recheck,
)
from domain.payroll.sheets import HeldRow as HeldContent
from domain.pushes.audiences import audience
from domain.pushes.campaigns import OPEN, NewCampaign, request_campaign
from domain.pushes.models import Campaign, CampaignStatus, MessageKind, Push
from domain.pushes.queries import about, told_since

# Who a campaign is for; the names stand in campaigns and may not change.
PAYSLIPS, UNREAD_PAYSLIPS = "payslips", "unread-payslips"
REMIND_AFTER = timedelta(hours=12)
ALIVE = frozenset({CampaignStatus.RUNNING, CampaignStatus.PAUSED})
# A notice of a published slip that comes later than this is not news any more.
NOTICE_WITHIN = timedelta(days=7)

BULK = 1000
PROGRESS_SECONDS = 3600
LONGEST_FILE_NAME = 200
READING_LIFE = timedelta(minutes=15)
READ_FAILED = "READ_FAILED"
READ_FAILED_MESSAGE = "读取“{file}”时出了问题，系统已记录。请稍后重新上传；还不行请把文件发给银行"


# --- upload and reading ---------------------------------------------------------------------


def upload_sheet(actor: Actor, content: bytes, file_name: str, period: str = "") -> PayrollBatch:
    """Take a sheet in; a job reads it. The same file comes in once while its batch is alive."""
    actor.require(Permission.PAYROLL_UPLOAD)
    _refuse_size(content, file_name)
    digest = hashlib.sha256(actor.org_path.encode() + b"\0" + content).hexdigest()
    if twin := _find_twin(actor, digest):
        raise SheetUploadedAlready(batch_id=twin)
    file_key = files().put(content, kind="payroll")
    try:
        return _add_batch(actor, content, file_name, file_key, digest, period)
    except IntegrityError as error:
        # The same file came in twice at once; the unique key has the last word.
        files().delete(file_key)
        raise SheetUploadedAlready(batch_id=_find_twin(actor, digest)) from error


def _add_batch(
    actor: Actor, content: bytes, file_name: str, file_key: str, digest: str, period: str
) -> PayrollBatch:
    with transaction() as session:
        batch = PayrollBatch(
            org_path=actor.org_path,
            period=policy.plain_period(period),
            status=BatchStatus.READING,
            file_name=file_name[-LONGEST_FILE_NAME:],
            file_key=file_key,
            upload_key=digest,
            created_at=utc_now(),
            created_by=actor.id,
        )
        session.add(batch)
        audit.record(session, actor, "payroll.batch.uploaded", batch, bytes=len(content))
        enqueue_after_commit(QueueName.PAYROLL, Job.READ_PAYROLL_SHEET, batch.id)
    return batch


def _refuse_size(content: bytes, file_name: str) -> None:
    limit = get_settings().upload_limit_bytes
    if not content and not file_name:
        raise UploadEmpty
    if not content:
        raise UploadBlank(file=file_name[-LONGEST_FILE_NAME:])
    if len(content) > limit:
        raise UploadTooLarge(megabytes=limit // 1024 // 1024)


def _find_twin(actor: Actor, upload_key: str) -> int | None:
    return reading().scalar(
        select(PayrollBatch.id).where(
            PayrollBatch.upload_key == upload_key, PayrollBatch.visible_to(actor)
        )
    )


def read_sheet(batch_id: int) -> None:
    """Read an uploaded sheet against the roster and store all of it, or nothing. May run twice."""
    batch = reading().get(PayrollBatch, batch_id)
    if batch is None or batch.status is not BatchStatus.READING:
        return
    org_path, file_name, period = batch.org_path, batch.file_name, batch.period
    content = files().get(batch.file_key)
    roster, ids = roster_of(reading(), org_path)
    report = check_sheet(
        content,
        file_name,
        roster,
        period=period or None,
        on_progress=lambda done, total: note_progress(batch_id, done, total),
    )
    with transaction() as session:
        batch = _batch_for_update(session, batch_id)
        if batch.status is not BatchStatus.READING:
            return
        if report.refused:
            _refuse(batch, report.refused.code, f"“{file_name}”：{report.refused.message}")
        else:
            _store(session, batch, report, ids)
        audit.record(
            session,
            Actor.system(),
            "payroll.batch.read",
            batch,
            accepted=len(report.accepted),
            held=len(report.held),
        )
    logger.info(
        "payroll sheet read",
        extra={"batch_id": batch_id, "accepted": len(report.accepted), "held": len(report.held)},
    )


def give_up_reading(batch_id: int) -> None:
    """After an unexpected failure: say so on the batch instead of leaving it turning for ever."""
    with transaction() as session:
        batch = _batch_for_update(session, batch_id)
        if batch.status is BatchStatus.READING:
            _refuse(batch, READ_FAILED, READ_FAILED_MESSAGE.format(file=batch.file_name))


def sweep_readings() -> int:
    """Batches whose reading was lost with its worker or with Redis are given up in words."""
    query = select(PayrollBatch.id).where(
        PayrollBatch.status == BatchStatus.READING,
        PayrollBatch.created_at < utc_now() - READING_LIFE,
    )
    lost = reading().scalars(query).all()
    for batch_id in lost:
        give_up_reading(batch_id)
    return len(lost)


def _refuse(batch: PayrollBatch, code: str, message: str) -> None:
    batch.status = BatchStatus.REFUSED
    batch.refusal_code, batch.refusal_message = code, message
    _forget_file(batch)


def _forget_file(batch: PayrollBatch) -> None:
    """Nobody needs this file any more, and it holds pay; it may be uploaded again."""
    file_key, batch.upload_key = batch.file_key, None
    after_commit(lambda: files().delete(file_key))


def _store(
    session: Session, batch: PayrollBatch, report: SheetReport, ids: Mapping[str, int]
) -> None:
    batch.status = BatchStatus.DRAFT
    batch.period = batch.period or report.period or ""
    batch.layout = report.layout.to_dict()
    batch.hidden_columns = list(report.hidden_columns)
    batch.warnings = [asdict(notice) for notice in report.warnings]
    batch.net_total_fen = Fen(sum(row.net_fen for row in report.accepted))
    owner = {"org_path": batch.org_path, "batch_id": batch.id}
    _insert_all(
        session,
        Payslip,
        [
            owner
            | {
                "employee_id": ids[row.employee_id],
                "content_sealed": seal(SLIP, slips.pack(row)),
            }
            for row in report.accepted
        ],
    )
    _insert_all(
        session,
        HeldRow,
        [
            owner | {"status": HeldStatus.HELD, "content_sealed": _seal_held(held)}
            for held in report.held
        ],
    )


def _insert_all(
    session: Session, model: type[Payslip | HeldRow], rows: Sequence[dict[str, object]]
) -> None:
    for start in range(0, len(rows), BULK):
        session.execute(insert(model), rows[start : start + BULK])


def _seal_held(held: HeldContent) -> str:
    return seal(HELD, json.dumps(held.to_dict(), ensure_ascii=False))


def unseal_held(sealed: str) -> HeldContent:
    return HeldContent.from_dict(json.loads(unseal(HELD, sealed)))


def roster_of(session: Session, org_path: str) -> tuple[Roster, dict[str, int]]:
    """Everybody ever on an enterprise's roster, as the sheet reader wants them, and their ids."""
    today = business_date()
    rows = session.execute(
        select(
            Employee.id,
            Employee.emp_id,
            Employee.emp_no,
            Employee.name,
            Employee.department,
            Employee.personal_sealed,
            Employee.joined_on,
            Employee.left_on,
        ).where(Employee.org_path == org_path)
    ).all()
    entries = [
        RosterEntry(
            emp_id=row.emp_id,
            emp_no=row.emp_no,
            name=row.name,
            dept=row.department,
            status="在职" if is_employed(row.joined_on, row.left_on, today) else "离职",
            joined_on=row.joined_on,
            left_on=row.left_on,
            **json.loads(unseal(PERSONAL, row.personal_sealed)),
        )
        for row in rows
    ]
    return Roster(entries), {row.emp_id: row.id for row in rows}


def note_progress(batch_id: int, done: int, total: int) -> None:
    redis().set(_progress_key(batch_id), f"{done}/{total}", ex=PROGRESS_SECONDS)


def reading_progress(batch_id: int) -> tuple[int, int]:
    """Rows done and rows in all; (0, 0) while nothing is known yet."""
    done, _, total = str(redis().get(_progress_key(batch_id)) or "0/0").partition("/")
    return int(done), int(total)


def _progress_key(batch_id: int) -> str:
    return f"{PREFIX}payroll:progress:{batch_id}"


# --- correcting a draft ---------------------------------------------------------------------


@strangers_noted
def settle_row(
    actor: Actor, held_id: int, cells: Mapping[str, str], *, emp_id: str | None = None
) -> HeldContent | None:
    """HR corrected cells, or said whose row it is. None when it became a payslip; otherwise
    what still stands against it."""
    actor.require(Permission.PAYROLL_UPLOAD)
    with transaction() as session:
        held, batch = _held_for_update(session, actor, held_id)
        roster, ids = roster_of(session, batch.org_path)
        if emp_id is not None and emp_id not in ids:
            raise EmployeeNotOnRoster
        outcome = recheck(
            unseal_held(held.content_sealed),
            cells,
            Layout.from_dict(batch.layout),
            roster,
            employee_id=emp_id,
        )
        if not isinstance(outcome, AcceptedRow):
            held.content_sealed = _seal_held(outcome)
            audit.record(session, actor, "payroll.row.corrected", held, batch=batch.id)
            return outcome
        _add_slip(session, batch, ids[outcome.employee_id], outcome)
        _decide(held, actor, HeldStatus.SETTLED)
        audit.record(session, actor, "payroll.row.settled", held, batch=batch.id)
    return None


@strangers_noted
def leave_out(actor: Actor, held_id: int) -> None:
    """This row gets no payslip, by a person's decision."""
    actor.require(Permission.PAYROLL_UPLOAD)
    with transaction() as session:
        held, batch = _held_for_update(session, actor, held_id)
        _decide(held, actor, HeldStatus.LEFT_OUT)
        audit.record(session, actor, "payroll.row.left_out", held, batch=batch.id)


@strangers_noted
def restore_row(actor: Actor, held_id: int) -> None:
    """A row that was left out waits for a decision again."""
    actor.require(Permission.PAYROLL_UPLOAD)
    with transaction() as session:
        held, batch = _held_for_update(session, actor, held_id, HeldStatus.LEFT_OUT)
        held.status, held.decided_at, held.decided_by = HeldStatus.HELD, None, None
        audit.record(session, actor, "payroll.row.restored", held, batch=batch.id)


@strangers_noted
def set_period(actor: Actor, batch_id: int, period: str) -> None:
    actor.require(Permission.PAYROLL_UPLOAD)
    plain = policy.plain_period(period)
    if not plain:
        raise PeriodMissing
    with transaction() as session:
        batch = _own_batch_for_update(session, actor, batch_id)
        _refuse_unless_draft(batch)
        batch.period = plain
        audit.record(session, actor, "payroll.batch.period_set", batch)


@strangers_noted
def discard_batch(actor: Actor, batch_id: int) -> None:
    """Throw a draft away with all its slips; its file may be uploaded again."""
    actor.require(Permission.PAYROLL_UPLOAD)
    with transaction() as session:
        batch = _own_batch_for_update(session, actor, batch_id)
        _refuse_unless_draft(batch)
        batch.status = BatchStatus.DISCARDED
        _forget_file(batch)
        session.execute(delete(Payslip).where(Payslip.batch_id == batch.id))
        session.execute(delete(HeldRow).where(HeldRow.batch_id == batch.id))
        audit.record(session, actor, "payroll.batch.discarded", batch)


def _held_for_update(
    session: Session, actor: Actor, held_id: int, status: HeldStatus = HeldStatus.HELD
) -> tuple[HeldRow, PayrollBatch]:
    held = session.scalar(
        select(HeldRow).where(HeldRow.id == held_id, HeldRow.visible_to(actor)).with_for_update()
    )
    if held is None:
        raise RowNotYours(HeldRow, held_id)
    batch = _own_batch_for_update(session, actor, held.batch_id)
    _refuse_unless_draft(batch)
    if held.status is not status:
        raise RowDecided
    return held, batch


def _decide(held: HeldRow, actor: Actor, status: HeldStatus) -> None:
    held.status, held.decided_at, held.decided_by = status, utc_now(), actor.id


def _add_slip(session: Session, batch: PayrollBatch, employee_id: int, row: AcceptedRow) -> None:
    other = session.scalar(
        select(Payslip.content_sealed).where(
            Payslip.batch_id == batch.id, Payslip.employee_id == employee_id
        )
    )
    if other is not None:
        source = slips.unpack(unseal(SLIP, other))
        raise EmployeeHasSlip(sheet=source.sheet, row=source.row)
    session.add(
        Payslip(
            org_path=batch.org_path,
            batch_id=batch.id,
            employee_id=employee_id,
            content_sealed=seal(SLIP, slips.pack(row)),
        )
    )
    batch.net_total_fen = Fen(batch.net_total_fen + row.net_fen)


# --- publishing -----------------------------------------------------------------------------


@strangers_noted
def publish_batch(
    actor: Actor, batch_id: int, *, starts_at: datetime | None = None, is_gradual: bool = False
) -> PayrollBatch:
    """Make a draft batch readable by its employees, at once, and push one notice to each: now or
    at ``starts_at``, to all or first to a few."""
    actor.require(Permission.PAYROLL_PUBLISH)
    if starts_at and not utc_now() < starts_at <= utc_now() + NOTICE_WITHIN:
        raise NoticeTimeWrong(days=NOTICE_WITHIN.days)
    account = account_for_notices(actor)
    with transaction() as session:
        batch = _own_batch_for_update(session, actor, batch_id)
        _refuse_unpublishable(session, batch)
        now = utc_now()
        rows = session.execute(
            select(Payslip.id, Payslip.employee_id, Payslip.content_sealed).where(
                Payslip.batch_id == batch.id
            )
        ).all()
        if not rows:
            raise NothingToPublish
        session.execute(
            update(Payslip).where(Payslip.batch_id == batch.id).values(published_at=now)
        )
        batch.status, batch.published_at = BatchStatus.PUBLISHED, now
        batch.published_by = actor.id
        batch.content_hash = slips.content_hash(
            (row.employee_id, unseal(SLIP, row.content_sealed)) for row in rows
        )
        request_campaign(
            session,
            NewCampaign(
                org_path=batch.org_path,
                channel_account_id=account.id,
                kind=MessageKind.PAYSLIP_READY,
                key=campaign_key(batch.id),
                params={"enterprise": name_of_org(session, batch.org_path), "period": batch.period},
                path="/me/payslips/{}",
                starts_at=starts_at,
                is_gradual=is_gradual,
                requested_by=actor.id,
            ),
            audience=PAYSLIPS,
            audience_id=batch.id,
        )
        audit.record(session, actor, "payroll.batch.published", batch, payslips=len(rows))
    return batch


def account_for_notices(actor: Actor) -> ChannelAccountCredentials:
    """The official account through which employees hear of it."""
    try:
        return official_account_for(actor.org_path)
    except AccountUnknown as error:
        raise NoticesNotOpen from error


def _refuse_unpublishable(session: Session, batch: PayrollBatch) -> None:
    if batch.status is BatchStatus.PUBLISHED:
        raise BatchAlreadyPublished
    _refuse_unless_draft(batch)
    held = session.scalar(
        select(func.count(HeldRow.id)).where(
            HeldRow.batch_id == batch.id, HeldRow.status == HeldStatus.HELD
        )
    )
    if held:
        raise RowsStillHeld(count=held)
    if not batch.period:
        raise PeriodMissing


def remind_unread(actor: Actor, batch_id: int) -> Campaign:
    """Tell once more those who have not opened their payslip, twice a day at most; each counts
    from when they were really told."""
    actor.require(Permission.PUSHES_CONTROL)
    account = account_for_notices(actor)
    with transaction() as session:
        batch = _own_batch_for_update(session, actor, batch_id)
        if batch.status is not BatchStatus.PUBLISHED:
            raise BatchNotPublished
        refusal = _reminder_refusal(session, batch.id, batch.published_at)
        if refusal:
            raise refusal
        reminders = len(_notices(session, batch.id, Campaign.key != campaign_key(batch.id)))
        campaign = request_campaign(
            session,
            NewCampaign(
                org_path=batch.org_path,
                channel_account_id=account.id,
                kind=MessageKind.PAYSLIP_REMINDER,
                key=f"{campaign_key(batch.id)}:reminder:{reminders + 1}",
                params={"enterprise": name_of_org(session, batch.org_path), "period": batch.period},
                path="/me/payslips/{}",
                requested_by=actor.id,
            ),
            audience=UNREAD_PAYSLIPS,
            audience_id=batch.id,
        )
        audit.record(session, actor, "payroll.batch.reminded", batch)
    return campaign


def find_reminder_refusal(
    actor: Actor, batch_id: int, published_at: datetime | None
) -> Conflict | None:
    """Why ``remind_unread`` would refuse now, for a caller to whom the batch was shown."""
    try:
        account_for_notices(actor)
    except NoticesNotOpen as refusal:
        return refusal
    return _reminder_refusal(reading(), batch_id, published_at)


def _reminder_refusal(
    session: Session, batch_id: int, published_at: datetime | None
) -> NoticeUnderWay | RemindedLately | None:
    """The notice may have been put off, or gone out bit by bit."""
    now = utc_now()
    notices = _notices(session, batch_id, Campaign.status != CampaignStatus.CANCELLED)
    said_at = max([published_at or now, *(one.starts_at for one in notices)])
    unread = _payslips(batch_id).where(Payslip.read_at.is_(None))
    has_some = session.scalar(select(_unread_payslips(batch_id).exists() | ~unread.exists()))
    if has_some and now - said_at >= REMIND_AFTER:
        return None
    if said_at > now or _is_under_way(session, batch_id, notices, unread):
        return NoticeUnderWay()
    if not has_some:
        said_at = max(said_at, _first_told(session, batch_id, unread))
    return RemindedLately(when=policy.moment_in_words(said_at + REMIND_AFTER, now))


def _notices(session: Session, batch_id: int, *which: Any) -> Sequence[Row[Any]]:
    """The campaign that told of the batch and its reminders."""
    columns = select(Campaign.starts_at, Campaign.status, Campaign.prepared_at)
    return session.execute(columns.where(about(campaign_key(batch_id)), *which)).all()


def _is_under_way(
    session: Session, batch_id: int, notices: Sequence[Row[Any]], unread: Select[Any]
) -> bool:
    """Whether somebody who has not read will still be told."""
    if any(one.prepared_at is None and one.status in ALIVE for one in notices):
        return True
    people = unread.with_only_columns(Payslip.employee_id)
    waiting = (
        select(Push.id)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .where(
            about(campaign_key(batch_id)),
            Push.status.in_(OPEN),
            Push.employee_id.in_(people),
        )
    )
    return bool(session.scalar(select(waiting.exists())))


def _first_told(session: Session, batch_id: int, unread: Select[Any]) -> datetime:
    """When the one of those who have not read was told whose last notice is the oldest."""
    last = (
        select(func.max(Push.sent_at).label("sent_at"))
        .join(Campaign, Campaign.id == Push.campaign_id)
        .where(
            about(campaign_key(batch_id)),
            Push.employee_id.in_(unread.with_only_columns(Payslip.employee_id)),
        )
        .group_by(Push.employee_id)
        .subquery()
    )
    first: datetime = session.execute(select(func.min(last.c.sent_at))).scalar_one()
    return first


def campaign_key(batch_id: int) -> str:
    return f"payroll:{batch_id}"


@audience(PAYSLIPS)
def _payslips(batch_id: int) -> Select[Any]:
    return select(Payslip.id.label("subject_id"), Payslip.employee_id).where(
        Payslip.batch_id == batch_id
    )


@audience(UNREAD_PAYSLIPS)
def _unread_payslips(batch_id: int) -> Select[Any]:
    """Without those who were told of it a short time ago, or are about to be."""
    told = told_since(campaign_key(batch_id), utc_now() - REMIND_AFTER)
    return _payslips(batch_id).where(Payslip.read_at.is_(None), Payslip.employee_id.not_in(told))


def _refuse_unless_draft(batch: PayrollBatch) -> None:
    if batch.status is not BatchStatus.DRAFT:
        raise BatchNotDraft


def _own_batch_for_update(session: Session, actor: Actor, batch_id: int) -> PayrollBatch:
    batch = session.scalar(
        select(PayrollBatch)
        .where(PayrollBatch.id == batch_id, PayrollBatch.visible_to(actor))
        .with_for_update()
    )
    if batch is None:
        raise BatchNotYours(PayrollBatch, batch_id)
    return batch


def _batch_for_update(session: Session, batch_id: int) -> PayrollBatch:
    return session.scalars(
        select(PayrollBatch).where(PayrollBatch.id == batch_id).with_for_update()
    ).one()
