"""What has to be run: dates that should stand by now and do not, and dates that an earlier one, restated, has made stale."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from kcb_pipeline.config import Orchestration
from kcb_pipeline.engines.embedded import rows
from kcb_pipeline.extracts.arrival import dates_in
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.previous import stale_dates, versions

CLOCK = ZoneInfo("Asia/Shanghai")
"""The clock of the agencies, and of every time of day in the configuration."""


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be run.

    expected: the latest date that should stand by now; None where none is expected. late: every expected date that does not stand, with why.
    stale: dates built on a version that has been restated, in the order in which to run them.
    """

    expected: dt.date | None
    late: dict[dt.date, str]
    stale: tuple[dt.date, ...]

    @property
    def is_late(self) -> bool:
        """Whether the latest expected date does not stand."""
        return self.expected in self.late


def expected_dates(rules: Orchestration, now: dt.datetime, *, since: dt.date) -> list[dt.date]:
    """The dates from `since` that should stand at `now`, in order."""
    here = now.astimezone(CLOCK)
    last = here.date() if here.time() >= dt.time.fromisoformat(rules.expected_by) else here.date() - dt.timedelta(1)
    days = (since + dt.timedelta(n) for n in range((last - since).days + 1))
    return [day for day in days if day.isoweekday() in rules.expected_on]


def due(home: Home, now: dt.datetime) -> Due:
    """What has to be run in a home at `now`. Dates before the first that was published, or beyond `look_back_days`, are not expected."""
    rules = home.config().orchestration
    published = versions(home.ledgers, home.limits())
    standing = {version.comparison_date for version in published}
    today = now.astimezone(CLOCK).date()
    since = max(min(standing, default=today), today - dt.timedelta(rules.look_back_days))
    expected = expected_dates(rules, now, since=since)
    late = {day: _why_not(home, day, dates_in(home.extracts)) for day in expected if day not in standing}
    return Due(expected[-1] if expected else None, late, tuple(stale_dates(published)))


def _why_not(home: Home, day: dt.date, came: Collection[dt.date]) -> str:
    if day not in came:
        return "no extracts have come"
    workspace = home.workspace(day)
    if not workspace.database.exists():
        return "extracts have come, it has not been run"
    try:
        with workspace.connect(read_only=True) as connection:
            failed = [
                suite
                for (suite,) in rows(connection, "SELECT suite FROM gates.verdicts WHERE NOT passed ORDER BY suite")
            ]
    except Exception:  # a run has the file open, or never came so far: either way it is not done
        return "a run has not come to its end"
    return f"stopped by the gates {', '.join(failed)}" if failed else "a run has not come to its end"
