"""Shared across tiers. The tiers: `unit` knows no Dagster and writes only temporary files; `dag` looks at the graph; `pipeline` runs nights."""

import os
from pathlib import Path

import pytest

# Tests never look at the home or the Dagster instance of the person who runs them.
for name in ("KCB_HOME", "DAGSTER_HOME", "KCB_DAGSTER_STATE", "KCB_DAGSTER_POSTGRES_URL"):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hold the tiers apart: a test that runs a night belongs in tests/pipeline."""
    for item in items:
        tier = Path(item.path).relative_to(Path(__file__).parent).parts[0]
        if "first_night" in getattr(item, "fixturenames", ()) and tier not in ("pipeline", "browser"):
            raise pytest.UsageError(f"{item.nodeid}: runs a night outside tests/pipeline")
