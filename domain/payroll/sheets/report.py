"""What reading a sheet comes to: values that can be stored, shown and printed as JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from core.money import yuan

ItemKind = Literal["earning", "deduction", "total", "info"]


class Reason(StrEnum):
    """Why a row is held or a file refused. The codes are an interface: programs read them."""

    NOT_FOUND = "NOT_FOUND"
    AMBIGUOUS = "AMBIGUOUS"
    CONFLICT = "CONFLICT"
    DUPLICATE = "DUPLICATE"
    NO_IDENTIFIER = "NO_IDENTIFIER"  # no name against which a key could be checked
    NO_KEY = "NO_KEY"  # a name and nothing else
    MISSING_NET = "MISSING_NET"
    BAD_AMOUNT = "BAD_AMOUNT"
    NET_MISMATCH = "NET_MISMATCH"
    NEGATIVE_NET = "NEGATIVE_NET"
    FORMULA_UNCACHED = "FORMULA_UNCACHED"
    ID_PRECISION_LOST = "ID_PRECISION_LOST"
    ID_INVALID = "ID_INVALID"
    PHONE_INVALID = "PHONE_INVALID"
    HIDDEN_ROW = "HIDDEN_ROW"
    LEFT_EMPLOYEE = "LEFT_EMPLOYEE"
    TOTAL_MISMATCH = "TOTAL_MISMATCH"
    CARD_PRECISION_LOST = "CARD_PRECISION_LOST"
    LITERAL_TEXT = "LITERAL_TEXT"
    NOT_PAYROLL = "NOT_PAYROLL"
    CORRUPT_FILE = "CORRUPT_FILE"
    EMPTY_FILE = "EMPTY_FILE"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that stops nothing."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    message: str


class Item(NamedTuple):  # there are hundreds of thousands: a dataclass takes twice as long
    name: str
    group: str
    kind: ItemKind
    text: str
    amount_fen: int | None  # None: blank, or not money; a written 0 is 0


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    sheet: str
    row: int
    employee_id: str
    net_fen: int
    items: tuple[Item, ...]
    matched_by: tuple[str, ...]
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A row that waits for a person. ``cells`` is the row as it was read, by column label."""

    sheet: str
    row: int
    reasons: tuple[Reason, ...]
    message: str
    cells: dict[str, str]
    identifiers: dict[str, str]
    candidates: tuple[str, ...]
    layout: int  # which part of the Layout this row was read with

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **data,
                "reasons": tuple(Reason(code) for code in data["reasons"]),
                "candidates": tuple(data["candidates"]),
            }
        )


@dataclass(frozen=True, slots=True)
class SkippedRow:
    sheet: str
    row: int
    why: str  # title header section subtotal page_subtotal total signature note


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one part of a sheet. ``role`` says what the column is for us."""

    index: int
    label: str  # unique within its part
    group: str
    leaf: str
    role: str  # name phone id_no emp_no bank_card dept net item ignored
    kind: ItemKind = "info"
    total: str = ""  # "earnings" or "deductions" when the column is the sheet's own total
    loose: bool = False  # its words say neither amount nor quantity: an amount where it reads so
    hidden: bool = False

    @property
    def is_money(self) -> bool:
        return self.role == "net" or (self.role == "item" and self.kind != "info")


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """How one part of a sheet (from one header to the next different one) is read."""

    sheet: str
    header_rows: tuple[int, int]
    columns: tuple[Column, ...]
    deduction_sign: int = 1  # -1: this sheet writes deductions as negative numbers
    checks: tuple[str, ...] = ()  # the sums that this sheet keeps, see arithmetic.py
    has_keys: bool = True

    def role(self, role: str) -> Column | None:
        return next((column for column in self.columns if column.role == role), None)

    @property
    def visible_items(self) -> list[Column]:
        return [c for c in self.columns if c.role == "item" and not c.hidden]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything ``recheck`` needs to read one row again without the file."""

    parts: tuple[SheetLayout, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            tuple(
                SheetLayout(
                    **{
                        **part,
                        "header_rows": tuple(part["header_rows"]),
                        "columns": tuple(Column(**column) for column in part["columns"]),
                        "checks": tuple(part["checks"]),
                    }
                )
                for part in data["parts"]
            )
        )


@dataclass(frozen=True, slots=True)
class SheetReport:
    refused: Refusal | None = None
    sheets: list[str] = field(default_factory=list)
    period: str | None = None
    accepted: list[AcceptedRow] = field(default_factory=list)
    held: list[HeldRow] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
    columns: dict[str, dict[str, int]] = field(default_factory=dict)
    hidden_columns: list[str] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    layout: Layout = field(default_factory=Layout)


def to_json(report: SheetReport, filename: str) -> dict[str, Any]:
    """The object that ``xinqiao payroll check --json`` prints."""
    return {
        "file": filename,
        "refused": asdict(report.refused) if report.refused else None,
        "sheets": report.sheets,
        "period": report.period,
        "accepted": [_accepted_json(row) for row in report.accepted],
        "held": [
            {
                "sheet": row.sheet,
                "row": row.row,
                "reasons": [str(reason) for reason in row.reasons],
                "message": row.message,
            }
            for row in report.held
        ],
        "skipped": [asdict(row) for row in report.skipped],
        "columns": report.columns,
        "hidden_columns": report.hidden_columns,
        "warnings": _notices(report.warnings),
    }


def _accepted_json(row: AcceptedRow) -> dict[str, Any]:
    return {
        "sheet": row.sheet,
        "row": row.row,
        "employee_id": row.employee_id,
        "net": yuan(row.net_fen),
        "items": {
            item.name: item.text if item.amount_fen is None else yuan(item.amount_fen)
            for item in row.items
            if item.text  # a blank cell is left out, a written 0 is "0.00"
        },
        "matched_by": list(row.matched_by),
        "warnings": _notices(row.warnings),
    }


def _notices(notices: Iterable[Notice]) -> list[dict[str, str]]:
    return [asdict(notice) for notice in notices]
