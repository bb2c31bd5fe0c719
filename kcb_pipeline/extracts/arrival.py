"""When the extracts of a date are complete: what a watcher makes of the extracts folder, tick by tick.

A date is ready when everything that its manifest lists is there as listed, or, where there is none, when its files have stayed as they are
for a while; and when nothing else would stop its delivery at once (a required source missing, a digest that is wrong). It is ready once
for its content: another time or name of arrival is no news, another byte is. A tick looks at sizes and times only; a file is read when
those have changed, and its digest kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kcb_pipeline.errors import ContractError, KcbError
from kcb_pipeline.extracts.delivery import (
    DIGEST_SUFFIX,
    MANIFEST,
    Delivery,
    find_delivery,
    is_hidden,
    read_manifest,
    sha256_of,
)
from kcb_pipeline.whole import written_whole

READING_SECONDS: Final = 25.0
"""How long one tick may read; what is left is read by the next (a sensor has a minute)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was last seen of a date's folder.

    look: digest of paths, sizes and times. since: when it first looked so (seconds since the epoch). settled: whether it has been read
    since. problem: why it is not complete although it was read. content: the inputs digest that was last said to be ready.
    """

    look: str
    since: float
    settled: bool = False
    problem: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a tick found: deliveries that became ready, by date; what the other dates wait for; what to remember."""

    ready: tuple[Delivery, ...]
    waiting: tuple[str, ...]
    seen: dict[dt.date, Seen]


def dates_in(extracts: Path) -> list[dt.date]:
    """The comparison dates that have a folder, in order."""
    if not extracts.is_dir():
        return []
    found = []
    for entry in extracts.iterdir():
        try:
            date = dt.date.fromisoformat(entry.name)
        except ValueError:
            continue
        if entry.is_dir() and entry.name == str(date):
            found.append(date)
    return sorted(found)


def look_for_arrivals(
    extracts: Path,
    seen: Mapping[dt.date, Seen],
    digests: Digests,
    *,
    since: dt.date,
    until: dt.date,
    settled_seconds: float,
    now: float,
) -> Look:
    """Look at the folders of the dates from `since` to `until`, once. `now` is in seconds since the epoch. Never raises for what is in them."""
    ready: list[Delivery] = []
    waiting: list[str] = []
    after: dict[dt.date, Seen] = {}
    for date in dates_in(extracts):
        if not since <= date <= until:
            continue
        before = seen.get(date)
        try:
            entry, delivery = _look_at(extracts / str(date), date, before, digests, settled_seconds, now)
        except OSError as error:  # files come and go while one looks
            waiting.append(f"{date}: the folder cannot be read ({type(error).__name__})")
            if before is not None:
                after[date] = before
            continue
        after[date] = entry
        if delivery is not None:
            ready.append(delivery)
        elif entry.problem is not None:
            waiting.append(f"{date}: {entry.problem}")
    return Look(tuple(ready), tuple(waiting), {date: _without_passing(entry) for date, entry in after.items()})


def _look_at(
    folder: Path, date: dt.date, before: Seen | None, digests: Digests, settled_seconds: float, now: float
) -> tuple[Seen, Delivery | None]:
    look, files = _look_of(folder)
    content = before.content if before is not None else None
    if before is not None and before.since > now:  # the clock was set back: what lies ahead is no time that has passed
        before = replace(before, since=now)
    entry = before if before is not None and before.look == look else Seen(look, now, content=content)
    if entry.settled:
        return entry, None
    still = _still_coming(folder, files, settled_seconds - (now - entry.since))
    if still is not None:
        return replace(entry, problem=still), None
    try:
        delivery = find_delivery(folder, date, digest=digests)
    except _Unread:
        return replace(entry, problem=f"{_PASSING}reading its files"), None
    except KcbError as error:
        return replace(entry, settled=True, problem=str(error)), None
    if _look_of(folder)[0] != look:
        return Seen("", now, content=content), None  # changed while it was read
    entry = replace(entry, settled=True, problem=None, content=delivery.inputs_digest)
    return entry, None if delivery.inputs_digest == content else delivery


def _look_of(folder: Path) -> tuple[str, list[str]]:
    """A digest of paths, sizes and times of everything in a folder, and the paths."""
    entries = []
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in names:
            if is_hidden(name):
                continue
            path = Path(root) / name
            found = path.stat()
            entries.append((path.relative_to(folder).as_posix(), found.st_size, found.st_mtime_ns))
    entries.sort()
    return hashlib.sha256(repr(entries).encode()).hexdigest()[:16], [path for path, _, _ in entries]


def _raise(error: OSError) -> None:
    raise error


_PASSING = "still "
"""How what will pass by itself begins; it is said again at every tick and not kept."""


def _still_coming(folder: Path, files: list[str], seconds: float) -> str | None:
    """Why the files may not be whole yet; None where a manifest lists them all, or they have stayed as they are."""
    if not files:
        return f"{_PASSING}empty"
    if seconds <= 0:
        return None
    try:
        listed = read_manifest(folder)
    except ContractError as error:  # half written
        return f"{_PASSING}coming: {error}"
    own = {MANIFEST, *(path for path in files if path.endswith(DIGEST_SUFFIX))}
    unlisted = [path for path in files if path not in listed and path not in own]
    if listed and not unlisted:
        return None
    why = f"{len(unlisted)} file(s) not in its {MANIFEST}" if listed else f"no {MANIFEST}"
    return f"{_PASSING}settling ({why}): {seconds:.0f} s to go if nothing changes"


def _without_passing(entry: Seen) -> Seen:
    return replace(entry, problem=None) if entry.problem and entry.problem.startswith(_PASSING) else entry


class _Unread(Exception):  # noqa: N818
    """The tick has read long enough."""


class Digests:
    """Digests of files by path, size and time, kept in a file that may be erased at any time. Calling it gives a file's sha-256.

    Raises `_Unread` where a file would have to be read and the tick's time is up.
    """

    def __init__(self, kept: Path, *, seconds: float = READING_SECONDS) -> None:
        self._kept = kept
        self._until = time.monotonic() + seconds
        self._known: dict[str, list[object]] = {}
        self._used: dict[str, list[object]] = {}
        self.read = 0
        try:
            self._known = json.loads(kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def __call__(self, path: Path) -> str:
        found = path.stat()
        known = self._known.get(str(path))
        if known is None or known[:2] != [found.st_size, found.st_mtime_ns]:
            if time.monotonic() > self._until:
                raise _Unread
            known = [found.st_size, found.st_mtime_ns, sha256_of(path)]
            self.read += 1
        self._used[str(path)] = known
        return str(known[2])

    def keep(self) -> None:
        """Write down what was read, if anything was; files that are gone are forgotten."""
        if not self.read:
            return
        everything = {path: known for path, known in {**self._known, **self._used}.items() if Path(path).exists()}
        self._kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with written_whole(self._kept) as file:
            file.write(json.dumps(everything, sort_keys=True).encode())
