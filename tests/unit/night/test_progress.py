"""How long a night still takes, and how services are told."""

import json
import os

import pytest

from kcb_pipeline import log, progress
from kcb_pipeline.progress import Forecast, keep_seconds, last_seconds, told_time


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


def test_time_left_goes_by_the_last_night_and_by_how_tonight_compares(clock):
    forecast = Forecast({"land": 10.0, "match": 40.0, "publish": 10.0})
    assert forecast.left() == 60

    forecast.start("land")
    clock.now += 4
    assert forecast.left() == 56
    clock.now += 16
    assert forecast.finish() == 20  # twice as slow as the last time
    assert forecast.left() == 100

    forecast.start("match")
    clock.now += 30
    assert forecast.left() == 70
    clock.now += 500  # slower than any forecast: what is left is not less than what comes after
    assert forecast.left() == 20


def test_without_a_night_to_go_by_nothing_is_promised(tmp_path):
    assert Forecast({}).left() is None
    assert last_seconds(tmp_path / "none.json") == {}
    (tmp_path / "torn.json").write_text('{"links": ', encoding="utf-8")
    assert last_seconds(tmp_path / "torn.json") == {}


def test_what_a_night_took_is_kept(tmp_path):
    keep_seconds(tmp_path / "kept.json", {"links": 12.3456})

    assert last_seconds(tmp_path / "kept.json") == {"links": 12.35}


def test_two_nights_that_end_at_one_moment_both_end(tmp_path, monkeypatch):
    def taken_away(descriptor):
        (tmp_path / ".kept.json.next").unlink()  # the other night has put its own in place

    monkeypatch.setattr(os, "fsync", taken_away)
    keep_seconds(tmp_path / "kept.json", {"links": 12.3456})

    assert last_seconds(tmp_path / "kept.json") == {}


def test_times_are_told_as_people_say_them():
    assert [told_time(seconds) for seconds in (4.4, 89, 600, 7200)] == ["4 s", "89 s", "10 min", "2.0 h"]


def test_a_line_of_json_where_it_is_asked_for(monkeypatch, capfd):
    log._stream.cache_clear()
    log.log("info", "done", step="links", rows=3)
    assert capfd.readouterr().err == ""

    monkeypatch.setenv(log.VARIABLE, "json")
    log.log("info", "done", run="r", date="2026-11-20", step="links", rows=3, left=None)
    line = json.loads(capfd.readouterr().err)
    log._stream.cache_clear()
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "message": "done", "run": "r", "date": "2026-11-20", "step": "links", "rows": 3}
