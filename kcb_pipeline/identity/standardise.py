"""Standard keys of every landed person: one row of keys for each row of the population side and of the registry side.

The landed rows stay as they were sent; what is here is derived from them, by the rules of this package, batch by batch, and is
joined to them by row number. `standard.population_keys` covers 户籍 and 流动 rows, `standard.registry_keys` the 学籍 rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa

from kcb_pipeline.engines.embedded import scalar
from kcb_pipeline.engines.workspace import ParquetTable, Workspace
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.codes import citizen_numbers_of
from kcb_pipeline.identity.names import NameTable, plain_key
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.threads import pipelined

REGISTERED, RESIDENT = "registered", "resident"
"""population_type: 户籍 and 流动 (published.md)."""

LIVE, DEAD, EMIGRATED, MOVED_OUT, DELETED, SUPERSEDED, EXPIRED = (
    "live", "dead", "emigrated", "moved_out", "deleted", "superseded", "expired",
)  # fmt: skip
"""What a population row says of its person, on the day (extracts.md: live rows)."""

DEAD_REGISTRY_STATUSES = (
    "03", "06", "07", "08", "09", "10", "11", "13", "14", "15", "99", "辍学", "出国", "其他离校",
)  # fmt: skip
"""学籍状态 of rows that are no enrolment any more (extracts.md, student_registry)."""

_BATCH_ROWS = 1 << 18
_GENERATION = "current"

_POPULATION = """
SELECT 2 * row AS ref, 'registered' AS population_type, row, id_number, id_valid, name, former_name, sex, birth_date,
    CASE WHEN record_flag IS NOT NULL AND record_flag <> '1' THEN 'superseded'
         WHEN reversal_flag IS NOT NULL AND reversal_flag <> '0' THEN 'superseded'
         WHEN person_state IS NULL OR person_state IN ('0', '3') THEN 'live'
         WHEN person_state = '1' THEN 'dead'
         WHEN person_state = '2' THEN 'moved_out'
         WHEN person_state = '4' THEN 'emigrated'
         ELSE 'deleted' END AS state
FROM landed.population
"""
_RESIDENTS = """
SELECT 2 * row + 1 AS ref, 'resident' AS population_type, row, id_number, id_valid, name, cast(NULL AS STRING) AS former_name, sex, birth_date,
    CASE WHEN cancelled_on IS NULL AND (permit_state IS NULL OR permit_state = '有效') THEN 'live' ELSE 'expired' END AS state
FROM landed.residents
"""
_REGISTRY = """
SELECT row, id_number, id_valid, student_number, name, former_name, sex, birth_date, registry_status,
    registry_status IS NULL OR registry_status NOT IN ($dead) AS is_live
