"""Money, time, refusals and pages: the small values that everything is made of."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from core.clock import business_date, china_time, utc_now
from core.errors import BadInput, Conflict, NotFound
from core.money import parse_yuan, yuan, yuan_grouped
from core.paging import Page, page_of

# --- money ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("1234.5", 123450),
        ("1234.56", 123456),
        ("-0.01", -1),
        ("+7.00", 700),
        ("0.29", 29),
        ("999999999999999.99", 99999999999999999),
    ],
)
def test_yuan_become_fen_exactly(text, fen):
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    ["", " ", "1.234", "1,234.00", "￥1", "1e3", "NaN", "inf", ".5", "5.", "0x10", "1 ", "一"],
)
def test_anything_else_is_refused_and_never_rounded(text):
    with pytest.raises(ValueError, match="not an amount"):
        parse_yuan(text)


@given(st.integers(min_value=-(10**17) + 1, max_value=10**17 - 1))
def test_what_is_written_reads_back_as_the_same_amount(fen):
    assert parse_yuan(yuan(fen)) == fen
    assert parse_yuan(yuan_grouped(fen).replace(",", "")) == fen


@pytest.mark.parametrize(
    ("fen", "program", "people"),
    [
        (0, "0.00", "0.00"),
        (5, "0.05", "0.05"),
        (-5, "-0.05", "-0.05"),
        (123456789, "1234567.89", "1,234,567.89"),
    ],
)
def test_people_read_thousands_in_groups_and_programs_do_not(fen, program, people):
    assert (yuan(fen), yuan_grouped(fen)) == (program, people)


# --- time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 3, 31, 15, 59, 59, tzinfo=UTC), date(2026, 3, 31)),
        (datetime(2026, 3, 31, 16, 0, tzinfo=UTC), date(2026, 4, 1)),
        (datetime(2026, 4, 1, 0, 0, tzinfo=timezone(timedelta(hours=9))), date(2026, 3, 31)),
    ],
)
def test_the_day_changes_at_midnight_in_china(instant, day):
    assert business_date(instant) == day


def test_now_is_aware_and_today_is_chinas():
    with time_machine.travel(datetime(2026, 3, 31, 20, 0, tzinfo=UTC), tick=False):
        assert utc_now() == datetime(2026, 3, 31, 20, 0, tzinfo=UTC)
        assert business_date() == date(2026, 4, 1)


def test_a_naive_time_has_no_place_on_the_calendar():
    with pytest.raises(ValueError, match="naive"):
        china_time(datetime(2026, 3, 31))  # noqa: DTZ001 -- what is to be refused


# --- refusals -------------------------------------------------------------------------------


class PathTaken(Conflict):
    code, message = "path_taken", "路径 {path} 已经存在"


def test_a_refusal_has_a_sentence_for_people_and_a_code_for_programs():
    refusal = PathTaken(path="/hq/")

    assert (refusal.code, refusal.sentence, refusal.status) == (
        "path_taken",
        "路径 /hq/ 已经存在",
        409,
    )
    assert str(refusal) == "path_taken: 路径 /hq/ 已经存在"


def test_a_refusal_without_fields_keeps_its_braces():
    class Odd(BadInput):
        code, message = "odd", "不要写 {这样}"

    assert Odd().sentence == "不要写 {这样}"


def test_what_is_not_there_and_what_is_not_yours_sound_the_same():
    assert NotFound().status == 404


# --- pages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "rows", "cursor"),
    [([], [], None), ([1], [1], None), ([1, 2], [1, 2], None), ([1, 2, 3], [1, 2], 2)],
)
def test_a_page_knows_where_the_next_one_starts(found, rows, cursor):
    assert page_of(found, 2, lambda row: row) == Page(rows, cursor)
