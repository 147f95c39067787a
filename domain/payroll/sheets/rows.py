"""What kind of row is this? Only rows about one person go on; the others are named and skipped."""

import re
from dataclasses import dataclass

from .grid import Grid
from .report import SheetLayout
from .roster import Roster

_TOTAL = re.compile(
    r".{0,14}?(小计|合计|总计|共计|累计|总和)(\(?大写\)?.*|[:：].*|\(.*\)|人数.*|金额.*|共.*)?"
    r"|(合计|总计|共计)人民币.*"
)
_SIGNATURE = re.compile(
    r"制表|填表|审核|审批|负责人|批准|经办|复核|出纳|会计|主管|校长|厂长|经理|领导|签字|签名|签章|盖章|打印|编制"
)
_NUMBERING = re.compile(r"\(?\d{1,3}\)?([=＝].*)?|[甲乙丙丁戊]|栏次|[A-Z]([=＝].*)?")
_NOTE = re.compile(r"^[*※]|备注|说明|注[:：]|附[:：]|大写|以上|人民币|声明")


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look in the rows of one layout; worked out once."""

    name: int | None
    keys: tuple[int, ...]
    dept: int | None
    money: tuple[int, ...]
    labels: tuple[int, ...]  # columns that hold words, where 合计 may stand

    @classmethod
    def of(cls, layout: SheetLayout) -> "Places":
        def at(role: str) -> int | None:
            column = layout.role(role)
            return column.index if column else None

        keys = tuple(
            c.index for c in layout.columns if c.role in ("phone", "id_no", "emp_no", "bank_card")
        )
        money = tuple(c.index for c in layout.columns if c.is_money)
        end = min(money, default=len(layout.columns))  # remarks behind the money may say anything
        labels = tuple(range(end))
        return cls(at("name"), keys, at("dept"), money, labels)


def kind_of_row(row: list[str], places: Places, roster: Roster) -> str:
    """``data``, ``blank``, or why the row is skipped."""
    name = row[places.name] if places.name is not None else ""
    if name and roster.named(name):
        return "signature" if _is_signed(row, places) else "data"
    filled = [column for column, text in enumerate(row) if text]
    if not filled:
        return "blank"
    if _NUMBERING.fullmatch(name) and all(_NUMBERING.fullmatch(row[c]) for c in filled):
        return "header"  # 栏次: official forms number their columns
    label = _total_label(row, places)
    if label:
        return label
    if _has_key(row, places):
        return "data"
    # Words in these columns may be a signature line running across; amounts have digits.
    money = [row[column] for column in places.money if any(map(str.isdigit, row[column]))]
    if money:
        return "data" if name or any(text.strip("0.-") for text in money) else "blank"
    return _kind_of_words(row, filled, name)


def _is_signed(row: list[str], places: Places) -> bool:
    """``制表：`` beside the name of a colleague, and nothing that is a payment."""
    if any(any(map(str.isdigit, row[column])) for column in (*places.money, *places.keys)):
        return False
    return any(_SIGNATURE.search(text) for text in row)


def _has_key(row: list[str], places: Places) -> bool:
    """Signature lines have words in these columns too, keys have digits."""
    return any(any(char.isdigit() for char in row[column]) for column in places.keys)


def _total_label(row: list[str], places: Places) -> str:
    for column in places.labels:
        text = row[column]
        if not text or len(text) > 40:
            continue
        word = re.sub(r"\s+", "", text)
        if _TOTAL.fullmatch(word):
            if "页" in word:
                return "page_subtotal"
            return "subtotal" if "小计" in word else "total"
        if column == places.name:
            return ""
    return ""


def _kind_of_words(row: list[str], filled: list[int], name: str) -> str:
    texts = [row[column] for column in filled]
    joined = "".join("".join(texts).split())
    if _SIGNATURE.search(joined):
        return "signature"
    if _NOTE.search(joined) or max(map(len, texts)) > 20:
        return "note"
    return "data" if name else "section"


def merged_texts(grid: Grid, layout: SheetLayout) -> dict[tuple[int, int], str]:
    """Words that a vertically merged cell lends to the rows below: departments, mostly.

    Amounts are never lent: one amount merged over two people is not each one's amount.
    """
    wordy = {
        c.index for c in layout.columns if c.role in ("dept", "name", "phone", "id_no", "emp_no")
    }
    lent = {}
    reached: dict[int, int] = {}  # by column; hostile files merge the same cells again and again
    for first_row, first_column, last_row, _ in sorted(grid.merges):
        if last_row > first_row > layout.header_rows[1] and first_column in wordy:
            text = grid.rows[first_row][first_column]
            end = min(last_row + 1, len(grid.rows))
            for row in range(max(first_row + 1, reached.get(first_column, 0)), end):
                lent[row, first_column] = text
            reached[first_column] = max(end, reached.get(first_column, 0))
    return lent


def is_section(grid: Grid, row: int, places: Places) -> bool:
    """A title merged across the name column is not a name."""
    return any(
        m[3] > m[1] and places.name is not None and m[1] <= places.name <= m[3]
        for m in grid.merges_from(row)
    )
