"""Whose row is this? Rules in the package's docstring; here they are carried out.

Every identifier in the row is a witness. Agreement is counted, contradiction holds the row.
"""

from dataclasses import dataclass

from .identity import (
    ABSENT,
    Reading,
    State,
    dept_key,
    name_in_words,
    name_key,
    read_card,
    read_emp_no,
    read_id,
    read_phone,
)
from .report import Notice, Reason
from .roster import Person, Roster

READERS = {
    "id_no": read_id,
    "phone": read_phone,
    "emp_no": read_emp_no,
    "bank_card": read_card,
}
LABELS = {
    "id_no": "证件号",
    "phone": "手机号",
    "emp_no": "工号",
    "bank_card": "银行卡号",
    "name": "姓名",
    "dept": "部门",
}
_LOST = "被 Excel 存成数字，丢了末几位，请改成文本重填"
_DAMAGED = {
    ("id_no", State.LOST): (Reason.ID_PRECISION_LOST, f"证件号{_LOST}"),
    ("id_no", State.INVALID): (Reason.ID_INVALID, "证件号不对（位数或校验码），请核对"),
    ("phone", State.INVALID): (Reason.PHONE_INVALID, "手机号不完整或不是手机号，请核对"),
    ("bank_card", State.LOST): (Reason.CARD_PRECISION_LOST, f"银行卡号{_LOST}"),
    ("bank_card", State.INVALID): (Reason.CONFLICT, "银行卡号不对，请核对"),
}


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What one row says about who it is for."""

    name: str
    dept: str
    keys: dict[str, Reading]

    @property
    def is_empty(self) -> bool:
        return not self.name and all(r.state is State.ABSENT for r in self.keys.values())


@dataclass(frozen=True, slots=True)
class Match:
    person: Person | None = None
    matched_by: tuple[str, ...] = ()
    warnings: tuple[Notice, ...] = ()
    reasons: tuple[Reason, ...] = ()
    message: str = ""
    candidates: tuple[Person, ...] = ()


def read_identifiers(texts: dict[str, str]) -> Identifiers:
    keys = {
        kind: read(text) if (text := texts.get(kind)) else ABSENT for kind, read in READERS.items()
    }
    return Identifiers(texts.get("name", "").strip(), texts.get("dept", ""), keys)


def match(row: Identifiers, roster: Roster, *, sheet_has_keys: bool) -> Match:
    if row.is_empty:
        return _held(Reason.NO_IDENTIFIER, "这一行没有姓名，也没有工号、手机号或证件号，请补上", ())
    namesakes = roster.named(row.name) if row.name else []
    hits = {kind: found for kind, r in row.keys.items() if (found := roster.holding(kind, r))}
    if not hits:
        return _by_name_alone(row, namesakes, sheet_has_keys=sheet_has_keys)
    candidates = _common(hits, namesakes if row.name else None)
    if not candidates:
        return _contradiction(row, hits, namesakes)
    if len(candidates) > 1:
        candidates = _same_human(candidates)
    if len(candidates) > 1:
        return _held(Reason.AMBIGUOUS, _namesake_sentence(candidates), candidates)
    return _weigh(row, candidates[0], tuple(hits), len(namesakes))


def _held(reason: Reason, message: str, candidates: list[Person] | tuple[Person, ...]) -> Match:
    return Match(reasons=(reason,), message=message, candidates=tuple(candidates))


def _common(hits: dict[str, list[Person]], namesakes: list[Person] | None) -> list[Person]:
    """The people on whom all witnesses that know anybody agree."""
    groups = sorted([*hits.values(), *([] if namesakes is None else [namesakes])], key=len)
    return [p for p in groups[0] if all(any(p is q for q in group) for group in groups[1:])]


def _same_human(candidates: list[Person]) -> list[Person]:
    """One person with two entries (left and hired again): the one that is active."""
    numbers = {person.keys.get("id_no") for person in candidates}
    active = [person for person in candidates if not person.entry.has_left]
    return active if len(numbers) == 1 and None not in numbers and len(active) == 1 else candidates


def _contradiction(
    row: Identifiers, hits: dict[str, list[Person]], namesakes: list[Person]
) -> Match:
    said = "、".join(f"{LABELS[k]}是「{_name(p[0])}」的" for k, p in hits.items())
    known = "" if namesakes or not row.name else "（花名册里没有这个姓名）"
    name = f"姓名是「{name_in_words(row.name)}」{known}，" if row.name else ""
    people = {p.entry.emp_id: p for group in [*hits.values(), namesakes] for p in group}
    return _held(Reason.CONFLICT, f"{name}{said}，对不上同一个人，请核对", list(people.values()))


def _weigh(row: Identifiers, person: Person, hits: tuple[str, ...], namesakes: int) -> Match:
    """All who know anybody say ``person``. Is that enough, and does anything speak against it?"""
    against = _against(row, person, hits, shared_name=namesakes > 1)
    if against:
        return against
    if not row.name and len(hits) < 2:
        label = LABELS[hits[0]]
        return _held(Reason.NO_IDENTIFIER, f"只有{label}，没有姓名可以核对，请补上姓名", (person,))
    if person.entry.has_left:
        return _held(
            Reason.LEFT_EMPLOYEE,
            f"「{_name(person)}」在花名册里已离职，请确认是否仍要发放",
            (person,),
        )
    matched_by = (*hits, "name") if row.name else hits
    return Match(person, matched_by, _damage_notices(row, person, hits))


def _against(
    row: Identifiers, person: Person, hits: tuple[str, ...], *, shared_name: bool
) -> Match | None:
    """A witness that cannot be explained away holds the row."""
    for kind, reading in row.keys.items():
        own = person.keys.get(kind)
        if kind in hits or reading.state is State.ABSENT or own is None:
            continue
        if reading.state is State.LOST and kind == "id_no" and not own.startswith(reading.value):
            return _differs(row, person, kind)
        if reading.state is State.INVALID and kind == "id_no":
            reason, sentence = _DAMAGED[kind, reading.state]
            return _held(reason, sentence, (person,))
        if reading.state is State.GOOD and not _explained(kind, hits, shared_name=shared_name):
            return _differs(row, person, kind)
    return None


def _explained(kind: str, hits: tuple[str, ...], *, shared_name: bool) -> bool:
    """People change phones and cards, never the ID number; two of one name need every key right."""
    strong = {"id_no"} if shared_name else {"id_no", "phone", "emp_no"}
    return kind != "id_no" and not strong.isdisjoint(hits)


def _differs(row: Identifiers, person: Person, kind: str) -> Match:
    label = LABELS[kind]
    return _held(
        Reason.CONFLICT,
        f"「{name_in_words(row.name) or _name(person)}」的{label}和花名册不一致，"
        "请核对是不是同一个人，或先更新花名册",
        (person,),
    )


def _damage_notices(row: Identifiers, person: Person, hits: tuple[str, ...]) -> tuple[Notice, ...]:
    notices = []
    for kind, reading in row.keys.items():
        if kind in hits or reading.state is State.ABSENT:
            continue
        if reading.state is State.GOOD:
            if kind in person.keys:
                code = f"{kind.upper()}_DIFFERS"
                notices.append(Notice(code, f"{LABELS[kind]}和花名册不同，请更新花名册"))
        else:
            reason, sentence = _DAMAGED[kind, reading.state]
            notices.append(Notice(str(reason), sentence))
    return tuple(notices)


def _by_name_alone(row: Identifiers, namesakes: list[Person], *, sheet_has_keys: bool) -> Match:
    """No key of the row is known. A name by itself is never enough."""
    if not namesakes:
        damaged = _first_damage(row)
        if damaged and not row.name:
            return _held(*damaged, ())
        labels = "、".join(LABELS[k] for k, r in row.keys.items() if r.value)
        missing = f"「{name_in_words(row.name)}」" if row.name else f"这个{labels}"
        return _held(Reason.NOT_FOUND, f"花名册里没有{missing}，请核对后改正，或先加入花名册", ())
    if len(namesakes) > 1:
        return _held(Reason.AMBIGUOUS, _namesake_sentence(namesakes), namesakes)
    person = namesakes[0]
    damaged = _first_damage(row)
    if damaged:
        return _held(*damaged, (person,))
    unknown = [k for k, r in row.keys.items() if r.state is State.GOOD]
    for kind in unknown:
        if kind in person.keys:
            return _differs(row, person, kind)
    same_dept = bool(person.dept) and dept_key(row.dept) == person.dept
    if same_dept and not sheet_has_keys and not unknown and not person.entry.has_left:
        return Match(person, ("name", "dept"))
    return _held(
        Reason.NO_KEY,
        f"只有姓名「{name_in_words(row.name)}」能对上，没有一致的工号、手机号或证件号，"
        "请补一项，或确认就是花名册里的这个人",
        (person,),
    )


def _first_damage(row: Identifiers) -> tuple[Reason, str] | None:
    return next(
        (_DAMAGED[kind, r.state] for kind, r in row.keys.items() if (kind, r.state) in _DAMAGED),
        None,
    )


def _namesake_sentence(people: list[Person]) -> str:
    active = sum(not person.entry.has_left for person in people)
    shown = _name(people[0])
    if active > 1:
        return f"在职的{shown}有{active}人，请补手机号或工号"
    return f"{shown}有{len(people)}人（含离职{len(people) - active}人），请补手机号或工号"


def _name(person: Person) -> str:
    return name_in_words(person.entry.name)


def chosen_by_hr(row: Identifiers, person: Person, agreeing: list[str]) -> tuple[Notice, ...]:
    """What speaks against the person whom HR chose: said, not decided."""
    notices = []
    if row.name and name_key(row.name) != person.name:
        said = f"表里的姓名是「{name_in_words(row.name)}」，花名册是「{_name(person)}」"
        notices.append(Notice("NAME_DIFFERS", said))
    for kind, reading in row.keys.items():
        own = person.keys.get(kind)
        if kind not in agreeing and reading.state is not State.ABSENT and own is not None:
            lost = reading.state is State.LOST and own.startswith(reading.value)
            if not lost:
                code = f"{kind.upper()}_DIFFERS"
                notices.append(Notice(code, f"表里的{LABELS[kind]}和花名册不一致"))
    if person.entry.has_left:
        notices.append(Notice(str(Reason.LEFT_EMPLOYEE), f"「{_name(person)}」已离职"))
    return tuple(notices)
