"""Landing: an extract's rows in the working database under canonical names, and an account of every row that came.

`landed.<source>` holds the rows that stay, as sent, with their data row number; `landed.files` the account of each file, and whether its last
line has no line end (`ends_open`) and is no row either (`breaks_off`), as where a copy was cut short;
`landed.quarantined_rows` and `landed.cell_issues` what was wrong, by row, column and rule, never the value. Of a form of ours that
comes back, `landed.form_rows` and `landed.form_columns` say where in its file a row and a column stand, so that an office is told
which cell to mend.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from xlsxwriter.utility import xl_col_to_name

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import insert, scalar
from kcb_pipeline.engines.embedded import rows as query
from kcb_pipeline.engines.workspace import ParquetTable, Workspace
from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import MALFORMED_ROW, TOO_LONG, Reader
from kcb_pipeline.extracts.catalogue import Source
from kcb_pipeline.extracts.cells import arrow_type
from kcb_pipeline.extracts.delivery import Delivery, ExtractFile, find_columns
from kcb_pipeline.extracts.rows import LandedRows, Rules
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.threads import pipelined


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
        connection.execute(_FINGERPRINTS)
        lander = _Lander(source, delivery.comparison_date)
        with ParquetTable(workspace.parquet("landed", source.name, token)) as table:
            table.write(lander.empty())
            whole = sum(file.size for file in files)
            for landed in pipelined(lander.stretches(files)):
                if isinstance(landed, _WholeFile):
                    lander.note_file(landed)
                else:
                    insert(connection, "fingerprints", landed.fingerprints.with_columns(pl.col("row") + lander.rows))
                    table.write(lander.note(landed))
                    progress.update(source.name, lander.done(landed), whole, rows=lander.rows)
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
    read BIGINT, landed BIGINT, quarantined BIGINT, duplicate_rows BIGINT, unanswered BIGINT, unknown_columns VARCHAR[],
    ends_open BOOLEAN, breaks_off BOOLEAN);
CREATE TABLE IF NOT EXISTS landed.quarantined_rows (source VARCHAR, file VARCHAR, row BIGINT, "column" VARCHAR, rule VARCHAR);
CREATE TABLE IF NOT EXISTS landed.cell_issues (source VARCHAR, file VARCHAR, row BIGINT, "column" VARCHAR, rule VARCHAR);
CREATE TABLE IF NOT EXISTS landed.duplicate_rows (source VARCHAR, row BIGINT);
CREATE TABLE IF NOT EXISTS landed.form_rows (source VARCHAR, file VARCHAR, row BIGINT, line BIGINT);
CREATE TABLE IF NOT EXISTS landed.form_columns (source VARCHAR, file VARCHAR, "column" VARCHAR, letter VARCHAR);
"""


_FINGERPRINTS = "CREATE OR REPLACE TEMP TABLE fingerprints (row BIGINT, a UBIGINT, b UBIGINT)"
"""What every row that stays looks like, for as long as its source is landing: DuckDB writes to disk what is too much for the memory."""


def _token(files: tuple[ExtractFile, ...]) -> str:
    """Tells one landed generation from another: what was sent, and the code that read it."""
    digest = hashlib.sha256(__version__.encode())
    for file in files:
        digest.update(f"{file.shown}\0{file.sha256}\n".encode())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _WholeFile:
    """A file that has been read to its end."""

    file: ExtractFile
    reader: Reader
    positions: dict[str, int]
    unknown: tuple[str, ...]


def _looked_at_again(whole: _WholeFile) -> _WholeFile:
    """The same. ContractError where the file is not the one that was looked at before it was read."""
    if not whole.file.is_the_same():
        raise ContractError(
            file=whole.file.told,
            source=whole.file.source.name,
            expected="a file that is complete",
            found="one still being written",
        )
    return whole


