"""Payrolls at the desk: uploaded, reviewed, published, followed up."""

import re
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from channel.workbench.desk import share_in_words
from channel.workbench.held import REASONS
from core.clock import china_time, utc_now
from core.db import transaction
from core.queues import Job
from domain.audit.models import AuditEvent
from domain.directory.access import Role
from domain.directory.models import ChannelAccount
from domain.payroll import service
from domain.payroll.models import BatchStatus, HeldRow, HeldStatus, PayrollBatch, Payslip
from domain.payroll.sheets import Item, Reason
from domain.pushes.campaigns import prepare
from domain.pushes.models import Campaign, MessageKind, Push, PushStatus
from tests.channel.workbench.conftest import LI, STRANGER, ZHANG, file, sheet
from tests.counting import count_queries
from tests.factories import (
    make_batch,
    make_binding,
    make_channel_account,
    make_employee,
    make_hr,
    make_payslip,
    make_push,
    make_question,
    make_user,
)

SCRIPT = "<script>alert(1)</script>"
HTMX = {"HX-Request": "true"}


def upload(client, content, name="三月工资.csv", **fields):
    return client.post("/hr/payroll/new", data={"sheet": file(content, name), **fields})


def follow(client, answer):
    assert answer.status_code == 303
    return client.get(answer.location).text


def batch_of(session, batch_id):
    return session.get_one(PayrollBatch, batch_id, populate_existing=True)


# --- upload ---------------------------------------------------------------------------------


def test_a_sheet_is_taken_in_and_its_page_shows_the_progress(client, hr, session, queue):
    answer = upload(client, sheet(ZHANG), period="2026-02")

    batch = session.scalars(select(PayrollBatch)).one()
    assert answer.location == f"/hr/payroll/{batch.id}"
    assert (batch.period, batch.file_name) == ("2026-02", "三月工资.csv")
    assert queue.args(Job.READ_PAYROLL_SHEET) == [(batch.id,)]
    service.note_progress(batch.id, 412, 643)
    page = client.get(answer.location).text
    assert "正在识别" in page
    assert "412 / 643" in page


def test_the_progress_turns_into_the_review_by_itself(client, hr, session):
    batch_id = int(upload(client, sheet(ZHANG)).location.rsplit("/", 1)[1])
    progress = f"/hr/payroll/{batch_id}/progress"
    assert "hx-get" in client.get(progress, headers=HTMX).text

    service.read_sheet(batch_id)
    answer = client.get(progress, headers=HTMX)

    assert answer.headers["HX-Retarget"] == "#main"
    assert "<html" not in answer.text
    assert "发布给 1 人" in answer.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "“a.csv”是空文件"), (None, "没有收到文件")],
    ids=["empty", "none"],
)
def test_an_upload_without_content_is_refused_on_the_page(client, hr, session, content, sentence):
    data = {} if content is None else {"sheet": file(content, "a.csv")}
    answer = client.post("/hr/payroll/new", data=data)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert session.scalars(select(PayrollBatch)).all() == []


def test_the_same_file_twice_leads_to_the_first(client, hr, session):
    first = upload(client, sheet(ZHANG))

    answer = upload(client, sheet(ZHANG), name="三月工资(1).csv")

    assert answer.status_code == 409
    assert "已经上传过" in answer.text
    assert f'href="{first.location}"' in answer.text
    assert len(session.scalars(select(PayrollBatch)).all()) == 1


def test_a_file_over_the_limit_is_refused_in_words(client, hr, app: Flask, monkeypatch):
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1000)

    answer = upload(client, b"x" * 5000)

    assert answer.status_code == 413
    assert "文件太大" in answer.text


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7 not a sheet", b"PK\x03\x04broken", b"\x00\x01\x02", "今天天气很好".encode()],
    ids=["pdf", "truncated", "binary", "prose"],
)
def test_a_file_that_is_no_payroll_says_why_and_what_to_do(client, hr, content):
    location = upload(client, content, name="文件.xlsx").location
    service.read_sheet(int(location.rsplit("/", 1)[1]))

    page = client.get(location)

    assert page.status_code == 200
    assert "这份文件没有读成" in page.text
    assert "重新上传" in page.text


