"""Landing: an extract's rows in the working database under canonical names, and an account of every row that came.

`landed.<source>` holds the rows that stay, as sent, with their data row number; `landed.files` the account of each file;
`landed.quarantined_rows` and `landed.cell_issues` what was wrong, by row, column and rule, never the value. Of a form of ours that
comes back, `landed.form_rows` and `landed.form_columns` say where in its file a row and a column stand, so that an office is told
which cell to mend.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import insert, scalar
from kcb_pipeline.engines.embedded import rows as query
from kcb_pipeline.engines.workspace import ParquetTable, Workspace
from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import RawBatch, Reader
from kcb_pipeline.extracts.catalogue import MISSING, Source
from kcb_pipeline.extracts.cells import BAD_CHECK_DIGIT, ColumnReader, arrow_type
from kcb_pipeline.extracts.delivery import Delivery, ExtractFile, find_columns
from kcb_pipeline.identity import id_number
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.threads import ahead

ID_BIRTH_MISMATCH = "id_birth_mismatch"
ID_SEX_MISMATCH = "id_sex_mismatch"
NAME_MISSING = "name_missing"
UNIDENTIFIABLE = "unidentifiable"
REQUIRED_CELL_MISSING = "required_cell_missing"
TOO_LONG = "too_long"

CITIZEN_CARD = "1"
"""身份证件类型 1, 居民身份证: only its numbers have a check digit to be wrong."""


@dataclass(frozen=True, slots=True)
class LandedSource:
    """What became of one source: whether it came, and its account. `unanswered` of a form's landed rows say nothing yet."""

    source: str
    sent: bool
    read: int = 0
    landed: int = 0
    quarantined: int = 0
    duplicate_rows: int = 0
    unanswered: int = 0
    cell_issues: int = 0
    forms: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()


def land(workspace: Workspace, delivery: Delivery, source: Source, *, progress: Progress = SILENT) -> LandedSource:
    """Land one source of a delivery, replacing what an earlier run landed of it.

    Raises ContractError where a file breaks the contract as a whole; what was landed before then stands as it was.
    """
    files = delivery.files.get(source.name, ())
    token = _token(files)
    with workspace.connect() as connection:
        connection.execute(_ACCOUNT_TABLES)
        lander = _Lander(source, delivery.comparison_date)
        with ParquetTable(workspace.parquet("landed", source.name, token)) as table:
            table.write(lander.empty())
            whole, done = sum(file.size for file in files), 0
            for file in files:
                reader = file.open()
                for batch in lander.land_file(file, reader):
                    table.write(batch)
                    progress.update(source.name, done + reader.position, whole, rows=lander.rows)
                done += file.size
        if source.required and not lander.rows:
            raise ContractError(file=files[0].told, source=source.name, expected="data rows", found="none")
        connection.execute("BEGIN")
        for account in ("files", "quarantined_rows", "cell_issues", "duplicate_rows", "form_rows", "form_columns"):
            connection.execute(f"DELETE FROM landed.{account} WHERE source = ?", [source.name])
        lander.write_account(connection)
        workspace.show(connection, "landed", source.name, token)
        if _find_duplicate_rows(connection, source):
            kept = f"row NOT IN (SELECT row FROM landed.duplicate_rows WHERE source = '{source.name}')"
            workspace.show(connection, "landed", source.name, token, where=kept)
        if source.form is not None:
            _count_unanswered(connection, source)
        connection.execute("COMMIT")
        return _account(connection, source) if files else LandedSource(source.name, sent=False)


_ACCOUNT_TABLES = """
CREATE TABLE IF NOT EXISTS landed.files (
    source VARCHAR, file VARCHAR, form VARCHAR, sha256 VARCHAR, first_row BIGINT,
    read BIGINT, landed BIGINT, quarantined BIGINT, duplicate_rows BIGINT, unanswered BIGINT, unknown_columns VARCHAR[]);
CREATE TABLE IF NOT EXISTS landed.quarantined_rows (source VARCHAR, file VARCHAR, row BIGINT, "column" VARCHAR, rule VARCHAR);
CREATE TABLE IF NOT EXISTS landed.cell_issues (source VARCHAR, file VARCHAR, row BIGINT, "column" VARCHAR, rule VARCHAR);
CREATE TABLE IF NOT EXISTS landed.duplicate_rows (source VARCHAR, row BIGINT);
CREATE TABLE IF NOT EXISTS landed.form_rows (source VARCHAR, file VARCHAR, row BIGINT, line BIGINT);
CREATE TABLE IF NOT EXISTS landed.form_columns (source VARCHAR, file VARCHAR, "column" VARCHAR, letter VARCHAR);
"""


