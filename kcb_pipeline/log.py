"""Logs for services: one JSON object a line on standard error, with run, date and step, where `KCB_LOG=json` asks for it. Counts, never identities."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import sys
from typing import Literal

VARIABLE = "KCB_LOG"

Level = Literal["info", "warning", "error"]


def is_json() -> bool:
    """Whether lines are asked for."""
    return os.environ.get(VARIABLE) == "json"


def log(level: Level, message: str, **fields: str | float | None) -> None:
    """Write one line: time (UTC), level, message, and those of `fields` that are something."""
    if not is_json():
        return
    time = dt.datetime.now(tz=dt.UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "level": level, "message": message, **fields}
    said = {name: value for name, value in line.items() if value is not None}
    os.write(_stream(), (json.dumps(said, ensure_ascii=False) + "\n").encode())


@functools.cache
def _stream() -> int:
    """The error stream as it is when the first line is written: while a stage works, its own goes to a private file (`faults`)."""
    try:
        return os.dup(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # no stream of the system
        return os.dup(2)
