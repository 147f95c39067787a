import pytest
from sqlalchemy import select

from core.errors import NotFound
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import Actor, ActorKind
from domain.payroll import policy, queries, question_queries, questions, viewing
from domain.payroll.errors import (
    AnswerEmpty,
    AnswerTooLong,
    PayslipNotYours,
    QuestionEmpty,
    QuestionNotYours,
    QuestionsTooMany,
)
from domain.payroll.models import Author, BatchStatus, Payslip, QuestionStatus
from domain.payroll.queries import RecipientFilter
from domain.pushes.models import Campaign, MessageKind, Push, PushStatus
from tests.factories import (
    make_batch,
    make_channel_account,
    make_employee,
    make_hr,
    make_payslip,
    make_push,
)


def as_employee(*employee_ids: int) -> Actor:
    return Actor(ActorKind.EMPLOYEE, 7, "", employee_ids=employee_ids, channel_account_id=1)


def actions(session) -> list[str]:
    return list(session.scalars(select(AuditEvent.action)))


@pytest.fixture
def slip(session) -> Payslip:
    make_channel_account()
    return make_payslip(make_employee(name="张三"))


@pytest.fixture
def owner(slip) -> Actor:
    return as_employee(slip.employee_id)


def test_opening_notes_the_first_look_and_audits_each(session, slip, owner):
    first = viewing.open_payslip(owner, slip.id).read_at
    second = viewing.open_payslip(owner, slip.id).read_at

    assert first is not None
    assert second == first
    assert actions(session).count("payroll.payslip.opened") == 2


@pytest.mark.parametrize(
    "attempt",
    [
        lambda actor, slip: viewing.open_payslip(actor, slip.id),
        lambda actor, slip: viewing.confirm_payslip(actor, slip.id),
        lambda actor, slip: questions.ask(actor, slip.id, None, "为什么？"),
    ],
)
def test_a_strangers_try_is_refused_and_audited(session, slip, attempt):
    stranger = as_employee(make_employee().id)

    with pytest.raises(PayslipNotYours):
        attempt(stranger, slip)

    assert "payroll.payslip.refused" in actions(session)
    assert session.get_one(Payslip, slip.id).read_at is None


def test_a_slip_that_does_not_exist_says_the_same_as_a_strangers(slip, owner):
    with pytest.raises(PayslipNotYours):
        viewing.open_payslip(owner, 4711)
    with pytest.raises(PayslipNotYours):
        queries.get_own_payslip(as_employee(), slip.id)


def test_a_draft_is_nobodys_yet(session):
    slip = make_payslip(make_employee(), make_batch(status=BatchStatus.DRAFT))
    owner = as_employee(slip.employee_id)

    with pytest.raises(PayslipNotYours):
        viewing.open_payslip(owner, slip.id)
    assert queries.list_own_payslips(owner, 2026) == []
    assert queries.list_own_years(owner) == []


def test_confirming_twice_is_once(session, slip, owner):
    viewing.confirm_payslip(owner, slip.id)
    first = session.get_one(Payslip, slip.id).confirmed_at
    viewing.confirm_payslip(owner, slip.id)

    assert session.get_one(Payslip, slip.id).confirmed_at == first
    assert actions(session).count("payroll.payslip.confirmed") == 1


def test_somebody_on_two_rosters_sees_both_years_and_slips(session):
    one = make_payslip(make_employee("/hq/bj/ent-1/"), period="2026-03")
    two = make_payslip(make_employee("/hq/bj/ent-2/"), period="2025-12")
    both = as_employee(one.employee_id, two.employee_id)

    assert queries.list_own_years(both) == [2026, 2025]
    assert [row.id for row in queries.list_own_payslips(both, 2026)] == [one.id]
    assert [row.id for row in queries.list_own_payslips(both, 2025)] == [two.id]


def test_hr_looks_without_marking_it_read(session, slip):
    hr = make_hr()

    viewing.look_at_payslip(hr, slip.id)

    view = queries.get_payslip_for_hr(hr, slip.id)
    assert (view.employee_name, view.read_at) == ("张三", None)
    assert "payroll.payslip.looked_at" in actions(session)
    with pytest.raises(NotFound):
        viewing.look_at_payslip(make_hr("/hq/bj/ent-2/"), slip.id)
    assert actions(session)[-1] == "payroll.payslip.refused"


# --- questions ------------------------------------------------------------------------------


