"""What belongs to a version beside its rows: `manifest.json` in its folder says each file and its digest, so that a swapped one is found.

The chain of digests (`digest.py`) covers the rows of the published file. The manifest ties the folder to it: it repeats the row of
`ledger_versions`, and lists every file of the folder and, of the version that stands, the table `links`, which is kept for it alone.
The folders also say how many versions there have to be: a file that was cut back to an earlier version is found.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import Limits, connect, frame, rows, scalar
from kcb_pipeline.errors import KeyRefusedError, UsageError, VerificationError
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import OBJECTS, Fault, rows_digest, verify
from kcb_pipeline.ledgers.schema import TABLES, create_table_sql
from kcb_pipeline.ledgers.views import create_views
from kcb_pipeline.signatures import ANOTHER_KEY, FILE_VARIABLE, Signers, SigningKey

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.sig"
PAPERS: Final = ("worklists", "更正建议.xlsx", "待补正.xlsx")
"""What of a version's folder holds identities: retention erases it, `kcb export` makes it again."""


def write_manifest(
    connection: duckdb.DuckDBPyConnection, number: int, folder: Path, signing: SigningKey | None
) -> None:
    """Write `manifest.json` of a version into its folder, which holds everything else already: the version's row, the files and their digests,
    the digest of `links` where the version is the latest, and where the report and the data docs are; and its signature beside it, with a key."""
    row = frame(connection, f"SELECT * FROM ledger_versions WHERE version = {number}").row(0, named=True)
    checks = scalar(connection, f"SELECT count(*) FROM check_results WHERE version = {number}")
    said = _said(row) | {
        "checks": checks,
        "report": _inside(folder, "report.html"),
        "data_docs": _inside(folder, "data_docs/index.html"),
        "files": {name: _sha256(folder / name) for name in _files(folder)},
        "links_digest": _links_digest(connection, number),
    }
    _write(said, folder, signing)


def _write(said: dict[str, Any], folder: Path, signing: SigningKey | None) -> None:
    if signing is not None:
        said["signed_by"] = signing.name
    content = (json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    for name, written in ((MANIFEST, content), (SIGNATURE, signing.sign(content) if signing else None)):
        if written is not None:
            with (folder / name).open("wb") as file:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())


def signing_key(folder: Path) -> SigningKey | None:
    """The key by which the manifest of a version's folder is to be signed when it is written anew; None where this machine signs nothing.

    UsageError where it is signed, and there is no key to sign it again.
    """
    key = SigningKey.of_environment()
    if key is None and (folder / SIGNATURE).exists():
        raise UsageError(
            f"versions/{folder.name} is signed: {FILE_VARIABLE} has to name a key to sign what is made again"
        )
    return key


def sign_manifests(connection: duckdb.DuckDBPyConnection, home: Home, signing: SigningKey) -> int:
    """Sign the manifests of all versions that have no signature yet; how many. VerificationError where anything is not as it was published:
    a signature says that it is."""
    faults = [*verify(connection)[1], *verify_folders(connection, home)]
    if faults:
        raise VerificationError(f"{len(faults)} fault(s), see kcb verify: nothing was signed")
    unsigned = [
        folder
        for (number,) in rows(connection, "SELECT version FROM ledger_versions ORDER BY version")
        if not (folder := home.version_folder(number)).joinpath(SIGNATURE).exists()
    ]
    for folder in unsigned:
        _write(json.loads((folder / MANIFEST).read_text(encoding="utf-8")), folder, signing)
    return len(unsigned)


def verify_signatures(connection: duckdb.DuckDBPyConnection, home: Home, signers: Signers) -> list[Fault]:
    """The versions whose manifest is not signed by any of those who are believed. KeyRefusedError where none of those that are signed is."""
    doubts: dict[int, str] = {}
    numbers = [number for (number,) in rows(connection, "SELECT version FROM ledger_versions ORDER BY version")]
    for number in numbers:
        folder = home.version_folder(number)
        try:
            content = (folder / MANIFEST).read_bytes()
            signed_by = json.loads(content).get("signed_by")
            signature = (folder / SIGNATURE).read_bytes() if (folder / SIGNATURE).exists() else None
        except (OSError, ValueError, AttributeError):  # said of its folder already
            continue
        doubt = signers.doubt(content, signature, signed_by)
        if doubt is not None:
            doubts[number] = doubt
    if doubts and len(doubts) == len(numbers) and set(doubts.values()) == {ANOTHER_KEY}:
        raise KeyRefusedError("none of the versions is signed by the key that was given: another key, or other ledgers")
    return [Fault(number, f"versions/{number:06d}/{MANIFEST} {doubt}") for number, doubt in doubts.items()]