def test_refused_files_are_put_away_after_a_day(client, hr):
    with time_machine.travel(utc_now() - timedelta(days=2)):
        make_batch(status=BatchStatus.REFUSED, period="2025-11")
    make_batch(status=BatchStatus.REFUSED, period="2026-02")

    page = client.get("/hr/payroll").text
    put_away = client.get("/hr/payroll?refused=1").text

    assert "2026年2月" in page
    assert "2025年11月" not in page
    assert "没有读成的 1 份文件" in page
    assert "2025年11月" in put_away
    assert "2026年2月" not in put_away


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [(0, 0, ""), (0, 9, "0 %"), (1, 20000, "<0.1 %"), (512, 643, "79.6 %"), (4, 4, "100 %")],
)
def test_a_share_is_neither_none_nor_all_while_it_is_some(part, whole, words):
    assert share_in_words(part, whole) == words


def test_a_file_name_is_text_and_never_markup(client, hr):
    location = upload(client, sheet(ZHANG), name=f"{SCRIPT}.csv").location

    for path in (location, "/hr/payroll", "/hr/"):
        assert SCRIPT not in client.get(path).text


# --- review ---------------------------------------------------------------------------------


def test_a_draft_shows_what_is_ready_and_what_is_held(client, read):
    page = client.get(f"/hr/payroll/{read(ZHANG, STRANGER)}").text

    assert "5,900.00" in page
    assert "花名册里没有「赵六」" in page
    assert "查无此人" in page
    assert "第 4 行" in page
    assert "139****0009" not in page
    assert "138****0009" in page
    assert "发布给" not in page


def test_every_reason_has_its_words():
    assert set(REASONS) == set(Reason)
    assert not any(words.isascii() for words in REASONS.values())


def test_a_held_row_shows_the_amounts_that_made_it_up(client, read):
    page = client.get(f"/hr/payroll/{read('001,张三,13800000001,5260.8,5560.80,-300')}").text

    read_cells = page.split('class="held__read"')[1].split("</dl>")[0]
    assert "实发是负数 -300.00" in page
    for amount in ("5,260.80", "5,560.80", "-300.00"):
        assert amount in read_cells


def test_a_held_row_leaves_out_zeros_but_not_a_missing_net(client, read):
    page = client.get(f"/hr/payroll/{read('001,张三,13800000001,0,0,')}").text

    read_cells = page.split('class="held__read"')[1].split("</dl>")[0]
    assert "基本工资" not in read_cells
    assert "没有填" in read_cells


def test_a_name_in_a_sheet_is_text_and_never_markup(client, read):
    page = client.get(f"/hr/payroll/{read(ZHANG, f'009,{SCRIPT},13800000009,1,0,1')}").text

    assert SCRIPT not in page
    assert "&lt;script&gt;" in page


def test_a_corrected_row_joins_the_batch(client, session, read, held):
    batch_id = read(ZHANG, "002,李思,13800000002,5000.00,0,5000.00")
    [held_id] = held(batch_id)

    page = follow(
        client, client.post(f"/hr/payroll/{batch_id}/rows/{held_id}", data={"cell:姓名": "李四"})
    )

    assert "这一行已对上" in page
    assert "发布给 2 人" in page


def test_a_row_goes_to_whom_hr_chose(client, session, read, held):
    batch_id = read(ZHANG, ",李四,,5000.00,0,5000.00")
    [held_id] = held(batch_id)

    follow(client, client.post(f"/hr/payroll/{batch_id}/rows/{held_id}", data={"emp_id": "E-2"}))

    assert held(batch_id) == []
    assert session.get_one(HeldRow, held_id).status is HeldStatus.SETTLED


