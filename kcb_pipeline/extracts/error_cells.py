"""Cells of a workbook that hold an error (`#N/A`), or a formula that nobody has worked out yet. Calamine gives both as empty: found here, they
are told from cells in which nothing was written."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

from kcb_pipeline.extracts.packed import column_number

NOT_WORKED_OUT: Final = "#N/A"
"""What stands for a formula without a stored value: no value is available."""

_MAY_HAVE: Final = re.compile(rb"""\bt\s*=\s*["']e["']|<(?:\w+:)?f[\s/>]""")
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_DOCUMENT_TYPE: Final = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 64


@dataclass(frozen=True, slots=True)
class ErrorCell:
    """One such cell: its row and column from 0, and the error as a spreadsheet shows it."""

    row: int
    column: int
    text: str


def error_cells(path: Path, sheet: int) -> list[ErrorCell]:
    """Those of the sheet at a place from 0, in the order of the file. The workbook has to have been measured (packed.py).

    Raises zipfile.BadZipFile, KeyError or ValueError where its parts are not what they say, or bring a document type: what XML can be made to do
    to a reader (entities that unfold without end) is declared there, and no workbook has one.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            part = _part_of_sheet(packed, sheet)
            return list(_cells_in(packed, part)) if part is not None and _may_have_some(packed, part) else []
    except ET.ParseError:
        raise ValueError("a part is no XML") from None


def _part_of_sheet(packed: zipfile.ZipFile, sheet: int) -> str | None:
    """Where in the archive a sheet stands; None where it is none of cells (a chart) or where nothing says so."""
    names = {name.lower(): name for name in packed.namelist()}
    workbook, relations = (names.get(name) for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
    if workbook is None or relations is None:
        return None
    sheets = [element for element in _parsed(packed, workbook).iter() if _kind(element) == "sheet"]
    targets = {element.get("Id"): element.get("Target", "") for element in _parsed(packed, relations)}
    if sheet >= len(sheets):
        return None
    relation = next((value for key, value in sheets[sheet].items() if key.endswith("}id")), None)
    target = targets.get(relation, "")
    return names.get((target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl", target))).lower())


def _parsed(packed: zipfile.ZipFile, part: str) -> ET.Element:
    data = packed.read(part)
    _refuse_document_type(data)
    return ET.fromstring(data)  # noqa: S314


def _refuse_document_type(data: bytes) -> None:
    if any(mark in data for mark in _DOCUMENT_TYPE):
        raise ValueError("a part brings a document type")


def _may_have_some(packed: zipfile.ZipFile, part: str) -> bool:
    """Most sheets have neither an error nor a formula, and are not taken apart for it."""
    rest, found = b"", False
    with packed.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            _refuse_document_type(rest + chunk)
            found = found or _MAY_HAVE.search(rest + chunk) is not None
            rest = chunk[-_OVERLAP:]
    return found


def _cells_in(packed: zipfile.ZipFile, part: str) -> Iterator[ErrorCell]:
    row = column = -1
    with packed.open(part) as stream:
        for event, element in ET.iterparse(stream, events=("start", "end")):  # noqa: S314
            kind = _kind(element)
            if event == "start":
                if kind == "row":
                    row, column = int(element.get("r", row + 2)) - 1, -1
                elif kind == "c":
                    place = _REFERENCE.fullmatch(element.get("r", ""))
                    column = column_number(place[1].encode()) - 1 if place else column + 1
                    row = int(place[2]) - 1 if place else row
            elif kind == "c":
                text = _error_in(element)
                if text is not None and min(row, column) < 0:
                    raise ET.ParseError
                if text is not None:
                    yield ErrorCell(row, column, text)
            elif kind == "row":
                element.clear()


def _error_in(cell: ET.Element) -> str | None:
    children = {_kind(child): (child.text or "").strip() for child in cell}
    if cell.get("t") == "e":
        return children.get("v") or NOT_WORKED_OUT
    is_text = cell.get("t") in ("str", "s", "inlineStr")  # a formula may well say the empty text
    return NOT_WORKED_OUT if "f" in children and not children.get("v") and not is_text else None


def _kind(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
