import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from tenacity import wait_none

from channel import bulk, clients, delivery, ways
from core.clock import utc_now
from core.db import reading, transaction
from core.queues import Job
from domain.payroll import service as payroll
from domain.payroll.models import BatchStatus, PayrollBatch
from domain.pushes import campaigns
from domain.pushes.claims import claim
from domain.pushes.models import Campaign, CampaignStatus, Push, PushStatus
from domain.pushes.outcomes import record_outcomes
from domain.pushes.policy import CLAIM_LIFE
from tests.channel.fake_platform import running_platform
from tests.factories import (
    make_batch,
    make_binding,
    make_channel_account,
    make_employee,
    make_hr,
    make_identity,
    make_payslip,
    make_push,
)
from workers import jobs


@pytest.fixture
def push(session) -> Push:
    account = make_channel_account()
    employee = make_employee()
    make_binding(employee, account)
    return make_push(employee, account)


@pytest.fixture
def platform(redis, monkeypatch):
    with running_platform() as platform:
        given = {"wechat_api_url": platform.url}
        settings = clients.get_settings().model_copy(update=given)
        for module in (clients, ways):
            monkeypatch.setattr(module, "get_settings", lambda: settings)
        clients.forget_http()
        yield platform
        bulk.close()
        clients.forget_http()


def statuses(campaign_id) -> list[PushStatus]:
    """A job lets go of the session that the test began with."""
    rows = select(Push.status).where(Push.campaign_id == campaign_id).order_by(Push.id)
    return list(reading().scalars(rows))


def work_off(queue) -> None:
    """What the push worker does until nothing is left."""
    entries = {
        Job.PREPARE_CAMPAIGN: jobs.prepare_campaign,
        Job.FEED_PUSHES: jobs.feed_pushes,
        Job.SEND_PUSHES: jobs.send_pushes,
    }
    while todo := queue.jobs:
        queue.clear()
        for job, args in todo:
            entries[job](*args)


def test_a_chunk_is_sent_once_though_its_job_runs_twice(push, platform):
    campaign_id, push_id = push.campaign_id, push.id

    for _ in range(2):
        jobs.send_pushes(campaign_id, push_id, push_id)

    assert statuses(campaign_id) == [PushStatus.SENT]
    assert len(platform.calls) == 1


def test_a_published_payroll_reaches_everybody_once(session, platform, queue, monkeypatch):
    monkeypatch.setattr(campaigns, "SLICE", 2)
    monkeypatch.setattr(campaigns, "CHUNK", 1)
    monkeypatch.setattr(campaigns, "WINDOW", 1)
    hr, account = make_hr(), make_channel_account()
    batch = make_batch(status=BatchStatus.DRAFT)
    for number in range(5):
        employee = make_employee()
        make_binding(employee, account, make_identity(account, openid=f"o{number}"))
        make_payslip(employee, batch)
    queue.clear()

    payroll.publish_batch(hr, batch.id)
    [(campaign_id,)] = queue.args(Job.PREPARE_CAMPAIGN)
    work_off(queue)
    jobs.sweep()
    work_off(queue)

    assert sorted(call.body["touser"] for call in platform.calls) == [
        f"o{number}" for number in range(5)
    ]
    assert statuses(campaign_id) == [PushStatus.SENT] * 5
    assert reading().get_one(Campaign, campaign_id).status is CampaignStatus.FINISHED


def test_a_worker_that_dies_while_sending_forgets_nobody_and_tells_nobody_twice(
    push, platform, queue
):
    campaign_id, push_id = push.campaign_id, push.id
    claimed = claim(campaigns.Chunk(campaign_id, push_id, push_id))
    delivery.deliver(claimed)  # and dies before it writes this down
    with time_machine.travel(utc_now() + CLAIM_LIFE, tick=False):
        jobs.sweep()
        work_off(queue)

    assert statuses(campaign_id) == [PushStatus.SENT]
    assert len(platform.calls) == 2
    # The platform drops the second of the same id.
    assert len({call.body["client_msg_id"] for call in platform.calls}) == 1


def test_outcomes_are_written_although_the_database_refuses_once(push, platform, monkeypatch):
    campaign_id, push_id = push.campaign_id, push.id
    refused = iter([OperationalError("update", {}, Exception("deadlock"))])

    def record(*args):
        for error in refused:
            raise error
        record_outcomes(*args)

    monkeypatch.setattr(jobs, "record_outcomes", record)
    monkeypatch.setattr(jobs.once_more, "wait", wait_none())

    jobs.send_pushes(campaign_id, push_id, push_id)

    assert statuses(campaign_id) == [PushStatus.SENT]


def test_a_reader_that_breaks_leaves_a_sentence_on_the_batch(session, monkeypatch):
    hr = make_hr()
    batch = payroll.upload_sheet(hr, b"x", "坏.csv")
    monkeypatch.setattr(payroll, "check_sheet", lambda *_, **__: 1 / 0)

    jobs.read_payroll_sheet(batch.id)

    stored = session.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert "坏.csv" in stored.refusal_message


def test_a_healthy_sheet_is_read(session):
    batch = payroll.upload_sheet(make_hr(), b"\xff\xfe\x00", "空.csv")

    jobs.read_payroll_sheet(batch.id)

    stored = session.get_one(PayrollBatch, batch.id, populate_existing=True)
    assert stored.status is BatchStatus.REFUSED
    assert stored.refusal_code != payroll.READ_FAILED


def test_the_sweeper_brings_back_what_redis_lost(session, push, queue):
    with transaction():
        session.get_one(Push, push.id).status = PushStatus.SENDING
    jobs.sweep()
    assert queue.count == 0
    with transaction():
        session.get_one(Push, push.id).status = PushStatus.CREATED
    with transaction():
        session.get_one(Campaign, push.campaign_id).fed_to = 0

    jobs.sweep()

    assert queue.args(Job.SEND_PUSHES) == [(push.campaign_id, push.id, push.id)]


def test_an_event_that_is_gone_keeps_no_other_waiting(session, monkeypatch):
    claimed = []
    monkeypatch.setattr("channel.events.inbox.claim", claimed.append)

    jobs.handle_inbox_events(4711, 4712)

    assert claimed == [4711, 4712]
