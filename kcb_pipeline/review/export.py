"""`kcb review export` and `import`: from a night's draft to a reviewer's workbook, and from filled workbooks to dated answers."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from kcb_pipeline.errors import UsageError
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.previous import versions
from kcb_pipeline.review.answers import Verdict, add_answers, read_answers, reviewer_name, weigh
from kcb_pipeline.review.filled import Fault, read_filled
from kcb_pipeline.review.pairs import identities, locate
from kcb_pipeline.review.rounds import Round, known_pairs, round_of, rounds
from kcb_pipeline.review.sampling import REVIEWED
from kcb_pipeline.review.workbook import Pair, write_workbook


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: how many pairs, how many of them for a third opinion, how many needed none any more."""

    path: Path
    round_name: str
    pairs: int
    disputed: int
    settled: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one workbook."""

    path: Path
    reviewer: str
    answered: int
    new: int
    empty: int
    faults: tuple[Fault, ...]


def export_pairs(home: Home, on: dt.date, *, per_band: int, reviewer: str | None, out: Path | None) -> Exported:
    """Write the workbook of one reviewer: disputed pairs first, then the round's, without what is settled or they have answered."""
    if reviewer is not None and not re.fullmatch(r"[\w·. -]{1,40}", reviewer):
        raise UsageError(
            "a reviewer's name has letters, digits, dots and blanks only: it becomes part of a file's name"
        )
    reviewer = None if reviewer is None else reviewer_name(reviewer)
    workspace = home.workspace(on)
    if not workspace.database.exists():
        raise UsageError(f"{on} has not been run, or its working files have been erased")
    path = out or home.reviews / "export" / f"人工核对-{on}{f'-{reviewer}' if reviewer else ''}.xlsx"
    if path.exists():
        raise UsageError(f"{path.name} is there already, and may be filled in: name another with --out")
    verdicts = weigh(read_answers(home.reviews), home.config().review.answers_needed)
    with workspace.connect(read_only=True) as connection:
        drawn = round_of(home.reviews, workspace, connection, per_band)
        disputed = _disputed(connection, home.reviews, verdicts, reviewer)
        wanted, settled = _open_pairs(drawn, verdicts, reviewer)
        wanted = wanted.filter(~pl.col("pair").is_in(disputed["pair"].implode()))
        chosen = pl.concat([_in_order(disputed, reviewer), _in_order(wanted, reviewer)])
        people, records = identities(connection, chosen)
    pairs = [Pair(*block) for block in zip(chosen["pair"], people, records, strict=True)]
    _keep(path, write_workbook(pairs, reviewer=reviewer, round_name=drawn.name, on=on))
    return Exported(path, drawn.name, len(pairs), disputed.height, settled)


def _disputed(
    connection: duckdb.DuckDBPyConnection, folder: Path, verdicts: dict[str, Verdict], reviewer: str | None
) -> pl.DataFrame:
    """Pairs on which reviewers differ, where they stand in this night, without those this reviewer has answered."""
    numbers = [v.pair for v in verdicts.values() if v.state == "disputed" and not _has_answered(v, reviewer)]
    columns = ("pair", "person", "registry_row")
    known = known_pairs(rounds(folder)).filter(pl.col("pair").is_in(numbers))
    known = known.drop("person", "student", "registry_row")
    if known.is_empty():
        return pl.DataFrame(schema={"pair": pl.String, "person": pl.Int64, "registry_row": pl.Int64})
    return locate(connection, known).filter(pl.col("effect") == "binds").select(columns)


def _open_pairs(drawn: Round, verdicts: dict[str, Verdict], reviewer: str | None) -> tuple[pl.DataFrame, int]:
    """The round's pairs that still need this reviewer, and how many need nobody any more."""
    settled = {v.pair for v in verdicts.values() if v.state in ("same", "different", "unsure")}
    answered = {v.pair for v in verdicts.values() if _has_answered(v, reviewer)}
    to_look_at = drawn.pairs.filter(pl.col("stratum") != REVIEWED)
    is_settled = pl.col("pair").is_in(sorted(settled))
    rest = to_look_at.filter(~is_settled & ~pl.col("pair").is_in(sorted(answered)))
    return rest.select("pair", "person", "registry_row"), to_look_at.filter(is_settled).height


def _has_answered(verdict: Verdict, reviewer: str | None) -> bool:
    return any(answer.reviewer == reviewer for answer in verdict.answers)


def _in_order(pairs: pl.DataFrame, reviewer: str | None) -> pl.DataFrame:
    """Shuffled, always the same way for the same reviewer."""
    order = [hashlib.sha256(f"{reviewer or ''}\0{pair}".encode()).hexdigest() for pair in pairs["pair"]]
    return pairs.with_columns(pl.Series("order", order, dtype=pl.String)).sort("order").drop("order")


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def import_answers(home: Home, paths: Sequence[Path], *, on: dt.date | None, today: dt.date) -> list[Imported]:
    """Bring filled workbooks in: what is right is kept, dated `on`; what has to be mended is named.

    Without a date it is today, or the latest comparison date published where that is later. Raises UsageError where the date
    lies before a night that was published (its re-run would come out differently), or ahead of both: dates never go back, so a mistyped year would be
    that of every answer after it.
    """
    latest = max((v.comparison_date for v in versions(home.ledgers, home.limits())), default=dt.date.min)
    on = on or max(today, latest)
    if on > max(today, latest):
        raise UsageError(f"{on} lies ahead: answers are dated {max(today, latest)} at the latest")
    if on < latest:
        raise UsageError(
            f"the night of {latest} has been published: answers bind later nights, so date them {latest} or later"
        )
    drawn = rounds(home.reviews)
    filled = [(path, read_filled(path, drawn, on)) for path in paths]
    added = add_answers(home.reviews, [answer for _, one in filled for answer in one.answers])
    new = {(answer.pair, answer.reviewer, answer.sheet) for answer in added}
    return [
        Imported(
            path, one.reviewer, len(one.answers), sum((a.pair, a.reviewer, a.sheet) in new for a in one.answers), one.empty, one.faults
        )
        for path, one in filled
    ]  # fmt: skip


def states(home: Home) -> dict[str, int]:
    """How many pairs are open, disputed and settled, over all answers so far."""
    verdicts = weigh(read_answers(home.reviews), home.config().review.answers_needed)
    return dict(sorted(Counter(verdict.state for verdict in verdicts.values()).items()))
