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

accounts = click.Group("accounts", help="Channel accounts: add, list, rotate, disable.")


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
    if not (secret or token or aes_key):
        raise click.UsageError("give at least one of --secret, --token, --aes-key")
    try:
        channel_accounts.rotate_keys(
            Actor.system(),
            name,
            secret=SecretStr(secret) if secret else None,
            token=SecretStr(token) if token else None,
            aes_key=SecretStr(aes_key) if aes_key else None,
        )
        # What was fetched, or refused, under the old secret counts no more.
        TokenStore(redis()).forget(channel_accounts.channel_account_by_name(name).id)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 的密钥已更新")


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


@accounts.command("setup")
@click.argument("name")
@with_appcontext
def setup(name: str) -> None:
    """Read an official account's message templates and set its menu."""
    try:
        missing = set_up_account(channel_accounts.channel_account_by_name(name))
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{name} 的菜单已设置")
    if missing:
        raise click.ClickException(f"缺少消息模板：{'、'.join(missing)}，请在公众平台添加后再运行")
