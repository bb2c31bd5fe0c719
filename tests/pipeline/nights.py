"""Nights run by the library alone, in this process, without Dagster: fast enough for a test that needs many of them."""

import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb

from checks.suites import run_suite
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.gates import SUITES
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.publication import Published
from kcb_pipeline.night import Night

Ask = Callable[..., None]


def _land(night: Night, _: Ask) -> None:
    for source in sources():
        night.land(source)


def _build_on(night: Night, ask: Ask) -> None:
    night.build_on()
    ask(night, "contract", "volumes")


def _resolve(night: Night, ask: Ask) -> None:
    night.standardise()
    night.resolve()
    ask(night, "identity")


def _match(night: Night, ask: Ask) -> None:
    night.recognise()
    night.believe()
    night.bind_reviews()
    night.match()
    ask(night, "matching")


def _classify(night: Night, ask: Ask) -> None:
    night.attribute()
    night.compare_attendance()
    night.classify()
    ask(night, "status")


def _draft(night: Night, ask: Ask) -> None:
    night.compare_poverty()
    night.advance_cases()
    night.draft()
    ask(night, "ledgers")


STAGES: dict[str, Callable[[Night, Ask], object]] = {
    "delivery": lambda night, _: night.find_delivery(),
    "landing": _land,
    "base": _build_on,
    "identity": _resolve,
    "matching": _match,
    "status": _classify,
    "draft": _draft,
}
"""What comes before publication, in its order."""


def run_night(folder: Path, date: dt.date, *, gates: tuple[str, ...] = SUITES) -> Published:
    """Every stage and those gates of a date, in their order; AssertionError names the gates that have stopped it.

    The other gates are taken as passed: a test of a hundred small nights need not ask each whether its extracts shrank.
    """
    night = Night(Home(folder), date)
    for stage in STAGES.values():
        stage(night, asking(gates))
    return publish(night)


def asking(gates: tuple[str, ...]) -> Ask:
    """Asks those suites of gates that it is told to and that are among these; the others are taken as passed."""
    return lambda night, *suites: _ask(night, gates, *suites)


def publish(night: Night) -> Published:
    """The last stage, at eight in the evening of its date."""
    return night.publish(run_id="test", now=dt.datetime.combine(night.comparison_date, dt.time(20), tzinfo=dt.UTC))


def _ask(night: Night, asked: tuple[str, ...], *suites: str) -> None:
    for suite in suites:
        if suite not in asked:
            night.record(suite, [])
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = run_suite(suite, night.facts(suite), night.config)
        failed = [f"{suite}.{result.name}: {result.observed}" for result in results if result.blocks]
        assert not failed, f"{night.comparison_date}: {failed}"
        night.record(suite, results)


def query(folder: Path, sql: str) -> list[tuple]:
    """Ask the published file."""
    with duckdb.connect(str(Home(folder).ledgers), read_only=True) as connection:
        return connection.execute(sql).fetchall()
