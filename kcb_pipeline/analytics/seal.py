"""The seal of `analytics.duckdb`: by what a changed cell, view or macro of it is found, in the file and in every copy that was given away.

One digest over all that the file shows stands in the file itself, with its signature where this machine signs (`kcb_pipeline.signatures`).
So the file is one whole, replaced at once. Who changes a cell could write another digest too; who has no key writes no signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from kcb_pipeline.engines.embedded import Limits, connect, rows, scalar
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import Fault, database_digest
from kcb_pipeline.signatures import Signers, SigningKey


def seal(path: Path, limits: Limits) -> None:
    """Seal a file that is otherwise finished; its table `seal` is there and empty."""
    key = SigningKey.of_environment()
    with connect(path, limits, read_only=True) as connection:
        digest = database_digest(connection, without="seal")
    with connect(path, limits) as connection:
        signed = [key.name, key.sign(digest.encode()).hex()] if key else [None, None]
        connection.execute("INSERT INTO seal (digest, signed_by, signature) VALUES (?, ?, ?)", [digest, *signed])
        connection.execute("CHECKPOINT")


def says_the_same(built: Path, standing: Path, limits: Limits) -> bool:
    """Whether the file that stands shows what a sealed one shows, under the same seal: what its seal says is not believed, but computed."""
    with connect(built, limits, read_only=True) as connection:
        [(digest, signed_by, signature)] = rows(connection, _SEAL)
    try:
        with connect(standing, limits, read_only=True) as connection:
            sealed = rows(connection, _SEAL)
            return sealed == [(digest, signed_by, signature)] and database_digest(connection, without="seal") == digest
    except duckdb.Error:  # damaged, or of a program before this one
        return False


_SEAL: Final = "SELECT digest, signed_by, signature FROM seal"


def verify_analytics(ledgers: duckdb.DuckDBPyConnection, home: Home, signers: Signers | None = None) -> list[Fault]:
    """What is wrong with the file that analysts have, beside the ledgers in use; nothing where there is none. With `signers`, also whether
    it is signed by one of them."""
    if not home.analytics.exists():
        return []
    try:
        with connect(home.analytics, home.limits(), read_only=True) as connection:
            return [Fault(None, f"analytics.duckdb {what}") for what in faults_of(connection, ledgers, signers)]
    except duckdb.Error as error:
        return [
            Fault(
                None,
                f"analytics.duckdb is damaged, or none of ours ({type(error).__name__}): the next night makes it anew",
            )
        ]


def faults_of(
    connection: duckdb.DuckDBPyConnection, ledgers: duckdb.DuckDBPyConnection, signers: Signers | None = None
) -> Iterator[str]:
    """What is wrong with a file, opened read-only, beside the ledgers."""
    digest = scalar(connection, "SELECT content_digest FROM about")
    if digest not in {known for (known,) in rows(ledgers, "SELECT content_digest FROM ledger_versions")}:
        yield "was made from no version that there is"
    sealed = rows(connection, _SEAL)
    found = database_digest(connection, without="seal")
    if [digest for digest, _, _ in sealed] != [found]:
        yield "is not what was published: a cell, a view or a macro was changed"
    elif signers is not None:
        [(_, signed_by, signature)] = sealed
        doubt = signers.doubt(found.encode(), None if signature is None else _bytes(signature), signed_by)
        if doubt is not None:
            yield doubt


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature)
    except ValueError:
        return b""
