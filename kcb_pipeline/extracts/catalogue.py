"""The catalogue of sources: what each of the thirteen extracts is, as data.

One declarative file a source in `catalogue/`, the code lists in `codes.toml`. Adding a header, a label or a column is a
line there; no source has code of its own.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from dataclasses import dataclass
from importlib import resources
from typing import Final, Literal

RowRule = Literal["person", "cells"]
"""`person`: a row must say who it is about. `cells`: every required cell must be there (extracts.md, Cells and rows)."""

MISSING: Final = ("", r"\N", "NULL", "null", "无", "-", "—", "暂无", "不详")
"""How agencies write that a cell says nothing (extracts.md)."""


@dataclass(frozen=True, slots=True)
class CodeList:
    """The codes of one list, every way of writing each, and the ways of saying that it is not known."""

    name: str
    labels: dict[str, str]
    """code → the label that is shown"""
    spellings: dict[str, str]
    """every understood spelling → code"""
    unknown: frozenset[str]
    """spellings that mean missing"""

    def label(self, code: str | None) -> str | None:
        """The Chinese label of a code, the code itself where it has none."""
        return None if code is None else self.labels.get(code, code)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a source: its canonical name, the other headers it is found by, and its type.

    `future` says that a date may lie after the comparison date (the end of an approval).
    """

    name: str
    headers: tuple[str, ...]
    type: str
    required: bool = False
    future: bool = False

    @property
    def chinese(self) -> str:
        """The Chinese header: the label of this column everywhere."""
        return self.headers[0]

    @property
    def code_list(self) -> CodeList | None:
        """The code list of a `code:` column."""
        return code_lists()[self.type.removeprefix("code:")] if self.type.startswith("code:") else None


@dataclass(frozen=True, slots=True)
class Form:
    """What is ours in a source that comes back on our own form: the name of its sheet, and the columns we fill in.

    The first of `given` says which case a row is about; a row with nothing beyond `given` has not been answered.
    """

    sheet: str
    given: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One of the thirteen extracts. `form` is there where it is a form of ours, filled in."""

    name: str
    chinese: str
    sent_by: str
    required: bool
    row_rule: RowRule
    columns: tuple[Column, ...]
    form: Form | None = None

    def column(self, name: str) -> Column:
        """The column of that canonical name; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @functools.cached_property
    def headers(self) -> dict[str, Column]:
        """Every header, in the form of `header_key`, and the column it stands for."""
        return {header_key(header): column for column in self.columns for header in (column.name, *column.headers)}


def header_key(header: str) -> str:
    """A header without what does not count: case, surrounding blanks, full-width letters, a trailing `*` or `★`.

    >>> header_key("  ｘm ★")
    'XM'
    """
    folded = unicodedata.normalize("NFKC", header).replace("\ufeff", "").strip()
    return folded.rstrip("*★＊ \t").strip().upper()


@functools.cache
def code_lists() -> dict[str, CodeList]:
    """All code lists by name."""
    text = resources.files("kcb_pipeline.extracts").joinpath("codes.toml").read_text(encoding="utf-8")
    return {name: _code_list(name, entry) for name, entry in tomllib.loads(text).items()}


def _code_list(name: str, entry: dict[str, object]) -> CodeList:
    codes = entry.get("codes", {})
    labels = entry.get("labels", [])
    suffix = entry.get("suffix", "")
    unknown = entry.get("missing", [])
    assert isinstance(codes, dict)
    assert isinstance(labels, list)
    assert isinstance(suffix, str)
    assert isinstance(unknown, list)
    shown: dict[str, str] = {}
    spellings: dict[str, str] = {}
    for code, ways in [*codes.items(), *((ways[0], ways) for ways in labels)]:
        shown[code] = ways[0] + suffix
        for way in (code, code.lstrip("0") or code, *ways, *(way + suffix for way in ways)):
            spellings[unicodedata.normalize("NFKC", way)] = code
    return CodeList(name, shown, spellings, frozenset(unknown))


_ORDER = (
    "population", "student_registry", "residents", "exit_entry", "deregistrations", "in_school", "absences",
    "poverty_register", "disability_register", "approvals", "elsewhere", "support_programmes", "verifications",
)  # fmt: skip


@functools.cache
def sources() -> dict[str, Source]:
    """The thirteen sources by name, in the order of the contract."""
    folder = resources.files("kcb_pipeline.extracts").joinpath("catalogue")
    return {
        name: _source(tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))) for name in _ORDER
    }


def _source(entry: dict[str, object]) -> Source:
    columns = entry["columns"]
    assert isinstance(columns, list)
    row_rule = entry["row_rule"]
    form = entry.get("form")
    assert form is None or isinstance(form, dict)
    assert row_rule in ("person", "cells")
    return Source(
        name=str(entry["source"]),
        chinese=str(entry["chinese"]),
        sent_by=str(entry["sent_by"]),
        required=bool(entry["required"]),
        row_rule=row_rule,
        columns=tuple(
            Column(c["name"], tuple(c["headers"]), c["type"], c.get("required", False), c.get("future", False))
            for c in columns
        ),
        form=None if form is None else Form(form["sheet"], tuple(form["given"])),
    )
