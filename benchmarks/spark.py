"""What linking on Spark costs by row: two sizes of the two registers on `local[N]`, the fixed part told from the part that grows.

    python -m benchmarks.spark SMALL LARGE [CORES]     two folders of `benchmarks.population`

Prints one JSON line a folder: rows of both tables, pairs, seconds and processor seconds of every stage (JVM and Python workers, from the
kernel's account of every process), bytes that were shuffled (Spark's own event log) and written as working tables; then the slope
between the two. docs/spark.md says how a national night is computed from it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Final

import polars as pl

from benchmarks.ours import _registers, population_settings
from kcb_pipeline.config import Spark

_TICK: Final = os.sysconf("SC_CLK_TCK")


class _Processor:
    """Processor seconds of this process and all that came of it, those that have ended included as they were last seen."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.seconds()

    def seconds(self) -> float:
        parents: dict[int, int] = {}
        used: dict[int, float] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(path.parent.name)] = int(fields[1])
            used[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / _TICK
        ours = {os.getpid()}
        while more := {process for process, parent in parents.items() if parent in ours} - ours:
            ours |= more
        self._seen.update({process: used[process] for process in ours if process in used})
        return sum(self._seen.values())

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class _Stages:
    """Notes when a stage has ended, as `link` tells of its progress."""

    def __init__(self, processor: _Processor) -> None:
        self._processor, self.rows = processor, {}
        self._wall, self._cpu = time.perf_counter(), processor.seconds()
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def update(self, stage: str, done: int = 0, whole: int = 0, *, rows: int = 0) -> None:
        wall, cpu = time.perf_counter(), self._processor.seconds()
        self.wall[stage], self.cpu[stage] = round(wall - self._wall, 2), round(cpu - self._cpu, 2)
        self.rows[stage] = rows
        self._wall, self._cpu = wall, cpu


def measured(folder: Path, cores: int) -> dict[str, Any]:
    """Link one folder's registers in this process."""
    from kcb_pipeline.spark.linkage import ROW, link, prepared
    from kcb_pipeline.spark.scratch import Scratch
    from kcb_pipeline.spark.session import cluster

    warnings.simplefilter("ignore")
    processor = _Processor()
    stages = _Stages(processor)
    work = Path(tempfile.mkdtemp(prefix="kcb-spark-"))
    (work / "events").mkdir()
    settings = {
        "spark.sql.shuffle.partitions": str(4 * cores), "spark.driver.memory": "3g", "spark.local.dir": str(work / "local"),
        "spark.eventLog.enabled": "true", "spark.eventLog.dir": (work / "events").as_uri(), "spark.eventLog.compress": "false",
    }  # fmt: skip
    try:
        tables = [table.collect() for table in _registers(folder)]
        with (
            cluster(Spark(master=f"local[{cores}]", settings=settings)) as spark,
            Scratch.of(spark, work / "scratch") as scratch,
        ):
            given = [
                scratch.give(f"raw{n}", table.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW)))
                for n, table in enumerate(tables)
            ]
            stages.update("start")
            chosen = population_settings()
            sides = [prepared(scratch, name, rows, chosen) for name, rows in zip(("left", "right"), given, strict=True)]
            stages.update("prepare", rows=sum(table.height for table in tables))
            result = link(scratch, *sides, chosen, name="links", progress=stages)
            scratch.keep("links", result.links)
            stages.update("write links", rows=scratch.rows("links"))
            written = sum(path.stat().st_size for path in scratch.folder.rglob("*.parquet") if path.is_file())
            spark.stop()
        shuffled = executed = 0
        for log in (work / "events").rglob("events_*"):
            for line in log.read_text().splitlines() if log.is_file() else ():
                event = json.loads(line)
                if event.get("Event") == "SparkListenerTaskEnd" and event.get("Task Metrics"):
                    shuffled += event["Task Metrics"]["Shuffle Write Metrics"]["Shuffle Bytes Written"]
                    executed += event["Task Metrics"]["Executor Run Time"]
        return {
            "rows": sum(table.height for table in tables), "pairs": stages.rows["compare"], "on_driver": result.compared,
            "wall": stages.wall, "cpu": stages.cpu, "cpu_all": round(sum(stages.cpu.values()), 1),
            "cpu_linking": round(sum(stages.cpu.values()) - stages.cpu["start"], 1),
            "executor_s": round(executed / 1000, 1), "shuffled_mb": round(shuffled / 1e6, 1), "written_mb": round(written / 1e6, 1),
        }  # fmt: skip
    finally:
        processor.close()
        shutil.rmtree(work, ignore_errors=True)


def main(small: Path, large: Path, cores: int) -> None:
    """Measure both in processes of their own, and what one row more costs."""
    found = []
    for folder in (small, large):
        said = subprocess.run(
            [sys.executable, "-m", "benchmarks.spark", str(folder), str(cores)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        found.append(json.loads(said.stdout.splitlines()[-1]))
        print(json.dumps(found[-1]))
    rows = found[1]["rows"] - found[0]["rows"]
    slope = {
        f"{name}_per_million_rows": round((found[1][name] - found[0][name]) / rows * 1e6, 2)
        for name in ("cpu_linking", "executor_s", "shuffled_mb", "written_mb", "pairs", "on_driver")
    }
    print(json.dumps(slope))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2].isdigit():
        print(json.dumps(measured(Path(sys.argv[1]), int(sys.argv[2]))))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 2)
