"""What can be done in the directory: organisations, users, roster, bindings."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import ratelimit
from core.clock import business_date, utc_now
from core.db import insert_new, reading, transaction
from core.errors import NotFound
from core.security import blind_index, random_code, seal, unseal
from domain.audit import service as audit
from domain.directory import policy
from domain.directory.access import ROOT, Actor, ActorKind, Permission, Role
from domain.directory.accounts import ChannelAccountCredentials
from domain.directory.errors import (
    BindingLocked,
    BindingRefused,
    BoundToAnotherWechat,
    InvitationRefused,
    OrgPathTaken,
    OrgUnknown,
    RosterEmpty,
    UserUnknown,
)
from domain.directory.models import (
    ID_NO,
    PERSONAL,
    PHONE,
    Employee,
    EmployeeBinding,
    Identity,
    Org,
    OrgKind,
    User,
    UserRole,
)

LEFT = "离职"
INVITATION_LIFE = timedelta(days=7)
BINDING_TRIES_PER_WECHAT = "5/hour"
# A phone number is tried from several WeChats only by somebody who guesses.
BINDING_TRIES_PER_PHONE = "10/day"


class RosterRow(Protocol):
    """A row of a roster file, as ``domain.payroll.sheets.read_roster`` returns it."""

    @property
    def emp_id(self) -> str: ...
    @property
    def emp_no(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def id_no(self) -> str: ...
    @property
    def bank_card(self) -> str: ...
    @property
    def dept(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def joined_on(self) -> date | None: ...
    @property
    def left_on(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class RosterImported:
    added: int
    changed: int
    unchanged: int
    left: int


# --- organisations --------------------------------------------------------------------------


def add_org(actor: Actor, parent_path: str, slug: str, kind: OrgKind, name: str) -> Org:
    """Hang an organisation under ``parent_path`` (``/`` for the root)."""
    actor.require(Permission.ORGS_WRITE)
    path = f"{parent_path}{slug}/"
    if not policy.is_org_slug(slug):
        raise OrgUnknown(path=path)
    with transaction() as session:
        if (parent_path, actor.org_path) != (ROOT, ROOT):
            get_org(session, actor, parent_path)
        org = Org(org_path=path, kind=kind, name=name, created_at=utc_now())
        if session.scalar(select(Org.id).where(Org.org_path == path)):
            raise OrgPathTaken(path=path)
        session.add(org)
        audit.record(session, actor, "directory.org.added", org)
    return org


def get_org(session: Session, actor: Actor, path: str) -> Org:
    org = session.scalar(select(Org).where(Org.org_path == path, Org.visible_to(actor)))
    if org is None:
        raise OrgUnknown(path=path)
    return org


# --- users ----------------------------------------------------------------------------------


def add_user(actor: Actor, org_path: str, name: str, roles: Iterable[Role]) -> tuple[User, str]:
    """A user of the workbench and the invitation code that will bind them to their WeChat."""
    actor.require(Permission.USERS_WRITE)
    code = random_code()
    with transaction() as session:
        get_org(session, actor, org_path)
        user = User(
            org_path=org_path,
            name=name,
            invitation_hash=_hash(code),
            invitation_ends_at=utc_now() + INVITATION_LIFE,
            created_at=utc_now(),
        )
        session.add(user)
        session.flush()
        session.add_all(UserRole(user_id=user.id, role=role) for role in set(roles))
        audit.record(session, actor, "directory.user.added", user, roles=len(set(roles)))
    return user, code


def accept_invitation(identity_id: int, code: str) -> User:
    """Bind the invited user to the WeChat that opened the invitation. Works once."""
    with transaction() as session:
        user = session.scalar(
            select(User).where(User.invitation_hash == _hash(code)).with_for_update()
        )
        taken = session.scalar(select(User.id).where(User.identity_id == identity_id))
        if user is None or taken or (user.invitation_ends_at or utc_now()) <= utc_now():
            raise InvitationRefused
        user.identity_id, user.invitation_hash = identity_id, None
        audit.record(session, Actor.system(), "directory.user.joined", user)
    return user


def note_user_sign_in(user_id: int) -> None:
    """Write down that a user came to the desk; refuses one who may no longer."""
    with transaction() as session:
        user = session.get(User, user_id)
        if user is None or not user.is_enabled:
            raise UserUnknown
        actor = Actor(ActorKind.USER, user.id, user.org_path)
        audit.record(session, actor, "directory.user.signed_in", user)


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


# --- roster ---------------------------------------------------------------------------------


def import_roster(actor: Actor, rows: Sequence[RosterRow]) -> RosterImported:
    """Add new employees, bring known ones up to date, close those that left.

    Who is not in the file stays as they are: a file of one department must not dismiss the rest.
    """
    actor.require(Permission.ROSTER_WRITE)
    # Without an identifier of the roster's own, two people would become one.
    if not rows or not all(row.emp_id for row in rows):
        raise RosterEmpty
    counts = {"added": 0, "changed": 0, "unchanged": 0, "left": 0}
    with transaction() as session:
        org = get_org(session, actor, actor.org_path)
        # Two imports at once would both add the same person.
        session.refresh(org, with_for_update=True)
        known = {
            employee.emp_id: employee
            for employee in session.scalars(
                select(Employee).where(Employee.org_path == actor.org_path)
            )
        }
        for row in rows:
            counts[_import_row(session, actor, known, row)] += 1
        audit.record(session, actor, "directory.roster.imported", org, **counts)
    return RosterImported(**counts)


def _import_row(session: Session, actor: Actor, known: dict[str, Employee], row: RosterRow) -> str:
    employee = known.get(row.emp_id)
    personal = {"phone": row.phone, "id_no": row.id_no, "bank_card": row.bank_card}
    # 离职 without a date means: no longer here today.
    yesterday = business_date() - timedelta(days=1)
    left_on = row.left_on or (yesterday if row.status == LEFT else None)
    if employee is None:
        employee = known[row.emp_id] = Employee(
            org_path=actor.org_path, emp_id=row.emp_id, created_at=utc_now()
        )
        session.add(employee)
        outcome = "added"
    elif _is_same(employee, row, personal, left_on):
        return "unchanged"
    else:
        outcome = "left" if left_on and not employee.left_on else "changed"
    employee.emp_no, employee.name, employee.department = row.emp_no, row.name, row.dept
    employee.personal_sealed = seal(PERSONAL, json.dumps(personal))
    employee.phone_index = blind_index(PHONE, row.phone) if row.phone else None
    employee.id_no_index = blind_index(ID_NO, row.id_no) if row.id_no else None
    employee.joined_on = row.joined_on or employee.joined_on
    # A date once known is not moved by a later file that only says 离职.
    employee.left_on = row.left_on or ((employee.left_on or left_on) if left_on else None)
    employee.updated_at = utc_now()
    return outcome


def _is_same(
    employee: Employee, row: RosterRow, personal: dict[str, str], left_on: date | None
) -> bool:
    return (
        (employee.emp_no, employee.name, employee.department) == (row.emp_no, row.name, row.dept)
        and json.loads(unseal(PERSONAL, employee.personal_sealed)) == personal
        and (row.joined_on is None or employee.joined_on == row.joined_on)
        and bool(employee.left_on) == bool(left_on)
        and (row.left_on is None or employee.left_on == row.left_on)
    )


# --- identities and bindings ----------------------------------------------------------------


def note_identity(
    account: ChannelAccountCredentials, openid: str, *, is_follower: bool | None = None
) -> int:
    """Remember that this openid exists (and follows or left); its identity's id."""
    with transaction() as session:
        now = utc_now()
        insert_new(
            session,
            Identity,
            org_path=account.org_path,
            channel_account_id=account.id,
            openid=openid,
            is_follower=bool(is_follower),
            created_at=now,
            updated_at=now,
        )
        identity = session.scalars(
            select(Identity).where(
                Identity.channel_account_id == account.id, Identity.openid == openid
            )
        ).one()
        if is_follower is not None and identity.is_follower != is_follower:
            identity.is_follower, identity.updated_at = is_follower, now
        return identity.id


