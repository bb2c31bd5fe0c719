"""`kcb` as a process: it ends at once, with its exit code, everything said and everything put away."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
import click
from kcb_pipeline import cli

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()

@cli.main.command()
@click.argument("code", type=int)
def end(code):
    atexit.register(print, "put away")
    print("said", end=" ")  # no line end: it stays in the buffer
    if code == 9:
        raise RuntimeError
    sys.exit(code)

sys.argv = ["kcb", *sys.argv[1:]]
cli.program()
"""


@pytest.mark.parametrize("code", [0, 1, 7])
def test_it_ends_with_its_code_and_without_taking_anything_apart(code):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "end", str(code)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (code, "said put away\n", "")


def test_errors_end_it_with_their_code_too():
    done = subprocess.run([sys.executable, "-c", PROGRAM, "end", "9"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (70, "said put away\n")
    assert "RuntimeError at" in done.stderr
