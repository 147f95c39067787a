import json

import pytest
import responses
from click.testing import CliRunner
from flask.testing import FlaskCliRunner

from app import cli
from core.settings import SANDBOX_WECHAT
from domain.inbox.models import InboxEvent, InboxState
from domain.inbox.service import Callback, accept
from tests.factories import make_channel_account, make_org
from workers.commands.demo import demo

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ADD = [
    *("accounts", "add", "--kind", "official_account", "--name", "bank-oa", "--appid", "wx1"),
    *("--secret", "s3cret-of-the-account", "--token", "spamtest", "--aes-key", AES_KEY),
]
TOKEN = {"access_token": "t0ken", "expires_in": 7200}


@pytest.fixture
def run(app, session) -> FlaskCliRunner:
    return app.test_cli_runner()


def wechat(path: str) -> str:
    return f"{SANDBOX_WECHAT}/cgi-bin/{path}"


# --- accounts -------------------------------------------------------------------------------


def test_an_account_is_added_at_the_root_and_listed_without_secrets(run):
    make_org("/hq/bj/")

    added = run.invoke(args=ADD)
    listed = run.invoke(args=["accounts", "list", "--json"])

    assert "/callback/wechat/bank-oa" in added.output
    row = json.loads(listed.output)
    assert (row["name"], row["org"], row["mode"]) == ("bank-oa", "/hq/", "safe")
    assert "s3cret" not in listed.output
    assert "bank-oa\tofficial_account\t/hq/" in run.invoke(args=["accounts", "list"]).output


def test_a_wrong_account_is_refused_in_words(run):
    make_org("/hq/")

    refused = run.invoke(args=[*ADD[:-1], "short"])

    assert refused.exit_code == 1
    assert "EncodingAESKey" in refused.output


def test_an_account_is_rotated_and_disabled(run):
    account = make_channel_account()

    assert run.invoke(args=["accounts", "rotate", account.name]).exit_code == 2
    assert run.invoke(args=["accounts", "rotate", account.name, "--secret", "new"]).exit_code == 0
    assert run.invoke(args=["accounts", "disable", account.name]).exit_code == 0
    assert "停用" in run.invoke(args=["accounts", "list"]).output
    for command in ("rotate", "disable", "setup"):
        arguments = ["accounts", command, "nobody", *(["--secret", "x"] * (command == "rotate"))]
        refused = run.invoke(args=arguments)
        assert refused.exit_code == 1
        assert "nobody" in refused.output


@responses.activate
def test_setup_reads_the_templates_and_sets_the_menu(run):
    account = make_channel_account(templates={})
    responses.post(wechat("stable_token"), json=TOKEN)
    content = "单位名称:{{thing1.DATA}}\n发放月份:{{time2.DATA}}\n温馨提示:{{thing3.DATA}}"
    templates = [{"template_id": "T1", "title": "工资发放通知", "content": content}]
    responses.get(wechat("template/get_all_private_template"), json={"template_list": templates})
    menu = responses.post(wechat("menu/create"), json={"errcode": 0})

    result = run.invoke(args=["accounts", "setup", account.name])

    assert "question_answered" in result.output
    assert menu.call_count == 1


# --- organisations and users ----------------------------------------------------------------


def test_the_tree_grows_from_the_command_line(run):
    arguments = ["orgs", "add", "/", "jx", "--kind", "union", "--name", "联合"]
    assert run.invoke(args=arguments).output == "/jx/\n"
    assert run.invoke(args=arguments).exit_code == 1
    assert "/jx/\tunion\t联合" in run.invoke(args=["orgs", "list"]).output


@responses.activate
def test_an_invitation_is_a_qr_code(run):
    make_channel_account("/hq/")
    make_org("/hq/bj/ent-1/")
    responses.post(wechat("stable_token"), json=TOKEN)
    answer = {"ticket": "t", "expire_seconds": 604800, "url": "http://weixin.qq.com/q/1"}
    asked = responses.post(wechat("qrcode/create"), json=answer)

    result = run.invoke(args=["users", "invite", "/hq/bj/ent-1/", "--name", "方", "--role", "hr"])

    assert result.output == "http://weixin.qq.com/q/1\n"
    body = json.loads(asked.calls[0].request.body)
    assert body["action_info"]["scene"]["scene_str"].startswith("invite-")


