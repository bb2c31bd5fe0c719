"""Publication: the draft becomes the next version, whole or not at all.

Under a lock: the published file is copied aside, the change against the version that stands is applied to the copy in one transaction,
its digest computed and read back, the copy fsynced and renamed into place. A kill at any instant leaves the old file or the new
one; readers keep the file they opened. The gates' verdict is read again here, so that this step cannot be run past them.

The version's folder (manifest, and the papers that offices receive) is made from the copy before it is renamed, and renamed after it.
Where a run was killed between the two, the next publication of any date makes the folder from the published file, to the same bytes.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import attach, connect, rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.errors import GateError, KcbError, StaleDraftError
from kcb_pipeline.gates import SUITES
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import content_digest, seal, standing_in
from kcb_pipeline.ledgers.manifest import write_manifest
from kcb_pipeline.ledgers.previous import Version, base_of, standing, versions
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, Table, create_table_sql
from kcb_pipeline.ledgers.views import create_views
from kcb_pipeline.signatures import SigningKey
from kcb_pipeline.status.reasons import SUSPECTED_STATUSES

LOCK_NAME = ".publishing.lock"
LOCK_WAIT_SECONDS = 3600

Accompany = Callable[[duckdb.DuckDBPyConnection, int, Path], object]
"""Writes what belongs to a version into its folder, from the file that holds it: called with a read-only connection to it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a draft was made from, as kept in `draft.origin`."""

    comparison_date: dt.date
    inputs_digest: str
    rules_digest: str
    base_version: int | None
    base_digest: str | None


@dataclass(frozen=True, slots=True)
class Published:
    """The version that stands after publication, and whether it is new."""

    version: int
    is_new: bool
    content_digest: str
    entered: int = 0
    left: int = 0
    changed: int = 0


def is_published(draft: Draft, published: list[Version]) -> Version | None:
    """The one of the published versions that already says what this draft would: same date, extracts, rules and base."""
    found = standing(draft.comparison_date, published)
    if found is None:
        return None
    same = (found.inputs_digest, found.rules_digest, found.base_version) == (
        draft.inputs_digest,
        draft.rules_digest,
        draft.base_version,
    )
    return found if same else None


def _nothing(_: duckdb.DuckDBPyConnection, __: int, ___: Path) -> None:
    pass


def publish(
    home: Home,
    workspace: Workspace,
    *,
    run_id: str,
    now: dt.datetime,
    engine: str = "duckdb",
    accompany: Accompany = _nothing,
) -> Published:
    """Publish the draft in a working database as the next version, and what `accompany` writes with it.

    Raises GateError where a gate has not passed or has not spoken of this draft, StaleDraftError where the version it builds on
    has been superseded, KcbError where another publication holds the lock too long.
    """
    SigningKey.of_environment()  # one that is none is said before anything is made
    home.published.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.published / LOCK_NAME, timeout=LOCK_WAIT_SECONDS)
    try:
        with lock:
            return _publish(home, workspace, run_id, now, engine, accompany)
    except Timeout:
        raise KcbError("another publication has held its lock for an hour: look for a run that hangs") from None


def _publish(
    home: Home, workspace: Workspace, run_id: str, now: dt.datetime, engine: str, accompany: Accompany
) -> Published:
    published = versions(home.ledgers, home.limits())
    if published and not home.version_folder(published[-1].version).exists():  # a run was killed before it
        _place_folder(home, published[-1].version, _make_folder(home, home.ledgers, published[-1].version, accompany))
    with workspace.connect(read_only=True) as connection:
        draft = read_draft(connection)
        refuse_unless_passed(connection, SUITES, draft)
        counts = _counts(connection)
    base = base_of(draft.comparison_date, published)
    if (base.version if base else None, base.content_digest if base else None) != (
        draft.base_version,
        draft.base_digest,
    ):
        expected = f"version {base.version}" if base else "no version"
        raise StaleDraftError(
            f"{draft.comparison_date}: the draft builds on version {draft.base_version}, but {expected} has to come before it now: "
            f"run the date again (kcb run --date {draft.comparison_date} --from base_version)"
        )
    already = is_published(draft, published)
    if already is not None:
        return Published(already.version, is_new=False, content_digest=already.content_digest)
    number = published[-1].version + 1 if published else 1
    aside = home.published / ".ledgers.next.duckdb"
    for leftover in (aside, aside.with_name(aside.name + ".wal")):
        leftover.unlink(missing_ok=True)  # of a run that was killed
    if home.ledgers.exists():
        shutil.copyfile(home.ledgers, aside)
    header = {
        "version": number,
        "comparison_date": draft.comparison_date,
        "code_version": __version__,
        "rules_digest": draft.rules_digest,
        "inputs_digest": draft.inputs_digest,
        "previous_digest": published[-1].content_digest if published else None,
        **counts,
        "engine": engine,
        "base_version": draft.base_version,
    }
    stamp = {"published_at": now.replace(tzinfo=None, microsecond=0), "run_id": run_id}
    result = _apply(home, workspace, aside, header, stamp)
    _flush(aside)
    folder = _make_folder(home, aside, number, accompany)
    aside.replace(home.ledgers)
    _flush(home.published)
    _place_folder(home, number, folder)
    return result


def _apply(home: Home, workspace: Workspace, aside: Path, header: dict[str, Any], stamp: dict[str, Any]) -> Published:
    """Make a copy of the published file the next version.

    header: the part of the version's row that its content digest covers. stamp: when it is published, and by which run.
    """
    number = header["version"]
    with connect(aside, home.limits()) as connection:
        attach(connection, workspace.database, "work", read_only=True)
        # Of the version before alone, and as large as the children: given back first, its place is taken by tonight's.
        connection.execute("DROP TABLE IF EXISTS links")
        connection.execute("CHECKPOINT")
        connection.execute("BEGIN")
        if number == 1:
            _create_tables(connection)
        changes = {table.name: _apply_table(connection, table, number) for table in TABLES}
        connection.execute(
            "CREATE TABLE links AS SELECT $version::INTEGER AS version, * FROM work.draft.links ORDER BY ALL",
            {"version": number},
        )
        sent = {table.name: _gist(connection, table, _drafted(table, number)) for table in TABLES}
        create_views(connection, number)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    with connect(aside, home.limits(), read_only=True) as connection:  # what was written is what will be read
        for table in TABLES:
            if _gist(connection, table, f"{table.stored_as} WHERE {standing_in(table, number)}") != sent[table.name]:
                raise KcbError(f"version {number} reads back differently from what was written: nothing was published")
        digest = content_digest(connection, number, header)
    row = {**header, **stamp, "content_digest": digest}
    row["seal"] = seal(row)
    with connect(aside, home.limits()) as connection:
        columns = ", ".join(f'"{field.name}"' for field in VERSION_FIELDS)
        values = ", ".join(f"${field.name}" for field in VERSION_FIELDS)
        connection.execute(f"INSERT INTO ledger_versions ({columns}) VALUES ({values})", row)
        connection.execute("CHECKPOINT")
    with connect(aside, home.limits(), read_only=True) as connection:
        [(children,)] = rows(connection, "SELECT count(*) FROM school_age_children")
        if children != header["eligible"]:
            raise KcbError(
                f"version {number} holds {children} children where {header['eligible']} were counted: nothing was published"
            )
    entered, left, changed = changes["child_facts"]
    return Published(number, is_new=True, content_digest=digest, entered=entered, left=left, changed=changed)


def _gist(connection: duckdb.DuckDBPyConnection, table: Table, source: str) -> tuple[int, int]:
    """How many rows, and a number that another cell anywhere would change: for telling two copies apart, not for proving anything."""
    columns = ", ".join(f'cast("{field.name}" AS {field.type})' for field in table.fields)
    [(count, gist)] = rows(connection, f"SELECT count(*), coalesce(bit_xor(hash({columns})), 0) FROM {source}")
    return int(count), int(gist)


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f'"{field.name}" {field.type}' for field in VERSION_FIELDS)
    connection.execute(f"CREATE TABLE ledger_versions ({columns})")
    for table in TABLES:
        connection.execute(create_table_sql(table))


_STAMPED = {
    "cases": ("opened_version", "closed_version"),
    "case_events": ("version",),
    "child_lineage": ("version",),
    "suspected_dropouts": ("opened_version",),
    "dropouts": ("opened_version",),
}
"""Columns that name the version something first stood in: unknown to the draft, filled in now."""


def _apply_table(connection: duckdb.DuckDBPyConnection, table: Table, number: int) -> tuple[int, int, int]:
    """Apply the draft of one table: rows entered, left, changed."""
    names = [f'"{name}"' for name in table.columns]
    listed = ", ".join(names)
    source = _drafted(table, number)
    order = ", ".join(f'"{name}" NULLS FIRST' for name in table.key)
    if table.keeping == "log":
        connection.execute(
            f"INSERT INTO {table.name} (version, {listed}) SELECT {number}, {listed} FROM {source} ORDER BY {order}"
        )
        return 0, 0, 0
    stored = table.stored_as
    if not rows(connection, f"SELECT 1 FROM {stored} WHERE valid_to_version IS NULL LIMIT 1"):  # nothing to differ from
        [(entered,)] = connection.execute(
            f"INSERT INTO {stored} ({listed}, valid_from_version, valid_to_version) SELECT {listed}, {number}, NULL FROM {source} ORDER BY {order}"
        ).fetchall()
        return int(entered), 0, 0
    on = " AND ".join(f'n."{name}" IS NOT DISTINCT FROM o."{name}"' for name in table.key)
    differs = " OR ".join(f'n."{name}" IS DISTINCT FROM o."{name}"' for name in table.columns if name not in table.key)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE moved AS
        SELECT o.rowid AS old_row, n.is_new, {", ".join(f"n.{name}" for name in names)}
        FROM (SELECT rowid, * FROM {stored} WHERE valid_to_version IS NULL) o
        FULL JOIN (SELECT true AS is_new, * FROM {source}) n ON {on}
        WHERE o.rowid IS NULL OR n.is_new IS NULL OR ({differs})
        """
    )
    entered, left, changed = rows(
        connection,
        "SELECT count(*) FILTER (WHERE old_row IS NULL), count(*) FILTER (WHERE is_new IS NULL), "
        "count(*) FILTER (WHERE old_row IS NOT NULL AND is_new) FROM temp.moved",
    )[0]
    connection.execute(
        f"UPDATE {stored} SET valid_to_version = {number} FROM temp.moved m WHERE {stored}.rowid = m.old_row"
    )
    connection.execute(
        f"INSERT INTO {stored} ({listed}, valid_from_version, valid_to_version) "
        f"SELECT {listed}, {number}, NULL FROM temp.moved WHERE is_new ORDER BY {order}"
    )
    connection.execute("DROP TABLE temp.moved")
    return int(entered), int(left), int(changed)


