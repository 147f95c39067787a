"""Every background job: thin, and harmless when it runs twice."""

from channel import delivery, listeners
from channel.wechat import events
from core.log import logger
from domain.inbox import service as inbox
from domain.payroll import service as payroll
from domain.pushes import service as pushes


def handle_inbox_event(event_id: int) -> None:
    listeners.listen()
    events.handle_inbox_event(event_id)


def deliver_push(push_id: int) -> None:
    push = pushes.claim(push_id)
    if push is None:
        return
    outcome = delivery.deliver(push)  # no transaction is open here
    pushes.record_outcome(push_id, outcome)


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
        "pushes": pushes.sweep(),
        "inbox": inbox.sweep(),
        "readings": payroll.sweep_readings(),
    }
    if any(found.values()):
        logger.info("swept", extra=found)