def test_a_row_that_still_does_not_fit_says_so(client, read, held):
    batch_id = read(ZHANG, STRANGER)
    [held_id] = held(batch_id)

    answer = client.post(f"/hr/payroll/{batch_id}/rows/{held_id}", data={"cell:姓名": "钱七"})

    assert "还不能发：花名册里没有「钱七」" in follow(client, answer)
    assert held(batch_id) == [held_id]


def test_a_second_slip_for_one_person_is_refused_in_words(client, read, held):
    batch_id = read(ZHANG, STRANGER)
    [held_id] = held(batch_id)

    answer = client.post(f"/hr/payroll/{batch_id}/rows/{held_id}", data={"emp_id": "E-1"})

    assert "来自“三月工资”第 3 行。请改选另一个人" in follow(client, answer)


def test_several_rows_are_left_out_at_once_and_once_only(client, read, held):
    batch_id = read(ZHANG, STRANGER, "010,钱七,13800000010,1.00,0,1.00")
    chosen = {"held_id": held(batch_id)}

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/rows/leave-out", data=chosen))
    again = follow(client, client.post(f"/hr/payroll/{batch_id}/rows/leave-out", data=chosen))

    assert "2 行不发工资条" in page
    assert "发布给 1 人" in page
    assert "0 行不发工资条；2 行刚刚已经处理过" in again


def test_a_row_sent_twice_is_left_out_once_and_decided_ones_are_counted(client, hr, read, held):
    batch_id = read(ZHANG, STRANGER, "010,钱七,13800000010,1.00,0,1.00")
    first, second = held(batch_id)
    service.leave_out(hr, second)

    page = follow(
        client,
        client.post(
            f"/hr/payroll/{batch_id}/rows/leave-out", data={"held_id": [first, first, second]}
        ),
    )

    assert "1 行不发工资条；1 行刚刚已经处理过" in page
    assert held(batch_id) == []


def test_a_row_left_out_is_listed_masked_and_brought_back(client, hr, read, held):
    batch_id = read(ZHANG, STRANGER)
    [held_id] = held(batch_id)
    leave_out = f"/hr/payroll/{batch_id}/rows/leave-out"

    page = follow(client, client.post(leave_out, data={"held_id": held_id}))

    assert "不发的行" in page
    listed = page.split('id="left-out"')[1]
    for words in ("三月工资 第 4 行", "姓名 赵六", "实发工资 4,000.00", "查无此人", hr.name):
        assert words in listed
    assert "13800000009" not in listed
    assert "发布后不能撤回。另有 1 行不发，发布后不能再恢复。" in page

    restore = f"/hr/payroll/{batch_id}/rows/restore"
    page = follow(client, client.post(restore, data={"held_id": held_id}))

    assert "1 行已恢复，请重新核对" in page
    assert "不发的行" not in page
    assert held(batch_id) == [held_id]


def test_all_rows_left_out_are_brought_back_at_once(client, read, held):
    batch_id = read(STRANGER, "010,钱七,13800000010,1.00,0,1.00")
    ids = held(batch_id)
    chosen = {"held_id": ids}
    page = follow(client, client.post(f"/hr/payroll/{batch_id}/rows/leave-out", data=chosen))
    assert "请在下面恢复要发的行" in page
    offered = re.findall(r'type="hidden" name="held_id" value="(\d+)"', page)
    assert offered == [str(one) for one in ids]

    client.post(f"/hr/payroll/{batch_id}/rows/restore", data={"held_id": offered})

    assert held(batch_id) == ids


def test_rows_left_out_cost_the_same_with_one_row_and_with_three(client, hr, read, held):
    strangers = [f"01{n},钱{n},1380000001{n},1.00,0,1.00" for n in range(3)]
    one, three = read(STRANGER, title="2026年2月工资表"), read(*strangers)
    for held_id in (*held(one), *held(three)):
        service.leave_out(hr, held_id)

    with count_queries() as few:
        client.get(f"/hr/payroll/{one}")
    with count_queries() as many:
        client.get(f"/hr/payroll/{three}")

    assert few.count == many.count


