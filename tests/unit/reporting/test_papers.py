"""What stands in the workbooks that offices receive."""

import datetime as dt
import io

import numpy as np
import openpyxl
import pyarrow as pa
import pytest

from kcb_pipeline.config import Disclosure
from kcb_pipeline.errors import GateError
from kcb_pipeline.extracts.catalogue import header_key, sources
from kcb_pipeline.extracts.cells import ColumnReader
from kcb_pipeline.extracts.delivery import find_columns
from kcb_pipeline.extracts.workbook import Workbook
from kcb_pipeline.ledgers.verifications import REFUSALS, RESULTS
from kcb_pipeline.reporting.bulletin import STANDINGS, read_bulletin
from kcb_pipeline.reporting.bulletin_paper import bulletin
from kcb_pipeline.reporting.bulletin_risk import measure_bulletin, refuse_to_give_away
from kcb_pipeline.reporting.corrections import KINDS, corrections
from kcb_pipeline.reporting.mending import WORDS, mending
from kcb_pipeline.reporting.paper import Paper, file_names, write_papers
from kcb_pipeline.reporting.suppression import Suppressed, suppress
from kcb_pipeline.reporting.workbook import Column, OfficeWorkbook
from kcb_pipeline.reporting.worklists import worklists
from kcb_pipeline.status.reasons import REASONS
from tests.unit.reporting.conftest import DAY

DAYS = dt.timedelta(days=1)


def table_of(sheet):
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


# -- worklists -----------------------------------------------------------------------------------------------------


def test_open_cases_stand_on_the_list_of_their_township_and_of_their_school(ledgers, opened):
    here = ledgers.child("suspected", school_code="3153290101", school_name="幸福小学", grade=4)
    ledgers.case(here)
    ledgers.case(ledgers.child("unenrolled"))
    ledgers.case(ledgers.child("unenrolled", township="532901102", town="平安乡"))
    ledgers.case(ledgers.child("enrolled"), state="closed")
    ledgers.case(ledgers.child("on_leave"), state="closed_until")

    lists = {paper.path: table_of(opened(paper)["核查表"]) for paper in worklists(ledgers.connection, 1)}

    assert {path: [row["姓名"] for row in rows] for path, rows in lists.items()} == {
        "worklists/乡镇-532901101-幸福镇.xlsx": ["孩1", "孩2"],
        "worklists/乡镇-532901102-平安乡.xlsx": ["孩3"],
        "worklists/学校-3153290101-幸福小学.xlsx": ["孩1"],
    }


def test_a_row_says_who_why_and_by_when(ledgers, opened):
    child = ledgers.child(
        "unenrolled",
        id_number="532901201603120011",
        guardian_name="父亲",
        guardian_phone="13800000000",
        village_code="532901101201",
    )
    ledgers.case(child, due=DAY - DAYS, evidence="旧的说法", responsible="幸福镇")
    ledgers.add(
        "suspected_dropouts", child_id=child, case_id="A" + child[1:], evidence="未找到任何学籍记录；最接近的候选在甲校"
    )
    for nth, school, why in ((2, "乙校", "性别不同"), (1, "甲校", "姓名不同")):
        ledgers.add("near_enrolments", child_id=child, nth=nth, school_name=school, grade=nth, why=why)

    [paper] = worklists(ledgers.connection, 1)
    [row] = table_of(opened(paper)["核查表"])

    assert row["案件编号"] == "A" + child[1:]
    assert row["儿童信息"] == "男 2016-03-12\n532901201603120011\n幸福镇 532901101201"
    assert row["监护人及电话"] == "父亲\n13800000000"
    assert row["列入原因"] == "未找到任何学籍记录；最接近的候选在甲校"
    assert row["相近但未采用的学籍"] == "甲校1年级：姓名不同\n乙校2年级：性别不同"
    assert row["应核查日期"].date() == DAY - DAYS
    assert "疑似" in row["目前进展"]


