"""A session on the cluster, with every setting pinned that a result or the privacy of a child depends on."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyspark.sql import SparkSession

from kcb_pipeline.config import Spark
from kcb_pipeline.errors import UsageError

PINNED: Final = {
    # Values: one calendar, one clock, errors instead of NULLs.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Batches as large as the embedded engine's, so that a kernel is not called a hundred times for what it does at once.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "131072",
    "spark.sql.adaptive.enabled": "true",
    # Shuffle files and what spills hold identities: they are written encrypted, with a key that lives as long as the session.
    "spark.io.encryption.enabled": "true",
    # What the workers write beside the working database is for its owner only, as everything a night writes.
    "spark.hadoop.fs.permissions.umask-mode": "077",
    # Plans, arguments and errors are told to nobody but the log of whoever runs the night.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key",
    # Without a limit an error shows the rows' first columns in the plan.
    "spark.sql.debug.maxToStringFields": "0",
    "spark.sql.pyspark.jvmStacktrace.enabled": "false",
    "spark.log.level": "ERROR",
}
"""Settings that a home cannot change."""

_DEFAULTS: Final = {
    "spark.app.name": "kcb",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.python.worker.reuse": "true",
}
"""Settings that a home may change in `[spark.settings]`."""


@contextmanager
def cluster(rules: Spark) -> Iterator[SparkSession]:
    """A session on the cluster of `[spark]`; the one that is open in this process, or a new one, which is closed with the process.

    UsageError where the cluster is not named or does not answer.
    """
    if not rules.master:
        raise UsageError('kcb.toml: engine = "spark" needs [spark] master, for instance "spark://HOST:7077"')
    if refused := sorted(set(rules.settings) & PINNED.keys()):
        raise UsageError(f"kcb.toml: spark.settings: {refused[0]} is set by the program")
    python = rules.python or sys.executable
    os.environ["PYSPARK_PYTHON"] = python
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    with warnings.catch_warnings():
        # PySpark 4.3 says so of pandas 3 wherever Arrow is used; no pandas object is ever made here.
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        builder = SparkSession.builder.master(rules.master)
        for name, value in {**_DEFAULTS, **rules.settings, **PINNED}.items():
            builder = builder.config(name, value)
        yield builder.getOrCreate()
