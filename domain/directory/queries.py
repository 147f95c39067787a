"""What can be asked of the directory."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from core.clock import business_date
from core.db import reading
from core.errors import NotFound
from core.paging import PAGE_SIZE, Page, page_of
from core.security import unseal
from domain.directory import policy
from domain.directory.access import ROLE_PERMISSIONS, Actor, ActorKind, Permission, Role
from domain.directory.accounts import ChannelKind
from domain.directory.errors import OrgUnknown
from domain.directory.models import (
    PERSONAL,
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
    Org,
    OrgKind,
    User,
    UserRole,
)


@dataclass(frozen=True, slots=True)
class OrgRow:
    org_path: str
    kind: OrgKind
    name: str


@dataclass(frozen=True, slots=True)
class EmployeeRow:
    """``phone`` and ``id_no`` are whole: pages mask them."""

    id: int
    emp_id: str
    emp_no: str
    name: str
    department: str
    phone: str
    id_no: str
    bank_card: str
    joined_on: date | None
    left_on: date | None
    is_employed: bool
    is_bound: bool


@dataclass(frozen=True, slots=True)
class BoundEmployee:
    """One of the rosters on which a WeChat's holder stands. Pages mask name and phone."""

    name: str
    phone: str
    department: str
    enterprise: str
    bound_at: datetime


@dataclass(frozen=True, slots=True)
class RosterCounts:
    employed: int
    left: int
    bound: int


def find_org(path: str) -> OrgRow | None:
    row = (
        reading()
        .execute(select(Org.org_path, Org.kind, Org.name).where(Org.org_path == path))
        .one_or_none()
    )
    return None if row is None else OrgRow(*row)


def root_org() -> OrgRow:
    """The top of the tree. Raises OrgUnknown while there is none."""
    row = (
        reading()
        .execute(select(Org.org_path, Org.kind, Org.name).order_by(func.length(Org.org_path)))
        .first()
    )
    if row is None:
        raise OrgUnknown(path="/")
    return OrgRow(*row)


def line_of_orgs(path: str) -> list[OrgRow]:
    """An organisation and all it hangs under, from the top down."""
    parts = path.strip("/").split("/")
    paths = [f"/{'/'.join(parts[:depth])}/" for depth in range(1, len(parts) + 1)]
    query = select(Org.org_path, Org.kind, Org.name).where(Org.org_path.in_(paths))
    rows = [OrgRow(*row) for row in reading().execute(query)]
    return sorted(rows, key=lambda row: len(row.org_path))


def name_of_org(session: Session, path: str) -> str:
    return session.scalar(select(Org.name).where(Org.org_path == path)) or ""


def list_orgs(actor: Actor) -> list[OrgRow]:
    actor.require(Permission.ORGS_WRITE)
    query = select(Org.org_path, Org.kind, Org.name).where(Org.visible_to(actor))
    return [OrgRow(*row) for row in reading().execute(query.order_by(Org.org_path))]


@dataclass(frozen=True, slots=True)
class UserRow:
    id: int
    org_path: str
    name: str
    roles: tuple[Role, ...]
    is_enabled: bool


def list_users(actor: Actor) -> list[UserRow]:
    actor.require(Permission.USERS_WRITE)
    return _user_rows(User.visible_to(actor))


def get_user(actor: Actor, user_id: int) -> UserRow:
    actor.require(Permission.USERS_WRITE)
    rows = _user_rows(User.visible_to(actor) & (User.id == user_id))
    if not rows:
        raise NotFound
    return rows[0]


def _user_rows(wanted: ColumnElement[bool]) -> list[UserRow]:
    users = reading().scalars(select(User).where(wanted).order_by(User.id)).all()
    roles: dict[int, list[Role]] = {user.id: [] for user in users}
    of_them = select(UserRole).where(UserRole.user_id.in_(roles)).order_by(UserRole.role)
    for held in reading().scalars(of_them):
        roles[held.user_id].append(held.role)
    return [
        UserRow(user.id, user.org_path, user.name, tuple(roles[user.id]), user.is_enabled)
        for user in users
    ]


# --- who is there ---------------------------------------------------------------------------


def find_signed_in_identity(identity_id: int, account_id: int, epoch: int) -> Actor | None:
    """Whoever's session began under ``epoch``: an employee (``employee_ids`` is empty for one who
    is not bound), or a member of a corp in WeCom.

    None when they signed out everywhere since, or the account is no longer in use.
    """
    rows = (
        reading()
        .execute(
            select(ChannelAccount.kind, EmployeeBinding.employee_id)
            .select_from(Identity)
            .join(ChannelAccount, ChannelAccount.id == Identity.channel_account_id)
            .outerjoin(
                EmployeeBinding,
                and_(
                    EmployeeBinding.identity_id == Identity.id,
                    EmployeeBinding.channel_account_id == ChannelAccount.id,
                ),
            )
            .where(
                Identity.id == identity_id,
                Identity.session_epoch == epoch,
                ChannelAccount.id == account_id,
                ChannelAccount.is_enabled,
            )
            .order_by(EmployeeBinding.employee_id)
        )
        .all()
    )
    if not rows:
        return None
    is_member = rows[0].kind is ChannelKind.WECOM_APP
    return Actor(
        ActorKind.MEMBER if is_member else ActorKind.EMPLOYEE,
        identity_id,
        "",
        employee_ids=tuple(row.employee_id for row in rows if row.employee_id is not None),
        channel_account_id=account_id,
    )