def _token(files: tuple[ExtractFile, ...]) -> str:
    """Tells one landed generation from another: what was sent, and the code that read it."""
    digest = hashlib.sha256(__version__.encode())
    for file in files:
        digest.update(f"{file.shown}\0{file.sha256}\n".encode())
    return digest.hexdigest()[:12]


class _Lander:
    """Lands the files of one source after each other; rows are numbered through all of them."""

    def __init__(self, source: Source, comparison_date: dt.date) -> None:
        self._source = source
        self._date = comparison_date
        self._readers = {column.name: ColumnReader(column, comparison_date) for column in source.columns}
        self._files: list[list[object]] = []
        self._quarantined: list[tuple[str, int, str | None, str]] = []
        self._issues: list[pl.DataFrame] = []
        self._form_rows: list[tuple[str, int, int]] = []
        self._form_columns: list[tuple[str, str, str]] = []
        self.rows = 0

    def empty(self) -> pa.Table:
        """A table of no rows with the columns that the source lands with."""
        fields = [("row", pa.int64()), *((column.name, arrow_type(column)) for column in self._source.columns)]
        if any(column.name == "id_number" for column in self._source.columns):
            fields.append(("id_valid", pa.bool_()))
        return pa.schema(fields).empty_table()

    def land_file(self, file: ExtractFile, reader: Reader) -> Iterator[pa.Table]:
        """Land one file: the rows that stay, batch by batch."""
        positions, unknown = find_columns(reader.headers, self._source, shown=file.told)
        before = self.rows
        kept = quarantined = 0
        for batch in ahead(reader.batches(positions)):
            landed = self._land_batch(file, batch, before)
            kept += landed.num_rows
            quarantined += len(batch.rows) - landed.num_rows + len(batch.refused)
            last = max([0, *(row for row, _ in batch.refused[-1:]), *batch.rows[-1:].tolist()])
            self.rows = max(self.rows, before + int(last))
            yield landed
        if not file.is_unchanged():
            raise ContractError(
                file=file.told,
                source=self._source.name,
                expected="a file that is complete",
                found="one still being written",
            )
        self._files.append([
            self._source.name, file.shown, reader.form, file.sha256, before + 1,
            self.rows - before, kept, quarantined, list(unknown),
        ])  # fmt: skip
        if self._source.form is not None:
            self._form_rows += [
                (file.shown, row, reader.line(row - before)) for row in range(before + 1, self.rows + 1)
            ]
            self._form_columns += [(file.shown, name, column_letter(place)) for name, place in positions.items()]

    def write_account(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the account of each file, the quarantined rows and the cell issues."""
        for entry in self._files:
            connection.execute("INSERT INTO landed.files VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)", entry)
        schema = {"file": pl.String, "row": pl.Int64, "column": pl.String, "rule": pl.String}
        quarantined = pl.DataFrame(self._quarantined, schema=schema, orient="row")
        issues = pl.concat([pl.DataFrame(schema=schema), *self._issues])
        for table, notes in (("quarantined_rows", quarantined), ("cell_issues", issues)):
            ordered = notes.sort("row", "column", "rule").with_columns(pl.lit(self._source.name).alias("source"))
            insert(connection, f"landed.{table}", ordered)
        for table, entries, last in (
            ("form_rows", self._form_rows, "line"),
            ("form_columns", self._form_columns, "letter"),
        ):
            names = ["file", "row" if last == "line" else "column", last]
            if entries:
                data = pl.DataFrame(entries, schema=names, orient="row").sort(names)
                insert(connection, f"landed.{table}", data.with_columns(pl.lit(self._source.name).alias("source")))

    def _land_batch(self, file: ExtractFile, batch: RawBatch, before: int) -> pa.Table:
        """Convert and judge one batch: its rows that stay."""
        self._quarantined += [(file.shown, before + row, None, rule) for row, rule in batch.refused]
        size = len(batch.rows)
        if not size:
            return self.empty()
        rows = batch.rows + before
        verdict = _RowVerdict(size)
        values: dict[str, pa.Array] = {}
        for column in self._source.columns:
            cells = batch.columns.get(column.name)
            if cells is None:
                values[column.name] = pa.nulls(size, type=arrow_type(column))
                continue
            read = self._readers[column.name].read(cells, tidy=batch.tidy)
            values[column.name] = read.values
            verdict.refuse(read.too_long, column.name, TOO_LONG)
            for rule, places in read.issues:
                self._note(file, rows[places], column.name, rule)
        if "id_number" in values:
            values["id_valid"] = self._check_numbers(file, values, rows)
        self._judge_rows(values, self._unanswered(batch), verdict)
        self._quarantined += [
            (file.shown, int(rows[place]), column, rule) for place, column, rule in verdict.refusals()
        ]
        table = pa.table({"row": pa.array(rows), **values})
        return table.filter(pa.array(~verdict.refused)) if verdict.any() else table

    def _note(self, file: ExtractFile, rows: NDArray[np.int64], column: str, rule: str) -> None:
        if len(rows):
            self._issues.append(
                pl.DataFrame({"row": rows}).select(
                    pl.lit(file.shown).alias("file"), "row", pl.lit(column).alias("column"), pl.lit(rule).alias("rule")
                )
            )

    def _check_numbers(self, file: ExtractFile, values: dict[str, pa.Array], rows: NDArray[np.int64]) -> pa.Array:
        """Whether each row's own ID number is valid, with the rules that a number, a birth date and a sex can break."""
        numbers = pl.Series("number", values["id_number"], dtype=pl.String)
        valid = id_number.valid(numbers, on=self._date)
        for column in self._source.columns:
            if column.type == "id_number" and column.name != "id_number":
                others = pl.Series(values[column.name], dtype=pl.String)
                others_valid = id_number.valid(others, on=self._date)
                self._note_bad_digits(file, others, others_valid, column.name, rows)
        citizen = numbers
        if "id_type" in values:
            id_type = pl.Series("id_type", values["id_type"], dtype=pl.String)
            frame = pl.DataFrame([numbers, id_type])
            citizen = frame.select(
                pl.when(pl.col("id_type").is_null() | (pl.col("id_type") == CITIZEN_CARD)).then("number")
            )["number"]
        self._note_bad_digits(file, citizen, valid, "id_number", rows)
        said = {"id_number": numbers, "valid": valid}
        for name, rule, of_number in (
            ("birth_date", ID_BIRTH_MISMATCH, id_number.birth_date),
            ("sex", ID_SEX_MISMATCH, id_number.sex),
        ):
            if name in values:
                written = pl.Series(values[name])
                differs = pl.DataFrame({**said, "written": written, "number": of_number(numbers)}).select(
                    (pl.col("valid") & (pl.col("written") != pl.col("number"))).fill_null(value=False)
                )
                self._note(file, rows[differs.to_series().to_numpy()], "id_number", rule)
        return valid.to_arrow()

    def _note_bad_digits(
        self, file: ExtractFile, numbers: pl.Series, valid: pl.Series, column: str, rows: NDArray[np.int64]
    ) -> None:
        bad = numbers.is_not_null() & ~valid
        if bad.any():
            bad &= ~id_number.is_numeric_ruin(numbers)  # named already, as what it is
            self._note(file, rows[bad.to_numpy()], column, BAD_CHECK_DIGIT)

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
        for name in ("birth_date", "student_number"):
            if name in values:
                nobody = pc.and_(nobody, pc.is_null(values[name]))
        verdict.refuse_where(nobody, None, UNIDENTIFIABLE)


def _says_nothing(cells: pa.Array) -> NDArray[np.bool_]:
    texts = pl.Series("cells", cells, dtype=pl.String).str.strip_chars()
    return (texts.is_null() | texts.is_in(list(MISSING))).to_numpy()


def column_letter(place: int) -> str:
    """What a spreadsheet calls the column at a position from 0.

    >>> column_letter(0), column_letter(25), column_letter(26), column_letter(702)
    ('A', 'Z', 'AA', 'AAA')
    """
    letters = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


class _RowVerdict:
    """Which rows of a batch are refused, each for the first rule it broke."""

    def __init__(self, size: int) -> None:
        self.refused = np.zeros(size, dtype=bool)
        self._why: dict[int, tuple[str | None, str]] = {}

    def any(self) -> bool:
        return bool(self._why)

    def refuse(self, places: list[int], column: str | None, rule: str) -> None:
        for place in places:
            if not self.refused[place]:
                self.refused[place] = True
                self._why[place] = (column, rule)

    def refuse_where(self, broken: pa.Array, column: str | None, rule: str) -> None:
        if pc.any(broken).as_py():
            self.refuse(pc.indices_nonzero(broken).to_pylist(), column, rule)

    def refusals(self) -> Iterator[tuple[int, str | None, str]]:
        for place in sorted(self._why):
            yield place, *self._why[place]


def _find_duplicate_rows(connection: duckdb.DuckDBPyConnection, source: Source) -> bool:
    """Note all but the first of rows that are the same in every cell, and account for them; whether there are any.

    Rows that are the same in every cell are the same in the required ones, so only rows that share those are compared
    whole: a night reads the wide columns of a few rows instead of all.
    """
    required = ", ".join(f'"{column.name}"' for column in source.columns if column.required)
    names = ", ".join(f'"{column.name}"' for column in source.columns)
    connection.execute(
        f"""
        INSERT INTO landed.duplicate_rows
        WITH hashed AS (SELECT row, hash({required}) AS required FROM landed.{source.name}),
        suspects AS (
            SELECT row FROM hashed SEMI JOIN (
                SELECT required FROM hashed GROUP BY required HAVING count(*) > 1
            ) USING (required)
        )
        SELECT '{source.name}', row FROM (
            SELECT row, row_number() OVER (PARTITION BY {names} ORDER BY row) AS nth
            FROM landed.{source.name} WHERE row IN (SELECT row FROM suspects)
        ) WHERE nth > 1 ORDER BY row
        """
    )
    connection.execute(
        """
        UPDATE landed.files SET duplicate_rows = found, landed = landed - found
        FROM (
            SELECT f.first_row AS first, count(*) AS found FROM landed.files f
            JOIN landed.duplicate_rows d ON d.source = f.source AND d.row BETWEEN f.first_row AND f.first_row + f.read - 1
            WHERE f.source = $source GROUP BY f.first_row
        ) WHERE source = $source AND first_row = first
        """,
        {"source": source.name},
    )
    return bool(scalar(connection, "SELECT count(*) FROM landed.duplicate_rows WHERE source = ?", [source.name]))


def _count_unanswered(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Note how many of each file's landed rows say nothing yet: every other landed row has all the required cells."""
    says_nothing = " OR ".join(f'"{column.name}" IS NULL' for column in source.columns if column.required)
    connection.execute(
        f"""
        UPDATE landed.files SET unanswered = found
        FROM (
            SELECT f.first_row AS first, count(*) AS found FROM landed.files f
            JOIN landed.{source.name} s ON s.row BETWEEN f.first_row AND f.first_row + f.read - 1
            WHERE f.source = $source AND ({says_nothing}) GROUP BY f.first_row
        ) WHERE source = $source AND first_row = first
        """,
        {"source": source.name},
    )


def _account(connection: duckdb.DuckDBPyConnection, source: Source) -> LandedSource:
    [(read, landed, quarantined, duplicate_rows, unanswered, forms, unknown)] = query(
        connection,
        """
        SELECT sum(read), sum(landed), sum(quarantined), sum(duplicate_rows), sum(unanswered), list(DISTINCT form ORDER BY form),
               list_sort(list_distinct(flatten(list(unknown_columns))))
        FROM landed.files WHERE source = ?
        """,
        [source.name],
    )
    issues = scalar(connection, "SELECT count(*) FROM landed.cell_issues WHERE source = ?", [source.name])
    return LandedSource(
        source.name,
        sent=True,
        read=int(read),
        landed=int(landed),
        quarantined=int(quarantined),
        duplicate_rows=int(duplicate_rows),
        unanswered=int(unanswered),
        cell_issues=int(issues),
        forms=tuple(forms),
        unknown_columns=tuple(unknown or ()),
    )