FROM landed.student_registry
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """How the keys of one side are made: the statement that gives its rows, and the function that makes keys of a batch of them."""

    sql: str
    kernel: Callable[[pl.DataFrame, dt.date], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class StandardKeys:
    """The keys of a batch of rows, on a day: what every engine runs."""

    keys: Keys
    on: dt.date

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The keys of each row, in their order."""
        return self.keys.kernel(rows, self.on)


def standardise_population(workspace: Workspace, *, progress: Progress = SILENT) -> int:
    """Write `standard.population_keys`, one row a landed population or resident row; how many.

    Columns: ref (one number for type and row), population_type, row, id_key (Int64, valid numbers), name_key, folded, pinyin (UInt64), former_folded, sex,
    birth_date (from the number where the cell is missing), state, is_live.
    """
    return _write(workspace, "population_keys", POPULATION_KEYS, progress)


def standardise_registry(workspace: Workspace, *, progress: Progress = SILENT) -> int:
    """Write `standard.registry_keys`, one row a landed student record; how many.

    Columns: row, student_number, id_key, second_key (the number after a G, where it is valid), name_key, folded, pinyin,
    former_folded, sex, birth_date, registry_status, is_live.
    """
    return _write(workspace, "registry_keys", REGISTRY_KEYS, progress)


def _write(workspace: Workspace, table: str, keys: Keys, progress: Progress) -> int:
    rows, kernel = 0, StandardKeys(keys, workspace.comparison_date)
    with workspace.connect() as connection:
        whole = scalar(connection, f"SELECT count(*) FROM ({keys.sql})")
        with ParquetTable(workspace.parquet("standard", table, _GENERATION)) as out:
            reader = connection.sql(keys.sql).to_arrow_reader(_BATCH_ROWS)
            out.write(_made(kernel, reader.schema.empty_table()))
            for made in pipelined(partial(_made, kernel, pa.Table.from_batches([batch])) for batch in reader):
                rows += made.num_rows
                out.write(made)
                progress.update(table, rows, whole, rows=rows)
        workspace.show(connection, "standard", table, _GENERATION)
    return rows


def _made(kernel: StandardKeys, rows: pa.Table) -> pa.Table:
    return kernel(pl.DataFrame(rows)).to_arrow(compat_level=_COMPATIBLE)


_COMPATIBLE = pl.CompatLevel.oldest()


def _population(rows: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    return rows.select(
        "ref", "population_type", "row", *person_keys(rows), "state", (pl.col("state") == LIVE).alias("is_live")
    )


def _registry(rows: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    second = id_number.key(citizen_numbers_of(rows["student_number"]), on=on).alias("second_key")
    return rows.select("row", "student_number", second, *person_keys(rows), "registry_status", "is_live")


POPULATION_KEYS = Keys(f"{_POPULATION} UNION ALL {_RESIDENTS}", _population)
REGISTRY_KEYS = Keys(
    _REGISTRY.replace("$dead", ", ".join(f"'{status}'" for status in DEAD_REGISTRY_STATUSES)), _registry
)


def person_keys(rows: pl.DataFrame) -> list[pl.Series]:
    """Keys of the person a row is about: id_key, name_key, folded, pinyin, former_folded, sex, birth_date.

    rows: id_number, id_valid, name, former_name, sex, birth_date. A missing birth date or sex is taken from a valid number, nothing else is filled in."""
    said = _filled_from_numbers(rows)
    former_folded, _ = _name_hashes(plain_key(rows["former_name"]))
    id_key = rows.select(pl.when("id_valid").then(pl.col("id_number").str.slice(0, 17)).cast(pl.Int64, strict=False))[
        "id_number"
    ]
    return [
        id_key.alias("id_key"),
        *name_keys(rows["name"]),
        former_folded.alias("former_folded"),
        said["sex"],
        said["birth_date"],
    ]


def name_keys(names: pl.Series) -> list[pl.Series]:
    """Keys of a name: name_key, folded, pinyin."""
    plain = plain_key(names)
    folded, pinyin = _name_hashes(plain)
    return [plain.alias("name_key"), folded.alias("folded"), pinyin.alias("pinyin")]


def _filled_from_numbers(rows: pl.DataFrame) -> pl.DataFrame:
    """sex and birth_date, those that are missing as a valid number says them."""
    said = rows.select("sex", "birth_date")
    wanting = said.select(pl.any_horizontal(pl.all().is_null())).to_series().arg_true()
    if not len(wanting):
        return said
    valid = rows[wanting].select(pl.when("id_valid").then("id_number"))["id_number"]
    return pl.DataFrame(
        [
            column.scatter(wanting, column.gather(wanting).zip_with(column.gather(wanting).is_not_null(), numbers_say))
            for column, numbers_say in (
                (said["sex"], id_number.sex(valid)),
                (said["birth_date"], id_number.birth_date(valid)),
            )
        ]
    )


def _name_hashes(names: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The folded and the pinyin key of each plain name, computed once a distinct name."""
    coded = names.to_arrow().dictionary_encode()
    table = NameTable.of(pl.Series(coded.dictionary, dtype=pl.String))
    places = pl.Series(coded.indices)
    folded, pinyin = (pl.Series(_signed(keys)).gather(places) for keys in (table.folded_keys(), table.pinyin_keys()))
    return folded, pinyin


def _signed(keys: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The same bits as signed integers, which both engines have."""
    return keys.view(np.int64)
