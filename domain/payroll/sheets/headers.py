"""Finding the header of a sheet and saying what each column is for.

A header is a row with an identifier's word (姓名, 工号, …) together with the rows that belong to
it: rows below that a merged 姓名 cell reaches into, group rows above. It only
counts when some column is the net pay, or two columns are money.
"""

from collections import Counter
from dataclasses import dataclass, replace

from . import words
from .grid import Grid
from .report import Column, ItemKind, Reason, SheetLayout
from .unreadable import Unreadable

_KEY_ROLES = ("name", "phone", "id_no", "emp_no", "bank_card")
_MAX_LEVELS = 4


@dataclass(frozen=True, slots=True)
class Header:
    top: int
    bottom: int
    paths: tuple[tuple[str, ...], ...]  # per column, from the outermost group to the leaf


def key_words(row: list[str]) -> list[str]:
    return [text for text in row if words.role_of(text) in _KEY_ROLES]


def is_header_row(row: list[str]) -> bool:
    """Holds an identifier's word and is made of words."""
    return bool(key_words(row)) and _is_made_of_words(row)


def _is_made_of_words(row: list[str]) -> bool:
    filled = [text for text in row if text]
    return (
        len(filled) > 1
        and sum(words.is_header_text(text) for text in filled) * 10 >= len(filled) * 8
    )


def missing_columns(row: list[str]) -> str:
    """What keeps this row from being a payroll's header, in words; empty for a row that is far
    from one: a header needs to say whose row it is and what they get."""
    filled = [text for text in row if text]
    if not _is_made_of_words(row) or any(words.is_title(text) for text in filled):
        return ""
    roles = {words.role_of(text) for text in filled}.intersection(_KEY_ROLES)
    has_net = any(words.net_rank(text) for text in filled)
    is_pay = any(words.kind_of(text, "") in ("earning", "deduction") for text in filled)
    if not (roles or has_net) or not (is_pay or has_net):
        return ""
    missing = [] if has_net else ["“实发工资”列"]
    if not roles:
        missing.append("“姓名”列")
    if roles <= {"name"}:
        missing.append("“工号”“手机号”“身份证号”中的至少一列")
    return "，以及".join(missing)


def header_at(grid: Grid, row: int, ceiling: int) -> Header | None:
    """The header whose identifier's word stands in ``row``; it may reach up to ``ceiling``."""
    bottom = _bottom(grid, row)
    top = row
    while top > ceiling and row - top < _MAX_LEVELS and _is_group_row(grid, top - 1, top):
        top -= 1
    merges = [m for line in range(top, bottom + 1) for m in grid.merges_from(line)]
    lines = _filled(grid, top, bottom, merges)
    paths = tuple(_path([line[column] for line in lines]) for column in range(grid.width))
    header = Header(top, bottom, paths)
    return header if _is_payroll(header) else None


def _bottom(grid: Grid, row: int) -> int:
    keys = [c for c, text in enumerate(grid.rows[row]) if words.role_of(text) in _KEY_ROLES]
    reach = [m[2] for m in grid.merges_from(row) if m[1] in keys and m[2] > row]
    if reach:
        return min(max(reach), row + _MAX_LEVELS, len(grid.rows) - 1)
    bottom = row
    while bottom + 1 < len(grid.rows) and bottom - row < _MAX_LEVELS - 1:
        below = grid.rows[bottom + 1]
        filled = [text for text in below if text]
        if not filled or any(below[c] for c in keys):
            break
        if not all(words.is_header_text(t) and not words.is_title(t) for t in filled):
            break
        if not any(_is_leaf_word(text) for text in filled):
            break
        bottom += 1
    return bottom


def _is_leaf_word(text: str) -> bool:
    return bool(
        words.kind_of(text, "") or words.total_of(text, "应发") or words.net_rank(text)
        or words.role_of(text) or words.is_group(text)
    )  # fmt: skip


def _is_group_row(grid: Grid, row: int, below: int) -> bool:
    filled = [(c, text) for c, text in enumerate(grid.rows[row]) if text]
    if not filled or any(
        words.is_title(text) or not words.is_header_text(text) for _, text in filled
    ):
        return False
    if is_header_row(grid.rows[row]):
        return False
    if len(filled) == 1:
        column, text = filled[0]
        wide = next((m[3] - m[1] + 1 for m in grid.merges_from(row) if m[1] == column), 1)
        narrow = wide * 10 < grid.width * 6
        return column > 0 and narrow and words.is_group(text) and bool(grid.rows[below][column])
    return any(words.is_group(text) for _, text in filled)


def _filled(
    grid: Grid, top: int, bottom: int, merges: list[tuple[int, int, int, int]]
) -> list[list[str]]:
    lines = [list(grid.rows[row]) for row in range(top, bottom + 1)]
    sideways = False
    for first_row, first_column, last_row, last_column in merges:
        text = grid.rows[first_row][first_column]
        sideways = sideways or last_column > first_column
        for row in range(max(first_row, top), min(last_row, bottom) + 1):
            for column in range(first_column, min(last_column + 1, grid.width)):
                lines[row - top][column] = text
    if not sideways:
        _fill_groups(lines)
    return lines


