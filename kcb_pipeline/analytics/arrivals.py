"""When each child is first shown to analysts: as soon as enough newcomers wait, all of them together.

Two files a night apart differ by who came. Were one newcomer shown alone, whoever knows a family that moved in knew its child's row. So
newcomers wait for each other; the first version shows everybody at once. This depends on the versions up to each one alone, so that a
later file never says otherwise of who came before.
"""

from __future__ import annotations

import polars as pl


def shown_from(stays: pl.DataFrame, versions: list[int], smallest: int) -> pl.DataFrame:
    """The version from which each child is shown: `child_id`, `shown_from_version`, `is_late`; children who still wait are not in it.

    stays: `child_id`, `nth` (of the child's stays in the ledger, from 1), `from_version` and `to_version` (missing while it lasts).
    Whoever has left again before enough others came waits anew when it comes back.
    """
    empty = stays.clear().select("child_id", "from_version", "to_version")
    by_version = {int(v): part for (v,), part in stays.partition_by("from_version", as_dict=True).items()}
    waiting = empty
    shown: list[pl.DataFrame] = []
    for version in versions:
        came = by_version.get(version, stays.clear())
        back = came.filter(pl.col("nth") > 1)
        for earlier in shown if back.height else ():
            back = back.join(earlier, on="child_id", how="anti")
        came = pl.concat([came.filter(pl.col("nth") == 1), back]).select(empty.columns)
        waiting = pl.concat([waiting, came]).filter(pl.col("to_version").is_null() | (pl.col("to_version") > version))
        if waiting.height >= smallest:
            shown.append(
                waiting.select(
                    "child_id",
                    pl.lit(version, dtype=pl.Int32).alias("shown_from_version"),
                    (pl.col("from_version") < version).alias("is_late"),
                )
            )
            waiting = empty
    schema = {"child_id": pl.String, "shown_from_version": pl.Int32, "is_late": pl.Boolean}
    return pl.concat(shown) if shown else pl.DataFrame(schema=schema)
