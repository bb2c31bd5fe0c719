"""Dagster's runs and events in PostgreSQL, on a real server, with the services started as their units start them."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import kcb_pipeline.home
from kcb_pipeline.errors import KcbError
from kcb_pipeline.orchestration.run import instance_of
from kcb_pipeline.sample import write_sample
from tests.pipeline.conftest import Home
from tests.pipeline.services import PASSWORD, Postgres, postgres, postgres_programs, services, wait_for

pytestmark = pytest.mark.skipif(
    postgres_programs() is None,
    reason="no PostgreSQL server on this machine (Debian: apt-get install postgresql)",
)
NIGHT, NEXT = dt.date(2026, 11, 18), dt.date(2026, 11, 19)
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True)
class Operated:
    """What is left after the services have run a night, and another date's landing beside it."""

    server: Postgres
    home: Home
    statuses: list[str]
    lived: bool
    told: str
    command_lines: str


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    """A night launched from the web interface with another run beside it; the server restarted; one run more."""
    folder = tmp_path_factory.mktemp("county") / "home"
    write_sample(folder, children=100, seed=7, date=NIGHT, nights=2)
    with postgres() as server, services(folder, server.environment) as running:

        def ended(*runs: str) -> bool:
            return all(running.status(run) in ENDED for run in runs)

        beside = [running.launch(NIGHT), running.launch(NEXT, "delivery")]
        wait_for(lambda: running.status(beside[0]) == "STARTED", 90, "a run", said=running.logs)
        command_lines = everybodys_command_lines()
        wait_for(lambda: ended(*beside), 240, "the end of the runs", said=running.logs)
        server.stop()
        server.start()
        after = running.launch(NEXT, "delivery")
        wait_for(lambda: ended(after), 90, "the end of a run after the restart", said=running.logs)
        launched = [*beside, after]
        yield Operated(
            server,
            Home(folder),
            [running.status(run) for run in launched],
            all(process.poll() is None for process in running.processes.values()),
            running.ask("{ instance { info } }")["instance"]["info"] + running.logs(),
            command_lines,
        )


def everybodys_command_lines() -> str:
    """What anybody on this machine sees of anybody's processes."""
    seen = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return "\n".join(seen)


def test_a_night_is_published_and_a_restart_of_the_server_is_survived(operated):
    assert operated.statuses == ["SUCCESS", "SUCCESS", "SUCCESS"], operated.told[-3000:]
    assert operated.lived
    assert operated.home.query("SELECT comparison_date FROM ledger_versions") == [(NIGHT,)]


def test_runs_and_events_are_in_postgresql_and_nowhere_else(operated):
    query = operated.server.query

    assert query("SELECT status, count(*) FROM runs GROUP BY status") == [("SUCCESS", 3)]
    [(came,)] = query(
        "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND asset_key LIKE '%delivery%'"
    )
    [(checked,)] = query("SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_CHECK_EVALUATION'")
    assert came == 3
    assert checked > 5
    assert not list(operated.home.folder.joinpath("dagster").rglob("*.db"))


def test_runs_are_side_by_side(operated):
    first_two = "(SELECT * FROM runs ORDER BY id LIMIT 2) first_two"

    assert operated.server.query(f"SELECT max(start_time) < min(end_time) FROM {first_two}") == [(True,)]


def test_the_password_is_nowhere(operated):
    stored = json.dumps(operated.server.query("SELECT run_body FROM runs UNION ALL SELECT event FROM event_logs"))

    assert "dagster-webserver" in operated.command_lines
    assert PASSWORD not in operated.told + operated.command_lines + stored
    assert operated.server.url not in operated.command_lines + stored


def test_a_wrong_password_is_said_and_not_quoted(operated, tmp_path, monkeypatch):
    wrong = tmp_path / "password"
    wrong.write_text("not-the-password\n")
    monkeypatch.setenv("KCB_DAGSTER_POSTGRES_URL", operated.server.url)
    monkeypatch.setenv("KCB_DAGSTER_POSTGRES_PASSWORD_FILE", str(wrong))
    monkeypatch.setenv("KCB_DAGSTER_STATE", "")

    with pytest.raises(KcbError, match=r"PostgreSQL server .* password authentication failed") as raised:
        instance_of(kcb_pipeline.home.Home(tmp_path))

    assert "not-the-password" not in str(raised.value)
