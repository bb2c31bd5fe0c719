"""Great Expectations, imported alone: without what it looks for or loads for expectations that no gate of ours uses.

It imports PySpark wherever that is installed, which costs a night two seconds and a hundred megabytes for nothing; and PySpark's client
for Spark Connect, found without its own requirements by a process that has no main module (`python -c`, a worker of pytest-xdist), takes
the process for a run of its doctests and ends it. SciPy's statistics and Altair's charts, which it loads unasked, cost another second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

_ABSENT: Final = ("pyspark",)
"""What Great Expectations does without where it is not installed."""

_EMPTY: Final = ("altair", "scipy.stats")
"""What it cannot be imported without, and what only its expectations of distributions use."""


def import_alone() -> None:
    """Import Great Expectations; whoever uses it calls this first. Everybody else finds what is hidden from it as before."""
    if "great_expectations.expectations" in sys.modules:
        return
    with _hidden():
        import great_expectations
        import great_expectations.expectations  # noqa: F401


@contextmanager
def _hidden() -> Iterator[None]:
    packages = (*_ABSENT, *_EMPTY)
    loaded = {
        name: module
        for name, module in sys.modules.items()
        if any(name == package or name.startswith(f"{package}.") for package in packages)
    }
    for name in loaded:
        del sys.modules[name]
    for name in _ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]  # documented: an import of it raises ModuleNotFoundError
    for name in _EMPTY:
        sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(loaded)
