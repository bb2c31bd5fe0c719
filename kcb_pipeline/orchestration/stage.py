"""A stage of the night as a Dagster asset: the same partitions, home, timing, numbers and table description for all of them.

An asset module says what a stage is called, what it comes after and which rule of the library it runs; everything that Dagster wants
told is told here: counts that plot, the columns of the table it left, how long it took. Never a value of a row.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from kcb_pipeline.engines.embedded import rows
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.partitions import comparison_dates
from kcb_pipeline.orchestration.progress import progress_of, starting
from kcb_pipeline.orchestration.resources import HomeResource
from kcb_pipeline.progress import Progress

OWNERS = ["team:kcb"]
DATA_VERSION = "data_version"
"""The key under which a stage says what its result is, for Dagster to show whether it changed."""

Run = Callable[[Night, Progress, dg.AssetExecutionContext], Mapping[str, Any]]


def stage(
    *,
    group: str,
    description: str,
    table: tuple[str, str],
    deps: Sequence[dg.AssetsDefinition] = (),
    kinds: frozenset[str] = frozenset({"duckdb"}),
    name: str | None = None,
) -> Callable[[Run], dg.AssetsDefinition]:
    """Make an asset of a function that runs one stage and gives its numbers; `table` is the working table it leaves."""

    def decorate(run: Run) -> dg.AssetsDefinition:
        @dg.asset(
            name=name or run.__name__,
            group_name=group,
            partitions_def=comparison_dates,
            deps=list(deps),
            kinds=set(kinds),
            owners=OWNERS,
            description=description,
        )
        def asset(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult[Any]:
            night = home.night(context)
            stage_name = name or run.__name__
            started = time.perf_counter()
            starting(stage_name)

            def work() -> tuple[dict[str, Any], Any]:
                said = dict(run(night, progress_of(context), context))
                version = said.pop(DATA_VERSION, None)
                return told(said) | described(night, *table), version

            metadata, version = quoting_nothing(stage_name, night.workspace.files, work)
            metadata["seconds"] = round(time.perf_counter() - started, 3)
            return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(version) if version else None)

        return asset

    return decorate


def told(said: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A stage's numbers and words as flat metadata: numbers stay numbers, so that they plot."""
    flat: dict[str, Any] = {}
    for name, value in said.items():
        if isinstance(value, Mapping):
            flat |= told(value, f"{prefix}{name}_")
        elif isinstance(value, list | tuple):
            flat[f"{prefix}{name}"] = ", ".join(map(str, value)) or "none"
        elif value is not None:
            flat[f"{prefix}{name}"] = value
    return flat


def described(night: Night, schema: str, table: str) -> dict[str, Any]:
    """Row count and columns of a working table, under the keys the UI knows."""
    with night.workspace.connect(read_only=True) as connection:
        [(count,)] = rows(connection, f"SELECT count(*) FROM {schema}.{table}")
        columns = rows(
            connection,
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, table],
        )
    return {
        "dagster/row_count": int(count),
        "dagster/column_schema": dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in columns]),
        "dagster/relation_identifier": f"{schema}.{table}",
    }
