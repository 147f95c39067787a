"""One transaction at a time, the same on SQLite and on MySQL."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.schema import CreateTable

from core.clock import utc_now
from core.db import (
    after_commit,
    db,
    dispose_after_fork,
    engine_options,
    insert_new,
    let_go,
    make_engine,
    put_each,
    reading,
    set_each,
    transaction,
)
from domain.directory.models import ChannelAccount, Identity, Org, OrgKind
from domain.pushes.models import Push
from tests.counting import count_queries
from tests.factories import (
    make_campaign,
    make_channel_account,
    make_employee,
    make_identity,
    make_org,
    make_push,
)


def new_org(org_path="/hq/", **fields):
    fields = {"kind": OrgKind.BANK, "name": "银行", "created_at": utc_now()} | fields
    return Org(org_path=org_path, **fields)


def names(session):
    return sorted(session.scalars(select(Org.name)))


# --- transactions ---------------------------------------------------------------------------


def test_a_transaction_is_kept(session):
    with transaction() as writing:
        writing.add(new_org(name="甲"))

    assert names(session) == ["甲"]


def test_an_error_takes_everything_back(session):
    def fail_half_way():
        with transaction() as writing:
            writing.add(new_org())
            writing.flush()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_half_way()

    assert names(session) == []


def test_transactions_do_not_nest(session):
    with transaction(), pytest.raises(RuntimeError, match="do not nest"), transaction():
        pass

    with transaction() as writing:
        writing.add(new_org(name="甲"))
    assert names(session) == ["甲"]


def test_rows_cannot_be_changed_outside_a_transaction(session):
    org = make_org("/hq/", name="甲")
    org.name = "乙"

    with pytest.raises(RuntimeError, match="inside transaction"):
        reading().flush()

    session.rollback()
    assert names(session) == ["甲"]


def test_what_follows_the_commit_runs_in_order_and_sees_the_rows(session):
    seen = []

    with transaction() as writing:
        writing.add(new_org(name="甲"))
        after_commit(lambda: seen.append(names(reading())))
        after_commit(lambda: seen.append("second"))
        assert seen == []

    assert seen == [["甲"], "second"]


def test_what_follows_the_commit_never_runs_after_a_rollback(session):
    seen = []

    def fail():
        with transaction():
            after_commit(lambda: seen.append("ran"))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    with transaction():
        pass

    assert seen == []


def test_what_follows_the_commit_may_open_a_transaction(session):
    def write_more():
        with transaction() as writing:
            writing.add(new_org("/hq/b/", name="乙"))

    with transaction() as writing:
        writing.add(new_org(name="甲"))
        after_commit(write_more)

    assert names(session) == ["乙", "甲"]


def test_following_a_commit_needs_a_transaction(session):
    with pytest.raises(RuntimeError, match="inside transaction"):
        after_commit(print)


def test_letting_go_gives_the_connection_back(committed):
    assert names(committed) == []
    assert db.engine.pool.checkedout() == 1

    let_go()

    assert db.engine.pool.checkedout() == 0


def test_a_forked_child_forgets_the_connections(committed):
    names(committed)
    let_go()

    dispose_after_fork()

    assert db.engine.pool.checkedin() == 0
    assert names(reading()) == []


# --- concurrency ----------------------------------------------------------------------------


def test_no_increment_is_lost_between_threads(committed, together):
    make_org("/hq/", name="0")

    def count():
        for _ in range(5):
            with transaction() as writing:
                org = writing.scalars(select(Org).with_for_update()).one()
                org.name = str(int(org.name) + 1)

    assert together(count, count, count) == [None, None, None]
    assert names(committed) == ["15"]


def test_a_transaction_does_not_build_on_what_was_read_before_it(committed, together):
    make_org("/hq/", name="0")
    first_has_read, second_has_written = threading.Event(), threading.Event()

    def first():
        assert names(reading()) == ["0"]
        first_has_read.set()
        assert second_has_written.wait(10)
        with transaction() as writing:
            org = writing.scalars(select(Org)).one()
            org.name += "a"

    def second():
        assert first_has_read.wait(10)
        with transaction() as writing:
            writing.scalars(select(Org)).one().name += "b"
        second_has_written.set()

    assert together(first, second) == [None, None]
    assert names(committed) == ["0ba"]


def test_readers_do_not_wait_for_a_writer(committed, together):
    make_org("/hq/", name="甲")
    is_written, is_read = threading.Event(), threading.Event()

    def write():
        with transaction() as writing:
            writing.scalars(select(Org)).one().name = "乙"
            writing.flush()
            is_written.set()
            assert is_read.wait(10)

    def read():
        assert is_written.wait(10)
        seen = names(reading())
        is_read.set()
        return seen

    assert together(write, read) == [None, ["甲"]]


def test_insert_new_inserts_once(session):
    account = make_channel_account()
    values = identity_values(account, "o-1")

    with transaction() as writing:
        assert insert_new(writing, Identity, **values) is True
        assert insert_new(writing, Identity, **values) is False

    assert session.scalars(select(Identity.openid)).all() == ["o-1"]


def test_insert_new_still_refuses_what_is_wrong(session):
    values = identity_values(make_channel_account(), "o-1") | {"channel_account_id": 4711}

    with pytest.raises(IntegrityError), transaction() as writing:
        insert_new(writing, Identity, **values)


def test_insert_new_leaves_the_row_that_was_there(session):
    account = make_channel_account()
    identity = make_identity(account, openid="o-1", is_follower=True)

    with transaction() as writing:
        values = identity_values(account, "o-1") | {"is_follower": False}
        assert insert_new(writing, Identity, **values) is False

    session.refresh(identity)
    assert identity.is_follower is True


def test_insert_new_at_the_same_moment_inserts_once(committed, together):
    account = make_channel_account()

    def insert():
        with transaction() as writing:
            return insert_new(writing, Identity, **identity_values(account, "o-1"))

    assert sorted(together(*[insert] * 4)) == [False, False, False, True]


def test_rows_are_put_whether_they_were_there_or_not_in_one_statement(session):
    account = make_channel_account()
    make_identity(account, openid="o-1", is_follower=True)
    rows = [identity_values(account, f"o-{n}") | {"is_follower": False} for n in range(3)]

    with transaction() as writing, count_queries() as made:
        put_each(writing, IDENTITIES, rows, key=("channel_account_id", "openid"))

    assert made.count == 1
    found = session.execute(
        select(Identity.openid, Identity.is_follower)
        .order_by(Identity.openid)
        .execution_options(populate_existing=True)
    ).all()
    assert [tuple(one) for one in found] == [("o-0", False), ("o-1", False), ("o-2", False)]


def test_nothing_is_put_without_a_statement(session):
    with transaction() as writing, count_queries() as made:
        put_each(writing, IDENTITIES, [], key=("channel_account_id", "openid"))

    assert made.count == 0


def test_the_same_rows_put_at_the_same_moment_are_one_each(committed, together):
    account = make_channel_account()
    rows = [identity_values(account, f"o-{n:02}") for n in range(50)]

    def put():
        with transaction() as writing:
            put_each(writing, IDENTITIES, rows, key=("channel_account_id", "openid"))

    assert together(*[put] * 4) == [None] * 4
    committed.rollback()
    assert len(committed.scalars(select(Identity.id)).all()) == 50


def identity_values(account, openid):
    return {
        "org_path": account.org_path,
        "channel_account_id": account.id,
        "openid": openid,
        "is_follower": True,
        "created_at": utc_now(),
        "updated_at": utc_now(),
    }


# --- values ---------------------------------------------------------------------------------


def stored(session, column):
    session.expire_all()
    return session.scalars(select(column)).one()


def test_an_instant_keeps_its_microseconds_and_zone(session):
    instant = datetime(2026, 3, 5, 6, 7, 8, 123456, tzinfo=UTC)
    with transaction() as writing:
        writing.add(new_org(created_at=instant))

    assert stored(session, Org.created_at) == instant
    assert stored(session, Org.created_at).tzinfo is UTC


def test_an_instant_of_another_zone_is_stored_as_utc(session):
    china = timezone(timedelta(hours=8))
    with transaction() as writing:
        writing.add(new_org(created_at=datetime(2026, 3, 5, 1, 0, tzinfo=china)))

    assert stored(session, Org.created_at) == datetime(2026, 3, 4, 17, 0, tzinfo=UTC)


def test_a_naive_instant_cannot_be_stored(session):
    naive = datetime(2026, 3, 5, 1, 0)  # noqa: DTZ001 -- what is to be refused

    with transaction() as writing:
        writing.add(new_org(created_at=naive))
        with pytest.raises(StatementError, match="naive"):
            writing.flush()
        writing.rollback()


def test_a_missing_instant_stays_missing(session):
    account = make_channel_account()

    assert session.get_one(ChannelAccount, account.id).old_aes_key_sealed is None


def test_an_enum_is_stored_by_its_value_and_read_as_itself(session):
    with transaction() as writing:
        writing.add(new_org(kind=OrgKind.ENTERPRISE))

    assert session.execute(text("SELECT kind FROM orgs")).scalar_one() == "enterprise"
    assert stored(session, Org.kind) is OrgKind.ENTERPRISE


def test_codes_that_differ_by_case_are_different(session):
    account = make_channel_account()
    make_identity(account, openid="oAbC")

    make_identity(account, openid="oabc")

    found = session.scalars(select(Identity.openid).where(Identity.openid == "oABC")).all()
    assert found == []


def test_chinese_beyond_the_basic_plane_is_kept(session):
    make_org("/hq/", name="𠮷野家😀")

    assert stored(session, Org.name) == "𠮷野家😀"


# --- engines --------------------------------------------------------------------------------


def test_an_engine_outside_flask_behaves_like_ours(settings, committed):
    engine = make_engine(settings.database)
    make_org("/hq/", name="甲")

    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM orgs")).scalar_one() == "甲"

    engine.dispose()


def test_mysql_keeps_microseconds_and_long_texts():
    table = ChannelAccount.__table__

    written = str(CreateTable(table).compile(dialect=mysql.dialect()))

    assert "created_at DATETIME(6) NOT NULL" in written
    assert "secret_sealed LONGTEXT NOT NULL" in written
    assert "utf8mb4_bin" in written


def test_on_mysql_a_locked_read_sees_what_was_committed_before_it():
    options = engine_options("mysql+pymysql://root@db.example/xinqiao")

    assert options["isolation_level"] == "READ COMMITTED"
    assert options["pool_pre_ping"] is True


# --- a value for each row ---------------------------------------------------------------------

PUSHES = Push.__table__
IDENTITIES = Identity.__table__


def make_claimed(count: int, claim: int) -> list[int]:
    account = make_channel_account()
    campaign = make_campaign(account)
    return [
        make_push(make_employee(), account, campaign=campaign, claim=claim).id for _ in range(count)
    ]


def message_ids(session) -> list[str | None]:
    return list(session.scalars(select(Push.msgid).order_by(Push.id)))


@pytest.mark.parametrize("count", [1, 3])
def test_each_row_gets_its_own_value(session, count):
    ids = make_claimed(count, claim=7)

    with transaction() as writing:
        set_each(writing, PUSHES, "msgid", [(one, f"m-{one}") for one in ids], 7)

    assert message_ids(session) == [f"m-{one}" for one in ids]


def test_a_row_that_somebody_else_has_claimed_keeps_its_value(session):
    ours, theirs = make_claimed(1, claim=2**62 - 1), make_claimed(1, claim=8)
    values = [(one, "m") for one in (*ours, *theirs, 4711)]

    with transaction() as writing:
        set_each(writing, PUSHES, "msgid", values, 2**62 - 1)

    assert message_ids(session) == ["m", None]


def test_values_may_be_missing_and_hold_any_sign(session):
    ids = make_claimed(3, claim=7)
    said = [None, "100%s'; --", "㊣"]

    with transaction() as writing:
        set_each(writing, PUSHES, "msgid", list(zip(ids, said, strict=True)), 7)

    assert message_ids(session) == said


def test_a_thousand_rows_are_one_statement(session):
    ids = make_claimed(3, claim=7)
    absent = range(max(ids) + 1, max(ids) + 998)

    with transaction() as writing, count_queries() as made:
        set_each(writing, PUSHES, "msgid", [(one, "m") for one in (*ids, *absent)], 7)

    assert made.count == 1
    assert message_ids(session) == ["m"] * 3
