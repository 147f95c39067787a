"""The roster at the desk: looked through, brought up to date, WeChats unbound."""

import io

import pytest
import xlsxwriter
from sqlalchemy import func, select

from core.db import transaction
from domain.directory.models import Employee, EmployeeBinding
from tests.channel.workbench.conftest import file
from tests.counting import count_queries
from tests.factories import make_binding, make_channel_account, make_employee, make_hr

HEADER = "emp_id,emp_no,name,phone,id_no,bank_card,dept,status"
SCRIPT = "<script>alert(1)</script>"


def roster(*rows):
    return "\n".join([HEADER, *rows]).encode()


def send(client, content, name="花名册.csv"):
    return client.post("/hr/roster/import", data={"roster": file(content, name)})


def report(client, answer):
    assert (answer.status_code, answer.location) == (303, "/hr/roster/report")
    return client.get(answer.location).text


def bindings(session):
    return session.scalar(select(func.count(EmployeeBinding.id)))


def test_an_empty_roster_says_how_to_begin(client, account):
    client.sign_in("/hr", user_id=make_hr().id)

    assert "花名册还是空的" in client.get("/hr/roster").text
    assert "先导入花名册" in client.get("/hr/").text


def test_numbers_of_people_are_masked(client, hr):
    make_employee(name="陈静", phone="13811112222", id_no="110101199003074530")

    page = client.get("/hr/roster").text

    assert "138****2222" in page
    assert "1101**********4530" in page
    for whole in ("13811112222", "110101199003074530", "6222021001123457890"):
        assert whole not in page


def test_the_roster_is_searched_by_name_and_comes_in_pages(client, hr):
    for number in range(51):
        make_employee(name=f"孙{number}")

    found = client.get("/hr/roster?name=张").text
    first = client.get("/hr/roster?name=孙").text

    assert "张三" in found
    assert "李四" not in found
    assert first.count('<th scope="row">孙') == 50
    assert "没有找到" in client.get("/hr/roster?name=%25").text


def test_the_list_costs_the_same_with_one_person_and_with_three(client, hr, account):
    make_binding(make_employee(name="孙一"), account)
    with count_queries() as one:
        client.get("/hr/roster?name=孙")
    make_binding(make_employee(name="孙二"), account)
    make_employee(name="孙三")
    with count_queries() as three:
        client.get("/hr/roster?name=孙")

    assert one.count == three.count


def test_somebody_bound_on_two_accounts_stands_there_once(client, hr, account):
    employee = make_employee(name="孙一")
    make_binding(employee, account)
    make_binding(employee, make_channel_account(name="second-oa"))

    page = client.get("/hr/roster").text

    assert page.count('<th scope="row">孙一') == 1


def test_another_enterprises_people_are_not_there(client, hr):
    make_employee("/hq/bj/ent-2/", name="孙别家")

    assert "孙别家" not in client.get("/hr/roster").text
    assert "孙别家" not in client.get("/hr/roster/choices?name=孙").text


def test_a_file_brings_the_roster_up_to_date_and_says_what_changed(client, hr, session):
    page = report(
        client,
        send(
            client,
            roster(
                "E-1,001,张三,13800000001,,,校办,在职",
                "E-2,002,李四,13800000002,,,生产部,离职",
                "E-7,007,赵七,13800000007,,,教务处,在职",
                "E-8,008,钱八,1380000,,,教务处,在职",
                ",,孙无号,13800000019,,,教务处,在职",
            ),
        ),
    )

    names = set(session.scalars(select(Employee.name)))
    assert names == {"张三", "李四", "赵七"}
    assert "第5行 手机号“*******”不是 11 位手机号" in page
    assert "第6行 没有员工标识或工号" in page


