"""How each source arrives: in which files, under which headers, in which encoding.

What belongs here: the habits of the offices that send files, chosen so that together they use everything the contract
allows. Here the rows get their numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from kcb_pipeline.sample import dirt, files
from kcb_pipeline.sample.chance import Chance, stream
from kcb_pipeline.sample.columns import SOURCES, Column, Style, places
from kcb_pipeline.sample.forms import serial
from kcb_pipeline.sample.places import COUNTIES
from kcb_pipeline.sample.sources import LINES, Line
from kcb_pipeline.sample.world import World


@dataclass
class Ledger:
    """What the truth must know of the files as written."""

    quarantined: list[tuple[str, int, str]] = field(default_factory=list)
    """(source, row, rule); repeated rows under `duplicate_row`."""
    cells: list[tuple[str, int, str, str]] = field(default_factory=list)
    """(source, row, column, rule) of the cells that were dirtied on purpose."""
    copies: list[tuple[int, int]] = field(default_factory=list)
    """(row, row it repeats) in the student registry."""


def headers(columns: tuple[Column, ...], style: Style, mark: str = "", *, lower: bool = False) -> list[str]:
    """The header line; needed columns get a mark (`*`, `★`) where the office puts one."""
    texts = [column.header(style) + (mark if column.needed else "") for column in columns]
    return [text.lower() for text in texts] if lower else texts


def write_night(world: World, folder: Path, *, dirty: bool, missing: frozenset[str]) -> Ledger:
    """Write the extracts of the world's day, without the sources that do not arrive; number every row."""
    folder.mkdir(parents=True)
    ledger = Ledger()
    for source, read in LINES.items():
        if source in missing:
            continue
        lines = list(read(world))
        issues = dirt.soil(lines, source, stream(world.seed, "dirt", source)) if dirty else []
        stream(world.seed, "order", source, world.day).shuffle(lines)
        if lines and lines[0].file:
            lines.sort(key=lambda line: line.file)  # one file a county, in byte order of their names
        _number(source, lines, issues, ledger)
        _WRITERS[source](folder, lines, stream(world.seed, "cells", source) if dirty else None)
    return ledger


def _number(source: str, lines: list[Line], issues: list[dirt.CellIssue], ledger: Ledger) -> None:
    first_copy: dict[int, int] = {}
    noted = {cells: (column, rule) for cells, column, rule in issues}
    for row, line in enumerate(lines, 1):
        if not line.rule:
            if line.about is not None:
                line.about.row = row
            if noted and id(line.cells) in noted:
                ledger.cells.append((source, row, *noted[id(line.cells)]))
        elif line.rule != "copy":
            ledger.quarantined.append((source, row, line.rule))
        elif id(line.cells) in first_copy:
            ledger.quarantined.append((source, row, "duplicate_row"))
            if source == "student_registry":
                ledger.copies.append((row, first_copy[id(line.cells)]))
        else:
            first_copy[id(line.cells)] = row
            if line.about is not None:
                line.about.row = row


# ---- one function a source

Writer = Callable[[Path, list[Line], Chance | None], None]


def _by_file(lines: list[Line]) -> dict[str, list[list[str]]]:
    """The rows of each county's file; every county has one, so that a small world sends the same files."""
    groups: dict[str, list[list[str]]] = {code: [] for code, _ in COUNTIES}
    for line in lines:
        groups[line.file].append(line.cells)
    return groups


def _blanks(cells: list[str], blank: str) -> list[str]:
    """The cells with an office's own word for nothing."""
    return [cell or blank for cell in cells] if blank else cells


