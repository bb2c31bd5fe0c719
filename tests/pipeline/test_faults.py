"""Killed at any instant, a night leaves the old version or the new one, and the next run of the same date just works."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline.conftest import DATES


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_instant(first_night, three_nights, tmp_path, seed):
    home = first_night.copy(tmp_path / "home")
    before = home.ledgers.read_bytes()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("kcb")), "run", "--home", str(home.folder), "--date", str(DATES[1])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(random.Random(seed).uniform(2, 14))
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = home.ledgers.read_bytes()

    home.night(DATES[1])

    assert left == before or home.query("SELECT max(version) FROM ledger_versions") == [(2,)]
    assert home.query("SELECT content_digest FROM ledger_versions ORDER BY version") == three_nights.query(
        "SELECT content_digest FROM ledger_versions WHERE version <= 2 ORDER BY version"
    )
