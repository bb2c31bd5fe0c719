"""The blind workbook a reviewer fills in: two records above one another, what differs marked, one answer a pair.

Blind: it says nothing of weight, probability, decision or anybody else's answer, and the pairs stand in an order of their own for each
reviewer. Identities are protected cells; only answers, remarks and the reviewer's name can be written.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from kcb_pipeline.extracts.catalogue import code_lists
from kcb_pipeline.review.answers import WORDS
from kcb_pipeline.review.differences import Run, marked, marked_items

INSTRUCTIONS, PAIRS = "填写说明", "待核对"
REVIEWER, ROUND, NUMBER, ANSWER, REMARK = "核对人", "核对轮次", "编号", "答案", "备注"

_CODES: Final = {"sex": "sex", "ethnicity": "ethnicity", "registry_status": "registry_status"}
"""Fields that hold codes, with the list that says what they mean."""
_MISSING: Final = "—"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the pairs: its heading, what of an identity it shows, its width, and how differences are marked."""

    heading: str
    field: str
    width: float
    marking: str = "characters"  # or "items", "whole", "none"


COLUMNS: Final = (
    Column("姓名", "name", 14),
    Column("曾用名", "former_name", 10, "none"),
    Column("性别", "sex", 6, "whole"),
    Column("出生日期", "birth_date", 12),
    Column("证件号码", "id_number", 23),
    Column("学籍号", "student_number", 23, "none"),
    Column("父母及监护人", "guardians", 20, "items"),
    Column("父母及监护人证件号码", "guardian_numbers", 24, "items"),
    Column("联系电话", "phones", 15, "items"),
    Column("民族", "ethnicity", 7, "whole"),
    Column("户籍地区划", "division_code", 11),
    Column("住址", "address", 26, "none"),
    Column("学校", "school_name", 18, "none"),
    Column("年级", "grade", 6, "none"),
    Column("学籍状态", "registry_status", 9, "none"),
)
"""What a pair shows between its number and its answer. A former name is set against the other side's name by the reviewer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What one block of the workbook shows."""

    number: str
    person: dict[str, Any]
    record: dict[str, Any]


def write_workbook(pairs: Sequence[Pair], *, reviewer: str | None, round_name: str, on: dt.date) -> bytes:
    """The workbook of one reviewer; the same pairs and reviewer give the same bytes."""
    buffer = io.BytesIO()
    options = {
        "in_memory": True,  # identities never lie in a temporary folder
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"title": "户籍与学籍人工核对表", "created": dt.datetime.combine(on, dt.time(), tzinfo=dt.UTC)})
    styles = _Styles.of(book)
    _write_instructions(book.add_worksheet(INSTRUCTIONS), styles, len(pairs), reviewer, round_name, on)
    _write_pairs(book.add_worksheet(PAIRS), styles, pairs)
    book.close()
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Styles:
    title: Format
    text: Format
    label: Format
    heading: Format
    cell: tuple[Format, Format]
    number: Format
    entry: Format
    differs: Format
    plain: Format

    @classmethod
    def of(cls, book: xlsxwriter.Workbook) -> _Styles:
        font = {"font_name": "Microsoft YaHei", "font_size": 11}
        cell = {
            **font,
            "valign": "vcenter",
            "text_wrap": True,
            "border": 1,
            "border_color": "#D0D7DE",
            "num_format": "@",
        }
        return cls(
            title=book.add_format({**font, "font_size": 16, "bold": True}),
            text=book.add_format({**font, "text_wrap": True, "valign": "top"}),
            label=book.add_format({**font, "bold": True, "valign": "top"}),
            heading=book.add_format({**cell, "bold": True, "font_color": "#FFFFFF", "bg_color": "#24547A", "align": "center"}),
            cell=(book.add_format({**cell, "top": 2, "top_color": "#8C959F"}), book.add_format({**cell, "bg_color": "#F4F7FA"})),
            number=book.add_format({**cell, "top": 2, "top_color": "#8C959F", "font_color": "#57606A", "align": "center"}),
            entry=book.add_format({**cell, "top": 2, "top_color": "#8C959F", "bg_color": "#FFF8E1", "locked": False, "align": "center"}),
            differs=book.add_format({**font, "font_color": "#C0392B", "bold": True, "underline": 1}),
            plain=book.add_format(font),
        )  # fmt: skip


