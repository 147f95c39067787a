"""What a claim carries, and from when on it lives."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine

from core.db import reading, transaction
from domain.pushes import claims
from domain.pushes.campaigns import Chunk
from domain.pushes.models import Push, PushStatus
from domain.pushes.outcomes import PushOutcome, record_outcomes
from domain.pushes.policy import CLAIM_LIFE
from tests.factories import (
    make_binding,
    make_campaign,
    make_channel_account,
    make_employee,
    make_push,
)

NOON = datetime(2026, 4, 5, 4, 0, tzinfo=UTC)


def test_a_claim_that_waited_for_its_turn_lives_no_shorter(session, monkeypatch):
    account, employee = make_channel_account(), make_employee()
    make_binding(employee, account)

    with time_machine.travel(NOON, tick=False) as clock:
        push = make_push(employee, account)

        @contextmanager
        def waiting():
            clock.shift(timedelta(seconds=15))
            with transaction() as session:
                yield session

        monkeypatch.setattr(claims, "transaction", waiting)
        claimed = claims.claim(Chunk(push.campaign_id, push.id, push.id))

    row = reading().get_one(Push, push.id, populate_existing=True)
    assert claimed.at == row.due_at - CLAIM_LIFE == NOON + timedelta(seconds=15)


def test_every_try_carries_the_time_of_the_campaign(session):
    account, employee = make_channel_account(), make_employee()
    make_binding(employee, account)

    with time_machine.travel(NOON, tick=False) as clock:
        push = make_push(employee, account, campaign=make_campaign(account, created_at=NOON))
        chunk = Chunk(push.campaign_id, push.id, push.id)
        claimed = []
        for _ in range(2):
            clock.shift(timedelta(minutes=5))
            claimed.append(claims.claim(chunk))
            record_outcomes(claimed[-1], {push.id: PushOutcome(PushStatus.TEMPORARY_FAILURE)})

    assert [one.requested_at for one in claimed] == [NOON, NOON]
