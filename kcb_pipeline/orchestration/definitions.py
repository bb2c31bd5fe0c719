"""The composition root: assets, gates, the nightly job and its schedule, bound to a home."""

from zoneinfo import ZoneInfo

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


@dg.schedule(
    name="nightly",
    job=night_job,
    cron_schedule="30 2 * * *",
    execution_timezone=TIMEZONE,
    description=f"Every night at 02:30 {TIMEZONE}, for the comparison date of that day.",
)
def night_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """The night of the day it is where the agencies are."""
    date = str(context.scheduled_execution_time.astimezone(ZoneInfo(TIMEZONE)).date())
    return dg.RunRequest(run_key=date, partition_key=date)


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
