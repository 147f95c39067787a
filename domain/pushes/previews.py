"""How a message would reach one person now, asked before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, or_, select

from core.db import reading
from core.errors import NotFound
from core.settings import get_settings
from domain.directory.access import Actor, Permission
from domain.directory.channel_accounts import templates_of
from domain.directory.models import Employee, Identity, Org
from domain.pushes.addresses import book_of_one
from domain.pushes.models import Campaign, MessageKind, Route
from domain.pushes.policy import LADDERS

MOST_PEOPLE = 8
NEED_TEMPLATES = frozenset({Route.TEMPLATE, Route.MINIPROGRAM})


@dataclass(frozen=True, slots=True)
class Person:
    """``name`` is whole: pages mask it."""

    id: int
    name: str
    emp_no: str
    department: str
    enterprise: str
    org_path: str
    has_phone: bool


class StepState(StrEnum):
    """How a step of the ladder stands for a person."""

    READY = "ready"
    NOT_FOLLOWING = "not-following"  # tried all the same: we may have missed that they follow
    REFUSED = "refused"
    NOT_BOUND = "not-bound"
    NO_TEMPLATE = "no-template"
    NO_PHONE = "no-phone"
    NO_ACCOUNT = "no-account"
    SWITCHED_OFF = "switched-off"


@dataclass(frozen=True, slots=True)
class Step:
    """``reason`` is what the platform said before; ``is_next``: this one is tried first."""

    route: Route
    account_id: int | None
    state: StepState
    reason: str | None
    is_next: bool


@dataclass(frozen=True, slots=True)
class Reach:
    steps: tuple[Step, ...]

    @property
    def next(self) -> Step | None:
        """The step by which the message would leave; None when nobody can be reached."""
        return next((step for step in self.steps if step.is_next), None)


def find_people(actor: Actor, text: str) -> list[Person]:
    """Whose name begins so, or whose number it is."""
    actor.require(Permission.PUSHES_READ)
    if not text:
        return []
    named = Employee.name.startswith(text, autoescape=True)
    return _people(actor, or_(named, Employee.emp_no == text))


def get_person(actor: Actor, employee_id: int) -> Person:
    actor.require(Permission.PUSHES_READ)
    found = _people(actor, Employee.id == employee_id)
    if not found:
        raise NotFound
    return found[0]


def _people(actor: Actor, wanted: ColumnElement[bool]) -> list[Person]:
    query = (
        select(
            Employee.id,
            Employee.name,
            Employee.emp_no,
            Employee.department,
            Org.name,
            Employee.org_path,
            Employee.phone_index.is_not(None),
        )
        .join(Org, Org.org_path == Employee.org_path)
        .where(Employee.visible_to(actor), wanted)
        .order_by(Employee.name, Employee.id)
        .limit(MOST_PEOPLE)
    )
    return [Person(*row) for row in reading().execute(query)]


def get_reach(actor: Actor, employee_id: int, kind: MessageKind, channel_account_id: int) -> Reach:
    """Step by step through the ladder, by the same book from which a campaign is sent."""
    person = get_person(actor, employee_id)
    has_sms = bool(get_settings().sms_gateway)
    ladder = [route for route in LADDERS[kind] if has_sms or route is not Route.SMS]
    campaign = Campaign(
        org_path=person.org_path,
        channel_account_id=channel_account_id,
        kind=kind,
        ladder=[route.value for route in ladder],
    )
    book = book_of_one(reading(), campaign, employee_id)
    # A step without a template fails for everybody, and the next one is taken.
    bare = {
        route
        for route, account_id in book.accounts.items()
        if route in NEED_TEMPLATES and kind.value not in templates_of(account_id)
    }
    campaign.ladder = [route.value for route in ladder if route not in bare]
    found = book_of_one(reading(), campaign, employee_id).step_for(
        employee_id, Route(campaign.ladder[0])
    )
    people = {route: book.people.get((route, employee_id), (0, ""))[0] for route in LADDERS[kind]}
    strangers = _not_following([one for one in people.values() if one])
    steps = []
    for route, identity_id in people.items():
        reason = book.refusals.get(identity_id)
        if route is Route.SMS:
            state = _sms_state(has_gateway=has_sms, has_phone=person.has_phone)
        elif route not in book.accounts:
            state = StepState.NO_ACCOUNT
        elif not identity_id:
            state = StepState.NOT_BOUND
        elif reason:
            state = StepState.REFUSED
        elif route in bare:
            state = StepState.NO_TEMPLATE
        elif route is Route.TEMPLATE and identity_id in strangers:
            state = StepState.NOT_FOLLOWING
        else:
            state = StepState.READY
        is_next = found is not None and found.route is route
        steps.append(Step(route, book.accounts.get(route), state, reason, is_next))
    return Reach(tuple(steps))


def _sms_state(*, has_gateway: bool, has_phone: bool) -> StepState:
    if not has_gateway:
        return StepState.SWITCHED_OFF
    return StepState.READY if has_phone else StepState.NO_PHONE


def _not_following(identity_ids: Sequence[int]) -> frozenset[int]:
    query = select(Identity.id).where(Identity.id.in_(identity_ids), ~Identity.is_follower)
    return frozenset(reading().scalars(query))
