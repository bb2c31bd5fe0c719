"""Shared across tiers. The tiers: `unit` knows no Dagster and writes only temporary files; `dag` looks at the graph; `pipeline` runs nights."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

# Tests never look at the home or the Dagster instance of the person who runs them.
for name in ("KCB_HOME", "DAGSTER_HOME", "KCB_DAGSTER_STATE", "KCB_DAGSTER_POSTGRES_URL"):
    os.environ.pop(name, None)

NOTHING_SKIPPED = "KCB_TESTS_SKIP_NOTHING"
"""Set by `.ci/run` where it found or installed whatever a test needs: there a test that is skipped is a test that fails."""

MAY_BE_MISSING = ("no systemd-analyze",)
"""How the reasons begin for which a test may be skipped there too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hold the tiers apart: a test that runs a night belongs in tests/pipeline."""
    for item in items:
        tier = Path(item.path).relative_to(Path(__file__).parent).parts[0]
        if "first_night" in getattr(item, "fixturenames", ()) and tier not in ("pipeline", "browser"):
            raise pytest.UsageError(f"{item.nodeid}: runs a night outside tests/pipeline")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may be skipped, say that a skipped test failed, and why it was skipped."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(NOTHING_SKIPPED):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        if not reason.startswith(MAY_BE_MISSING):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped where nothing may be ({NOTHING_SKIPPED}): {reason}"
    return report
