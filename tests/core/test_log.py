"""Logs say what happened, never to whom."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.log import logger, request_id, setup_logging, strike


@pytest.fixture
def lines(log):
    """What has been written to the log so far, as objects."""
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_is_one_object_with_what_happened_and_ids(lines):
    logger.info("push sent", extra={"push_id": 7, "errcode": 0})

    (line,) = lines()
    assert (line["event"], line["push_id"], line["errcode"]) == ("push sent", 7, 0)
    assert (line["level"], line["logger"]) == ("info", "xinqiao")
    assert line["timestamp"].endswith("Z")


def test_a_request_is_known_by_its_id_on_every_line(lines):
    request_id.set("4f2a")
    logger.info("inside")
    request_id.set("")
    logger.info("outside")

    inside, outside = lines()
    assert inside["request_id"] == "4f2a"
    assert "request_id" not in outside


@pytest.mark.parametrize(
    "key",
    ["access_token", "secret", "password", "phone", "id_no", "bank_card", "name", "user_name",
     "amount", "net_pay_fen", "body", "cookie"],
)  # fmt: skip
def test_a_field_that_sounds_private_is_struck_whatever_it_holds(lines, key):
    logger.info("looked", extra={key: 612050} if key != "name" else {"full_name": "张伟"})

    (line,) = lines()
    assert "[struck]" in line.values()
    assert "612050" not in str(line)
    assert "张伟" not in str(line)


PRIVATE = [
    "13800000001",
    "11010119900307123X",
    "110101199003071234",
    "access_token=abc-DEF_123",
    "secret=5ecre7",
    "corpsecret=5ecre7",
    "js_code=021abc",
    "code=021abc",
]


@pytest.mark.parametrize("private", PRIVATE)
def test_private_text_is_struck_out_of_a_message_and_its_fields(lines, private):
    logger.warning("refused: %s.", private, extra={"detail": f"see {private} there"})

    (line,) = lines()
    hidden = private.split("=")[-1]
    assert hidden not in json.dumps(line)
    assert line["detail"].startswith("see ")
    assert line["detail"].endswith(" there")


@pytest.mark.parametrize("private", PRIVATE)
def test_private_text_is_struck_out_of_a_traceback(lines, private):
    def fail():
        raise RuntimeError(f"GET /cgi-bin/token?{private}")

    try:
        fail()
    except RuntimeError:
        logger.exception("request failed")

    (line,) = lines()
    assert private.split("=")[-1] not in json.dumps(line)
    assert "RuntimeError" in line["exception"]


@pytest.mark.parametrize("harmless", ["138000000012", "20260305140212", "msgid 2000000000000001"])
def test_longer_numbers_stay_readable(harmless):
    assert strike(harmless) == harmless


@given(st.from_regex(r"\A1[3-9][0-9]{9}\Z"), st.sampled_from(["", "手机", "tel:", "+86 ", "\n"]))
def test_no_phone_survives(phone, before):
    assert phone not in strike(f"{before}{phone} 请联系")


def test_a_librarys_lines_take_the_same_way(lines):
    logging.getLogger("alembic").info("to 13800000001")

    (line,) = lines()
    assert line["event"] == "to [struck]"


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "requests", "rq", "granian"])
def test_libraries_that_print_addresses_do_not_speak_below_a_warning(lines, name):
    setup_logging("DEBUG")

    assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert logging.getLogger(name).isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.DEBUG)
