"""What came for a comparison date: which files belong to which source, their digests, and what was left alone."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import create, rows, scalar
from kcb_pipeline.errors import ContractError, UsageError
from kcb_pipeline.extracts.batches import Reader
from kcb_pipeline.extracts.catalogue import Source, header_key, sources
from kcb_pipeline.extracts.parquet_file import ParquetFile
from kcb_pipeline.extracts.text_file import TextFile
from kcb_pipeline.extracts.workbook import Workbook

EXTENSIONS: Final = (".csv", ".csv.gz", ".xlsx", ".parquet")
DIGEST_SUFFIX: Final = ".sha256"
MANIFEST: Final = "SHA256SUMS"
"""Where an agency writes it (`sha256sum * > SHA256SUMS`, last of all), it says what the delivery is: every file in it must be there and be so."""

_LONGEST_DIGESTS: Final = 8 << 20
"""Bytes of a file of digests: a hundred thousand files."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is ignored: one that begins with a dot, and the `~$…` that Office hides beside a document for as
    long as somebody has it open."""
    return name.startswith((".", "~$"))


def sha256_of(path: Path) -> str:
    """sha-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class ExtractFile:
    """One file of a source.

    shown: its path within the date's folder, as tables and papers that hold identities say it.
    told: what messages and logs call it (`told_names`): offices name files after children.
    sha256: the digest of its bytes, checked against `<file>.sha256` where that was sent.
    """

    path: Path
    shown: str
    told: str
    source: Source
    sha256: str
    size: int
    modified_ns: int

    def open(self) -> Reader:
        """The file, opened with the reader for its kind."""
        suffix = _extension(self.shown)  # a link's own name says what it is, whatever the name of what it leads to
        if suffix == ".xlsx":
            return Workbook(self.path, self.source, shown=self.told)
        if suffix == ".parquet":
            return ParquetFile(self.path, self.source, shown=self.told)
        return TextFile(self.path, self.source, shown=self.told, is_packed=suffix == ".csv.gz")

    def is_unchanged(self) -> bool:
        """Whether the file still has the size and time it had when its digest was taken."""
        now = self.path.stat()
        return (now.st_size, now.st_mtime_ns) == (self.size, self.modified_ns)

    def is_the_same(self) -> bool:
        """Whether it still has its digest too: there are copies that give a file its size and time before its bytes."""
        return self.is_unchanged() and sha256_of(self.path) == self.sha256


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything sent for one comparison date.

    files: source name → its files in byte order of their paths, for the sources that came.
    strays: other files and folders there, which nothing reads. Their names are whatever somebody called them: count them in logs.
    decisions_digest: sha-256 over the reviewers' answers that bind the night, which came with no extract; None where there are none.
    """

    comparison_date: dt.date
    files: dict[str, tuple[ExtractFile, ...]]
    strays: tuple[str, ...]
    decisions_digest: str | None = None

    @property
    def inputs_digest(self) -> str:
        """sha-256 over source, path and digest of every file, and over people's decisions: the same content gives the same digest."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            for file in self.files[name]:
                digest.update(f"{name}\0{file.shown}\0{file.sha256}\n".encode())
        if self.decisions_digest is not None:
            digest.update(f"decisions\0{self.decisions_digest}\n".encode())
        return digest.hexdigest()

    @property
    def missing(self) -> tuple[str, ...]:
        """Sources of the contract that did not come."""
        return tuple(name for name in sources() if name not in self.files)


