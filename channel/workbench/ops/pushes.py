"""What of the messages out does not move, and what was given up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import g, render_template
from flask.typing import ResponseReturnValue

from channel.workbench.desk import desk_room
from channel.workbench.ops import words
from core.clock import utc_now
from core.queues import FailedJob, QueueName, count_failed_jobs, list_failed_jobs
from domain.directory.access import Actor, Permission
from domain.directory.queries import root_org
from domain.pushes.models import PushStatus
from domain.pushes.queries import reason_in_words
from domain.pushes.stuck import (
    ADVICE,
    WORDS,
    DeadLetters,
    StuckKind,
    StuckRow,
    list_dead_letters,
    list_stuck,
)

bp = desk_room("pushes", "/pushes")

# What HR is told to ask the bank for.
REASONS = {
    "template": "消息模板没有配置好，请看“消息模板”",
    "no-account": "没有可用的账号，请看“运行状况”",
}
JOBS_SHOWN = 20
# What RQ writes, without a traceback, of a job whose worker died.
ABANDONED = "AbandonedJobError"
_HEAD = "Traceback (most recent call last):\n"
_CLASS = re.compile(r"[a-zA-Z_][\w.]{1,80}", re.ASCII)
_HOUSE = re.escape(str(Path(__file__).parents[3]))
_PLACE = re.compile(rf'File "{_HOUSE}/([a-z_/]+\.py)", line (\d+)')


@dataclass(frozen=True, slots=True)
class StuckLine:
    row: StuckRow
    what: str
    advice: str
    waited: str


@dataclass(frozen=True, slots=True)
class DeadLine:
    row: DeadLetters
    why: str


@dataclass(frozen=True, slots=True)
class FailedLine:
    job: str
    ids: str
    failed_at: datetime
    error: str


@bp.get("")
def index() -> ResponseReturnValue:
    return render_template("ops/pushes/index.html", **_standing(g.actor))


@bp.get("/now")
def now() -> ResponseReturnValue:
    return render_template("ops/pushes/_now.html", **_standing(g.actor))


def _standing(actor: Actor) -> dict[str, Any]:
    actor.require(Permission.ACCOUNTS_READ)
    # A job may be of any bank: only the top of the tree sees them all.
    sees_jobs = actor.org_path == root_org().org_path
    return {
        # What is unknown stands below, with all that nobody tries again.
        "stuck": [_stuck_line(row) for row in list_stuck(actor) if row.is_stuck],
        "dead": [_dead_line(row) for row in list_dead_letters(actor)],
        "sees_jobs": sees_jobs,
        "failed": _failed_lines() if sees_jobs else [],
        "failed_count": count_failed_jobs(QueueName.PUSH) if sees_jobs else 0,
    }


def _stuck_line(row: StuckRow) -> StuckLine:
    waited = words.duration(utc_now() - row.since)
    return StuckLine(row, WORDS[row.kind], ADVICE[row.kind], waited)


def _dead_line(row: DeadLetters) -> DeadLine:
    if row.status is PushStatus.UNKNOWN:
        return DeadLine(row, WORDS[StuckKind.UNKNOWN])
    return DeadLine(row, REASONS.get(row.reason) or reason_in_words(row.reason) or "没有写明")


def _failed_lines() -> Sequence[FailedLine]:
    return [_failed_line(job) for job in list_failed_jobs(QueueName.PUSH, JOBS_SHOWN)]


def _failed_line(job: FailedJob) -> FailedLine:
    name = (job.job or "").rpartition(".")[2]
    ids = "、".join(str(one) for one in job.args) or "—"
    return FailedLine(name, ids, job.failed_at, safe_error(job.error))


def safe_error(traceback: str) -> str:
    """Which class was raised and where in our code: of what it says anything may be personal.

    ``traceback`` ends in ``module.Class: what it says``, and more lines may follow.
    """
    if ABANDONED in traceback.partition(_HEAD)[0]:
        return ABANDONED
    last = traceback.rpartition(_HEAD)[2] if _HEAD in traceback else ""
    raised = next((line for line in last.splitlines() if line and not line[0].isspace()), "")
    name = raised.partition(":")[0]
    if not _CLASS.fullmatch(name):
        return ""
    places = _PLACE.findall(last.partition(f"\n{name}")[0])
    return f"{name}（{':'.join(places[-1])}）" if places else name
