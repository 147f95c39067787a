"""The registry of templates: what each channel account has, and what of it we use."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select

from core.clock import utc_now
from core.db import reading, transaction
from domain.audit import service as audit
from domain.directory.access import Actor, Permission
from domain.directory.channel_accounts import new_template
from domain.directory.errors import AccountUnknown
from domain.directory.models import ChannelAccount, MessageTemplate


@dataclass(frozen=True, slots=True)
class TemplateField:
    """``key`` begins with its type; ``choices`` are the only values it takes, if it names any."""

    key: str
    label: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundTemplate:
    """What the platform shows of a template, and the message of ours that it can carry."""

    template_id: str
    title: str
    content: str
    example: str
    fields: tuple[TemplateField, ...]
    kind: str | None


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """``former_keys`` are the fields before ``changed_at``; empty when nothing is wrong with it."""

    channel_account_id: int
    template_id: str
    title: str
    fields: tuple[TemplateField, ...]
    former_keys: tuple[str, ...]
    kind: str | None
    synced_at: datetime
    changed_at: datetime | None
    removed_at: datetime | None

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        return {field.key: field.choices for field in self.fields if field.choices}

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(field.key for field in self.fields)


@dataclass(frozen=True, slots=True)
class TemplatesSynced:
    """How many the platform has; which have other fields than before, or are gone."""

    count: int
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def sync_templates(
    actor: Actor, account_id: int, found: Sequence[FoundTemplate]
) -> TemplatesSynced:
    """Write down what the platform shows; what it no longer shows is marked, and not used."""
    actor.require(Permission.ACCOUNTS_WRITE)
    now = utc_now()
    with transaction() as session:
        account = session.scalar(
            select(ChannelAccount)
            .where(ChannelAccount.id == account_id, ChannelAccount.visible_to(actor))
            .with_for_update()
        )
        if account is None:
            raise AccountUnknown(name=str(account_id))
        known = select(MessageTemplate).where(MessageTemplate.channel_account_id == account_id)
        rows = {row.template_id: row for row in session.scalars(known)}
        changed = []
        for template in found:
            row = rows.pop(template.template_id, None) or new_template(
                account, template.template_id
            )
            if _write(row, template, now):
                changed.append(template.title)
            session.add(row)
        removed = [row for row in rows.values() if row.removed_at is None]
        for row in removed:
            row.removed_at = now
        audit.record(
            session,
            actor,
            "directory.account.templates",
            account,
            count=len(found),
            changed_templates=len(changed),
            removed_templates=len(removed),
        )
    return TemplatesSynced(len(found), tuple(changed), tuple(row.title for row in removed))


def _write(row: MessageTemplate, found: FoundTemplate, now: datetime) -> bool:
    """Whether its fields are others than before."""
    fields = [asdict(field) | {"choices": list(field.choices)} for field in found.fields]
    is_changed = bool(row.fields) and _keys(row.fields) != _keys(fields)
    if is_changed:
        row.former_fields, row.changed_at = row.fields, now
    if found.kind:
        row.former_fields, row.changed_at = None, None
    row.title, row.content, row.example = found.title, found.content, found.example
    row.fields, row.kind = fields, found.kind
    row.synced_at, row.removed_at = now, None
    return is_changed


def _keys(fields: Sequence[Any]) -> set[str]:
    return {field["key"] for field in fields}


def list_templates(actor: Actor) -> list[TemplateRow]:
    """Of all accounts that the actor sees, those that were removed too."""
    actor.require(Permission.ACCOUNTS_READ)
    query = select(MessageTemplate).where(MessageTemplate.visible_to(actor))
    rows = reading().scalars(query.order_by(MessageTemplate.channel_account_id, MessageTemplate.id))
    return [_row(row) for row in rows]


def find_template(account_id: int, kind: str) -> TemplateRow | None:
    """The template that carries this message."""
    row = reading().scalar(
        select(MessageTemplate).where(
            MessageTemplate.channel_account_id == account_id,
            MessageTemplate.kind == kind,
            MessageTemplate.removed_at.is_(None),
        )
    )
    return None if row is None else _row(row)


def has_lost_template(account_id: int, kind: str, title: str) -> bool:
    """Whether a template that carried this message was removed, or one with its title changed."""
    row = MessageTemplate
    is_removed = and_(row.kind == kind, row.removed_at.is_not(None))
    is_changed = and_(row.title == title, row.changed_at.is_not(None))
    found = select(row.id).where(row.channel_account_id == account_id, or_(is_removed, is_changed))
    return reading().scalar(found.limit(1)) is not None


def _row(row: MessageTemplate) -> TemplateRow:
    return TemplateRow(
        channel_account_id=row.channel_account_id,
        template_id=row.template_id,
        title=row.title,
        fields=tuple(
            TemplateField(one["key"], one["label"], tuple(one["choices"])) for one in row.fields
        ),
        former_keys=tuple(one["key"] for one in row.former_fields or ()),
        kind=row.kind,
        synced_at=row.synced_at,
        changed_at=row.changed_at,
        removed_at=row.removed_at,
    )
