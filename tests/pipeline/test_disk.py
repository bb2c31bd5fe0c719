"""A night asks for its room before it begins, in words that say how much, and what is not there costs nothing."""

import datetime as dt
import shutil

import pytest

from kcb_pipeline import disk
from kcb_pipeline.errors import KcbError
from kcb_pipeline.gates import SUITES
from kcb_pipeline.home import Home
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration import progress
from kcb_pipeline.orchestration import stage as stages
from kcb_pipeline.orchestration.run import run_night
from kcb_pipeline.progress import Silent
from tests.pipeline.micro import County
from tests.pipeline.nights import STAGES, asking, publish

DATE = dt.date(2026, 11, 20)


@pytest.fixture
def night(tmp_path):
    county = County(DATE)
    county.pupil(county.person("王一"))
    county.write(tmp_path)
    return Night(Home(tmp_path), DATE)


def test_a_full_disk_stops_the_night_before_it_begins(night, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**40 - 2**20, 2**20))

    with pytest.raises(KcbError, match=r"2026-11-20: the night needs about 12\d MiB of disk and 1 MiB are free"):
        night.find_delivery()

    assert list(night.home.work.iterdir()) == []


def test_what_is_packed_and_what_is_published_count(night, tmp_path):
    plain = disk.room_needed(night.find_delivery(), night.home.ledgers)
    ledgers = tmp_path / "ledgers"
    ledgers.write_bytes(bytes(50 << 20))
    extract = next((tmp_path / "extracts" / str(DATE)).glob("*registry*"))
    extract.rename(extract.with_name(extract.name + ".gz"))

    packed = disk.room_needed(night.find_delivery(), ledgers)

    size = extract.with_name(extract.name + ".gz").stat().st_size
    assert packed - plain - (50 << 20) == pytest.approx(5 * 1.9 * size, abs=2)


def test_what_spills_is_limited(night):
    (night.home.folder / "kcb.toml").write_text('[storage]\nspill_limit = "3GB"\n', encoding="utf-8")

    with night.workspace.connect() as connection:
        [(limit,)] = connection.sql("SELECT current_setting('max_temp_directory_size')").fetchall()

    assert limit == "2.7 GiB"


def test_tonights_links_take_the_place_of_those_before(tmp_path):
    """They are kept of the latest version alone, so the published file holds their room once however many nights there are."""
    sizes = []
    for date in (DATE, DATE + dt.timedelta(days=1)):
        county = County(date)
        county.pupil(county.person("王一"))
        county.write(tmp_path)
        night = Night(Home(tmp_path), date)
        for stage in STAGES.values():
            stage(night, asking(SUITES))
        with night.workspace.connect() as connection:
            connection.execute(
                "INSERT INTO matched.links SELECT l.* REPLACE ((hash(i) >> 1)::BIGINT AS registry_row, hash(i, 1)::DOUBLE AS match_weight) "
                "FROM matched.links l, range(400000) t(i)"
            )
        publish(night)
        sizes.append(night.home.ledgers.stat().st_size)

    assert sizes[0] > 5 << 20
    assert sizes[1] < 1.2 * sizes[0]


def test_a_stage_for_which_memory_did_not_suffice_says_so(night, monkeypatch):
    asked, notes = [], []

    class Watching(Silent):
        def expect(self, steps, seconds):
            pass

        def note(self, text):
            notes.append(text)

    def take_spilled(*folders):
        asked.append(folders)
        return len(asked) == 2

    monkeypatch.setattr(stages, "take_spilled", take_spilled)
    monkeypatch.setattr(progress, "TERMINAL", [Watching()])
    (night.home.folder / "kcb.toml").write_text('[storage]\nmemory_limit = "3GB"\n', encoding="utf-8")

    run_night(night.home, DATE, start=None)

    assert asked[0] == (night.workspace.files, night.home.work)
    [said] = [note for note in notes if "memory_limit" in note]
    assert said.endswith(
        ": more than [storage] memory_limit (3GB) holds; the rest went by the disk, which takes longer"
    )
