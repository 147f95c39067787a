"""Channel accounts: several official accounts, WeCom apps and mini-programs side by side."""

import time
from dataclasses import asdict, dataclass

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import let_go, reading, transaction
from core.security import seal, unseal
from domain.audit import service as audit
from domain.directory import policy
from domain.directory.access import Actor, Permission
from domain.directory.accounts import (
    AutoReplies,
    CallbackMode,
    ChannelAccountCredentials,
    ChannelKind,
)
from domain.directory.errors import (
    AccountInvalid,
    AccountNameTaken,
    AccountNotNamed,
    AccountTaken,
    AccountUnknown,
    NoAccountYet,
)
from domain.directory.models import ChannelAccount, MessageTemplate
from domain.directory.service import get_org

KEPT_SECONDS = 2.0
SECRET, TOKEN, AES_KEY = "account.secret", "account.token", "account.aes_key"

_kept: dict[str, tuple[float, ChannelAccountCredentials]] = {}


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
class AccountChange:
    """What may be changed beside secrets; None leaves it."""

    title: str | None = None
    mode: CallbackMode | None = None
    callback_window_seconds: int | None = None
    follow_reply: str | None = None
    message_reply: str | None = None
    hands_over: bool | None = None

    @property
    def fault(self) -> str:
        """What is wrong with it, in a sentence; empty when nothing is."""
        replies = (self.follow_reply or "", self.message_reply or "")
        return policy.title_fault(self.title) or policy.callback_fault(
            self.callback_window_seconds, replies
        )


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
    _refuse_fault(
        policy.account_fault(
            name=new.name, title=new.title, appid=new.appid, agentid=new.agentid or ""
        )
    )
    _refuse_fault(_keys_fault(new.secret, new.token, new.aes_key))
    if new.kind is ChannelKind.WECOM_APP and not _is_number(new.agentid):
        raise AccountInvalid(reason="企业微信应用需要填写数字的 agentid")
    with transaction() as session:
        get_org(session, actor, org_path)
        if session.scalar(select(ChannelAccount.id).where(ChannelAccount.name == new.name)):
            raise AccountNameTaken(name=new.name)
        if _is_registered(session, new):
            raise AccountTaken
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


def _is_number(agentid: str | None) -> bool:
    return agentid is not None and agentid.isascii() and agentid.isdecimal()


def _is_registered(session: Session, new: NewAccount) -> bool:
    """Two accounts at one appid would drop each other's tokens. Apps of a corp share its id."""
    same = select(ChannelAccount.id).where(
        ChannelAccount.kind == new.kind, ChannelAccount.appid == new.appid
    )
    if new.kind is ChannelKind.WECOM_APP:
        same = same.where(ChannelAccount.agentid == new.agentid)
    return session.scalar(same.limit(1)) is not None


def _keys_fault(secret: SecretStr, token: SecretStr, aes_key: SecretStr) -> str | None:
    return policy.keys_fault(
        secret=secret.get_secret_value(),
        token=token.get_secret_value(),
        aes_key=aes_key.get_secret_value(),
    )


def _refuse_fault(fault: str | None) -> None:
    if fault:
        raise AccountInvalid(reason=fault)


def rotate_keys(
    actor: Actor,
    name: str,
    *,
    secret: SecretStr | None = None,
    token: SecretStr | None = None,
    aes_key: SecretStr | None = None,
) -> int:
    """Replace what is given, of a disabled account too, and give its id. Callbacks under the AES
    key before stay readable, also when the key in use is given again: commands are run twice."""
    actor.require(Permission.ACCOUNTS_WRITE)
    with transaction() as session:
        account = _account_for_update(session, actor, name)
        kept = _credentials(account, name)
        wanted = [
            kept_one if given is None else given
            for given, kept_one in (
                (secret, kept.secret),
                (token, kept.token),
                (aes_key, SecretStr(kept.aes_keys[0])),
            )
        ]
        _refuse_fault(_keys_fault(*wanted))
        if secret:
            account.secret_sealed = seal(SECRET, secret.get_secret_value())
        if token:
            account.token_sealed = seal(TOKEN, token.get_secret_value())
        if aes_key and aes_key.get_secret_value() != kept.aes_keys[0]:
            account.old_aes_key_sealed = account.aes_key_sealed
            account.aes_key_sealed = seal(AES_KEY, aes_key.get_secret_value())
        audit.record(session, actor, "directory.account.rotated", account)
    forget_kept_accounts()
    return account.id


def change_account(actor: Actor, name: str, change: AccountChange) -> None:
    """Change how an account's callbacks are taken and answered; None leaves a thing as it is."""
    actor.require(Permission.ACCOUNTS_WRITE)
    if change.fault:
        raise AccountInvalid(reason=change.fault)
    with transaction() as session:
        account = _account_for_update(session, actor, name)
        values = {key: value for key, value in asdict(change).items() if value is not None}
        for key, value in values.items():
            setattr(account, key, value)
        audit.record(session, actor, "directory.account.changed", account, what=",".join(values))
    forget_kept_accounts()


