"""`kcb` as a process: it ends at once, with its exit code, everything said and everything put away."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, tempfile
import click
from kcb_pipeline import cli

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()

@cli.main.command()
@click.argument("code", type=int)
@click.argument("folder")
def end(code, folder):
    atexit.register(print, "put away")
    kept.folder = tempfile.TemporaryDirectory(dir=sys.argv[-1])
    print("said", end=" ")  # no line end: it stays in the buffer
    if code == 9:
        raise RuntimeError
    sys.exit(code)

sys.argv = ["kcb", *sys.argv[1:]]
cli.program()
"""


def ended(folder, code):
    arguments = [sys.executable, "-c", PROGRAM, "end", str(code), str(folder)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", [0, 1, 7])
def test_it_ends_with_its_code_and_without_taking_anything_apart(tmp_path, code):
    done = ended(tmp_path, code)

    assert (done.returncode, done.stdout, done.stderr) == (code, "said put away\n", "")
    assert list(tmp_path.iterdir()) == []


def test_errors_end_it_with_their_code_too(tmp_path):
    done = ended(tmp_path, 9)

    assert (done.returncode, done.stdout) == (70, "said put away\n")
    assert "RuntimeError at" in done.stderr


def test_nothing_is_put_away_after_it():
    """What is registered before it would be called after it, and so never."""
    program = "import atexit, kcb_pipeline.cli\nprint(atexit._ncallbacks())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "0\n"
