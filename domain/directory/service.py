"""What can be done in the directory: organisations, users, roster, bindings."""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import ratelimit
from core.clock import utc_now
from core.db import insert_new, reading, transaction
from core.errors import NotFound
from core.security import blind_index, random_code, unseal
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
    UserUnknown,
)
from domain.directory.models import (
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
from domain.pushes.service import wake_unbound

INVITATION_LIFE = timedelta(days=7)
BINDING_TRIES_PER_WECHAT = "5/hour"
# A phone number is tried from several WeChats only by somebody who guesses.
BINDING_TRIES_PER_PHONE = "10/day"


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
        wake_unbound(session, employee.id)
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
