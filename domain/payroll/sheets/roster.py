"""The roster: who works here, how to find them, and reading it from CSV or XLSX."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from core.security import mask_card, mask_id_no, mask_phone

from .files import read_grids
from .grid import Grid
from .identity import (
    Reading,
    State,
    dept_key,
    name_key,
    plain,
    read_card,
    read_emp_no,
    read_id,
    read_phone,
)
from .report import Refusal
from .unreadable import Unreadable

ACTIVE, LEFT = "在职", "离职"
_MOST_HOLDERS = 3  # a couple with one phone, one of them hired twice


@dataclass(frozen=True, slots=True)
class RosterEntry:
    emp_id: str
    name: str
    emp_no: str = ""
    phone: str = ""
    id_no: str = ""
    bank_card: str = ""
    dept: str = ""
    status: str = ACTIVE
    joined_on: date | None = None
    left_on: date | None = None

    @property
    def has_left(self) -> bool:
        return self.status == LEFT


@dataclass(frozen=True, slots=True)
class Person:
    """An entry with its identifiers in comparable form."""

    entry: RosterEntry
    name: str
    keys: dict[str, str]  # phone id_no emp_no bank_card → value, only what is there
    dept: str


class Roster:
    """Everybody, active and left, found by any identifier."""

    def __init__(self, entries: Iterable[RosterEntry]) -> None:
        self.people = _without_placeholders([_person(entry) for entry in entries])
        self._by_id = {person.entry.emp_id: person for person in self.people}
        self._by_name: dict[str, list[Person]] = defaultdict(list)
        self._by_key: dict[tuple[str, str], list[Person]] = defaultdict(list)
        self._by_short_no: dict[str, list[Person]] = defaultdict(list)
        for person in self.people:
            self._by_name[person.name].append(person)
            for kind, value in person.keys.items():
                self._by_key[kind, value].append(person)
            if number := person.keys.get("emp_no"):
                self._by_short_no[number.lstrip("0")].append(person)
            own_id = read_emp_no(person.entry.emp_id).value
            if own_id != person.keys.get("emp_no"):  # some sheets write it where the 工号 belongs
                self._by_short_no[own_id.lstrip("0")].append(person)

    def __len__(self) -> int:
        return len(self.people)

    def get(self, emp_id: str) -> Person | None:
        return self._by_id.get(emp_id)

    def named(self, name: str) -> list[Person]:
        return self._by_name.get(name_key(name), [])

    def holding(self, kind: str, reading: Reading) -> list[Person]:
        """Whose identifier this is. A staff number without its zeros may be several people's."""
        if reading.state in (State.ABSENT, State.LOST):
            return []
        exact = self._by_key.get((kind, reading.value), [])
        if kind != "emp_no" or (exact and reading.value.startswith("0")):
            return exact
        return self._by_short_no.get(reading.value.lstrip("0"), [])


def _without_placeholders(people: list[Person]) -> list[Person]:
    """A number that many people "have" (13800000000, 无) tells nobody from anybody."""
    holders = Counter(item for person in people for item in person.keys.items())
    return [
        replace(
            person,
            keys={k: v for k, v in person.keys.items() if holders[k, v] <= _MOST_HOLDERS},
        )
        for person in people
    ]


def _person(entry: RosterEntry) -> Person:
    readings = {
        "phone": read_phone(entry.phone),
        "id_no": read_id(entry.id_no),
        "emp_no": read_emp_no(entry.emp_no or entry.emp_id),
        "bank_card": read_card(entry.bank_card),
    }
    keys = {
        kind: reading.value for kind, reading in readings.items() if _tells_apart(kind, reading)
    }
    return Person(entry, name_key(entry.name), keys, dept_key(entry.dept))


def _tells_apart(kind: str, reading: Reading) -> bool:
    """A number that fails its check is still this person's when a sheet repeats it; 待补 is not."""
    digits = sum(map(str.isdigit, reading.value))
    if kind == "emp_no":
        return digits > 0 or (reading.value.isascii() and reading.value != "")
    return reading.state is State.GOOD or (reading.state is State.INVALID and digits >= 6)


@dataclass(frozen=True, slots=True)
class RosterRow:
    row: int
    entry: RosterEntry


@dataclass(frozen=True, slots=True)
class RosterProblem:
    """A refused row. ``entry`` is what could be read: the person exists, whatever is wrong."""

    row: int
    field: str
    message: str
    entry: RosterEntry


@dataclass(frozen=True, slots=True)
class RosterReport:
    refused: Refusal | None = None
    accepted: list[RosterRow] = field(default_factory=list)
    problems: list[RosterProblem] = field(default_factory=list)

    def everybody(self) -> Roster:
        """Also those with a bad field: who is left out here could be mistaken for a namesake."""
        entries = {row.row: row.entry for row in self.accepted}
        entries.update({p.row: p.entry for p in self.problems if p.entry.name})
        return Roster(entries[row] for row in sorted(entries))