def test_lists_stand_in_the_order_of_their_places_and_cases_in_that_of_the_days_they_are_due(ledgers, opened):
    ledgers.case(ledgers.child("unenrolled", township="532901102", town="平安乡"), due=DAY)
    for due in (DAY + 2 * DAYS, DAY + DAYS):
        ledgers.case(ledgers.child("unenrolled"), due=due)
    ledgers.case(ledgers.child("unenrolled", division_code="532901", township_code=None, township_name=None))

    papers = list(worklists(ledgers.connection, 1))

    assert [paper.path for paper in papers] == [
        "worklists/乡镇-532901-未分乡镇街道.xlsx",
        "worklists/乡镇-532901101-幸福镇.xlsx",
        "worklists/乡镇-532901102-平安乡.xlsx",
    ]
    assert [row["姓名"] for row in table_of(opened(papers[1])["核查表"])] == ["孩3", "孩2"]


def test_a_case_without_any_place_stands_on_a_list(ledgers, opened):
    nowhere = {"division_code": None, "township_code": None, "township_name": None}
    ledgers.case(ledgers.child("unenrolled", **nowhere))
    ledgers.case(ledgers.child("unenrolled"))

    lists = {paper.path: table_of(opened(paper)["核查表"]) for paper in worklists(ledgers.connection, 1)}

    assert {path: [row["姓名"] for row in rows] for path, rows in lists.items()} == {
        "worklists/乡镇-不详-未分乡镇街道.xlsx": ["孩1"],
        "worklists/乡镇-532901101-幸福镇.xlsx": ["孩2"],
    }


def test_a_case_says_what_its_ledger_says_and_where_it_stands_in_none_what_was_said_last(ledgers, opened):
    for state, status in (("confirmed", "dropout"), ("returned_unconfirmed", "enrolled")):
        child = ledgers.child(status)
        case = ledgers.case(child, state=state, evidence="旧的说法")
        ledgers.add("case_events", case_id=case, sequence=2, event="confirmed", evidence="新的说法", occurred_on=DAY)
        if status == "dropout":
            ledgers.add("dropouts", child_id=child, case_id=case, evidence="经核查确认辍学")

    [paper] = worklists(ledgers.connection, 1)

    assert [row["列入原因"] for row in table_of(opened(paper)["核查表"])] == ["经核查确认辍学", "新的说法"]


def test_progress_says_what_has_been_done_and_nothing_of_what_has_not(ledgers, opened):
    for _ in range(2):
        ledgers.case(ledgers.child("unenrolled"))
    ledgers.connection.execute(
        "UPDATE cases_history SET visits = 2, reopened = 1, measure = '责令改正' WHERE child_id = 'C0002'"
    )

    [paper] = worklists(ledgers.connection, 1)

    assert [row["目前进展"] for row in table_of(opened(paper)["核查表"])] == [
        f"疑似\n{DAY} 立案",
        f"疑似\n{DAY} 立案\n重新立案1次\n已劝返2次\n已采取：责令改正",
    ]


def test_the_form_is_one_that_lands(ledgers, tmp_path):
    ledgers.case(ledgers.child("unenrolled"))
    [paper] = worklists(ledgers.connection, 1)
    path = tmp_path / "a.xlsx"
    path.write_bytes(paper.content)

    reader = Workbook(path, sources()["verifications"], shown="a.xlsx")
    positions, unknown = find_columns(reader.headers, sources()["verifications"], shown="a.xlsx")

    assert set(positions) == {column.name for column in sources()["verifications"].columns}
    assert not {header_key(header) for header in unknown} & set(sources()["verifications"].headers)
    assert reader.line(1) == 2


def test_what_we_know_is_locked_and_what_we_ask_is_open_with_its_choices(ledgers, opened):
    ledgers.case(ledgers.child("unenrolled"))
    [paper] = worklists(ledgers.connection, 1)
    sheet = opened(paper)["核查表"]
    header = {cell.value: cell.column_letter for cell in sheet[1]}
    answers = {column.chinese for column in sources()["verifications"].columns} - {"案件编号", "姓名"}

    assert sheet.protection.sheet
    assert {name for name, letter in header.items() if not sheet[f"{letter}2"].protection.locked} == answers
    rules = {str(rule.sqref).rstrip("0123456789:"): rule for rule in sheet.data_validations.dataValidation}
    rule = {name: next((r for r in rules.values() if f"{letter}2" in r.sqref), None) for name, letter in header.items()}
    assert rule["核查结果"].formula1 == f'"{",".join(RESULTS)}"'
    assert rule["核查日期"].type == rule["期限"].type == rule["劝返时间"].type == "date"
    assert rule["劝返次数"].type == "whole"
    assert not [name for name in header if name not in answers and rule[name]]
    wanted = {
        str(place.sqref).split(":")[0]: [rule.formula[0] for rule in place.rules if rule.formula]
        for place in sheet.conditional_formatting
    }
    result = header["核查结果"]
    assert (
        f'AND(OR(${result}2="确认失学",${result}2="确认辍学"),{header["失辍学原因"]}2="")'
        in wanted[f"{header['失辍学原因']}2"]
    )
    assert f'AND(${result}2<>"",{header["核查日期"]}2="")' in wanted[f"{header['核查日期']}2"]


