"""The data folder: what survives a restart, and the program's beginning and end."""

import json
import signal
import socket
import subprocess
import sys

import pytest
import requests

from sandbox.server import make_app, running
from sandbox.storage import UnreadableFolder
from tests.sandbox.conftest import Client


def test_accounts_people_messages_and_tokens_survive_a_restart(tmp_path):
    with running(tmp_path) as address:
        client = Client(address)
        client.keep_account(name="demo-oa", appid="wxdemo", secret="s")
        fan = client.fan(names=["王小明"])
        first = client.payslip(fan, client_msg_id="payslip:1")["msgid"]
        account, token = client.account, client.token

    with running(tmp_path) as address:
        client = Client(address, account, token)
        assert client.control("GET", "/accounts")["accounts"] == [account | {"fans": 1}]
        assert client.get("/cgi-bin/user/get")["data"] == {"openid": [fan]}
        assert client.payslip(fan, client_msg_id="payslip:1")["msgid"] == first
        second = client.payslip(fan)["msgid"]
        assert [message["msgid"] for message in client.inbox(fan)] == [first, second]
        assert second > first
        assert client.inbox(fan)[0]["client_msg_id"] == "payslip:1"
        people = requests.get(f"{address}/phone/people", timeout=5).json()["people"]
        assert (people[0]["name"], people[0]["unread"]) == ("王小明", 2)


def test_a_line_torn_by_a_kill_is_left_out(tmp_path):
    with running(tmp_path) as address:
        client = Client(address)
        client.keep_account(name="demo-oa", appid="wxdemo", secret="s")
        fan = client.fan()
        client.payslip(fan)
    with (tmp_path / "messages.jsonl").open("a") as journal:
        journal.write('{"msgid": 5, "acc')
    for count in (1, 2):
        with running(tmp_path) as address:
            client = Client(address, client.account)
            assert len(client.inbox(fan)) == count
            client.payslip(fan)


def test_a_reset_empties_the_folder_too(tmp_path):
    with running(tmp_path) as address:
        client = Client(address)
        client.keep_account(name="demo-oa", appid="wxdemo", secret="s")
        client.payslip(client.fan())
        client.control("POST", "/reset")
    with running(tmp_path) as address:
        client = Client(address)
        assert [one["name"] for one in client.control("GET", "/accounts")["accounts"]] == [
            "demo-oa"
        ]
        assert requests.get(f"{address}/phone/people", timeout=5).json()["total"] == 0


def test_a_folder_of_something_else_is_refused_with_its_name(tmp_path):
    (tmp_path / "sandbox.json").write_text(json.dumps({"accounts": 5}))
    with pytest.raises(UnreadableFolder, match=r"sandbox\.json"):
        make_app(tmp_path)


def started(*more):
    command = [sys.executable, "-m", "sandbox", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_ends_cleanly_when_told(tmp_path, number):
    with started("--port", "0", "--data-dir", str(tmp_path)) as process:
        address = process.stdout.readline().split()[-1]
        Client(address).keep_account(name="demo-oa", appid="wxdemo", secret="s")
        with requests.get(f"{address}/phone/live", stream=True, timeout=5) as screen:
            assert screen.status_code == 200
            process.send_signal(number)
            assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""
    assert "wxdemo" in (tmp_path / "sandbox.json").read_text()


def test_a_taken_port_is_said_clearly():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("--port", str(port)) as process:
            assert process.wait(timeout=10) == 1
            assert f"cannot listen on port {port}" in process.stderr.read()
