"""Named relational steps: one SQL statement a file, run in order, each filling one table.

The statements keep to what DuckDB and Spark share (join, filter, group, window, union), because both engines run them; text,
dates and comparisons are never computed here but by kernels on batches (docs/adr/0003). A step's first comment says what it does.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

import duckdb


@functools.cache
def statement(package: str, step: str) -> str:
    """The SQL of one step: file `step`.sql beside the modules of `package`."""
    return resources.files(package).joinpath("sql", f"{step}.sql").read_text(encoding="utf-8")


def run_step(
    connection: duckdb.DuckDBPyConnection,
    package: str,
    step: str,
    into: str,
    parameters: Mapping[str, object] | None = None,
) -> None:
    """Fill the table `into` with the result of a step; parameters are `$name` in its SQL."""
    connection.execute(f"CREATE OR REPLACE TABLE {into} AS {statement(package, step)}", parameters or {})


def description(package: str, step: str) -> str:
    """The leading comment of a step."""
    lines = statement(package, step).splitlines()
    comment = []
    for line in lines:
        if not line.startswith("--"):
            break
        comment.append(line.removeprefix("--").strip())
    return " ".join(comment)
