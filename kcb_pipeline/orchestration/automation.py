"""What starts a night by itself: extracts that are complete, or the clock; never both, for each would run what the other has run."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from kcb_pipeline.config import Orchestration
from kcb_pipeline.errors import InternalError, KcbError
from kcb_pipeline.extracts.arrival import Digests, Look, Seen, look_for_arrivals
from kcb_pipeline.extracts.delivery import Delivery
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.due import CLOCK
from kcb_pipeline.ledgers.previous import standing, versions
from kcb_pipeline.orchestration.partitions import FIRST_DATE, TIMEZONE
from kcb_pipeline.orchestration.processes import fail_abandoned_runs
from kcb_pipeline.orchestration.resources import HomeResource
from kcb_pipeline.review.answers import binding, read_answers
from kcb_pipeline.review.answers import digest as answers_digest

SECONDS_BETWEEN_TICKS = 30
Job = UnresolvedAssetJobDefinition
PRIORITY_TAG = "dagster/priority"


def arrival_sensor(job: Job) -> dg.SensorDefinition:
    """The sensor that starts a date's night when its extracts are complete, once for their content."""

    @dg.sensor(
        name="arrivals",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the night of a date when its extracts are complete: all that its SHA256SUMS lists is there, or its files have "
        "settled. Once for their content: a correction runs again, a duplicate does not.",
    )
    def arrivals(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult | dg.SkipReason:
        fail_abandoned_runs(context.instance)
        now = dt.datetime.now(tz=dt.UTC)
        place = Home(Path(home.folder))
        try:
            look, asked = quoting_nothing("arrivals", place.work, lambda: _look(place, context.cursor, now))
        except InternalError:
            raise
        except KcbError as error:  # a setting that cannot be: the next tick reads it again
            return dg.SkipReason(str(error))
        cursor = json.dumps({str(date): astuple(seen) for date, seen in sorted(look.seen.items())})
        if not asked:
            return dg.SensorResult(skip_reason=_why_nothing(look), cursor=cursor)
        for line in look.waiting:
            context.log.info("waiting: %s", line)
        return dg.SensorResult(run_requests=[_request(delivery, version) for delivery, version in asked], cursor=cursor)

    return arrivals


def _look(home: Home, cursor: str | None, now: dt.datetime) -> tuple[Look, list[tuple[Delivery, int]]]:
    """What there is, and the deliveries to start with the version that each would restate."""
    rules = home.config().orchestration
    today = now.astimezone(CLOCK).date()
    digests = Digests(home.work / "extract-digests.json")
    look = look_for_arrivals(
        home.extracts,
        _seen(cursor),
        digests,
        since=max(today - dt.timedelta(rules.look_back_days), dt.date.fromisoformat(FIRST_DATE)),
        until=today,
        settled_seconds=60 * rules.settled_minutes,
        now=now.timestamp(),
    )
    digests.keep()
    return look, [(d, v) for d in look.ready for v in [_superseded(home, d)] if v is not None]


def _seen(cursor: str | None) -> Mapping[dt.date, Seen]:
    try:
        return {dt.date.fromisoformat(date): Seen(*entry) for date, entry in json.loads(cursor or "{}").items()}
    except (ValueError, TypeError, AttributeError):  # of another version of this program: look at everything anew
        return {}


def _superseded(home: Home, delivery: Delivery) -> int | None:
    """The version that a night of this delivery would restate, 0 where it would be the first of its date; None where it is published already."""
    stands = standing(delivery.comparison_date, versions(home.ledgers, home.limits()))
    if stands is None:
        return 0
    answers = answers_digest(binding(read_answers(home.reviews), delivery.comparison_date))
    return None if stands.inputs_digest == replace(delivery, decisions_digest=answers).inputs_digest else stands.version


def _request(delivery: Delivery, version: int) -> dg.RunRequest:
    """Date and content make the key, and what the content replaces: a correction that is taken back is news again."""
    date = delivery.comparison_date
    return dg.RunRequest(
        run_key=f"{date}:{delivery.inputs_digest}:{version}",
        partition_key=str(date),
        # Of several dates that wait for a place the earlier goes first: the later will build on it.
        tags={PRIORITY_TAG: str(-date.toordinal())},
    )


def _why_nothing(look: Look) -> str:
    if look.waiting:
        return "waiting: " + "; ".join(look.waiting)
    return f"nothing new: {len(look.seen)} date(s) that are looked at have extracts, and each has been started"


def nightly_schedule(job: Job, rules: Orchestration) -> dg.ScheduleDefinition:
    """The schedule that starts the night of the day it is where the agencies are."""

    @dg.schedule(
        name="nightly",
        job=job,
        cron_schedule=cron(rules.nightly_at),
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Every night at {rules.nightly_at} {TIMEZONE}, for the comparison date of that day.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        date = str(context.scheduled_execution_time.astimezone(CLOCK).date())
        return dg.RunRequest(run_key=date, partition_key=date)

    return nightly


def watch_schedule(job: Job, rules: Orchestration) -> dg.ScheduleDefinition:
    """The schedule that looks, when the day's version is expected, whether it stands."""
    return dg.ScheduleDefinition(
        name="watch_daily",
        job=job,
        cron_schedule=cron(rules.expected_by, rules.expected_on),
        execution_timezone=TIMEZONE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Looks at {rules.expected_by} {TIMEZONE} whether the version of the day stands, and whether dates are stale.",
    )


def freshness(rules: Orchestration) -> dg.FreshnessPolicy:
    """A version is published (or found to stand) in the day before each deadline."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=cron(rules.expected_by, rules.expected_on),
        lower_bound_delta=dt.timedelta(days=1),
        timezone=TIMEZONE,
    )


def cron(time_of_day: str, days: tuple[int, ...] = ()) -> str:
    """A time of day, on days of the week (1 is Monday; every day where none is given), as cron has it."""
    time = dt.time.fromisoformat(time_of_day)
    on = ",".join(str(day % 7) for day in sorted(set(days))) if set(days) not in (set(), set(range(1, 8))) else "*"
    return f"{time.minute} {time.hour} * * {on}"
