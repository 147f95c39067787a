"""Files that are no payroll sheet: a code, a sentence, never an exception."""

import io
import resource
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.payroll.sheets import check_sheet
from domain.payroll.sheets import unreadable as limits

from .files import FIRST_SHEET, csv_bytes, edited, html, xls, xlsx
from .people import ROSTER, accepted, check, phone

HEADER = ["姓名", "手机号", "实发工资"]
GOOD = xlsx([HEADER, ["张伟", phone(1), 5]])
GOOD_XLS = xls([HEADER, ["张伟", phone(1), 5]])


def zipped(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


def ole(*streams: str) -> bytes:
    """A compound file with these (empty) streams."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HH", header, 28, 0xFFFE, 9)
    struct.pack_into("<I", header, 48, 1)
    struct.pack_into("<II", header, 68, 0xFFFFFFFE, 0)
    struct.pack_into("<109I", header, 76, 0, *[0xFFFFFFFF] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *[0xFFFFFFFF] * 126)
    directory = b""
    for name in streams:
        raw = (name + "\0").encode("utf-16-le")
        directory += raw.ljust(64, b"\0") + struct.pack("<H", len(raw)) + bytes(62)
    return bytes(header) + fat + directory.ljust(512, b"\0")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "EMPTY_FILE", "空的"),
        (b"  \r\n\r\n", "EMPTY_FILE", "空的"),
        (b"\xef\xbb\xbf", "EMPTY_FILE", "空的"),
        (b"%PDF-1.7 ...", "NOT_PAYROLL", "PDF"),
        (b"\x89PNG\r\n\x1a\n....", "NOT_PAYROLL", "图片"),
        (b"\xff\xd8\xff\xe0....", "NOT_PAYROLL", "图片"),
        (b"Rar!\x1a\x07....", "NOT_PAYROLL", "压缩包"),
        (b"{\\rtf1 ...}", "NOT_PAYROLL", "Word"),
        (bytes(range(256)) * 4, "NOT_PAYROLL", "格式"),
        (b"<note>not html</note>", "NOT_PAYROLL", "格式"),
        (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
         "NOT_PAYROLL", "另存为"),
        (zipped(word__document_xml=b"<w/>"), "NOT_PAYROLL", "Word"),
        (zipped(xl__workbook_bin=b"x"), "NOT_PAYROLL", "另存为"),
        (zipped(photo_jpg=b"x"), "NOT_PAYROLL", "压缩包"),
        (ole("EncryptedPackage", "EncryptionInfo"), "CORRUPT_FILE", "密码"),
        (ole("WordDocument"), "NOT_PAYROLL", "Word"),
        (GOOD[: len(GOOD) // 2], "CORRUPT_FILE", "损坏"),
        (GOOD_XLS[:700], "CORRUPT_FILE", "损坏"),
        (xlsx([]), "NOT_PAYROLL", "没有内容"),
        (xlsx([["姓名", "手机号"], ["张伟", phone(1)]]), "NOT_PAYROLL", "没有找到工资表"),
        (csv_bytes([["随便"], ["一些", "文字"]]), "NOT_PAYROLL", "没有找到工资表"),
        (html([["购物清单", "数量"]]), "NOT_PAYROLL", "没有找到工资表"),
        (csv_bytes([HEADER]) + b'"' + b"x" * 40_000, "CORRUPT_FILE", "引号"),
        (csv_bytes([HEADER]) + b'"' + b"x" * 200_000, "CORRUPT_FILE", "引号"),
        (b"<table>" + b"<td>x" * 500, "NOT_PAYROLL", "列"),
        (csv_bytes([HEADER * 2, ["张伟", phone(1), 5] * 2]), "NOT_PAYROLL", "并排"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_a_sentence(content, code, words):
    report = check(content, "三月.xlsx")

    assert report.refused is not None
    assert (report.refused.code, words in report.refused.message) == (code, True)
    assert (report.accepted, report.held) == ([], [])


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (["姓名", "手机号", "基本工资"], "“实发工资”列"),
        (["工号", "社保"], "“实发工资”列"),
        (["姓名", "基本工资"], "“实发工资”列，以及“工号”“手机号”“身份证号”中的至少一列"),
        (["部门", "基本工资", "实发工资"],
         "“姓名”列，以及“工号”“手机号”“身份证号”中的至少一列"),
    ],
)  # fmt: skip
def test_a_header_that_lacks_a_column_is_told_which_and_where(header, missing):
    rows = [["说明"], ["三月工资表"], header, ["甲", "乙", 5000]]

    report = check(xlsx(rows, name="三月"))

    assert report.refused is not None
    assert report.refused.code == "NOT_PAYROLL"
    assert f"工作表“三月”第3行找到了表头，但缺少{missing}。请" in report.refused.message


@pytest.mark.parametrize(
    "row",
    [["姓名", "手机号", "部门"], ["基本工资", "奖金"], ["联系电话：0791", "三月工资表"], ["姓名"]],
)
def test_what_is_far_from_a_payrolls_header_is_not_called_one(row):
    report = check(xlsx([row, ["张伟", phone(1), "教务处"]]))

    assert report.refused is not None
    assert "没有找到工资表" in report.refused.message


def test_a_payroll_without_a_net_column_says_why_every_row_is_held():
    report = check(xlsx([["姓名", "手机号", "基本工资", "奖金"], ["张伟", phone(1), 5, 6]]))

    [notice] = report.warnings
    assert (notice.code, len(report.held)) == ("NET_COLUMN_MISSING", 1)
    assert "第1行的表头里没有“实发工资”列" in notice.message


@pytest.mark.parametrize("claimed", [1, 7])
def test_a_long_list_of_sectors_is_followed_to_its_end(claimed):
    content = bytearray(ole("EncryptedPackage"))
    struct.pack_into("<II", content, 68, 2, claimed)
    struct.pack_into("<I", content, 76, 0xFFFFFFFF)
    content += struct.pack("<128I", 0, *[0xFFFFFFFF] * 126, 0xFFFFFFFE)

    report = check(bytes(content))

    assert report.refused is not None
    assert "密码" in report.refused.message


def test_a_compound_file_with_impossible_sectors_is_refused():
    content = bytearray(ole("Workbook"))
    struct.pack_into("<H", content, 30, 7)

    report = check(bytes(content))

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


def test_a_chain_of_sectors_without_an_end_is_refused():
    content = bytearray(ole("Workbook"))
    struct.pack_into("<I", content, 512 + 4, 1)

    report = check(bytes(content))

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


def test_an_old_xls_without_an_end_is_refused():
    end = GOOD_XLS.rindex(b"\x0a\x00\x00\x00")

    report = check(GOOD_XLS[:end] + b"\xff\x0f\x00\x00" + GOOD_XLS[end + 4 :])

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


DIMENSIONS, RK = b"\x00\x02\x0e\x00", b"\x7e\x02\x0a\x00"


def with_record(record: bytes, at: int, value: bytes) -> bytes:
    """The good .xls with ``value`` at ``at`` in the first record that begins so."""
    place = GOOD_XLS.index(record) + 4 + at
    return GOOD_XLS[:place] + value + GOOD_XLS[place + len(value) :]


def with_ring(table_at: int) -> bytes:
    """The good .xls in whose sector table a chain leads back to itself."""
    sector = struct.unpack_from("<I", GOOD_XLS, table_at)[0]
    start = (sector + 1) * 512
    return GOOD_XLS[:start] + bytes(4) + GOOD_XLS[start + 4 :]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (with_record(DIMENSIONS, 4, b"\xff\xff\xff\x7f"), "NOT_PAYROLL"),
        (with_record(DIMENSIONS, 0, b"\xff\x00\x00\x00"), "CORRUPT_FILE"),
        (with_record(RK, 0, b"\xff\xff\xff\xff"), "NOT_PAYROLL"),
        (GOOD_XLS[:68] + b"\xf0\xff\xff\xff\xf0\xff\xff\xff" + GOOD_XLS[76:], "CORRUPT_FILE"),
        (with_ring(76), "CORRUPT_FILE"),
        (GOOD_XLS[:76] + GOOD_XLS[76:80] * 109 + GOOD_XLS[512:], "CORRUPT_FILE"),
    ],
    ids=["tall", "backwards", "far cell", "sectors", "ring", "tables"],
)
def test_an_old_xls_cannot_fill_the_memory(content, code):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    report = check(content, "三月.xls")

    assert report.refused is not None
    assert report.refused.code == code
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000  # KB


def test_an_interruption_is_not_swallowed(monkeypatch):
    def interrupted(_archive):
        raise KeyboardInterrupt

    monkeypatch.setattr("domain.payroll.sheets.files.read_xlsx", interrupted)

    with pytest.raises(KeyboardInterrupt):
        check(GOOD)


def test_a_panic_of_the_reader_is_a_damaged_file(monkeypatch):
    def panicking(_archive):
        raise type("PanicException", (BaseException,), {})

    monkeypatch.setattr("domain.payroll.sheets.files.read_xlsx", panicking)

    report = check(GOOD)

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


def test_too_many_html_rows_are_refused(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.html_table.MAX_ROWS", 3)

    report = check(html([HEADER] * 9))

    assert report.refused is not None
    assert "3 行" in report.refused.message


def test_a_workbook_in_utf_16_is_read():
    def wide(content: bytes, part: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            for info in old.infolist():
                data = old.read(info.filename)
                new.writestr(
                    info, data.decode().encode("utf-16") if info.filename == part else data
                )
        return buffer.getvalue()

    assert accepted(check(wide(GOOD, FIRST_SHEET))) == {2: "E-1"}


def test_an_encrypted_member_is_named(monkeypatch):
    locked = bytearray(GOOD)
    at = 0
    while (at := locked.find(b"PK\x01\x02", at)) >= 0:
        locked[at + 8] |= 1
        at += 4

    report = check(bytes(locked))

    assert report.refused is not None
    assert "密码" in report.refused.message


def test_an_archive_of_countless_parts_is_refused(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.xlsx._MAX_PARTS", 3)

    report = check(GOOD)

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


def test_a_file_beyond_the_limit_is_refused_before_it_is_read():
    report = check(b"PK" + bytes(limits.MAX_BYTES))

    assert report.refused is not None
    assert "50 MB" in report.refused.message


def test_a_zip_bomb_is_refused_before_it_unfolds(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.xlsx.MAX_UNPACKED_BYTES", 5_000_000)
    bomb = edited(GOOD, FIRST_SHEET, lambda xml: xml + " " * 6_000_000)

    report = check(bomb)

    assert len(bomb) < 50_000
    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"
    assert "解压" in report.refused.message


def test_a_zip_that_lies_about_its_sizes_is_refused():
    bomb = bytearray(edited(GOOD, FIRST_SHEET, lambda xml: xml + " " * 3_000_000))
    true_size = struct.pack("<I", len(zipfile.ZipFile(io.BytesIO(bomb)).read(FIRST_SHEET)))
    lying = bytes(bomb).replace(true_size, struct.pack("<I", 1_000))

    report = check(lying)

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


def test_a_lone_cell_far_away_does_not_fill_the_memory():
    def far(xml: str) -> str:
        cell = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
        return xml.replace("</sheetData>", cell)

    report = check(edited(GOOD, FIRST_SHEET, far))

    assert report.refused is not None
    assert "行" in report.refused.message


def test_a_far_corner_within_the_limits_of_rows_and_columns_is_refused():
    corner = '<row r="90000"><c r="IA90000"><v>1</v></c></row></sheetData>'

    report = check(edited(GOOD, FIRST_SHEET, lambda xml: xml.replace("</sheetData>", corner)))

    assert report.refused is not None
    assert "90000 行、235 列" in report.refused.message


def test_countless_rows_that_are_only_formatted_are_nothing(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.xlsx.MAX_ROWS", 1_000)
    rows = "".join(f'<row r="{row}" ht="15"/>' for row in range(3, 2_000)) + "</sheetData>"

    report = check(edited(GOOD, FIRST_SHEET, lambda xml: xml.replace("</sheetData>", rows)))

    assert accepted(report) == {2: "E-1"}


@pytest.mark.parametrize(
    "cells",
    ["<row><c r='A3'><v>1</v></c></row>", '<row r="3"><c><v>1</v></c></row>'],
    ids=["row", "cell"],
)
def test_cells_that_do_not_say_where_they_are_are_refused(cells):
    report = check(
        edited(GOOD, FIRST_SHEET, lambda xml: xml.replace("</sheetData>", cells + "</sheetData>"))
    )

    assert report.refused is not None
    assert "另存为" in report.refused.message


def test_cells_merged_over_and_over_are_refused(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.xlsx._MAX_MERGES", 2)
    merged = "</sheetData><mergeCells>" + '<mergeCell ref="A9:A90000"/>' * 3 + "</mergeCells>"

    report = check(edited(GOOD, FIRST_SHEET, lambda xml: xml.replace("</sheetData>", merged)))

    assert report.refused is not None
    assert "另存为" in report.refused.message


def test_too_many_cells_in_too_few_bytes_are_refused(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.xlsx._MAX_TAGS", 20)

    report = check(GOOD)

    assert report.refused is not None
    assert "单元格" in report.refused.message


def test_a_big_workbook_is_read_like_a_small_one(monkeypatch):
    monkeypatch.setattr("domain.payroll.sheets.xlsx._BIG", 1)

    assert accepted(check(GOOD)) == {2: "E-1"}


def test_archives_within_archives_are_no_payroll():
    inner = zipped(bomb_dll=bytes(1_000))
    for _ in range(2):
        inner = zipped(**{f"lib {number}_zip": inner for number in range(16)})

    report = check(inner)

    assert report.refused is not None
    assert "压缩包" in report.refused.message


def test_a_billion_laughs_are_refused_unexpanded():
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    )
    laughing = '<row r="3"><c r="A3" t="inlineStr"><is><t>&a11;</t></is></c></row></sheetData>'

    report = check(
        edited(
            GOOD,
            FIRST_SHEET,
            lambda xml: xml.replace("?>", f"?><!DOCTYPE x [{entities}]>", 1).replace(
                "</sheetData>", laughing
            ),
        )
    )

    assert report.refused is not None
    assert "DOCTYPE" in report.refused.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"," * 10_001, "10002 列"),
        (b"a,b\n" * 100_001, "100002 行"),
        (csv_bytes([["x"]] * 99 + [[""] * 300]), "100 行、300 列"),
        (b"<table>" + b"<" * 2_000, "不完整"),
        (b"<table>" + b"<td " * 2_000, "不完整"),
        (b"<table>" + b"<b>" * 3_000, "太大"),
        (b"<table><tr><td rowspan=99999 colspan=399>" + b"<tr><td>x" * 99, "合并"),
        (b"<table>" + b"<tr><td>x" * 99 + b"<tr><td colspan=399>", "100 行、399 列"),
        (b"<table>" + b"<!--" * 100_000, "没有内容"),
    ],
    ids=["commas", "lines", "corner", "marks", "tags", "many", "spans", "square", "comments"],
)
def test_text_made_to_exhaust_the_reader_is_refused_in_words(monkeypatch, content, words):
    for module in ("unreadable", "delimited", "html_table"):
        monkeypatch.setattr(f"domain.payroll.sheets.{module}.MAX_CELLS", 10_000)
    monkeypatch.setattr("domain.payroll.sheets.html_table._MAX_TAGS", 2_500)

    report = check(content, "a.csv")

    assert report.refused is not None
    assert words in report.refused.message


def test_a_lone_cell_far_to_the_right_is_refused_too():
    far = edited(
        GOOD, FIRST_SHEET, lambda xml: xml.replace("</row>", '<c r="XFD1"><v>1</v></c></row>', 1)
    )

    report = check(far)

    assert report.refused is not None
    assert "列" in report.refused.message


def test_rows_that_are_only_formatted_do_not_count():
    def formatted(xml: str) -> str:
        return xml.replace(
            "</sheetData>", '<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'
        )

    assert accepted(check(edited(GOOD, FIRST_SHEET, formatted))) == {2: "E-1"}


def test_a_document_type_is_refused():
    evil = edited(
        GOOD,
        "xl/workbook.xml",
        lambda xml: xml.replace("?>", '?><!DOCTYPE x [<!ENTITY a "b">]>', 1),
    )

    report = check(evil)

    assert report.refused is not None
    assert report.refused.code == "CORRUPT_FILE"


def test_too_many_rows_of_text_are_refused(monkeypatch):
    monkeypatch.setattr(limits, "MAX_ROWS", 10)

    report = check(csv_bytes([HEADER] + [["张伟", phone(1), 5]] * 10), "a.csv")

    assert report.refused is not None
    assert "10 行" in report.refused.message


def test_a_password_in_an_old_xls_is_named():
    # FILEPASS right after the first BOF record of the workbook stream.
    bof = GOOD_XLS.index(b"\x09\x08\x10\x00\x00\x06")
    record = b"\x2f\x00\x36\x00" + bytes(0x36)
    at = bof + 20
    locked = GOOD_XLS[:at] + record + GOOD_XLS[at + len(record) :]

    report = check(locked)

    assert report.refused is not None
    assert "密码" in report.refused.message


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["xlsx", "xls"]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6),
    end=st.floats(0.1, 1),
)
def test_damaged_bytes_never_raise(kind, cuts, end):
    content = bytearray(GOOD if kind == "xlsx" else GOOD_XLS)
    for place, junk in cuts:
        at = int(place * (len(content) - 8))
        content[at : at + len(junk)] = junk

    report = check_sheet(bytes(content[: int(len(content) * end)]), "x", ROSTER)

    assert report.refused is not None or report.accepted or report.held or report.skipped


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_raise(content):
    assert check_sheet(content, "x.csv", ROSTER).accepted == []
