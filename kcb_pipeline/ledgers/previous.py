"""The version a night builds on: the latest one of an earlier comparison date.

A night is a function of its extracts, the rules and this version. Because it is chosen by date and not by when it was made, running
a date again gives the same result, however often, and running an earlier date again restates it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from kcb_pipeline.engines.embedded import Limits, attach, connect, is_damaged, rows
from kcb_pipeline.errors import VerificationError
from kcb_pipeline.ledgers.compatibility import refuse_other_schema
from kcb_pipeline.ledgers.schema import TABLES, table


@dataclass(frozen=True, slots=True)
class Version:
    """What identifies one published version."""

    version: int
    comparison_date: dt.date
    content_digest: str
    inputs_digest: str
    rules_digest: str
    base_version: int | None
    run_id: str = ""


def versions(ledgers: Path, limits: Limits) -> list[Version]:
    """All published versions, in order; none where nothing has been published. SchemaError where another schema published them,
    VerificationError where the file is damaged."""
    if not ledgers.exists():
        return []
    with damage_told(), connect(ledgers, limits, read_only=True) as connection:
        refuse_other_schema(connection)
        return [
            Version(*row)
            for row in rows(
                connection,
                "SELECT version, comparison_date, content_digest, inputs_digest, rules_digest, base_version, run_id "
                "FROM ledger_versions ORDER BY version",
            )
        ]


@contextmanager
def damage_told() -> Iterator[None]:
    """Says VerificationError of published ledgers that are damaged, where they are opened."""
    try:
        yield
    except duckdb.Error as error:
        if is_damaged(error):
            raise VerificationError(
                "published/ledgers.duckdb is damaged: keep it aside and restore the last whole backup (docs/operations/backup.md)"
            ) from None
        raise


def base_of(comparison_date: dt.date, published: list[Version]) -> Version | None:
    """The version a comparison date builds on: of the latest earlier date, the one published last; None on the first."""
    earlier = [version for version in published if version.comparison_date < comparison_date]
    return max(earlier, key=lambda version: (version.comparison_date, version.version), default=None)


def standing(comparison_date: dt.date, published: list[Version]) -> Version | None:
    """The version that stands for a comparison date: the one published last."""
    return max((v for v in published if v.comparison_date == comparison_date), key=lambda v: v.version, default=None)


def stale_dates(published: list[Version]) -> list[dt.date]:
    """Comparison dates whose standing version was built on one that has been restated since."""
    stale: list[dt.date] = []
    for day in sorted({version.comparison_date for version in published}):
        found = standing(day, published)
        base = base_of(day, published)
        assert found is not None
        base_day_is_stale = base is not None and base.comparison_date in stale
        if (base.version if base else None) != found.base_version or base_day_is_stale:
            stale.append(day)
    return stale


def show_previous(connection: duckdb.DuckDBPyConnection, ledgers: Path, base: Version | None) -> None:
    """Show the published tables as they stood in `base` as temporary views `previous_<table>`; empty ones where there is no base.

    `previous_sources` also tells which sources ever came, and `previous_identities` (child_id, id_number, name, student_number, until_version)
    how else a child of `base` was known in the versions that it builds on.
    """
    if base is not None:
        attach(connection, ledgers, "published", read_only=True)
    for kept in TABLES:
        columns = ", ".join(f'"{field.name}"' for field in kept.fields)
        if base is None:
            typed = ", ".join(f'NULL::{field.type} AS "{field.name}"' for field in kept.fields)
            body = f"SELECT {typed} WHERE false"
        elif kept.keeping == "history":
            body = (
                f"SELECT {columns} FROM published.main.{kept.stored_as} WHERE valid_from_version <= {base.version} "
                f"AND (valid_to_version IS NULL OR valid_to_version > {base.version})"
            )
        else:
            body = f"SELECT {columns} FROM published.main.{kept.stored_as} WHERE version = {base.version}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW previous_{kept.name} AS {body}")
    identities = (
        "SELECT NULL::VARCHAR AS child_id, NULL::VARCHAR AS id_number, NULL::VARCHAR AS name, NULL::VARCHAR AS student_number, "
        "NULL::INTEGER AS until_version WHERE false"
    )
    if base is not None:
        identities = _IDENTITIES.format(facts=f"published.main.{_FACTS.stored_as}", base=base.version)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW previous_identities AS {identities}")


_FACTS = table("child_facts")
_IDENTITIES = """
WITH RECURSIVE lineage AS (
    SELECT version, base_version FROM published.main.ledger_versions WHERE version = {base}
    UNION ALL
    SELECT v.version, v.base_version FROM published.main.ledger_versions v JOIN lineage l ON v.version = l.base_version
)
SELECT f.child_id, f.id_number, f.name, f.student_number, max(f.valid_to_version) AS until_version
FROM {facts} f
JOIN previous_child_facts p ON p.child_id = f.child_id
 AND (p.id_number <> f.id_number OR p.name <> f.name OR p.student_number <> f.student_number)
WHERE f.valid_to_version <= {base}
  AND EXISTS (SELECT 1 FROM lineage l WHERE l.version >= f.valid_from_version AND l.version < f.valid_to_version)
GROUP BY f.child_id, f.id_number, f.name, f.student_number
"""
"""A version that was superseded is none of those that others build on: what it said of a child is not known."""