def test_a_question_goes_to_hr_and_the_answer_comes_back_as_a_message(session, slip, owner, queue):
    hr = make_hr()
    question_id = questions.ask(owner, slip.id, 0, " 基本工资怎么少了？ ")

    [row] = question_queries.list_questions(hr).rows
    assert (row.line, row.employee_name, row.status) == ("基本工资", "张三", QuestionStatus.OPEN)
    assert question_queries.count_open_questions(hr) == 1

    questions.answer_question(hr, question_id, "本月请假两天")

    thread = question_queries.get_own_question(owner, question_id)
    assert [(m.author, m.body) for m in thread.messages] == [
        (Author.EMPLOYEE, "基本工资怎么少了？"),
        (Author.HR, "本月请假两天"),
    ]
    assert question_queries.count_open_questions(hr) == 0
    [campaign] = session.scalars(select(Campaign)).all()
    [push] = session.scalars(select(Push)).all()
    assert campaign.kind is MessageKind.QUESTION_ANSWERED
    assert push.employee_id == session.get_one(Payslip, slip.id).employee_id
    assert campaign.path.format(push.subject_id) == f"/me/questions/{question_id}"
    assert queue.args(Job.FEED_PUSHES) == [(campaign.channel_account_id,)]
    assert "请假" not in str(campaign.params)


def test_asking_again_opens_it_again(slip, owner):
    hr = make_hr()
    question_id = questions.ask(owner, slip.id, None, "不明白")
    questions.answer_question(hr, question_id, "请看明细")

    questions.ask_again(owner, question_id, "还是不明白")

    thread = question_queries.get_question(hr, question_id)
    assert thread.question.status is QuestionStatus.OPEN
    assert len(thread.messages) == 3
    [row] = question_queries.list_questions(hr, status=QuestionStatus.OPEN).rows
    assert row.line == ""


def test_questions_are_the_askers_and_their_hrs_only(slip, owner):
    question_id = questions.ask(owner, slip.id, 99, "不明白")
    stranger, other_hr = as_employee(make_employee().id), make_hr("/hq/bj/ent-2/")

    with pytest.raises(NotFound):
        question_queries.get_own_question(stranger, question_id)
    with pytest.raises(NotFound):
        question_queries.get_question(other_hr, question_id)
    with pytest.raises(QuestionNotYours):
        questions.ask_again(stranger, question_id, "给我看看")
    make_channel_account("/hq/bj/ent-2/")
    with pytest.raises(NotFound):
        questions.answer_question(other_hr, question_id, "好")
    assert question_queries.list_own_questions(stranger, slip.id) == []
    assert [row.id for row in question_queries.list_own_questions(owner, slip.id)] == [question_id]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda employee, hr, id_: question_queries.get_own_question(employee, id_),
        lambda employee, hr, id_: questions.ask_again(employee, id_, "给我看看"),
        lambda employee, hr, id_: question_queries.get_question(hr, id_),
        lambda employee, hr, id_: questions.answer_question(hr, id_, "好"),
    ],
)
def test_a_try_at_anothers_question_stands_in_its_owners_trail(session, slip, owner, attempt):
    make_channel_account("/hq/bj/ent-2/")
    question_id = questions.ask(owner, slip.id, None, "不明白")
    strangers = as_employee(make_employee().id), make_hr("/hq/bj/ent-2/")

    with pytest.raises(QuestionNotYours) as refusal:
        attempt(*strangers, question_id)
    with pytest.raises(QuestionNotYours) as nothing:
        attempt(*strangers, 4711)

    assert refusal.value.sentence == nothing.value.sentence
    query = select(AuditEvent).where(AuditEvent.action == "payroll.question.refused")
    [event] = session.scalars(query)
    assert (event.subject_id, event.org_path) == (question_id, slip.org_path)


@pytest.mark.parametrize("text", ["", "   ", "长" * 501])
def test_empty_and_endless_questions_are_refused(slip, owner, text):
    with pytest.raises(QuestionEmpty):
        questions.ask(owner, slip.id, None, text)


def test_five_open_questions_on_a_slip_are_enough(slip, owner):
    for n in range(5):
        questions.ask(owner, slip.id, None, f"问{n}")
    with pytest.raises(QuestionsTooMany):
        questions.ask(owner, slip.id, None, "问")


def test_questions_come_in_pages(slip, owner):
    hr = make_hr()
    ids = [questions.ask(owner, slip.id, None, f"问{n}") for n in range(3)]

    page = question_queries.list_questions(hr, before=ids[2])

    assert [row.id for row in page.rows] == [ids[1], ids[0]]


