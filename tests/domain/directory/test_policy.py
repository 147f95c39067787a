"""Pure rules of the directory, by table."""

from datetime import date

import pytest

from domain.directory import policy

DAY = date(2026, 3, 31)
EARLIER, LATER = date(2026, 3, 30), date(2026, 4, 1)


@pytest.mark.parametrize(
    ("joined", "left", "employed"),
    [
        (None, None, True),
        (DAY, None, True),
        (LATER, None, False),
        (None, DAY, True),
        (None, EARLIER, False),
        (EARLIER, LATER, True),
    ],
)
def test_the_first_and_the_last_working_day_count(joined, left, employed):
    assert policy.is_employed(joined, left, DAY) is employed


@pytest.mark.parametrize(
    ("id_no", "tail", "fits"),
    [
        ("11010119900307123X", "07123X", True),
        ("11010119900307123X", "07123x", True),
        ("11010119900307123x", "07123X", True),
        ("11010119900307123X", "071230", False),
        ("11010119900307123X", "7123X", False),
        ("11010119900307123X", "", False),
        ("123X", "123X", False),
        ("", "", False),
        ("11010119900307123X", "一二三四五六", False),
    ],
)
def test_an_id_numbers_end_is_six_characters_and_fits_whole(id_no, tail, fits):
    assert policy.fits_id_tail(id_no, tail) is fits


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张 伟", "张伟"),
        ("张\u3000伟 ", "张伟"),
        ("阿依古丽•买买提", "阿依古丽·买买提"),
        ("阿依古丽.买买提", "阿依古丽・买买提"),
    ],
)
def test_names_are_compared_without_spaces_and_with_one_middle_dot(one, other):
    assert policy.plain_name(one) == policy.plain_name(other)


def test_different_names_stay_different():
    assert policy.plain_name("张伟") != policy.plain_name("张伟·")


@pytest.mark.parametrize("slug", ["b", "ent-1042", "0", "a" * 40])
def test_a_slug_is_small_letters_digits_and_dashes(slug):
    assert policy.is_org_slug(slug)


@pytest.mark.parametrize("slug", ["", "-a", "A", "a_b", "a/b", "..", "南昌", "a%", "a\n", "a" * 41])
def test_anything_else_is_no_slug(slug):
    assert not policy.is_org_slug(slug)


SOUND = {"name": "demo-oa", "title": "示范公众号", "appid": "wx1"}
SOUND_KEYS = {"secret": "5ecre7", "token": "spamtest", "aes_key": "a" * 43}


def test_a_sound_account_has_no_fault():
    assert policy.account_fault(**SOUND) is None
    longest = {"title": "长" * 100, "appid": "w" * 64, "agentid": "1" * 64}
    assert policy.account_fault(**SOUND | longest) is None
    assert policy.keys_fault(**SOUND_KEYS) is None


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("name", "Demo", "名称"),
        ("name", "a", "名称"),
        ("appid", "", "appid"),
        ("appid", " ", "appid"),
        ("appid", "w" * 65, "appid"),
        ("agentid", "1" * 65, "agentid"),
        ("title", "", "标题"),
        ("title", "长" * 101, "标题"),
    ],
)
def test_a_faulty_account_is_told_which_field(field, value, word):
    assert word in policy.account_fault(**SOUND | {field: value})


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("secret", "", "secret"),
        ("secret", " ", "secret"),
        ("token", "no spaces", "Token"),
        ("token", "ab", "Token"),
        ("aes_key", "a" * 42, "EncodingAESKey"),
        ("aes_key", "a" * 42 + "=", "EncodingAESKey"),
    ],
)
def test_faulty_secrets_are_told_which_field(field, value, word):
    assert word in policy.keys_fault(**SOUND_KEYS | {field: value})
