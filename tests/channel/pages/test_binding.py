"""Binding: name, phone and the ID number's end, checked against the roster."""

import pytest
from sqlalchemy import func, select

from domain.audit.models import AuditEvent
from domain.directory.models import EmployeeBinding
from tests.channel.pages.conftest import DETAILS
from tests.factories import make_binding, make_employee

RIGHT = {"name": "陈静", "phone": "13800001234", "id_tail": "074530"}


def count_bindings(session):
    return session.scalar(select(func.count(EmployeeBinding.id)))


def test_the_right_person_is_bound_and_led_to_the_payslips(client, visitor, session):
    make_employee(**DETAILS)

    answer = client.post("/me/bind", data=RIGHT)

    assert (answer.status_code, answer.location) == (303, "/me/payslips")
    assert "绑定成功" in client.get("/me/payslips").text
    assert count_bindings(session) == 1


def test_a_phone_may_be_written_as_address_books_do(client, visitor):
    make_employee(**DETAILS)

    answer = client.post("/me/bind", data={**RIGHT, "phone": "+86 138-0000 1234"})

    assert answer.status_code == 303


def test_somebody_new_is_asked_for_three_things(client, visitor):
    page = client.get("/me/bind").text

    assert [page.count(f'name="{field}"') for field in ("name", "phone", "id_tail")] == [1, 1, 1]
    assert 'role="alert"' not in page


def test_one_who_is_bound_has_nothing_to_fill_in(client, me):
    assert client.get("/me/bind").location == "/me/payslips"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "  ", "请填写姓名"),
        ("name", "静" * 41, "请填写姓名"),
        ("phone", "1380000123", "手机号应是 11 位数字"),
        ("phone", "一三八", "手机号应是 11 位数字"),
        ("id_tail", "07453", "最后六位"),
        ("id_tail", "X74530", "最后六位"),
    ],
)
def test_a_field_that_is_wrong_gets_its_own_sentence(client, visitor, field, value, sentence):
    answer = client.post("/me/bind", data={**RIGHT, field: value})

    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 1
    assert sentence in answer.text


def test_an_empty_form_gets_a_sentence_for_each_field(client, visitor):
    answer = client.post("/me/bind", data={})

    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 3


@pytest.mark.parametrize(
    "wrong", [{"name": "陈晶"}, {"phone": "13800009999"}, {"id_tail": "999999"}]
)
def test_a_mismatch_does_not_tell_which_of_the_three_it_was(client, visitor, session, wrong):
    make_employee(**DETAILS)

    answer = client.post("/me/bind", data=RIGHT | wrong)

    assert answer.status_code == 422
    assert "信息对不上" in answer.text
    assert 'aria-invalid="true"' not in answer.text
    assert count_bindings(session) == 0


def test_the_sixth_try_within_an_hour_is_locked(client, visitor, session):
    make_employee(**DETAILS)
    for _ in range(5):
        client.post("/me/bind", data={**RIGHT, "id_tail": "999999"})

    answer = client.post("/me/bind", data=RIGHT)

    assert answer.status_code == 429
    assert "已暂停绑定" in answer.text
    assert count_bindings(session) == 0


def test_somebody_with_another_wechat_is_told_whom_to_ask(client, visitor, account, session):
    make_binding(make_employee(**DETAILS), account)

    answer = client.post("/me/bind", data=RIGHT)

    assert answer.status_code == 409
    assert "联系单位人事先解除绑定" in answer.text
    assert count_bindings(session) == 1


def test_what_was_typed_comes_back_escaped_and_without_the_id_number(client, visitor):
    answer = client.post(
        "/me/bind", data={"name": '"><script>x</script>', "phone": "1", "id_tail": "074530"}
    )

    assert "<script>x" not in answer.text
    assert "&#34;&gt;&lt;script&gt;x" in answer.text
    assert "074530" not in answer.text


def test_a_form_without_its_token_binds_nobody(client_with_csrf, account, session):
    make_employee(**DETAILS)
    identity = make_binding(make_employee(), account)
    client_with_csrf.sign_in("/me", identity_id=identity.id, account=account.id)

    answer = client_with_csrf.post("/me/bind", data=RIGHT)

    assert answer.status_code == 400
    assert "请刷新后重新提交" in answer.text
    assert count_bindings(session) == 1


def test_the_account_page_shows_who_is_bound_and_masks_them(client, me, somebody):
    page = client.get("/me/account").text

    assert "陈*" in page
    assert "138****1234" in page
    assert "陈静" not in page
    assert "13800001234" not in page
    assert "解除绑定" in page


def test_binding_is_audited_without_names(client, visitor, session):
    make_employee(**DETAILS)
    client.post("/me/bind", data=RIGHT)

    event = session.scalars(select(AuditEvent)).one()

    assert event.action == "directory.employee.bound"
    assert event.details == {"identity": visitor.id}
