"""``xinqiao inbox``: callbacks received, and handling them again."""

import json

import click
from flask.cli import with_appcontext

from core.errors import DomainError
from domain.directory.access import Actor
from domain.inbox import queries, service
from domain.inbox.models import InboxState
from domain.inbox.queries import EventRow

inbox = click.Group("inbox", help="Callbacks received: list, show, replay.")


def _line(row: EventRow) -> dict[str, object]:
    return {
        "id": row.id,
        "account": row.account,
        "event": row.event,
        "change_type": row.change_type,
        "state": row.state,
        "attempts": row.attempts,
        "received_at": row.received_at.isoformat(),
    }


@inbox.command("list")
@click.option("--account")
@click.option("--state", type=click.Choice([state.value for state in InboxState]))
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def list_events(account: str | None, state: str | None, as_json: bool) -> None:
    """The newest 50 first, one a line."""
    page = queries.list_events(
        Actor.system(), account=account, state=InboxState(state) if state else None
    )
    for row in page.rows:
        line = _line(row)
        text = json.dumps(line, ensure_ascii=False)
        click.echo(text if as_json else "\t".join(str(value) for value in line.values()))


@inbox.command("show")
@click.argument("event_id", type=int)
@with_appcontext
def show(event_id: int) -> None:
    """One event with its body; that you looked is written down."""
    try:
        row = queries.get_event(Actor.system(), event_id)
        body = service.read_body(Actor.system(), event_id)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    more = {"reason": row.reason, "body": body}
    click.echo(json.dumps(_line(row) | more, ensure_ascii=False, indent=2))


@inbox.command("replay")
@click.argument("event_ids", type=int, nargs=-1, required=True)
@with_appcontext
def replay(event_ids: tuple[int, ...]) -> None:
    """Handle finished or dead events again."""
    found = service.replay(Actor.system(), event_ids)
    click.echo(f"{found} 条回调已重新排队")
