"""Runs migrations for ``xinqiao db …`` with the application's own engine and models."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from flask import current_app
from sqlalchemy import Enum, event, inspect

import domain.models  # noqa: F401 -- fills the metadata
from core.db import Instant, db, let_go, make_engine
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


def wait_as_long_as_it_takes(
    _dialect: object, _record: object, _arguments: object, options: dict[str, Any]
) -> None:
    """Changing a large table takes longer than any other answer may."""
    options.pop("read_timeout", None)


def migrate_online() -> None:
    engine = make_engine(db.engine.url.render_as_string(hide_password=False))
    event.listen(engine, "do_connect", wait_as_long_as_it_takes)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Before any transaction begins: SQLite rebuilds a table by dropping the old one.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        migrate(connection=connection)
        has_keys = inspect(connection).has_table("data_keys")
    engine.dispose()
    if has_keys:  # a new database can seal at once
        key_ring().ensure_keys()
        let_go()


if context.is_offline_mode():
    migrate(url=db.engine.url, literal_binds=True)
else:
    migrate_online()
