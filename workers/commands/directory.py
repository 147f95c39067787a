"""``xinqiao orgs`` and ``xinqiao users``: the first organisation and the first people."""

import click
from flask.cli import with_appcontext

from channel.clients import official_account_client
from channel.listeners import INVITATION_SCENE
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.errors import DomainError
from domain.directory import service
from domain.directory.access import Actor, Role
from domain.directory.channel_accounts import official_account_for
from domain.directory.models import OrgKind
from domain.directory.queries import list_orgs

ROLES = [role.value for role in Role]

orgs = click.Group("orgs", help="The organisation tree: add, list.")
users = click.Group("users", help="People at the workbench: invite.")


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
@with_appcontext
def invite(org_path: str, name: str, roles: tuple[str, ...]) -> None:
    """Add a user and print the address whose QR code binds them to the WeChat that scans it."""
    try:
        account = official_account_for(org_path)
        _, code = service.add_user(Actor.system(), org_path, name, [Role(role) for role in roles])
        qrcode = official_account_client(account).create_qrcode(
            f"{INVITATION_SCENE}{code}", int(service.INVITATION_LIFE.total_seconds())
        )
    except (DomainError, WeChatError, WeChatUnreachable) as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(qrcode.url)
