import json
from datetime import timedelta

import pytest
import responses
from click.testing import CliRunner
from flask.testing import FlaskCliRunner

from app import cli
from channel.breaker import breaker_state, open_after
from channel.tokens import FetchedToken, TokenKind, TokenStore
from core.clock import utc_now
from core.redis import redis
from core.settings import SANDBOX_WECHAT
from domain.directory.access import Actor
from domain.directory.accounts import AutoReplies, CallbackMode, ChannelKind
from domain.directory.channel_accounts import (
    channel_account,
    channel_account_by_name,
    set_account_enabled,
)
from domain.directory.service import accept_invitation
from domain.inbox.intake import Callback, accept
from domain.inbox.models import InboxEvent, InboxState
from domain.pushes.models import CampaignStatus, PushStatus
from tests.factories import (
    make_campaign,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_org,
    make_push,
)
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


def test_the_same_account_is_not_added_twice(run):
    make_org("/hq/")
    run.invoke(args=ADD)

    refused = run.invoke(args=[*ADD, "--name", "again"])

    assert (refused.exit_code, "已经登记过" in refused.output) == (1, True)


@pytest.mark.parametrize("option", ["--secret", "--token", "--aes-key"])
def test_nothing_is_rotated_to_nothing(run, option):
    account = make_channel_account()

    refused = run.invoke(args=["accounts", "rotate", account.name, option, ""])

    assert (refused.exit_code, "填写有误" in refused.output) == (1, True)
    assert channel_account(account.id) == account


def test_an_account_is_rotated_disabled_and_enabled(run):
    account = make_channel_account()

    assert run.invoke(args=["accounts", "rotate", account.name]).exit_code == 2
    assert run.invoke(args=["accounts", "rotate", account.name, "--secret", "new"]).exit_code == 0
    assert run.invoke(args=["accounts", "disable", account.name]).exit_code == 0
    assert "停用" in run.invoke(args=["accounts", "list"]).output
    assert "已启用" in run.invoke(args=["accounts", "enable", account.name]).output
    assert "停用" not in run.invoke(args=["accounts", "list"]).output
    for command in ("rotate", "disable", "enable", "setup"):
        arguments = ["accounts", command, "nobody", *(["--secret", "x"] * (command == "rotate"))]
        refused = run.invoke(args=arguments)
        assert refused.exit_code == 1
        assert "nobody" in refused.output


def token_of(account, fetched: str) -> str:
    """The token that is kept for an account, or ``fetched`` when none is."""
    store = TokenStore(redis())
    return store.get(account.id, TokenKind.ACCESS, lambda: FetchedToken(fetched, 7200))


@pytest.mark.parametrize("given", [["--token", "newtoken"], ["--aes-key", AES_KEY[::-1]]])
def test_what_callbacks_are_read_with_says_nothing_about_the_secret(run, given):
    account = make_channel_account()
    token_of(account, "kept")
    open_after(account.id, 40125)

    assert run.invoke(args=["accounts", "rotate", account.name, *given]).exit_code == 0

    assert breaker_state(account.id) is not None
    assert token_of(account, "fetched anew") == "kept"


def test_a_new_secret_is_tried_at_once(run):
    account = make_channel_account()
    token_of(account, "kept")
    open_after(account.id, 40125)

    run.invoke(args=["accounts", "rotate", account.name, "--secret", "new"])

    assert breaker_state(account.id) is None
    assert token_of(account, "fetched anew") == "fetched anew"


def test_a_disabled_account_is_rotated_too(run):
    account = make_channel_account(is_enabled=False)
    open_after(account.id, 40125)

    rotated = run.invoke(args=["accounts", "rotate", account.name, "--secret", "new"])

    assert (rotated.exit_code, "已更新" in rotated.output) == (0, True)
    assert breaker_state(account.id) is None
    set_account_enabled(Actor.system(), account.name, is_enabled=True)
    assert channel_account(account.id).secret.get_secret_value() == "new"


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


def test_how_callbacks_are_taken_and_answered_can_be_changed(run):
    account = make_channel_account()
    change = ["accounts", "set", account.name]

    done = run.invoke(
        args=[*change, "--mode", "plain", "--callback-window", "60", "--message-reply", "请点菜单"]
    )

    changed = channel_account(account.id)
    assert "已更改" in done.output
    assert (changed.mode, changed.callback_window_seconds) == (CallbackMode.PLAIN, 60)
    assert changed.replies == AutoReplies(message="请点菜单")
    run.invoke(args=[*change, "--message-reply", "", "--hand-over"])
    assert channel_account(account.id).replies == AutoReplies(hands_over=True)
    refused = run.invoke(args=[*change, "--callback-window", "1"])
    assert (refused.exit_code, "30 到 7200" in refused.output) == (1, True)
    too_long = run.invoke(args=[*change, "--title", "长" * 101])
    assert (too_long.exit_code, "标题" in too_long.output) == (1, True)
    assert run.invoke(args=["accounts", "set", "nobody", "--title", "新"]).exit_code == 1
    assert run.invoke(args=change).exit_code == 2


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


def test_an_invitation_through_wecom_is_an_address(run):
    make_channel_account("/hq/", kind=ChannelKind.WECOM_APP, name="app", agentid="1")
    make_org("/hq/bj/ent-1/")
    invite = ["users", "invite", "/hq/bj/ent-1/", "--name", "方", "--role", "hr", "--wecom"]

    address = run.invoke(args=invite).output.strip()

    assert address.startswith("http://localhost:8000/hr/signin/wecom?account=app&invitation=")
    member = make_identity(channel_account_by_name("app"), openid="fang")
    user = accept_invitation(member.id, address.rpartition("=")[2])
    again = run.invoke(args=["users", "invite-again", str(user.id), "--wecom"]).output.strip()
    assert again.startswith(address.rpartition("=")[0])
    assert again != address
    assert f"{user.id}\t/hq/bj/ent-1/\t方\thr\t启用" in run.invoke(args=["users", "list"]).output


