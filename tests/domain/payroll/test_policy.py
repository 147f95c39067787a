from datetime import UTC, datetime, timedelta

import pytest

from domain.payroll.policy import moment_in_words, period_in_words, plain_period


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2026-03", "2026-03"),
        ("2026年3月", "2026-03"),
        (" 2026 年 03 月 ", "2026-03"),
        ("202612", "2026-12"),
        ("2026/1", "2026-01"),
        ("2026-13", ""),
        ("三月", ""),
        ("", ""),
        ("1926-03", ""),
    ],
)
def test_a_month_is_read_in_its_usual_spellings(text, period):
    assert plain_period(text) == period


def test_a_month_is_written_for_people():
    assert period_in_words("2026-03") == "2026年3月"
    assert period_in_words("") == ""


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (timedelta(minutes=5), "今天 12:05"),
        (timedelta(minutes=5, seconds=1), "今天 12:06"),
        (timedelta(hours=12), "明天 00:00"),
        (timedelta(days=2), "4月7日 12:00"),
    ],
)
def test_a_moment_is_written_for_people(wait, words):
    noon = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)

    assert moment_in_words(noon + wait, noon) == words
