"""What stands on one payslip, packed for sealing and laid out for reading."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.money import Fen
from domain.payroll.sheets.report import AcceptedRow, Item, Notice

# Headings for lines that the sheet itself put under no heading.
_HEADINGS: dict[str, str] = {
    "earning": "应发",
    "deduction": "扣款",
    "total": "合计",
    "info": "出勤及其他",
}

_BLANKS = " -—–"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class SlipLine:
    """``place`` numbers the lines of a slip from 0 and is what a question points at. ``label`` is
    the name without the heading that the line stands under: 小计, not 应发/小计."""

    place: int
    name: str
    label: str
    text: str
    amount_fen: Fen | None
    is_zero: bool
    is_total: bool


@dataclass(frozen=True, slots=True)
class SlipGroup:
    title: str
    lines: tuple[SlipLine, ...]

    @property
    def is_zero(self) -> bool:
        return all(line.is_zero for line in self.lines)


@dataclass(frozen=True, slots=True)
class SlipContent:
    net_fen: Fen
    items: tuple[Item, ...]
    sheet: str
    row: int
    matched_by: tuple[str, ...]
    warnings: tuple[Notice, ...]

    @property
    def groups(self) -> tuple[SlipGroup, ...]:
        """The lines under their headings, in the order of the sheet. Totals alone belong to what
        stands above them; a blank that is no amount says nothing and is left out."""
        lines = [
            _line(place, item, item.group or _HEADINGS[item.kind])
            for place, item in enumerate(self.items)
            if item.kind != "info" or item.amount_fen is not None or item.text.strip(_BLANKS)
        ]
        groups: list[SlipGroup] = []
        for title, under in groupby(lines, key=lambda one: one[0]):
            group = SlipGroup(title, tuple(line for _, line in under))
            if groups and all(line.is_total for line in group.lines):
                group = SlipGroup(groups[-1].title, groups.pop().lines + group.lines)
            groups.append(group)
        return tuple(groups)

    @property
    def zero_count(self) -> int:
        return sum(line.is_zero for group in self.groups for line in group.lines)


def _line(place: int, item: Item, heading: str) -> tuple[str, SlipLine]:
    amount = None if item.amount_fen is None else Fen(item.amount_fen)
    return heading, SlipLine(
        place=place,
        name=item.name,
        label=item.name.removeprefix(f"{heading}/"),
        text=item.text,
        amount_fen=amount,
        is_zero=not amount and not _says(item),
        is_total=item.kind == "total",
    )


def _says(item: Item) -> bool:
    """Whether a line without an amount still tells something, e.g. ``22 天``."""
    return item.amount_fen is None and bool(item.text.strip(f"{_BLANKS}0."))


def pack(row: AcceptedRow) -> str:
    """One compact JSON text a slip: 10,000 of them are sealed in one go."""
    return _encode(
        [
            row.net_fen,
            [(i.name, i.group, i.kind, i.text, i.amount_fen) for i in row.items],
            row.sheet,
            row.row,
            row.matched_by,
            [(notice.code, notice.message) for notice in row.warnings],
        ]
    )


def unpack(text: str) -> SlipContent:
    net_fen, items, sheet, row, matched_by, warnings = json.loads(text)
    return SlipContent(
        net_fen=Fen(net_fen),
        items=tuple(Item(*item) for item in items),
        sheet=sheet,
        row=row,
        matched_by=tuple(matched_by),
        warnings=tuple(Notice(*notice) for notice in warnings),
    )


def unpack_net(text: str) -> Fen:
    """Only what stands first: a year's list needs no items."""
    return Fen(int(text[1 : text.index(",")]))


def content_hash(slips: Iterable[tuple[int, str]]) -> str:
    """SHA-256 over employee ids and packed slips, in the order of the ids: what was published."""
    digest = hashlib.sha256()
    for employee_id, packed in sorted(slips):
        digest.update(f"{employee_id}:{len(packed)}:{packed}\n".encode())
    return digest.hexdigest()


def find_line(content: SlipContent, place: int | None) -> str:
    """The name of the line that a question points at; empty for the whole slip."""
    names: Sequence[str] = [item.name for item in content.items]
    return names[place] if place is not None and 0 <= place < len(names) else ""
