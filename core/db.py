"""The database: typed models, one transaction at a time, SQLite and MySQL alike."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from pymysql.constants import ER
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Enum,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    create_engine,
    event,
    insert,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, registry
from sqlalchemy.types import TypeEngine

from core.money import Fen

SQLITE_BUSY_SECONDS = 15
_SQLITE_DUPLICATE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}

# SQLite numbers rows by itself only for INTEGER keys.
_BIG = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant with microseconds. Naive values are refused: nobody knows their zone."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def _enum_type() -> Enum:
    return Enum(
        StrEnum,
        native_enum=False,
        create_constraint=False,
        length=40,
        values_callable=lambda members: [member.value for member in members],
    )


Key = Annotated[int, mapped_column(_BIG, primary_key=True)]
LongText = Annotated[str, mapped_column(Text().with_variant(LONGTEXT, "mysql"))]
ShortText = Annotated[str, mapped_column(String(64))]

_registry = registry(
    metadata=MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    ),
    type_annotation_map={
        int: _BIG,
        Fen: BigInteger(),
        str: String(255),
        datetime: Instant(),
        StrEnum: _enum_type(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    },
)


@event.listens_for(Table, "after_parent_attach")
def _case_matters(table: Table, _parent: object) -> None:
    # Openids and codes differ by case, and so do their unique keys.
    table.dialect_options["mysql"]["charset"] = "utf8mb4"
    table.dialect_options["mysql"]["collate"] = "utf8mb4_bin"


class Base(DeclarativeBase):
    registry = _registry


db = SQLAlchemy(
    model_class=Base,
    session_options={
        "expire_on_commit": False,
        "autoflush": True,
        # Only the tests hand sessions a connection that is already in a transaction.
        "join_transaction_mode": "create_savepoint",
    },
)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


# --- engines --------------------------------------------------------------------------------


def engine_options(url: str) -> dict[str, Any]:
    """Options under which SQLite and MySQL behave alike as far as they can."""
    # Values of a statement are people: errors name the statement only.
    if make_url(url).get_backend_name() == "sqlite":
        return {
            "hide_parameters": True,
            # As many as a process may have threads: one that holds a connection may wait for
            # another that still needs one.
            "pool_size": 16,
            "max_overflow": 64,
            "connect_args": {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
        }
    return {
        "hide_parameters": True,
        # A guard's first SELECT must not freeze what a later locked read sees.
        "isolation_level": "READ COMMITTED",
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "pool_size": 16,
        "max_overflow": 64,
        "connect_args": {"charset": "utf8mb4", "connect_timeout": 5, "read_timeout": 60},
    }


def make_engine(url: str) -> Engine:
    """An engine outside Flask (tests, doctor), set up like the application's."""
    engine = create_engine(url, **engine_options(url))
    prepare_engine(engine)
    return engine


