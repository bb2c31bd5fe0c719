"""What is made of a stretch of rows: the values of cells, the rules that cells and rows break, which rows stay, and what each row looks like.

Nothing that is said of one stretch depends on another, so that stretches are worked on side by side. Rows are counted within the stretch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kcb_pipeline.extracts.batches import TOO_LONG, RawBatch, Stretch
from kcb_pipeline.extracts.catalogue import MISSING, Source
from kcb_pipeline.extracts.cells import BAD_CHECK_DIGIT, ColumnReader, arrow_type
from kcb_pipeline.identity import id_number

ID_BIRTH_MISMATCH = "id_birth_mismatch"
ID_SEX_MISMATCH = "id_sex_mismatch"
NAME_MISSING = "name_missing"
UNIDENTIFIABLE = "unidentifiable"
REQUIRED_CELL_MISSING = "required_cell_missing"

CITIZEN_CARD = "1"
"""身份证件类型 1, 居民身份证: only its numbers have a check digit to be wrong."""


@dataclass(frozen=True, slots=True)
class LandedRows:
    """What became of a stretch of a file; data rows are counted from 1 within it.

    table: the rows that stay. fingerprints: columns `row`, `a` and `b`, equal in both where rows are the same in every cell.
    quarantined: (row, column, rule) of those that leave. issues: (column, rule, rows).
    """

    count: int
    table: pa.Table
    fingerprints: pl.DataFrame
    quarantined: list[tuple[int, str | None, str]]
    issues: list[tuple[str, str, NDArray[np.int64]]]
    position: int


class Rules:
    """The rules of one source, held to one stretch after the other. From stretch to stretch it remembers what distinct cells mean, and nothing else."""

    def __init__(self, source: Source, comparison_date: dt.date) -> None:
        self._source = source
        self._date = comparison_date
        self._readers = {column.name: ColumnReader(column, comparison_date) for column in source.columns}

    def land(self, stretch: Stretch) -> LandedRows:
        """Read, convert and judge one stretch."""
        batch = stretch()
        rows, size = batch.rows, len(batch.rows)
        verdict = _RowVerdict(size)
        values: dict[str, pa.Array] = {}
        issues: list[tuple[str, str, NDArray[np.int64]]] = []
        for column in self._source.columns:
            cells = batch.columns.get(column.name)
            if cells is None:
                values[column.name] = pa.nulls(size, type=arrow_type(column))
                continue
            read = self._readers[column.name].read(cells, batch.suspects)
            values[column.name] = read.values
            verdict.refuse(read.too_long, column.name, TOO_LONG)
            issues += [(column.name, rule, rows[places]) for rule, places in read.issues]
        if "id_number" in values:
            valid, found = self._check_numbers(values)
            values["id_valid"] = pa.array(valid)
            issues += [(column, rule, rows[broken]) for column, rule, broken in found if broken.any()]
        self._judge_rows(values, self._unanswered(batch), verdict)
        quarantined: list[tuple[int, str | None, str]] = [(row, None, rule) for row, rule in batch.refused]
        quarantined += [(int(rows[place]), column, rule) for place, column, rule in verdict.refusals()]
        table = pa.table({"row": pa.array(rows), **values})
        prints = fingerprints(table)
        if verdict.any():
            table, prints = _without(table, verdict.refused), prints.filter(~verdict.refused)
        return LandedRows(batch.count, table, prints, quarantined, issues, batch.position)

    def _check_numbers(
        self, values: dict[str, pa.Array]
    ) -> tuple[NDArray[np.bool_], list[tuple[str, str, NDArray[np.bool_]]]]:
        """Whether each row's own ID number is valid, and which rows break a rule that a number, a birth date and a sex can break."""
        broken: list[tuple[str, str, NDArray[np.bool_]]] = []
        for column in self._source.columns:
            if column.type == "id_number" and column.name != "id_number":
                numbers = values[column.name]
                valid = id_number.told(numbers, on=self._date).valid
                broken.append((column.name, BAD_CHECK_DIGIT, _bad_digits(numbers, valid)))
        numbers = values["id_number"]
        own = id_number.told(numbers, on=self._date)
        bad = _bad_digits(numbers, own.valid)
        if "id_type" in values and bad.any():
            bad &= pc.fill_null(pc.equal(values["id_type"], CITIZEN_CARD), fill_value=True).to_numpy(
                zero_copy_only=False
            )
        broken.append(("id_number", BAD_CHECK_DIGIT, bad))
        if "birth_date" in values:
            written = values["birth_date"].cast(pa.int32()).fill_null(id_number.NO_DAY).to_numpy()
            differs = (written != own.birth_days) & (written != id_number.NO_DAY)
            broken.append(("id_number", ID_BIRTH_MISMATCH, own.valid & differs))
        if "sex" in values:
            sexes = pc.fill_null(values["sex"].cast(pa.string()).cast(pa.uint8()), 0).to_numpy()
            broken.append(("id_number", ID_SEX_MISMATCH, own.valid & (sexes != own.sex) & (sexes != 0)))
        return own.valid, broken

    def _unanswered(self, batch: RawBatch) -> pa.Array:
        """Which rows of a form of ours hold only what we had filled in: a case, and nothing said of it."""
        form = self._source.form
        if form is None:
            return pa.array(np.zeros(len(batch.rows), dtype=bool))
        blank = {name: _says_nothing(cells) for name, cells in batch.columns.items()}
        found = ~blank[form.given[0]]
        for name, cells in blank.items():
            if name not in form.given:
                found &= cells
        return pa.array(found)

    def _judge_rows(self, values: dict[str, pa.Array], unanswered: pa.Array, verdict: _RowVerdict) -> None:
        """Quarantine rows that say nobody (person sources) or nothing (the others, but for forms nobody has answered yet)."""
        if self._source.row_rule == "cells":
            for column in self._source.columns:
                if column.required:
                    missing = pc.and_(pc.is_null(values[column.name]), pc.invert(unanswered))
                    verdict.refuse_where(missing, column.name, REQUIRED_CELL_MISSING)
            return
        verdict.refuse_where(pc.is_null(values["name"]), "name", NAME_MISSING)
        nobody = pc.invert(values["id_valid"])
        if "birth_date" in values:
            nobody = pc.and_(nobody, pc.is_null(values["birth_date"]))
        if "student_number" in values and pc.any(nobody).as_py():
            nobody = pc.and_(nobody, self._has_no_student_number(values["student_number"]))
        verdict.refuse_where(nobody, None, UNIDENTIFIABLE)

    def _has_no_student_number(self, numbers: pa.Array) -> pa.Array:
        """Which cells hold none: files that were joined have a header line in their middle, whose cell says what the column is called."""
        called = [key for key, column in self._source.headers.items() if column.name == "student_number"]
        said = pc.utf8_rtrim(pc.utf8_upper(numbers), characters="*★＊")
        return pc.or_(pc.is_null(numbers), pc.is_in(said, value_set=pa.array(called)))


