"""Every background job: thin, and harmless when it runs twice."""

from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from channel import delivery, events, listeners, template_sync
from core.log import logger
from domain.inbox import service as inbox
from domain.payroll import service as payroll
from domain.pushes import campaigns, sweeper
from domain.pushes.campaigns import Chunk
from domain.pushes.claims import claim
from domain.pushes.outcomes import record_outcomes
from workers import write_behind

# A deadlock's victim, a lost connection, a busy file: of what was sent nothing may be forgotten.
once_more = Retrying(
    retry=retry_if_exception_type(OperationalError),
    stop=stop_after_attempt(3),
    wait=wait_random(0.1, 1),
    reraise=True,
)


def handle_inbox_events(*event_ids: int) -> None:
    listeners.listen()
    for event_id in event_ids:
        events.handle_inbox_event(event_id)


def prepare_campaign(campaign_id: int) -> None:
    campaigns.prepare(campaign_id)


def feed_pushes(channel_account_id: int) -> None:
    campaigns.feed(channel_account_id)


def send_pushes(campaign_id: int, first_id: int, last_id: int) -> None:
    chunk = Chunk(campaign_id, first_id, last_id)
    claimed = claim(chunk)
    if claimed is None:
        campaigns.chunk_done(chunk)
        return
    outcomes = delivery.deliver(claimed)  # no transaction is open here

    def write_down() -> None:
        try:
            once_more(record_outcomes, claimed, outcomes)
        finally:
            campaigns.chunk_done(chunk)

    write_behind.hand(write_down)


def enqueue_template_syncs() -> None:
    template_sync.enqueue_turn()


def sync_templates(channel_account_id: int) -> None:
    template_sync.sync(channel_account_id)


def read_payroll_sheet(batch_id: int) -> None:
    try:
        payroll.read_sheet(batch_id)
    except Exception:
        # HR waits in front of this batch: whatever went wrong, it must not turn for ever.
        logger.exception("payroll sheet not read", extra={"batch_id": batch_id})
        payroll.give_up_reading(batch_id)


def sweep() -> None:
    """Bring back what Redis or a dead worker lost. The ledgers are the truth."""
    found = {
        "pushes": sweeper.sweep(),
        "inbox": inbox.sweep(),
        "readings": payroll.sweep_readings(),
    }
    if any(found.values()):
        logger.info("swept", extra=found)
