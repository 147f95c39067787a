"""Bringing the roster up to date from a file of the enterprise's own."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import business_date, utc_now
from core.db import transaction
from core.security import blind_index, seal, unseal
from domain.audit import service as audit
from domain.directory.access import Actor, Permission
from domain.directory.errors import RosterEmpty
from domain.directory.models import ID_NO, PERSONAL, PHONE, Employee
from domain.directory.policy import is_employed, plain_name
from domain.directory.service import get_org

LEFT = "离职"


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


class Clash(StrEnum):
    """What another employee already has, so that the row cannot be right."""

    PHONE = "phone"
    ID_NO = "id_no"
    EMP_NO = "emp_no"


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """``index`` counts the rows given from 0; ``holder`` is the name of who has it already."""

    index: int
    clash: Clash
    holder: str


@dataclass(frozen=True, slots=True)
class RosterImported:
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    left: int = 0
    refused: tuple[RefusedRow, ...] = ()


def import_roster(actor: Actor, rows: Sequence[RosterRow]) -> RosterImported:
    """Add new employees, bring known ones up to date, close those that left.

    A row is the person with its ``emp_id``; a file that knows staff numbers only finds people by
    number and name. Who is not in the file stays as they are: a file of one department must not
    dismiss the rest. So does what the file leaves blank: a list without phones must not erase
    them. A row whose phone, ID number or staff number is another employee's is refused.
    """
    actor.require(Permission.ROSTER_WRITE)
    # Without an identifier of the roster's own, two people would become one.
    if not rows or not all(row.emp_id for row in rows):
        raise RosterEmpty
    counts = {"added": 0, "changed": 0, "unchanged": 0, "left": 0}
    refused: list[RefusedRow] = []
    with transaction() as session:
        org = get_org(session, actor, actor.org_path)
        # Two imports at once would both add the same person.
        session.refresh(org, with_for_update=True)
        house = _House(session.scalars(select(Employee).where(Employee.org_path == org.org_path)))
        people = [house.find(row) for row in rows]
        house.let_go_of(people)
        for index, (row, person) in enumerate(zip(rows, people, strict=True)):
            clash = house.clash_of(row, person)
            if clash:
                refused.append(RefusedRow(index, *clash))
            else:
                counts[_write(session, org.org_path, row, person)] += 1
        audit.record(
            session, actor, "directory.roster.imported", org, refused=len(refused), **counts
        )
    return RosterImported(**counts, refused=tuple(refused))


class _Person:
    """Who a row is about: somebody known, or somebody new."""

    def __init__(self, employee: Employee | None, name: str) -> None:
        self.employee, self.name = employee, name
        self.personal: dict[str, str] = (
            json.loads(unseal(PERSONAL, employee.personal_sealed)) if employee else {}
        )

    def merged(self, row: RosterRow) -> dict[str, str]:
        """Phone, ID number and card after the import: a blank says nothing new."""
        given = {"phone": row.phone, "id_no": row.id_no, "bank_card": row.bank_card}
        return {key: value or self.personal.get(key, "") for key, value in given.items()}


class _House:
    """Everybody on the roster before the import, and who holds which identifier during it."""

    def __init__(self, employees: Iterable[Employee]) -> None:
        today = business_date()
        self._by_emp_id: dict[str, _Person] = {}
        self._by_emp_no: dict[str, list[_Person]] = defaultdict(list)
        self._holders: dict[tuple[Clash, str], _Person] = {}
        for employee in employees:
            person = _Person(employee, employee.name)
            self._by_emp_id[employee.emp_id] = person
            if is_employed(employee.joined_on, employee.left_on, today):
                self._by_emp_no[employee.emp_no].append(person)
                self._hold(person, person.personal)

    def find(self, row: RosterRow) -> _Person:
        if row.emp_id in self._by_emp_id:
            return self._by_emp_id[row.emp_id]
        if row.emp_id == row.emp_no:  # the file has no identifiers of its own
            for person in self._by_emp_no[row.emp_no]:
                if plain_name(person.name) == plain_name(row.name):
                    return person
        return _Person(None, row.name)

    def let_go_of(self, people: Iterable[_Person]) -> None:
        """The file speaks for these: two of them may have exchanged their numbers."""
        spoken_for = {id(person) for person in people}
        self._holders = {
            key: holder for key, holder in self._holders.items() if id(holder) not in spoken_for
        }

    def clash_of(self, row: RosterRow, person: _Person) -> tuple[Clash, str] | None:
        """What somebody else already holds; otherwise the person holds it from now on."""
        if row.status == LEFT:
            return None
        namesakes = self._by_emp_no.get(row.emp_no) if row.emp_no else None
        if person.employee is None and namesakes:
            return Clash.EMP_NO, namesakes[0].name
        merged = person.merged(row)
        for clash in (Clash.PHONE, Clash.ID_NO):
            holder = self._holders.get((clash, merged[clash]))
            if holder is not None and holder is not person:
                return clash, holder.name
        self._hold(person, merged)
        return None

    def _hold(self, person: _Person, personal: dict[str, str]) -> None:
        for clash in (Clash.PHONE, Clash.ID_NO):
            if personal[clash]:
                self._holders[clash, personal[clash]] = person


def _write(session: Session, org_path: str, row: RosterRow, person: _Person) -> str:
    """Store a row; whether somebody was added, changed, unchanged or left."""
    employee, personal, left_on = person.employee, person.merged(row), _left_on(row)
    if employee is None:
        outcome = "added"
        employee = Employee(org_path=org_path, emp_id=row.emp_id, created_at=utc_now())
        session.add(employee)
    elif _is_same(employee, row, person.personal == personal, left_on):
        return "unchanged"
    else:
        outcome = "left" if left_on and not employee.left_on else "changed"
    employee.name = row.name
    employee.emp_no = row.emp_no or employee.emp_no or ""
    employee.department = row.dept or employee.department or ""
    employee.personal_sealed = seal(PERSONAL, json.dumps(personal))
    employee.phone_index = blind_index(PHONE, personal["phone"]) if personal["phone"] else None
    employee.id_no_index = blind_index(ID_NO, personal["id_no"]) if personal["id_no"] else None
    employee.joined_on = row.joined_on or employee.joined_on
    # A date once known is not moved by a later file that only says 离职.
    employee.left_on = row.left_on or ((employee.left_on or left_on) if left_on else None)
    employee.updated_at = utc_now()
    return outcome


def _left_on(row: RosterRow) -> date | None:
    """The last working day; 离职 without a date means: no longer here today."""
    yesterday = business_date() - timedelta(days=1)
    return row.left_on or (yesterday if row.status == LEFT else None)


def _is_same(employee: Employee, row: RosterRow, same_personal: bool, left_on: date | None) -> bool:
    return (
        same_personal
        and employee.name == row.name
        and row.emp_no in {"", employee.emp_no}
        and row.dept in {"", employee.department}
        and row.joined_on in {None, employee.joined_on}
        and bool(employee.left_on) == bool(left_on)
        and row.left_on in {None, employee.left_on}
    )
