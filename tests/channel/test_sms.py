"""Text messages: two gateways, what their answers mean, and the words."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from channel import bulk
from channel.message_texts import LONGEST_SMS, in_brief
from channel.sms import (
    Accepted,
    FileGateway,
    HttpGateway,
    NothingHeard,
    NotTaken,
    Refused,
    Sms,
    sms_gateway,
)
from core.settings import Settings
from domain.pushes.models import MessageKind, Route
from domain.pushes.policy import LADDERS
from tests.channel.sms_gateway import TOKEN, running_gateway, said

PHONE = "13800000001"
PARAMS = {"enterprise": "滨江实验学校", "period": "2026-03"}
NOW = datetime(2026, 3, 28, 3, 0, tzinfo=UTC)


def sms(message_id="5f2c-1a-0", phone=PHONE):
    return Sms(message_id, phone, "【测试银行】工资条已发布", NOW)


@pytest.fixture
def send():
    """Hand a message to a gateway, on the loop of this process."""
    yield lambda gateway, one=None: bulk.run(gateway.send(one or sms()))
    bulk.close()


# --- words ----------------------------------------------------------------------------------


def test_a_text_message_begins_with_who_sends_it_and_leads_to_the_account():
    text = in_brief(MessageKind.PAYSLIP_READY, PARAMS, "滨江农商银行")

    assert text == "【滨江农商银行】滨江实验学校2026年3月工资条已发布，请到微信公众号里查看。"


@pytest.mark.parametrize("length", [20, 30, 40, 200])
def test_a_long_name_does_not_make_two_messages_of_one(length):
    long = {**PARAMS, "enterprise": "滨" * length}

    text = in_brief(MessageKind.PAYSLIP_READY, long, "江西省农村信用社联合社工资服务")

    assert len(text) <= LONGEST_SMS
    assert text.endswith("2026年3月工资条已发布，请到微信公众号里查看。")


def test_a_sender_with_a_very_long_name_is_named_all_the_same():
    sender = "江" * 64

    text = in_brief(MessageKind.PAYSLIP_READY, PARAMS, sender)

    assert text.startswith(f"【{sender}】滨江实验学校2026年3月")


@pytest.mark.parametrize("kind", [kind for kind in MessageKind if Route.SMS in LADDERS[kind]])
def test_every_message_that_may_be_a_text_message_has_its_words(kind):
    assert in_brief(kind, PARAMS, "测试银行").startswith("【测试银行】滨江实验学校")


# --- the file -------------------------------------------------------------------------------


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_file_gets_one_line_a_message_and_is_for_its_owner_only(tmp_path, send):
    path = tmp_path / "sms.jsonl"
    gateway = FileGateway(path)

    assert send(gateway) == Accepted("5f2c-1a-0")
    assert send(gateway, sms("5f2c-1b-0")) == Accepted("5f2c-1b-0")

    first, second = lines_of(path)
    assert (first["id"], first["phone"]) == ("5f2c-1a-0", PHONE)
    assert first["text"] == "【测试银行】工资条已发布"
    assert first["expires_at"] == "2026-03-28T03:00:00+00:00"
    assert second["id"] == "5f2c-1b-0"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path, send):
    path = tmp_path / "sms.jsonl"
    path.touch(mode=0o644)

    send(FileGateway(path))

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_message_that_stands_in_the_file_is_not_written_again(tmp_path, send):
    path = tmp_path / "sms.jsonl"
    here, in_another_worker = FileGateway(path), FileGateway(path)

    for gateway in (here, in_another_worker, here, in_another_worker):
        assert send(gateway) == Accepted("5f2c-1a-0")

    assert len(lines_of(path)) == 1


def test_a_file_that_somebody_emptied_is_begun_anew(tmp_path, send):
    path = tmp_path / "sms.jsonl"
    gateway = FileGateway(path)
    send(gateway)
    send(gateway)
    path.write_text("")

    send(gateway)

    assert len(lines_of(path)) == 1


def test_what_is_no_line_of_ours_does_no_harm(tmp_path, send):
    path = tmp_path / "sms.jsonl"
    path.write_text('[1]\n{"torn": \n')

    assert send(FileGateway(path)) == Accepted("5f2c-1a-0")


def test_where_nothing_can_be_written_nobody_knows(tmp_path, send):
    answer = send(FileGateway(tmp_path / "missing" / "sms.jsonl"))

    assert answer == NothingHeard("FileNotFoundError", may_have_arrived=True)


# --- HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def bank():
    with running_gateway() as bank:
        yield bank


def gateway_to(bank, token=TOKEN):
    return HttpGateway(bank.url, SecretStr(token))


def test_a_message_is_handed_over_with_all_that_the_contract_names(bank, send):
    assert send(gateway_to(bank)) == Accepted("m-5f2c-1a-0")
    assert bank.asked == [
        {
            "id": "5f2c-1a-0",
            "phone": PHONE,
            "text": "【测试银行】工资条已发布",
            "expires_at": "2026-03-28T03:00:00+00:00",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (said(200, message_id="m-1"), Accepted("m-1")),
        (said(202, message_id=17), Accepted("17")),
        (said(200), NothingHeard("no message_id", may_have_arrived=True)),
        (said(200, message_id="m" * 65), NothingHeard("no message_id", may_have_arrived=True)),
        ((200, b"<html>", {}), NothingHeard("no message_id", may_have_arrived=True)),
        (said(422, code="blocked_number", message="退订"), Refused("blocked_number")),
        (said(400, code="bad_number"), Refused("bad_number")),
        (said(409, code="daily_limit"), Refused("daily_limit")),
        (said(400, code="x" * 100), Refused("x" * 64)),
        (said(400, code=7), NotTaken("HTTP 400", timedelta(minutes=5))),
        ((400, b"[]", {}), NotTaken("HTTP 400", timedelta(minutes=5))),
        (said(403, code="forbidden"), NotTaken("HTTP 403", timedelta(minutes=5))),
        (said(404, code="not_found"), NotTaken("HTTP 404", timedelta(minutes=5))),
        ((307, b"", {"Location": "/else"}), NotTaken("HTTP 307", timedelta(minutes=5))),
        ((429, b"", {}), NotTaken("HTTP 429", timedelta(minutes=1))),
        ((429, b"", {"Retry-After": "5"}), NotTaken("HTTP 429", timedelta(seconds=5))),
        ((429, b"", {"Retry-After": "0"}), NotTaken("HTTP 429", timedelta(seconds=1))),
        ((503, b"", {"Retry-After": "999999999999"}), NotTaken("HTTP 503", timedelta(hours=1))),
        ((503, b"", {"Retry-After": "Sat, 28 Mar"}), NotTaken("HTTP 503", timedelta(minutes=1))),
        (said(500, code="oops"), NothingHeard("HTTP 500", may_have_arrived=True)),
        ((504, b"", {}), NothingHeard("HTTP 504", may_have_arrived=True)),
        (None, NothingHeard("ServerDisconnectedError", may_have_arrived=True)),
    ],
)
def test_an_answer_means_one_of_four_things(bank, send, answer, meaning):
    bank.says = lambda _: answer

    assert send(gateway_to(bank)) == meaning
    assert len(bank.asked) == 1


def test_a_wrong_token_refuses_nobodys_message(bank, send):
    answer = send(gateway_to(bank, "another"))

    assert answer == NotTaken("HTTP 401", timedelta(minutes=5))


def test_a_gateway_that_is_not_there_has_got_nothing(send):
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}/sms"

    answer = send(HttpGateway(nobody, SecretStr(TOKEN)))

    assert isinstance(answer, NothingHeard)
    assert not answer.may_have_arrived


def test_neither_the_number_nor_the_text_prints():
    assert PHONE not in repr(sms())
    assert "工资条" not in repr(sms())


# --- settings -------------------------------------------------------------------------------


def test_the_settings_choose_the_gateway(tmp_path):
    address = {"sms_gateway": "https://sms.bank.example/send", "sms_token": TOKEN}

    assert sms_gateway(Settings(data_dir=tmp_path)) is None
    assert isinstance(sms_gateway(Settings(data_dir=tmp_path, **address)), HttpGateway)
    file = sms_gateway(Settings(data_dir=tmp_path, sms_gateway="file"))
    assert isinstance(file, FileGateway)
    assert file is sms_gateway(Settings(data_dir=tmp_path, sms_gateway="file"))