def test_it_prints_on_a4_with_its_header_on_every_page(ledgers, opened):
    ledgers.case(ledgers.child("unenrolled"))
    [paper] = worklists(ledgers.connection, 1)
    book = opened(paper)
    sheet = book["核查表"]

    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage  # one page wide is what a workbook says by saying nothing
    assert sheet.page_setup.fitToWidth in (None, 1)
    assert sheet.page_setup.fitToHeight == 0
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.freeze_panes == "C2"
    assert "&P" in sheet.oddFooter.right.text
    assert book.sheetnames == ["核查表", "填写说明"]
    said = [row[0] for row in book["填写说明"].iter_rows(values_only=True)]
    assert set(RESULTS) <= set(said)


def test_the_same_version_gives_the_same_bytes_whatever_the_order_of_its_rows(ledgers):
    for _ in range(5):
        ledgers.case(ledgers.child("unenrolled"))
    once = list(worklists(ledgers.connection, 1))
    for name in ("cases_history", "child_facts_history", "case_events_history", "child_rows_history"):
        ledgers.connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {name} ORDER BY rowid DESC")
        ledgers.connection.execute(f"DELETE FROM {name}; INSERT INTO {name} SELECT * FROM kept; DROP TABLE kept")

    assert list(worklists(ledgers.connection, 1)) == once


# -- corrections and mending ---------------------------------------------------------------------------------------


def test_the_correction_list_names_the_child_the_value_and_the_reason(ledgers, opened):
    child = ledgers.child(id_number="532901201603120011")
    ledgers.add(
        "population_corrections",
        child_id=child,
        kind="sex_differs",
        nth=1,
        item="性别",
        recorded="1",
        other="2",
        evidence="依据甲",
    )
    ledgers.add(
        "population_corrections",
        child_id=child,
        kind="verified",
        nth=1,
        item="空挂户",
        recorded="532901201603120011",
        evidence="依据乙",
    )

    rows = table_of(opened(corrections(ledgers.connection, 1))["更正建议"])

    assert [(row["类别"], row["登记值"], row["供核对的值"], row["依据"]) for row in rows] == [
        ("核查结果", "532901201603120011", None, "依据乙"),
        ("性别不一致", "男", "女", "依据甲"),
    ]
    assert {row["姓名"] for row in rows} == {"孩1"}


def test_every_kind_of_correction_that_the_ledger_finds_has_its_label():
    from importlib import resources

    sql = resources.files("kcb_pipeline.ledgers").joinpath("sql/population_corrections.sql").read_text(encoding="utf-8")

    assert all(f"'{kind}'" in sql for kind in KINDS)


def test_what_is_to_be_mended_is_said_in_words_by_cell(ledgers, opened):
    ledgers.add(
        "answers_to_mend",
        file="verifications/a.xlsx",
        row=3,
        cell="verifications/a.xlsx!H7",
        case_id="A1",
        column="until",
        rule="evidence_missing",
    )

    [row] = table_of(opened(mending(ledgers.connection, 1))["待补正"])

    assert (row["文件"], row["单元格"], row["列"], row["案件编号"]) == ("verifications/a.xlsx", "H7", "期限", "A1")
    assert row["为何未采信，请如何补正"] == REFUSALS["evidence_missing"] == WORDS["evidence_missing"]


def test_where_nothing_is_offered_to_choose_from_a_number_is_asked_for(ledgers, opened):
    for column in ("visits", "measure"):
        ledgers.add("answers_to_mend", file="a.xlsx", row=3, cell="a.xlsx!H7", case_id="A1", column=column, rule="unknown_code")  # fmt: skip

    said = {
        row["列"]: row["为何未采信，请如何补正"] for row in table_of(opened(mending(ledgers.connection, 1))["待补正"])
    }

    assert "整数" in said["劝返次数"]
    assert said["劝返措施"] == WORDS["unknown_code"]


