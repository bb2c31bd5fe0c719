"""The papers of a version: everything offices receive with it, made from the published file alone, so that it can be made again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import duckdb

from kcb_pipeline.reporting.bulletin_paper import bulletin
from kcb_pipeline.reporting.corrections import corrections
from kcb_pipeline.reporting.data_docs import data_docs
from kcb_pipeline.reporting.mending import mending
from kcb_pipeline.reporting.paper import Paper
from kcb_pipeline.reporting.report.page import report
from kcb_pipeline.reporting.worklists import worklists

Kind = Literal["worklists", "corrections", "bulletin", "mending", "report", "data_docs"]
KINDS: Final[tuple[Kind, ...]] = ("worklists", "corrections", "bulletin", "mending")
"""What offices work with: a version without it would be of no use to them, and is not published."""
SHOWN: Final[tuple[Kind, ...]] = ("report", "data_docs")
"""What only shows a version: one that cannot be made stops nothing, and is made when the reason is mended (`kcb report`)."""


def papers(
    connection: duckdb.DuckDBPyConnection, version: int, *, smallest_cell: int, kinds: Iterable[Kind] = KINDS
) -> Iterator[Paper]:
    """The papers of those kinds, of one version of the published file behind `connection`."""
    for kind in kinds:
        match kind:
            case "worklists":
                yield from worklists(connection, version)
            case "corrections":
                yield corrections(connection, version)
            case "bulletin":
                yield bulletin(connection, version, smallest_cell)
            case "mending":
                yield mending(connection, version)
            case "report":
                yield report(connection, version, smallest_cell)
            case "data_docs":
                yield from data_docs(connection, version)
