"""Which stages of a night are done, kept in its working database: what may be continued from, and what has to be made again.

A stage may begin when everything it comes after is done; as it begins, what comes after it is done no more, and gates have not spoken of it.
So a night can be taken up from any stage, alone or after another run was killed, and never mixes what two runs have computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import duckdb

from kcb_pipeline.engines.embedded import rows
from kcb_pipeline.errors import UsageError
from kcb_pipeline.gates import STANDS_AT, forget_verdicts

Order = Mapping[str, frozenset[str]]
"""Stage → every stage it comes after, near and far; in an order in which they can run."""

_TABLE = "CREATE TABLE IF NOT EXISTS gates.stages (stage VARCHAR)"


def done(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The stages that are done."""
    connection.execute(_TABLE)
    return {stage for (stage,) in rows(connection, "SELECT stage FROM gates.stages")}


def begin(connection: duckdb.DuckDBPyConnection, stage: str, order: Order) -> None:
    """Note that a stage is being made again. UsageError where something it comes after is not done."""
    require(connection, stage, order[stage], order)
    again = {stage, *(later for later, after in order.items() if stage in after)}
    connection.execute("DELETE FROM gates.stages WHERE list_contains(?, stage)", [sorted(again)])
    forget_verdicts(connection, tuple(suite for suite, stands_at in STANDS_AT.items() if stands_at in again))


def require(connection: duckdb.DuckDBPyConnection, what: str, stages: Collection[str], order: Order) -> None:
    """UsageError where one of these stages is not done; it names the first of them, from which to run."""
    missing = set(stages) - done(connection)
    if missing:
        first = next(stage for stage in order if stage in missing)
        raise UsageError(f"{what} comes after {first}, which is not done: run the date from there (--from {first})")


def finish(connection: duckdb.DuckDBPyConnection, stage: str) -> None:
    """Note that a stage is done."""
    connection.execute(_TABLE)
    connection.execute("INSERT INTO gates.stages VALUES (?)", [stage])