# --- the desk's numbers ---------------------------------------------------------------------


def test_the_batch_counts_what_happened(session, slip, owner):
    hr, account = make_hr(), make_channel_account()
    batch_id = slip.batch_id
    employee = session.get_one(Payslip, slip.id).employee_id
    make_push(make_employee(), account, key=f"payroll:{batch_id}", status=PushStatus.DELIVERED)
    viewing.open_payslip(owner, slip.id)
    viewing.confirm_payslip(owner, slip.id)
    questions.ask(owner, slip.id, None, "问")

    detail = queries.get_batch(hr, batch_id)

    assert (detail.row.slips, detail.row.read, detail.row.confirmed) == (1, 1, 1)
    assert detail.row.open_questions == 1
    assert (detail.pushes.total, detail.pushes.delivered, detail.pushes.waiting) == (1, 1, 0)
    assert employee
    with pytest.raises(NotFound):
        queries.get_batch(make_hr("/hq/bj/ent-2/"), batch_id)


def test_recipients_can_be_narrowed(session, slip, owner):
    hr, account = make_hr(), make_channel_account()
    batch_id = slip.batch_id
    batch = session.get_one(type(make_batch()), batch_id)
    reader = make_employee(name="李四")
    read = make_payslip(reader, batch)
    viewing.open_payslip(as_employee(reader.id), read.id)
    make_push(
        reader,
        account,
        key=f"payroll:{batch_id}",
        status=PushStatus.PERMANENT_FAILURE,
        reason="not-bound",
    )

    everybody = queries.list_recipients(hr, batch_id).rows
    assert [row.name for row in everybody] == ["张三", "李四"]
    assert everybody[1].push_reason == "员工还没有绑定微信"
    names = {
        only: [row.name for row in queries.list_recipients(hr, batch_id, only=only).rows]
        for only in RecipientFilter
    }
    assert names[RecipientFilter.UNREAD] == ["张三"]
    assert names[RecipientFilter.UNCONFIRMED] == ["张三", "李四"]
    assert names[RecipientFilter.UNDELIVERED] == ["张三", "李四"]
    assert queries.list_recipients(hr, batch_id, after=everybody[0].payslip_id).rows == [
        everybody[1]
    ]
    assert [row.name for row in queries.list_recipients(hr, batch_id, name="李").rows] == ["李四"]
    assert queries.list_recipients(make_hr("/hq/bj/ent-2/"), batch_id).rows == []


def test_batches_come_in_pages_and_candidates_by_name(session):
    hr = make_hr()
    first, second = make_batch(), make_batch()
    employee = make_employee(name="张三", department="教务处")

    assert [row.id for row in queries.list_batches(hr).rows] == [second.id, first.id]
    assert [row.id for row in queries.list_batches(hr, before=second.id).rows] == [first.id]
    names = queries.names_of_candidates(hr, [employee.emp_id])
    assert names == {employee.emp_id: f"张三 · 教务处 · {employee.emp_no}"}


def test_a_double_tap_asks_once(slip, owner):
    first = questions.ask(owner, slip.id, 0, "为什么？")
    second = questions.ask(owner, slip.id, 0, "为什么？")
    questions.answer_question(make_hr(), first, "请看明细")
    questions.ask_again(owner, first, "还是不明白")
    questions.ask_again(owner, first, "还是不明白")

    thread = question_queries.get_own_question(owner, first)
    assert second == first
    assert [message.body for message in thread.messages] == ["为什么？", "请看明细", "还是不明白"]


def test_an_answer_has_words_and_not_too_many(session, slip, owner, queue):
    hr = make_hr()
    question_id = questions.ask(owner, slip.id, None, "问")

    with pytest.raises(AnswerEmpty):
        questions.answer_question(hr, question_id, "  \n ")
    with pytest.raises(AnswerTooLong):
        questions.answer_question(hr, question_id, "答" * (policy.LONGEST_QUESTION + 1))

    assert session.scalars(select(Campaign)).all() == []


def test_refused_batches_are_counted_only_where_the_list_hides_them(session):
    hr = make_hr()
    make_batch()
    hidden = make_batch(status=BatchStatus.REFUSED)
    make_batch(status=BatchStatus.REFUSED, org_path="/hq/bj/ent-2/")

    shown = {row.id for row in queries.list_batches(hr).rows}

    assert queries.count_refused(hr) == (hidden.id not in shown)
