"""A line and its match become an accepted row, or a held one with every reason."""

from core.money import yuan_grouped

from .amounts import UNCACHED, Problem, is_error, is_literal
from .arithmetic import broken_sums
from .lines import IDENTITY_ROLES, Amounts, Line, Part
from .matching import Identifiers, Match
from .report import AcceptedRow, Column, HeldRow, Item, Notice, Reason, SheetLayout
from .roster import Person

NET_LABEL = "实发工资"  # what HR's correction is called when the sheet has no such column


def judge(
    line: Line, row: Identifiers, found: Match, part: Part, places: list[str]
) -> AcceptedRow | HeldRow:
    problems = [(reason, found.message) for reason in found.reasons]
    if found.reasons and _has_broken_identity(line.texts, part):
        problems.append((Reason.FORMULA_UNCACHED, "姓名、工号等列的公式没有计算结果，请改成文本"))
    if len(places) > 1:
        problems.append(
            (Reason.DUPLICATE, f"{'、'.join(places)}是同一个人，请保留一行或合并后再上传")
        )
    if line.hidden:
        problems.append((Reason.HIDDEN_ROW, "这一行在表里是隐藏的，请确认是否要发放"))
    problems.extend(_money_problems(line.amounts, part))
    if problems or found.person is None:
        return held_row(line, row, found, part, problems)
    return _accepted_row(line, found.person, found.matched_by, found.warnings, part)


def _has_broken_identity(texts: list[str], part: Part) -> bool:
    return any(texts[c] == UNCACHED or is_error(texts[c]) for _, c in part.identity)


def _money_problems(amounts: Amounts, part: Part) -> list[tuple[Reason, str]]:
    columns = part.layout.columns
    problems = [
        (value.reason, f"“{columns[index].label}”{value.sentence}")
        for index in part.places.money
        if isinstance(value := amounts[index], Problem) and not columns[index].hidden
    ]
    values = {amounts[index] for index in part.nets}
    if values <= {None}:
        problems.append((Reason.MISSING_NET, "没有实发工资，请填写；不发就选“这一行不发”"))
    elif len(values) > 1:
        problems.append((Reason.NET_MISMATCH, "表里有几列实发，数目不同，请只留一列"))
    net = amounts[part.nets[0]] if part.nets else None
    if isinstance(net, int) and net < 0:
        problems.append((Reason.NEGATIVE_NET, f"实发是负数 {yuan_grouped(net)}，请核对"))
    if not problems:
        broken = broken_sums(part.layout, part.sides, amounts)
        problems.extend((Reason.NET_MISMATCH, sentence) for sentence in broken)
    return problems


def held_row(
    line: Line, row: Identifiers, found: Match, part: Part, problems: list[tuple[Reason, str]]
) -> HeldRow:
    people = (found.person,) if found.person else found.candidates
    identifiers = {"name": row.name} if row.name else {}
    identifiers.update({kind: r.text for kind, r in row.keys.items() if r.text})
    return HeldRow(
        sheet=part.layout.sheet,
        row=line.row + 1,
        reasons=tuple(dict.fromkeys(reason for reason, _ in problems)),
        message="；".join(dict.fromkeys(sentence for _, sentence in problems)),
        cells=_cells(line.texts, part.layout),
        identifiers=identifiers,
        candidates=tuple(person.entry.emp_id for person in people),
        layout=line.part,
    )


def _cells(texts: list[str], layout: SheetLayout) -> dict[str, str]:
    """All that HR may correct: what employees see, and identifiers even from hidden columns."""
    cells = {
        c.label: texts[c.index]
        for c in layout.columns
        if c.label and c.role != "ignored" and (not c.hidden or c.role in IDENTITY_ROLES)
    }
    if layout.role("net") is None:
        cells[NET_LABEL] = ""
    return cells


def _accepted_row(
    line: Line,
    person: Person,
    matched_by: tuple[str, ...],
    warnings: tuple[Notice, ...],
    part: Part,
) -> AcceptedRow:
    net_fen = line.amounts[part.nets[0]]
    if not isinstance(net_fen, int):  # pragma: no cover - _money_problems held the row
        raise TypeError("an accepted row has a net pay")
    notices = list(warnings)
    items = []
    for column in part.items:
        text, amount = line.texts[column.index], line.amounts[column.index]
        if column.kind == "info" and text:
            text = _shown(column, text, notices)
        # A Problem cannot be here: it would have held the row.
        items.append(Item(column.label, column.group, column.kind, text, amount))  # type: ignore[arg-type]
    return AcceptedRow(
        part.layout.sheet,
        line.row + 1,
        person.entry.emp_id,
        net_fen,
        tuple(items),
        matched_by,
        tuple(notices),
    )


def _shown(column: Column, text: str, notices: list[Notice]) -> str:
    """What the employee sees of a cell that is not money."""
    if text == UNCACHED or is_error(text):
        notices.append(Notice(str(Reason.FORMULA_UNCACHED), f"“{column.label}”的公式没有结果"))
        return ""
    if is_literal(text):
        sentence = f"“{column.label}”里的公式或网页代码按文字显示"
        notices.append(Notice(str(Reason.LITERAL_TEXT), sentence))
    return text
