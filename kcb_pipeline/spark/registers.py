"""The stages of a night that the cluster runs, each leaving the working tables that the embedded engine leaves.

What stays on the driver, in DuckDB: landing, the groups of rows that share a number, evidence, statuses, cases, the draft and its publication.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb
import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from kcb_pipeline.config import Matching, Spark
from kcb_pipeline.engines.embedded import create, frame
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.identity.standardise import POPULATION_KEYS, REGISTRY_KEYS, StandardKeys
from kcb_pipeline.matching.deciding import LINKED, REJECTED, REVIEW
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.quality import quality_by
from kcb_pipeline.matching.registers import (
    PERSONS,
    STUDENTS,
    Matched,
    further_settings,
    keep_model,
    register_settings,
)
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.spark.kernels import apply, polars_schema
from kcb_pipeline.spark.linkage import ROW, Linked, Table, link, prepared
from kcb_pipeline.spark.scratch import Scratch, fetched
from kcb_pipeline.spark.session import cluster
from kcb_pipeline.spark.tables import Tables


@contextmanager
def tables_of(workspace: Workspace, rules: Spark) -> Iterator[Tables]:
    """The working tables of a date on the cluster, and a folder beside them for what a stage needs meanwhile."""
    workspace.files.mkdir(parents=True, exist_ok=True)
    with cluster(rules) as spark, Scratch.of(spark, workspace.files / "spark") as scratch:
        yield Tables(scratch, workspace)


def standardise(tables: Tables) -> tuple[int, int]:
    """Fill `standard.population_keys` and `standard.registry_keys`; rows of each."""
    counts = []
    with tables.workspace.connect() as connection:
        for table, keys in (("population_keys", POPULATION_KEYS), ("registry_keys", REGISTRY_KEYS)):
            landed = tables.over(connection, keys.sql)
            reads = polars_schema(landed.schema)
            kernel = StandardKeys(keys, tables.workspace.comparison_date)
            gives = kernel(pl.DataFrame(schema=reads)).schema
            tables.write(connection, f"standard.{table}", apply(landed, kernel, reads, gives))
            [(count,)] = connection.execute(f"SELECT count(*) FROM standard.{table}").fetchall()
            counts.append(int(count))
    return counts[0], counts[1]


def match_registers(
    tables: Tables, rule: Matching, *, frozen: Model | None = None, progress: Progress = SILENT
) -> Matched:
    """Comparison ①, as `kcb_pipeline.matching.registers.match_registers`: the same tables, row for row."""
    with tables.workspace.connect() as connection:
        return _Comparison(tables, connection, rule).run(frozen, progress)


class _Comparison:
    """Comparison ① of one date."""

    def __init__(self, tables: Tables, connection: duckdb.DuckDBPyConnection, rule: Matching) -> None:
        self._tables, self._connection = tables, connection
        self._scratch: Scratch = tables.scratch
        self._settings = register_settings(tables.workspace.comparison_date, rule)
        self._persons = tables.over(connection, PERSONS)
        self._students = tables.over(connection, STUDENTS)

    def run(self, frozen: Model | None, progress: Progress) -> Matched:
        scratch, connection = self._scratch, self._connection
        left = prepared(scratch, "left", self._persons.withColumn(ROW, sf.col("person")), self._settings)
        right = prepared(scratch, "right", self._students.withColumn(ROW, sf.col("student")), self._settings)
        reviewed = self._decided(left, right, further=False)
        result = link(
            scratch, left, right, self._settings, name="links", reviewed=reviewed, model=frozen, progress=progress
        )
        links = scratch.keep("links", result.links)
        further = scratch.keep("further", self._further(links, result, left, right).where(f"decision <> '{REJECTED}'"))
        self._tables.write(connection, "matched.links", self._with_rows(_with_doubtful(links, further)))
        linked = further.where(f"decision = '{LINKED}'").selectExpr(
            "left_row AS person", "right_row AS student", "match_weight", "probability"
        )
        create(connection, "matched.further_records", fetched(linked, _FURTHER).sort("person", "student"))
        create(connection, "matched.blocking", result.blocking)
        create(connection, "matched.quality", self._quality(links, result))
        keep_model(connection, result.model, self._settings)
        counts = {row["decision"]: row["count"] for row in links.groupBy("decision").count().collect()}
        return Matched(left.height, right.height, counts.get(LINKED, 0), counts.get(REVIEW, 0))

    def _decided(self, left: Table, right: Table, *, further: bool) -> pl.DataFrame | None:
        """What people have decided of these records; `further`: with the second records of a child."""
        pairs = frame(self._connection, "SELECT * FROM status.decided_pairs").filter(
            pl.lit(further) | ~pl.col("is_further")
        )
        if pairs.is_empty():
            return None
        named = pairs.select(
            pl.col("person").cast(pl.Int64).alias("left_row"),
            pl.col("student").cast(pl.Int64).alias("right_row"),
            "is_match",
        )
        there = self._scratch.give(f"decided-{further}", named)
        for column, table in (("left_row", left), ("right_row", right)):
            there = there.join(table.frame.selectExpr(f"`{ROW}` AS {column}"), column, "left_semi")
        return fetched(there, named.schema).sort("left_row", "right_row")

    def _further(self, links: DataFrame, result: Linked, left: Table, right: Table) -> DataFrame:
        """Records that are nobody's in the one-to-one result and are, or may be, one more of a linked child."""
        linked = links.where(f"decision = '{LINKED}'")
        holders = left.only(linked.selectExpr(f"left_row AS {ROW}"), "semi", "holders", self._scratch)
        nobodys = right.only(linked.selectExpr(f"right_row AS {ROW}"), "anti", "nobodys", self._scratch)
        return link(
            self._scratch,
            holders,
            nobodys,
            further_settings(self._settings),
            name="further",
            reviewed=self._decided(holders, nobodys, further=True),
            model=result.model,
        ).links

    def _with_rows(self, links: DataFrame) -> DataFrame:
        """The links as `matched.links`, in its order."""
        persons = self._persons.selectExpr("person AS left_row", "person", "population_type", "population_row")
        students = self._students.selectExpr("student AS right_row", "student", "registry_row")
        ids = ["person", "student", "population_type", "population_row", "registry_row"]
        said = [name for name in links.columns if name not in ("left_row", "right_row")]
        joined = links.join(persons, "left_row").join(students, "right_row")
        return joined.select(*ids, *said).orderBy("person", "student")

    def _quality(self, links: DataFrame, result: Linked) -> pl.DataFrame:
        groups = {"county": pl.String(), "sex": pl.String(), "ethnicity": pl.String()}
        persons = self._persons.selectExpr(
            "person AS left_row", "coalesce(hukou_division, other_division) AS county", "sex", "ethnicity"
        )
        schema = pl.Schema({"decision": pl.String(), "probability": pl.Float64(), **groups})
        self._scratch.keep("quality", links.join(persons, "left_row").select(*schema))
        found = self._scratch.read("quality")
        return quality_by(found, {name: found[name] for name in groups}, result.quality)


_FURTHER: Final = pl.Schema(
    {"person": pl.Int64(), "student": pl.Int64(), "match_weight": pl.Float64(), "probability": pl.Float64()}
)


def _with_doubtful(links: DataFrame, further: DataFrame) -> DataFrame:
    """The links with the pairs that may be one more record of a linked child, each instead of what was said of it before."""
    doubtful = further.where(f"decision = '{REVIEW}'")
    return links.join(doubtful.select("left_row", "right_row"), ["left_row", "right_row"], "left_anti").unionByName(
        doubtful
    )