def verify_folders(connection: duckdb.DuckDBPyConnection, home: Home) -> list[Fault]:
    """What is wrong with the folders of all versions, and with `links` and the views of the published file in use. Names of papers are not told."""
    faults: list[Fault] = []
    table = frame(connection, "SELECT * FROM ledger_versions ORDER BY version")
    versions = {int(row["version"]): row for row in table.iter_rows(named=True)}
    for number, row in versions.items():
        faults += (Fault(number, what) for what in _folder_faults(connection, home.version_folder(number), row))
    for folder in sorted(home.version_folder(0).parent.glob("[0-9]*")):
        if folder.name.isdecimal() and int(folder.name) not in versions:
            faults.append(
                Fault(int(folder.name), "its folder is there, but ledgers.duckdb does not hold it: an older file was put in its place")
            )  # fmt: skip
    if versions and versions[max(versions)]["code_version"] == __version__:
        faults += (Fault(max(versions), what) for what in _view_faults(connection, max(versions)))
    return faults


def _folder_faults(connection: duckdb.DuckDBPyConnection, folder: Path, row: dict[str, Any]) -> Iterator[str]:
    if not folder.is_dir():
        yield f"its folder versions/{folder.name} is gone"
        return
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(said["files"])
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        yield f"versions/{folder.name}/{MANIFEST} is gone, or lists no files (kcb report --version {row['version']} makes it again)"
        return
    if (folder / SIGNATURE).exists() != ("signed_by" in said):
        yield f"versions/{folder.name}/{MANIFEST} says otherwise than {SIGNATURE} whether it is signed"
    differing = [name for name, value in _said(row).items() if said.get(name) != value]
    if differing:
        yield f"versions/{folder.name}/{MANIFEST} says another {', '.join(differing)} than ledgers.duckdb"
    there = set(_files(folder))
    changed = sum(name in there and _sha256(folder / name) != digest for name, digest in files.items())
    lost = sum(name not in there and name.split("/")[0] not in PAPERS for name in files)
    for count, what in (
        (changed, "are not as they were made"),
        (lost, "are gone"),
        (len(there - set(files)), "were put there"),
    ):
        if count:
            yield f"{count} file(s) in versions/{folder.name} {what}"
    standing = _links_digest(connection, int(row["version"]))
    if standing is not None and said.get("links_digest") != standing:
        yield "the rows of links are not those that were published"


def _links_digest(connection: duckdb.DuckDBPyConnection, number: int) -> str | None:
    """Of `links`, where it is kept for this version: the latest."""
    if scalar(connection, "SELECT max(version) FROM ledger_versions") != number:
        return None
    columns = rows(
        connection,
        "SELECT column_name FROM duckdb_columns() WHERE table_name = 'links' AND database_name = current_database() ORDER BY column_index",
    )
    return rows_digest(connection, "links", [name for (name,) in columns], "true")


def _view_faults(connection: duckdb.DuckDBPyConnection, number: int) -> Iterator[str]:
    """Views, macros and tables that are not those which this program publishes: a view that leaves a child out changes no cell."""
    there = dict(rows(connection, OBJECTS))
    columns = rows(
        connection,
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'links' AND database_name = current_database() ORDER BY column_index",
    )
    versions = scalar(connection, "SELECT sql FROM duckdb_tables() WHERE table_name = 'ledger_versions'")
    limits = Limits(memory="500MB", threads=1)
    listed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
    with tempfile.TemporaryDirectory(prefix="kcb-verify-") as folder:
        path = Path(folder) / "ledgers.duckdb"
        with connect(path, limits) as fresh:
            fresh.execute(versions)
            for found in TABLES:
                fresh.execute(create_table_sql(found))
            fresh.execute(f"CREATE TABLE links ({listed})")
            create_views(fresh, number)
        with connect(
            path, limits, read_only=True
        ) as fresh:  # DuckDB writes a view out otherwise once it has been stored
            expected = dict(rows(fresh, OBJECTS))
    for name in sorted(expected.keys() - there.keys()):
        yield f"the {name} is gone"
    strange = len(there.keys() - expected.keys())
    if strange:
        yield f"{strange} table(s), view(s) or macro(s) in ledgers.duckdb are not ours"
    for name in sorted(name for name in expected.keys() & there.keys() if expected[name] != there[name]):
        yield f"the {name} says something else than was published"


def _said(row: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, dt.date) else value for name, value in row.items()}


def _inside(folder: Path, path: str) -> str | None:
    """The path, if there is such a file in the folder."""
    return path if (folder / path).is_file() else None


def _files(folder: Path) -> list[str]:
    """Every file below the folder but the manifest, by its path in it."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(name for name in found if name not in (MANIFEST, SIGNATURE))


def _sha256(path: Path) -> str:
    if not path.is_file():
        return "no file"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