def test_leaving_out_nothing_changes_nothing(client, read, held):
    batch_id = read(ZHANG, STRANGER)

    answer = client.post(f"/hr/payroll/{batch_id}/rows/leave-out")

    assert "请先选中" in follow(client, answer)
    assert len(held(batch_id)) == 1


def test_a_missing_month_is_asked_for(client, session, read):
    batch_id = read(ZHANG, title="工资表")
    assert "这是哪个月的工资" in client.get(f"/hr/payroll/{batch_id}").text

    answer = client.post(f"/hr/payroll/{batch_id}/period", data={"period": "2026-03"})

    assert "2026年3月" in follow(client, answer)
    assert batch_of(session, batch_id).period == "2026-03"
    nonsense = client.post(f"/hr/payroll/{batch_id}/period", data={"period": "春天"})
    assert "没有读出这是哪个月" in follow(client, nonsense)


def test_a_draft_can_be_looked_at_as_an_employee(client, session, read):
    batch_id = read(ZHANG)
    slip = session.scalars(select(Payslip)).one()
    assert f"/hr/payroll/slips/{slip.id}" in client.get(f"/hr/payroll/{batch_id}/slips").text

    page = client.get(f"/hr/payroll/slips/{slip.id}").text

    assert "张三" in page
    assert "基本工资" in page
    assert "这是预览" in page
    assert "payroll.payslip.looked_at" in session.scalars(select(AuditEvent.action)).all()
    assert session.get_one(Payslip, slip.id, populate_existing=True).read_at is None


def test_hr_sees_a_slip_as_its_employee_does(client, hr):
    items = (
        Item("应发项目/小计", "应发项目", "total", "1", 100),
        Item("补贴", "应发项目", "earning", "", None),
        Item("备注", "", "info", "", None),
    )
    slip = make_payslip(make_employee(), items=items)

    page = client.get(f"/hr/payroll/slips/{slip.id}").text

    assert re.findall(r'class="line__name">([^<]+)<', page) == ["小计", "补贴"]
    assert "本月有 1 项为 0" in page
    assert "对这一项提问" not in page


def test_a_discarded_draft_is_gone_and_its_file_may_come_again(client, session, read):
    batch_id = read(ZHANG)
    slip_id = session.scalars(select(Payslip.id)).one()

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/discard"))

    assert "这一批已放弃" in page
    assert batch_of(session, batch_id).status is BatchStatus.DISCARDED
    assert "这一批已经放弃" in client.get(f"/hr/payroll/{batch_id}").text
    assert "没有发布就已放弃" in client.get(f"/hr/payroll/slips/{slip_id}").text
    assert upload(client, sheet(ZHANG)).status_code == 303


# --- publishing -----------------------------------------------------------------------------


def test_publishing_asks_first_and_says_how_many_will_be_told(client, read):
    page = client.get(f"/hr/payroll/{read(ZHANG, LI)}").text

    assert "发布给 2 人？" in page
    assert "2 位员工可以查看" in page


def test_publishing_writes_the_ledger_and_jobs_follow_the_commit(client, session, queue, read):
    batch_id = read(ZHANG, LI)
    queue.clear()

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/publish"))

    assert "已发布，通知正在发出" in page
    assert "正在准备名单" in page
    campaign = session.scalars(select(Campaign)).one()
    assert campaign.key == f"payroll:{batch_id}"
    assert not campaign.is_gradual
    assert queue.args(Job.PREPARE_CAMPAIGN) == [(campaign.id,)]
    prepare(campaign.id)
    assert len(session.scalars(select(Push)).all()) == 2
    assert "2 条待发" in client.get(f"/hr/payroll/{batch_id}/figures").text


