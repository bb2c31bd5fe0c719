"""A round of review: which pairs of one night's draft are looked at, with the chance each had, kept aside from the workbooks.

The first export of a draft draws the round; every other reviewer gets the same pairs. It is kept for as long as its answers are: it is
what they are weighted by.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.errors import UsageError
from kcb_pipeline.ledgers.publication import draft_token, read_draft
from kcb_pipeline.review.pairs import weighed_pairs
from kcb_pipeline.review.sampling import draw
from kcb_pipeline.whole import written_whole


@dataclass(frozen=True, slots=True)
class Round:
    """Pairs to look at. `pairs`: the columns of `weighed_pairs` and of `draw`, as they were when the round was drawn."""

    name: str
    comparison_date: dt.date
    pairs: pl.DataFrame


def round_of(folder: Path, workspace: Workspace, connection: duckdb.DuckDBPyConnection, per_band: int) -> Round:
    """The round of the draft in a working database: the one that was drawn, or a new one."""
    on = workspace.comparison_date
    token = hashlib.sha256(f"{draft_token(read_draft(connection))}:{per_band}".encode()).hexdigest()[:8]
    name = f"{on}-{token}"
    path = _path(folder, name)
    if not path.exists():
        _write(path, draw(weighed_pairs(connection), per_band))
    return Round(name, on, pl.read_parquet(path))


def rounds(folder: Path) -> list[Round]:
    """All rounds drawn so far, in the order of their dates."""
    found = sorted((folder / "rounds").glob("*.parquet"))
    return [Round(path.stem, dt.date.fromisoformat(path.stem[:10]), pl.read_parquet(path)) for path in found]


def round_named(folder: Path, name: str) -> Round:
    """One round; UsageError where there is none of that name."""
    found = {one.name: one for one in rounds(folder)}
    if name not in found:
        raise UsageError(f"no round {name}; there are {', '.join(found) or 'none'}")
    return found[name]


def up_to(drawn: Sequence[Round], name: str) -> list[Round]:
    """The rounds of dates up to that of the one named, which comes last: what its reviewers were shown. None where there is no such round."""
    last = [one for one in drawn if one.name == name]
    earlier = [one for one in drawn if last and one.comparison_date <= last[0].comparison_date and one.name != name]
    return [*earlier, *last]


def known_pairs(drawn: Sequence[Round]) -> pl.DataFrame:
    """Every pair of some rounds, once, as the last of them saw it."""
    every = [one.pairs for one in drawn]
    if not every:
        return pl.DataFrame(schema={"pair": pl.String})
    return pl.concat(every).unique("pair", keep="last", maintain_order=True).sort("pair")


def _path(folder: Path, name: str) -> Path:
    return folder / "rounds" / f"{name}.parquet"


def _write(path: Path, pairs: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.parent.chmod(0o700)
    with written_whole(path) as file:
        pairs.write_parquet(file)
