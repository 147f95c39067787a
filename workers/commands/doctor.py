"""``xinqiao doctor``: what works, what does not, and what to do about it."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import with_appcontext
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from channel.clients import official_account_client
from channel.wechat.errors import WeChatError, WeChatUnreachable
from core.db import reading
from core.redis import redis
from core.security import SealBroken, key_ring
from domain.directory.access import Actor
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import (
    AccountRow,
    channel_account_by_name,
    list_channel_accounts,
    templates_of,
)
from domain.pushes.models import MessageKind

_ADVICE = {
    40164: "把本机的出口 IP 加入公众平台的 IP 白名单",
    40013: "appid 不对，请核对公众平台里的开发者 ID",
    40001: "AppSecret 不对或已重置，请用 xinqiao accounts rotate 更新",
    40125: "AppSecret 不对或已重置，请用 xinqiao accounts rotate 更新",
    45009: "当天的接口次数已用完，请明天再试或申请提额",
    48001: "公众号没有开通这个接口的权限",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """``advice`` says what to do; empty when all is well."""

    check: str
    is_well: bool
    says: str
    advice: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check database, Redis, keys and every channel account."""
    findings = list(_examine())
    for finding in findings:
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            mark = "正常" if finding.is_well else "有误"
            advice = f"\n      → {finding.advice}" if finding.advice else ""
            click.echo(f"[{mark}] {finding.check}：{finding.says}{advice}")
    sys.exit(0 if all(finding.is_well for finding in findings) else 1)


def _examine() -> Iterator[Finding]:
    yield _examine_database()
    yield _examine_redis()
    keys = _examine_keys()
    yield keys
    if not keys.is_well:
        return
    for account in list_channel_accounts(Actor.system()):
        if account.is_enabled and account.kind is ChannelKind.OFFICIAL_ACCOUNT:
            yield from _examine_official_account(account)


def _examine_database() -> Finding:
    try:
        connection = reading().connection()
        stands_at = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        advice = "检查 XINQIAO_DATABASE_URL 和数据库服务"
        return Finding("数据库", False, f"连不上（{type(error).__name__}）", advice)
    newest = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    if stands_at != newest:
        return Finding("数据库", False, f"表结构是 {stands_at}", "运行 xinqiao db upgrade")
    return Finding("数据库", True, f"表结构 {stands_at}")


def _examine_redis() -> Finding:
    try:
        redis().ping()
    except RedisError as error:
        advice = "检查 XINQIAO_REDIS_URL 和 Redis 服务"
        return Finding("Redis", False, f"连不上（{type(error).__name__}）", advice)
    return Finding("Redis", True, "可以读写")


def _examine_keys() -> Finding:
    try:
        ring = key_ring()
        ring.unseal("doctor", ring.seal("doctor", "1"))
    except (SealBroken, SQLAlchemyError) as error:
        advice = "设置正确的 XINQIAO_MASTER_KEY，并运行 xinqiao db upgrade"
        return Finding("密钥", False, f"不能用（{type(error).__name__}）", advice)
    return Finding("密钥", True, "可以加密和解密")


def _examine_official_account(account: AccountRow) -> Iterator[Finding]:
    name = f"公众号 {account.name}"
    client = official_account_client(channel_account_by_name(account.name))
    try:
        client.list_templates()
    except WeChatError as error:
        advice = _ADVICE.get(error.errcode, "按返回码查公众平台文档")
        yield Finding(name, False, f"接口返回 {error.errcode}", advice)
        return
    except WeChatUnreachable as error:
        advice = "检查网络和 XINQIAO_WECHAT_API_URL"
        yield Finding(name, False, f"连不上微信（{error.why}）", advice)
        return
    yield Finding(name, True, "凭证有效，接口可用")
    missing = [kind.value for kind in MessageKind if kind not in templates_of(account.id)]
    if missing:
        advice = "在公众平台添加模板后运行 xinqiao accounts setup"
        yield Finding(f"{name} 的消息模板", False, f"缺 {'、'.join(missing)}", advice)
    else:
        yield Finding(f"{name} 的消息模板", True, "齐全")
