"""A real standalone cluster on this machine: a master and two workers, started from the pip package as an operator would start them."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from tests.pipeline.services import free_port

_QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData"
"""Small heaps and no second compiler: the JVMs of a short test spend their time starting."""


def why_not() -> str | None:
    """Why there can be no cluster here, or None."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "no Java (Debian: apt-get install default-jre-headless)"
    if importlib.util.find_spec("pyspark") is None:
        return "no PySpark (make spark)"
    return None


def programs() -> Path:
    """The folder of Spark's own programs."""
    import pyspark

    return Path(pyspark.__file__).parent / "bin"


class Cluster:
    """The processes, each the head of a group of its own: killing a worker kills its executors and their Pythons."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, subprocess.Popen] = {}
        port = free_port()
        self.master = f"spark://127.0.0.1:{port}"
        self._start("master", "org.apache.spark.deploy.master.Master", "--port", str(port))
        self._wait("master", "Starting Spark master")
        for worker in ("first", "second"):
            work = folder / "work" / worker
            self._start(
                worker, "org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "1g", "--work-dir", str(work), self.master,
            )  # fmt: skip
        for worker in ("first", "second"):
            self._wait(worker, "Successfully registered")

    def _start(self, name: str, kind: str, *arguments: str) -> None:
        local = self.folder / "local" / name
        local.mkdir(parents=True)
        environment = os.environ | {
            "SPARK_LOCAL_DIRS": str(local), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "192m",
            "SPARK_DAEMON_JAVA_OPTS": _QUICK_JVM,
        }  # fmt: skip
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [str(programs() / "spark-class"), kind, "--host", "127.0.0.1", "--webui-port", "0", *arguments],
                stdout=log, stderr=log, cwd=self.folder, env=environment, start_new_session=True,
            )  # fmt: skip

    def _wait(self, name: str, for_words: str) -> None:
        until = time.monotonic() + 120
        while for_words not in (log := (self.folder / f"{name}.log").read_text(errors="replace")):
            assert self._processes[name].poll() is None, log
            assert time.monotonic() < until, log
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """As a machine dies: at once, with everything on it."""
        os.killpg(self._processes[name].pid, signal.SIGKILL)
        self._processes.pop(name).wait()

    def stop(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def rules(self) -> str:
        """`kcb.toml` of a home whose nights run here, telling everything that Spark can tell into `told/`."""
        told = self.folder / "told"
        told.mkdir(exist_ok=True)
        settings = {
            "spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2", "spark.executor.memory": "512m",
            "spark.driver.memory": "768m", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": _QUICK_JVM, "spark.executor.extraJavaOptions": _QUICK_JVM,
            "spark.eventLog.enabled": "true", "spark.eventLog.dir": told.as_uri(), "spark.eventLog.compress": "false",
            "spark.local.dir": str(self.folder / "local"),
            # A machine that is gone does not answer: what waits for it gives up sooner than the default 15 s.
            "spark.shuffle.io.maxRetries": "1", "spark.shuffle.io.retryWait": "1s",
        }  # fmt: skip
        if "PYTHONPATH" in os.environ:
            settings["spark.executorEnv.PYTHONPATH"] = os.environ["PYTHONPATH"]
        lines = [
            'engine = "spark"',
            "[spark]",
            f'master = "{self.master}"',
            f'python = "{sys.executable}"',
            "[spark.settings]",
        ]
        return "\n".join(
            [*lines, *(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in settings.items()), ""]
        )

    def events(self) -> list[dict]:
        """Everything Spark's event logs say, in order."""
        files = sorted(
            path
            for path in (self.folder / "told").rglob("*")
            if (path.is_file() and "events" in path.name) or path.name.startswith("app-")
        )
        return [json.loads(line) for path in files if path.is_file() for line in path.read_text().splitlines()]

    def told(self) -> bytes:
        """All that the cluster has written for people to read: event logs, logs of daemons and of executors."""
        files = [*self.folder.glob("*.log"), *(self.folder / "told").rglob("*"), *(self.folder / "work").rglob("std*")]
        return b"\n".join(path.read_bytes() for path in files if path.is_file())


@contextmanager
def cluster(folder: Path):
    running = Cluster(folder)
    try:
        yield running
    finally:
        running.stop()
