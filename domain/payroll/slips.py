"""What stands on one payslip, packed for sealing and laid out for reading."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.money import Fen
from domain.payroll.sheets.report import AcceptedRow, Item, ItemKind, Notice

# Headings for lines that the sheet itself put under no heading.
_HEADINGS: dict[str, str] = {
    "earning": "应发",
    "deduction": "扣款",
    "total": "合计",
    "info": "出勤及其他",
}


@dataclass(frozen=True, slots=True)
class SlipLine:
    """``place`` numbers the lines of a slip from 0 and is what a question points at."""

    place: int
    name: str
    text: str
    amount_fen: Fen | None
    is_zero: bool


@dataclass(frozen=True, slots=True)
class SlipGroup:
    title: str
    kind: ItemKind
    lines: tuple[SlipLine, ...]


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
        """The lines under their headings, in the order of the sheet."""
        lines = [
            (item.group or _HEADINGS[item.kind], item.kind, _line(place, item))
            for place, item in enumerate(self.items)
        ]
        return tuple(
            SlipGroup(title, next(iter(group))[1], tuple(line for _, _, line in group))
            for title, group in ((t, list(g)) for t, g in groupby(lines, key=lambda x: x[0]))
        )


def _line(place: int, item: Item) -> SlipLine:
    amount = None if item.amount_fen is None else Fen(item.amount_fen)
    return SlipLine(place, item.name, item.text, amount, is_zero=not amount and not _says(item))


def _says(item: Item) -> bool:
    """Whether a line without an amount still tells something, e.g. ``22 天``."""
    return item.amount_fen is None and bool(item.text.strip(" -—–0."))


def pack(row: AcceptedRow) -> str:
    """One compact JSON text a slip: 10,000 of them are sealed in one go."""
    return json.dumps(
        [
            row.net_fen,
            [(i.name, i.group, i.kind, i.text, i.amount_fen) for i in row.items],
            row.sheet,
            row.row,
            row.matched_by,
            [(notice.code, notice.message) for notice in row.warnings],
        ],
        ensure_ascii=False,
        separators=(",", ":"),
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
