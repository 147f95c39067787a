"""Payslips: read by their owner, by nobody else, whatever stands in them."""

import gzip
import re

import pytest
from sqlalchemy import func, select

from core.clock import utc_now
from domain.audit.models import AuditEvent
from domain.payroll.models import BatchStatus, PayslipQuestion, QuestionMessage
from domain.payroll.sheets.report import Item
from tests.counting import count_queries
from tests.factories import ITEMS, make_batch, make_payslip, make_question

MOST_QUERIES = 6
SCRIPT = "<script>alert(1)</script>"


def actions(session):
    return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def stored(session, slip):
    session.refresh(slip)
    return slip


def items(count):
    return tuple(Item(f"津贴{n}", "", "earning", "100", 10000) for n in range(count))


# --- the list -------------------------------------------------------------------------------


def test_the_list_shows_ones_own_slips_of_a_year(client, me, somebody):
    make_payslip(me.employee, period="2026-03", net_fen=712050)
    make_payslip(me.employee, period="2025-12", net_fen=999900)
    make_payslip(somebody().employee, net_fen=123456)

    page = client.get("/me/payslips").text

    assert "2026年3月" in page
    assert "7,120.50" in page
    assert "2025年12月" not in page
    assert "1,234.56" not in page
    assert 'href="/me/payslips?year=2025"' in page


def test_another_year_is_one_tap_away(client, me):
    for year in ("2026", "2024", "2025"):
        make_payslip(me.employee, period=f"{year}-02")

    page = client.get("/me/payslips?year=2025").text

    assert "2025年2月" in page
    assert 'href="/me/payslips?year=2024"' in page
    assert 'href="/me/payslips?year=2026"' in page


@pytest.mark.parametrize("year", ["1999", "0", "-3", "20261", "abc", "'"])
def test_a_year_without_slips_shows_the_newest(client, me, year):
    make_payslip(me.employee)

    answer = client.get("/me/payslips", query_string={"year": year})

    assert "2026年3月" in answer.text


def test_somebody_without_slips_is_told_what_will_happen(client, me):
    page = client.get("/me/payslips").text

    assert "还没有工资条" in page
    assert "会在微信里收到通知" in page


def test_the_list_says_what_has_been_read_and_confirmed(client, me):
    make_payslip(me.employee, period="2026-01", read_at=utc_now(), confirmed_at=utc_now())
    make_payslip(me.employee, period="2026-02", read_at=utc_now())
    make_payslip(me.employee, period="2026-03")

    page = client.get("/me/payslips").text

    assert re.findall("未读|已读|已确认", page) == ["未读", "已读", "已确认"]


def test_amounts_of_the_list_are_covered_at_first(client, me):
    slip = make_payslip(me.employee)

    assert 'data-amounts-at-first="hidden"' in client.get("/me/payslips").text
    assert 'data-amounts-at-first="shown"' in client.get(f"/me/payslips/{slip.id}").text


def test_the_list_asks_as_much_for_one_slip_as_for_three(client, me):
    seen = []
    for _ in range(2):
        make_payslip(me.employee)
        with count_queries() as statements:
            client.get("/me/payslips")
        seen.append(statements.count)

    assert seen[0] == seen[1]


# --- one slip -------------------------------------------------------------------------------


def test_opening_a_slip_shows_every_line_and_notes_it_as_read(client, me, session):
    slip = make_payslip(me.employee)

    page = client.get(f"/me/payslips/{slip.id}").text

    for said in ("7,120.50", "基本工资", "6,000.00", "应发合计", "养老保险", "高温补贴", "22天"):
        assert said in page
    assert stored(session, slip).read_at is not None
    assert actions(session) == ["payroll.payslip.opened"]


def test_the_sheets_warnings_and_its_row_are_not_the_employees_business(client, me):
    page = client.get(f"/me/payslips/{make_payslip(me.employee).id}").text

    assert "工资表" not in page
    assert "陈静" not in page  # masked, on a screen others may see


def test_lines_of_zero_are_folded_away_and_not_lost(client, me):
    slip = make_payslip(me.employee)

    page = client.get(f"/me/payslips/{slip.id}").text

    assert 'data-zeros="hidden"' in page
    assert "本月有 1 项为 0" in page
    assert re.findall(r'<details class="line *" data-zero', page)
    assert "高温补贴" in page


