"""A filled workbook read back: every answer checked, and what has to be mended named by its cell, never by what stands in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook
from xlsxwriter.utility import xl_rowcol_to_cell

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.packed import refuse_packed_bomb
from kcb_pipeline.review.answers import WORDS, Answer, Said, reviewer_name
from kcb_pipeline.review.rounds import Round, known_pairs, up_to
from kcb_pipeline.review.workbook import ANSWER, INSTRUCTIONS, NUMBER, PAIRS, REVIEWER, ROUND

UNKNOWN_PAIR: Final = "不是核对过的编号"
UNKNOWN_ANSWER: Final = "不是可选的答案"
TWICE: Final = "同一编号有不同的答案"
NO_REVIEWER: Final = "核对人为空"
UNKNOWN_ROUND: Final = "不是抽取过的核对轮次"


@dataclass(frozen=True, slots=True)
class Fault:
    """One cell to mend, and why."""

    cell: str
    why: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What one workbook says: answers that are believed, cells to mend, and pairs not answered yet."""

    reviewer: str
    answers: tuple[Answer, ...]
    faults: tuple[Fault, ...]
    empty: int


def read_filled(path: Path, drawn: Sequence[Round], on: dt.date) -> Filled:
    """The answers in a filled workbook, dated `on`, to the pairs as the round that it names saw them: under the key of a record another pupil's may
    stand by the time the workbook comes back. `drawn`: all rounds so far.

    Raises ContractError where the file is no workbook of ours.
    """
    sheets = _sheets(path)
    written, cell = _entry(sheets[INSTRUCTIONS], REVIEWER)
    reviewer = reviewer_name(written)
    if not reviewer:
        return Filled("", (), (Fault(cell, NO_REVIEWER),), 0)
    round_name, cell = _entry(sheets[INSTRUCTIONS], ROUND)
    shown = up_to(drawn, round_name)
    if not shown:
        return Filled(reviewer, (), (Fault(cell, UNKNOWN_ROUND),), 0)
    pairs = {row["pair"]: row for row in known_pairs(shown).iter_rows(named=True)}
    said, faults, empty = _said(sheets[PAIRS], pairs, path)
    sheet = hashlib.sha256(path.read_bytes()).hexdigest()
    believed = tuple(
        Answer(
            pair=number,
            child_id=pairs[number]["child_id"],
            record_key=pairs[number]["record_key"],
            record_name=pairs[number]["record_name"],
            record_birth_date=pairs[number]["record_birth_date"],
            reviewer=reviewer,
            answer=answer,
            answered_on=on,
            sheet=sheet,
        )
        for number, answer in said.items()
    )
    return Filled(reviewer, believed, tuple(faults), empty)


def _said(rows: list[list[Any]], pairs: Collection[str], path: Path) -> tuple[dict[str, Said], list[Fault], int]:
    """What the sheet of pairs says of each, the cells to mend, and how many pairs are not answered yet."""
    start = next(
        (n for n, cells in enumerate(rows) if NUMBER in map(_text, cells) and ANSWER in map(_text, cells)), None
    )
    if start is None:
        raise ContractError(file=path.name, expected=f"the headings {NUMBER} and {ANSWER} on the sheet {PAIRS}", found="none")  # fmt: skip
    headings = [_text(cell) for cell in rows[start]]
    number_at, answer_at = headings.index(NUMBER), headings.index(ANSWER)
    faults: list[Fault] = []
    answers_of: dict[str, set[str]] = {}
    cells_of: dict[str, str] = {}
    empty = 0
    for place, cells in enumerate(rows[start + 1 :], start=start + 2):
        number, answer = _text(cells[number_at]), _text(cells[answer_at])
        cell = f"{PAIRS}!{xl_rowcol_to_cell(place - 1, answer_at)}"
        if not number and not answer:
            continue
        if number not in pairs:
            faults.append(Fault(f"{PAIRS}!{xl_rowcol_to_cell(place - 1, number_at)}", UNKNOWN_PAIR))
        elif not answer:
            empty += 1
        elif answer not in WORDS:
            faults.append(Fault(cell, UNKNOWN_ANSWER))
        else:
            answers_of.setdefault(number, set()).add(answer)
            cells_of[number] = cell
    faults += [Fault(cells_of[number], TWICE) for number, answers in answers_of.items() if len(answers) > 1]
    said = {number: WORDS[min(answers)] for number, answers in answers_of.items() if len(answers) == 1}
    return said, faults, empty


def _entry(rows: list[list[Any]], label: str) -> tuple[str, str]:
    """What stands beside a label of the instructions, and its cell."""
    row = next((n for n, cells in enumerate(rows) if _text(cells[0]) == label), None)
    return ("" if row is None else _text(rows[row][1]), f"{INSTRUCTIONS}!B{1 if row is None else row + 1}")


def _sheets(path: Path) -> dict[str, list[list[Any]]]:
    """The rows of our two sheets, each as wide as its widest, from A1."""
    try:
        refuse_packed_bomb(path, shown=path.name)
        book = CalamineWorkbook.from_path(str(path))
        missing = [name for name in (INSTRUCTIONS, PAIRS) if name not in book.sheet_names]
        if missing:
            raise ContractError(file=path.name, expected=f"the sheet {missing[0]}", found="no such sheet")
        found: dict[str, list[list[Any]]] = {
            name: [list(row) for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)]
            for name in (INSTRUCTIONS, PAIRS)
        }
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ContractError(
            file=path.name, expected="a filled review workbook (.xlsx)", found="something else"
        ) from error
    return {name: [row + [""] * (2 - len(row)) for row in rows] for name, rows in found.items()}


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip().replace("\u200b", "")
