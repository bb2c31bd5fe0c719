"""Dirt on whole rows and single cells: broken lines, rows that say nobody, repeated rows, impossible values.

What belongs here: everything the landing must refuse, note or count once. It is put on rows of its own or on cells that
decide nothing, so that no child's status depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kcb_pipeline.sample.chance import Chance
from kcb_pipeline.sample.columns import places
from kcb_pipeline.sample.people import Enrolment, Permit, Registration
from kcb_pipeline.sample.sources import Line

BAD_BYTE: Final = "\udcff"
"""A byte that is no UTF-8, kept as Python keeps it until the file is written."""

CellIssue = tuple[int, str, str]
"""(identity of the row's cells, column, rule)."""


@dataclass(frozen=True)
class Mess:
    """One kind of row that does not land: its rule of quarantine, and how a good row becomes it."""

    rule: str
    make: Callable[[list[str], dict[str, int]], list[str]]
    sources: tuple[str, ...]


def _without(*columns: str) -> Callable[[list[str], dict[str, int]], list[str]]:
    def make(cells: list[str], at: dict[str, int]) -> list[str]:
        return ["" if place in {at[column] for column in columns} else cell for place, cell in enumerate(cells)]

    return make


def _with(column: str, value: str) -> Callable[[list[str], dict[str, int]], list[str]]:
    def make(cells: list[str], at: dict[str, int]) -> list[str]:
        return [value if place == at[column] else cell for place, cell in enumerate(cells)]

    return make


def _fewer(cells: list[str], _at: dict[str, int]) -> list[str]:
    return cells[:-3]


def _more(cells: list[str], _at: dict[str, int]) -> list[str]:
    return [*cells, "", "附注"]


_DELIMITED: Final = ("population", "student_registry", "residents", "in_school")
_PERSONS: Final = ("population", "student_registry", "residents")
MESSES: Final = (
    Mess("malformed_row", _fewer, _DELIMITED),
    Mess("malformed_row", _more, _DELIMITED),
    Mess("malformed_row", _with("name", "王\x00明"), ("population", "student_registry")),
    Mess("malformed_row", _with("name", f"李{BAD_BYTE}"), ("student_registry",)),
    Mess("name_missing", _without("name"), _PERSONS),
    Mess("name_missing", _with("name", "不详"), _PERSONS),
    Mess("unidentifiable", _without("id_number", "birth_date"), ("population", "residents")),
    Mess("unidentifiable", _without("id_number", "birth_date", "student_number"), ("student_registry",)),
    Mess("too_long", _with("address", "长" * 4097), ("student_registry",)),
    Mess("too_long", _with("name", "名" * 101), ("population",)),
)
"""Every kind of row that does not land. Each happens once or twice in each source it names."""

_CELLS: Final = {
    "population": (
        ("ethnicity", "77", "unknown_code"),
        ("updated_at", "20991231", "impossible_date"),
        ("died_on", "18990230", "impossible_date"),
        ("address", "一组\x1f一号", "control_characters"),
    ),
    "student_registry": (
        ("attendance_mode", "骑马", "unknown_code"),
        ("ethnicity", "外星族", "unknown_code"),
        ("enrolled_month", "201913", "impossible_date"),
        ("status_date", "2015-02-30", "impossible_date"),
        ("address", "某乡\x0b某村", "control_characters"),
    ),
    "residents": (
        ("ethnicity", "无此族", "unknown_code"),
        ("arrived_on", "2015/13/45", "impossible_date"),
    ),
}  # fmt: skip
"""Cells that cannot be understood: (column, what stands there, rule of the cell issue)."""


def soil(lines: list[Line], source: str, chance: Chance) -> list[CellIssue]:
    """Add dirty rows to a source and dirty some cells; gives the issues of cells."""
    if not lines:
        return []
    at = places(source) if source in _DELIMITED else {}
    clean = len(lines)
    for mess in MESSES:
        if source in mess.sources:
            for _ in range(1 + clean // 20_000):
                model = lines[chance.randrange(clean)]
                lines.append(Line(mess.make(model.cells, at), None, model.file, mess.rule))
    for _ in range(min(clean, 3 + clean // 10_000) if source in _DELIMITED else 0):
        place = chance.randrange(clean)
        lines[place] = lines[place]._replace(rule="copy")
        lines.append(lines[place])
    return _dirty_cells(lines, source, chance, clean)


def _dirty_cells(lines: list[Line], source: str, chance: Chance, clean: int) -> list[CellIssue]:
    issues: list[CellIssue] = []
    at = places(source)
    for column, value, rule in _CELLS.get(source, ()):
        for _ in range(20):
            line = lines[chance.randrange(clean)]
            dirty = any(issue[0] == id(line.cells) for issue in issues)
            if line.rule or dirty or not _decides_nothing(line):
                continue
            line.cells[at[column]] = value
            issues.append((id(line.cells), column, rule))
            break
    return issues


def _decides_nothing(line: Line) -> bool:
    """Rows of adults, and ordinary live rows of pupils."""
    about = line.about
    if isinstance(about, Enrolment):
        return about.status == "01" and about.mode in "12"
    return isinstance(about, Registration | Permit) and about.person.role != "child"
