"""待补正: the answers that could not be taken, by file and cell and with the reason, for the office that sent them."""

from __future__ import annotations

from typing import Final

import duckdb

from kcb_pipeline.engines.embedded import rows, scalar
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.ledgers.verifications import REFUSALS
from kcb_pipeline.reporting.paper import Paper
from kcb_pipeline.reporting.workbook import Column, OfficeWorkbook, Value

FILE: Final = "待补正.xlsx"

WORDS: Final = REFUSALS | {
    "required_cell_missing": "此列必须填写，整行未采信",
    "unknown_code": "不在可选项内，请从下拉选项中选择",
    "impossible_date": "不是有效日期，请写成 2026-11-19 的样子",
    "spreadsheet_error": "单元格里是公式错误（如 #N/A），请直接填写内容",
    "numeric_id_number": "号码已被表格软件改成科学计数，请把单元格设为文本后重新填写",
    "too_long": "内容过长（姓名100字、其他4096字以内），整行未采信",
    "malformed_row": "此行无法读出，请重新填写",
}
"""Every rule that an answer can break, in the words that go back to the office."""

COUNTS: Final = {"unknown_code": "请只填整数，如 3"}
"""The same where nothing is offered to choose from, but a number is asked for."""

_COLUMNS: Final = (
    Column("序号", 6, "whole", centred=True),
    Column("文件", 34),
    Column("单元格", 10, centred=True),
    Column("列", 14),
    Column("案件编号", 19),
    Column("为何未采信，请如何补正", 46),
    Column("文件与单元格", 42),
)


def _words(rule: str, *, is_count: bool) -> str:
    return (COUNTS if is_count else {}).get(rule, WORDS.get(rule, rule))


def mending(connection: duckdb.DuckDBPyConnection, version: int) -> Paper:
    """The list of what offices have to mend in what they sent for a version. It repeats no cell's value."""
    day = scalar(connection, "SELECT comparison_date FROM ledger_versions WHERE version = ?", [version])
    found = rows(
        connection,
        'SELECT file, cell, "column", case_id, rule FROM answers_to_mend WHERE version = ? '
        'ORDER BY file, row, "column" NULLS FIRST, rule',
        [version],
    )
    labels = {column.name: column.chinese for column in sources()["verifications"].columns}
    counts = {column.name for column in sources()["verifications"].columns if column.type == "integer"}
    listed: list[list[Value]] = [
        [
            number,
            file,
            cell.rpartition("!")[2],
            labels.get(column, column),
            case_id,
            _words(rule, is_count=column in counts),
            cell,
        ]
        for number, (file, cell, column, case_id, rule) in enumerate(found, start=1)
    ]
    book = OfficeWorkbook("核查结果待补正清单", day, subject=f"台账第{version}版")
    note = f"比对日期 {day}　台账第 {version} 版　共 {len(listed)} 处"
    book.table("待补正", _COLUMNS, listed, note=note)
    book.text("说明", [
        ("怎样补正", [
            ("本表列出交回的核查表中未被采信之处。案件保持原状；请在原表该单元格补正后，放入下一比对日期的 verifications 文件夹再次交回。",),
            ("已经采信的行可以原样留在表中，重复交回不会重复计算；没有填写的行不在本表之列。",),
        ]),
    ], widths=(22, 76))  # fmt: skip
    return Paper(FILE, book.content())
