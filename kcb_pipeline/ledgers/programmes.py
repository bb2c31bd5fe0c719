"""五项行动: support programmes with entry, level, responsible office, assessment before leaving and follow-up after.

`entries − exits = stock`: an entry leaves only by its exit. One that the source no longer lists stays in, and says so.
(璧山区“五项行动” 第三、第五, 出入库评估细则.)
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import duckdb
import polars as pl

from kcb_pipeline.config import Offices
from kcb_pipeline.engines.embedded import create
from kcb_pipeline.engines.sql import run_step

PACKAGE: Final = "kcb_pipeline.ledgers"


def offices_frame(offices: Offices) -> pl.DataFrame:
    """Which office answers, by programme and level."""
    entries = []
    for programme, leading in offices.leading.items():
        entries += [
            (programme, "较轻", offices.minor),
            (programme, "较重", leading),
            (programme, "严重", offices.severe),
        ]
    schema = {"programme": pl.String, "level": pl.String, "office": pl.String}
    return pl.DataFrame(entries, schema=schema, orient="row")


def draft_programmes(
    connection: duckdb.DuckDBPyConnection, on: dt.date, *, offices: Offices, follow_up_days: int
) -> None:
    """Fill `draft.support_programmes`. Wants the `previous_` views and `status.attributed`."""
    create(connection, "draft.offices", offices_frame(offices))
    parameters = {"today": on, "follow_up_days": follow_up_days}
    run_step(connection, PACKAGE, "support_programmes", "draft.support_programmes", parameters)