class _RowVerdict:
    """Which rows of a batch are refused, each for the first rule it broke."""

    def __init__(self, size: int) -> None:
        self.refused = np.zeros(size, dtype=bool)
        self._why: dict[int, tuple[str | None, str]] = {}

    def any(self) -> bool:
        return bool(self._why)

    def refuse(self, places: NDArray[np.int64], column: str | None, rule: str) -> None:
        for place in places.tolist():
            if not self.refused[place]:
                self.refused[place] = True
                self._why[place] = (column, rule)

    def refuse_where(self, broken: pa.Array, column: str | None, rule: str) -> None:
        if pc.any(broken).as_py():
            self.refuse(pc.indices_nonzero(broken).to_numpy(), column, rule)

    def refusals(self) -> Iterator[tuple[int, str | None, str]]:
        for place in sorted(self._why):
            yield place, *self._why[place]


def _without(table: pa.Table, refused: NDArray[np.bool_]) -> pa.Table:
    """The rows that are not refused. Where they are many between two refused ones, they are pointed at and not copied."""
    places = np.flatnonzero(refused)
    if len(places) * _ROWS_WORTH_POINTING_AT > len(refused):
        return table.filter(pa.array(~refused))
    bounds = np.concatenate([[-1], places, [len(refused)]]).tolist()
    return pa.concat_tables(
        [table.slice(before + 1, after - before - 1) for before, after in pairwise(bounds) if after > before + 1]
    )


_ROWS_WORTH_POINTING_AT: Final = 1000


def fingerprints(table: pa.Table) -> pl.DataFrame:
    """`row`, and two numbers `a` and `b` of 64 bits that say what all other cells of the row hold.

    Rows that are the same have the same numbers. Of ten million rows that are not, the chance that any two have both is 1e-25.
    """
    coded = {n: cells.combine_chunks() for n, cells in _columns(table) if pa.types.is_dictionary(cells.type)}
    plain = pl.DataFrame(table.drop_columns(["row", *coded]))
    found = [pl.Series("row", table["row"])]
    for name, seed in (("a", 1), ("b", 2)):
        # A code by what it says, not by its place among those of its batch.
        codes = [
            pl.Series(n, cells.dictionary, dtype=pl.String).hash(seed).gather(pl.Series(cells.indices))
            for n, cells in coded.items()
        ]
        found.append(plain.hstack(codes).hash_rows(seed).alias(name))
    return pl.DataFrame(found)


def _columns(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    return zip(table.column_names, table.columns, strict=True)


def _bad_digits(numbers: pa.Array, valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which numbers are not valid, but for those that a spreadsheet ruined: they are named already, as what they are."""
    bad = ~valid & numbers.is_valid().to_numpy(zero_copy_only=False)
    places = np.flatnonzero(bad)
    bad[places] = ~id_number.is_numeric_ruin(pl.Series(numbers.take(pa.array(places)), dtype=pl.String)).to_numpy()
    return bad


def _says_nothing(cells: pa.Array) -> NDArray[np.bool_]:
    texts = pl.Series("cells", cells.cast(pa.string())).str.strip_chars()
    return (texts.is_null() | texts.is_in(list(MISSING))).to_numpy()
