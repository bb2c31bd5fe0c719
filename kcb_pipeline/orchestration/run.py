"""Running a night as a Dagster job in this process, recorded in the instance that the UI shows."""

import datetime as dt
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import dagster as dg

from kcb_pipeline import errors, faults
from kcb_pipeline.errors import KcbError
from kcb_pipeline.home import Home

STATE_VARIABLE = "KCB_DAGSTER_STATE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its id, and what stopped it, if anything did."""

    run_id: str
    succeeded: bool
    error: KcbError | None
    failed_gates: bool
    seconds: float


def instance_of(home: Home) -> dg.DagsterInstance:
    """The Dagster instance of a home: the project's `dagster.yaml`, its state under `home/dagster`.

    `DAGSTER_HOME` with a `dagster.yaml` of its own wins: an operator's instance.
    """
    home.state.mkdir(parents=True, exist_ok=True)
    os.environ[STATE_VARIABLE] = str(home.state.resolve())
    own = os.environ.get("DAGSTER_HOME")
    if own and (Path(own) / "dagster.yaml").is_file():
        return dg.DagsterInstance.get()
    return dg.DagsterInstance.from_config(str(configuration_folder()))


def configuration_folder() -> Path:
    """Where `dagster.yaml` is: the checkout this runs from, or the copy in the installed package."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "dagster.yaml").is_file():
        return checkout
    return Path(str(resources.files("kcb_pipeline.orchestration")))


def run_night(home: Home, comparison_date: dt.date) -> Outcome:
    """Run the night of a date. Nothing is printed; what happened is in the outcome and in the instance."""
    from kcb_pipeline.orchestration.definitions import NIGHT, build_definitions

    with instance_of(home) as instance:
        job = build_definitions(str(home.folder.resolve())).resolve_job_def(NIGHT)
        # A date after today is a partition too when somebody asks for it by name: the evening before, or a rehearsal.
        latest = max(dt.datetime.now(tz=dt.UTC), dt.datetime.combine(comparison_date, dt.time(12), tzinfo=dt.UTC))
        with dg.partition_loading_context(effective_dt=latest):
            result = job.execute_in_process(
                partition_key=str(comparison_date),
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        run = instance.get_run_stats(result.run_id)
        seconds = (run.end_time or 0) - (run.start_time or 0)
        error = None if result.success else _what_stopped(result)
    return Outcome(result.run_id, result.success, error, error is None and not result.success, seconds)


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
        kinds = {
            kind.__name__: kind for kind in (*vars(errors).values(), faults.InternalError) if isinstance(kind, type)
        }
        kind = kinds.get(found.cls_name or "", KcbError)
        message = found.message.strip().removeprefix(f"{kind.__module__}.").removeprefix(f"{kind.__name__}: ")
        raised: KcbError = KcbError.__new__(kind)
        Exception.__init__(raised, message)
        return raised
    return None
