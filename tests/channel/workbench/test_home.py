"""The desk's first page: where things stand, and what to do next."""

from domain.payroll.models import BatchStatus
from tests.channel.workbench.conftest import STRANGER, ZHANG
from tests.factories import (
    make_batch,
    make_binding,
    make_employee,
    make_hr,
    make_payslip,
    make_question,
)


def test_with_a_roster_the_next_step_is_a_sheet(client, hr):
    page = client.get("/hr/").text

    assert "上传第一份工资表" in page
    assert "还没有发布过" in page
    assert "请 2 位员工绑定微信" in page
    assert 'action="/hr/payroll/new"' in client.get("/hr/payroll/new").text
    assert 'action="/hr/roster/import"' in client.get("/hr/roster/import").text


def test_a_draft_is_to_be_reviewed_or_published(client, read):
    held, ready = read(ZHANG, STRANGER), read(ZHANG)

    page = client.get("/hr/").text

    assert "1 行待核对" in page
    assert "1 人已对上，可以发布" in page
    for batch_id in (held, ready):
        assert f'href="/hr/payroll/{batch_id}"' in page


def test_an_open_question_is_to_be_answered(client, hr, account):
    employee = make_employee(name="陈静")
    question = make_question(make_payslip(employee, make_batch()), item=0)

    page = client.get("/hr/").text

    assert "回复 1 个员工提问" in page
    assert f'href="/hr/questions/{question.id}"' in page


def test_when_all_is_done_it_says_so(client, account):
    batch = make_batch("/hq/bj/ent-9/")
    employee = make_employee("/hq/bj/ent-9/")
    make_payslip(employee, batch)
    make_binding(employee, account)
    client.sign_in("/hr", user_id=make_hr("/hq/bj/ent-9/").id)

    assert "都办好了" in client.get("/hr/").text


def test_a_batch_in_any_state_has_a_page_and_a_word(client, hr):
    for status, words in (
        (BatchStatus.READING, "识别中"),
        (BatchStatus.REFUSED, "没有读成"),
        (BatchStatus.DRAFT, "可以发布"),
        (BatchStatus.PUBLISHED, "已发布"),
    ):
        batch = make_batch(status=status)
        assert words in client.get("/hr/payroll").text
        assert client.get(f"/hr/payroll/{batch.id}").status_code == 200
