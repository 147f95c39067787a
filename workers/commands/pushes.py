"""``xinqiao pushes``: messages that ought to have moved, and those that nobody tries again."""

import json
import sys

import click
from flask.cli import with_appcontext

from core.clock import utc_now
from domain.directory.access import Actor
from domain.pushes.queries import reason_in_words
from domain.pushes.stuck import ADVICE, WORDS, StuckRow, list_dead_letters, list_stuck

pushes = click.Group("pushes", help="Messages out: what is stuck, what was given up.")


@pushes.command("stuck")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def stuck(as_json: bool) -> None:
    """What ought to have moved and has not, one a line, the oldest first.

    Exit status 1 when something is stuck; what is `unknown` is listed, and is not stuck. With
    --json each is an object on a line of its own, and no line means that there is nothing.
    """
    rows = list_stuck(Actor.system())
    for row in rows:
        line = _stuck_line(row)
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            shown = (*line.values(), WORDS[row.kind], ADVICE[row.kind])
            click.echo("\t".join(str(value) for value in shown))
    if not rows and not as_json:
        click.echo("没有停住的消息")
    sys.exit(any(row.is_stuck for row in rows))


def _stuck_line(row: StuckRow) -> dict[str, object]:
    return {
        "kind": row.kind.value,
        "campaign": row.campaign_id,
        "account": row.account,
        "count": row.count,
        "age_seconds": int((utc_now() - row.since).total_seconds()),
    }


@pushes.command("dead")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def dead(as_json: bool) -> None:
    """What nobody tries again, of the campaigns of a week: counted by account, reason, errcode.

    With --json each is an object on a line of its own, and no line means that there is nothing.
    """
    rows = list_dead_letters(Actor.system())
    if not rows and not as_json:
        click.echo("没有放弃的消息")
    for row in rows:
        line = {
            "account": row.account,
            "status": row.status.value,
            "reason": row.reason,
            "errcode": row.errcode,
            "count": row.count,
            "campaign": row.campaign_id,
        }
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            shown = ("-" if value is None else value for value in line.values())
            click.echo("\t".join(map(str, (*shown, reason_in_words(row.reason)))))
