"""``xinqiao prepare-demo``: what ``demo`` runs once before it starts the platform."""

import click
from flask.cli import with_appcontext
from flask_migrate import upgrade

from core.security import key_ring
from workers import demo_bank


@click.command("prepare-demo", hidden=True)
@click.option("--sandbox-url", required=True)
@click.option("--empty", is_flag=True)
@with_appcontext
def prepare_demo(sandbox_url: str, empty: bool) -> None:
    """Bring the tables up to date; load the demo bank into a database that has none."""
    upgrade()
    key_ring().ensure_keys()
    demo_bank.load(sandbox_url, with_people=not empty)
