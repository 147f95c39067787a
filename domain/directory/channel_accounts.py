"""Channel accounts: several official accounts, WeCom apps and mini-programs side by side."""

from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import select

from core.clock import utc_now
from core.db import reading, transaction
from core.security import seal, unseal
from domain.audit import service as audit
from domain.directory import policy
from domain.directory.access import Actor, Permission
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind
from domain.directory.errors import (
    AccountInvalid,
    AccountNameTaken,
    AccountNotNamed,
    AccountUnknown,
    NoAccountYet,
)
from domain.directory.models import ChannelAccount
from domain.directory.service import get_org

SECRET, TOKEN, AES_KEY = "account.secret", "account.token", "account.aes_key"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a bank enters from the platform's console. For WeCom ``appid`` is the corpid."""

    kind: ChannelKind
    name: str
    title: str
    appid: str
    secret: SecretStr
    token: SecretStr
    aes_key: SecretStr
    mode: CallbackMode = CallbackMode.SAFE
    agentid: str | None = None


@dataclass(frozen=True, slots=True)
class AccountRow:
    id: int
    name: str
    kind: ChannelKind
    title: str
    org_path: str
    appid: str
    mode: CallbackMode
    is_enabled: bool


def add_channel_account(actor: Actor, org_path: str, new: NewAccount) -> ChannelAccount:
    actor.require(Permission.ACCOUNTS_WRITE)
    _refuse_faults(new.name, new.token, new.aes_key)
    if new.kind is ChannelKind.WECOM_APP and not new.agentid:
        raise AccountInvalid(reason="企业微信应用需要填写 agentid")
    with transaction() as session:
        get_org(session, actor, org_path)
        if session.scalar(select(ChannelAccount.id).where(ChannelAccount.name == new.name)):
            raise AccountNameTaken(name=new.name)
        account = ChannelAccount(
            org_path=org_path,
            kind=new.kind,
            name=new.name,
            title=new.title,
            appid=new.appid,
            agentid=new.agentid,
            mode=new.mode,
            secret_sealed=seal(SECRET, new.secret.get_secret_value()),
            token_sealed=seal(TOKEN, new.token.get_secret_value()),
            aes_key_sealed=seal(AES_KEY, new.aes_key.get_secret_value()),
            templates={},
            created_at=utc_now(),
        )
        session.add(account)
        audit.record(session, actor, "directory.account.added", account)
    return account


def _refuse_faults(name: str, token: SecretStr, aes_key: SecretStr) -> None:
    fault = policy.account_fault(
        name=name, token=token.get_secret_value(), aes_key=aes_key.get_secret_value()
    )
    if fault:
        raise AccountInvalid(reason=fault)


def rotate_keys(
    actor: Actor,
    name: str,
    *,
    secret: SecretStr | None = None,
    token: SecretStr | None = None,
    aes_key: SecretStr | None = None,
) -> None:
    """Replace what is given. Callbacks under the AES key before stay readable."""
    actor.require(Permission.ACCOUNTS_WRITE)
    with transaction() as session:
        account = session.scalar(
            select(ChannelAccount)
            .where(ChannelAccount.name == name, ChannelAccount.visible_to(actor))
            .with_for_update()
        )
        if account is None:
            raise AccountUnknown(name=name)
        kept = _credentials(account, name)
        _refuse_faults(name, token or kept.token, aes_key or SecretStr(kept.aes_keys[0]))
        if secret:
            account.secret_sealed = seal(SECRET, secret.get_secret_value())
        if token:
            account.token_sealed = seal(TOKEN, token.get_secret_value())
        if aes_key:
            account.old_aes_key_sealed = account.aes_key_sealed
            account.aes_key_sealed = seal(AES_KEY, aes_key.get_secret_value())
        audit.record(session, actor, "directory.account.rotated", account)