def bind_employee(identity_id: int, name: str, phone: str, id_tail: str) -> int:
    """Bind a WeChat to every employee with this name, phone and ID number's end.

    A person on two rosters under the account's organisation is bound to both at once. Returns
    how many; refuses without telling which of the three did not fit.
    """
    for limit, key in ((BINDING_TRIES_PER_WECHAT, str(identity_id)), _phone_limit(phone)):
        if not ratelimit.allow(limit, "bind", key):
            raise BindingLocked
    with transaction() as session:
        identity = session.get(Identity, identity_id)
        if identity is None:
            raise NotFound
        employees = [
            employee
            for employee in session.scalars(
                select(Employee).where(
                    Employee.phone_index == blind_index(PHONE, phone),
                    Employee.org_path.startswith(identity.org_path, autoescape=True),
                )
            )
            if _is_the_person(employee, name, id_tail)
        ]
        if not employees:
            raise BindingRefused
        for employee in employees:
            _bind(session, identity, employee)
    ratelimit.forget_attempts(BINDING_TRIES_PER_WECHAT, "bind", str(identity_id))
    return len(employees)


def _phone_limit(phone: str) -> tuple[str, str]:
    return BINDING_TRIES_PER_PHONE, blind_index(PHONE, phone)


def _is_the_person(employee: Employee, name: str, id_tail: str) -> bool:
    personal = json.loads(unseal(PERSONAL, employee.personal_sealed))
    fits = policy.fits_id_tail(personal["id_no"], id_tail)
    return policy.plain_name(employee.name) == policy.plain_name(name) and fits


