"""What can be done in the directory: organisations, users, roster, bindings."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session, aliased

from core import ratelimit
from core.clock import utc_now
from core.db import insert_new, transaction
from core.errors import DomainError, NotFound
from core.security import blind_index, random_code, unseal
from domain.audit import service as audit
from domain.audit.refusals import note_refusal
from domain.directory import policy
from domain.directory.access import ROOT, Actor, ActorKind, Permission, Role
from domain.directory.accounts import ChannelAccountCredentials, ChannelKind
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
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
    Org,
    OrgKind,
    User,
    UserRole,
)
from domain.directory.queries import signs_in_with
from domain.pushes.reports import MENDED_BY_BINDING, wake

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


def invite_again(actor: Actor, user_id: int) -> str:
    """A new invitation code: for another WeChat in place of the one before, or for WeCom too."""
    actor.require(Permission.USERS_WRITE)
    code = random_code()
    with transaction() as session:
        user = _user_for_update(session, actor, user_id)
        user.invitation_hash = _hash(code)
        user.invitation_ends_at = utc_now() + INVITATION_LIFE
        audit.record(session, actor, "directory.user.invited", user)
    return code


def accept_invitation(identity_id: int, code: str) -> User:
    """Bind the invited user to the WeChat or WeCom that opened the invitation. Works once.

    A user has one of each; what it takes the place of is signed out.
    """
    with transaction() as session:
        user = session.scalar(
            select(User).where(User.invitation_hash == _hash(code)).with_for_update()
        )
        taken = session.scalar(select(User.id).where(signs_in_with(identity_id)))
        if user is None or taken or (user.invitation_ends_at or utc_now()) <= utc_now():
            raise InvitationRefused
        if _kind_of_account(session, identity_id) is ChannelKind.WECOM_APP:
            user.wecom_identity_id = identity_id
        else:
            user.identity_id = identity_id
        user.invitation_hash = None
        user.session_epoch += 1
        audit.record(session, Actor.system(), "directory.user.joined", user)
    return user


def _kind_of_account(session: Session, identity_id: int) -> ChannelKind | None:
    return session.scalar(
        select(ChannelAccount.kind)
        .join(Identity, Identity.channel_account_id == ChannelAccount.id)
        .where(Identity.id == identity_id)
    )


def set_user_enabled(actor: Actor, user_id: int, *, is_enabled: bool) -> None:
    """A disabled user is out at once, and comes back by signing in anew."""
    actor.require(Permission.USERS_WRITE)
    with transaction() as session:
        user = _user_for_update(session, actor, user_id)
        user.is_enabled = is_enabled
        user.session_epoch += 1
        action = "enabled" if is_enabled else "disabled"
        audit.record(session, actor, f"directory.user.{action}", user)


def set_user_roles(actor: Actor, user_id: int, roles: Iterable[Role]) -> None:
    """Give a user these roles and no others; they have to sign in anew."""
    actor.require(Permission.USERS_WRITE)
    wanted = set(roles)
    with transaction() as session:
        user = _user_for_update(session, actor, user_id)
        session.execute(delete(UserRole).where(UserRole.user_id == user.id))
        session.add_all(UserRole(user_id=user.id, role=role) for role in wanted)
        user.session_epoch += 1
        audit.record(session, actor, "directory.user.roles_set", user, roles=len(wanted))


def _user_for_update(session: Session, actor: Actor, user_id: int) -> User:
    user = session.scalar(
        select(User).where(User.id == user_id, User.visible_to(actor)).with_for_update()
    )
    if user is None:
        raise NotFound
    return user


# --- sessions -------------------------------------------------------------------------------


def note_user_sign_in(user_id: int) -> int:
    """Write down that a user came to the desk; the epoch of their session.

    Refuses one who may no longer.
    """
    with transaction() as session:
        user = session.get(User, user_id)
        if user is None or not user.is_enabled:
            raise UserUnknown
        actor = Actor(ActorKind.USER, user.id, user.org_path)
        audit.record(session, actor, "directory.user.signed_in", user)
        return user.session_epoch


def sign_out_everywhere(actor: Actor) -> None:
    """End every session of whoever asks, on whatever device and at whatever door.

    A user of the desk may be a member in WeCom besides, and an employee in WeChat.
    """
    with transaction() as session:
        is_user = actor.kind is ActorKind.USER
        person: User | Identity | None
        person = session.get(User, actor.id) if is_user else session.get(Identity, actor.id)
        if person is None:
            raise NotFound
        identity_ids = set() if is_user else _of_one_member(session, {actor.id})
        is_theirs = or_(*map(signs_in_with, identity_ids)) if identity_ids else User.id == actor.id
        # Users are locked before identities, whichever door is left.
        for user in session.scalars(select(User).where(is_theirs).with_for_update()):
            user.session_epoch += 1
            both = user.identity_id, user.wecom_identity_id
            identity_ids |= {identity_id for identity_id in both if identity_id is not None}
        session.execute(
            update(Identity)
            .where(Identity.id.in_(_of_one_member(session, identity_ids)))
            .values(session_epoch=Identity.session_epoch + 1)
        )
        audit.record(session, actor, "directory.signin.ended_everywhere", person)


def _of_one_member(session: Session, identity_ids: set[int]) -> set[int]:
    """With the same members as the corp's other apps know them."""
    member, other = aliased(Identity), aliased(Identity)
    app, other_app = aliased(ChannelAccount), aliased(ChannelAccount)
    others = session.scalars(
        select(other.id)
        .join(other_app, other_app.id == other.channel_account_id)
        .join(app, (app.appid == other_app.appid) & (app.kind == other_app.kind))
        .join(member, (member.channel_account_id == app.id) & (member.openid == other.openid))
        .where(member.id.in_(identity_ids), app.kind == ChannelKind.WECOM_APP)
    )
    return identity_ids | set(others)


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