def test_a_slip_without_zeros_has_no_switch(client, me):
    slip = make_payslip(me.employee, items=items(3))

    assert "data-hides-zeros" not in client.get(f"/me/payslips/{slip.id}").text


def test_a_group_of_nothing_but_zeros_is_folded_away_whole(client, me):
    nothing = ITEMS[4]._replace(amount_fen=0, text="0")
    slip = make_payslip(me.employee, items=(ITEMS[0], nothing))

    assert re.search(r"<div data-zero>\s*<section", client.get(f"/me/payslips/{slip.id}").text)


def test_subtotals_stand_out_where_the_sheet_has_them(client, me):
    headed = tuple(
        Item(name, "应发项目", kind, "1", 100)
        for name, kind in (
            ("基本工资", "earning"),
            ("应发项目/小计", "total"),
            ("补发", "earning"),
        )
    )
    slip = make_payslip(me.employee, items=headed)

    page = client.get(f"/me/payslips/{slip.id}").text

    names = re.findall(r'class="line__name">([^<]+)<', page)
    assert names == ["基本工资", "小计", "补发"]
    assert page.count("line--total") == 1
    assert page.count("应发项目") == 1


def test_totals_under_no_heading_close_what_stands_above(client, me):
    page = client.get(f"/me/payslips/{make_payslip(me.employee).id}").text

    assert re.findall(r'section__title">([^<]+)<', page) == ["应发", "扣款", "出勤及其他"]
    assert page.count("line--total") == 1


def test_a_sheet_that_begins_with_a_total_is_shown_too(client, me):
    slip = make_payslip(me.employee, items=(ITEMS[3], ITEMS[0]))

    page = client.get(f"/me/payslips/{slip.id}").text

    assert "应发合计" in page
    assert "基本工资" in page


@pytest.mark.parametrize("count", [5, 60])
def test_a_slip_takes_six_queries_whatever_its_size(client, me, count):
    slip = make_payslip(me.employee, items=items(count))
    for number in range(count % 4):
        make_question(slip, item=number)

    with count_queries() as first:
        page = client.get(f"/me/payslips/{slip.id}").text
    with count_queries() as again:
        client.get(f"/me/payslips/{slip.id}")

    assert page.count("<details") == count
    assert first.count <= MOST_QUERIES
    assert again.count <= first.count


@pytest.mark.parametrize("way", ["", "/ask"])
def test_somebody_elses_slip_is_not_found_and_the_try_is_audited(
    client, me, somebody, session, way
):
    slip = make_payslip(somebody().employee)

    answer = client.get(f"/me/payslips/{slip.id}{way}")

    assert answer.status_code == 404
    assert "没有找到这张工资条" in answer.text
    assert "撤回" not in answer.text  # what is published stays
    assert "7,120.50" not in answer.text
    assert 'href="/me/' in answer.text  # and where to go from here
    assert actions(session) == ["payroll.payslip.refused"]
    assert stored(session, slip).read_at is None


