"""``xinqiao orgs`` and ``xinqiao users``: organisations, and people at the workbench."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
from flask.cli import with_appcontext

from channel.clients import official_account_client
from channel.links import invitation_url
from channel.listeners import INVITATION_SCENE
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.errors import DomainError
from domain.directory import service
from domain.directory.access import Actor, Role
from domain.directory.channel_accounts import find_wecom_app_for, official_account_for
from domain.directory.errors import NoAccountYet
from domain.directory.models import OrgKind
from domain.directory.queries import get_user, list_orgs, list_users

ROLES = [role.value for role in Role]

orgs = click.Group("orgs", help="The organisation tree: add, list.")
users = click.Group("users", help="People at the workbench: invite, list, change, disable.")


@orgs.command("add")
@click.argument("parent")
@click.argument("slug")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in OrgKind]))
@click.option("--name", required=True)
@with_appcontext
def add(parent: str, slug: str, kind: str, name: str) -> None:
    """Hang an organisation under PARENT (``/`` for the first one)."""
    try:
        org = service.add_org(Actor.system(), parent, slug, OrgKind(kind), name)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(org.org_path)


@orgs.command("list")
@with_appcontext
def list_all() -> None:
    for org in list_orgs(Actor.system()):
        click.echo(f"{org.org_path}\t{org.kind}\t{org.name}")


@users.command("invite")
@click.argument("org_path")
@click.option("--name", required=True)
@click.option("--role", "roles", required=True, multiple=True, type=click.Choice(ROLES))
@click.option("--wecom", is_flag=True, help="Bind them to WeCom instead of a WeChat.")
@with_appcontext
def invite(org_path: str, name: str, roles: tuple[str, ...], wecom: bool) -> None:
    """Add a user and print the address that binds them: to the WeChat that scans it as a QR code,
    or with --wecom to the member who opens it."""
    with _refusals_told():
        address = _address_for(org_path, wecom=wecom)
        _, code = service.add_user(Actor.system(), org_path, name, [Role(role) for role in roles])
        click.echo(address(code))


@users.command("list")
@with_appcontext
def list_everybody() -> None:
    for user in list_users(Actor.system()):
        state = "启用" if user.is_enabled else "停用"
        click.echo(f"{user.id}\t{user.org_path}\t{user.name}\t{','.join(user.roles)}\t{state}")


@users.command("invite-again")
@click.argument("user_id", type=int)
@click.option("--wecom", is_flag=True, help="Bind them to WeCom beside their WeChat.")
@with_appcontext
def invite_again(user_id: int, wecom: bool) -> None:
    """Print another address for a user: for a new WeChat in place of the old, or for WeCom."""
    with _refusals_told():
        user = get_user(Actor.system(), user_id)
        address = _address_for(user.org_path, wecom=wecom)
        click.echo(address(service.invite_again(Actor.system(), user_id)))


@users.command("roles")
@click.argument("user_id", type=int)
@click.option("--role", "roles", required=True, multiple=True, type=click.Choice(ROLES))
@with_appcontext
def set_roles(user_id: int, roles: tuple[str, ...]) -> None:
    """Give a user these roles and no others; they have to sign in anew."""
    with _refusals_told():
        service.set_user_roles(Actor.system(), user_id, [Role(role) for role in roles])
        click.echo(f"用户 {user_id} 的角色已更改")


@users.command("disable")
@click.argument("user_id", type=int)
@with_appcontext
def disable(user_id: int) -> None:
    """Let a user in no more; their sessions end at once."""
    with _refusals_told():
        service.set_user_enabled(Actor.system(), user_id, is_enabled=False)
        click.echo(f"用户 {user_id} 已停用")


@users.command("enable")
@click.argument("user_id", type=int)
@with_appcontext
def enable(user_id: int) -> None:
    with _refusals_told():
        service.set_user_enabled(Actor.system(), user_id, is_enabled=True)
        click.echo(f"用户 {user_id} 已启用")


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        yield
    except (DomainError, WeChatError, WeChatUnreachable) as refusal:
        raise click.ClickException(refusal.sentence) from refusal


def _address_for(org_path: str, *, wecom: bool) -> Callable[[str], str]:
    """How an invitation's code becomes an address. Looked for before anything is changed."""
    if wecom:
        app = find_wecom_app_for(org_path)
        if app is None:
            raise NoAccountYet
        return partial(invitation_url, app)
    client = official_account_client(official_account_for(org_path))
    life = int(service.INVITATION_LIFE.total_seconds())
    return lambda code: client.create_qrcode(f"{INVITATION_SCENE}{code}", life).url
