"""Work that the interpreter does alone (building workbooks), on every core: by helper programs, each a Python of its own.

What belongs here: how such work is shared out, and how a helper is spoken to. Helpers are started afresh and given everything through a
pipe, so nothing depends on how the process that wants them was started: a fork would bring threads' locks along, and multiprocessing
would run the program once more in each.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any, Final, Self, TypeVar

from kcb_pipeline.threads import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

WORTH_A_HELPER: Final = 200
"""Items for each helper below which starting it takes about as long as what it would do."""


def shared_out(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` on every item, in their order; many items by as many helpers as there are cores.

    work: a function of a module, which a helper can import. An error of it is raised here, as if there were no helpers.
    """
    helpers = min(cores(), len(items) // WORTH_A_HELPER)
    if helpers < 2:
        yield from map(work, items)
        return
    with ExitStack() as stack:
        answers = [stack.enter_context(_Helper(work, items[first::helpers])) for first in range(helpers)]
        for place in range(len(items)):
            yield answers[place % helpers].next()


class _Helper:
    """A helper at work on its share. Leaving the context ends it."""

    def __init__(self, work: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._task = (work, items)
        self._answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

    def __enter__(self) -> Self:
        # What it says of itself may quote what it works on.
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(  # noqa: S603 -- our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        """Give the task and take the answers as they come: a helper never waits for whoever uses them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            with self._process.stdin as given:
                pickle.dump(self._task, given)
            for _ in self._task[1]:
                self._answers.put(pickle.load(self._process.stdout))  # noqa: S301 -- our own program's
        except (OSError, EOFError, pickle.UnpicklingError):
            self._answers.put((False, ChildProcessError("a helper ended before its work was done")))

    def next(self) -> Any:
        """The result of the next item."""
        is_result, answer = self._answers.get()
        if not is_result:
            raise answer
        return answer

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()


def _help(given: IO[bytes], taken: IO[bytes]) -> None:
    """What a helper does: take the task, and answer each item with its result or what it raised."""
    work, items = pickle.load(given)  # noqa: S301 -- our own program's
    for answer in _answers(work, items):
        pickle.dump(answer, taken)
        taken.flush()


def _answers(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[bool, Any]]:
    for item in items:
        try:
            yield True, work(item)
        except Exception as error:
            yield False, error
            return


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    _help(sys.stdin.buffer, answers)