def test_a_roster_from_excel_is_read_as_well(client, hr, session):
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as workbook:
        page = workbook.add_worksheet()
        page.write_row(0, 0, ["工号", "姓名", "手机号", "部门"])
        page.write_row(1, 0, ["009", "郑九", "13800000009", "校办"])

    report(client, send(client, book.getvalue(), "花名册.xlsx"))

    assert "郑九" in set(session.scalars(select(Employee.name)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "没有收到花名册"),
        (b"%PDF-1.7", "PDF"),
        ("今天天气很好".encode(), "没有找到花名册的表头"),
        (HEADER.encode(), "没有人员"),
    ],
    ids=["empty", "pdf", "prose", "header-only"],
)
def test_a_wrong_file_is_refused_on_the_page_and_changes_nobody(
    client, hr, session, content, sentence
):
    answer = send(client, content)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert session.scalar(select(func.count(Employee.id))) == 2


def test_a_file_with_nothing_but_bad_rows_is_reported_row_by_row(client, hr):
    page = report(client, send(client, roster("E-8,008,钱八,1380000,,,教务处,在职")))

    assert "手机号“*******”" in page


def test_a_row_with_several_faults_is_one_line_and_shows_no_whole_number(client, hr):
    page = report(client, send(client, roster("E-8,008,钱八,1380000,36999919821026009,,,借调")))

    assert page.count("第2行") == 1
    assert "手机号“*******”不是 11 位手机号，请改正；身份证号“3699*********6009”不对" in page
    assert "36999919821026009" not in page


def test_a_refused_file_is_named_and_spoken_of_as_a_table(client, hr):
    answer = send(client, b"PK\x03\x04broken", "员工.xlsx")

    assert "花名册没有导入" in answer.text
    assert "花名册“员工.xlsx”读不了：文件不完整" in answer.text
    assert "工资表" not in answer.text.split("花名册没有导入")[1].split("columns")[0]


def test_names_in_a_file_are_text_and_never_markup(client, hr):
    report(client, send(client, roster(f"E-9,009,{SCRIPT},13800000009,,,{SCRIPT},在职")))

    assert SCRIPT not in client.get("/hr/roster").text
    assert SCRIPT not in client.get("/hr/roster/choices?name=<").text


def test_the_report_is_gone_with_the_session(client, hr):
    assert client.get("/hr/roster/report").location == "/hr/roster"


def test_the_template_opens_in_excel_and_can_be_imported(client, hr, session):
    template = client.get("/hr/roster/template.csv")

    assert template.data.startswith(b"\xef\xbb\xbf")
    assert "姓名,手机号,身份证号" in template.text
    assert "没有导入的行" not in report(client, send(client, template.data))
    assert session.scalar(select(func.count(Employee.id))) == 3


def test_a_wechat_is_unbound_after_a_question(client, hr, account, session):
    employee = make_employee(name="陈静")
    make_binding(employee, account)
    assert "解除 陈静 的微信绑定？" in client.get("/hr/roster").text

    answer = client.post(f"/hr/roster/{employee.id}/unbind", data={"name": "陈"})

    assert "已解除绑定" in client.get(answer.location).text
    assert "name=" in answer.location
    assert bindings(session) == 0


def test_nobody_unbinds_another_enterprises_people(client, hr, account, session):
    stranger = make_employee("/hq/bj/ent-2/")
    make_binding(stranger, account)

    assert client.post(f"/hr/roster/{stranger.id}/unbind").status_code == 404
    assert bindings(session) == 1


def test_people_to_choose_from_tell_namesakes_apart(client, hr):
    make_employee(name="刘洋", department="体育组", emp_no="T1")
    left = make_employee(name="刘洋", department="后勤处", emp_no="")
    with transaction() as session:
        employee = session.get_one(Employee, left.id)
        employee.emp_no, employee.left_on = "", employee.joined_on

    page = client.get("/hr/roster/choices?name=刘").text

    assert "刘洋 · 体育组" in page
    assert "工号 T1" in page
    assert f"标识 {left.emp_id}，已离职" in page
    assert "没有姓名以“周”开头" in client.get("/hr/roster/choices?name=周").text
    assert client.get("/hr/roster/choices").text.strip() == ""
