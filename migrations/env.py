"""Runs migrations for ``xinqiao db …`` with the application's own engine and models."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from flask import current_app
from sqlalchemy import Enum, inspect

import domain.models  # noqa: F401 -- fills the metadata
from core.db import Instant, db
from core.security import key_ring


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our types as plain ones: a migration must not change when our code does."""
    if kind != "type":
        return False
    if isinstance(item, Instant):
        autogen.imports.add("from sqlalchemy.dialects import mysql")
        return "sa.DateTime().with_variant(mysql.DATETIME(fsp=6), 'mysql')"
    if isinstance(item, Enum):  # a new member needs no migration
        return f"sa.String(length={item.length})"
    return False


def migrate(**target: Any) -> None:
    context.configure(
        target_metadata=db.metadata,
        render_item=render_item,
        # SQLite's DDL is part of a transaction too, because core/db.py says BEGIN itself.
        transactional_ddl=db.engine.dialect.name == "sqlite",
        **target,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    migrate(url=db.engine.url, literal_binds=True)
else:
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Before any transaction begins: SQLite rebuilds a table by dropping the old one.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        migrate(connection=connection)
        # The switch belongs to the connection, which must not go back to the pool with it.
        connection.invalidate()
    # A new database can seal at once.
    if inspect(db.engine).has_table("data_keys"):
        key_ring().ensure_keys()
