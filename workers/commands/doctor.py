"""``xinqiao doctor``: what works, what does not, and what to do about it."""

import json
import logging
import sys
from collections.abc import Iterator

import click
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from channel.checkup.findings import Finding, Verdict
from channel.checkup.reach import examine_public_url
from channel.checkup.service import examine
from core.db import reading
from core.redis import redis
from core.security import SealBroken, key_ring
from core.settings import get_settings
from domain.directory.access import Actor

MARKS = {Verdict.WELL: "正常", Verdict.BROKEN: "有误", Verdict.UNKNOWN: "不明"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check database, Redis, keys and every channel account. Status 1 when something is broken."""
    # Alembic tells of every look at the tables, ahead of what people asked for.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    is_broken = False
    for finding in _examine():
        click.echo(_as_json(finding) if as_json else _as_text(finding))
        is_broken = is_broken or finding.is_broken
    sys.exit(1 if is_broken else 0)


def _as_json(finding: Finding) -> str:
    line = {
        "id": finding.id,
        "account": finding.account,
        "check": finding.check,
        "state": finding.verdict,
        "is_well": not finding.is_broken,  # the name under which scripts have always found it
        "says": finding.says,
        "advice": finding.advice,
    }
    return json.dumps(line, ensure_ascii=False)


def _as_text(finding: Finding) -> str:
    advice = f"\n      → {finding.advice}" if finding.advice else ""
    return f"[{MARKS[finding.verdict]}] {finding.check}：{finding.says}{advice}"


def _examine() -> Iterator[Finding]:
    yield _examine_database()
    yield _examine_redis()
    keys = _examine_keys()
    yield keys
    yield examine_public_url(get_settings().public_url)
    if not keys.is_broken:
        yield from _examine_accounts()


def _examine_accounts() -> Iterator[Finding]:
    try:
        yield from examine(Actor.system(), for_pages=False)
    except SQLAlchemyError as error:
        says = f"读不出来（{type(error).__name__}）"
        yield _broken("accounts", "渠道账号", says, "先恢复数据库")


def _broken(check_id: str, check: str, says: str, advice: str) -> Finding:
    return Finding(check_id, check, Verdict.BROKEN, says, advice)


def _examine_database() -> Finding:
    try:
        connection = reading().connection()
        stands_at = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        advice = "检查 XINQIAO_DATABASE_URL 和数据库服务"
        return _broken("database", "数据库", f"连不上（{type(error).__name__}）", advice)
    newest = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    if stands_at != newest:
        return _broken("database", "数据库", f"表结构是 {stands_at}", "运行 xinqiao db upgrade")
    return Finding("database", "数据库", Verdict.WELL, f"表结构 {stands_at}")


def _examine_redis() -> Finding:
    try:
        redis().ping()
    except RedisError as error:
        advice = "检查 XINQIAO_REDIS_URL 和 Redis 服务"
        return _broken("redis", "Redis", f"连不上（{type(error).__name__}）", advice)
    return Finding("redis", "Redis", Verdict.WELL, "可以读写")


def _examine_keys() -> Finding:
    try:
        ring = key_ring()
        ring.unseal("doctor", ring.seal("doctor", "1"))
    except (SealBroken, SQLAlchemyError) as error:
        advice = "设置正确的 XINQIAO_MASTER_KEY，并运行 xinqiao db upgrade"
        return _broken("keys", "密钥", f"不能用（{type(error).__name__}）", advice)
    return Finding("keys", "密钥", Verdict.WELL, "可以加密和解密")