def test_every_rule_that_a_cell_of_an_answer_can_break_has_its_words():
    columns = {column.type for column in sources()["verifications"].columns}
    broken = {
        rule
        for column in sources()["verifications"].columns
        for cell in ("#N/A", "5.33123E+17", "天狼星", "20269999")
        for rule, _ in ColumnReader(column, DAY).read(pa.array([cell]), None).issues
    }

    assert {"date", "number"} <= columns
    assert broken == {"unknown_code", "impossible_date", "spreadsheet_error", "numeric_id_number"}
    assert broken <= set(WORDS)


# -- bulletin ------------------------------------------------------------------------------------------------------


def test_the_bulletin_counts_and_hides(ledgers, opened):
    for township, out in (("532901101", 3), ("532901102", 7), ("532901103", 8)):
        for _ in range(20):
            ledgers.child(township=township, town=township[-1])
        for _ in range(12):
            ledgers.child("completed", township=township, town=township[-1])
        for _ in range(out):
            ledgers.case(ledgers.child("unenrolled", township=township, town=township[-1]), due=DAY - DAYS)
    ledgers.child("departed")

    rows = {row["行政区划代码"]: row for row in table_of(opened(bulletin(ledgers.connection, 1, 5))["通报"])}

    assert (
        rows["532901101"]["未入学及疑似辍学"]
        == rows["532901101"]["未入学及疑似辍学率"]
        == rows["532901101"]["逾期未核查"]
        == "*"
    )
    assert rows["532901103"]["未入学及疑似辍学"] == 8
    assert rows[None]["适龄儿童"] == 96 + 18
    shown = [row["未入学及疑似辍学"] for row in rows.values()]
    assert shown.count("*") == 2
    assert rows["532901103"]["辍学"] == 0


def test_every_status_but_departed_is_counted_once():
    counted = [status for statuses in STANDINGS.values() for status in statuses]

    assert sorted(counted) == sorted({reason.status for reason in REASONS} - {"departed"} | {"unenrolled", "suspected"})


def test_the_month_of_the_bulletin_is_that_of_its_version(ledgers):
    for _ in range(6):
        ledgers.case(ledgers.child("unenrolled"))
    for _ in range(20):
        ledgers.child()

    found = read_bulletin(ledgers.connection, 1, 5)

    assert found.cases.tolist() == [[0, 6, 0, 0]]


def test_no_identity_stands_in_a_bulletin(ledgers, opened):
    for _ in range(9):
        ledgers.case(
            ledgers.child(
                "unenrolled", id_number="532901201603120011", guardian_name="某监护人", guardian_phone="13900001111"
            )
        )

    text = "\n".join(
        str(cell)
        for sheet in opened(bulletin(ledgers.connection, 1, 5))
        for row in sheet.iter_rows(values_only=True)
        for cell in row
    )

    assert not [
        word for word in ("孩", "某监护人", "13900001111", "532901201603120011", "A0001", "C0001") if word in text
    ]


@pytest.fixture
def two_months(ledgers):
    """Version 1 of November, and version 2 of December: in one township two of the children out of school are back, so that few are left."""
    children = []
    for township, out in (("532901101", 6), ("532901102", 9), ("532901103", 8)):
        for status, count in (("enrolled", 20), ("completed", 12), ("unenrolled", out)):
            children += [ledgers.child(status, township=township, town=township[-1]) for _ in range(count)]
    back = children[32:34]
    ledgers.connection.execute(
        "INSERT INTO ledger_versions (version, comparison_date) VALUES (2, ?)", [dt.date(2026, 12, 20)]
    )
    ledgers.connection.execute(
        "INSERT INTO child_facts_history SELECT * REPLACE ('enrolled' AS status, 2 AS valid_from_version) FROM child_facts_history "
        "WHERE list_contains(?, child_id)",
        [back],
    )
    ledgers.connection.execute(
        "UPDATE child_facts_history SET valid_to_version = 2 WHERE valid_from_version = 1 AND list_contains(?, child_id)",
        [back],
    )
    return ledgers.connection