def set_account_enabled(actor: Actor, name: str, *, is_enabled: bool) -> None:
    actor.require(Permission.ACCOUNTS_WRITE)
    with transaction() as session:
        account = session.scalar(
            select(ChannelAccount).where(
                ChannelAccount.name == name, ChannelAccount.visible_to(actor)
            )
        )
        if account is None:
            raise AccountUnknown(name=name)
        account.is_enabled = is_enabled
        action = "enabled" if is_enabled else "disabled"
        audit.record(session, actor, f"directory.account.{action}", account)


def set_templates(account_id: int, templates: dict[str, str]) -> None:
    """Remember which template of the platform carries which of our messages: kind → id."""
    with transaction() as session:
        account = session.get(ChannelAccount, account_id)
        if account is None:
            raise AccountUnknown(name=str(account_id))
        account.templates = templates
        audit.record(
            session, Actor.system(), "directory.account.templates", account, count=len(templates)
        )


def list_channel_accounts(actor: Actor) -> list[AccountRow]:
    actor.require(Permission.ACCOUNTS_READ)
    query = select(
        ChannelAccount.id,
        ChannelAccount.name,
        ChannelAccount.kind,
        ChannelAccount.title,
        ChannelAccount.org_path,
        ChannelAccount.appid,
        ChannelAccount.mode,
        ChannelAccount.is_enabled,
    ).where(ChannelAccount.visible_to(actor))
    return [AccountRow(*row) for row in reading().execute(query.order_by(ChannelAccount.id))]


def channel_account_by_name(name: str) -> ChannelAccountCredentials:
    """For the gatehouse. Raises AccountUnknown for a disabled or unknown account."""
    return _credentials(
        reading().scalar(
            select(ChannelAccount).where(ChannelAccount.name == name, ChannelAccount.is_enabled)
        ),
        name,
    )


def channel_account(account_id: int) -> ChannelAccountCredentials:
    return _credentials(
        reading().scalar(
            select(ChannelAccount).where(ChannelAccount.id == account_id, ChannelAccount.is_enabled)
        ),
        str(account_id),
    )


def official_account_for(org_path: str) -> ChannelAccountCredentials:
    """The official account that serves an organisation: its own, or the nearest one above it."""
    accounts = reading().scalars(
        select(ChannelAccount).where(
            ChannelAccount.kind == ChannelKind.OFFICIAL_ACCOUNT, ChannelAccount.is_enabled
        )
    )
    serving = [account for account in accounts if org_path.startswith(account.org_path)]
    nearest = max(serving, key=lambda account: len(account.org_path), default=None)
    return _credentials(nearest, org_path)


def sole_official_account() -> ChannelAccountCredentials:
    """The only official account; where there are several, a link has to name one."""
    accounts = (
        reading()
        .scalars(
            select(ChannelAccount)
            .where(ChannelAccount.kind == ChannelKind.OFFICIAL_ACCOUNT, ChannelAccount.is_enabled)
            .limit(2)
        )
        .all()
    )
    if not accounts:
        raise NoAccountYet
    if len(accounts) > 1:
        raise AccountNotNamed
    return _credentials(accounts[0], accounts[0].name)


def templates_of(account_id: int) -> dict[str, str]:
    stored = reading().scalar(
        select(ChannelAccount.templates).where(ChannelAccount.id == account_id)
    )
    return stored or {}


def _credentials(account: ChannelAccount | None, name: str) -> ChannelAccountCredentials:
    if account is None:
        raise AccountUnknown(name=name)
    keys = [unseal(AES_KEY, account.aes_key_sealed)]
    if account.old_aes_key_sealed:
        keys.append(unseal(AES_KEY, account.old_aes_key_sealed))
    return ChannelAccountCredentials(
        id=account.id,
        name=account.name,
        kind=account.kind,
        org_path=account.org_path,
        appid=account.appid,
        secret=SecretStr(unseal(SECRET, account.secret_sealed)),
        token=SecretStr(unseal(TOKEN, account.token_sealed)),
        aes_keys=tuple(keys),
        mode=account.mode,
    )
