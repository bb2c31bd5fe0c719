"""`kcb` in a process of its own that finds its modules imported: a server has imported them once, and forks one process a call.

Importing takes a process two seconds, and the tests start two hundred. What a person starts is the console script, which imports
everything itself, by another hash seed each time: `Home.program`.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.soak.trials import LOADED, PROCESSES

# Python has one such server a process: that of the trials loads what a night of `kcb` needs as well.
PROCESSES.set_forkserver_preload([*LOADED, "tests.pipeline.imported"])


def kcb(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `kcb` with these arguments, in this environment and no other, says and how it ends."""
    with tempfile.TemporaryDirectory(prefix="kcb-said-") as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        process = PROCESSES.Process(target=_run, args=(list(arguments), dict(environment), said))
        process.start()
        process.join()
        words = [path.read_text(encoding="utf-8", errors="replace") for path in said]
        return subprocess.CompletedProcess(["kcb", *arguments], process.exitcode, *words)


def _run(arguments: list[str], environment: dict[str, str], said: list[Path]) -> None:
    for descriptor, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["kcb", *arguments]
    from kcb_pipeline.cli import program

    program()
