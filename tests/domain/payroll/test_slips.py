from dataclasses import replace

from core.money import Fen
from domain.payroll import slips
from domain.payroll.sheets import AcceptedRow, Item, Notice

ROW = AcceptedRow(
    "工资表",
    4,
    "E-1",
    612050,
    (
        Item("基本工资", "应发项目", "earning", "6000.00", 600000),
        Item("奖金", "应发项目", "earning", "0", 0),
        Item("补贴", "", "earning", "", None),
        Item("出勤", "", "info", "22 天", None),
        Item("社保", "扣款项目", "deduction", "100.00", 10000),
    ),
    ("phone", "name"),
    (Notice("PHONE_CHANGED", "手机号与花名册不同"),),
)


def test_a_packed_slip_comes_back_whole():
    content = slips.unpack(slips.pack(ROW))

    assert (content.net_fen, content.items) == (612050, ROW.items)
    assert slips.unpack_net(slips.pack(ROW)) == content.net_fen
    assert (content.sheet, content.row) == ("工资表", 4)
    assert (content.matched_by, content.warnings) == (ROW.matched_by, ROW.warnings)


def test_lines_stand_under_the_sheets_headings_or_under_ours():
    groups = slips.unpack(slips.pack(ROW)).groups

    assert [group.title for group in groups] == ["应发项目", "应发", "出勤及其他", "扣款项目"]
    assert [line.place for group in groups for line in group.lines] == [0, 1, 2, 3, 4]


def test_totals_alone_close_what_stands_above_and_lose_its_heading():
    row = replace(
        ROW,
        items=(
            ROW.items[0],
            Item("应发项目/小计", "应发项目", "total", "1", 100),
            Item("应发合计", "", "total", "1", 100),
        ),
    )

    [group] = slips.unpack(slips.pack(row)).groups

    assert [line.label for line in group.lines] == ["基本工资", "小计", "应发合计"]
    assert [line.is_total for line in group.lines] == [False, True, True]


def test_a_blank_that_is_no_amount_is_left_out_and_counts_for_nothing():
    blanks = (Item("备注", "", "info", "", None), Item("工龄", "", "info", " — ", None))
    content = slips.unpack(slips.pack(replace(ROW, items=(*ROW.items, *blanks))))

    assert [line.place for group in content.groups for line in group.lines] == [0, 1, 2, 3, 4]
    assert content.zero_count == 2


def test_a_written_zero_and_a_blank_are_zero_lines_but_words_are_not():
    lines = [line for group in slips.unpack(slips.pack(ROW)).groups for line in group.lines]

    assert [line.is_zero for line in lines] == [False, True, True, False, False]


def test_a_group_of_nothing_but_zeros_is_zero():
    groups = slips.unpack(slips.pack(ROW)).groups

    assert [group.is_zero for group in groups] == [False, True, False, False]


def test_the_hash_says_whether_anything_on_any_slip_changed():
    packed = slips.pack(ROW)
    other = packed.replace("600000", "600001")

    assert slips.content_hash([(1, packed), (2, other)]) == slips.content_hash(
        [(2, other), (1, packed)]
    )
    assert slips.content_hash([(1, packed)]) != slips.content_hash([(1, other)])
    assert slips.content_hash([(1, packed)]) != slips.content_hash([(2, packed)])


def test_a_question_points_at_a_line_or_at_the_whole_slip():
    content = slips.unpack(slips.pack(ROW))

    assert slips.find_line(content, 4) == "社保"
    assert slips.find_line(content, None) == ""
    assert slips.find_line(content, 99) == ""
    assert slips.find_line(content, -1) == ""
    assert content.net_fen == Fen(612050)
