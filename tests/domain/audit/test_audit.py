"""The audit trail: one row with the deed, none without it."""

import pytest
from sqlalchemy import select

from core.db import transaction
from core.errors import Forbidden
from core.log import request_id
from domain.audit import queries, service
from domain.audit.models import AuditEvent
from domain.directory.access import Actor, ActorKind, Role
from domain.directory.models import Org, OrgKind
from tests.factories import ENTERPRISE, make_hr, make_org, make_user


def write(actor, org, action="test.done", **details):
    with transaction() as session:
        service.record(session, actor, action, session.merge(org), **details)


def test_a_deed_says_who_did_what_to_which_row(session, monkeypatch):
    org, hr = make_org(), make_hr()
    token = request_id.set("4f2a")

    write(hr, org, rows=3)

    request_id.reset(token)
    event = session.scalars(select(AuditEvent)).one()
    assert (event.actor_kind, event.actor_id) == (ActorKind.USER, hr.id)
    assert (event.action, event.subject, event.subject_id) == ("test.done", "orgs", org.id)
    assert (event.org_path, event.details) == (org.org_path, {"rows": 3})
    assert event.request_id == "4f2a"


def test_a_new_row_is_known_by_its_id(session):
    org = Org(
        org_path="/hq/", kind=OrgKind.UNION, name="总行", created_at=make_org("/x/").created_at
    )
    with transaction() as writing:
        writing.add(org)
        service.record(writing, Actor.system(), "test.added", org)

    assert session.scalars(select(AuditEvent.subject_id)).one() == org.id


def test_a_deed_taken_back_leaves_no_row(session):
    org = make_org()

    def fail():
        with transaction() as writing:
            service.record(writing, Actor.system(), "test.done", org)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()

    assert session.scalars(select(AuditEvent.id)).all() == []


def test_the_trail_is_read_newest_first_and_page_by_page(session, monkeypatch):
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    org, hr = make_org(), make_hr()
    for number in range(3):
        write(hr, org, action=f"test.{number}")

    first = queries.list_events(hr)
    second = queries.list_events(hr, before=first.next_cursor)

    assert [row.action for row in first.rows] == ["test.2", "test.1"]
    assert [row.action for row in second.rows] == ["test.0"]
    assert second.next_cursor is None


def test_an_auditor_sees_their_branch_and_nothing_beside_it(session):
    write(Actor.system(), make_org("/hq/b/ent-1/"), action="test.mine")
    write(Actor.system(), make_org("/hq/b2/"), action="test.theirs")

    rows = queries.list_events(make_user("/hq/b/", Role.AUDITOR)).rows

    assert [row.action for row in rows] == ["test.mine"]


def test_who_may_not_read_the_trail_is_refused(session):
    with pytest.raises(Forbidden):
        queries.list_events(make_user(ENTERPRISE, Role.FINANCE))
