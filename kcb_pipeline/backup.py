"""Backup: a consistent copy of a home in one file, with a digest of every file in it, and the way back.

Under the publication lock everything is linked aside, which takes no time and no space (published files are replaced, never written
over, so a link stays what it was); the archive is written from the links while nights go on. The manifest comes last: an archive
that was torn off has none. Everything in the home is taken but what a night makes anew (`work/`), what has to be asked for
(`extracts/`, `dagster/`) and what is hidden (locks, files on their way); so nothing that is added to a home later is forgotten. What an operator
keeps elsewhere and has linked into the home (`kcb.toml`, `published/` on another disk) is taken as what it leads to.

The way back never writes over a home: it unpacks beside it (within it, where there is an empty one: a volume that was mounted there is no folder
that could be renamed), holds every file to its digest, verifies the chain of the ledgers and the cases, and only then renames. The archive holds
identities.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from filelock import FileLock, Timeout

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import Limits, connect, rows
from kcb_pipeline.errors import KcbError, UsageError, VerificationError
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import verify
from kcb_pipeline.ledgers.previous import versions
from kcb_pipeline.ledgers.publication import LOCK_NAME, LOCK_WAIT_SECONDS
from kcb_pipeline.ledgers.replay import verify_replay
from kcb_pipeline.whole import written_whole

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_MADE_ANEW: Final = ("work",)
_OF_THE_DISK: Final = "lost+found"
"""What ext4 keeps at the root of a disk, for root alone: a disk that is mounted as the home, or in it, has it, and is empty nonetheless."""
_BY_REQUEST: Final = ("extracts", "dagster")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. `version` and `content_digest`: of the latest version in it, None where nothing had been published."""

    path: Path
    files: int
    size: int
    version: int | None
    content_digest: str | None


def back_up(
    home: Home, destination: Path, *, now: dt.datetime, extracts: bool = False, dagster: bool = False
) -> Backup:
    """Write a backup of a home to a file, or under a name of its own into a folder.

    Raises UsageError where there is no home, where the file is there already or would lie inside the home; KcbError where a
    publication holds its lock for an hour.
    """
    if not home.folder.is_dir():
        raise UsageError(f"there is no home at {home.folder}")
    path = destination / f"kcb-{now:%Y%m%dT%H%M%SZ}.tar" if destination.is_dir() else destination
    if path.exists():
        raise UsageError(f"{path} is there already: a backup is never overwritten")
    if path.resolve().is_relative_to(home.folder.resolve()):
        raise UsageError(f"{path} lies inside the home: a backup that is lost with what it backs up is none")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}")
    asked = {"extracts": extracts, "dagster": dagster}
    left_out = {*_MADE_ANEW, *(name for name in _BY_REQUEST if not asked[name])}
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=home.folder) as aside:
        _link_aside(home, Path(aside), left_out)
        return _write(Path(aside), path, now)


def _link_aside(home: Home, aside: Path, left_out: set[str]) -> None:
    """Everything as it stands between two publications."""
    home.published.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home.published / LOCK_NAME, timeout=LOCK_WAIT_SECONDS):
            for path in _files(home.folder, {_OF_THE_DISK, *left_out}, with_links=True):
                copy = aside / path.relative_to(home.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                if path.is_relative_to(home.state) and path.suffix == ".db":
                    _copy_sqlite(path, copy)
                else:
                    _link(path, copy)
    except Timeout:
        raise KcbError("a publication has held its lock for an hour: look for a run that hangs") from None


def _files(folder: Path, left_out: set[str], *, with_links: bool = False) -> Iterator[Path]:
    """The files below a folder that are taken; `with_links`: also what the folder itself, but nothing below it, has as a link."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in left_out or (path.is_symlink() and not with_links):
            continue
        if path.is_dir():
            yield from _files(path, {_OF_THE_DISK})
        elif path.is_file() and not path.name.endswith(("-wal", "-shm", "-journal")):
            yield path


def _link(path: Path, copy: Path) -> None:
    try:
        os.link(path.resolve(), copy)
    except FileNotFoundError:
        return  # erased meanwhile, by retention or by who delivers extracts
    except OSError:  # a file system without links, or a part of the home on another one
        shutil.copyfile(path, copy)


def _copy_sqlite(path: Path, copy: Path) -> None:
    """As SQLite copies a database that is being written."""
    source, target = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()


def _write(aside: Path, path: Path, now: dt.datetime) -> Backup:
    version, content_digest = _latest(Home(aside))
    entries: dict[str, dict[str, object]] = {}
    with written_whole(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in _files(aside, set()):
            name = member.relative_to(aside).as_posix()
            entries[name] = _add(archive, member, name)
        manifest = {
            "format": _FORMAT,
            "code_version": __version__,
            "made_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "version": version,
            "content_digest": content_digest,
            "files": entries,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(text), 0o600
        archive.addfile(info, io.BytesIO(text))
    return Backup(path, len(entries), path.stat().st_size, version, content_digest)


def _latest(home: Home) -> tuple[int | None, str | None]:
    """The latest version and its digest, of whatever schema: what this program cannot go on with can still be saved."""
    if not home.ledgers.exists():
        return None, None
    with connect(home.ledgers, _limits(home), read_only=True) as connection:
        [latest] = rows(connection, "SELECT max(version), max_by(content_digest, version) FROM ledger_versions")
    return latest[0], latest[1]


def _limits(home: Home) -> Limits:
    """What the settings of a home allow, and the defaults where these cannot be read: a slip in them, or one of another version of this program, is no
    reason to be without a backup, nor to leave one unread."""
    try:
        return home.limits()
    except UsageError:
        return Limits(temporary=home.work)


class _Digesting:
    """A file that digests what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _add(archive: tarfile.TarFile, member: Path, name: str) -> dict[str, object]:
    with member.open("rb") as file:
        info = tarfile.TarInfo(name)
        status = os.fstat(file.fileno())
        info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), 0o600
        reader = _Digesting(file)
        archive.addfile(info, reader)
    return {"sha256": reader.digest.hexdigest(), "size": info.size}