def account_of_identity(identity_id: int) -> int:
    query = select(Identity.channel_account_id).where(Identity.id == identity_id)
    return reading().scalars(query).one()


def epoch_of_identity(identity_id: int) -> int:
    """Under which a session of theirs begins now."""
    return reading().scalar(select(Identity.session_epoch).where(Identity.id == identity_id)) or 0


def find_user_actor(identity_id: int) -> Actor | None:
    """The workbench user behind a WeChat or a WeCom member, with what their roles allow; None for
    a stranger."""
    user = reading().scalar(select(User).where(signs_in_with(identity_id), User.is_enabled))
    return None if user is None else _actor_of(user)


def signs_in_with(identity_id: int) -> ColumnElement[bool]:
    return or_(User.identity_id == identity_id, User.wecom_identity_id == identity_id)


def find_signed_in_user(user_id: int, account_id: int, epoch: int) -> Actor | None:
    """The user whose session began under ``epoch`` through this account.

    None when they were disabled, changed or signed out everywhere since, or the account is no
    longer in use.
    """
    in_use = exists().where(ChannelAccount.id == account_id, ChannelAccount.is_enabled)
    user = reading().scalar(
        select(User).where(User.id == user_id, User.is_enabled, User.session_epoch == epoch, in_use)
    )
    return None if user is None else _actor_of(user)


def find_enabled_user(user_id: int) -> Actor | None:
    user = reading().scalar(select(User).where(User.id == user_id, User.is_enabled))
    return None if user is None else _actor_of(user)


def _actor_of(user: User) -> Actor:
    roles = reading().scalars(select(UserRole.role).where(UserRole.user_id == user.id))
    permissions = frozenset[Permission]().union(*(ROLE_PERMISSIONS[role] for role in roles))
    return Actor(ActorKind.USER, user.id, user.org_path, permissions, name=user.name)


def list_employees(
    actor: Actor, *, after: int = 0, name: str = "", size: int = PAGE_SIZE
) -> Page[EmployeeRow]:
    """The roster by id; ``name`` narrows it to names that begin so."""
    actor.require(Permission.ROSTER_READ)
    # Not a join: who is bound at two accounts is still one row.
    is_bound = exists().where(EmployeeBinding.employee_id == Employee.id)
    query = (
        select(Employee, is_bound)
        .where(Employee.visible_to(actor), Employee.id > after)
        .order_by(Employee.id)
        .limit(size + 1)
    )
    if name:
        query = query.where(Employee.name.startswith(name, autoescape=True))
    today = business_date()
    rows = [
        employee_row(employee, is_bound=bool(bound), day=today)
        for employee, bound in reading().execute(query)
    ]
    return page_of(rows, size, lambda row: row.id)


def employee_row(employee: Employee, *, is_bound: bool, day: date) -> EmployeeRow:
    personal = json.loads(unseal(PERSONAL, employee.personal_sealed))
    return EmployeeRow(
        id=employee.id,
        emp_id=employee.emp_id,
        emp_no=employee.emp_no,
        name=employee.name,
        department=employee.department,
        phone=personal["phone"],
        id_no=personal["id_no"],
        bank_card=personal["bank_card"],
        joined_on=employee.joined_on,
        left_on=employee.left_on,
        is_employed=policy.is_employed(employee.joined_on, employee.left_on, day),
        is_bound=is_bound,
    )


def count_roster(actor: Actor) -> RosterCounts:
    actor.require(Permission.ROSTER_READ)
    left_already = func.count(case((Employee.left_on < business_date(), 1)))
    total, left = (
        reading()
        .execute(select(func.count(Employee.id), left_already).where(Employee.visible_to(actor)))
        .one()
    )
    bound = reading().scalar(
        select(func.count(func.distinct(EmployeeBinding.employee_id)))
        .join(Employee, Employee.id == EmployeeBinding.employee_id)
        .where(Employee.visible_to(actor))
    )
    return RosterCounts(employed=total - left, left=left, bound=bound or 0)


def list_bound_employees(actor: Actor) -> list[BoundEmployee]:
    """Who an employee's WeChat is bound to, enterprise by enterprise."""
    query = (
        select(
            Employee.name,
            Employee.personal_sealed,
            Employee.department,
            Org.name,
            EmployeeBinding.bound_at,
        )
        .join(EmployeeBinding, EmployeeBinding.employee_id == Employee.id)
        .join(Org, Org.org_path == Employee.org_path)
        .where(
            Employee.id.in_(actor.employee_ids),
            EmployeeBinding.channel_account_id == actor.channel_account_id,
        )
        .order_by(Employee.id)
    )
    return [
        BoundEmployee(row[0], json.loads(unseal(PERSONAL, row[1]))["phone"], *row[2:])
        for row in reading().execute(query)
    ]


def names_of_employees(ids: Sequence[int]) -> dict[int, str]:
    query = select(Employee.id, Employee.name).where(Employee.id.in_(ids))
    return {row.id: row.name for row in reading().execute(query)}


@dataclass(frozen=True, slots=True)
class AccountChoice:
    name: str
    title: str


def list_account_choices(kind: ChannelKind) -> list[AccountChoice]:
    """The accounts in use, for somebody who has to say at which one they sign in."""
    query = (
        select(ChannelAccount.name, ChannelAccount.title)
        .where(ChannelAccount.kind == kind, ChannelAccount.is_enabled)
        .order_by(ChannelAccount.title, ChannelAccount.id)
    )
    return [AccountChoice(*row) for row in reading().execute(query)]