def find_delivery(
    folder: Path, comparison_date: dt.date, *, strict: bool = False, digest: Callable[[Path], str] = sha256_of
) -> Delivery:
    """The delivery in `folder` (one date's extracts); `digest` gives the sha-256 of a file.

    Raises UsageError where there is no such folder; ContractError where a required source is missing, a source stands
    twice, a file leads out of the folder, a digest is wrong, a file of the manifest is missing, or (with `strict`) something
    there is no extract.
    """
    if not folder.is_dir():
        raise UsageError(f"no extracts for {comparison_date}: the folder {folder.name}/ is not there")
    if folder.is_symlink() and not folder.resolve().is_relative_to(folder.parent.resolve()):
        raise ContractError(
            file=f"{folder.name}/", expected="a folder of the extracts folder", found="a link out of it"
        )
    found, strays = _entries_of(folder)
    listed = read_manifest(folder)
    _refuse_unsent(folder, listed)
    _refuse_twice_and_missing(found, strays, comparison_date)
    if strict and strays:
        raise ContractError(
            file=f"{comparison_date}/",
            expected="the sources of the contract and nothing else (--strict)",
            found=f"{len(strays)} other (kcb check names them)",
        )
    paths = [
        (sources()[name], path, told)
        for name, entries in found.items()
        for _, files in entries
        for path, told in zip(files, told_names(path.relative_to(folder).as_posix() for path in files), strict=True)
    ]
    with ThreadPoolExecutor() as pool:
        extract_files = list(
            pool.map(lambda item: _extract_file(folder, item[0], item[1], item[2], digest, listed), paths)
        )
    files_of = {
        name: tuple(file for file in extract_files if file.source.name == name) for name in sources() if name in found
    }
    return Delivery(comparison_date, files_of, tuple(strays))


_Entries = dict[str, list[tuple[str, list[Path]]]]
"""Source → the entries of the folder that bear its name, a file or a folder of files each."""


def _entries_of(folder: Path) -> tuple[_Entries, list[str]]:
    """What of a date's folder bears a source's name, and what else is there."""
    by_name = {name: source for source in sources().values() for name in (source.name, source.chinese)}
    found: _Entries = {}
    strays: list[str] = []
    for entry in sorted(folder.iterdir(), key=os.fsencode):
        if is_hidden(entry.name) or entry.name.endswith(DIGEST_SUFFIX) or entry.name == MANIFEST:
            continue
        if entry.is_dir() or _extension(entry.name):  # by another name it could be a source
            _refuse_unless_written(entry, folder)
        stem = entry.name if entry.is_dir() else entry.name.removesuffix(_extension(entry.name) or "")
        source = by_name.get(stem)
        if source is None or (not entry.is_dir() and not _extension(entry.name)):
            strays.append(os.fsencode(entry.name).decode(errors="replace") + ("/" if entry.is_dir() else ""))
            continue
        if entry.is_dir():
            files, others = _files_in(entry)
            strays += [f"{entry.name}/{other}" for other in others]
        else:
            files = [entry]
        if not files:
            raise ContractError(
                file=f"{entry.name}/", source=source.name, expected="at least one extract file", found="none"
            )
        found.setdefault(source.name, []).append((entry.name, files))
    return found, strays


