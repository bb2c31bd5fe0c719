"""A stage of the night as a Dagster asset: the same partitions, home, timing, numbers and table description for all of them.

An asset module says what a stage is called, what it comes after and which rule of the library it runs; everything that Dagster wants
told is told here: counts that plot, the columns of the table it left, how long it took. Never a value of a row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

from kcb_pipeline.claim import wait_for_earlier
from kcb_pipeline.engines.embedded import rows, take_spilled
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.lineage import column_lineage, column_schema
from kcb_pipeline.orchestration.partitions import comparison_dates
from kcb_pipeline.orchestration.processes import hold
from kcb_pipeline.orchestration.program import code_version
from kcb_pipeline.orchestration.progress import StepClock, note_of, progress_of, told_in_log
from kcb_pipeline.orchestration.resources import HomeResource
from kcb_pipeline.progress import Progress
from kcb_pipeline.stages import begin, finish

OWNERS = ["team:kcb"]
DATA_VERSION = "data_version"
"""The key under which a stage says what its result is, for Dagster to show whether it changed."""
VERSION_TAG = "kcb/version"
"""On a run: the version that stood for its date when it was through. `run_id` of `ledger_versions` is the way back."""

T = TypeVar("T")
Run = Callable[[Night, Progress, dg.AssetExecutionContext], Mapping[str, Any]]

ORDER: dict[str, frozenset[str]] = {}
"""Every stage, in an order in which they can run, and all that it comes after; filled as the asset modules are loaded."""

BASE = "base_version"
"""From this stage on a night depends on rules and on the version before."""


def stage(
    *,
    group: str,
    description: str,
    table: tuple[str, str],
    deps: Sequence[dg.AssetsDefinition] = (),
    kinds: frozenset[str] = frozenset({"duckdb"}),
    name: str | None = None,
    waits: bool = False,
) -> Callable[[Run], dg.AssetsDefinition]:
    """Make an asset of a function that runs one stage and gives its numbers; `table` is the working table it leaves.

    waits: begin only when no earlier date is being run.
    """

    def decorate(run: Run) -> dg.AssetsDefinition:
        stage_name = name or run.__name__
        before = [dep.key.to_user_string() for dep in deps]
        ORDER[stage_name] = frozenset(before).union(*(ORDER[stage] for stage in before))

        @dg.asset(
            name=stage_name,
            group_name=group,
            partitions_def=comparison_dates,
            deps=list(deps),
            kinds=set(kinds),
            owners=OWNERS,
            description=description,
            code_version=code_version(),
        )
        def asset(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult[Any]:
            night = home.night(context)

            def work(clock: StepClock) -> tuple[dict[str, Any], Any]:
                if waits:
                    wait_for_earlier(night.workspace, note_of(context))
                with night.workspace.connect() as connection:
                    begin(connection, stage_name, ORDER)
                if BASE in ORDER[stage_name]:
                    night.hold_to_rules()
                said = dict(run(night, progress_of(context), context))
                version = said.pop(DATA_VERSION, None)
                with night.workspace.connect() as connection:
                    finish(connection, stage_name)
                described, content = described_table(night, stage_name, *table)
                metadata = told(said) | described | {"seconds": clock.so_far()}
                clock.rows = metadata["dagster/row_count"]
                return metadata, version or content

            metadata, version = step(context, night, stage_name, work)
            return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(version))

        return asset

    return decorate


def step(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    night: Night,
    name: str,
    work: Callable[[StepClock], T],
) -> T:
    """What every step of a night does around its work: hold the date, say that it begins and how it ended, let nothing out that quotes a value."""
    hold(context, night)
    with told_in_log(context, night.home, name) as clock:
        found = quoting_nothing(name, night.workspace.files, lambda: work(clock))
        if take_spilled(night.workspace.files, night.home.work):
            limit = night.config.storage.memory_limit
            note_of(context)(
                f"{name}: more than [storage] memory_limit ({limit}) holds; the rest went by the disk, which takes longer"
            )
        return found


def told(said: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A stage's numbers and words as flat metadata: numbers stay numbers, so that they plot."""
    flat: dict[str, Any] = {}
    for name, value in said.items():
        if isinstance(value, Mapping):
            flat |= told(value, f"{prefix}{name}_")
        elif isinstance(value, list | tuple) and not isinstance(value, dg.MetadataValue):
            flat[f"{prefix}{name}"] = ", ".join(map(str, value)) or "none"
        elif value is not None:
            flat[f"{prefix}{name}"] = value
    return flat


def described_table(night: Night, stage_name: str, schema: str, table: str) -> tuple[dict[str, Any], str]:
    """Row count, columns and where they come from, under the keys the UI knows; and the table's content as one number.

    The number is the sum of its rows' hashes: the same rows in any order give the same one, and one changed cell another.
    """
    with night.workspace.connect(read_only=True) as connection:
        [(count, content)] = rows(
            connection, f"SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0) FROM {schema}.{table} t"
        )
        columns = rows(
            connection,
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, table],
        )
    metadata = {
        "dagster/row_count": int(count),
        "dagster/column_schema": column_schema(stage_name, schema, table, columns),
        "dagster/relation_identifier": f"{schema}.{table}",
    }
    lineage = column_lineage(stage_name)
    return metadata | ({"dagster/column_lineage": lineage} if lineage else {}), f"{int(content):x}"
