"""``xinqiao accounts``: channel accounts at the command line."""

import json

import click
from flask.cli import with_appcontext
from pydantic import SecretStr

from channel.setup import set_up_account
from channel.tokens import TokenStore
from core.errors import DomainError
from core.redis import redis
from domain.directory import channel_accounts
from domain.directory.access import Actor
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.queries import root_org

accounts = click.Group(
    "accounts", help="Channel accounts: add, list, set, rotate, disable, enable."
)


@accounts.command("add")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in ChannelKind]))
@click.option("--name", required=True, help="Short name; part of the callback address.")
@click.option("--title", default="", help="What people call it.")
@click.option("--appid", required=True, help="For WeCom the corpid.")
@click.option("--secret", required=True)
@click.option("--agentid")
@click.option("--token", required=True)
@click.option("--aes-key", required=True)
@click.option("--org", "org_path", help="Path of its organisation; the root's without it.")
@click.option(
    "--mode", default=CallbackMode.SAFE.value, type=click.Choice([m.value for m in CallbackMode])
)
@with_appcontext
def add(
    kind: str,
    name: str,
    title: str,
    appid: str,
    secret: str,
    agentid: str | None,
    token: str,
    aes_key: str,
    org_path: str | None,
    mode: str,
) -> None:
    """Add a channel account."""
    new = channel_accounts.NewAccount(
        kind=ChannelKind(kind),
        name=name,
        title=title or name,
        appid=appid,
        secret=SecretStr(secret),
        token=SecretStr(token),
        aes_key=SecretStr(aes_key),
        mode=CallbackMode(mode),
        agentid=agentid,
    )
    try:
        account = channel_accounts.add_channel_account(
            Actor.system(), org_path or root_org().org_path, new
        )
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    door = "wecom" if new.kind is ChannelKind.WECOM_APP else "wechat"
    click.echo(f"{account.name} 已添加，回调地址 /callback/{door}/{account.name}")


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def list_accounts(as_json: bool) -> None:
    """List channel accounts, without secrets."""
    for row in channel_accounts.list_channel_accounts(Actor.system()):
        if as_json:
            line = {
                "name": row.name,
                "kind": row.kind,
                "title": row.title,
                "org": row.org_path,
                "appid": row.appid,
                "mode": row.mode,
                "enabled": row.is_enabled,
            }
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            state = "启用" if row.is_enabled else "停用"
            click.echo(f"{row.name}\t{row.kind}\t{row.org_path}\t{row.appid}\t{row.mode}\t{state}")


@accounts.command("rotate")
@click.argument("name")
@click.option("--secret")
@click.option("--token")
@click.option("--aes-key")
@with_appcontext
def rotate(name: str, secret: str | None, token: str | None, aes_key: str | None) -> None:
    """Replace secrets. Callbacks under the AES key before stay readable."""
    if secret is None and token is None and aes_key is None:
        raise click.UsageError("give at least one of --secret, --token, --aes-key")
    try:
        account_id = channel_accounts.rotate_keys(
            Actor.system(),
            name,
            secret=None if secret is None else SecretStr(secret),
            token=None if token is None else SecretStr(token),
            aes_key=None if aes_key is None else SecretStr(aes_key),
        )
        if secret:
            # What was fetched, or refused, under the old one counts no more.
            TokenStore(redis()).forget(account_id)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 的密钥已更新")


@accounts.command("set")
@click.argument("name")
@click.option("--title")
@click.option("--mode", type=click.Choice([m.value for m in CallbackMode]))
@click.option(
    "--callback-window", type=int, help="Seconds by which a callback's timestamp may be off."
)
@click.option("--follow-reply", help="What new followers are answered; empty for nothing.")
@click.option("--message-reply", help="What people who write are answered; empty for nothing.")
@click.option("--hand-over/--no-hand-over", default=None, help="Give them to customer service.")
@with_appcontext
def change(
    name: str,
    title: str | None,
    mode: str | None,
    callback_window: int | None,
    follow_reply: str | None,
    message_reply: str | None,
    hand_over: bool | None,
) -> None:
    """Change how callbacks are taken and answered; what is not given stays."""
    wanted = channel_accounts.AccountChange(
        title=title,
        mode=CallbackMode(mode) if mode else None,
        callback_window_seconds=callback_window,
        follow_reply=follow_reply,
        message_reply=message_reply,
        hands_over=hand_over,
    )
    if wanted == channel_accounts.AccountChange():
        raise click.UsageError("give at least one option")
    try:
        channel_accounts.change_account(Actor.system(), name, wanted)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 已更改")


@accounts.command("disable")
@click.argument("name")
@with_appcontext
def disable(name: str) -> None:
    """Stop using an account; its callbacks are refused from now on."""
    try:
        channel_accounts.set_account_enabled(Actor.system(), name, is_enabled=False)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 已停用")


@accounts.command("enable")
@click.argument("name")
@with_appcontext
def enable(name: str) -> None:
    """Use a disabled account again."""
    try:
        channel_accounts.set_account_enabled(Actor.system(), name, is_enabled=True)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 已启用")


@accounts.command("setup")
@click.argument("name")
@with_appcontext
def setup(name: str) -> None:
    """Read an account's message templates; set an official account's menu."""
    try:
        missing = set_up_account(channel_accounts.channel_account_by_name(name))
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 已设置好")
    if missing:
        raise click.ClickException(f"缺少消息模板：{'、'.join(missing)}，请在公众平台添加后再运行")
