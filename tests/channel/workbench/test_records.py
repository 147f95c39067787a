"""Questions, sent messages and the audit trail at the desk."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from channel.web_signin import REFUSALS
from channel.workbench.audit import ACTIONS, CODES
from core.db import transaction
from core.queues import Job
from domain.audit import service as audit_service
from domain.directory.access import Actor, ActorKind, Role
from domain.directory.errors import BindingLocked, BindingRefused, BoundToAnotherWechat
from domain.directory.models import Employee, Org, User
from domain.payroll import questions, service, viewing
from domain.payroll.models import PayslipQuestion, QuestionStatus
from domain.payroll.queries import list_recipients
from domain.pushes.models import Campaign, MessageKind, Push
from tests.channel.workbench.conftest import STRANGER, ZHANG
from tests.counting import count_queries
from tests.factories import (
    make_batch,
    make_binding,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_operator,
    make_org,
    make_payslip,
    make_question,
    make_user,
)

HOUSE = Path(__file__).parents[3]
SCRIPT = "<script>alert(1)</script>"


# --- questions ------------------------------------------------------------------------------


@pytest.fixture
def question(hr):
    return make_question(make_payslip(make_employee(name="陈静")), "养老保险怎么算的？", item=1)


def test_open_questions_stand_first(client, hr):
    slip = make_payslip(make_employee(name="陈静"))
    make_question(slip, answer="下月补发")
    make_question(make_payslip(make_employee(name="吴磊")))

    page = client.get("/hr/questions").text

    assert page.index("吴磊") < page.index("已回复") < page.index("陈静")


def test_without_questions_the_page_says_so(client, hr):
    assert "没有待回复的提问" in client.get("/hr/questions").text


def test_questions_come_in_pages(client, hr):
    slip = make_payslip(make_employee())
    for _ in range(51):
        make_question(slip)
        make_question(slip, answer="好")

    page = client.get("/hr/questions").text

    assert "open_before=" in page
    assert "answered_before=" in page


def test_an_answer_goes_back_to_the_employee_as_a_message(client, hr, question, session, queue):
    assert "养老保险怎么算的？" in client.get(f"/hr/questions/{question.id}").text

    answer = client.post(f"/hr/questions/{question.id}", data={"text": "按基数的 8% 计算。"})

    assert answer.status_code == 303
    assert "按基数的 8% 计算。" in client.get(answer.location).text
    stored = session.get_one(PayslipQuestion, question.id, populate_existing=True)
    assert stored.status is QuestionStatus.ANSWERED
    push = session.scalars(select(Push)).one()
    campaign = session.get_one(Campaign, push.campaign_id)
    assert campaign.kind is MessageKind.QUESTION_ANSWERED
    assert queue.args(Job.FEED_PUSHES) == [(campaign.channel_account_id,)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "还没有写回复的内容"),
        ("   ", "还没有写回复的内容"),
        ("长" * 501, "回复有 501 字，最多 500 字"),
    ],
    ids=["none", "blank", "long"],
)
def test_an_answer_that_says_nothing_or_too_much_is_refused_and_kept(
    client, question, account, session, text, sentence
):
    answer = client.post(f"/hr/questions/{question.id}", data={"text": text})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert f">{text.strip()}</textarea>" in answer.text
    assert session.scalars(select(Push)).all() == []


def test_a_line_break_counts_as_one_character(client, hr, question, session):
    answer = client.post(f"/hr/questions/{question.id}", data={"text": "长\r\n" * 250})

    assert answer.status_code == 303
    assert len(session.scalars(select(Push)).all()) == 1


def test_without_an_account_the_answer_waits_in_the_form(client, session):
    hr = make_hr()
    client.sign_in("/hr", user_id=hr.id, account=make_channel_account("/elsewhere/").id)
    question = make_question(make_payslip(make_employee()))

    answer = client.post(f"/hr/questions/{question.id}", data={"text": "按基数的 8% 计算。"})

    assert answer.status_code == 409
    assert "还没有开通公众号通知" in answer.text
    assert "按基数的 8% 计算。</textarea>" in answer.text


def test_a_question_is_text_and_never_markup(client, hr):
    question = make_question(make_payslip(make_employee(name=SCRIPT)), SCRIPT)

    for path in ("/hr/questions", f"/hr/questions/{question.id}", "/hr/"):
        assert SCRIPT not in client.get(path).text


def test_another_enterprises_question_does_not_exist(client, question):
    client.sign_in("/hr", user_id=make_hr("/hq/bj/ent-2/").id)

    assert client.get(f"/hr/questions/{question.id}").status_code == 404
    assert client.post(f"/hr/questions/{question.id}", data={"text": "好"}).status_code == 404
    assert "陈静" not in client.get("/hr/questions").text


# --- the trail ------------------------------------------------------------------------------


def test_the_trail_says_who_did_what_in_words(client, hr, account):
    slip = make_payslip(make_employee(), make_batch())
    viewing.look_at_payslip(hr, slip.id)

    page = client.get("/hr/audit").text

    assert "查看一张工资条" in page
    assert "周敏" in page


def test_the_trail_knows_employees_and_the_system(client, hr):
    org = make_org("/hq/bj/ent-1/")
    employee = Actor(ActorKind.EMPLOYEE, 7, "")
    with transaction() as writing:
        audit_service.record(writing, Actor.system(), "payroll.batch.read", org, accepted=3, held=0)
        audit_service.record(writing, employee, "payroll.payslip.opened", org)
        audit_service.record(writing, employee, "a.new.action", org)
        member = Actor(ActorKind.MEMBER, 8, "")
        audit_service.record(writing, member, "directory.signin.ended_everywhere", org)

    page = client.get("/hr/audit").text

    for words in (
        "系统",
        "企业微信成员",
        "在所有设备上退出登录",
        "对上 3 行",
        "员工打开工资条",
        "a.new.action",
    ):
        assert words in page
    assert "待核对 0 行" not in page


def test_the_trail_names_the_employee_and_leads_to_the_slip(client, hr, account):
    employee = make_employee(name="陈静")
    identity = make_binding(employee, account)
    slip = make_payslip(employee, make_batch(period="2026-03"))
    viewing.open_payslip(
        Actor(ActorKind.EMPLOYEE, identity.id, "", employee_ids=(employee.id,)), slip.id
    )

    page = client.get("/hr/audit").text

    assert f'<a href="/hr/payroll/slips/{slip.id}">陈静 · 2026年3月</a>' in page
    assert re.search(r'data-label="谁"[^>]*><span>陈静<', page)


def test_the_trail_says_which_user_batch_question_and_row_it_is_about(client, hr, read, held):
    batch_id = read(ZHANG, STRANGER)
    service.leave_out(hr, *held(batch_id))
    question = make_question(make_payslip(make_employee(name="陈静"), make_batch(period="2026-01")))
    questions.answer_question(hr, question.id, "好的")
    colleague = make_hr(name="韩梅")
    with transaction() as writing:
        user = writing.get_one(User, colleague.id)
        audit_service.record(writing, Actor.system(), "directory.user.added", user)
        employee = writing.get_one(Employee, question.employee_id)
        audit_service.record(writing, hr, "directory.employee.unbound", employee)

    page = client.get("/hr/audit").text

    batch = f'<a href="/hr/payroll/{batch_id}">2026年3月 · 三月工资.csv</a>'
    assert page.count(batch) == 3  # uploaded, read, and one row left out
    for about in ("陈静 · 2026年1月", "<span>韩梅<", "<span>陈静<"):
        assert about in page


def test_what_is_gone_keeps_its_number(client, hr, read):
    batch_id = read(ZHANG)
    [slip] = list_recipients(hr, batch_id).rows
    viewing.look_at_payslip(hr, slip.payslip_id)
    service.discard_batch(hr, batch_id)

    assert f"工资条 {slip.payslip_id}" in client.get("/hr/audit").text


def test_an_auditor_reads_no_whole_names_and_a_bank_none_at_all(client, hr, account):
    viewing.look_at_payslip(hr, make_payslip(make_employee(name="欧阳静")).id)

    client.sign_in("/hr", user_id=make_user("/hq/bj/ent-1/", Role.AUDITOR).id)
    inside = client.get("/hr/audit").text
    client.sign_in("/hr", user_id=make_user("/hq/bj/", Role.AUDITOR).id)
    above = client.get("/hr/audit").text

    assert "欧**" in inside
    assert "欧阳静" not in inside + above
    assert "/hr/payroll/slips/" not in inside + above
    assert "欧" not in above
    assert "查看一张工资条" in above


def test_a_deed_of_the_bank_names_nobody_of_the_bank(client, hr):
    operator, org = make_operator("/hq/", name="郑银行"), make_org("/hq/bj/ent-1/")
    with transaction() as writing:
        org = writing.get_one(Org, org.id)
        audit_service.record(writing, operator, "directory.org.added", org)

    page = client.get("/hr/audit").text

    assert "银行工作人员" in page
    assert "郑银行" not in page
    assert "机构ent-1" in page.split("开通企业")[1]


def test_a_neighbours_try_is_told_and_names_nobody(client, hr):
    batch = make_batch(period="2026-03")
    stranger = make_hr("/hq/bj/ent-2/", name="郑别家")
    client.sign_in("/hr", user_id=stranger.id)
    answers = [client.get(f"/hr/payroll/{number}") for number in (batch.id, 4711)]
    pages = [one.text.replace(one.headers["X-Request-Id"], "") for one in answers]
    assert pages[0] == pages[1]
    theirs = client.get("/hr/audit").text

    client.sign_in("/hr", user_id=hr.id)
    page = client.get("/hr/audit").text

    assert "拒绝别人打开这一批工资条" in page
    assert "别的单位的人员" in page
    assert "郑别家" not in page
    assert "拒绝" not in theirs


def test_the_bank_reads_of_refused_sign_ins_and_bindings_in_words(client, hr, account):
    client.get("/me/signin/demo-oa?code=c&state=none")
    identity = make_identity(account)
    client.sign_in("/me", identity_id=identity.id, account=account.id)
    typed = {"name": "张三", "phone": "13800000001", "id_tail": "000000"}
    assert client.post("/me/bind", data=typed).status_code == 422

    client.sign_in("/hr", user_id=make_user(account.org_path, Role.AUDITOR).id)
    page = client.get("/hr/audit").text

    for words in ("拒绝一次微信登录", "没有登录的人", "链接已失效", "测试公众号"):
        assert words in page
    for words in ("拒绝一次微信绑定", f"微信用户 {identity.id}", "信息与花名册不一致"):
        assert words in page
    assert "张三" not in page


def test_every_refusal_that_is_written_down_has_its_words():
    noted = REFUSALS
    noted += (BindingRefused, BindingLocked, BoundToAnotherWechat)

    assert {refusal.code for refusal in noted} == CODES.keys()


def test_every_deed_in_the_house_has_its_words():
    said = re.compile(r'"((?:directory|payroll|inbox|pushes)\.[a-z]+\.[a-z_]+)"')
    rooms = [*(HOUSE / "domain").rglob("service.py"), HOUSE / "domain/pushes/campaigns.py"]
    rooms += [HOUSE / f"domain/payroll/{name}.py" for name in ("viewing", "questions", "errors")]

    deeds = {deed for path in rooms for deed in said.findall(path.read_text())}

    assert len(deeds) > 10
    assert deeds <= ACTIONS.keys()


def test_the_trail_comes_in_pages_under_the_same_number_of_queries(client, hr):
    slip = make_payslip(make_employee())
    viewing.look_at_payslip(hr, slip.id)
    with count_queries() as one:
        client.get("/hr/audit")
    for _ in range(51):
        viewing.look_at_payslip(hr, slip.id)
    with count_queries() as many:
        page = client.get("/hr/audit").text

    assert one.count == many.count
    assert "before=" in page


def test_another_enterprises_trail_stays_its_own(client, hr, account):
    slip = make_payslip(make_employee("/hq/bj/ent-2/"))
    viewing.look_at_payslip(make_hr("/hq/bj/ent-2/", name="郑别家"), slip.id)

    assert "郑别家" not in client.get("/hr/audit").text