def test_a_notice_may_wait_and_begin_with_a_few_while_the_slips_are_there(client, session, read):
    batch_id = read(ZHANG, LI)
    later = (china_time(utc_now()) + timedelta(days=1)).replace(hour=9, minute=30)
    form = {"notice_at": later.strftime("%Y-%m-%dT%H:%M"), "is_gradual": "1"}

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/publish", data=form))

    told = f"{later.month}月{later.day}日 09:30"
    assert f"员工现在就能查看；通知定在 {told} 发出" in page
    assert f"定在 {told} 开始发送" in page
    campaign = session.scalars(select(Campaign)).one()
    assert campaign.is_gradual
    assert china_time(campaign.starts_at) == later.replace(second=0, microsecond=0)
    assert session.scalars(select(Payslip.published_at)).all().count(None) == 0
    assert "every 15s" in page


@pytest.mark.parametrize("notice_at", ["2020-01-01T09:00", "2999-01-01T09:00", "0001-01-01T00:00"])
def test_a_notice_does_not_wait_for_a_wrong_time(client, session, read, notice_at):
    batch_id = read(ZHANG)

    answer = client.post(f"/hr/payroll/{batch_id}/publish", data={"notice_at": notice_at})

    assert "通知时间要在现在之后、7 天以内" in follow(client, answer)
    assert batch_of(session, batch_id).status is BatchStatus.DRAFT


def test_a_time_that_is_none_is_refused_in_words(client, session, read):
    batch_id = read(ZHANG)

    answer = client.post(f"/hr/payroll/{batch_id}/publish", data={"notice_at": "明天"})

    assert "填写的内容不对" in follow(client, answer)
    assert batch_of(session, batch_id).status is BatchStatus.DRAFT


def test_publishing_twice_tells_people_once(client, session, read):
    batch_id = read(ZHANG, LI)
    client.post(f"/hr/payroll/{batch_id}/publish")

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/publish"))

    assert "不能重复发布" in page
    assert len(session.scalars(select(Campaign)).all()) == 1


def test_publishing_without_an_official_account_says_whom_to_ask(
    client, hr, account, session, read
):
    batch_id = read(ZHANG)
    with transaction() as writing:
        writing.get_one(ChannelAccount, account.id).is_enabled = False
    client.sign_in("/hr", user_id=hr.id, account=make_channel_account("/elsewhere/").id)

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/publish"))

    assert "单位还没有开通公众号通知，请联系银行" in page
    assert batch_of(session, batch_id).status is BatchStatus.DRAFT


def test_publishing_waits_for_held_rows(client, session, read):
    batch_id = read(ZHANG, STRANGER)

    page = follow(client, client.post(f"/hr/payroll/{batch_id}/publish"))

    assert "还有 1 行没有处理" in page
    assert session.scalars(select(Campaign)).all() == []


# --- after publishing -----------------------------------------------------------------------


@pytest.fixture
def published(hr, account):
    """Two people: one was reached and has read, the other has no WeChat bound."""
    batch = make_batch()
    reached, unbound = make_employee(name="陈静"), make_employee(name="吴磊")
    make_payslip(reached, batch, read_at=utc_now(), confirmed_at=utc_now())
    make_question(make_payslip(unbound, batch))
    key = f"payroll:{batch.id}"
    make_push(reached, account, key=key, status=PushStatus.DELIVERED)
    failed = PushStatus.PERMANENT_FAILURE
    make_push(unbound, account, key=key, status=failed, reason="not-bound")
    return batch


def test_the_numbers_of_a_published_batch(client, published):
    page = client.get(f"/hr/payroll/{published.id}/figures", headers=HTMX).text

    assert "<html" not in page
    assert "every 15s" in page
    for words in ("1 人未送达", "50 %", "请尽快回复"):
        assert words in page