def _population(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """A folder with a file a county: GB18030, pinyin headers, a column of their own, dates and blanks as they please."""
    folder = folder / "population"
    folder.mkdir()
    columns = SOURCES["population"]
    for place, (code, rows) in enumerate(_by_file(lines).items()):
        header = [*headers(columns, "pinyin", "*" if place == 1 else "", lower=place == 2), "PCSMC"]
        blank = ("", "\\N", "NULL")[place]
        filled = ([*_blanks(cells, blank), "城关派出所"] for cells in rows)
        content = files.delimited(
            header, filled, separator=",", encoding="gb18030", newline="\r\n" if place == 0 else "\n"
        )
        path = folder / f"{code}.csv"
        if place == 0:
            files.write_with_digest(path, content)
        else:
            path.write_bytes(content)


def _student_registry(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """One UTF-8 file with a byte-order mark under the Chinese name, Chinese headers and labels, and its digest."""
    content = files.delimited(
        headers(SOURCES["student_registry"], "chinese", "★"),
        (line.cells for line in lines),
        separator=",",
        encoding="utf-8-sig",
        newline="\r\n",
    )
    files.write_with_digest(folder / "学籍.csv", content)


def _residents(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """Tab-separated and compressed, missing as a dash."""
    columns = SOURCES["residents"]
    content = files.delimited(
        headers(columns, "pinyin"),
        (_blanks(line.cells, "-") for line in lines),
        separator="\t",
        encoding="utf-8",
        newline="\n",
    )
    (folder / "residents.csv.gz").write_bytes(files.gzipped(content))


def _exit_entry(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """UTF-8 under the Chinese name; epoch milliseconds."""
    content = files.delimited(
        headers(SOURCES["exit_entry"], "chinese"),
        (line.cells for line in lines),
        separator=",",
        encoding="utf-8",
        newline="\n",
    )
    (folder / "出入境.csv").write_bytes(content)


def _deregistrations(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """A file a county, GB18030, everything quoted."""
    folder = folder / "deregistrations"
    folder.mkdir()
    header = headers(SOURCES["deregistrations"], "chinese")
    for code, rows in _by_file(lines).items():
        content = files.delimited(header, rows, separator=",", encoding="gb18030", newline="\r\n", quote_all=True)
        (folder / f"{code}.csv").write_bytes(content)


def _in_school(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """A file a county, separated by bars."""
    folder = folder / "in_school"
    folder.mkdir()
    header = headers(SOURCES["in_school"], "chinese")
    for code, rows in _by_file(lines).items():
        content = files.delimited(header, rows, separator="|", encoding="utf-8", newline="\n")
        (folder / f"{code}.csv").write_bytes(content)


def _absences(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """Parquet with canonical headers and true dates."""
    at = places("absences")
    rows = [line.cells for line in lines]
    frame = pl.DataFrame(
        {name: [cells[place] or None for cells in rows] for name, place in at.items()},
        schema=dict.fromkeys(at, pl.String),
    ).with_columns(pl.col("absent_on").str.to_date("%Y-%m-%d"))
    files.parquet(folder / "absences.parquet", frame)


def _poverty_register(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """A workbook under the Chinese name."""
    files.workbook(
        folder / "脱贫户.xlsx", headers(SOURCES["poverty_register"], "chinese"), [line.cells for line in lines]
    )


def _disability_register(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """UTF-8, everything quoted, missing as 无."""
    content = files.delimited(
        headers(SOURCES["disability_register"], "chinese"),
        (_blanks(line.cells, "无") for line in lines),
        separator=",",
        encoding="utf-8",
        newline="\n",
        quote_all=True,
    )
    (folder / "disability_register.csv").write_bytes(content)


def _approvals(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """A workbook whose first day is a true date cell and whose last day is a serial number."""
    at = places("approvals")
    rows: list[list[str | float | dt.date]] = []
    for line in lines:
        cells: list[str | float | dt.date] = list(line.cells)
        cells[at["from_date"]] = dt.date.fromisoformat(line.cells[at["from_date"]])
        cells[at["to_date"]] = int(serial(dt.date.fromisoformat(line.cells[at["to_date"]])))
        rows.append(cells)
    files.workbook(folder / "approvals.xlsx", headers(SOURCES["approvals"], "chinese"), rows)


def _elsewhere(folder: Path, lines: list[Line], chance: Chance | None) -> None:
    """A workbook with a title and a blank row above the header; where there is dirt, one ID number became a number."""
    rows: list[list[str | float | dt.date]] = [list(line.cells) for line in lines]
    numbers = [row for row in rows if isinstance(row[0], str) and row[0].isdigit()]
    if chance is not None and numbers:
        ruined = min(numbers, key=lambda row: str(row[0]))
        ruined[0] = float(str(ruined[0]))
    files.workbook(
        folder / "elsewhere.xlsx", headers(SOURCES["elsewhere"], "chinese"), rows, title="外地就读学生核实情况表"
    )


def _support_programmes(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """UTF-8 under the Chinese name."""
    content = files.delimited(
        headers(SOURCES["support_programmes"], "chinese"),
        (line.cells for line in lines),
        separator=",",
        encoding="utf-8-sig",
        newline="\n",
    )
    (folder / "五项行动.csv").write_bytes(content)


def _verifications(folder: Path, lines: list[Line], _chance: Chance | None) -> None:
    """A header and nothing else."""
    content = files.delimited(
        headers(SOURCES["verifications"], "chinese"),
        (line.cells for line in lines),
        separator=",",
        encoding="utf-8",
        newline="\n",
    )
    (folder / "verifications.csv").write_bytes(content)


_WRITERS: Final[dict[str, Writer]] = {
    "population": _population,
    "student_registry": _student_registry,
    "residents": _residents,
    "exit_entry": _exit_entry,
    "deregistrations": _deregistrations,
    "in_school": _in_school,
    "absences": _absences,
    "poverty_register": _poverty_register,
    "disability_register": _disability_register,
    "approvals": _approvals,
    "elsewhere": _elsewhere,
    "support_programmes": _support_programmes,
    "verifications": _verifications,
}
