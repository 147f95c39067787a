"""``xinqiao inbox``: callbacks received, and handling them again."""

import json

import click
from flask.cli import with_appcontext

from core.errors import DomainError
from domain.directory.access import Actor
from domain.inbox import queries, service
from domain.inbox.models import InboxState
from domain.inbox.queries import EventFilter, EventRow

# What the database can hold.
EVENT_ID = click.IntRange(1, 2**63 - 1)

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
    wanted = EventFilter(account, InboxState(state) if state else None)
    page = queries.list_events(Actor.system(), wanted)
    for row in page.rows:
        line = _line(row)
        text = json.dumps(line, ensure_ascii=False)
        click.echo(text if as_json else "\t".join(str(value) for value in line.values()))


@inbox.command("show")
@click.argument("event_id", type=EVENT_ID)
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
@click.argument("event_ids", type=EVENT_ID, nargs=-1)
@click.option("--from", "first", type=EVENT_ID, help="The first id of a range, with --to.")
@click.option("--to", "last", type=EVENT_ID, help="The last id of a range.")
@click.option("--account", help="Of a range, only this account's.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in InboxState]),
    help="Of a range, only those in this state.",
)
@with_appcontext
def replay(
    event_ids: tuple[int, ...],
    first: int | None,
    last: int | None,
    account: str | None,
    state: str | None,
) -> None:
    """Handle finished or dead events again: some by their ids, or a range."""
    is_range = first is not None and last is not None
    if is_range == bool(event_ids) or (first is None) != (last is None):
        raise click.UsageError("give ids, or --from and --to")
    if first is not None and last is not None and first > last:
        raise click.UsageError("--from must not be greater than --to")
    if not is_range and (account or state):
        raise click.UsageError("--account and --state belong to a range")
    try:
        if is_range:
            wanted = EventFilter(
                account, InboxState(state) if state else None, first_id=first, last_id=last
            )
            found = service.replay_all(Actor.system(), wanted)
        else:
            found = service.replay(Actor.system(), event_ids)
    except DomainError as refusal:
        raise click.ClickException(refusal.sentence) from refusal
    click.echo(f"{found} 条回调已重新排队")
