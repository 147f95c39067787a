"""Pure rules of the inbox."""

from datetime import timedelta

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)
# What is due is found by the sweep, every five seconds: of twenty there is time for three. A
# longer wait would miss the sweep that comes next.
URGENT_RETRY_AFTER = (timedelta(seconds=1),) * 3
# A claim older than this belongs to a worker that died.
CLAIM_LIFE = timedelta(seconds=60)
# Redis may have lost a job that the row still waits for.
FORGOTTEN_AFTER = timedelta(minutes=1)
URGENT_FORGOTTEN_AFTER = timedelta(seconds=3)


def retry_delay(attempts: int, left: timedelta | None = None) -> timedelta | None:
    """How long to wait after the ``attempts``-th failure; None when it is time to give up.

    ``left`` is the time until the event's deadline; past it, patience is that of any event.
    """
    if left is not None:
        tried = min(attempts, len(URGENT_RETRY_AFTER))
        if attempts == tried and URGENT_RETRY_AFTER[tried - 1] < left:
            return URGENT_RETRY_AFTER[tried - 1]
        attempts = max(attempts - tried, 1)
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None
