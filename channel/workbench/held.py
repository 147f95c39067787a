"""Held rows as HR sees them: what stood in the sheet, why nobody gets it, what may be done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.money import yuan_grouped
from core.security import mask_card, mask_id_no, mask_phone
from domain.payroll.queries import HeldView, LeftOutView
from domain.payroll.sheets import Column, Reason
from domain.payroll.sheets.amounts import read_amount

REASONS: dict[Reason, str] = {
    Reason.NOT_FOUND: "查无此人",
    Reason.AMBIGUOUS: "重名",
    Reason.CONFLICT: "信息矛盾",
    Reason.DUPLICATE: "重复",
    Reason.NO_IDENTIFIER: "没有姓名",
    Reason.NO_KEY: "只有姓名",
    Reason.MISSING_NET: "缺实发",
    Reason.BAD_AMOUNT: "金额有误",
    Reason.NET_MISMATCH: "实发对不上",
    Reason.NEGATIVE_NET: "实发为负",
    Reason.FORMULA_UNCACHED: "公式没有结果",
    Reason.ID_PRECISION_LOST: "证件号丢位",
    Reason.ID_INVALID: "证件号有误",
    Reason.PHONE_INVALID: "手机号有误",
    Reason.HIDDEN_ROW: "隐藏的行",
    Reason.LEFT_EMPLOYEE: "已离职",
    Reason.TOTAL_MISMATCH: "合计对不上",
    Reason.CARD_PRECISION_LOST: "卡号丢位",
    Reason.LITERAL_TEXT: "公式或代码",
    Reason.NOT_PAYROLL: "不是工资表",
    Reason.CORRUPT_FILE: "文件损坏",
    Reason.EMPTY_FILE: "文件是空的",
}
IDENTIFIERS = {
    "name": "姓名",
    "phone": "手机号",
    "id_no": "证件号",
    "emp_no": "工号",
    "bank_card": "银行卡号",
}
MASKS = {"phone": mask_phone, "id_no": mask_id_no, "bank_card": mask_card}


@dataclass(frozen=True, slots=True)
class Candidate:
    emp_id: str
    name: str


@dataclass(frozen=True, slots=True)
class HeldCard:
    """``read`` is a look at the row, masked; ``cells`` is all of it, to be corrected."""

    id: int
    sheet: str
    row: int
    message: str
    reasons: tuple[str, ...]
    read: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, str], ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class LeftOutLine:
    """One line of the table of rows that nobody gets; ``read`` is masked."""

    id: int
    sheet: str
    row: int
    read: str
    reasons: tuple[str, ...]
    decided_by: str
    decided_at: datetime


def lines_of(left_out: Sequence[LeftOutView]) -> list[LeftOutLine]:
    return [
        LeftOutLine(
            id=view.held.id,
            sheet=view.held.content.sheet,
            row=view.held.content.row,
            read="，".join(f"{label} {text}" for label, text in _short(view.held)),
            reasons=tuple(REASONS[reason] for reason in view.held.content.reasons),
            decided_by=view.decided_by,
            decided_at=view.decided_at,
        )
        for view in left_out
    ]


def _short(view: HeldView) -> Iterator[tuple[str, str]]:
    """Who, where, and how much in the end."""
    yield from _who(view)
    columns = [column for column in view.summary if column.role in ("dept", "net")]
    yield from _summary(columns, view.content.cells)


def cards_of(held: Sequence[HeldView], names: Mapping[str, str]) -> list[HeldCard]:
    return [_card(view, names) for view in held]


def _card(view: HeldView, names: Mapping[str, str]) -> HeldCard:
    content = view.content
    return HeldCard(
        id=view.id,
        sheet=content.sheet,
        row=content.row,
        message=content.message,
        reasons=tuple(REASONS[reason] for reason in content.reasons),
        read=_read(view),
        cells=tuple(content.cells.items()),
        candidates=tuple(
            Candidate(emp_id, names[emp_id]) for emp_id in content.candidates if emp_id in names
        ),
    )


def _read(view: HeldView) -> tuple[tuple[str, str], ...]:
    """Who it seems to be, where they work, and every amount that makes up what they get."""
    return (*_who(view), *_summary(view.summary, view.content.cells))


def _who(view: HeldView) -> Iterator[tuple[str, str]]:
    identifiers = view.content.identifiers
    for kind, label in IDENTIFIERS.items():
        if kind in identifiers:
            yield label, MASKS.get(kind, str)(identifiers[kind])


def _summary(columns: Sequence[Column], cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Blank and zero amounts would only hide the others; that the net is missing matters."""
    for column in columns:
        text = cells.get(column.label)
        if text is None:  # hidden from employees, and so not HR's to correct
            continue
        amount = read_amount(text) if column.is_money else text
        if isinstance(amount, int):
            text = yuan_grouped(amount)
        if amount or column.role != "item":
            yield column.label, text or "没有填"