_FIELDS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in (
        ("emp_id", r"emp_id|employee_id|员工(标识|ID)|系统编号"),
        ("emp_no", r"emp_no|工号|(员工|职工|人员|教师)?(编号|编码|工号)|(员工|职工)号"),
        ("name", r"name|(员工|职工|人员|教师)?姓名"),
        ("phone", r"phone|mobile|(本人)?手机(号码?)?|(联系)?电话(号码)?|联系方式"),
        ("id_no", r"id_no|(居民)?身份证(件)?(号码?)?|证件号码?"),
        ("bank_card", r"bank_card|(工资|银行)?(银行)?卡号|(工资|银行|收款)?[账帐]号|工资卡|银行卡"),
        ("dept", r"dept|department|(所属|所在)?部门|科室|班组|车间"),
        ("status", r"status|(在职|人员|员工|用工)?状态"),
        ("joined_on", r"joined_on|(入职|参加工作|进场)(日期|时间)?"),
        ("left_on", r"left_on|(离职|退场)(日期|时间)?"),
    )
}
_LEFT_WORDS = frozenset({"离职", "已离职", "退休", "辞职", "停职", "退场", "left", "离岗", "减员"})
_ACTIVE_WORDS = frozenset({"", "在职", "在岗", "正常", "试用", "试用期", "正式", "active", "在场"})
_LABELS = {
    "emp_id": "员工标识",
    "emp_no": "工号",
    "name": "姓名",
    "phone": "手机号",
    "id_no": "身份证号",
    "bank_card": "银行卡号",
    "status": "状态",
    "joined_on": "入职日期",
    "left_on": "离职日期",
}


def read_roster(content: bytes, filename: str) -> RosterReport:
    try:
        grids = [grid for grid in read_grids(content, filename) if grid.visible]
    except Unreadable as error:
        return RosterReport(Refusal(error.reason, error.sentence))
    for grid in grids:
        for start, row in enumerate(grid.rows[:20]):
            columns = _columns(row)
            if "name" in columns and len(columns) >= 2:
                return _read_rows(grid, start, columns)
    return RosterReport(
        Refusal(
            "NOT_ROSTER",
            "没有找到花名册的表头。第一行请写：工号、姓名、手机号、身份证号、部门、状态",
        )
    )


def _columns(row: list[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for index, text in enumerate(row):
        word = re.sub(r"\s+", "", plain(text))
        for name, pattern in _FIELDS.items():
            if name not in columns and pattern.fullmatch(word):
                columns[name] = index
                break
    return columns


def _read_rows(grid: Grid, header: int, columns: dict[str, int]) -> RosterReport:
    report = RosterReport()
    seen: dict[tuple[str, str], int] = {}
    for index in range(header + 1, len(grid.rows)):
        texts = {name: plain(grid.rows[index][column]) for name, column in columns.items()}
        if not any(texts.values()):
            continue
        entry = _entry(texts)
        problems = [
            RosterProblem(index + 1, name, f"第{index + 1}行 {message}", entry)
            for name, message in [*_bad_fields(texts, entry), *_repeated(entry, index + 1, seen)]
        ]
        report.problems.extend(problems)
        if not problems:
            report.accepted.append(RosterRow(index + 1, entry))
    if not report.accepted and not report.problems:
        return RosterReport(Refusal("EMPTY_FILE", "花名册里没有人员，请填写后再上传"))
    return report


def _entry(texts: dict[str, str]) -> RosterEntry:
    joined_on, left_on = _day(texts.get("joined_on", "")), _day(texts.get("left_on", ""))
    left = texts.get("status", "") in _LEFT_WORDS or ("status" not in texts and left_on is not None)
    emp_no = read_emp_no(texts.get("emp_no", "")).text
    return RosterEntry(
        emp_id=texts.get("emp_id", "") or emp_no,
        emp_no=emp_no,
        name=texts.get("name", ""),
        phone=_value(read_phone(texts.get("phone", ""))),
        id_no=_value(read_id(texts.get("id_no", ""))),
        bank_card=_value(read_card(texts.get("bank_card", ""))),
        dept=texts.get("dept", ""),
        status=LEFT if left else ACTIVE,
        joined_on=joined_on,
        left_on=left_on,
    )


def _value(reading: Reading) -> str:
    return reading.text if reading.state is State.LOST else reading.value


def _day(text: str) -> date | None:
    match = re.fullmatch(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?( .*)?", text)
    if not match:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _bad_fields(texts: dict[str, str], entry: RosterEntry) -> list[tuple[str, str]]:
    bad = []
    if not entry.name:
        bad.append(("name", "没有姓名，请填写"))
    phone, id_no = read_phone(texts.get("phone", "")), read_id(texts.get("id_no", ""))
    if phone.state is State.INVALID:
        bad.append(("phone", f"手机号“{mask_phone(phone.text)}”不是 11 位手机号，请改正"))
    if id_no.state is State.LOST:
        bad.append(("id_no", "身份证号被 Excel 存成数字，丢了后三位，请把这一列设为文本后重填"))
    elif id_no.state is State.INVALID:
        bad.append(("id_no", f"身份证号“{mask_id_no(id_no.text)}”不对（位数或校验码），请核对"))
    card = read_card(texts.get("bank_card", ""))
    if card.state is State.LOST:
        bad.append(("bank_card", "银行卡号被 Excel 存成数字，丢了末几位，请把这一列设为文本后重填"))
    elif card.state is State.INVALID:
        bad.append(("bank_card", f"银行卡号“{mask_card(card.text)}”不对，请核对"))
    status = texts.get("status", "")
    if status not in _LEFT_WORDS and status not in _ACTIVE_WORDS:
        bad.append(("status", f"状态“{status}”不认识，请填在职或离职"))
    bad.extend(
        (name, f"{_LABELS[name]}“{texts[name]}”不是日期，请写成 2026-03-01 的样子")
        for name in ("joined_on", "left_on")
        if texts.get(name) and _day(texts[name]) is None
    )
    return bad


def _repeated(
    entry: RosterEntry, row: int, seen: dict[tuple[str, str], int]
) -> list[tuple[str, str]]:
    person = _person(entry)
    repeated = []
    values = {"emp_id": entry.emp_id, **person.keys}
    values.pop("bank_card", None)  # couples do share a card
    for name, value in values.items():
        if not value:
            continue
        first = seen.setdefault((name, value), row)
        if first != row:
            repeated.append((name, f"{_LABELS[name]}和第{first}行重复，请核对是不是同一个人"))
    return repeated