class _Lander:
    """Lands the files of one source after each other; rows are numbered through all of them.

    Stretches of files are landed side by side (`stretches`) and noted in their order (`note`, `note_file`).
    """

    def __init__(self, source: Source, comparison_date: dt.date) -> None:
        self._source = source
        self._rules = Rules(source, comparison_date)
        self._files: list[dict[str, Any]] = []
        self._quarantined: list[tuple[int, str | None, str]] = []
        self._issues: list[pl.DataFrame] = []
        self._form_rows: list[tuple[str, int, int]] = []
        self._form_columns: list[tuple[str, str, str]] = []
        self._bytes_done = 0
        self._begin_file()
        self.rows = 0

    def _begin_file(self) -> None:
        self._file_rows = self._file_kept = 0
        self._ends_malformed = False

    def empty(self) -> pa.Table:
        """A table of no rows with the columns that the source lands with."""
        fields = [("row", pa.int64()), *((column.name, arrow_type(column)) for column in self._source.columns)]
        if any(column.name == "id_number" for column in self._source.columns):
            fields.append(("id_valid", pa.bool_()))
        return pa.schema(fields).empty_table()

    def stretches(self, files: tuple[ExtractFile, ...]) -> Iterator[Callable[[], LandedRows | _WholeFile]]:
        """All stretches of all files, each to be landed whatever came before it, and every file at its end."""
        for file in files:
            reader = file.open()
            positions, unknown = find_columns(reader.headers, self._source, shown=file.told)
            for stretch in reader.stretches(positions):
                yield partial(self._rules.land, stretch)
            yield partial(_looked_at_again, _WholeFile(file, reader, positions, unknown))

    def note(self, landed: LandedRows) -> pa.Table:
        """Note the next stretch; its rows that stay, under the numbers they have among all files."""
        before = self.rows
        self.rows += landed.count
        self._file_rows += landed.count
        self._file_kept += landed.table.num_rows
        if landed.count:
            no_rows = {(landed.count, None, rule) for rule in (MALFORMED_ROW, TOO_LONG)}
            self._ends_malformed = not no_rows.isdisjoint(landed.quarantined)
        self._quarantined += [(before + row, column, rule) for row, column, rule in landed.quarantined]
        self._issues += [
            pl.DataFrame({"row": before + rows}).with_columns(
                pl.lit(column).alias("column"), pl.lit(rule).alias("rule")
            )
            for column, rule, rows in landed.issues
        ]
        return landed.table.set_column(0, "row", pc.add(landed.table["row"], before))

    def done(self, landed: LandedRows) -> int:
        """Bytes of all files up to the end of the stretch that was noted last."""
        return self._bytes_done + landed.position

    def note_file(self, whole: _WholeFile) -> None:
        """Note that all stretches of a file have been."""
        file, first = whole.file, self.rows - self._file_rows + 1
        ends_open = whole.reader.ends_open
        self._files.append({
            "source": self._source.name, "file": file.shown, "form": whole.reader.form, "sha256": file.sha256, "first_row": first,
            "read": self._file_rows, "landed": self._file_kept, "quarantined": self._file_rows - self._file_kept, "duplicate_rows": 0,
            "unanswered": 0, "unknown_columns": list(whole.unknown), "ends_open": ends_open, "breaks_off": ends_open and self._ends_malformed,
        })  # fmt: skip
        if self._source.form is not None:
            self._form_rows += [
                (file.shown, row, whole.reader.line(row - first + 1)) for row in range(first, self.rows + 1)
            ]
            self._form_columns += [(file.shown, name, xl_col_to_name(place)) for name, place in whole.positions.items()]
        self._bytes_done += file.size
        self._begin_file()

    def write_account(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Write the account of each file, the quarantined rows and the cell issues."""
        if self._files:
            of_files = pl.DataFrame(self._files, schema_overrides={"unknown_columns": pl.List(pl.String)})
            insert(connection, "landed.files", of_files)
        schema = {"row": pl.Int64, "column": pl.String, "rule": pl.String}
        quarantined = pl.DataFrame(self._quarantined, schema=schema, orient="row")
        issues = pl.concat([pl.DataFrame(schema=schema), *self._issues])
        for table, notes in (("quarantined_rows", quarantined), ("cell_issues", issues)):
            ordered = self._with_files(notes.sort("row", "column", "rule"))
            insert(connection, f"landed.{table}", ordered.with_columns(pl.lit(self._source.name).alias("source")))
        for table, names, entries in (
            ("form_rows", ["file", "row", "line"], self._form_rows),
            ("form_columns", ["file", "column", "letter"], self._form_columns),
        ):
            if entries:
                data = pl.DataFrame(entries, schema=names, orient="row").sort(names)
                insert(connection, f"landed.{table}", data.with_columns(pl.lit(self._source.name).alias("source")))

    def _with_files(self, notes: pl.DataFrame) -> pl.DataFrame:
        """Notes on rows, in their order, each with the file that the row stands in."""
        with_rows = [(entry["first_row"], entry["file"]) for entry in self._files if entry["read"]]
        files = pl.DataFrame(with_rows, schema={"first": pl.Int64, "file": pl.String}, orient="row").set_sorted("first")
        return notes.join_asof(files, left_on="row", right_on="first", strategy="backward").drop("first")


def _find_duplicate_rows(connection: duckdb.DuckDBPyConnection, source: Source) -> bool:
    """Note all but the first of rows that are the same in every cell, and account for them; whether there are any."""
    connection.execute(
        f"""
        INSERT INTO landed.duplicate_rows
        SELECT '{source.name}', f.row
        FROM fingerprints f
        JOIN (SELECT a, b, min(row) AS first FROM fingerprints GROUP BY a, b HAVING count(*) > 1) s ON s.a = f.a AND s.b = f.b
        WHERE f.row > s.first ORDER BY f.row
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
