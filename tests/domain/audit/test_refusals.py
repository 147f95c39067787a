"""Refusals stand in the owner's trail; nobody outside fills it."""

import pytest
from sqlalchemy import select

from core.errors import NotFound
from core.log import request_id
from domain.audit import refusals
from domain.audit.models import AuditEvent
from domain.audit.refusals import NotYours, note_refusal, strangers_noted
from domain.directory.access import Actor, ActorKind
from domain.directory.models import ChannelAccount, Org
from tests.factories import make_channel_account, make_hr, make_org


class OrgNotYours(NotYours):
    action = "test.refused"


@strangers_noted
def look(actor, org_id, *, is_mine=False):
    if not is_mine:
        raise OrgNotYours(Org, org_id)
    return org_id


def events(session):
    return session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()


def test_a_strangers_try_is_refused_and_stands_in_the_owners_trail(session):
    org, stranger = make_org("/hq/b/ent-1/"), make_hr("/hq/b/ent-2/")
    token = request_id.set("4f2a")

    with pytest.raises(NotFound):
        look(stranger, org.id)

    request_id.reset(token)
    [event] = events(session)
    assert (event.action, event.org_path, event.subject_id) == (
        "test.refused",
        org.org_path,
        org.id,
    )
    assert (event.actor_kind, event.actor_id) == (ActorKind.USER, stranger.id)
    assert event.request_id == "4f2a"


def test_a_try_at_nothing_gets_the_same_answer_and_leaves_no_row(session):
    with pytest.raises(NotFound):
        look(make_hr(), 4711)

    assert events(session) == []


def test_what_is_ones_own_is_no_refusal(session):
    org = make_org()

    assert look(make_hr(), org.id, is_mine=True) == org.id
    assert events(session) == []


def test_who_knocks_for_ever_fills_the_log_and_not_the_table(session, monkeypatch, log):
    monkeypatch.setattr(refusals, "REFUSALS_KEPT", "3/minute")
    one, other = make_channel_account(name="one"), make_channel_account(name="other")

    for account in [one] * 5 + [other]:
        note_refusal(
            Actor.visitor(), "test.refused", ChannelAccount, account.id, code="signin_loop"
        )

    assert [event.subject_id for event in events(session)] == [one.id] * 3 + [other.id]
    assert events(session)[0].details == {"code": "signin_loop"}
    assert log.getvalue().count("test.refused") == 6


def test_one_strangers_tries_do_not_hide_anothers(session, monkeypatch):
    monkeypatch.setattr(refusals, "REFUSALS_KEPT", "2/minute")
    org, first, second = make_org(), make_hr("/hq/b/ent-2/"), make_hr("/hq/b/ent-3/")

    for stranger in (first, first, first, second):
        with pytest.raises(NotFound):
            look(stranger, org.id)

    assert [event.actor_id for event in events(session)] == [first.id, first.id, second.id]
