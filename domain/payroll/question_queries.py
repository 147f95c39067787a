"""What can be asked about questions: lists for HR, threads for both sides."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from core.db import reading
from core.paging import PAGE_SIZE, Page, page_of
from core.security import unseal
from domain.audit.refusals import strangers_noted
from domain.directory.access import Actor, Permission
from domain.directory.models import Employee
from domain.payroll import slips
from domain.payroll.errors import QuestionNotYours
from domain.payroll.models import (
    QUESTION,
    SLIP,
    Author,
    PayrollBatch,
    Payslip,
    PayslipQuestion,
    QuestionMessage,
    QuestionStatus,
)


@dataclass(frozen=True, slots=True)
class QuestionRow:
    id: int
    payslip_id: int
    period: str
    line: str
    employee_name: str
    department: str
    status: QuestionStatus
    created_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    author: Author
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class QuestionThread:
    question: QuestionRow
    messages: tuple[MessageRow, ...]


def list_questions(
    actor: Actor, *, status: QuestionStatus | None = None, before: int | None = None
) -> Page[QuestionRow]:
    """The enterprise's questions, the newest first."""
    actor.require(Permission.PAYROLL_ANSWER)
    query = _questions().where(PayslipQuestion.visible_to(actor))
    if status is not None:
        query = query.where(PayslipQuestion.status == status)
    if before is not None:
        query = query.where(PayslipQuestion.id < before)
    query = query.order_by(PayslipQuestion.id.desc()).limit(PAGE_SIZE + 1)
    rows = [_question_row(row) for row in reading().execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: row.id)


def count_open_questions(actor: Actor) -> int:
    query = select(func.count(PayslipQuestion.id)).where(
        PayslipQuestion.visible_to(actor), PayslipQuestion.status == QuestionStatus.OPEN
    )
    return reading().scalar(query) or 0


@strangers_noted
def get_question(actor: Actor, question_id: int) -> QuestionThread:
    """For HR."""
    actor.require(Permission.PAYROLL_ANSWER)
    return _thread(question_id, _questions().where(PayslipQuestion.visible_to(actor)))


@strangers_noted
def get_own_question(actor: Actor, question_id: int) -> QuestionThread:
    """For the employee who asked."""
    return _thread(
        question_id, _questions().where(PayslipQuestion.employee_id.in_(actor.employee_ids))
    )


def list_own_questions(actor: Actor, payslip_id: int) -> list[QuestionRow]:
    """What one asked about one slip, the newest first."""
    query = (
        _questions()
        .where(
            PayslipQuestion.payslip_id == payslip_id,
            PayslipQuestion.employee_id.in_(actor.employee_ids),
        )
        .order_by(PayslipQuestion.id.desc())
    )
    return [_question_row(row) for row in reading().execute(query)]


def _questions() -> Select[Any]:
    return (
        select(
            PayslipQuestion.id,
            PayslipQuestion.payslip_id,
            PayrollBatch.period,
            PayslipQuestion.item,
            Payslip.content_sealed,
            Employee.name,
            Employee.department,
            PayslipQuestion.status,
            PayslipQuestion.created_at,
            PayslipQuestion.answered_at,
        )
        .join(Payslip, Payslip.id == PayslipQuestion.payslip_id)
        .join(PayrollBatch, PayrollBatch.id == Payslip.batch_id)
        .join(Employee, Employee.id == PayslipQuestion.employee_id)
    )


def _question_row(row: Any) -> QuestionRow:
    content = slips.unpack(unseal(SLIP, row.content_sealed))
    return QuestionRow(
        id=row.id,
        payslip_id=row.payslip_id,
        period=row.period,
        line=slips.find_line(content, row.item),
        employee_name=row.name,
        department=row.department,
        status=row.status,
        created_at=row.created_at,
        answered_at=row.answered_at,
    )


def _thread(question_id: int, query: Select[Any]) -> QuestionThread:
    row = reading().execute(query.where(PayslipQuestion.id == question_id)).one_or_none()
    if row is None:
        raise QuestionNotYours(PayslipQuestion, question_id)
    messages = reading().execute(
        select(QuestionMessage.author, QuestionMessage.body_sealed, QuestionMessage.created_at)
        .where(QuestionMessage.question_id == row.id)
        .order_by(QuestionMessage.id)
    )
    return QuestionThread(
        question=_question_row(row),
        messages=tuple(
            MessageRow(message.author, unseal(QUESTION, message.body_sealed), message.created_at)
            for message in messages
        ),
    )
