"""Where on the ladder a person can be reached, and what platforms said of them before."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session

from core.clock import utc_now
from core.db import put_each
from core.security import unseal
from domain.directory.accounts import ChannelKind
from domain.directory.models import PERSONAL, ChannelAccount, Employee, EmployeeBinding, Identity
from domain.pushes.ledger import tried_entry
from domain.pushes.models import Campaign, MessageKind, Push, Route, Unreachable
from domain.pushes.policy import ABOUT_ALL_KINDS, NOT_BOUND, REMEMBERED_FOR

ROUTE_KINDS = {
    Route.TEMPLATE: ChannelKind.OFFICIAL_ACCOUNT,
    Route.MINIPROGRAM: ChannelKind.MINIPROGRAM,
    Route.WECOM: ChannelKind.WECOM_APP,
}


@dataclass(frozen=True, slots=True)
class Step:
    """Where on the ladder a person can be reached; ``passed`` are the steps that we know fail."""

    route: Route
    address: str = field(repr=False)
    identity_id: int | None
    passed: tuple[dict[str, Any], ...]


@dataclass(slots=True)
class Book:
    """The addresses of the people of a chunk, and what platforms said about them before."""

    ladder: tuple[Route, ...]
    accounts: dict[Route, int]
    people: dict[tuple[Route, int], tuple[int, str]]
    refusals: dict[int, str]
    at: datetime
    phones: dict[int, str] = field(default_factory=dict)

    def step_for(self, employee_id: int, route: Route) -> Step | None:
        passed: list[dict[str, Any]] = []
        for step in self.ladder[self.ladder.index(route) :]:
            if step is Route.SMS:
                phone = self.phones.get(employee_id)
                return Step(step, phone, None, tuple(passed)) if phone else None
            identity_id, address = self.people.get((step, employee_id), (0, ""))
            if not identity_id:
                continue
            if identity_id not in self.refusals:
                return Step(step, address, identity_id, tuple(passed))
            passed.append(tried_entry(step, self.refusals[identity_id], None, self.at))
        return None

    def reason_for(self, employee_id: int, tried: Sequence[Any]) -> str:
        """Why nobody could be reached: what a platform said first, else that we know nobody."""
        if tried:
            return str(tried[0]["reason"])
        known = [self.people.get((step, employee_id), (0, ""))[0] for step in self.ladder]
        said = [self.refusals[one] for one in known if one in self.refusals]
        return said[0] if said else NOT_BOUND


def book_of(session: Session, campaign: Campaign, rows: Sequence[Any], now: datetime) -> Book:
    ladder = tuple(Route(step) for step in campaign.ladder)
    employee_ids = [row.employee_id for row in rows]
    accounts = _accounts(session, campaign, ladder)
    people = _people(session, accounts, employee_ids)
    refusals = _refusals(session, [one for one, _ in people.values()], campaign.kind, now)
    book = Book(ladder, accounts, people, refusals, now)
    if Route.SMS in ladder:
        lost = [one for one in rows if book.step_for(one.employee_id, one.route) is None]
        book.phones = _phones(session, [row.employee_id for row in lost])
    return book


def _accounts(session: Session, campaign: Campaign, ladder: Sequence[Route]) -> dict[Route, int]:
    """The campaign's own official account, and of the other kinds the nearest above the sender."""
    found = {Route.TEMPLATE: campaign.channel_account_id}
    kinds = {ROUTE_KINDS[route]: route for route in ladder if route in ROUTE_KINDS}
    kinds.pop(ChannelKind.OFFICIAL_ACCOUNT, None)
    if not kinds:
        return found
    rows = session.execute(
        select(ChannelAccount.id, ChannelAccount.kind, ChannelAccount.org_path).where(
            ChannelAccount.kind.in_(kinds), ChannelAccount.is_enabled
        )
    ).all()
    for row in sorted(rows, key=lambda row: (len(row.org_path), -row.id)):
        if campaign.org_path.startswith(row.org_path):
            found[kinds[row.kind]] = row.id
    return found


def _people(
    session: Session, accounts: dict[Route, int], employee_ids: Sequence[int]
) -> dict[tuple[Route, int], tuple[int, str]]:
    routes = {account_id: route for route, account_id in accounts.items()}
    rows = session.execute(
        select(
            EmployeeBinding.channel_account_id,
            EmployeeBinding.employee_id,
            Identity.id,
            Identity.openid,
        )
        .join(Identity, Identity.id == EmployeeBinding.identity_id)
        .where(
            EmployeeBinding.employee_id.in_(employee_ids),
            EmployeeBinding.channel_account_id.in_(routes),
        )
    )
    return {(routes[row[0]], row[1]): (row[2], row[3]) for row in rows}


def _refusals(
    session: Session, identity_ids: Sequence[int], kind: MessageKind, now: datetime
) -> dict[int, str]:
    rows = session.execute(
        select(Unreachable.identity_id, Unreachable.reason).where(
            Unreachable.identity_id.in_(identity_ids),
            Unreachable.kind.in_(["", kind.value]),
            Unreachable.until > now,
        )
    )
    return {row.identity_id: row.reason for row in rows}


def _phones(session: Session, employee_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(
        select(Employee.id, Employee.personal_sealed).where(Employee.id.in_(employee_ids))
    )
    found = {row.id: json.loads(unseal(PERSONAL, row.personal_sealed))["phone"] for row in rows}
    return {employee_id: phone for employee_id, phone in found.items() if phone}


def book_of_one(session: Session, campaign: Campaign, employee_id: int) -> Book:
    """Where this campaign, which need not be stored, would find one person now."""
    push = Push(employee_id=employee_id, route=Route(campaign.ladder[0]))
    return book_of(session, campaign, [push], utc_now())


def remember(
    session: Session,
    said: Iterable[tuple[int | None, str | None]],
    kind: MessageKind,
    now: datetime,
) -> None:
    """What a platform said about people (identity, reason), so that the next campaign takes
    another step; in one statement however many."""
    rows = {}
    for identity_id, reason in said:
        life = REMEMBERED_FOR.get(reason or "")
        if life is None or identity_id is None:
            continue
        about = "" if reason in ABOUT_ALL_KINDS else kind.value
        rows[identity_id, about] = {
            "identity_id": identity_id,
            "kind": about,
            "reason": reason,
            "noted_at": now,
            "until": now + life,
        }
    # In one order everywhere: two workers that note the same people do not lock each other.
    table = cast(Table, Unreachable.__table__)
    put_each(session, table, [rows[key] for key in sorted(rows)], key=("identity_id", "kind"))


def forget_refusals(session: Session, identity_id: int) -> None:
    """The person follows us anew: what was said about them before may be over."""
    session.execute(
        delete(Unreachable)
        .where(Unreachable.identity_id == identity_id)
        .execution_options(synchronize_session=False)
    )
