"""Where CI says that nothing may be skipped, a skipped test fails and says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

@pytest.mark.skipif(True, reason="no Chromium on this machine")
def test_marked(): ...

def test_inside():
    pytest.skip("no server on this machine")

@pytest.mark.skipif(True, reason="no systemd-analyze on this machine")
def test_that_may(): ...

@pytest.mark.xfail(reason="known", strict=True)
def test_expected(): raise AssertionError

def test_sound(): ...
"""


@pytest.mark.parametrize(("variable", "code", "summary"), [("1", 1, "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error"), ("", 0, "1 passed, 3 skipped, 1 xfailed")])  # fmt: skip
def test_a_skipped_test_fails_where_nothing_may_be_skipped(tmp_path, variable, code, summary):
    (tmp_path / "conftest.py").write_text(
        (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "test_them.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)],
        cwd=tmp_path, env={**os.environ, "KCB_TESTS_SKIP_NOTHING": variable}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, summary in done.stdout) == (code, True), done.stdout
    if variable:
        assert "no Chromium on this machine" in done.stdout
        assert "no server on this machine" in done.stdout
