"""Any date again, from where it is needed: gates asked again, a restated date and what it makes stale, dates side by side."""

import datetime as dt
import json

import dagster as dg
import pytest

from kcb_pipeline.errors import StaleDraftError, UsageError
from kcb_pipeline.home import Home as KcbHome
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.definitions import build_definitions
from kcb_pipeline.orchestration.run import RESUME, steps_from
from tests.pipeline.conftest import DATES

STATUSES = "SELECT child_id, status, status_reason FROM school_age_children ORDER BY child_id"


def limits(home, least_match_rate):
    (home.folder / "kcb.toml").write_text(f"[gates]\nleast_match_rate = {least_match_rate}\n", encoding="utf-8")


def steps(done):
    return [line["step"] for line in map(json.loads, done.stderr.splitlines()) if line["message"] == "done"]


@pytest.fixture(scope="module")
def refused(three_nights, tmp_path_factory):
    """The first date judged again by a limit that it does not meet, and how that ended."""
    home = three_nights.copy(tmp_path_factory.mktemp("rerun") / "home")
    limits(home, 1.0)
    return home, home.kcb("run", "--date", str(DATES[0]), "--resume", code=4, env={"KCB_LOG": "json"})


@pytest.fixture(scope="module")
def restated(refused):
    """The same by a limit that it meets: its gates have spoken again and it is published again."""
    home, _ = refused
    limits(home, 0.4)
    return home, home.kcb("run", "--date", str(DATES[0]), "--resume", env={"KCB_LOG": "json"})


def test_a_gate_asked_again_that_fails_publishes_nothing(refused, three_nights):
    _, done = refused
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]

    [failed] = [line for line in said if line["message"] == "gate did not pass"]
    assert (failed["gate"], failed["level"], failed["date"]) == (
        "matching.match_rate_is_possible",
        "error",
        str(DATES[0]),
    )
    assert "published_version" not in {line.get("step") for line in said}


def test_gates_are_asked_again_without_computing_anything_twice(restated, three_nights):
    home, done = restated

    assert set(steps(done)) == {
        *(
            f"gate_{suite}"
            for suite in ("contract", "volumes", "identity", "matching", "status", "ledgers", "disclosure")
        ),
        "published_version",
        "analytics_draft",
        "published_analytics",
    }
    [(first, rules), (again, others)] = home.query(
        f"SELECT version, rules_digest FROM ledger_versions WHERE comparison_date = '{DATES[0]}' ORDER BY version"
    )
    assert (first, again) == (1, 4)
    assert rules != others  # the version says by which limits it passed
    before, after = (
        f"SELECT child_id, status FROM school_age_children_as_of({version}) ORDER BY 1" for version in (first, again)
    )
    assert home.query(before) == home.query(after)


def test_a_restated_date_makes_later_ones_stale_and_they_are_offered(restated):
    home, _ = restated

    assert [f"stale: {day}" in home.kcb("due").stdout for day in DATES] == [False, True, True]
    home.kcb("due", "--fail", code=7)
    job = build_definitions(str(home.folder)).resolve_job_def("alarms")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
    [alarm] = [check for check in result.get_asset_check_evaluations() if check.check_name == "no_date_is_stale"]
    assert not alarm.passed
    assert alarm.metadata["stale"].value == f"{DATES[1]} {DATES[2]}"
    with pytest.raises(StaleDraftError, match="--from base_version"):
        steps_from(Night(KcbHome(home.folder), DATES[1]), "links")


def test_stale_dates_run_side_by_side_and_each_builds_on_the_one_before(restated, three_nights):
    home, _ = restated

    home.kcb("backfill", "--stale", "--jobs", "2")

    assert home.query(
        "SELECT version, comparison_date, base_version FROM ledger_versions WHERE version > 3 ORDER BY version"
    ) == [
        (4, DATES[0], None),
        (5, DATES[1], 4),
        (6, DATES[2], 5),
    ]
    assert home.query(STATUSES) == three_nights.query(STATUSES)
    assert home.kcb("backfill", "--stale").stdout.strip() == "no date is stale"


def test_what_may_be_continued_and_what_may_not(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    night = Night(KcbHome(home.folder), DATES[0])

    stages, suites = steps_from(night, "child_statuses")
    publication = ["published_version", "analytics_draft", "published_analytics"]
    assert stages == ["child_statuses", "poverty_dropouts", "cases", "draft_version", *publication]
    assert suites == ["status", "ledgers", "disclosure"]
    assert steps_from(night, RESUME) == (publication, ["disclosure"])
    with pytest.raises(UsageError, match="no stage lynx; there are delivery"):
        steps_from(night, "lynx")
    with pytest.raises(UsageError, match="has not been run"):
        steps_from(Night(KcbHome(home.folder), DATES[1]), RESUME)

    (home.folder / "kcb.toml").write_text("[attendance]\nabsent_days = 9\n", encoding="utf-8")
    other_rules = Night(KcbHome(home.folder), DATES[0])
    with pytest.raises(UsageError, match="--from base_version"):
        steps_from(other_rules, "child_statuses")
    assert steps_from(other_rules, "base_version")[0][0] == "base_version"
    with pytest.raises(UsageError, match="rules have changed since"):
        other_rules.hold_to_rules()  # every later stage asks this, whoever starts it


def test_a_backfill_refuses_what_it_cannot_mean(first_night):
    first_night.kcb("backfill", code=2)
    first_night.kcb("backfill", "2026-11-20..2026-11-18", code=2)
    first_night.kcb("backfill", "2020-01-01..2020-01-31", code=2)


def test_a_date_before_the_first_is_refused_in_words(first_night):
    assert (
        "the first comparison date that can be run is 2024-09-01"
        in first_night.night(dt.date(2024, 8, 31), code=2).stderr
    )