def test_without_a_wecom_app_nobody_is_added(run):
    make_channel_account("/hq/")
    invite = ["users", "invite", "/hq/", "--name", "方", "--role", "hr", "--wecom"]

    assert run.invoke(args=invite).exit_code == 1
    assert run.invoke(args=["users", "list"]).output == ""


def test_a_user_is_changed_disabled_and_enabled(run):
    hr = make_hr()
    for change in (["roles", str(hr.id), "--role", "auditor"], ["disable", str(hr.id)]):
        assert run.invoke(args=["users", *change]).exit_code == 0
    assert "\tauditor\t停用" in run.invoke(args=["users", "list"]).output

    run.invoke(args=["users", "enable", str(hr.id)])

    assert "\tauditor\t启用" in run.invoke(args=["users", "list"]).output
    assert run.invoke(args=["users", "disable", "4711"]).exit_code == 1


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


def test_a_range_is_replayed(run):
    account = make_channel_account()
    ids = [accept(account, Callback("e", "", "", f"<xml>{n}</xml>")).event_id for n in range(3)]
    span = ["inbox", "replay", "--from", str(ids[0]), "--to", str(ids[2])]

    assert "3 条" in run.invoke(args=span).output
    assert "0 条" in run.invoke(args=[*span, "--state", "dead"]).output
    assert "3 条" in run.invoke(args=[*span, "--account", account.name]).output
    for wrong in (
        ["inbox", "replay"],
        span[:4],
        [*span, "7"],
        ["inbox", "replay", "7", "--state", "dead"],
        ["inbox", "replay", "--from", "2", "--to", "1"],
    ):
        assert run.invoke(args=wrong).exit_code == 2


@pytest.mark.parametrize("event_id", ["0", str(2**63), "9" * 40])
def test_an_id_that_no_callback_can_have_is_refused(run, event_id):
    for command in (
        ["show", event_id],
        ["replay", event_id],
        ["replay", "--from", event_id, "--to", "9"],
        ["replay", "--from", "1", "--to", event_id],
    ):
        refused = run.invoke(args=["inbox", *command])

        assert (refused.exit_code, "not in the range" in refused.output) == (2, True)


def test_too_long_a_range_is_refused_in_words(run, monkeypatch):
    monkeypatch.setattr("domain.inbox.service.REPLAY_LIMIT", 0)
    event_id = accept(make_channel_account(), Callback("e", "", "", "<xml/>")).event_id

    refused = run.invoke(args=["inbox", "replay", "--from", str(event_id), "--to", str(event_id)])

    assert (refused.exit_code, "缩小范围" in refused.output) == (1, True)


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


# --- pushes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "sentence"), [("stuck", "没有停住的消息\n"), ("dead", "没有放弃的消息\n")]
)
def test_nothing_is_said_to_people_and_is_no_line_to_programs(run, command, sentence):
    read = run.invoke(args=["pushes", command])
    told = run.invoke(args=["pushes", command, "--json"])

    assert (read.exit_code, read.output) == (0, sentence)
    assert (told.exit_code, told.output) == (0, "")


def test_what_is_stuck_is_told_with_ids_only(run):
    account = make_channel_account(name="bank-oa")
    push = make_push(
        make_employee(name="欧阳修"),
        account,
        status=PushStatus.SENDING,
        due_at=utc_now() - timedelta(hours=1),
    )

    told = run.invoke(args=["pushes", "stuck", "--json"])
    read = run.invoke(args=["pushes", "stuck"])

    assert (told.exit_code, read.exit_code) == (1, 1)
    line = json.loads(told.output)
    assert line.pop("age_seconds") // 60 == 60
    assert line == {
        "kind": "dead-claim",
        "campaign": push.campaign_id,
        "account": "bank-oa",
        "count": 1,
    }
    assert "timetable" in read.output
    assert "欧阳" not in told.output + read.output


def test_what_is_unknown_is_listed_and_alarms_nobody(run):
    campaign = make_campaign(make_channel_account(), status=CampaignStatus.FINISHED)
    make_push(make_employee(), make_channel_account(), campaign=campaign, status=PushStatus.UNKNOWN)

    told = run.invoke(args=["pushes", "stuck", "--json"])

    assert told.exit_code == 0
    assert json.loads(told.output)["kind"] == "unknown"


def test_what_was_given_up_is_counted_by_reason(run):
    lost = {"status": PushStatus.PERMANENT_FAILURE, "reason": "template", "errcode": 40037}
    push = make_push(make_employee(), make_channel_account(name="bank-oa"), **lost)

    told = run.invoke(args=["pushes", "dead", "--json"])
    read = run.invoke(args=["pushes", "dead"])

    assert json.loads(told.output) == {
        "account": "bank-oa",
        "status": "permanent-failure",
        "reason": "template",
        "errcode": 40037,
        "count": 1,
        "campaign": push.campaign_id,
    }
    assert "消息模板没有配置好" in read.output


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


def test_a_burst_of_more_than_one_queue_is_refused(run):
    refused = run.invoke(args=["worker", "inbox", "push", "--burst"])

    assert refused.exit_code == 2
    assert "one queue" in refused.output