def test_a_stranger_can_neither_confirm_nor_ask(client, me, somebody, session):
    slip = make_payslip(somebody().employee)

    answers = [
        client.post(f"/me/payslips/{slip.id}/confirm"),
        client.post(f"/me/payslips/{slip.id}/ask", data={"text": "这是谁的？"}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert stored(session, slip).confirmed_at is None
    assert session.scalar(select(func.count(PayslipQuestion.id))) == 0
    assert actions(session) == ["payroll.payslip.refused"] * 2


def test_what_is_not_published_cannot_be_seen(client, me):
    draft = make_batch(period="2026-04", status=BatchStatus.DRAFT)
    slip = make_payslip(me.employee, draft)

    assert client.get(f"/me/payslips/{slip.id}").status_code == 404
    assert "2026年4月" not in client.get("/me/payslips").text


def test_a_slip_that_does_not_exist_reads_like_somebody_elses(client, me, somebody):
    other = make_payslip(somebody().employee)

    missing, foreign = client.get("/me/payslips/999999"), client.get(f"/me/payslips/{other.id}")

    def plain(answer):
        return re.sub(r"编号 \w+", "", answer.text)

    assert missing.status_code == foreign.status_code == 404
    assert plain(missing) == plain(foreign)


def test_one_person_on_two_rosters_sees_both(client, me, account):
    from tests.factories import make_binding, make_employee

    second = make_employee("/hq/bj/ent-2/")
    make_binding(second, account, me.identity)
    first_slip, second_slip = make_payslip(me.employee), make_payslip(second)

    page = client.get("/me/payslips").text

    assert f"/me/payslips/{first_slip.id}" in page
    assert f"/me/payslips/{second_slip.id}" in page


# --- confirming -----------------------------------------------------------------------------


def test_confirming_twice_is_confirming_once(client, me, session):
    slip = make_payslip(me.employee)

    for _ in range(2):
        answer = client.post(f"/me/payslips/{slip.id}/confirm")
        assert (answer.status_code, answer.location) == (303, f"/me/payslips/{slip.id}")

    assert actions(session) == ["payroll.payslip.confirmed"]
    page = client.get(f"/me/payslips/{slip.id}").text
    assert "您已于" in page
    assert "确认这张工资条" not in page


def test_a_confirmation_without_its_token_confirms_nothing(client_with_csrf, somebody, session):
    me = somebody()
    slip = make_payslip(me.employee)
    client_with_csrf.sign_in("/me", **me.session)

    answer = client_with_csrf.post(f"/me/payslips/{slip.id}/confirm")

    assert answer.status_code == 400
    assert stored(session, slip).confirmed_at is None


def test_a_confirmation_with_its_token_does(client_with_csrf, somebody, session):
    me = somebody()
    slip = make_payslip(me.employee)
    client_with_csrf.sign_in("/me", **me.session)
    page = client_with_csrf.get(f"/me/payslips/{slip.id}").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]

    answer = client_with_csrf.post(f"/me/payslips/{slip.id}/confirm", data={"csrf_token": token})

    assert answer.status_code == 303
    assert stored(session, slip).confirmed_at is not None


# --- questions ------------------------------------------------------------------------------


def test_a_line_can_be_asked_about(client, me, session):
    slip = make_payslip(me.employee)
    form = client.get(f"/me/payslips/{slip.id}/ask?item=4").text
    assert "养老保险" in form
    assert "624.00" in form

    answer = client.post(
        f"/me/payslips/{slip.id}/ask", data={"item": "4", "text": "为什么比上月多？"}
    )

    question = session.scalars(select(PayslipQuestion)).one()
    assert question.item == 4
    assert (answer.status_code, answer.location) == (303, f"/me/questions/{question.id}")
    thread = client.get(answer.location).text
    assert "为什么比上月多？" in thread
    assert "养老保险" in thread
    assert "待回复" in client.get(f"/me/payslips/{slip.id}").text


@pytest.mark.parametrize("item", ["", "99", "-1", "x"])
def test_a_line_that_is_none_means_the_whole_slip(client, me, session, item):
    slip = make_payslip(me.employee)

    assert "整张工资条" in client.get(f"/me/payslips/{slip.id}/ask?item={item}").text
    client.post(f"/me/payslips/{slip.id}/ask", data={"item": item, "text": "少了一天"})

    assert session.scalars(select(PayslipQuestion)).one().item is None


@pytest.mark.parametrize("text", ["", "  \n ", "问" * 501])
def test_a_question_without_words_or_with_too_many_is_sent_back(client, me, session, text):
    slip = make_payslip(me.employee)

    answer = client.post(f"/me/payslips/{slip.id}/ask", data={"item": "4", "text": text})

    assert answer.status_code == 422
    assert "不超过 500 字" in answer.text
    assert "养老保险" in answer.text
    assert session.scalar(select(func.count(PayslipQuestion.id))) == 0


def test_the_sixth_open_question_has_to_wait_and_its_words_are_kept(client, me, session):
    slip = make_payslip(me.employee)
    for _ in range(5):
        make_question(slip)

    answer = client.post(f"/me/payslips/{slip.id}/ask", data={"text": "还有一个问题"})

    assert answer.status_code == 409
    assert "等人事回复后再问" in answer.text
    assert "还有一个问题" in answer.text
    assert session.scalar(select(func.count(PayslipQuestion.id))) == 5


def test_the_answer_is_read_and_asked_on(client, me, session):
    slip = make_payslip(me.employee)
    question = make_question(slip, answer="按新基数缴纳。")
    assert "按新基数缴纳。" in client.get(f"/me/questions/{question.id}").text
    assert "已回复" in client.get(f"/me/payslips/{slip.id}").text

    answer = client.post(f"/me/questions/{question.id}", data={"text": "基数是多少？"})

    assert (answer.status_code, answer.location) == (303, f"/me/questions/{question.id}")
    page = client.get(answer.location).text
    assert page.index("按新基数缴纳。") < page.index("基数是多少？")
    assert "待回复" in page


def test_a_second_tap_asks_nothing_twice(client, me, session):
    slip = make_payslip(me.employee)
    form = {"item": "4", "text": "为什么比上月多？"}

    ways = [client.post(f"/me/payslips/{slip.id}/ask", data=form).location for _ in range(2)]
    for _ in range(2):
        client.post(ways[0], data={"text": "请尽快看一下"})

    assert ways[0] == ways[1]
    assert session.scalar(select(func.count(QuestionMessage.id))) == 2


def test_the_same_words_about_another_line_are_another_question(client, me, session):
    slip = make_payslip(me.employee)
    for item in ("4", "5"):
        client.post(f"/me/payslips/{slip.id}/ask", data={"item": item, "text": "怎么算的？"})

    assert session.scalar(select(func.count(PayslipQuestion.id))) == 2


def test_an_empty_follow_up_is_sent_back_with_the_thread(client, me):
    question = make_question(make_payslip(me.employee), answer="按新基数缴纳。")

    answer = client.post(f"/me/questions/{question.id}", data={"text": " "})

    assert answer.status_code == 422
    assert "按新基数缴纳。" in answer.text
    assert "没有发出" in answer.text


def test_somebody_elses_question_is_not_found(client, me, somebody, session):
    question = make_question(make_payslip(somebody().employee), "我的工资少了")

    answers = [
        client.get(f"/me/questions/{question.id}"),
        client.post(f"/me/questions/{question.id}", data={"text": "偷看"}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "我的工资少了" not in answers[0].text
    assert session.scalar(select(func.count(QuestionMessage.id))) == 1


def test_nothing_that_people_wrote_becomes_part_of_the_page(client, somebody, account):
    me = somebody(org_path="/hq/bj/ent-9/", name="<b>静", department=SCRIPT)
    client.sign_in("/me", **me.session)
    written = (Item(SCRIPT, SCRIPT, "earning", "1", 100), Item("备注", "", "info", SCRIPT, None))
    slip = make_payslip(me.employee, items=written)
    question = make_question(slip, SCRIPT, item=0, answer=SCRIPT)

    for path in (
        f"/me/payslips/{slip.id}",
        f"/me/payslips/{slip.id}/ask?item=0",
        f"/me/questions/{question.id}",
        "/me/account",
    ):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "&lt;script&gt;" in page


# --- what the phone gets --------------------------------------------------------------------


def weight(body):
    return len(gzip.compress(body))


def test_the_payslip_page_is_light(client, me):
    slip = make_payslip(me.employee, items=items(40))

    page = client.get(f"/me/payslips/{slip.id}")

    assets = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    weight_of_assets = 0
    for address in assets:
        with client.get(address) as asset:
            weight_of_assets += weight(asset.data)
            # The second visit brings the page alone: what it needs is kept for a year.
            assert "immutable" in asset.headers["Cache-Control"]
    assert len(assets) >= 6
    assert weight(page.data) <= 10_000
    assert weight(page.data) + weight_of_assets <= 60_000
    assert page.headers["Cache-Control"] == "no-store"


def test_pages_carry_no_inline_script_or_style_and_let_people_zoom(client, me):
    slip = make_payslip(me.employee)
    question = make_question(slip)

    for path in (
        "/me/payslips",
        f"/me/payslips/{slip.id}",
        f"/me/payslips/{slip.id}/ask",
        f"/me/questions/{question.id}",
        "/me/account",
    ):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page)
        assert "maximum-scale" not in page
        assert "user-scalable" not in page
