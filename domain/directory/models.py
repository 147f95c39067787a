"""What is stored of organisations, people and channel accounts."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Key, LongText, Model, ShortText
from domain.directory.access import OrgOwned, Role
from domain.directory.accounts import CallbackMode, ChannelKind

# Purposes under which personal fields are sealed and indexed.
PERSONAL = "employee.personal"
PHONE, ID_NO = "phone", "id_no"


class OrgKind(StrEnum):
    UNION = "union"
    BANK = "bank"
    BRANCH = "branch"
    OUTLET = "outlet"
    ENTERPRISE = "enterprise"


class Org(OrgOwned, Model):
    """One node of the tree. ``org_path`` is its own path, e.g. ``/jx/nanchang/ent-1042/``."""

    __tablename__ = "orgs"
    __table_args__ = (UniqueConstraint("org_path"),)

    id: Mapped[Key]
    kind: Mapped[OrgKind]
    name: Mapped[str]
    created_at: Mapped[datetime]


class ChannelAccount(OrgOwned, Model):
    """An official account, WeCom app or mini-program of one organisation. Secrets are sealed."""

    __tablename__ = "channel_accounts"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[Key]
    kind: Mapped[ChannelKind]
    name: Mapped[ShortText]
    title: Mapped[str]
    appid: Mapped[ShortText]
    agentid: Mapped[ShortText | None]
    mode: Mapped[CallbackMode]
    secret_sealed: Mapped[LongText]
    token_sealed: Mapped[LongText]
    aes_key_sealed: Mapped[LongText]
    # During a rotation callbacks may still come under the key before.
    old_aes_key_sealed: Mapped[LongText | None]
    # Written and read by the release before this one; ``MessageTemplate`` took its place.
    templates: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # Callbacks older or newer than this are refused; without it the setting's window holds.
    callback_window_seconds: Mapped[int | None]
    # A server of ours in the console turns off what the console would answer by itself.
    follow_reply: Mapped[LongText | None]
    message_reply: Mapped[LongText | None]
    hands_over: Mapped[bool] = mapped_column(default=False)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class MessageTemplate(OrgOwned, Model):
    """A template of a channel account, as the platform last showed it.

    ``kind`` is the message of ours that it carries. ``fields`` are ``{"key", "label", "choices"}``;
    ``former_fields`` are those before ``changed_at``, kept while it carries nothing because of it.
    """

    __tablename__ = "message_templates"
    __table_args__ = (UniqueConstraint("channel_account_id", "template_id"),)

    id: Mapped[Key]
    channel_account_id: Mapped[int] = mapped_column(ForeignKey("channel_accounts.id"))
    template_id: Mapped[ShortText]
    title: Mapped[str]
    content: Mapped[LongText]
    example: Mapped[LongText]
    fields: Mapped[list[Any]] = mapped_column(JSON)
    former_fields: Mapped[list[Any] | None] = mapped_column(JSON)
    kind: Mapped[ShortText | None]
    synced_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class Employee(OrgOwned, Model):
    """A person on an enterprise's roster. ``emp_id`` is the roster's own identifier.

    Phone, ID number and bank card are sealed together; the indexes find equal ones.
    """

    __tablename__ = "employees"
    __table_args__ = (UniqueConstraint("org_path", "emp_id"),)

    id: Mapped[Key]
    emp_id: Mapped[ShortText]
    emp_no: Mapped[ShortText]
    name: Mapped[str]
    department: Mapped[str]
    personal_sealed: Mapped[LongText]
    phone_index: Mapped[str | None] = mapped_column(String(64), index=True)
    id_no_index: Mapped[str | None] = mapped_column(String(64), index=True)
    joined_on: Mapped[date | None]
    left_on: Mapped[date | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Identity(OrgOwned, Model):
    """A person as one channel account knows them: an openid, in WeCom a member's userid."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("channel_account_id", "openid"),)

    id: Mapped[Key]
    channel_account_id: Mapped[int] = mapped_column(ForeignKey("channel_accounts.id"))
    openid: Mapped[ShortText]
    is_follower: Mapped[bool] = mapped_column(default=False)
    # When WeChat says that it became so; None: nobody told.
    follow_changed_at: Mapped[datetime | None]
    # Sessions that began under a smaller number are over.
    session_epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class EmployeeBinding(OrgOwned, Model):
    """Identity ↔ employee: one employee has one WeChat per channel account."""

    __tablename__ = "employee_bindings"
    __table_args__ = (UniqueConstraint("channel_account_id", "employee_id"),)

    id: Mapped[Key]
    channel_account_id: Mapped[int] = mapped_column(ForeignKey("channel_accounts.id"))
    identity_id: Mapped[int] = mapped_column(ForeignKey("identities.id"), index=True)
    employee_id: Mapped[int] = mapped_column(ForeignKey("employees.id"), index=True)
    bound_at: Mapped[datetime]


class User(OrgOwned, Model):
    """A person at the workbench, known by the WeChat or the WeCom they sign in with."""

    __tablename__ = "users"

    id: Mapped[Key]
    name: Mapped[str]
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identities.id"), unique=True)
    wecom_identity_id: Mapped[int | None] = mapped_column(ForeignKey("identities.id"), unique=True)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    # Sessions that began under a smaller number are over.
    session_epoch: Mapped[int] = mapped_column(default=0)
    # Hash of the invitation that binds this user to the WeChat that scans it.
    invitation_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    invitation_ends_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class UserRole(Model):
    __tablename__ = "user_roles"
    __table_args__ = (UniqueConstraint("user_id", "role"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    role: Mapped[Role]
