"""Questions on a slip, and HR's answers."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import transaction
from core.security import seal, unseal
from domain.audit import service as audit
from domain.audit.refusals import strangers_noted
from domain.directory.access import Actor, Permission
from domain.directory.queries import name_of_org
from domain.payroll import policy, slips
from domain.payroll.errors import (
    AnswerEmpty,
    AnswerTooLong,
    QuestionEmpty,
    QuestionNotYours,
    QuestionsTooMany,
)
from domain.payroll.models import (
    QUESTION,
    SLIP,
    Author,
    Payslip,
    PayslipQuestion,
    QuestionMessage,
    QuestionStatus,
)
from domain.payroll.service import account_for_notices
from domain.payroll.viewing import own_payslip
from domain.pushes.campaigns import NewCampaign, Recipient, request_notice
from domain.pushes.models import MessageKind


@strangers_noted
def ask(actor: Actor, payslip_id: int, item: int | None, text: str) -> int:
    """Ask HR about a line of one's slip; the question's id. A second tap asks nothing new."""
    body = _question_text(text)
    with transaction() as session:
        payslip = own_payslip(session, actor, payslip_id)
        return _add_question(session, actor, payslip, item, body)


@strangers_noted
def ask_again(actor: Actor, question_id: int, text: str) -> None:
    """Go on asking after an answer; the question is open again."""
    body = _question_text(text)
    with transaction() as session:
        question = session.scalar(
            select(PayslipQuestion)
            .where(
                PayslipQuestion.id == question_id,
                PayslipQuestion.employee_id.in_(actor.employee_ids),
            )
            .with_for_update()
        )
        if question is None:
            raise QuestionNotYours(PayslipQuestion, question_id)
        if _was_just_said(session, question, body):
            return
        question.status, question.answered_at = QuestionStatus.OPEN, None
        _add_message(session, question, Author.EMPLOYEE, actor.id, body)
        audit.record(session, actor, "payroll.question.asked", question)


@strangers_noted
def answer_question(actor: Actor, question_id: int, text: str) -> None:
    """Answer an employee; the answer comes back to them as a message."""
    actor.require(Permission.PAYROLL_ANSWER)
    body = _answer_text(text)
    account = account_for_notices(actor)
    with transaction() as session:
        question = session.scalar(
            select(PayslipQuestion)
            .where(PayslipQuestion.id == question_id, PayslipQuestion.visible_to(actor))
            .with_for_update()
        )
        if question is None:
            raise QuestionNotYours(PayslipQuestion, question_id)
        question.status, question.answered_at = QuestionStatus.ANSWERED, utc_now()
        message_id = _add_message(session, question, Author.HR, actor.id, body)
        request_notice(
            session,
            NewCampaign(
                org_path=question.org_path,
                channel_account_id=account.id,
                kind=MessageKind.QUESTION_ANSWERED,
                key=f"answer:{message_id}",
                params={"enterprise": name_of_org(session, question.org_path)},
                path="/me/questions/{}",
                requested_by=actor.id,
            ),
            [Recipient(question.employee_id, question.id)],
        )
        audit.record(session, actor, "payroll.question.answered", question)


def _add_question(
    session: Session, actor: Actor, payslip: Payslip, item: int | None, body: str
) -> int:
    content = slips.unpack(unseal(SLIP, payslip.content_sealed))
    item = item if slips.find_line(content, item) else None
    waiting = session.scalars(
        select(PayslipQuestion).where(
            PayslipQuestion.payslip_id == payslip.id,
            PayslipQuestion.status == QuestionStatus.OPEN,
        )
    ).all()
    for question in waiting:
        if question.item == item and _was_just_said(session, question, body):
            return question.id
    if len(waiting) >= policy.MOST_OPEN_QUESTIONS:
        raise QuestionsTooMany
    question = PayslipQuestion(
        org_path=payslip.org_path,
        payslip_id=payslip.id,
        employee_id=payslip.employee_id,
        item=item,
        status=QuestionStatus.OPEN,
        created_at=utc_now(),
    )
    session.add(question)
    session.flush()
    _add_message(session, question, Author.EMPLOYEE, actor.id, body)
    audit.record(session, actor, "payroll.question.asked", question)
    return question.id


def _was_just_said(session: Session, question: PayslipQuestion, body: str) -> bool:
    """Whether the thread ends with the employee saying these very words."""
    last = session.scalars(
        select(QuestionMessage)
        .where(QuestionMessage.question_id == question.id)
        .order_by(QuestionMessage.id.desc())
        .limit(1)
    ).one()
    return last.author is Author.EMPLOYEE and unseal(QUESTION, last.body_sealed) == body


def _question_text(text: str) -> str:
    body = _plain(text)
    if not body or len(body) > policy.LONGEST_QUESTION:
        raise QuestionEmpty
    return body


def _answer_text(text: str) -> str:
    body = _plain(text)
    if not body:
        raise AnswerEmpty
    if len(body) > policy.LONGEST_QUESTION:
        raise AnswerTooLong(count=len(body), longest=policy.LONGEST_QUESTION)
    return body


def _plain(text: str) -> str:
    """A browser sends each line break as two characters, and counts one against the limit."""
    return text.replace("\r\n", "\n").strip()


def _add_message(
    session: Session, question: PayslipQuestion, author: Author, author_id: int, body: str
) -> int:
    message = QuestionMessage(
        org_path=question.org_path,
        question_id=question.id,
        author=author,
        author_id=author_id,
        body_sealed=seal(QUESTION, body),
        created_at=utc_now(),
    )
    session.add(message)
    session.flush()
    return message.id
