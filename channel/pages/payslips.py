"""The employee's payslips and the questions about them."""

from http import HTTPStatus

from flask import Blueprint, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from channel.pages.frame import page, tabs
from core.clock import business_date
from core.errors import DomainError
from domain.payroll import queries, question_queries, questions, viewing
from domain.payroll.errors import QuestionEmpty, QuestionsTooMany
from domain.payroll.policy import LONGEST_QUESTION, period_in_words
from domain.payroll.queries import PayslipView

bp = Blueprint("payslips", __name__)


@bp.app_template_filter("month")
def month(period: str) -> str:
    return period_in_words(period)


# --- the list -------------------------------------------------------------------------------


@bp.get("/payslips")
def index() -> ResponseReturnValue:
    years = queries.list_own_years(g.actor) or [business_date().year]
    asked = request.args.get("year", type=int)
    year = asked if asked in years else years[0]
    rows = queries.list_own_payslips(g.actor, year)
    return page(
        "employee/payslips/index.html",
        tabs=tabs(),
        year=year,
        earlier_url=_year_url(max((one for one in years if one < year), default=None)),
        later_url=_year_url(min((one for one in years if one > year), default=None)),
        slips=rows,
        net_fen=sum(row.net_fen for row in rows),
    )


def _year_url(year: int | None) -> str | None:
    return None if year is None else url_for(".index", year=year)


# --- one slip -------------------------------------------------------------------------------


@bp.get("/payslips/<int:payslip_id>")
def detail(payslip_id: int) -> ResponseReturnValue:
    slip = _open(payslip_id)
    return page(
        "employee/payslips/detail.html",
        slip=slip,
        questions=question_queries.list_own_questions(g.actor, payslip_id),
    )


@bp.post("/payslips/<int:payslip_id>/confirm")
def confirm(payslip_id: int) -> ResponseReturnValue:
    viewing.confirm_payslip(g.actor, payslip_id)
    return redirect(url_for(".detail", payslip_id=payslip_id), HTTPStatus.SEE_OTHER)


def _open(payslip_id: int) -> PayslipView:
    viewing.open_payslip(g.actor, payslip_id)
    return queries.get_own_payslip(g.actor, payslip_id)


# --- questions ------------------------------------------------------------------------------


@bp.get("/payslips/<int:payslip_id>/ask")
def ask(payslip_id: int) -> ResponseReturnValue:
    return _ask_page(payslip_id)


@bp.post("/payslips/<int:payslip_id>/ask")
def send(payslip_id: int) -> ResponseReturnValue:
    text = request.form.get("text", "")
    try:
        question_id = questions.ask(g.actor, payslip_id, _item(), text)
    except (QuestionEmpty, QuestionsTooMany) as refusal:
        return _ask_page(payslip_id, refusal), refusal.status
    flash("已发给单位人事，回复后会在微信里通知您", "ok")
    return redirect(url_for(".thread", question_id=question_id), HTTPStatus.SEE_OTHER)


def _item() -> int | None:
    return request.values.get("item", type=int)


def _ask_page(payslip_id: int, refusal: DomainError | None = None) -> str:
    slip = _open(payslip_id)
    lines = (line for group in slip.content.groups for line in group.lines)
    return page(
        "employee/payslips/ask.html",
        slip=slip,
        line=next((line for line in lines if line.place == _item()), None),
        text=request.form.get("text", ""),
        longest=LONGEST_QUESTION,
        refusal=refusal,
    )


@bp.get("/questions/<int:question_id>")
def thread(question_id: int) -> ResponseReturnValue:
    return _thread_page(question_id)


@bp.post("/questions/<int:question_id>")
def follow_up(question_id: int) -> ResponseReturnValue:
    try:
        questions.ask_again(g.actor, question_id, request.form.get("text", ""))
    except QuestionEmpty as refusal:
        return _thread_page(question_id, refusal), refusal.status
    return redirect(url_for(".thread", question_id=question_id), HTTPStatus.SEE_OTHER)


def _thread_page(question_id: int, refusal: DomainError | None = None) -> str:
    return page(
        "employee/payslips/thread.html",
        thread=question_queries.get_own_question(g.actor, question_id),
        text=request.form.get("text", ""),
        longest=LONGEST_QUESTION,
        refusal=refusal,
    )
