"""Pure rules of pushing."""

from datetime import timedelta

from domain.pushes.models import PushStatus

RETRY_AFTER = (
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)

# WeChat drops a second message with the same client_msg_id for ten minutes (reference 2.6); we
# stay a minute inside.
REPEATABLE_FOR = timedelta(minutes=9)
# A claim older than this belongs to a worker that died.
CLAIM_LIFE = timedelta(seconds=60)
# The platform reports within seconds; what it has not reported by then it will not report.
REPORT_LIFE = timedelta(minutes=10)
# A notice that nobody could send is still news when its receiver binds within this time.
STILL_NEWS = timedelta(days=60)


def retry_delay(attempts: int) -> timedelta | None:
    """How long to wait after the ``attempts``-th failure; None when it is time to give up."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None


def after_lost_answer(age: timedelta) -> PushStatus:
    """What becomes of a push whose outcome nobody heard, ``age`` after its first try."""
    return PushStatus.TEMPORARY_FAILURE if age < REPEATABLE_FOR else PushStatus.UNKNOWN