def _drafted(table: Table, number: int) -> str:
    """The draft of a table with the number of the version that it becomes."""
    return f"(SELECT {_stamped(table, number)} FROM work.draft.{table.name})"


def _stamped(table: Table, number: int) -> str:
    stamped = _STAMPED.get(table.name, ())
    columns = []
    for name in table.columns:
        if name not in stamped:
            columns.append(f'"{name}"')
        elif name == "closed_version":
            columns.append(
                f"CASE WHEN closed_on IS NOT NULL THEN coalesce(closed_version, {number}) END AS closed_version"
            )
        else:
            columns.append(f'coalesce("{name}", {number}) AS "{name}"')
    return ", ".join(columns)


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many children of a draft stand in the ledger, and how many of them where."""
    [counts] = rows(
        connection,
        f"""
        SELECT count(*), count(*) FILTER (WHERE status = 'enrolled'), count(*) FILTER (WHERE status IN {SUSPECTED_STATUSES}),
               count(*) FILTER (WHERE status = 'dropout'), count(*) FILTER (WHERE status = 'needs_review')
        FROM draft.children
        """,
    )
    return dict(zip(("eligible", "enrolled", "suspected", "dropouts", "review"), map(int, counts), strict=True))


def read_draft(connection: duckdb.DuckDBPyConnection) -> Draft:
    """What the draft of a working database was made from."""
    [row] = rows(
        connection, "SELECT comparison_date, inputs_digest, rules_digest, base_version, base_digest FROM draft.origin"
    )
    return Draft(*row)


def refuse_unless_passed(connection: duckdb.DuckDBPyConnection, suites: tuple[str, ...], draft: Draft) -> None:
    """GateError unless every one of the suites has spoken of exactly this draft and none has failed."""
    verdicts = rows(connection, "SELECT suite, passed, draft FROM gates.verdicts ORDER BY suite")
    spoken = {suite for suite, _, of in verdicts if of == draft_token(draft)}
    silent = sorted(set(suites) - spoken)
    if silent:
        raise GateError(f"nothing is published: the gates {', '.join(silent)} have not looked at this draft")
    failed = [suite for suite, passed, _ in verdicts if suite in suites and not passed]
    if failed:
        raise GateError(f"nothing is published: the gates {', '.join(failed)} have failed")


def draft_token(draft: Draft) -> str:
    """What tells one draft from another, for a gate to say which it has seen."""
    return f"{draft.comparison_date}:{draft.inputs_digest}:{draft.rules_digest}:{draft.base_version}"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(home: Home, database: Path, number: int, accompany: Accompany) -> Path:
    """The folder of a version, made aside and flushed, from the file that holds the version."""
    place = home.version_folder(number)
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.next")
    if aside.exists():
        shutil.rmtree(aside)  # of a run that was killed
    aside.mkdir()
    with connect(database, home.limits(), read_only=True) as connection:
        accompany(connection, number, aside)
        write_manifest(connection, number, aside, SigningKey.of_environment())
    for folder in (aside, *(path for path in aside.rglob("*") if path.is_dir())):
        _flush(folder)
    return aside


def _place_folder(home: Home, number: int, aside: Path) -> None:
    place = home.version_folder(number)
    if place.exists():
        shutil.rmtree(place)  # of a version of that number that is published no more: an older file was restored
    aside.replace(place)
    _flush(place.parent)
