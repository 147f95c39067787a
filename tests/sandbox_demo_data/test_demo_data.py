"""Recognition finds in the demo files exactly what was hidden in them."""

import json

import pytest

from domain.payroll.sheets import check_sheet, read_roster
from domain.payroll.sheets.identity import is_valid_id
from sandbox.demo_data import generate


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("demo"))


@pytest.fixture(params=["school", "site", "factory"])
def enterprise(demo, request):
    return next(e for e in demo.enterprises if e.key == request.param)


def read(enterprise):
    roster = read_roster(enterprise.roster_csv.read_bytes(), "roster.csv").everybody()
    return check_sheet(enterprise.sheet.read_bytes(), enterprise.sheet.name, roster)


def test_every_row_is_recognised_as_the_person_and_the_amount_it_was_written_for(enterprise):
    report = read(enterprise)

    found = {row.row: (row.employee_id, row.net_fen) for row in report.accepted}
    assert found == enterprise.expected.accepted
    assert {row.row: row.reasons[0] for row in report.held} == enterprise.expected.held
    assert all(len(row.reasons) == 1 for row in report.held)


def test_month_hidden_columns_and_totals_are_as_written(enterprise):
    report = read(enterprise)

    assert report.period == enterprise.expected.period
    assert tuple(report.hidden_columns) == enterprise.expected.hidden_columns
    assert report.warnings == []


def test_both_rosters_say_the_same_and_are_accepted_whole(enterprise):
    from_csv = read_roster(enterprise.roster_csv.read_bytes(), "a.csv")
    from_xlsx = read_roster(enterprise.roster_xlsx.read_bytes(), "a.xlsx")

    assert from_csv == from_xlsx
    assert from_csv.problems == []
    assert len(from_csv.accepted) == len(enterprise.employees)


def test_the_sizes_are_those_of_the_story(demo):
    school, site, factory = demo.enterprises

    assert sum(not person.left_on for person in school.employees) == 643
    assert (len(site.employees), len(factory.employees)) == (180, 60)
    assert len(school.expected.held) == 3


def test_people_have_valid_numbers_of_a_place_and_a_network_that_do_not_exist(demo):
    people = [person for enterprise in demo.enterprises for person in enterprise.employees]

    assert all(is_valid_id(person.id_no) and person.id_no.startswith("369999") for person in people)
    assert all(person.phone.startswith("154") and len(person.phone) == 11 for person in people)
    for field in ("emp_id", "phone", "id_no"):
        assert len({getattr(person, field) for person in people}) == len(people)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(demo, tmp_path):
    again = generate(tmp_path / "again")
    other = generate(tmp_path / "other", seed=1)

    for first, second, third in zip(
        demo.enterprises, again.enterprises, other.enterprises, strict=True
    ):
        assert first.sheet.read_bytes() == second.sheet.read_bytes()
        assert first.roster_xlsx.read_bytes() == second.roster_xlsx.read_bytes()
        assert first.sheet.read_bytes() != third.sheet.read_bytes()


def test_the_organisation_names_orgs_people_and_files_that_exist(demo):
    told = json.loads(demo.organisation.read_text(encoding="utf-8"))

    assert [org["kind"] for org in told["orgs"]][:4] == ["union", "bank", "branch", "outlet"]
    paths = {org["org_path"] for org in told["orgs"]}
    assert all(user["org_path"] in paths for user in told["users"])
    assert sorted(role for user in told["users"] for role in user["roles"]) == (
        ["bank-operations"] + ["finance"] * 3 + ["hr"] * 6
    )
    for enterprise in told["enterprises"]:
        for key in ("roster_csv", "roster_xlsx", "sheet"):
            assert (demo.outdir / enterprise[key]).is_file()