def test_a_small_count_does_not_follow_with_the_bulletin_of_the_month_before(two_months):
    found = read_bulletin(two_months, 2, 5)
    [place] = [n for n, (_, township, _) in enumerate(found.townships) if township == "532901101"]

    assert found.standings[place].tolist() == [22, 12, 4, 0]
    assert found.hidden_standings.cells[place].tolist()[:3] == [True, True, True]  # 22 is new: 12 was shown before
    assert measure_bulletin(two_months, 2, 5) == {"counts_computed": 0, "counts_computed_beside": 0}
    assert measure_bulletin(two_months, 1, 5) == {"counts_computed": 0, "counts_computed_beside": 0}
    refuse_to_give_away(two_months, 2, Disclosure())


def test_what_is_not_hidden_for_the_month_before_is_measured_and_not_given_out(two_months, monkeypatch):
    monkeypatch.setattr(
        "kcb_pipeline.reporting.bulletin.suppress", lambda counts, smallest, known=None, **more: suppress(counts, smallest, **more)
    )  # fmt: skip

    assert measure_bulletin(two_months, 2, 5) == {"counts_computed": 0, "counts_computed_beside": 1}
    with pytest.raises(GateError, match="1 with that of the month before"):
        refuse_to_give_away(two_months, 2, Disclosure())
    refuse_to_give_away(two_months, 2, Disclosure(counts_computed_beside=1))


@pytest.mark.parametrize("whole_is_hidden", [False, True])
def test_what_hides_too_little_is_measured_and_not_given_out(two_months, monkeypatch, whole_is_hidden):
    """Small counts alone are hidden: each follows from its line, or where that is hidden too, from its column."""

    def only_small(counts, smallest, **_):
        small = (counts > 0) & (counts < smallest)
        return Suppressed(small, small.any(axis=1) & whole_is_hidden, np.zeros(counts.shape[1], np.bool_), whole=False)

    monkeypatch.setattr("kcb_pipeline.reporting.bulletin.suppress", only_small)

    assert measure_bulletin(two_months, 2, 5)["counts_computed"] == 1
    with pytest.raises(GateError, match="1 small counts can be computed from it"):
        refuse_to_give_away(two_months, 2, Disclosure(counts_computed_beside=100))


# -- the workbook --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["=1+1", "+86 139", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x")', "http://x", "0123", "_x0041_"]
)
def test_a_text_stays_the_text_it_is(text, tmp_path):
    book = OfficeWorkbook("t", DAY)
    book.table("s", [Column("全国学籍号", 9), Column("缺勤日期", 9), Column("缺勤类型", 9)], [[text, "b", "c"]])
    content = book.content()
    path = tmp_path / "absences.xlsx"
    path.write_bytes(content)

    cell = openpyxl.load_workbook(io.BytesIO(content))["s"]["A2"]
    reader = Workbook(path, sources()["absences"], shown="a")
    [stretch] = reader.stretches({"student_number": 0})
    batch = stretch()

    assert cell.data_type == "s"
    assert batch.columns["student_number"].to_pylist() == [text]
    assert cell.quotePrefix == text.startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize(
    ("typed", "landed"),
    [(dt.date(2026, 11, 19), "2026-11-19"), (20261119, "20261119"), ("2026年11月19日", "2026年11月19日")],
)
def test_dates_typed_into_a_date_cell_land(typed, landed, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["案件编号", "核查结果", "核查日期"])
    book.active.append(["A1", "失联", typed])
    book.active["C2"].number_format = "yyyy-mm-dd"
    book.save(tmp_path / "v.xlsx")

    [stretch] = Workbook(tmp_path / "v.xlsx", sources()["verifications"], shown="v").stretches({"verified_on": 2})
    batch = stretch()

    assert batch.columns["verified_on"].to_pylist() == [landed]


def test_places_with_one_name_or_a_path_in_it_get_files_of_their_own():
    assert file_names("乡镇", [("1", "甲"), ("1", "甲"), ("../2", "..")]) == [
        "乡镇-1-甲.xlsx",
        "乡镇-1-甲-2.xlsx",
        "乡镇-2-不详.xlsx",
    ]


def test_papers_are_written_whole_for_their_owner(tmp_path):
    [path] = write_papers([Paper("worklists/a.xlsx", b"x")], tmp_path)

    assert path.read_bytes() == b"x"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.xlsx"]
