"""The seal of `analytics.duckdb`: by what a changed cell, view or macro of it is found, in the file and in every copy that was given away.

One digest over all that the file shows stands in the file itself, with its signature where this machine signs (`kcb_pipeline.signatures`).
So the file is one whole, replaced at once. Who changes a cell could write another digest too; who has no key writes no signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from kcb_pipeline.engines.embedded import Limits, connect, rows, scalar
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import Fault, database_digest


def seal(path: Path, limits: Limits) -> None:
    """Seal a file that is otherwise finished; its table `seal` is there and empty."""
    with connect(path, limits, read_only=True) as connection:
        digest = database_digest(connection, without="seal")
    with connect(path, limits) as connection:
        connection.execute("INSERT INTO seal (digest) VALUES (?)", [digest])
        connection.execute("CHECKPOINT")


def verify_analytics(ledgers: duckdb.DuckDBPyConnection, home: Home) -> list[Fault]:
    """What is wrong with the file that analysts have, beside the ledgers in use; nothing where there is none."""
    if not home.analytics.exists():
        return []
    try:
        with connect(home.analytics, home.limits(), read_only=True) as connection:
            return [Fault(None, f"analytics.duckdb {what}") for what in faults_of(connection, ledgers)]
    except duckdb.Error as error:
        return [
            Fault(
                None,
                f"analytics.duckdb is damaged, or none of ours ({type(error).__name__}): the next night makes it anew",
            )
        ]


def faults_of(connection: duckdb.DuckDBPyConnection, ledgers: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What is wrong with a file, opened read-only, beside the ledgers."""
    digest = scalar(connection, "SELECT content_digest FROM about")
    if digest not in {known for (known,) in rows(ledgers, "SELECT content_digest FROM ledger_versions")}:
        yield "was made from no version that there is"
    sealed = rows(connection, "SELECT digest FROM seal")
    if sealed != [(database_digest(connection, without="seal"),)]:
        yield "is not what was published: a cell, a view or a macro was changed"