def prepare_engine(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction handling is off: BEGIN is ours to say (see _begin_sqlite).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "case_sensitive_like=ON",  # as in MySQL under utf8mb4_bin; org paths are compared so
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: an upgrade half way is refused
    # ("database is locked") however long one waits. Readers take none.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _writing.get() is not None else "BEGIN")


# --- transactions ---------------------------------------------------------------------------

_writing: ContextVar[list[Callable[[], None]] | None] = ContextVar("writing", default=None)

# SQLite has one writer; who finds it busy sleeps, up to a tenth of a second a time, and may be
# overtaken for ever. Threads of one process stand in line instead.
_sqlite_turn = threading.Lock()


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: committed at the end, rolled back on any error, never nested.

    What was given to ``after_commit`` runs once the commit has succeeded, in order.
    """
    if _writing.get() is not None:
        raise RuntimeError("transactions do not nest: share a function that takes the session")
    session: Session = db.session()
    # What was read before (a guard's look) ends here, so that the lock is taken first, and is
    # read again: a locked SELECT does not refresh what the session already knows.
    session.rollback()
    session.expire_all()
    with _turn(session):
        token = _writing.set([])
        try:
            yield session
            session.commit()
            after = _writing.get() or []
        except BaseException:
            session.rollback()
            raise
        finally:
            _writing.reset(token)
    for call in after:
        call()


def _turn(session: Session) -> AbstractContextManager[object]:
    return _sqlite_turn if session.get_bind().dialect.name == "sqlite" else nullcontext()


def after_commit(call: Callable[[], None]) -> None:
    """Run ``call`` when the open transaction has been committed, never if it was rolled back."""
    calls = _writing.get()
    if calls is None:
        raise RuntimeError("after_commit belongs inside transaction()")
    calls.append(call)


def reading() -> Session:
    """The session for questions. Changing rows through it is refused."""
    session: Session = db.session()
    return session


def insert_new(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless one of its unique keys is taken; whether it was inserted.

    Two processes may try the same row at once: the database decides, nobody gets an error.
    """
    try:
        # MySQL's single statements cannot do it: through this driver ON DUPLICATE KEY counts one
        # row either way, and IGNORE would also cut what is too long.
        with session.begin_nested():
            session.execute(insert(model).values(**values))
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        return False
    return True


def put_each(
    session: Session, table: Table, rows: Sequence[Mapping[str, Any]], key: Sequence[str]
) -> None:
    """Insert rows, or write over those whose unique ``key`` is taken: one statement for all.

    In the order of their key, each once: two processes that put the same rows in another order
    would wait for each other in MySQL.
    """
    if not rows:
        return
    others = [name for name in rows[0] if name not in key]
    if session.get_bind().dialect.name == "sqlite":
        new = sqlite_insert(table).values(rows)
        written = {name: new.excluded[name] for name in others}
        session.execute(new.on_conflict_do_update(index_elements=key, set_=written))
        return
    given = mysql_insert(table).values(rows)
    session.execute(given.on_duplicate_key_update({name: given.inserted[name] for name in others}))


def set_each(
    session: Session, table: Table, column: str, values: Sequence[tuple[int, Any]], claim: int
) -> None:
    """Give each row its own value: (id, value), and only where the row's claim still is ours.

    MySQL would take a statement a row through this driver's executemany; joined to the values it
    takes one for all.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(
            table.update()
            .where(table.c.id == bindparam("row_id"), table.c.claim == claim)
            .values({column: bindparam("value")}),
            [{"row_id": row_id, "value": value} for row_id, value in values],
        )
        return
    given = "SELECT %s AS row_id, %s AS value" + " UNION ALL SELECT %s, %s" * (len(values) - 1)
    flat = [part for pair in values for part in pair]
    session.connection().exec_driver_sql(
        f"UPDATE {table.name} JOIN ({given}) AS given ON {table.name}.id = given.row_id "  # noqa: S608 -- our own names
        f"SET {table.name}.{column} = given.value WHERE {table.name}.claim = %s",
        (*flat, claim),
    )


def _is_duplicate(error: IntegrityError) -> bool:
    if isinstance(error.orig, sqlite3.IntegrityError):
        return error.orig.sqlite_errorcode in _SQLITE_DUPLICATE
    return bool(error.orig and error.orig.args[0] == ER.DUP_ENTRY)


def let_go() -> None:
    """Give the connection back before a call that may take long: no transaction stays open."""
    db.session.remove()


def _refuse_loose_writes(_session: Session, _context: object, _objects: object) -> None:
    if _writing.get() is None:
        raise RuntimeError("rows are changed inside transaction() only")


def init_db(app: Flask, url: str) -> None:
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    if not event.contains(Session, "before_flush", _refuse_loose_writes):
        event.listen(Session, "before_flush", _refuse_loose_writes)


def dispose_after_fork() -> None:
    """In a forked child: forget the parent's connections without closing them for the parent."""
    db.engine.dispose(close=False)
