"""One file for an office: its name within the version's folder, and its bytes."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from kcb_pipeline.whole import written_whole

LONGEST_NAME: Final = 30
"""Characters of a code or a name in a file name: with both, in three bytes each, it stays within what file systems take."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A file to be written: `path` is relative, with `/` between its parts."""

    path: str
    content: bytes


def write_papers(papers: Iterable[Paper], folder: Path) -> list[Path]:
    """Write papers into a folder, for its owner only, each whole or not at all and flushed to disk; where they are."""
    written: list[Path] = []
    flushed: deque[Future[Path]] = deque()
    # The disk takes many at a time for the price of one.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for paper in papers:
            flushed.append(pool.submit(_write, paper, folder))
            while len(flushed) > 2 * _AT_ONCE:
                written.append(flushed.popleft().result())
        written += [waiting.result() for waiting in flushed]
    return written


_AT_ONCE: Final = 8


def _write(paper: Paper, folder: Path) -> Path:
    path = folder / paper.path
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with written_whole(path) as file:
        file.write(paper.content)
    return path


class Cipher(Protocol):
    """What encrypts the bytes of a paper (kcb_pipeline/encryption.py)."""

    def encrypt(self, content: bytes) -> bytes:
        """Some bytes, encrypted."""
        ...


def encrypted(papers: Iterable[Paper], cipher: Cipher, suffix: str = "") -> Iterator[Paper]:
    """The papers as only those can read them whom `cipher` knows."""
    return (Paper(paper.path + suffix, cipher.encrypt(paper.content)) for paper in papers)


def file_names(kind: str, places: Sequence[tuple[str, str]]) -> list[str]:
    """Names of workbooks for places given by code and name, no two the same whatever agencies call their places.

    >>> file_names("乡镇", [("532901101", "幸福镇"), ("532901102", "../山 乡")])
    ['乡镇-532901101-幸福镇.xlsx', '乡镇-532901102-山乡.xlsx']
    """
    names: list[str] = []
    taken: set[str] = set()
    for code, name in places:
        stem = f"{kind}-{_plain(code)}-{_plain(name)}"
        found, nth = stem, 1
        while found.lower() in taken:
            nth += 1
            found = f"{stem}-{nth}"
        taken.add(found.lower())
        names.append(f"{found}.xlsx")
    return names


def _plain(text: str) -> str:
    return re.sub(r"[^\w（）]", "", text)[:LONGEST_NAME] or "不详"