# --- identities and bindings ----------------------------------------------------------------


def note_identity(account: ChannelAccountCredentials, openid: str) -> int:
    """Remember that this openid exists; its identity's id."""
    with transaction() as session:
        return _note_identity(session, account, openid)


def note_follower(
    account: ChannelAccountCredentials, openid: str, *, is_follower: bool, at: datetime
) -> int:
    """Remember that this openid followed or left at ``at``; its identity's id.

    Told late or once more, what is older than the last that we know changes nothing.
    """
    with transaction() as session:
        identity_id = _note_identity(session, account, openid)
        changed_at = Identity.follow_changed_at
        session.execute(
            update(Identity)
            .where(Identity.id == identity_id, or_(changed_at.is_(None), changed_at <= at))
            .values(is_follower=is_follower, follow_changed_at=at, updated_at=utc_now())
        )
        return identity_id


def _note_identity(session: Session, account: ChannelAccountCredentials, openid: str) -> int:
    now = utc_now()
    insert_new(
        session,
        Identity,
        org_path=account.org_path,
        channel_account_id=account.id,
        openid=openid,
        is_follower=False,
        created_at=now,
        updated_at=now,
    )
    return session.scalars(
        select(Identity.id).where(
            Identity.channel_account_id == account.id, Identity.openid == openid
        )
    ).one()


def note_refused_sign_in(account: ChannelAccountCredentials, code: str) -> None:
    """Somebody came back from WeChat, or set out, in a way that lets nobody in."""
    visitor = Actor.visitor()
    note_refusal(visitor, "directory.signin.refused", ChannelAccount, account.id, code=code)


def bind_employee(identity_id: int, name: str, phone: str, id_tail: str) -> int:
    """Bind a WeChat to every employee with this name, phone and ID number's end.

    A person on two rosters under the account's organisation is bound to both at once. Returns
    how many; refuses without telling which of the three did not fit.
    """
    try:
        return _bind_all(identity_id, name, phone, id_tail)
    except (BindingRefused, BindingLocked) as refusal:
        _note_refused_binding(Identity, identity_id, identity_id, refusal)
        raise
    except BoundToAnotherWechat as refusal:
        # Whoever it was knows this person's details: their enterprise should hear of it.
        _note_refused_binding(Employee, refusal.employee_id, identity_id, refusal)
        raise


def _note_refused_binding(
    model: type[Identity | Employee], row_id: int, identity_id: int, refusal: DomainError
) -> None:
    actor = Actor(ActorKind.EMPLOYEE, identity_id, "")
    note_refusal(actor, "directory.binding.refused", model, row_id, code=refusal.code)


def _bind_all(identity_id: int, name: str, phone: str, id_tail: str) -> int:
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
        wake(session, [employee.id], MENDED_BY_BINDING)
        return
    holder = session.scalar(
        select(EmployeeBinding.identity_id).where(
            EmployeeBinding.channel_account_id == identity.channel_account_id,
            EmployeeBinding.employee_id == employee.id,
        )
    )
    if holder != identity.id:
        raise BoundToAnotherWechat(employee.id)


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
