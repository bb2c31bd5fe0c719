"""How every workbook we give to an office looks, and what it may hold: texts, numbers and dates, never a formula.

The same content gives the same bytes. Whatever an agency or an office has typed is written as a text, marked so that it stays one when
somebody edits it. Drop-downs and hints help whoever fills a form in; nothing that comes back is believed because of them.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

Kind = Literal["text", "date", "whole", "share"]
Value = str | int | float | dt.date | None

STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet calculate with a text that somebody edits, or opens as CSV."""

FONT: Final = "等线"
A4: Final = 9
_INK, _LINE = "#1F2937", "#BFC6CF"
_HEAD, _HEAD_ANSWER, _GIVEN, _ANSWER, _MISSING, _LATE = "#33526E", "#8A5A00", "#F2F4F6", "#FFFBEB", "#FFD666", "#B42318"
_NUMBER_FORMATS: Final = {"text": "@", "date": "yyyy-mm-dd", "whole": "#,##0", "share": "0.00%"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet.

    answer: whether an office writes in it (all else is locked where the sheet is protected).
    choices: what it may hold, as a drop-down; `free` where something else may be written too.
    hint: what is shown beside the cell that is being filled in (title and text).
    needed_for: answers in the first answer column with which this cell must not stay empty; it is then coloured.
    late_before: dates before this day are shown as late.
    """

    header: str
    width: float
    kind: Kind = "text"
    answer: bool = False
    choices: tuple[str, ...] = ()
    free: bool = False
    hint: str = ""
    needed_for: tuple[str, ...] | Literal["any"] = ()
    late_before: dt.date | None = None
    centred: bool = False


class OfficeWorkbook:
    """A workbook being made; `content` closes it and gives its bytes."""

    def __init__(self, title: str, day: dt.date, *, subject: str = "") -> None:
        self._title = title
        self._packed = io.BytesIO()
        self._book = xlsxwriter.Workbook(
            self._packed,
            {
                "in_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "default_format_properties": {"font_name": FONT, "font_size": 11, "font_color": _INK},
            },
        )
        created = dt.datetime(day.year, day.month, day.day)  # noqa: DTZ001 -- a workbook's dates have no zone
        self._book.set_properties({"title": title, "subject": subject, "author": "kcb", "created": created})
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def content(self) -> bytes:
        """The finished workbook."""
        self._book.close()
        return self._packed.getvalue()

    def table(
        self,
        name: str,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Value]],
        *,
        note: str = "",
        protected: bool = False,
        frozen_columns: int = 0,
    ) -> None:
        """A sheet with a header on its first row and a row below it for each of `rows`.

        The title stands in the page header, not in a cell: so a sheet that an office saves as CSV still begins with its header.
        """
        sheet = self._book.add_worksheet(name)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, column.width)
            sheet.write_string(0, place, column.header, self._head(column))
        sheet.set_row(0, 34)
        formats: dict[tuple[int, str], Any] = {}
        for line, row in enumerate(rows, start=1):
            sheet.set_row(line, _height(columns, row, least=44 if protected else 20))
            for place, (column, value) in enumerate(zip(columns, row, strict=True)):
                look = (place, _look(value, column))
                if look not in formats:
                    formats[look] = self._cell(column, look[1], given=protected)
                _write(sheet, line, place, value, formats[look])
        last = max(len(rows), 1)
        sheet.freeze_panes(1, frozen_columns)
        if rows:
            sheet.autofilter(0, 0, last, len(columns) - 1)
            for place, column in enumerate(columns):
                self._validate(sheet, place, column, last)
                self._colour(sheet, place, columns, last)
        if protected:
            sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})
        self._lay_out(sheet, note, landscape=True)
        sheet.repeat_rows(0)
        if frozen_columns:
            sheet.set_selection(1, frozen_columns, 1, frozen_columns)

    def text(self, name: str, sections: Sequence[tuple[str, Sequence[Sequence[str]]]], widths: Sequence[float]) -> None:
        """A sheet to read: headings, and below each its rows of text (the first of a row of several cells is a term)."""
        sheet = self._book.add_worksheet(name)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width)
        plain = self._format(text_wrap=True, valign="top", num_format="@")
        term = self._format(text_wrap=True, valign="top", bold=True, num_format="@", bottom=1, bottom_color=_LINE)
        cell = self._format(text_wrap=True, valign="top", num_format="@", bottom=1, bottom_color=_LINE)
        heading = self._format(bold=True, font_size=13, font_color=_HEAD, valign="vcenter")
        line = 0
        for title, rows in sections:
            sheet.set_row(line, 24)
            sheet.write_string(line, 0, title, heading)
            line += 1
            for row in rows:
                if len(row) == 1:
                    sheet.merge_range(line, 0, line, len(widths) - 1, "", plain)
                    sheet.write_string(line, 0, row[0], plain)
                    sheet.set_row(line, 16.0 * _lines(row[0], sum(widths)))
                else:
                    for place, words in enumerate(row):
                        sheet.write_string(line, place, words, cell if place else term)
                    sheet.set_row(line, 16.0 * max(_lines(w, widths[place]) for place, w in enumerate(row)))
                line += 1
            line += 1
        sheet.hide_gridlines(2)
        sheet.protect()
        self._lay_out(sheet, "", landscape=False)

    # -- cells -----------------------------------------------------------------------------------------------------

    def _cell(self, column: Column, look: str, *, given: bool) -> Any:
        """The format of a cell of a column that holds what `_look` says."""
        cell = {"text_wrap": True, "valign": "vcenter", "border": 1, "border_color": _LINE, "locked": not column.answer}
        if given:
            cell["bg_color"] = _ANSWER if column.answer else _GIVEN
        if column.centred or column.kind == "date":
            cell["align"] = "center"
        if look in ("text", "formula"):
            if look == "formula":
                cell["quote_prefix"] = True
            if column.kind in ("whole", "share"):
                cell["align"] = "right"
            return self._format(**cell, num_format="@")
        return self._format(**cell, num_format=_NUMBER_FORMATS[look])

    def _head(self, column: Column) -> Any:
        return self._format(
            bold=True, font_color="#FFFFFF", bg_color=_HEAD_ANSWER if column.answer else _HEAD, text_wrap=True,
            valign="vcenter", align="center", border=1, border_color=_LINE,
        )  # fmt: skip

    def _format(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self._book.add_format({"font_name": FONT, "font_size": 11, **properties})
        return self._formats[key]

    # -- what helps whoever fills it in ----------------------------------------------------------------------------

    def _validate(self, sheet: Any, place: int, column: Column, last: int) -> None:
        if not column.answer:
            return
        rule: dict[str, Any] = {"validate": "any", "ignore_blank": True}
        if column.choices:
            rule |= {
                "validate": "list",
                "source": list(column.choices),
                "error_type": "warning" if column.free else "stop",
            }
            rule["error_message"] = "建议从下拉选项中选择。" if column.free else "请从下拉选项中选择。"
        elif column.kind == "date":
            rule |= {
                "validate": "date",
                "criteria": "between",
                "minimum": dt.date(2000, 1, 1),
                "maximum": dt.date(2100, 12, 31),
            }
            rule |= {"error_type": "warning", "error_message": "请填写日期，如 2026-11-19。"}
        elif column.kind == "whole":
            rule |= {"validate": "integer", "criteria": "between", "minimum": 0, "maximum": 999}
            rule |= {"error_type": "stop", "error_message": "请填写 0 至 999 的整数。"}
        if column.hint:
            rule |= {"input_title": column.header[:32], "input_message": column.hint[:255]}
        if "error_message" in rule:
            rule["error_title"] = column.header[:32]
        if len(rule) > 2:
            sheet.data_validation(1, place, last, place, rule)

    def _colour(self, sheet: Any, place: int, columns: Sequence[Column], last: int) -> None:
        """Late dates in red; an answer cell that the result calls for, and that is still empty, in yellow."""
        column = columns[place]
        if column.late_before is not None:
            late = self._book.add_format({"font_color": _LATE, "bold": True})
            rule = {"type": "date", "criteria": "less than", "value": column.late_before, "format": late}
            sheet.conditional_format(1, place, last, place, rule)
        if column.needed_for:
            first = next(n for n, other in enumerate(columns) if other.answer)
            result, own = f"${xl_col_to_name(first)}2", f"{xl_col_to_name(place)}2"
            wanted = (
                f'{result}<>""'
                if column.needed_for == "any"
                else "OR(" + ",".join(f'{result}="{answer}"' for answer in column.needed_for) + ")"
            )
            missing = self._book.add_format({"bg_color": _MISSING})
            rule = {"type": "formula", "criteria": f'=AND({wanted},{own}="")', "format": missing}
            sheet.conditional_format(1, place, last, place, rule)

    def _lay_out(self, sheet: Any, note: str, *, landscape: bool) -> None:
        """A4, one page wide, the title above and the page number below every page."""
        if landscape:
            sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.3, right=0.3, top=0.7, bottom=0.55)
        title = self._title.replace("&", "&&")[:120]
        sheet.set_header(f'&C&"{FONT},Bold"&14{title}', {"margin": 0.3, "scale_with_doc": False})
        left = f"&L&9{note.replace('&', '&&')[:90]}" if note else ""
        sheet.set_footer(f"{left}&R&9第 &P 页，共 &N 页", {"margin": 0.25, "scale_with_doc": False})


def _look(value: Value, column: Column) -> str:
    """What decides how a cell is shown: a kind of value, or a text, or one that a program might take for a formula."""
    match value:
        case str() if value:
            return "formula" if value.startswith(STARTS_A_FORMULA) else "text"
        case dt.date():
            return "date"
        case _:
            return column.kind


def _write(sheet: Any, line: int, place: int, value: Value, look: Any) -> None:
    match value:
        case None | "":
            sheet.write_blank(line, place, None, look)
        case str():
            sheet.write_string(line, place, value, look)
        case dt.date():
            sheet.write_datetime(line, place, value, look)
        case _:
            sheet.write_number(line, place, value, look)


LINE_HEIGHT: Final = 15.5
MOST_LINES: Final = 20


def _height(columns: Sequence[Column], row: Sequence[Value], *, least: float) -> float:
    """The height at which a row shows all that stands in it: not every program works that out by itself."""
    lines = [_lines(value, column.width) for column, value in zip(columns, row, strict=True) if isinstance(value, str)]
    return max(least, min(max(lines, default=1), MOST_LINES) * LINE_HEIGHT + 3)


_WIDE: Final = re.compile("[\u2e80-\U0010ffff]+")


def _lines(words: str, width: float) -> int:
    """About how many lines a text takes in a column: a Chinese character is as wide as two letters."""
    room = max(int(width * 1.05) - 1, 1)
    if 2 * len(words) <= room and "\n" not in words:
        return 1
    return max(1, sum(-(-(2 * len(part) - len(_WIDE.sub("", part))) // room) for part in words.split("\n")))
