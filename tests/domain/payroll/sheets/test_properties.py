"""Whatever happens to a sheet, nobody's row is ever accepted for somebody else."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import yuan
from domain.payroll.sheets import HeldRow, Roster, RosterEntry, check_sheet, recheck

from .files import csv_bytes, xlsx
from .people import id_no, phone

# Few names, so that namesakes are everywhere.
NAMES = ["张伟", "刘洋", "李娜", "阿依古丽·买买提"]
DEPTS = ["一车间", "二车间"]
FIELDS = ("name", "emp_no", "phone", "id_no")
COLUMNS = [("name", key) for key in FIELDS[1:]] + [("phone", "name", "id_no"), FIELDS]
LABELS = {"name": "姓名", "emp_no": "工号", "phone": "手机号", "id_no": "身份证号"}


@st.composite
def rosters(draw):
    return [
        RosterEntry(
            emp_id=f"E-{number}",
            name=draw(st.sampled_from(NAMES)),
            emp_no=draw(st.sampled_from([f"{number:04d}", ""])),
            phone=draw(st.sampled_from([phone(number), phone(number), ""])),
            id_no=draw(st.sampled_from([id_no(number), id_no(number), ""])),
            dept=draw(st.sampled_from(DEPTS)),
            status=draw(st.sampled_from(["在职", "在职", "在职", "离职"])),
        )
        for number in range(1, draw(st.integers(1, 14)) + 1)
    ]


def outsider(number: int, name: str) -> RosterEntry:
    return RosterEntry(
        emp_id="outside",
        name=name,
        emp_no=f"{number:04d}",
        phone=phone(number),
        id_no=id_no(number),
        dept=DEPTS[0],
    )


def typed(chance: random.Random, field: str, text: str) -> str:
    """The same identifier in another spelling."""
    if not text:
        return ""
    if field == "phone":
        return chance.choice(
            [text, f"+86 {text}", f"{text[:3]}-{text[3:7]}-{text[7:]}", f'="{text}"', f"{text}.0"]
        )
    if field == "emp_no":
        return chance.choice([text, str(int(text)), f"{int(text)}.0"])
    if field == "name":
        return chance.choice([text, text[0] + " " + text[1:], text.replace("·", "．")])
    return chance.choice([text, text.lower(), f"'{text}"])


def damaged(chance: random.Random, field: str, text: str) -> str:
    """The identifier is gone, cut or mistyped, as Excel and tired people do it."""
    ways = ["", "—", "待补", "#REF!"]
    if field == "phone" and text:
        ways += [f"{float(text):.2E}", text[:-1], phone(900 + chance.randrange(90))]
    if field == "id_no" and text:
        ways += [f"{text[:15]}000", f"{float(text[:17] + '0'):.14E}", text[:-1], id_no(950)]
    if field == "emp_no":
        ways += ["9999", "A12"]
    if field == "name":
        ways += ["", text[:1], "无名氏"]
    return chance.choice(ways)


def sheet(chance, people, columns, faults, *, swap_field=None):
    """Rows for ``people`` in random order; (rows, whose row each is)."""
    order = list(people)
    chance.shuffle(order)
    header = ["序号", "部门", *(LABELS[field] for field in columns), "奖金", "实发工资"]
    rows, truth = [header], {}
    for number, person in enumerate(order, start=1):
        cells = {field: typed(chance, field, getattr(person, field)) for field in columns}
        if chance.random() < faults:
            field = chance.choice(columns)
            cells[field] = damaged(chance, field, getattr(person, field))
        elif swap_field and chance.random() < faults:
            cells[swap_field] = getattr(chance.choice(order), swap_field)
        pay = yuan(10_000 * number)
        rows.append([number, person.dept, *(cells[f] for f in columns), pay, pay])
        truth[len(rows)] = (person.emp_id, 10_000 * number)
    return rows, truth


@settings(max_examples=250, deadline=None)
@given(
    entries=rosters(),
    seed=st.integers(0, 2**32),
    columns=st.sampled_from(COLUMNS),
    faults=st.sampled_from([0.0, 0.3, 0.9]),
    strangers=st.integers(0, 3),
)
def test_no_row_is_accepted_for_a_person_other_than_the_true_one(
    entries, seed, columns, faults, strangers
):
    chance = random.Random(seed)
    unknown = [outsider(800 + n, chance.choice(NAMES)) for n in range(strangers)]
    rows, truth = sheet(chance, [*entries, *unknown], columns, faults)

    report = check_sheet(csv_bytes(rows), "a.csv", Roster(entries))

    for row in report.accepted:
        assert (row.employee_id, row.net_fen) == truth[row.row]
    seen = [row.row for row in report.accepted] + [row.row for row in report.held]
    assert sorted(seen + [row.row for row in report.skipped]) == list(range(1, len(rows) + 1))


@settings(max_examples=150, deadline=None)
@given(entries=rosters(), seed=st.integers(0, 2**32), field=st.sampled_from(["phone", "emp_no"]))
def test_somebody_elses_key_beside_a_right_one_is_never_followed(entries, seed, field):
    """With an ID number in every row, a phone or staff number of a colleague changes nothing."""
    chance = random.Random(seed)
    entries = [entry for entry in entries if entry.id_no]
    rows, truth = sheet(chance, entries, FIELDS, 0.5, swap_field=field)

    report = check_sheet(csv_bytes(rows), "a.csv", Roster(entries))

    for row in report.accepted:
        assert row.employee_id == truth[row.row][0]


@settings(max_examples=60, deadline=None)
@given(entries=rosters(), seed=st.integers(0, 2**32))
def test_an_undamaged_sheet_of_active_people_with_all_keys_is_accepted_whole(entries, seed):
    people = [e for e in entries if e.status == "在职" and (e.phone or e.id_no or e.emp_no)]
    if not people:
        return
    rows, truth = sheet(random.Random(seed), people, FIELDS, 0.0)

    report = check_sheet(xlsx([[str(cell) for cell in row] for row in rows]), "a", Roster(entries))

    assert {row.row: (row.employee_id, row.net_fen) for row in report.accepted} == truth


@settings(max_examples=60, deadline=None)
@given(entries=rosters(), seed=st.integers(0, 2**32))
def test_looking_twice_at_a_held_row_comes_to_the_same(entries, seed):
    chance = random.Random(seed)
    rows, _ = sheet(chance, entries, FIELDS, 0.9)
    roster = Roster(entries)

    report = check_sheet(csv_bytes(rows), "a.csv", roster)

    for held in report.held:
        again = recheck(held, {}, report.layout, roster)
        assert isinstance(again, HeldRow)
        assert set(held.reasons) == set(again.reasons)


WORDS = [
    "姓名",
    "手机号",
    "实发工资",
    "应发合计",
    "合计",
    "小计",
    "张伟",
    "工号",
    "部门",
    "个税",
    "制表：",
    "=A1",
    "5000",
    "-3",
    "待定",
    "#REF!",
    "2026年3月",
    "<b>",
    "编号",
    "单位：元",
    "",
]
GRIDS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), min_size=1, max_size=9)


@settings(max_examples=150, deadline=None)
@given(rows=GRIDS, merge=st.tuples(*[st.integers(0, 5)] * 4))
def test_no_grid_of_words_makes_the_reader_fail(rows, merge):
    top, left, down, right = merge
    square = [row + [""] * (12 - len(row)) for row in rows] + [[""] * 12] * 12
    content = xlsx(square, merges=[(top, left, top + down, left + right + 1)])

    report = check_sheet(content, "a.xlsx", Roster([]))

    assert report.accepted == []
