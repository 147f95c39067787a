import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import yuan, yuan_grouped
from domain.payroll.sheets.amounts import UNCACHED, Problem, read_amount
from domain.payroll.sheets.grid import number_text


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("6000", 600_000),
        ("6000.5", 600_050),
        ("6000.50", 600_050),
        ("1,234.50", 123_450),
        ("￥1,234.50", 123_450),
        ("¥ 1234.5元", 123_450),
        ("1234.50元", 123_450),
        ("人民币1234.50元整", 123_450),
        ("(200.00)", -20_000),
        ("（200.00）", -20_000),
        ("￥(1,200.00)", -120_000),
        ("-￥200", -20_000),
        ("－２００．５", -20_050),
        ("－200", -20_000),
        ("１２３４", 123_400),
        ("1，234.00", 123_400),
        ("3.6万", 3_600_000),
        ("3.6万元", 3_600_000),
        ("0", 0),
        ("0.00", 0),
        ("1234.5000", 123_450),
        ('="1234.50"', 123_450),
        ("'1234.50", 123_450),
        ("+50", 5_000),
        ("-0", 0),
    ],
)
def test_amounts_are_read_as_people_write_them(text, fen):
    assert read_amount(text) == fen


@pytest.mark.parametrize("text", ["", " ", "-", "—", "——", "--", "/", "无", "－"])
def test_a_dash_is_a_blank_and_not_a_zero(text):
    assert read_amount(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("待定", "BAD_AMOUNT"),
        ("12,34", "BAD_AMOUNT"),
        ("1.234,50", "BAD_AMOUNT"),
        ("123.456", "BAD_AMOUNT"),
        ("3.60001万", "3600010"),
        ("3.600001万", "3600001"),
        ("3.6000001万", "BAD_AMOUNT"),
        ("1 234", "BAD_AMOUNT"),
        ("5000+200", "BAD_AMOUNT"),
        ("(-200)", "BAD_AMOUNT"),
        ("1e5", "BAD_AMOUNT"),
        ("5千", "BAD_AMOUNT"),
        ("50%", "BAD_AMOUNT"),
        ("$100", "BAD_AMOUNT"),
        ("#REF!", "BAD_AMOUNT"),
        ("#DIV/0!", "BAD_AMOUNT"),
        (UNCACHED, "FORMULA_UNCACHED"),
        ("=SUM(B2:B9)", "LITERAL_TEXT"),
        ("<b>100</b>", "LITERAL_TEXT"),
        ("99999999999999999999", "BAD_AMOUNT"),
    ],
)
def test_what_is_not_exactly_one_amount_is_a_problem_with_a_sentence(text, code):
    found = read_amount(text)

    if isinstance(found, Problem):
        assert found.reason == code
        assert found.sentence
    else:
        assert str(found) == code


def test_the_noise_of_binary_sums_is_not_a_third_decimal():
    assert read_amount(number_text(0.1 + 0.2)) == 30
    assert read_amount(number_text(sum([0.1] * 37))) == 370
    assert isinstance(read_amount(number_text(275.862069)), Problem)
    assert isinstance(read_amount(number_text(0.125)), Problem)


@given(st.integers(-(10**11), 10**11))
def test_every_amount_survives_every_way_of_writing_it(fen):
    for text in (yuan(fen), yuan_grouped(fen), f"￥{yuan_grouped(fen)}元", number_text(fen / 100)):
        assert read_amount(text) == fen


@given(st.text(max_size=12))
def test_no_text_makes_the_reader_fail(text):
    assert read_amount(text) is None or isinstance(read_amount(text), int | Problem)
