"""The composition root: assets, gates, the nightly job and its schedule, bound to a home."""

import dagster as dg

from assets import comparisons, extracts, identity, ledgers
from checks.gates import gates
from kcb_pipeline.orchestration.partitions import TIMEZONE
from kcb_pipeline.orchestration.resources import HomeResource, home_from_environment

NIGHT = "night"

night_job = dg.define_asset_job(
    NIGHT,
    selection=dg.AssetSelection.all(),
    description="One night: extracts of a comparison date in, the next version of the three ledgers out.",
    executor_def=dg.in_process_executor,
)
"""In one process: DuckDB and Polars already use every core, and a process a step costs seconds of imports (stack.md §3.2)."""

night_schedule = dg.build_schedule_from_partitioned_job(
    night_job,
    name="nightly",
    hour_of_day=2,
    minute_of_hour=30,
    description=f"Every night at 02:30 {TIMEZONE}, for that day's comparison date.",
)


def build_definitions(home: str) -> dg.Definitions:
    """All definitions for one home; tests pass a temporary one."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([extracts, identity, comparisons, ledgers]),
        asset_checks=gates,
        jobs=[night_job],
        schedules=[night_schedule],
        resources={"home": HomeResource(folder=home)},
    )


defs = build_definitions(home_from_environment())
