"""The composition root: assets, gates, alarms, the night's job and what starts it, bound to a home."""

from pathlib import Path
from typing import Any

import dagster as dg

from assets import comparisons, extracts, identity, ledgers
from checks.gates import gates
from checks.watch import watch
from kcb_pipeline.config import Orchestration, load_config
from kcb_pipeline.orchestration.automation import arrival_sensor, freshness, nightly_schedule, watch_schedule
from kcb_pipeline.orchestration.resources import HomeResource, home_from_environment

NIGHT = "night"

night_job = dg.define_asset_job(
    NIGHT,
    selection=dg.AssetSelection.all(),
    description="One night: extracts of a comparison date in, the next version of the three ledgers out.",
    executor_def=dg.in_process_executor,
)
"""In one process: DuckDB and Polars already use every core, and a process a step costs seconds of imports (stack.md §3.2)."""

watch_job = dg.define_asset_job(
    "alarms",
    selection=dg.AssetSelection.checks(watch),
    description="Looks whether the date stands that should by now, and whether any is stale. Changes nothing.",
    executor_def=dg.in_process_executor,
)


def build_definitions(home: str) -> dg.Definitions:
    """All definitions for one home, as its `kcb.toml` has them started; tests pass a temporary one. UsageError for a setting that cannot be."""
    rules = load_config(Path(home)).orchestration
    assets = dg.load_assets_from_modules([extracts, identity, comparisons, ledgers])
    return dg.Definitions(
        assets=[_expected(asset, rules) for asset in assets] if rules.expected_on else assets,
        asset_checks=[*gates, watch],
        jobs=[night_job, watch_job],
        schedules=[
            *([nightly_schedule(night_job, rules)] if rules.start == "schedule" else []),
            *([watch_schedule(watch_job, rules)] if rules.expected_on else []),
        ],
        sensors=[arrival_sensor(night_job)] if rules.start == "arrival" else [],
        resources={"home": HomeResource(folder=home)},
        # Whatever is started from the UI, one asset or all: a date's files have one process that writes them.
        executor=dg.in_process_executor,
    )


def _expected(asset: Any, rules: Orchestration) -> Any:
    """The published version with the policy by which it is fresh; any other asset as it is."""
    if asset.key != ledgers.published_version.key:
        return asset
    return asset.map_asset_specs(lambda spec: dg.apply_freshness_policy(spec, freshness(rules)))


defs = build_definitions(home_from_environment())
