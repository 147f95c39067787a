"""Who acts, what they may do, and whose rows they see."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from sqlalchemy import ColumnElement, String, false
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from core.errors import Forbidden

ROOT = "/"


class Permission(StrEnum):
    """One list of everything that may be allowed. No organisation's rank implies any of it."""

    ORGS_WRITE = "orgs:write"
    USERS_WRITE = "users:write"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    ROSTER_READ = "roster:read"
    ROSTER_WRITE = "roster:write"
    PAYROLL_READ = "payroll:read"
    PAYROLL_UPLOAD = "payroll:upload"
    PAYROLL_PUBLISH = "payroll:publish"
    PAYROLL_ANSWER = "payroll:answer"
    PUSHES_READ = "pushes:read"
    PUSHES_CONTROL = "pushes:control"
    INBOX_READ = "inbox:read"
    INBOX_REPLAY = "inbox:replay"
    AUDIT_READ = "audit:read"


class Role(StrEnum):
    HR = "hr"
    FINANCE = "finance"
    BANK_OPERATIONS = "bank-operations"
    AUDITOR = "auditor"


ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.HR: frozenset(
        {
            Permission.ROSTER_READ,
            Permission.ROSTER_WRITE,
            Permission.PAYROLL_READ,
            Permission.PAYROLL_UPLOAD,
            Permission.PAYROLL_PUBLISH,
            Permission.PAYROLL_ANSWER,
            Permission.PUSHES_READ,
            Permission.PUSHES_CONTROL,
            Permission.AUDIT_READ,
        }
    ),
    # Finance authorises payrolls by their totals (approvals); single payslips are not theirs.
    Role.FINANCE: frozenset({Permission.PUSHES_READ}),
    Role.BANK_OPERATIONS: frozenset(
        {
            Permission.ORGS_WRITE,
            Permission.USERS_WRITE,
            Permission.ACCOUNTS_READ,
            Permission.ACCOUNTS_WRITE,
            Permission.PUSHES_READ,
            Permission.PUSHES_CONTROL,
            Permission.INBOX_READ,
            Permission.INBOX_REPLAY,
            Permission.AUDIT_READ,
        }
    ),
    Role.AUDITOR: frozenset({Permission.AUDIT_READ}),
}


class ActorKind(StrEnum):
    USER = "user"
    EMPLOYEE = "employee"
    MEMBER = "member"  # of a corp in WeCom: an RM or a manager
    SYSTEM = "system"
    VISITOR = "visitor"  # nobody has vouched for them


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is there, as a guard established it. Plain values: it outlives any transaction.

    ``id`` is the user's id, an employee's or member's is their identity's; ``employee_ids`` are the
    employees that an identity is bound to (one person may work for several enterprises).
    """

    kind: ActorKind
    id: int
    org_path: str
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    employee_ids: tuple[int, ...] = ()
    channel_account_id: int | None = None
    name: str = field(default="", repr=False)

    def require(self, permission: Permission) -> None:
        if not self.may(permission):
            raise Forbidden

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @classmethod
    def system(cls) -> Self:
        """The service itself: commands at the machine, jobs, callbacks."""
        return cls(ActorKind.SYSTEM, 0, ROOT, frozenset(Permission))

    @classmethod
    def visitor(cls) -> Self:
        """Anybody outside, who may do nothing."""
        return cls(ActorKind.VISITOR, 0, "")


class OrgOwned:
    """Rows of one organisation, seen from it and from above it."""

    @declared_attr
    @classmethod
    def org_path(cls) -> Mapped[str]:
        return mapped_column(String(255), index=True)

    @classmethod
    def visible_to(cls, actor: Actor) -> ColumnElement[bool]:
        if not actor.org_path:  # an employee: every path begins with an empty one
            return false()
        return cls.org_path.startswith(actor.org_path, autoescape=True)


class EnterpriseOwned(OrgOwned):
    """Rows that only the enterprise itself sees: no bank above it, no system account either."""

    @classmethod
    def visible_to(cls, actor: Actor) -> ColumnElement[bool]:
        return cls.org_path == actor.org_path