def test_the_numbers_come_often_while_messages_go_out(client, hr, account):
    batch = make_batch()
    employee = make_employee()
    make_payslip(employee, batch)
    push = make_push(employee, account, key=f"payroll:{batch.id}")

    assert "every 2s" in client.get(f"/hr/payroll/{batch.id}/figures").text
    with transaction() as session:
        sent = session.get_one(Push, push.id)
        sent.status, sent.sent_at = PushStatus.SENT, utc_now()
    assert "1 条在等平台的回执" in client.get(f"/hr/payroll/{batch.id}/figures").text


def test_the_recipients_are_asked_anew_once_the_numbers_rest(client, published):
    figures = f"/hr/payroll/{published.id}/figures"

    assert client.get(f"{figures}?moving=1").headers["HX-Trigger"] == "settled"
    assert "HX-Trigger" not in client.get(figures).headers
    assert "settled from:body" in client.get(f"/hr/payroll/{published.id}").text


def test_recipients_are_filtered_by_what_became_of_them(client, published):
    def names(query):
        page = client.get(f"/hr/payroll/{published.id}?{query}").text
        return [name for name in ("陈静", "吴磊") if f'<th scope="row">{name}</th>' in page]

    assert names("") == ["陈静", "吴磊"]
    assert names("only=undelivered") == names("only=unread") == ["吴磊"]
    assert names("only=unconfirmed") == ["吴磊"]
    assert names("name=陈") == ["陈静"]
    assert names("only=unread&name=陈") == []


def test_a_published_batch_leads_to_its_campaign(client, published, session):
    campaign = session.scalars(select(Campaign)).one()

    assert f'href="/hr/pushes/{campaign.id}"' in client.get(f"/hr/payroll/{published.id}").text


def test_who_has_not_read_is_reminded_once_in_a_while(client, published, session):
    remind = f"/hr/payroll/{published.id}/remind"
    page = client.get(f"/hr/payroll/{published.id}").text
    assert f'action="{remind}"' not in page
    assert "提醒未读的人：12 小时内已经通知过" in page
    assert "12 小时内已经通知过" in follow(client, client.post(remind))

    with time_machine.travel(utc_now() + timedelta(hours=13), tick=True):
        client.sign_in("/hr", user_id=make_hr().id)
        assert f'action="{remind}"' in client.get(f"/hr/payroll/{published.id}").text
        page = follow(client, client.post(remind))

    reminder = session.scalars(select(Campaign).order_by(Campaign.id.desc())).first()
    assert reminder.kind is MessageKind.PAYSLIP_REMINDER
    assert "正在提醒还没有查看的员工" in page
    assert f'href="/hr/pushes/{reminder.id}"' in page


def test_nobody_is_reminded_of_what_all_have_read(client, hr):
    batch = make_batch()
    make_payslip(make_employee(), batch, read_at=utc_now())

    assert 'data-opens="remind"' not in client.get(f"/hr/payroll/{batch.id}").text


def test_a_failed_push_says_why(client, published):
    assert "员工还没有绑定微信" in client.get(f"/hr/payroll/{published.id}").text


def test_long_lists_come_in_pages(client, hr):
    batch = make_batch(payslips=51)

    first = client.get(f"/hr/payroll/{batch.id}").text

    assert first.count("查看工资条") == 50
    assert "after=" in first
    for _ in range(51):
        make_batch(status=BatchStatus.DRAFT)
    assert "before=" in client.get("/hr/payroll").text


@pytest.mark.parametrize("path", ["/hr/payroll", "/hr/", "/hr/questions", "/hr/pushes"])
def test_lists_cost_the_same_with_one_row_and_with_three(client, hr, account, path):
    def batch_with_everything():
        employee = make_employee()
        make_binding(employee, account)
        make_question(make_payslip(employee))
        make_push(employee, account)

    batch_with_everything()
    with count_queries() as one:
        assert client.get(path).status_code == 200
    batch_with_everything()
    batch_with_everything()
    with count_queries() as three:
        assert client.get(path).status_code == 200

    assert one.count == three.count


