"""Examining accounts, all at once and in seconds, and keeping what was found."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import cast

from redis.exceptions import LockNotOwnedError, RedisError

from channel.checkup import platforms, reach
from channel.checkup.findings import KIND_WORDS, Check, Finding, Verdict, finding
from core.clock import utc_now
from core.db import let_go
from core.errors import Conflict, DomainError
from core.log import logger
from core.redis import PREFIX, redis
from core.security import SealBroken
from domain.directory.access import Actor, Permission
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import (
    AccountRow,
    channel_account_by_name,
    list_channel_accounts,
    templates_of,
)
from domain.inbox.queries import last_received

# After this no new question is asked; one under way ends within its own time-outs.
PATIENCE_SECONDS = 10.0
MOST_AT_ONCE = 16
KEPT_SECONDS = 30 * 24 * 3600
RUNNING_SECONDS = 60


class CheckupRunning(Conflict):
    code, message = "checkup_running", "正在检查，请等几秒再看结果"


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found at an account, and when."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        found = {finding.verdict for finding in self.findings}
        order = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.WELL)
        return next((verdict for verdict in order if verdict in found), Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Patient:
    """All that the database tells about an account: its examination must not need it."""

    account: ChannelAccountCredentials
    templates: dict[str, str]
    last_at: datetime | None


def examine(actor: Actor, *, for_pages: bool = True) -> list[Finding]:
    """Look at every account that is in use and that ``actor`` sees.

    ``for_pages``: what was found is what the pages show until the next time. A command may run with
    another environment than the service whose pages they are.
    """
    rows = [row for row in list_channel_accounts(actor) if row.is_enabled]
    last = last_received(actor)
    patients = [_patient(row, last.get(row.id)) for row in rows]
    let_go()
    deadline = time.monotonic() + PATIENCE_SECONDS
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        found = list(pool.map(partial(_findings, deadline=deadline), patients))
    if for_pages:
        at = utc_now()
        _keep({row.id: Checkup(at, tuple(some)) for row, some in zip(rows, found, strict=True)})
    return [finding for some in found for finding in some]


def _patient(row: AccountRow, last_at: datetime | None) -> _Patient | Finding:
    try:
        return _Patient(channel_account_by_name(row.name), templates_of(row.id), last_at)
    except (DomainError, SealBroken) as error:
        return _failed(row.kind, row.name, error, "核对 XINQIAO_MASTER_KEY，再运行一次")


def _failed(kind: ChannelKind, name: str, error: Exception, advice: str) -> Finding:
    says = f"没有检查成（{type(error).__name__}）"
    check = f"{KIND_WORDS[kind]} {name}"
    return Finding(Check.TOKEN.value, check, Verdict.BROKEN, says, advice, name)


def _findings(patient: _Patient | Finding, deadline: float) -> list[Finding]:
    if isinstance(patient, Finding):
        return [patient]
    account = patient.account
    try:
        return list(_examine(patient, deadline))
    except Exception as error:
        # A fault of ours at one account must not hide what is wrong with the others.
        logger.exception("checkup failed", extra={"account_id": account.id})
        return [_failed(account.kind, account.name, error, "请把日志交给开发人员")]


def _examine(patient: _Patient, deadline: float) -> Iterator[Finding]:
    account = patient.account
    match account.kind:
        case ChannelKind.OFFICIAL_ACCOUNT:
            yield from platforms.examine_official_account(account, patient.templates, deadline)
        case ChannelKind.WECOM_APP:
            yield from platforms.examine_wecom_app(account, deadline)
        case _:
            yield from platforms.examine_miniprogram(account, deadline)
    if time.monotonic() < deadline:
        yield reach.examine_callback(account, patient.last_at)
    else:
        yield finding(account, Check.CALLBACK, Verdict.UNKNOWN, *platforms.NO_TIME)
    yield reach.examine_arrivals(account, patient.last_at)


# --- keeping --------------------------------------------------------------------------------


@contextmanager
def only_one(actor: Actor) -> Iterator[None]:
    """One checkup at a time for an organisation, however often its button is tapped."""
    actor.require(Permission.ACCOUNTS_READ)
    running = redis().lock(f"{PREFIX}checkup-running:{actor.org_path}", timeout=RUNNING_SECONDS)
    if not running.acquire(blocking=False):
        raise CheckupRunning
    try:
        yield
    finally:
        with suppress(LockNotOwnedError):  # its time was over; it may be another's now
            running.release()


def _keep(checkups: dict[int, Checkup]) -> None:
    try:
        with redis().pipeline() as together:
            for account_id, checkup in checkups.items():
                kept = {
                    "at": checkup.at.isoformat(),
                    "findings": [asdict(finding) for finding in checkup.findings],
                }
                together.set(_key(account_id), json.dumps(kept), ex=KEPT_SECONDS)
            together.execute()
    except RedisError as error:
        logger.warning("checkup not kept", extra={"why": type(error).__name__})


def last_checkups(accounts: Sequence[AccountRow]) -> dict[int, Checkup]:
    """What was found last, by the account's id; nothing for one that was never examined."""
    if not accounts:
        return {}
    kept = cast(list[str | None], redis().mget([_key(row.id) for row in accounts]))
    found = {row.id: _read(text) for row, text in zip(accounts, kept, strict=True) if text}
    return {account_id: checkup for account_id, checkup in found.items() if checkup}


def _read(text: str) -> Checkup | None:
    """None for what another release kept in another shape: it is examined anew soon enough."""
    try:
        kept = json.loads(text)
        return Checkup(datetime.fromisoformat(kept["at"]), tuple(_finding(kept["findings"])))
    except (ValueError, TypeError, KeyError):
        return None


def _finding(kept: Iterable[dict[str, str]]) -> Iterator[Finding]:
    for values in kept:
        yield Finding(**values | {"verdict": Verdict(values["verdict"])})  # type: ignore[arg-type]  # all others are texts


def _key(account_id: int) -> str:
    return f"{PREFIX}checkup:{account_id}"
