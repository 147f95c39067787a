"""Every account's templates are read anew once a night, and when WeChat says that one is gone."""

from redis.exceptions import RedisError

from channel.breaker import breaker_state
from channel.setup import read_templates
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.clock import CHINA, utc_now
from core.log import logger
from core.queues import Job, QueueName, enqueue_once
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import channel_account, list_channel_accounts
from domain.directory.errors import AccountUnknown

HAVE_TEMPLATES = frozenset({ChannelKind.OFFICIAL_ACCOUNT, ChannelKind.MINIPROGRAM})
# The first hours of the day in China share the accounts.
NIGHT_HOURS = 6
AGAIN_AFTER_SECONDS = 600


def enqueue_turn() -> int:
    """One job for each account whose hour this is; how many accounts."""
    hour = utc_now().astimezone(CHINA).hour
    turn = [
        row.id
        for row in list_channel_accounts(Actor.system())
        if row.is_enabled and row.kind in HAVE_TEMPLATES and row.id % NIGHT_HOURS == hour
    ]
    for account_id in turn:
        ask_for_sync(account_id)
    return len(turn)


def ask_for_sync(account_id: int) -> None:
    """Soon, and once in a while however often it is asked for. Among the callbacks, which can wait
    for a call to the platform: welcome codes cannot, a push worker has a thousand messages to send
    meanwhile, and the one for sheets believes each of its jobs to be a batch."""
    slot = int(utc_now().timestamp() // AGAIN_AFTER_SECONDS)
    job_id = f"templates-{account_id}-{slot}"
    try:
        enqueue_once(QueueName.INBOX, Job.SYNC_TEMPLATES, account_id, job_id=job_id)
    except RedisError:
        logger.warning("queue unreachable", extra={"job": Job.SYNC_TEMPLATES.name, "count": 1})


def sync(account_id: int) -> bool:
    """Whether the registry now says what the platform says."""
    try:
        account = channel_account(account_id)
    except AccountUnknown:  # switched off since
        return False
    if breaker_state(account_id):
        return False
    try:
        read_templates(Actor.system(), account)
    except (WeChatError, WeChatUnreachable) as error:
        extra = {"account_id": account_id, "why": error.code}
        logger.warning("templates not read", extra=extra)
        return False
    return True