def _bind(session: Session, identity: Identity, employee: Employee) -> None:
    is_new = insert_new(
        session,
        EmployeeBinding,
        org_path=employee.org_path,
        channel_account_id=identity.channel_account_id,
        identity_id=identity.id,
        employee_id=employee.id,
        bound_at=utc_now(),
    )
    if is_new:
        actor = Actor(ActorKind.EMPLOYEE, identity.id, employee.org_path)
        audit.record(session, actor, "directory.employee.bound", employee, identity=identity.id)
        return
    holder = session.scalar(
        select(EmployeeBinding.identity_id).where(
            EmployeeBinding.channel_account_id == identity.channel_account_id,
            EmployeeBinding.employee_id == employee.id,
        )
    )
    if holder != identity.id:
        raise BoundToAnotherWechat


def unbind_employee(actor: Actor, employee_id: int) -> None:
    """Take an employee's WeChat away, e.g. after a change of phone. They may bind again."""
    actor.require(Permission.ROSTER_WRITE)
    with transaction() as session:
        employee = session.scalar(
            select(Employee).where(Employee.id == employee_id, Employee.visible_to(actor))
        )
        if employee is None:
            raise NotFound
        removed = session.execute(
            delete(EmployeeBinding).where(EmployeeBinding.employee_id == employee_id)
        )
        count = int(getattr(removed, "rowcount", 0))
        audit.record(session, actor, "directory.employee.unbound", employee, bindings=count)


# --- who is there ---------------------------------------------------------------------------


def employee_actor(identity_id: int, channel_account_id: int) -> Actor:
    """The actor behind an identity; ``employee_ids`` is empty for one that is not bound."""
    ids = reading().scalars(
        select(EmployeeBinding.employee_id)
        .where(
            EmployeeBinding.identity_id == identity_id,
            EmployeeBinding.channel_account_id == channel_account_id,
        )
        .order_by(EmployeeBinding.employee_id)
    )
    return Actor(
        ActorKind.EMPLOYEE,
        identity_id,
        "",
        employee_ids=tuple(ids),
        channel_account_id=channel_account_id,
    )
