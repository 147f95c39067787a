"""The roster: imported again and again, always the same people."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest
import time_machine
from sqlalchemy import select, text

from core.errors import Forbidden
from domain.audit.models import AuditEvent
from domain.directory import queries
from domain.directory.access import Role
from domain.directory.errors import OrgUnknown, RosterEmpty
from domain.directory.models import Employee
from domain.directory.roster import Clash, RefusedRow, RosterImported, import_roster
from tests.counting import count_queries
from tests.factories import (
    ENTERPRISE,
    make_binding,
    make_channel_account,
    make_employee,
    make_employees,
    make_hr,
    make_user,
)

TODAY = date(2026, 4, 5)


@dataclass(frozen=True)
class Row:
    emp_id: str = "E-1"
    emp_no: str = "000001"
    name: str = "张伟"
    phone: str = "13800000001"
    id_no: str = "11010119900307123X"
    bank_card: str = "6222021001123457890"
    dept: str = "生产部"
    status: str = "在职"
    joined_on: date | None = None
    left_on: date | None = None


ZHANG = Row()
LI = Row("E-2", "000002", "李娜", "13800000002", "110101199003071240")


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(datetime(2026, 4, 5, 4, 0, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def hr(session):
    return make_hr()


def roster(hr):
    return queries.list_employees(hr).rows


def imported(added=0, changed=0, unchanged=0, left=0):
    return RosterImported(added, changed, unchanged, left)


# --- import ---------------------------------------------------------------------------------


def test_new_employees_are_added(hr):
    assert import_roster(hr, [ZHANG, LI]) == imported(added=2)

    first, second = roster(hr)
    assert (first.emp_id, first.name, first.phone) == ("E-1", "张伟", "13800000001")
    assert (first.id_no, first.bank_card) == (ZHANG.id_no, ZHANG.bank_card)
    assert second.name == "李娜"
    assert first.is_employed


def test_the_same_file_again_changes_nothing(hr):
    import_roster(hr, [ZHANG])

    assert import_roster(hr, [ZHANG]) == imported(unchanged=1)


@pytest.mark.parametrize(
    "change",
    [
        {"emp_no": "000002"},
        {"name": "张炜"},
        {"phone": "13800000002"},
        {"id_no": "110101199003071248"},
        {"bank_card": "6222021001123457891"},
        {"dept": "财务部"},
        {"joined_on": date(2025, 1, 1)},
    ],
)
def test_each_field_is_brought_up_to_date(hr, change):
    import_roster(hr, [ZHANG])

    assert import_roster(hr, [replace(ZHANG, **change)]) == imported(changed=1)

    (row,) = roster(hr)
    (field, value), *_ = change.items()
    assert getattr(row, {"dept": "department"}.get(field, field)) == value


def test_a_new_phone_is_found_and_the_old_one_is_not(hr, session):
    import_roster(hr, [ZHANG])
    before = session.scalars(select(Employee.phone_index)).one()

    import_roster(hr, [replace(ZHANG, phone="13800000002")])

    assert session.scalars(select(Employee.phone_index)).one() != before


def test_what_a_file_leaves_blank_stays_as_it_was(hr):
    import_roster(hr, [ZHANG])

    done = import_roster(
        hr, [replace(ZHANG, phone="", id_no="", bank_card="", dept="", emp_no="", name="张炜")]
    )

    assert done == imported(changed=1)
    [row] = roster(hr)
    assert (row.name, row.phone, row.id_no) == ("张炜", ZHANG.phone, ZHANG.id_no)
    assert (row.bank_card, row.department, row.emp_no) == (ZHANG.bank_card, "生产部", "000001")


def test_a_file_that_knows_staff_numbers_only_finds_people_by_number_and_name(hr):
    import_roster(hr, [ZHANG, LI])

    done = import_roster(hr, [Row("000001", "000001", "张 伟", "", "", "", "教务处")])

    assert done == imported(changed=1)
    assert [row.department for row in roster(hr)] == ["教务处", "生产部"]


@pytest.mark.parametrize(
    ("row", "clash"),
    [
        (Row("E-9", "000009", "王五", ZHANG.phone, ""), Clash.PHONE),
        (Row("E-9", "000009", "王五", "", ZHANG.id_no), Clash.ID_NO),
        (Row("E-9", ZHANG.emp_no, "王五", "", ""), Clash.EMP_NO),
        (Row(ZHANG.emp_no, ZHANG.emp_no, "王五", "", ""), Clash.EMP_NO),
        (replace(LI, phone=ZHANG.phone), Clash.PHONE),
    ],
)
def test_what_is_another_persons_is_refused_and_the_rest_comes_in(hr, row, clash):
    import_roster(hr, [ZHANG, LI])
    newcomer = Row("E-8", "000008", "赵六", "13800000008", "")

    done = import_roster(hr, [row, newcomer])

    assert done == replace(imported(added=1), refused=(RefusedRow(0, clash, "张伟"),))
    assert [row.name for row in roster(hr)] == ["张伟", "李娜", "赵六"]
    assert roster(hr)[1].phone == LI.phone


def test_two_people_may_exchange_their_phones(hr):
    import_roster(hr, [ZHANG, LI])

    done = import_roster(hr, [replace(ZHANG, phone=LI.phone), replace(LI, phone=ZHANG.phone)])

    assert done == imported(changed=2)
    assert [row.phone for row in roster(hr)] == [LI.phone, ZHANG.phone]


def test_the_phone_of_somebody_who_left_is_free(hr):
    import_roster(hr, [replace(ZHANG, status="离职")])

    assert import_roster(hr, [replace(LI, phone=ZHANG.phone)]) == imported(added=1)


def test_an_employee_without_phone_and_id_number_is_added_but_not_searchable(hr, session):
    import_roster(hr, [replace(ZHANG, phone="", id_no="")])

    employee = session.scalars(select(Employee)).one()
    assert (employee.phone_index, employee.id_no_index) == (None, None)


def test_who_left_is_closed_with_the_files_date(hr):
    import_roster(hr, [ZHANG])
    gone = replace(ZHANG, status="离职", left_on=date(2026, 3, 15))

    assert import_roster(hr, [gone]) == imported(left=1)

    (row,) = roster(hr)
    assert (row.left_on, row.is_employed) == (date(2026, 3, 15), False)


def test_who_left_without_a_date_is_no_longer_here_today(hr):
    import_roster(hr, [ZHANG])

    assert import_roster(hr, [replace(ZHANG, status="离职")]) == imported(left=1)

    (row,) = roster(hr)
    assert (row.left_on, row.is_employed) == (date(2026, 4, 4), False)


def test_a_known_last_day_is_not_moved_by_a_later_file_without_one(hr):
    gone = replace(ZHANG, status="离职", left_on=date(2026, 3, 15))
    import_roster(hr, [gone])

    again = replace(gone, left_on=None, dept="财务部")
    assert import_roster(hr, [again]) == imported(changed=1)
    assert import_roster(hr, [again]) == imported(unchanged=1)

    assert roster(hr)[0].left_on == date(2026, 3, 15)


def test_a_corrected_last_day_is_taken(hr):
    gone = replace(ZHANG, status="离职", left_on=date(2026, 3, 15))
    import_roster(hr, [gone])

    corrected = replace(gone, left_on=date(2026, 3, 20))
    assert import_roster(hr, [corrected]) == imported(changed=1)

    assert roster(hr)[0].left_on == date(2026, 3, 20)


def test_who_comes_back_is_the_same_employee_and_employed(hr):
    import_roster(hr, [replace(ZHANG, status="离职")])
    (before,) = roster(hr)

    assert import_roster(hr, [ZHANG]) == imported(changed=1)

    (after,) = roster(hr)
    assert (after.id, after.left_on, after.is_employed) == (before.id, None, True)


def test_who_is_not_in_the_file_stays(hr):
    import_roster(hr, [ZHANG, LI])

    import_roster(hr, [ZHANG])

    assert [row.is_employed for row in roster(hr)] == [True, True]


def test_the_same_number_in_another_enterprise_is_another_person(hr):
    other = make_hr("/hq/bj/ent-2/")
    import_roster(hr, [ZHANG])

    assert import_roster(other, [replace(ZHANG, name="李娜")]) == imported(added=1)

    assert [row.name for row in roster(hr)] == ["张伟"]
    assert [row.name for row in roster(other)] == ["李娜"]


def test_a_roster_does_not_reach_into_organisations_below(session):
    below = make_employee("/hq/bj/ent-1/sub/", emp_id="E-1", name="李娜")

    import_roster(make_hr(), [ZHANG])

    session.refresh(below)
    assert below.name == "李娜"


def test_personal_fields_are_sealed_at_rest(hr, session):
    import_roster(hr, [ZHANG])

    stored = str(session.execute(text("SELECT * FROM employees")).one())
    assert "张伟" in stored
    for private in (ZHANG.phone, ZHANG.id_no, ZHANG.bank_card):
        assert private not in stored


def test_an_import_is_one_line_of_the_audit_trail_without_people(hr, session):
    import_roster(hr, [ZHANG, LI])

    event = session.scalars(select(AuditEvent)).one()
    assert event.action == "directory.roster.imported"
    assert event.details == {"added": 2, "changed": 0, "unchanged": 0, "left": 0, "refused": 0}


def test_an_empty_file_is_refused(hr):
    with pytest.raises(RosterEmpty):
        import_roster(hr, [])
    with pytest.raises(RosterEmpty):
        import_roster(hr, [ZHANG, Row("", name="李娜")])
    assert roster(hr) == []


def test_only_hr_imports(session):
    with pytest.raises(Forbidden):
        import_roster(make_user(ENTERPRISE, Role.FINANCE), [ZHANG])


def test_an_organisation_that_is_gone_cannot_import(session):
    hr = replace(make_hr(), org_path="/gone/")

    with pytest.raises(OrgUnknown):
        import_roster(hr, [ZHANG])


# --- looking at it --------------------------------------------------------------------------


def test_the_roster_is_read_page_by_page(hr):
    employees = make_employees(5)

    first = queries.list_employees(hr, size=2)
    second = queries.list_employees(hr, size=2, after=first.next_cursor)
    third = queries.list_employees(hr, size=2, after=second.next_cursor)

    seen = [row.id for page in (first, second, third) for row in page.rows]
    assert seen == [one.id for one in employees]
    assert third.next_cursor is None


@pytest.mark.parametrize("count", [1, 3])
def test_the_roster_is_one_query_however_many_stand_on_it(hr, count):
    account = make_channel_account()
    for employee in make_employees(count):
        make_binding(employee, account)

    with count_queries() as queries_made:
        assert len(roster(hr)) == count

    assert queries_made.count == 1


def test_a_name_narrows_the_roster_and_its_signs_mean_themselves(hr):
    for name in ("张伟", "张娜", "李张", "100%"):
        make_employee(name=name)

    assert {row.name for row in queries.list_employees(hr, name="张").rows} == {"张伟", "张娜"}
    assert {row.name for row in queries.list_employees(hr, name="%").rows} == set()


def test_who_is_bound_at_two_accounts_is_one_row(hr):
    employee, unbound = make_employees(2)
    make_binding(employee, make_channel_account())
    make_binding(employee, make_channel_account())

    assert [(row.id, row.is_bound) for row in roster(hr)] == [
        (employee.id, True),
        (unbound.id, False),
    ]


def test_the_roster_of_another_enterprise_stays_unseen(hr):
    make_employee("/hq/bj/ent-10/")

    assert roster(hr) == []
    assert queries.count_roster(hr) == queries.RosterCounts(employed=0, left=0, bound=0)


def test_the_roster_is_counted(hr):
    account = make_channel_account()
    bound, *_ = make_employees(2)
    make_employee(left_on=TODAY)
    make_employee(left_on=date(2026, 4, 4))
    make_binding(bound, account)
    make_binding(bound, make_channel_account())

    assert queries.count_roster(hr) == queries.RosterCounts(employed=3, left=1, bound=1)


def test_only_hr_sees_the_roster(session):
    finance = make_user(ENTERPRISE, Role.FINANCE)

    with pytest.raises(Forbidden):
        queries.list_employees(finance)
    with pytest.raises(Forbidden):
        queries.count_roster(finance)


def test_employees_are_named_by_their_ids(session):
    one = make_employee(name="张伟")

    assert queries.names_of_employees([one.id, 4711]) == {one.id: "张伟"}
