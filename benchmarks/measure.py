"""What a command costs: wall time, processor time and peak memory of a process of its own.

What belongs here: starting it and reading the kernel's account of it. Run as a program (`python measure.py REPORT COMMAND...`) it
starts the command itself: Linux charges a new process with the memory of the one it was started from until it is replaced, so
it must be started from a small one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock, seconds of the processor (user and system, with all children), peak resident bytes of the process."""

    wall: float
    cpu: float
    peak_bytes: int

    @property
    def peak_gib(self) -> float:
        """Peak resident memory in GiB."""
        return self.peak_bytes / 2**30


class CommandFailedError(Exception):
    """A measured command ended with an error; the end of what it said is in the message."""


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None, within: float | None = None) -> Cost:
    """Run `command` to its end and say what it cost. `within`: seconds after which it is ended.

    Raises CommandFailedError where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, said = Path(folder) / "cost.json", Path(folder) / "said"
        starter = [sys.executable, "-I", "-S", __file__, str(report), *command]
        with said.open("wb") as output:
            process = subprocess.Popen(
                starter,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=within)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
                raise CommandFailedError(f"not done within {within:.0f} seconds") from None
        if code:
            text = said.read_text(errors="replace")[-2000:]
            raise CommandFailedError(f"ended with {code}: {text}")
        return Cost(**json.loads(report.read_text()))


def _measure(command: list[str]) -> tuple[Cost, int]:
    began = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    # Linux counts ru_maxrss in KiB.
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024), os.waitstatus_to_exitcode(status)


def _main() -> int:
    cost, code = _measure(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(asdict(cost)))
    return abs(code)


if __name__ == "__main__":
    sys.exit(_main())
