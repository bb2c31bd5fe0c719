"""Runs the SQL of the cookbook on a file for analysts and writes what it answers below each query.

    python docs/cookbook.py [data/published/analytics.duckdb]

Without a file, on the county that the page names. `tests/pipeline/test_docs.py` holds the page to what this would write.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import duckdb

PAGE = Path(__file__).resolve().parent / "cookbook.md"
_QUERY = re.compile(r"(```sql\n(.*?)```\n)(\n\|[^\n]*(?:\n\|[^\n]*)*\n)?", flags=re.DOTALL)


def filled(text: str, database: Path) -> str:
    """The page with the answers of this file; DuckDB's own error where a query has none."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return _QUERY.sub(lambda found: f"{found[1]}\n{_answer(connection, found[2])}", text)


def _answer(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    result = connection.execute(query)
    assert result.description is not None
    lines = [[column[0] for column in result.description], *result.fetchall()]
    shown = [f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(lines[0]), *shown[1:]]) + "\n"


def _sample(folder: Path) -> Path:
    import datetime as dt

    from kcb_pipeline.home import Home
    from kcb_pipeline.orchestration.run import run_night
    from kcb_pipeline.sample import write_sample

    first = dt.date(2026, 11, 18)
    write_sample(folder, children=600, seed=7, date=first, nights=3)
    for night in range(3):
        run_night(Home(folder), first + dt.timedelta(days=night))
    return Home(folder).analytics


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        database = Path(sys.argv[1]) if len(sys.argv) > 1 else _sample(Path(folder))
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), database), encoding="utf-8")