def _fill_groups(lines: list[list[str]]) -> None:
    """Without merged cells (CSV) a group reaches right until the next word in its row."""
    for upper, line in enumerate(lines[:-1]):
        below = lines[upper + 1]
        group = ""
        for column, text in enumerate(line):
            if text:
                group = text if below[column] else ""
            elif below[column] and group:
                line[column] = group


def _path(texts: list[str]) -> tuple[str, ...]:
    path: list[str] = []
    for text in texts:
        word = "".join(text.split())
        if word and (not path or path[-1] != word):
            path.append(word)
    return tuple(path)


def _is_payroll(header: Header) -> bool:
    money = 0
    for path in header.paths:
        if not path:
            continue
        leaf, group = path[-1], "/".join(path[:-1])
        if words.net_rank(leaf, group) or words.total_of(leaf, group):
            return True
        money += words.kind_of(leaf, group) in ("earning", "deduction")
    return money >= 2


def layout_of(grid: Grid, header: Header) -> SheetLayout:
    columns = [_column(index, path) for index, path in enumerate(header.paths)]
    _refuse_two_in_a_row(grid.name, columns)
    columns = [replace(c, hidden=c.index in grid.hidden_columns) for c in columns]
    columns = _one_of_each(columns)
    columns = _one_net(columns)
    columns = _kinds_by_place(columns)
    return SheetLayout(
        sheet=grid.name,
        header_rows=(header.top, header.bottom),
        columns=tuple(_unique_labels(columns, header)),
    )


def _refuse_two_in_a_row(sheet: str, columns: list[Column]) -> None:
    """Printed side by side to save paper: the right half would be lost."""
    names = [c for c in columns if c.role == "name" and words.is_exact_role(c.leaf)]
    nets = [c for c in columns if c.role == "item" and words.net_rank(c.leaf, c.group)]
    if len(names) > 1 and len(nets) > 1:
        raise Unreadable(
            Reason.NOT_PAYROLL,
            f"工作表“{sheet}”把两个人并排写在一行里，请改成一行一个人后再上传",
        )


def _column(index: int, path: tuple[str, ...]) -> Column:
    if not path:
        return Column(index, "", "", "", "unlabeled")
    leaf, group = path[-1], "/".join(path[:-1])
    role = words.role_of(leaf) or "item"
    if role != "item":
        return Column(index, leaf, group, leaf, role)
    total = words.total_of(leaf, group)
    kind = "total" if total else words.kind_of(leaf, group)
    loose = kind is None or (kind == "info" and not words.is_quantity(leaf))
    return Column(index, leaf, group, leaf, role, kind or "info", total, loose)


def _one_of_each(columns: list[Column]) -> list[Column]:
    """Of two columns for one identifier the first visible one counts; weak words fill gaps."""
    seen: set[str] = set()
    result = list(columns)
    for column in sorted(columns, key=_surest_first):
        if column.role in _KEY_ROLES or column.role == "dept":
            if column.role in seen:
                result[column.index] = replace(column, role="ignored")
            seen.add(column.role)
    for role, is_weak in (("emp_no", words.is_weak_emp_no), ("name", words.is_weak_name)):
        weak = [c for c in result if c.leaf and is_weak(c.leaf) and c.role in ("item", "ignored")]
        if role not in seen and weak:
            result[weak[0].index] = replace(weak[0], role=role, loose=False)
    return result


def _surest_first(column: Column) -> tuple[bool, bool, int]:
    return column.hidden, not words.is_exact_role(column.leaf), column.index


def _one_net(columns: list[Column]) -> list[Column]:
    """The surest word wins; equally sure ones stay ``net`` and are compared row by row."""
    ranks = {
        c.index: words.net_rank(c.leaf, c.group)
        for c in columns
        if c.role == "item" and not c.hidden
    }
    best = max(ranks.values(), default=0)
    if not best:
        return columns
    return [
        replace(c, role="net", kind="total", total="", loose=False)
        if ranks.get(c.index) == best
        else c
        for c in columns
    ]


def _kinds_by_place(columns: list[Column]) -> list[Column]:
    """Left of the earnings total stand earnings; between it and the net pay, deductions."""
    gross = next((c.index for c in columns if c.total == "earnings"), None)
    if gross is None:
        return columns
    end = next(
        (c.index for c in columns if c.total == "deductions" or c.role == "net"), len(columns)
    )
    first = next((c.index for c in columns if c.kind == "earning"), gross)
    return [
        _at_place(column, "earning") if first < column.index < gross
        else _at_place(column, "deduction") if gross < column.index < end
        else column
        for column in columns
    ]  # fmt: skip


def _at_place(column: Column, kind: ItemKind) -> Column:
    wordless = column.loose and words.kind_of(column.leaf, column.group) is None
    return replace(column, kind=kind, loose=False) if wordless else column


def _unique_labels(columns: list[Column], header: Header) -> list[Column]:
    leaves = Counter(c.label for c in columns if c.label)
    taken: Counter[str] = Counter()
    result = []
    for column in columns:
        label = column.label
        if leaves[label] > 1 and len(header.paths[column.index]) > 1:
            label = "/".join(header.paths[column.index][-2:])
        taken[label] += 1
        if label and taken[label] > 1:
            label = f"{label}({taken[label]})"
        result.append(replace(column, label=label))
    return result