def test_recipients_and_held_rows_cost_the_same_with_one_row_and_with_three(client, hr, read):
    strangers = [f"{n},钱{n},1380000010{n},1.00,0,1.00" for n in range(100, 103)]
    small, big = read(ZHANG, strangers[0]), read(ZHANG, *strangers)
    batches = [(small, big), (make_batch(payslips=1).id, make_batch(payslips=3).id)]

    for one_row, three_rows in batches:
        with count_queries() as one:
            client.get(f"/hr/payroll/{one_row}")
        with count_queries() as three:
            client.get(f"/hr/payroll/{three_rows}")
        assert one.count == three.count


# --- who may --------------------------------------------------------------------------------


def paths_of(batch, slip):
    return [
        f"/hr/payroll/{batch.id}",
        f"/hr/payroll/{batch.id}/progress",
        f"/hr/payroll/{batch.id}/figures",
        f"/hr/payroll/{batch.id}/slips",
        f"/hr/payroll/slips/{slip.id}",
    ]


def test_another_enterprises_payroll_does_not_exist(client, hr, account):
    batch = make_batch("/hq/bj/ent-2/", status=BatchStatus.DRAFT)
    slip = make_payslip(make_employee("/hq/bj/ent-2/"), batch)

    for path in paths_of(batch, slip):
        assert client.get(path).status_code == 404
    for verb in ("publish", "discard", "period"):
        answer = client.post(f"/hr/payroll/{batch.id}/{verb}", data={"period": "2026-01"})
        assert answer.status_code == 404
    assert batch.status is BatchStatus.DRAFT


def test_another_enterprises_held_row_does_not_exist(client, read, held):
    batch_id = read(ZHANG, STRANGER)
    [held_id] = held(batch_id)
    client.sign_in("/hr", user_id=make_hr("/hq/bj/ent-2/").id)

    path = f"/hr/payroll/{batch_id}/rows"

    assert client.post(f"{path}/{held_id}").status_code == 404
    assert client.post(f"{path}/leave-out", data={"held_id": held_id}).status_code == 404


@pytest.mark.parametrize("actor_path", ["/hq/bj/ent-1/", "/hq/"])
def test_who_may_not_is_told_what_they_may(client, hr, actor_path):
    batch = make_batch(status=BatchStatus.DRAFT)
    slip = make_payslip(make_employee(), batch)
    role = Role.FINANCE if "ent" in actor_path else Role.BANK_OPERATIONS
    client.sign_in("/hr", user_id=make_user(actor_path, role).id)

    for path in [*paths_of(batch, slip), "/hr/payroll", "/hr/payroll/new"]:
        answer = client.get(path)
        assert answer.status_code == 403
        if "figures" not in path:
            assert "您可以在这里" in answer.text
            assert 'href="/hr/payroll"' not in answer.text
    assert client.post(f"/hr/payroll/{batch.id}/publish").status_code == 403
    assert "您可以在这里" in client.get("/hr/").text


def test_a_form_without_its_token_changes_nothing(client_with_csrf, account, session):
    hr = make_hr()
    batch = make_batch(status=BatchStatus.DRAFT, payslips=1)
    client_with_csrf.sign_in("/hr", user_id=hr.id)

    for path in (f"/hr/payroll/{batch.id}/publish", "/hr/payroll/new", "/hr/signin/out"):
        answer = client_with_csrf.post(path)
        assert answer.status_code == 400
        assert "请刷新后重新提交" in answer.text
    assert batch_of(session, batch.id).status is BatchStatus.DRAFT


def test_nonsense_in_an_address_is_refused_and_never_an_error(client, hr):
    batch = make_batch()

    for path in (
        f"/hr/payroll/{batch.id}?only=nobody",
        f"/hr/payroll/{batch.id}?after=x",
        f"/hr/payroll?before={10**30}",
        "/hr/roster?after=-1",
    ):
        assert client.get(path).status_code == 422
    assert client.get("/hr/payroll/999999").status_code == 404
    assert client.get(f"/hr/payroll/{10**30}").status_code == 404
