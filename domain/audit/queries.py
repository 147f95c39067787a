"""Reading the audit trail, with the names of those it is about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from core.db import reading
from core.paging import PAGE_SIZE, Page, page_of
from domain.audit.models import AuditEvent
from domain.directory.access import Actor, ActorKind, Permission
from domain.directory.models import ChannelAccount, Employee, EmployeeBinding, Org, User
from domain.payroll.models import PayrollBatch, Payslip, PayslipQuestion

NAMED = {
    Org.__tablename__: Org.name,
    ChannelAccount.__tablename__: ChannelAccount.title,
    User.__tablename__: User.name,
}


@dataclass(frozen=True, slots=True)
class AuditSubject:
    """What a deed was about, as far as it is the reader's to know; ``employee`` is a person on the
    reader's own roster. Empty for what is gone or another organisation's."""

    name: str = ""
    employee: str = ""
    period: str = ""
    batch_id: int | None = None
    payslip_id: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """``actor_name`` is a user's or an employee's, empty for anybody outside."""

    id: int
    at: datetime
    actor_kind: ActorKind
    actor_name: str
    action: str
    subject: str
    subject_id: int
    about: AuditSubject
    details: dict[str, Any]


def list_events(actor: Actor, *, before: int | None = None) -> Page[AuditRow]:
    """The newest first."""
    actor.require(Permission.AUDIT_READ)
    query = (
        select(
            AuditEvent.id,
            AuditEvent.at,
            AuditEvent.actor_kind,
            AuditEvent.actor_id,
            AuditEvent.action,
            AuditEvent.subject,
            AuditEvent.subject_id,
            AuditEvent.details,
        )
        .where(AuditEvent.visible_to(actor))
        .order_by(AuditEvent.id.desc())
        .limit(PAGE_SIZE + 1)
    )
    if before is not None:
        query = query.where(AuditEvent.id < before)
    events = reading().execute(query).all()
    actors, subjects = _actors(actor, events), _subjects(actor, events)
    rows = [
        AuditRow(
            id=event.id,
            at=event.at,
            actor_kind=event.actor_kind,
            actor_name=actors.get((event.actor_kind, event.actor_id), ""),
            action=event.action,
            subject=event.subject,
            subject_id=event.subject_id,
            about=subjects.get(_subject_of(event), AuditSubject()),
            details=event.details,
        )
        for event in events
    ]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


_Events = Sequence[Row[Any]]


def _actors(reader: Actor, events: _Events) -> dict[tuple[ActorKind, int], str]:
    def ids(kind: ActorKind) -> set[int]:
        return {event.actor_id for event in events if event.actor_kind is kind}

    users = select(User.id, User.name).where(
        User.id.in_(ids(ActorKind.USER)), User.visible_to(reader)
    )
    employees = (
        select(EmployeeBinding.identity_id, Employee.name)
        .join(Employee, Employee.id == EmployeeBinding.employee_id)
        .where(
            EmployeeBinding.identity_id.in_(ids(ActorKind.EMPLOYEE)),
            Employee.org_path == reader.org_path,
        )
    )
    return {(ActorKind.USER, row[0]): row[1] for row in reading().execute(users)} | {
        (ActorKind.EMPLOYEE, row[0]): row[1] for row in reading().execute(employees)
    }


_Key = tuple[str, int]
BATCHES, SLIPS = PayrollBatch.__tablename__, Payslip.__tablename__
QUESTIONS, EMPLOYEES = PayslipQuestion.__tablename__, Employee.__tablename__


def _subject_of(event: Row[Any]) -> _Key:
    """A held row goes with its draft: its batch tells more."""
    batch_id = event.details.get("batch")
    return (BATCHES, batch_id) if batch_id else (event.subject, event.subject_id)


def _subjects(reader: Actor, events: _Events) -> dict[_Key, AuditSubject]:
    """One query a kind of subject, however many rows a page has."""
    ids: dict[str, set[int]] = {}
    for event in events:
        table, subject_id = _subject_of(event)
        ids.setdefault(table, set()).add(subject_id)
    found: dict[_Key, AuditSubject] = {}
    for table, name in NAMED.items():
        owner = name.class_
        query = select(owner.id, name).where(
            owner.id.in_(ids.get(table, ())), owner.visible_to(reader)
        )
        found |= {(table, row[0]): AuditSubject(name=row[1]) for row in reading().execute(query)}
    found |= _employees(reader, ids.get(EMPLOYEES, ()))
    found |= _batches(reader, ids.get(BATCHES, ()))
    found |= _slips(reader, ids.get(SLIPS, ()))
    return found | _questions(reader, ids.get(QUESTIONS, ()))


def _employees(reader: Actor, ids: Iterable[int]) -> dict[_Key, AuditSubject]:
    query = select(Employee.id, Employee.name).where(
        Employee.id.in_(ids), Employee.org_path == reader.org_path
    )
    return {(EMPLOYEES, row[0]): AuditSubject(employee=row[1]) for row in reading().execute(query)}


def _batches(reader: Actor, ids: Iterable[int]) -> dict[_Key, AuditSubject]:
    query = select(PayrollBatch.id, PayrollBatch.file_name, PayrollBatch.period).where(
        PayrollBatch.id.in_(ids), PayrollBatch.visible_to(reader)
    )
    return {
        (BATCHES, row.id): AuditSubject(name=row.file_name, period=row.period, batch_id=row.id)
        for row in reading().execute(query)
    }


def _slips(reader: Actor, ids: Iterable[int]) -> dict[_Key, AuditSubject]:
    query = (
        select(Payslip.id, Employee.name, PayrollBatch.period)
        .join(Employee, Employee.id == Payslip.employee_id)
        .join(PayrollBatch, PayrollBatch.id == Payslip.batch_id)
        .where(Payslip.id.in_(ids), Payslip.visible_to(reader))
    )
    return {
        (SLIPS, row.id): AuditSubject(employee=row.name, period=row.period, payslip_id=row.id)
        for row in reading().execute(query)
    }


def _questions(reader: Actor, ids: Iterable[int]) -> dict[_Key, AuditSubject]:
    query = (
        select(PayslipQuestion.id, Employee.name, PayrollBatch.period, Payslip.id)
        .join(Payslip, Payslip.id == PayslipQuestion.payslip_id)
        .join(Employee, Employee.id == Payslip.employee_id)
        .join(PayrollBatch, PayrollBatch.id == Payslip.batch_id)
        .where(PayslipQuestion.id.in_(ids), PayslipQuestion.visible_to(reader))
    )
    return {
        (QUESTIONS, row[0]): AuditSubject(employee=row[1], period=row[2], payslip_id=row[3])
        for row in reading().execute(query)
    }