def set_account_enabled(actor: Actor, name: str, *, is_enabled: bool) -> None:
    actor.require(Permission.ACCOUNTS_WRITE)
    with transaction() as session:
        account = _account_for_update(session, actor, name)
        account.is_enabled = is_enabled
        action = "enabled" if is_enabled else "disabled"
        audit.record(session, actor, f"directory.account.{action}", account)
    forget_kept_accounts()


def _account_for_update(session: Session, actor: Actor, name: str) -> ChannelAccount:
    account = session.scalar(
        select(ChannelAccount)
        .where(ChannelAccount.name == name, ChannelAccount.visible_to(actor))
        .with_for_update()
    )
    if account is None:
        raise AccountUnknown(name=name)
    return account


def set_templates(account_id: int, templates: dict[str, str]) -> None:
    """Say which template carries which of our messages (kind → id) without asking the platform,
    whose next sync corrects it."""
    with transaction() as session:
        account = session.get(ChannelAccount, account_id)
        if account is None:
            raise AccountUnknown(name=str(account_id))
        known = select(MessageTemplate).where(MessageTemplate.channel_account_id == account_id)
        rows = {row.template_id: row for row in session.scalars(known)}
        for row in rows.values():
            row.kind = None
        for kind, template_id in templates.items():
            row = rows.get(template_id) or new_template(account, template_id)
            row.kind, row.removed_at = kind, None
            session.add(row)
        audit.record(
            session, Actor.system(), "directory.account.templates", account, count=len(templates)
        )


def new_template(account: ChannelAccount, template_id: str) -> MessageTemplate:
    """Of which nothing but its id is known yet."""
    return MessageTemplate(
        org_path=account.org_path,
        channel_account_id=account.id,
        template_id=template_id,
        title="",
        content="",
        example="",
        fields=[],
        synced_at=utc_now(),
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


def kept_account_by_name(name: str) -> ChannelAccountCredentials:
    """The same for callbacks, of which thousands come in a second: read anew, and its secrets
    opened anew, every ``KEPT_SECONDS``. What another process changes is heard after that time."""
    kept = _kept.get(name)
    if kept is None or time.monotonic() - kept[0] > KEPT_SECONDS:
        kept = _kept[name] = time.monotonic(), channel_account_by_name(name)
        let_go()  # who waits in the inbox's line holds no connection meanwhile
    return kept[1]


def forget_kept_accounts() -> None:
    _kept.clear()


def channel_account(account_id: int) -> ChannelAccountCredentials:
    return _credentials(
        reading().scalar(
            select(ChannelAccount).where(ChannelAccount.id == account_id, ChannelAccount.is_enabled)
        ),
        str(account_id),
    )


def official_account_for(org_path: str) -> ChannelAccountCredentials:
    """The official account that serves an organisation: its own, or the nearest one above it."""
    return _credentials(_nearest(ChannelKind.OFFICIAL_ACCOUNT, org_path), org_path)


def find_wecom_app_for(org_path: str) -> ChannelAccountCredentials | None:
    """The WeCom app that serves an organisation, if any: its own, or the nearest one above it."""
    nearest = _nearest(ChannelKind.WECOM_APP, org_path)
    return None if nearest is None else _credentials(nearest, org_path)


def _nearest(kind: ChannelKind, org_path: str) -> ChannelAccount | None:
    accounts = reading().scalars(
        select(ChannelAccount)
        .where(ChannelAccount.kind == kind, ChannelAccount.is_enabled)
        .order_by(ChannelAccount.id)
    )
    serving = [account for account in accounts if org_path.startswith(account.org_path)]
    return max(serving, key=lambda account: len(account.org_path), default=None)


def sole_official_account() -> ChannelAccountCredentials:
    """The only official account; where there are several, a link has to name one."""
    return _sole(ChannelKind.OFFICIAL_ACCOUNT)


def sole_wecom_app() -> ChannelAccountCredentials:
    """The only WeCom app; where there are several, a link has to name one."""
    return _sole(ChannelKind.WECOM_APP)


def _sole(kind: ChannelKind) -> ChannelAccountCredentials:
    accounts = (
        reading()
        .scalars(
            select(ChannelAccount)
            .where(ChannelAccount.kind == kind, ChannelAccount.is_enabled)
            .limit(2)
        )
        .all()
    )
    if not accounts:
        raise NoAccountYet
    if len(accounts) > 1:
        raise AccountNotNamed
    return _credentials(accounts[0], accounts[0].name)


def title_of(account_id: int) -> str:
    """What people call the account."""
    title = reading().scalar(select(ChannelAccount.title).where(ChannelAccount.id == account_id))
    return title or ""


def templates_of(account_id: int) -> dict[str, str]:
    """Which template carries which of our messages: kind → id."""
    rows = reading().execute(
        select(MessageTemplate.kind, MessageTemplate.template_id).where(
            MessageTemplate.channel_account_id == account_id,
            MessageTemplate.kind.is_not(None),
            MessageTemplate.removed_at.is_(None),
        )
    )
    return {str(row.kind): row.template_id for row in rows}


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
        agentid=account.agentid,
        callback_window_seconds=account.callback_window_seconds,
        replies=AutoReplies(
            account.follow_reply or "", account.message_reply or "", account.hands_over
        ),
    )
