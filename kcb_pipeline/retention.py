"""Working files are kept for `[storage] retention_days`, for an engineer to look at; what is older is erased, whole dates at a time."""

from __future__ import annotations

import datetime as dt
import shutil

from kcb_pipeline.claim import is_running
from kcb_pipeline.home import Home


def erase_old_work(home: Home, now: dt.datetime) -> list[dt.date]:
    """Erase the working files of dates last worked on longer ago than `retention_days`; the dates. A date that is being run stays."""
    oldest = now.timestamp() - 86_400 * home.config().storage.retention_days
    erased = []
    for database in sorted(home.work.glob("????-??-??.duckdb")):
        date = dt.date.fromisoformat(database.stem)
        if database.stat().st_mtime >= oldest or is_running(home.work, date):
            continue
        for file in (database, database.with_name(database.name + ".wal")):
            file.unlink(missing_ok=True)
        shutil.rmtree(home.workspace(date).files, ignore_errors=True)
        erased.append(date)
    return erased
