"""What is stored of payrolls. Salary items are sealed; totals of a batch are not personal."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Key, LongText, Model, ShortText
from core.money import Fen
from domain.directory.access import EnterpriseOwned

# Purposes under which the sealed columns are sealed.
SLIP, HELD, QUESTION = "payroll.slip", "payroll.held", "payroll.question"


class BatchStatus(StrEnum):
    """reading → draft → published; from reading also refused; from draft also discarded."""

    READING = "reading"
    REFUSED = "refused"
    DRAFT = "draft"
    PUBLISHED = "published"
    DISCARDED = "discarded"


class HeldStatus(StrEnum):
    """held → settled (it became a payslip) or left-out; left-out → held until it is published."""

    HELD = "held"
    SETTLED = "settled"
    LEFT_OUT = "left-out"


class QuestionStatus(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"


class Author(StrEnum):
    EMPLOYEE = "employee"
    HR = "hr"


class PayrollBatch(EnterpriseOwned, Model):
    """One uploaded sheet. ``period`` is ``2026-03``, or empty until HR says which month it is.

    ``upload_key`` lets the same file in only once while its batch is alive.
    """

    __tablename__ = "payroll_batches"
    __table_args__ = (UniqueConstraint("upload_key"),)

    id: Mapped[Key]
    period: Mapped[str] = mapped_column(String(7))
    status: Mapped[BatchStatus]
    file_name: Mapped[str]
    file_key: Mapped[str]
    upload_key: Mapped[str | None] = mapped_column(String(64))
    refusal_code: Mapped[ShortText | None]
    refusal_message: Mapped[LongText | None]
    warnings: Mapped[list[Any]] = mapped_column(JSON, default=list)
    layout: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    hidden_columns: Mapped[list[Any]] = mapped_column(JSON, default=list)
    net_total_fen: Mapped[Fen] = mapped_column(default=0)
    content_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    created_by: Mapped[int]
    published_at: Mapped[datetime | None]
    published_by: Mapped[int | None]


class Payslip(EnterpriseOwned, Model):
    """One employee's slip. Its employee sees it once ``published_at`` is set."""

    __tablename__ = "payslips"
    __table_args__ = (
        UniqueConstraint("batch_id", "employee_id"),
        Index("ix_payslips_employee", "employee_id", "published_at"),
    )

    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(ForeignKey("payroll_batches.id"))
    employee_id: Mapped[int]
    content_sealed: Mapped[LongText]
    published_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]


class HeldRow(EnterpriseOwned, Model):
    """A row of the sheet that nobody gets until HR has decided. All it says is sealed."""

    __tablename__ = "payroll_held_rows"

    id: Mapped[Key]
    batch_id: Mapped[int] = mapped_column(ForeignKey("payroll_batches.id"), index=True)
    status: Mapped[HeldStatus]
    content_sealed: Mapped[LongText]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None]


class PayslipQuestion(EnterpriseOwned, Model):
    """A question on one line of a slip (``item`` is the line's place, None: the whole slip)."""

    __tablename__ = "payslip_questions"

    id: Mapped[Key]
    payslip_id: Mapped[int] = mapped_column(ForeignKey("payslips.id"), index=True)
    employee_id: Mapped[int] = mapped_column(index=True)
    item: Mapped[int | None]
    status: Mapped[QuestionStatus]
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class QuestionMessage(EnterpriseOwned, Model):
    __tablename__ = "payslip_question_messages"

    id: Mapped[Key]
    question_id: Mapped[int] = mapped_column(ForeignKey("payslip_questions.id"), index=True)
    author: Mapped[Author]
    author_id: Mapped[int]
    body_sealed: Mapped[LongText]
    created_at: Mapped[datetime]