def test_an_invitation_without_an_account_is_refused_in_words(run):
    make_org("/hq/")
    result = run.invoke(args=["users", "invite", "/hq/", "--name", "方", "--role", "hr"])
    assert result.exit_code == 1


# --- inbox ----------------------------------------------------------------------------------


def test_callbacks_are_listed_shown_and_replayed(run, session, queue):
    account = make_channel_account()
    event_id = accept(account, Callback("subscribe", "", "o1", "<xml>hello</xml>")).event_id
    queue.clear()

    row = json.loads(run.invoke(args=["inbox", "list", "--json"]).output)
    assert (row["id"], row["account"], row["event"]) == (event_id, account.name, "subscribe")
    assert set(row) == {
        *("id", "account", "event", "change_type", "state", "attempts", "received_at")
    }
    assert "subscribe" in run.invoke(args=["inbox", "list", "--account", account.name]).output
    assert run.invoke(args=["inbox", "list", "--state", "dead"]).output == ""
    assert "hello" in run.invoke(args=["inbox", "show", str(event_id)]).output
    assert run.invoke(args=["inbox", "show", "4711"]).exit_code == 1

    session.get_one(InboxEvent, event_id).state = InboxState.DONE
    assert "1 条" in run.invoke(args=["inbox", "replay", str(event_id)]).output
    assert queue.count == 1


# --- doctor ---------------------------------------------------------------------------------


def findings(run: FlaskCliRunner) -> dict[str, dict]:
    result = run.invoke(args=["doctor", "--json"])
    lines = [json.loads(line) for line in result.output.splitlines()]
    return {line["check"]: line for line in lines}


@responses.activate
def test_the_doctor_says_what_works_and_what_to_do(run, session):
    account = make_channel_account(templates={"payslip_ready": "T1"})
    responses.post(wechat("stable_token"), json=TOKEN)
    responses.get(wechat("template/get_all_private_template"), json={"template_list": []})

    found = findings(run)

    assert found["Redis"]["is_well"]
    assert found["密钥"]["is_well"]
    assert found[f"公众号 {account.name}"]["is_well"]
    missing = found[f"公众号 {account.name} 的消息模板"]
    assert "question_answered" in missing["says"]
    assert "setup" in missing["advice"]
    assert "[正常]" in run.invoke(args=["doctor"]).output


@responses.activate
@pytest.mark.parametrize(
    ("answer", "says", "advice"),
    [
        ({"json": {"errcode": 40164, "errmsg": "invalid ip"}}, "40164", "IP 白名单"),
        ({"json": {"errcode": 1, "errmsg": "?"}}, "1", "返回码"),
        ({"status": 502}, "连不上微信", "XINQIAO_WECHAT_API_URL"),
    ],
)
def test_the_doctor_names_the_cure(run, answer, says, advice):
    account = make_channel_account()
    responses.post(wechat("stable_token"), **answer)

    found = findings(run)[f"公众号 {account.name}"]

    assert not found["is_well"]
    assert says in found["says"]
    assert advice in found["advice"]


# --- demo and bench -------------------------------------------------------------------------


def test_a_taken_port_is_said_at_once(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(demo, ["--data-dir", str(tmp_path), "--port", port])

    assert result.exit_code == 1
    assert f"端口 {port} 已被占用" in result.output


def test_every_command_of_the_interface_is_there(app):
    names = set(cli.list_commands(cli.make_context("xinqiao", ["--help"], resilient_parsing=True)))
    assert names >= {
        *("demo", "run", "worker", "timetable", "db", "accounts", "inbox", "doctor", "payroll"),
        "bench",
    }
