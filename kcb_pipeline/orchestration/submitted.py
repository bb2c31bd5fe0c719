"""One stage of a night under `spark-submit`, told to Dagster through Pipes (docs/spark.md).

For places where the machine that runs Dagster is none from which the cluster can be driven. Extras: `home`, `stage`; the partition is the date.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dagster_pipes import open_dagster_pipes

from kcb_pipeline.errors import UsageError
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.home import Home
from kcb_pipeline.night import Night, metadata_of
from kcb_pipeline.orchestration.stage import told


def _standardise(night: Night) -> Mapping[str, Any]:
    return dict(zip(("population_rows", "registry_rows"), night.standardise(), strict=True))


def _resolve(night: Night) -> Mapping[str, Any]:
    return dict(zip(("population", "registry"), map(metadata_of, night.resolve()), strict=True))


STAGES: Final[dict[str, Callable[[Night], Mapping[str, Any]]]] = {
    "standard_keys": _standardise,
    "persons": _resolve,
    "links": lambda night: metadata_of(night.match()),
    "attributed_evidence": lambda night: {found.source: metadata_of(found) for found in night.attribute()},
    "attendance": Night.compare_attendance,
    "child_statuses": Night.classify,
}
"""The assets whose stages the cluster runs."""


def main() -> None:
    """Run the stage and report its numbers."""
    with open_dagster_pipes() as pipes:
        stage = str(pipes.get_extra("stage"))
        if stage not in STAGES:
            raise UsageError(f"{stage}: no stage that a cluster runs; {', '.join(STAGES)}")
        night = Night(Home(Path(pipes.get_extra("home"))), dt.date.fromisoformat(pipes.partition_key))
        said = quoting_nothing(stage, night.workspace.files, lambda: told(STAGES[stage](night)))
        pipes.report_asset_materialization(metadata=said)


if __name__ == "__main__":
    main()
