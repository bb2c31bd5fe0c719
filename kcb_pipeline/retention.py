"""What is kept no longer than it is needed (个人信息保护法 art. 19), and a record of what was erased.

Erased: working files, extracts of dates that have been compared, and the workbooks with identities that went with a version, each after
the days of `[retention]` in kcb.toml. Never erased: the ledgers, reviews, manifests and reports; anything of today or later; the latest
published date; extracts of a date that is stale or has not been published; a date that is being run.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kcb_pipeline.claim import is_running
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.manifest import PAPERS
from kcb_pipeline.ledgers.previous import Version, stale_dates, versions

Dated = tuple[dt.date, list[Path]]
Kind = Literal["working_files", "extracts", "papers", "spilled"]

_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Expired:
    """Something whose time is over: of which kind and comparison date, where, how much, and the rule by which it goes."""

    kind: Kind
    date: dt.date
    paths: tuple[Path, ...]
    files: int
    bytes: int
    rule: str


def expired(home: Home, as_of: dt.date, *, now: dt.datetime) -> list[Expired]:
    """What may go by the rules of the home, oldest first: dates are counted back from `as_of`, days without work from `now`."""
    rules = home.config().retention
    published = versions(home.ledgers, home.limits())
    compared = {version.comparison_date for version in published}
    latest = {max(compared)} if compared else set()

    def of(kind: Kind, found: Iterable[Dated], days: int, kept: set[dt.date]) -> Iterator[Expired]:
        for date, paths in found:
            if (
                date < as_of - dt.timedelta(days=days)
                and date not in kept
                and paths
                and not is_running(home.work, date)
            ):
                yield Expired(kind, date, tuple(sorted(paths)), *_size(paths), rule=f"{kind}_days = {days}")

    needed = latest | set(stale_dates(published)) | {date for date, _ in _extracts(home) if date not in compared}
    return sorted(
        [
            *of(
                "working_files",
                _unused(_working_files(home), rules.working_files_days, now),
                rules.working_files_days,
                latest,
            ),
            *of("extracts", _extracts(home), rules.extracts_days, needed),
            *of("papers", _papers(home, published), rules.papers_days, latest),
            *_spilled(home, now),
        ],
        key=lambda one: (one.date, one.kind, one.paths),
    )


def erase(home: Home, as_of: dt.date, *, now: dt.datetime) -> list[Expired]:
    """Erase what has expired, and append to `erasures.jsonl` what that was: kind, date, counts and rule, no name of a file.

    The record comes first: a run that is killed in between leaves a line too many, never an erasure without one.
    """
    gone = expired(home, as_of, now=now)
    for one in gone:
        said = asdict(one) | {"date": str(one.date), "erased_at": now.isoformat(timespec="seconds")}
        del said["paths"]
        _append(home.erasures, json.dumps(said, ensure_ascii=False, sort_keys=True) + "\n")
        for path in one.paths:
            _remove(path)
    return gone


def _working_files(home: Home) -> Iterator[Dated]:
    of_date: dict[dt.date, list[Path]] = {}
    for path in _entries(home.work):
        date = _date(path.name[:10])
        if date and path.name[10:] in ("", ".duckdb", ".duckdb.wal"):
            of_date.setdefault(date, []).append(path)
    yield from of_date.items()


def _unused(found: Iterable[Dated], days: int, now: dt.datetime) -> Iterator[Dated]:
    """The dates that nobody has worked on for so many days: an old one that was run again yesterday is to be looked into now."""
    for date, paths in found:
        if all(_rested(path, days, now) for path in paths):
            yield date, paths


def _extracts(home: Home) -> Iterator[Dated]:
    for path in _entries(home.extracts):
        date = _date(path.name)
        if date:
            yield date, [path]


def _papers(home: Home, published: Sequence[Version]) -> Iterator[Dated]:
    for version in published:
        folder = home.version_folder(version.version)
        yield version.comparison_date, [folder / name for name in PAPERS if (folder / name).exists()]


def _spilled(home: Home, now: dt.datetime) -> Iterator[Expired]:
    """What DuckDB spilled for a process that was killed."""
    for path in [*home.work.glob("spill-*"), *home.work.glob("*/spill-*")]:
        if _rested(path, 1, now):
            changed = dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC).date()
            yield Expired("spilled", changed, (path,), *_size([path]), rule="left by a process that was killed")


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _date(text: str) -> dt.date | None:
    """The date, written as the folders of dates are: 20240902 and 2024-W36-1 are somebody else's."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return date if text == str(date) else None


def _rested(path: Path, days: int, now: dt.datetime) -> bool:
    """Whether nothing has been written to a file, or into a folder, for so many days."""
    newest = max(one.lstat().st_mtime for one in (path, *(path.iterdir() if path.is_dir() else ())))
    return now.timestamp() - newest > days * _DAY


def _size(paths: Sequence[Path]) -> tuple[int, int]:
    """Files and their bytes."""
    files = [
        one for path in paths for one in ((path, *path.rglob("*")) if path.is_dir() else (path,)) if not one.is_dir()
    ]
    return len(files), sum(one.lstat().st_size for one in files)


def _append(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    """Remove a file or a folder; of a link only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
