"""Our own form comes back: rows nobody has answered land and say nothing, and every row knows its cell."""

import io

import pytest
import xlsxwriter

HEADERS = ["案件编号", "姓名", "为何列入", "核查结果", "核查日期", "核查人"]


def workbook(sheets):
    """An XLSX file: {name of a sheet: rows}."""
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    return packed.getvalue()


def account(desk):
    """read, landed, quarantined, duplicate and unanswered rows of the forms."""
    return desk.query("SELECT read, landed, quarantined, duplicate_rows, unanswered FROM landed.files ORDER BY file")


def test_a_row_nobody_has_answered_lands_and_says_nothing(desk):
    desk.put("verifications/a.xlsx", workbook({"核查表": [
        HEADERS,
        ["A1", "王小明", "证据", "失联", "2026-11-19", ""],
        ["A2", "李小红", "证据", "", "", ""],
        ["A3", "赵山", "证据", "—", " ", "无"],
    ]}))  # fmt: skip

    said = desk.land("verifications")

    assert (said.read, said.landed, said.quarantined, said.unanswered) == (3, 3, 0, 2)
    assert account(desk) == [(3, 3, 0, 0, 2)]
    assert desk.landed("verifications", "case_id", "result") == {1: ("A1", "失联"), 2: ("A2", None), 3: ("A3", None)}


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (["A1", "王小明", "", "", "", "张三"], "result"),
        (["A1", "王小明", "", "", "2026-11-19", ""], "result"),
        (["A1", "王小明", "", "失联", "", ""], "verified_on"),
        (["A1", "王小明", "", "没有这种结果", "", ""], "result"),
        (["", "王小明", "", "", "", ""], "case_id"),
    ],
    ids=["only by whom", "only when", "not when", "a result that is none", "nobody's"],
)
def test_a_row_half_filled_does_not_pass_for_one_unanswered(desk, row, column):
    desk.put("verifications.xlsx", workbook({"核查表": [HEADERS, row]}))

    desk.land("verifications")

    assert account(desk) == [(1, 0, 1, 0, 0)]
    assert desk.query('SELECT "column", rule FROM landed.quarantined_rows') == [(column, "required_cell_missing")]


def test_unanswered_rows_that_came_twice_count_once(desk):
    rows = [HEADERS, ["A1", "王小明", "", "", "", ""]]
    desk.put("verifications/a.xlsx", workbook({"核查表": rows}))
    desk.put("verifications/b.xlsx", workbook({"核查表": rows}))

    desk.land("verifications")

    assert account(desk) == [(1, 1, 0, 0, 1), (1, 0, 0, 1, 0)]


def test_the_sheet_of_the_form_counts_wherever_it_stands(desk):
    answer = [HEADERS, ["A1", "王小明", "", "失联", "2026-11-19", ""]]
    desk.put("verifications.xlsx", workbook({"汇总": [["本表", "不算"]], "填写说明": [HEADERS], "核查表": answer}))

    assert desk.land("verifications").landed == 1


def test_of_other_sources_the_first_sheet_counts(desk):
    header = ["全国学籍号", "缺勤日期", "缺勤类型"]
    desk.put("absences.xlsx", workbook({"甲": [header, ["G1", "2026-11-19", "无故"]], "核查表": [header]}))

    assert desk.land("absences").landed == 1


def test_every_row_and_column_of_a_form_knows_its_cell(desk):
    desk.put("verifications/a.xlsx", workbook({"核查表": [
        ["幸福镇核查表"], [], ["核查日期", "案件编号", "核查结果"],
        ["2026-11-19", "A1", "失联"], [], ["2026-11-19", "A2", "失联"],
    ]}))  # fmt: skip
    desk.put("verifications/b.csv", ["核查结果,案件编号,核查日期", "失联,A3,2026-11-19"])

    desk.land("verifications")

    assert desk.query("SELECT file, row, line FROM landed.form_rows ORDER BY ALL") == [
        ("verifications/a.xlsx", 1, 4), ("verifications/a.xlsx", 2, 6), ("verifications/b.csv", 3, 2),
    ]  # fmt: skip
    letters = desk.query("SELECT file, letter FROM landed.form_columns WHERE \"column\" = 'result' ORDER BY file")
    assert letters == [("verifications/a.xlsx", "C"), ("verifications/b.csv", "A")]


def test_a_form_that_comes_again_is_told_by_its_own_cells(desk):
    for before in ([], [["a line above"]]):
        desk.put(
            "verifications/a.xlsx",
            workbook({"核查表": [*before, HEADERS, ["A1", "王小明", "", "失联", "2026-11-19", ""]]}),
        )
        desk.land("verifications")
        desk.land("verifications")

    assert desk.query("SELECT row, line FROM landed.form_rows") == [(1, 3)]
    assert desk.query('SELECT count(*), count(DISTINCT "column") FROM landed.form_columns') == [(5, 5)]
