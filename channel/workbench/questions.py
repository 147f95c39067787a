"""Employees' questions about their slips, and HR's answers."""

from flask import flash, g, render_template
from flask.typing import ResponseReturnValue
from pydantic import Field

from channel.workbench.desk import Cursor, Form, desk_room, form_of, query_of, see_other
from core.errors import BadInput, Conflict, DomainError
from domain.payroll import questions as service
from domain.payroll.models import QuestionStatus
from domain.payroll.policy import LONGEST_QUESTION
from domain.payroll.question_queries import get_question, list_questions

bp = desk_room("questions", "/questions")


class QuestionsQuery(Form):
    open_before: Cursor | None = None
    answered_before: Cursor | None = None


class AnswerForm(Form):
    # The service judges emptiness and length, with a sentence of its own.
    text: str = Field(default="", max_length=20 * LONGEST_QUESTION)


@bp.get("")
def index() -> ResponseReturnValue:
    query = query_of(QuestionsQuery)
    return render_template(
        "hr/questions/index.html",
        query=query,
        waiting=list_questions(g.actor, status=QuestionStatus.OPEN, before=query.open_before),
        answered=list_questions(
            g.actor, status=QuestionStatus.ANSWERED, before=query.answered_before
        ),
    )


@bp.get("/<int:question_id>")
def thread(question_id: int) -> ResponseReturnValue:
    return _thread_page(question_id)


@bp.post("/<int:question_id>")
def answer(question_id: int) -> ResponseReturnValue:
    text = form_of(AnswerForm).text
    try:
        service.answer_question(g.actor, question_id, text)
    except (BadInput, Conflict) as refusal:
        # What was written stays in the form.
        return _thread_page(question_id, text, refusal), refusal.status
    flash("回复已发出，员工会在微信里收到", "ok")
    return see_other(".thread", question_id=question_id)


def _thread_page(question_id: int, text: str = "", refusal: DomainError | None = None) -> str:
    return render_template(
        "hr/questions/thread.html",
        thread=get_question(g.actor, question_id),
        longest=LONGEST_QUESTION,
        text=text,
        refusal=refusal,
    )
