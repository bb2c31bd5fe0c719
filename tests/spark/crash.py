"""A kernel that fails on a worker with an identity in its message, and panics with another: run by test_cluster.py in a process of its own."""

import datetime as dt
import os
import sys
from pathlib import Path

import polars as pl

from kcb_pipeline.home import Home
from kcb_pipeline.spark.kernels import apply
from kcb_pipeline.spark.registers import tables_of

WHO = "鄢龘靐"


def crash(rows: pl.DataFrame) -> pl.DataFrame:
    """Fail as libraries do: with the value in the message, in a note, and on the error stream."""
    who = rows["name"][0]
    os.write(2, f"thread '<unnamed>' panicked at src/lib.rs:1: {who}\n".encode())
    error = ValueError(f"invalid value {who!r}")
    error.add_note(who)
    raise error


def main(home: Path) -> None:
    """Crash on the cluster of a home."""
    of = Home(home)
    schema = pl.Schema({"name": pl.String()})
    rules = of.config().spark
    once = rules.model_copy(update={"settings": {**rules.settings, "spark.task.maxFailures": "1"}})
    with tables_of(of.workspace(dt.date(2026, 11, 17)), once) as tables:
        given = tables.scratch.give("people", pl.DataFrame({"name": [WHO]}))
        apply(given, crash, schema, schema).count()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