_HOW: Final = (
    "本表每两行为一对记录：上行来自公安人口数据，下行来自教育学籍数据。请判断两行是否为同一名儿童。",
    "在“答案”列选择：是同一人、不是同一人、无法判断。未填写的视为未核对，可以以后再填。",
    "两行不同的字、数字以红色加下划线标出；“—”表示该来源没有此项，没有不等于不同。",
    "双胞胎、兄弟姐妹的姓氏、监护人、住址往往相同，请着重看姓名、出生日期和证件号码。",
    "证件号码第18位是校验码。两个都正确但不同的号码，多半是两个人，也可能是更正过的号码。",
    "请独立判断，不与其他核对人商量。另一人会核对同样的记录，两人不一致的由第三人核对。",
    "不要增删行、不要改动编号。需要说明的写在“备注”列（备注只供参考，不会导入）。",
    "本表含有未成年人身份信息，只能在本单位内部存放，导入后请删除。",
)


def _write_instructions(
    sheet: Worksheet, styles: _Styles, pairs: int, reviewer: str | None, round_name: str, on: dt.date
) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 12)
    sheet.set_column(1, 1, 90)
    sheet.set_row(0, 30)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.write_string(0, 0, "户籍与学籍人工核对表", styles.title)
    entry = styles.entry
    for row, (label, value) in enumerate(
        ((REVIEWER, reviewer or ""), ("比对日期", str(on)), (ROUND, round_name), ("记录对数", str(pairs))), start=2
    ):
        sheet.write_string(row, 0, label, styles.label)
        sheet.write_string(row, 1, value, entry if label == REVIEWER and not reviewer else styles.text)
    for row, line in enumerate(_HOW, start=7):
        sheet.write_string(row, 0, f"{row - 6}", styles.label)
        sheet.write_string(row, 1, line, styles.text)
    sheet.protect("", {"format_columns": True, "select_locked_cells": True})


def _write_pairs(sheet: Worksheet, styles: _Styles, pairs: Sequence[Pair]) -> None:
    headings = (NUMBER, "来源", *(column.heading for column in COLUMNS), ANSWER, REMARK)
    answer, remark = len(headings) - 2, len(headings) - 1
    for place, heading in enumerate(headings):
        sheet.write_string(0, place, heading, styles.heading)
    sheet.set_row(0, 30)
    sheet.set_column(0, 0, 17)
    sheet.set_column(1, 1, 6)
    for place, column in enumerate(COLUMNS, start=2):
        sheet.set_column(place, place, column.width)
    sheet.set_column(answer, answer, 14)
    sheet.set_column(remark, remark, 24)
    sheet.freeze_panes(1, 3)
    for place, pair in enumerate(pairs):
        row = 1 + 2 * place
        sheet.set_row(row, 34)
        sheet.set_row(row + 1, 34)
        sheet.merge_range(row, 0, row + 1, 0, pair.number, styles.number)
        for line, source in enumerate(("人口", "学籍")):
            sheet.write_string(row + line, 1, source, styles.cell[line])
        for number, column in enumerate(COLUMNS, start=2):
            for line, runs in enumerate(_shown(column, pair)):
                _write_runs(sheet, styles, row + line, number, runs, styles.cell[line])
        sheet.merge_range(row, answer, row + 1, answer, "", styles.entry)
        sheet.merge_range(row, remark, row + 1, remark, "", styles.entry)
        sheet.data_validation(row, answer, row, answer, {
            "validate": "list", "source": list(WORDS), "error_title": "答案", "error_message": "请从列表中选择。",
        })  # fmt: skip
    sheet.protect("", {"format_columns": True, "format_rows": True, "select_locked_cells": True})
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _shown(column: Column, pair: Pair) -> tuple[list[Run], list[Run]]:
    """What a column shows of both sides, in stretches that differ or do not."""
    if column.marking == "items":
        mine, theirs = _items(pair.person.get(column.field)), _items(pair.record.get(column.field))
        if mine and theirs:
            return marked_items(mine, theirs, "\n")
        left, right = "\n".join(mine), "\n".join(theirs)
        return [(left or _MISSING, False)], [(right or _MISSING, False)]
    left, right = (_text(column.field, side.get(column.field)) for side in (pair.person, pair.record))
    if not left or not right or left == right or column.marking == "none":
        return [(left or _MISSING, False)], [(right or _MISSING, False)]
    return marked(left, right) if column.marking == "characters" else ([(left, True)], [(right, True)])


def _items(value: Any) -> list[str]:
    return sorted({str(item) for item in value or ()})


def _text(field: str, value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return code_lists()[_CODES[field]].label(text) or text if field in _CODES else text


def _write_runs(sheet: Worksheet, styles: _Styles, row: int, column: int, runs: list[Run], cell: Format) -> None:
    if len(runs) == 1:
        text, differs = runs[0]
        if not differs:
            sheet.write_string(row, column, text, cell)
            return
        runs = [(text, True), ("\u200b", False)]  # a rich string needs two stretches
    fragments: list[Any] = []
    for text, differs in runs:
        fragments += [styles.differs if differs else styles.plain, text]
    sheet.write_rich_string(row, column, *fragments, cell)
