"""Running a night as a Dagster job in this process, recorded in the instance that the UI shows."""

import datetime as dt
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import dagster as dg

from kcb_pipeline import errors
from kcb_pipeline.claim import claimed
from kcb_pipeline.errors import KcbError, UsageError
from kcb_pipeline.gates import STANDS_AT
from kcb_pipeline.home import Home
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.partitions import FIRST_DATE
from kcb_pipeline.orchestration.progress import note, seconds_kept, steps_of
from kcb_pipeline.orchestration.storage import reaching_the_server
from kcb_pipeline.progress import TERMINAL, last_seconds
from kcb_pipeline.stages import done

STATE_VARIABLE = "KCB_DAGSTER_STATE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stopped a run, if anything did: an error, or gates that did not pass."""

    error: KcbError | None
    failed_gates: bool


def instance_of(home: Home) -> dg.DagsterInstance:
    """The Dagster instance of a home: the project's `dagster.yaml`, its state under `home/dagster`.

    `DAGSTER_HOME` with a `dagster.yaml` of its own wins: an operator's instance. KcbError where its PostgreSQL server does not answer.
    """
    home.state.mkdir(parents=True, exist_ok=True)
    os.environ[STATE_VARIABLE] = str(home.state.resolve())
    own = os.environ.get("DAGSTER_HOME")
    with reaching_the_server():
        if own and (Path(own) / "dagster.yaml").is_file():
            return dg.DagsterInstance.get()
        return dg.DagsterInstance.from_config(str(configuration_folder()))


def configuration_folder() -> Path:
    """Where `dagster.yaml` is: the checkout this runs from, or the copy in the installed package."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "dagster.yaml").is_file():
        return checkout
    return Path(str(resources.files("kcb_pipeline.orchestration")))


def stages() -> list[str]:
    """The stages of a night, in an order in which they can run."""
    from kcb_pipeline.orchestration import definitions  # noqa: F401  # with it the asset modules, which fill the order
    from kcb_pipeline.orchestration.stage import ORDER

    return list(ORDER)


def steps_from(night: Night, start: str) -> tuple[list[str], list[str]]:
    """The stages from `start` on (or from the first that is not done: `resume`), and the suites that have to be asked.

    Those are the suites that stand at these stages, and any other that failed or was asked by other limits. UsageError where there is no such
    stage, or nothing of the date to continue.
    """
    from kcb_pipeline.orchestration.stage import BASE, ORDER

    order = stages()
    if start not in (*order, RESUME):
        raise UsageError(f"no stage {start}; there are {', '.join(order)}")
    if not night.workspace.database.exists():
        raise UsageError(
            f"{night.comparison_date} has not been run, or its working files have been erased: run it from the beginning"
        )
    with night.workspace.connect() as connection:
        finished = done(connection)
    first = {start} if start != RESUME else set(order) - finished
    first |= {_PUBLICATION}
    chosen = [stage for stage in order if stage in first or ORDER[stage] & first]
    suites = [suite for suite, stands_at in STANDS_AT.items() if stands_at in chosen]
    if BASE in finished and BASE not in chosen:
        night.hold_to_rules()
        night.hold_to_base()
        others = [suite for suite in STANDS_AT if suite not in suites and STANDS_AT[suite] in finished]
        suites += night.not_passed(others)
    return chosen, suites


_PUBLICATION = "published_version"
"""Always asked again, and what comes after it: it says itself where nothing has changed."""

RESUME = "resume"
"""Instead of a stage: ask failed gates again and go on with the first stage that is not done."""


def run_night(home: Home, comparison_date: dt.date, *, start: str | None = None) -> Outcome:
    """Run the night of a date, all of it or from a stage on (`RESUME`: from where it stopped).

    Nothing is printed; what happened is in the outcome and in the instance, and who watches the terminal is told how far it is. UsageError
    for a date before the first that can be run.
    """
    from kcb_pipeline.orchestration.definitions import NIGHT, build_definitions

    if str(comparison_date) < FIRST_DATE:
        raise UsageError(f"{comparison_date}: the first comparison date that can be run is {FIRST_DATE}")
    night = Night(home, comparison_date)
    with instance_of(home) as instance, claimed(night.workspace, note):
        job = build_definitions(str(home.folder.resolve())).resolve_job_def(NIGHT)
        if start is not None:
            chosen, suites = steps_from(night, start)
            checks = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.name.split("__")[0] in suites}
            job = job.get_subset(asset_selection={dg.AssetKey(stage) for stage in chosen}, asset_check_selection=checks)
        expected = steps_of(job, last_seconds(seconds_kept(home)))
        for watcher in TERMINAL:
            watcher.expect(len(job.graph.nodes), expected)
        # A date after today is a partition too when somebody asks for it by name: the evening before, or a rehearsal.
        latest = max(dt.datetime.now(tz=dt.UTC), dt.datetime.combine(comparison_date, dt.time(12), tzinfo=dt.UTC))
        with dg.partition_loading_context(effective_dt=latest):
            result = job.execute_in_process(
                partition_key=str(comparison_date),
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        error = None if result.success else _what_stopped(result)
    return Outcome(error, failed_gates=error is None and not result.success)


def _what_stopped(result: dg.ExecuteInProcessResult) -> KcbError | None:
    """The error of the first failed step, as the library raised it; None where a gate stopped the run."""
    for event in result.all_events:
        if event.event_type_value != "STEP_FAILURE":
            continue
        found = event.step_failure_data.error
        while found is not None and found.cause is not None:
            found = found.cause
        if found is None or found.cls_name == "DagsterAssetCheckFailedError":
            return None
        kinds = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}
        kind = kinds.get(found.cls_name or "", KcbError)
        message = found.message.strip().removeprefix(f"{kind.__module__}.").removeprefix(f"{kind.__name__}: ")
        raised: KcbError = KcbError.__new__(kind)
        Exception.__init__(raised, message)
        return raised
    return None