def keep_delivery(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> None:
    """Keep what came in the working database, so that what lands later is what was looked at now."""
    files = [file for files in delivery.files.values() for file in files]
    entries = [(f.source.name, f.shown, f.told, f.sha256, f.size, f.modified_ns) for f in files]
    schema = {
        "source": pl.String,
        "file": pl.String,
        "told": pl.String,
        "sha256": pl.String,
        "size": pl.Int64,
        "modified_ns": pl.Int64,
    }
    create(connection, "landed.delivery", pl.DataFrame(entries, schema=schema, orient="row"))
    create(connection, "landed.inputs", pl.DataFrame({"inputs_digest": [delivery.inputs_digest]}))


def kept_inputs_digest(connection: duckdb.DuckDBPyConnection) -> str:
    """The inputs digest of the delivery that was kept."""
    return str(scalar(connection, "SELECT inputs_digest FROM landed.inputs"))


def kept_delivery(connection: duckdb.DuckDBPyConnection, folder: Path, comparison_date: dt.date) -> Delivery:
    """The delivery that was kept. ContractError where a file has changed since."""
    files: dict[str, list[ExtractFile]] = {}
    for name, shown, told, sha256, size, modified in rows(
        connection, "SELECT source, file, told, sha256, size, modified_ns FROM landed.delivery"
    ):
        file = ExtractFile((folder / shown).resolve(), shown, told, sources()[name], sha256, size, modified)
        if not file.path.is_file() or not file.is_unchanged():
            raise ContractError(
                file=told, source=name, expected="the file as it was when its digest was taken", found="another"
            )
        files.setdefault(name, []).append(file)
    return Delivery(comparison_date, {name: tuple(found) for name, found in files.items()}, ())


def _refuse_twice_and_missing(found: _Entries, strays: list[str], comparison_date: dt.date) -> None:
    for name, entries in found.items():
        if len(entries) > 1:
            names = " and ".join(entry for entry, _ in entries)
            raise ContractError(
                file=names, source=name, expected=f"the source {name} once", found=f"{len(entries)} times"
            )
    for source in sources().values():
        if source.required and source.name not in found:
            raise ContractError(
                file=f"{comparison_date}/{source.name}.*",
                source=source.name,
                expected=f"the required source {source.name} ({source.chinese})",
                found=_what_stands_instead(source, strays),
            )


def _what_stands_instead(source: Source, strays: list[str]) -> str:
    """What of the other files was meant for a source, told only where its name is the source's but for case and kind: no other is repeated."""
    names = (source.name, source.chinese)
    meant = [stray for stray in strays if stray.partition(".")[0].strip(" /").casefold() in names]
    if not meant:
        return "no such file or folder"
    kinds = ", ".join(EXTENSIONS)
    return f"{' and '.join(meant)}, but nothing called {' or '.join(names)} (in small letters) that is one of {kinds}"


def _refuse_unless_written(path: Path, folder: Path) -> None:
    """ContractError for a name that is no text: an archive from Windows that was unpacked here without its encoding has such names."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ContractError(
            file=f"{folder.name}/", expected="names of files in UTF-8", found="one in another encoding"
        ) from None


def _files_in(folder: Path) -> tuple[list[Path], list[str]]:
    files, others = [], []
    for path in sorted(folder.rglob("*"), key=os.fsencode):
        _refuse_unless_written(path, folder.parent)
        relative = path.relative_to(folder).as_posix()
        if path.is_symlink() and path.is_dir():
            raise ContractError(
                file=f"{folder.name}/", expected="a folder of the extracts folder", found="a link to a folder"
            )
        if path.is_dir() or any(is_hidden(part) for part in relative.split("/")) or relative.endswith(DIGEST_SUFFIX):
            continue
        if _extension(path.name):
            files.append(path)
        else:
            others.append(relative)
    return files, others


def _extension(name: str) -> str | None:
    """The one of `EXTENSIONS` that a name ends in, in capitals or not."""
    longest_first = sorted(EXTENSIONS, key=len, reverse=True)
    return next((extension for extension in longest_first if name.lower().endswith(extension)), None)


def told_names(shown: Iterable[str]) -> list[str]:
    """What messages call the files of one source: a name that only numbers them, or names a place, as it is; of any other its place
    among them, in byte order, and its kind.

    >>> told_names(["核查结果/2.csv", "核查结果/学校-3153290101-幸福小学 张三.xlsx", "核查结果/张三.xlsx"])
    ['核查结果/2.csv', '核查结果/学校-3153290101-….xlsx', '核查结果/ file 3 of 3 (.xlsx)']
    """
    names = list(shown)
    told = []
    for nth, name in enumerate(names, start=1):
        folder, _, inner = name.partition("/")
        extension = _extension(name) or ""
        office = _OFFICE.match(inner.rpartition("/")[2])
        if not inner or _NUMBERED.fullmatch(inner.removesuffix(extension)):
            told.append(name)
        elif office:
            told.append(f"{folder}/{office[0]}-…{extension}")
        else:
            told.append(f"{folder}/ file {nth} of {len(names)} ({extension})")
    return told


def told_strays(strays: Iterable[str]) -> list[str]:
    """What messages call the other files of a date: one that bears a source's name, but is of a kind that nothing reads, as it is; those in a source's folder
    by their number, and so all others.

    >>> told_strays(["absences.xls", "readme.txt", "核查结果/张三.et", "核查结果/李四.et"])
    ['absences.xls', '2 in 核查结果/', '1 other']
    """
    names = "|".join(re.escape(name) for source in sources().values() for name in (source.name, source.chinese))
    meant = re.compile(rf"(?:{names})(?:\.[a-z0-9]{{1,8}}){{0,2}}/?", re.IGNORECASE)
    told: list[str] = []
    inside: dict[str, int] = {}
    others = 0
    for stray in strays:
        folder, _, inner = stray.partition("/")
        if inner:
            inside[folder] = inside.get(folder, 0) + 1
        elif meant.fullmatch(stray):
            told.append(stray)
        else:
            others += 1
    told += [f"{number} in {folder}/" for folder, number in inside.items()]
    return [*told, f"{others} other"] if others else told


_NUMBER = r"(?:(?:part|page|file|batch|[a-z])?[-_ ]?\d{1,6}|[a-z])"
_NUMBERED: Final = re.compile(f"{_NUMBER}(?:/{_NUMBER})*", re.ASCII | re.IGNORECASE)
_OFFICE: Final = re.compile(r"(?:乡镇|学校)-\d{4,12}(?=-)", re.ASCII)
"""How our own worklists begin (kcb_pipeline/reporting/paper.py)."""


def told_headers(headers: Iterable[str]) -> list[str]:
    """What messages and metadata call columns nobody knows: a header in the agencies' own initials, or made of the words headers are made of, as it
    is; any other, which may be anything that stands in a first line, is counted.

    >>> told_headers(["PCSMC", "派出所代码", "备注2", "张三", "53293620150612153X"])
    ['PCSMC', '派出所代码', '备注2', '2 other']
    """
    names = list(headers)
    told = [name for name in names if _SAYS_A_COLUMN.fullmatch(name.strip())]
    others = len(names) - len(told)
    return [*told, f"{others} other"] if others else told


_SAYS_A_COLUMN: Final = re.compile(
    r"[A-Z][A-Z_]{1,30}\d{0,2}"
    r"|(?:人员|人口|学生|儿童|家长|父亲|母亲|监护人|户主|家庭|户籍|常住|居住|现住|出生|死亡|迁入|迁出|学校|学籍|年级|班级|派出所|公安局|乡镇|街道|村|社区|居委会|行政"
    r"|区划|机构|部门|单位|证件|身份证|登记|更新|创建|修改|操作|录入|填报|上报|审核|核查|变动|异动|截止|有效|联系|民族|性别|年龄|籍贯|国籍|政治面貌|文化程度|婚姻|职业|健康"
    r"|血型|宗教|信仰|身高|照片|备注|说明|序号|编号|号码|代码|编码|名称|姓名|日期|时间|年月|类型|类别|种类|状态|状况|标志|标识|方式|原因|结果|情况|程度|级别|等级|数量|次数|电话"
    r"|地址|地点|地|省|市|县|区|是否|其他)+\d{0,2}"
)


def _extract_file(
    folder: Path, source: Source, path: Path, told: str, digest: Callable[[Path], str], listed: dict[str, str]
) -> ExtractFile:
    shown = path.relative_to(folder).as_posix()
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # a link to itself: what of the two depends on the version of Python
        real = path
    if not real.is_relative_to(folder.resolve()):
        raise ContractError(
            file=told, source=source.name, expected="a file inside the extracts folder", found="a link out of it"
        )
    if not real.is_file():
        raise ContractError(file=told, source=source.name, expected="a file", found="a broken link or no regular file")
    try:
        before = real.stat()
        sha256 = digest(real)
        after = real.stat()
    except OSError as error:
        raise ContractError(
            file=told, source=source.name, expected="a readable file", found=type(error).__name__
        ) from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ContractError(
            file=told, source=source.name, expected="a file that is complete", found="one still being written"
        )
    if before.st_size == 0:
        raise ContractError(file=told, source=source.name, expected="a header and data rows", found="an empty file")
    sent = path.with_name(path.name + DIGEST_SUFFIX)
    if os.path.lexists(sent):
        _check_digest(_digests_in(sent, folder, f"{told}{DIGEST_SUFFIX}"), sha256, told, source)
    if listed.get(shown, sha256) != sha256:
        raise ContractError(
            file=told, source=source.name, expected=f"sha-256 {listed[shown]}, as {MANIFEST} says", found=sha256
        )
    return ExtractFile(real, shown, told, source, sha256, before.st_size, before.st_mtime_ns)


def _digests_in(path: Path, folder: Path, told: str) -> str:
    """What a file of digests says. ContractError where it leads out of the folder, for what it says is repeated, or goes on for ever."""
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        is_inside = True
    if not is_inside:
        raise ContractError(file=told, expected="a file inside the extracts folder", found="a link out of it")
    if not path.is_file():
        raise ContractError(file=told, expected="a file of digests", found="a broken link or no regular file")
    if path.stat().st_size > _LONGEST_DIGESTS:
        raise ContractError(file=told, expected=f"at most {_LONGEST_DIGESTS >> 20} MiB of digests", found="more")
    return path.read_text(encoding="utf-8-sig", errors="replace")


def _check_digest(sent: str, sha256: str, told: str, source: Source) -> None:
    words = re.findall(r"\b[0-9a-fA-F]{64}\b", sent[:4096])
    if not words:
        raise ContractError(
            file=f"{told}{DIGEST_SUFFIX}",
            source=source.name,
            expected="a sha-256 digest of 64 hexadecimal digits",
            found="none",
        )
    if words[0].lower() != sha256:
        raise ContractError(file=told, source=source.name, expected=f"sha-256 {words[0].lower()}", found=sha256)


def read_manifest(folder: Path) -> dict[str, str]:
    """Path within the folder → sha-256, as the manifest lists them; empty where none was sent. ContractError for a line that is none."""
    manifest = folder / MANIFEST
    if not os.path.lexists(manifest):
        return {}
    listed: dict[str, str] = {}
    for number, line in enumerate(_digests_in(manifest, folder, MANIFEST).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+?)\s*", line)
        if found is None:
            raise ContractError(
                file=f"{MANIFEST}, line {number}",
                expected="a sha-256 digest, two spaces and a file",
                found="another line",
            )
        path = found[2].replace("\\", "/")
        if path.startswith("/") or ".." in path.split("/"):
            raise ContractError(
                file=f"{MANIFEST}, line {number}", expected="a file of the date's folder", found="a path that leads out"
            )
        if path != MANIFEST:
            listed[path] = found[1].lower()
    return listed


def _refuse_unsent(folder: Path, listed: dict[str, str]) -> None:
    for nth, path in enumerate(listed, start=1):
        if not (folder / path).is_file():  # its name may be somebody's: it is told by its place
            raise ContractError(file=f"{MANIFEST}, file {nth}", expected="the file it lists", found="no such file")


def find_columns(headers: Iterable[str], source: Source, *, shown: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Canonical column → header position, and the headers nobody knows.

    Raises ContractError for two columns with one meaning and for a required column that is not there. A file that fits
    another source better is named as such: one source's file under another's name is the likeliest reason.
    """
    headers = list(headers)
    positions: dict[str, int] = {}
    unknown: list[str] = []
    for place, header in enumerate(headers):
        column = source.headers.get(header_key(header))
        if column is None:
            unknown.append(header)
        elif column.name in positions:
            raise ContractError(
                file=shown,
                source=source.name,
                column=column.name,
                expected="one column of that meaning",
                found=f"two: {headers[positions[column.name]]!r} and {header!r}",
            )
        else:
            positions[column.name] = place
    for column in source.columns:
        if column.required and column.name not in positions:
            raise ContractError(
                file=shown,
                source=source.name,
                column=column.name,
                expected=" or ".join((column.name, *column.headers)),
                found=_what_headers_say(headers, unknown, source),
            )
    return positions, tuple(unknown)


def _what_headers_say(headers: list[str], unknown: list[str], source: Source) -> str:
    """What was found instead of a header, without repeating cells: a file without a header line begins with a child."""
    known = [header for header in headers if header not in unknown]
    needed = sum(column.required for column in source.columns)
    if len(known) * 2 < needed:
        other = _looks_like(headers, source)
        return (
            other
            or f"{len(known)} of its headers among the {len(headers)} cells of the first line: is the header line there?"
        )
    places = ", ".join(str(place) for place, header in enumerate(headers, start=1) if header in unknown)
    return f"the headers {', '.join(known)}" + (f" and {len(unknown)} unknown, at place {places}" if unknown else "")


def _looks_like(headers: list[str], source: Source) -> str:
    keys = [header_key(header) for header in headers]
    fits = {
        other.name
        for other in sources().values()
        if other is not source
        and {column.name for column in other.columns if column.required}
        <= {other.headers[key].name for key in keys if key in other.headers}
    }
    return f"the headers of {' or '.join(sorted(fits))}" if fits else ""
