"""Nights run by the library alone, in this process, without Dagster: fast enough for a test that needs many of them."""

import datetime as dt
import warnings
from pathlib import Path

import duckdb

from checks.suites import run_suite
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.gates import SUITES
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.publication import Published
from kcb_pipeline.night import Night


def run_night(folder: Path, date: dt.date, *, gates: tuple[str, ...] = SUITES) -> Published:
    """Every stage and those gates of a date, in their order; AssertionError names the gates that have stopped it.

    The other gates are taken as passed: a test of a hundred small nights need not ask each whether its extracts shrank.
    """
    night = Night(Home(folder), date)
    night.find_delivery()
    for source in sources():
        night.land(source)
    night.build_on()
    _ask(night, gates, "contract", "volumes")
    night.standardise()
    night.resolve()
    _ask(night, gates, "identity")
    night.recognise()
    night.believe()
    night.bind_reviews()
    night.match()
    _ask(night, gates, "matching")
    night.attribute()
    night.compare_attendance()
    night.classify()
    _ask(night, gates, "status")
    night.compare_poverty()
    night.advance_cases()
    night.draft()
    _ask(night, gates, "ledgers")
    return night.publish(run_id="test", now=dt.datetime.combine(date, dt.time(20), tzinfo=dt.UTC))


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