def restore(backup: Path, home: Home) -> Backup:
    """Make a home from a backup. Nothing is left where the backup is not whole.

    Raises UsageError where the home holds anything, VerificationError where the backup is torn or not what was backed up, SchemaError
    where another schema published it.
    """
    if home.folder.exists() and any(path.name != _OF_THE_DISK for path in home.folder.iterdir()):
        raise UsageError(f"{home.folder} is not empty: a backup is restored into a new home, never over one")
    place = home.folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    is_there = place.exists()
    within = place if is_there else place.parent
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.restoring-", dir=within) as folder:
        aside = Path(folder) / "home"
        aside.mkdir()
        found = check(backup, aside)
        if is_there:
            place.chmod(0o700)
            for path in sorted(aside.iterdir(), key=lambda path: path.name == home.published.name):  # the ledgers last
                path.rename(place / path.name)
        else:
            aside.rename(place)
        return found


def check(backup: Path, into: Path) -> Backup:
    """Unpack a backup into an empty folder and verify it: every file by its digest, the ledgers by their chain, the cases by their events."""
    try:
        with tarfile.open(backup, "r:") as archive:
            there = _unpack(archive, into)
    except (tarfile.TarError, EOFError) as error:
        raise VerificationError(f"{backup} is torn or no backup ({error}): take another") from None
    if MANIFEST not in there:
        raise VerificationError(
            f"{backup} has no manifest at its end: it was torn off while it was written or copied; take another"
        )
    expected = _expected(into / MANIFEST, backup)
    (into / MANIFEST).unlink()
    del there[MANIFEST]
    wrong = sorted(name for name in expected.keys() | there.keys() if expected.get(name) != there.get(name))
    if wrong:
        raise VerificationError(
            f"{backup} is not what was backed up: {len(wrong)} file(s) differ, the first is {wrong[0]}; take another"
        )
    restored = Home(into)
    if versions(restored.ledgers, _limits(restored)):
        with connect(restored.ledgers, _limits(restored), read_only=True) as connection:
            _, faults = verify(connection)
            _, lost = verify_replay(connection)
        if faults or lost:
            raise VerificationError(
                f"{backup}: the ledgers in it are not what was published ({len(faults) + len(lost)} fault(s)); take an older one"
            )
    version, content_digest = _latest(restored)
    return Backup(backup, len(expected), backup.stat().st_size, version, content_digest)


def _expected(manifest: Path, backup: Path) -> dict[str, str]:
    """The digest of every file that a backup holds, as its manifest lists them. UsageError where a later kcb wrote it."""
    try:
        said = json.loads(manifest.read_text(encoding="utf-8"))
        form, version = said["format"], said["code_version"]
        listed = {name: entry["sha256"] for name, entry in said["files"].items()} if form == _FORMAT else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise VerificationError(f"{backup} is not what was backed up: its manifest was changed; take another") from None
    if form != _FORMAT:
        raise UsageError(f"{backup} was written by kcb {version} in a form this kcb {__version__} does not know")
    return listed


def _unpack(archive: tarfile.TarFile, into: Path) -> dict[str, str]:
    """Write every file of an archive below a folder, closed to others; the digest of each. Nothing leaves the folder."""
    there: dict[str, str] = {}
    for member in archive:
        path = into / member.name
        if not member.isfile() or member.name in there or not path.resolve().is_relative_to(into.resolve()):
            raise VerificationError(
                f"{member.name!r} has no place in a backup: this file was not written by kcb backup"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        content = archive.extractfile(member)
        assert content is not None
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if path.stat().st_size != member.size:
            raise tarfile.ReadError(f"it ends within {member.name}")
        os.utime(path, (member.mtime, member.mtime))
        there[member.name] = digest.hexdigest()
    return there
