"""Alarms on the published version as a whole: does the date stand that should by now, and is any date stale? They warn and block nothing."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from assets.ledgers import published_version
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.due import due
from kcb_pipeline.orchestration.resources import HomeResource

EXPECTED = dg.AssetCheckSpec(
    "expected_date_present",
    asset=published_version,
    description="The latest comparison date that should stand by now ([orchestration] expected_by, expected_on) has a version.",
)
STALE = dg.AssetCheckSpec(
    "no_date_is_stale",
    asset=published_version,
    description="No date was built on a version that has been restated since.",
)


@dg.multi_asset_check(name="watch", specs=[EXPECTED, STALE])
def watch(context: dg.AssetCheckExecutionContext, home: HomeResource) -> Iterable[dg.AssetCheckResult]:
    """Both alarms. Of the whole ledger, so not by date: what they say last is what is."""
    place = Home(Path(home.folder))
    found = quoting_nothing("watch", place.work, lambda: due(place, dt.datetime.now(tz=dt.UTC)))
    late = "; ".join(f"{day}: {why}" for day, why in found.late.items())
    yield dg.AssetCheckResult(
        asset_key=EXPECTED.asset_key,
        check_name=EXPECTED.name,
        passed=not found.is_late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "expected": str(found.expected or "none"),
            "late": late or "none",
            "advice": "ask who sends the extracts, or look why the run of the date failed; then kcb run --date DATE",
        },
    )
    stale = " ".join(map(str, found.stale))
    yield dg.AssetCheckResult(
        asset_key=STALE.asset_key,
        check_name=STALE.name,
        passed=not found.stale,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "stale": stale or "none",
            "advice": "kcb backfill --stale, or run these partitions again from base_version, the earliest first",
        },
    )
