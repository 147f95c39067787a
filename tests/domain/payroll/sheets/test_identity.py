import pytest

from domain.payroll.sheets.identity import (
    State,
    is_valid_id,
    name_key,
    read_card,
    read_emp_no,
    read_id,
    read_phone,
)

from .people import id_no


@pytest.mark.parametrize(
    "text",
    [
        "15400000001",
        " 15400000001 ",
        "15400000001.0",
        "+86 15400000001",
        "8615400000001",
        "0086-154-0000-0001",
        "154-0000-0001",
        "154 0000 0001",
        "(154)00000001",
        "１５４" + "０" * 7 + "１",
        '="15400000001"',
        "'15400000001",
        "1.5400000001E+10",
        "154\u201000000001",
    ],
)
def test_a_phone_is_read_in_every_way_people_write_it(text):
    assert read_phone(text).state is State.GOOD
    assert read_phone(text).value == "15400000001"


@pytest.mark.parametrize(
    "text", ["1.54E+10", "1540000000", "154000000012", "0791-88888888", "12345678901", "待补"]
)
def test_half_a_phone_is_no_phone(text):
    assert read_phone(text).state is State.INVALID


@pytest.mark.parametrize("text", ["", "-", "—", "无", "/", "0"])
def test_a_dash_is_an_absent_phone(text):
    assert read_phone(text).state is State.ABSENT


def test_id_numbers_are_checked_to_the_last_character():
    good = id_no(1)

    assert is_valid_id(good)
    assert read_id(f" {good[:6]} {good[6:]} ").value == good
    assert read_id(f'="{good}"').value == good
    wrong = good[:-1] + ("1" if good[-1] != "1" else "2")
    assert read_id(wrong).state is State.INVALID
    assert read_id(id_no(1, "19901301")).state is State.INVALID


def test_a_small_x_is_the_check_digit_ten():
    number = next(id_no(n) for n in range(100) if id_no(n).endswith("X"))

    assert read_id(number.lower()).value == number


def test_an_old_fifteen_digit_number_is_the_same_number():
    good = id_no(1)

    assert read_id(good[:6] + good[8:17]).value == good


@pytest.mark.parametrize(
    "text", ["369999199002020000", "3.69999199002020E+17", "3.69999E+17", "369999199002020000.0"]
)
def test_digits_that_excel_dropped_are_lost_not_wrong(text):
    reading = read_id(text)

    assert reading.state is State.LOST
    assert id_no(1, "19900202").startswith(reading.value)


def test_a_long_card_as_a_number_is_lost_and_as_text_is_good():
    assert read_card("6.2290000000000E+18").state is State.LOST
    assert read_card("6229 0000 0000 0000 001").value == "6229000000000000001"
    assert read_card("见附件").state is State.INVALID


def test_staff_numbers_keep_their_zeros_and_lose_their_decimals():
    assert read_emp_no("000123").value == "000123"
    assert read_emp_no("123.0").value == "123"
    assert read_emp_no("A 001").value == "a001"


@pytest.mark.parametrize(
    "text",
    [
        "阿卜杜拉·买买提",
        "阿卜杜拉•买买提",
        "阿卜杜拉・买买提",
        "阿卜杜拉.买买提",
        "阿卜杜拉．买买提",
        "阿卜杜拉 买买提",
        " 阿卜杜拉‧买买提\u200b",
    ],
)
def test_middle_dots_and_spaces_do_not_make_another_name(text):
    assert name_key(text) == name_key("阿卜杜拉·买买提")


def test_different_names_stay_different():
    assert name_key("张伟") != name_key("张玮")
    assert name_key("张　伟") == name_key("张伟")
