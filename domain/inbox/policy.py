"""Pure rules of the inbox."""

from datetime import timedelta

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)
# A claim older than this belongs to a worker that died.
CLAIM_LIFE = timedelta(seconds=60)
# Redis may have lost a job that the row still waits for.
FORGOTTEN_AFTER = timedelta(minutes=1)


def retry_delay(attempts: int) -> timedelta | None:
    """How long to wait after the ``attempts``-th failure; None when it is time to give up."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None
