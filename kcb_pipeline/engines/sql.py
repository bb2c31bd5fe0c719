"""Named relational steps: one SQL statement a file, run in order, each filling one table.

The statements keep to what DuckDB and Spark share (join, filter, group, window, union), because both engines run them; text,
dates and comparisons are never computed here but by kernels on batches (docs/adr/0004). A step's first comment says what it does.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from typing import Protocol

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import replace


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
    engine = _ENGINE.get()
    if engine is not None:
        engine.fill(connection, into, statement(package, step), parameters or {})
    else:
        replace(connection, into, statement(package, step), parameters or {})


def step_rows(
    connection: duckdb.DuckDBPyConnection, package: str, step: str, parameters: Mapping[str, object] | None = None
) -> pl.DataFrame:
    """The rows of a step whose result is small, here."""
    return query(connection, statement(package, step), parameters)


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Mapping[str, object] | None = None,
    *,
    beside: Mapping[str, pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """The rows of a statement over working tables, and over frames `beside` them by their names."""
    engine = _ENGINE.get()
    if engine is not None:
        return engine.rows(connection, sql, parameters or {}, beside or {})
    for name, frame in (beside or {}).items():
        connection.register(name, frame.to_arrow())
    try:
        return pl.DataFrame(connection.sql(sql, params=parameters or {}).to_arrow_table())
    finally:
        for name in beside or {}:
            connection.unregister(name)


class Engine(Protocol):
    """An engine that runs statements elsewhere than in the working database, and shows their results there."""

    def fill(
        self, connection: duckdb.DuckDBPyConnection, into: str, sql: str, parameters: Mapping[str, object]
    ) -> None:
        """Make the working table `into` the result of a statement."""

    def rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        parameters: Mapping[str, object],
        beside: Mapping[str, pl.DataFrame],
    ) -> pl.DataFrame:
        """The result of a statement."""


_ENGINE: ContextVar[Engine | None] = ContextVar("engine", default=None)


@contextmanager
def steps_on(engine: Engine) -> Iterator[None]:
    """Run the named steps of what is called inside on another engine."""
    token = _ENGINE.set(engine)
    try:
        yield
    finally:
        _ENGINE.reset(token)
