"""Work at the same time: what NumPy, Polars, Arrow and DuckDB do on a batch lets go of the interpreter, so threads use every core.

What belongs here: how work is spread over threads, in an order that does not depend on which thread is faster.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Final, TypeVar

Result = TypeVar("Result")

_MORE_THAN_CORES: Final = 1
"""How many calls of a pipeline wait or lie finished beside those that every core is at: more would only hold memory."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(calls: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of calls that do not depend on each other, in the order of the calls; of several errors the first call's is raised."""
    waiting = list(calls)
    workers = min(len(waiting), cores())
    if workers < 2:
        return [call() for call in waiting]
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(call) for call in waiting]]


def ahead(results: Iterator[Result]) -> Iterator[Result]:
    """The same results, each made while the one before it is being used; an error comes where it would have come."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, results, end)
        while (result := coming.result()) is not end:
            coming = pool.submit(next, results, end)
            yield result  # type: ignore[misc]


def pipelined(calls: Iterator[Callable[[], Result]]) -> Iterator[Result]:
    """The results of calls, in their order, made on all cores while the next calls are being found and the results before are used.

    Few are under way at a time, however many there are. An error, of a call or of finding the next one, comes where it would have come
    if everything had been done in turn.
    """
    coming: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores()) as pool, closing(_found(calls)) as found:
        try:
            for call in found:
                if isinstance(call, _Failed):
                    while coming:
                        yield coming.popleft().result()
                    raise call.error
                coming.append(pool.submit(call))
                if len(coming) > cores() + _MORE_THAN_CORES:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


class _Failed:
    """Why no further call was found."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _found(calls: Iterator[Callable[[], Result]]) -> Generator[Callable[[], Result] | _Failed]:
    """The calls, found ahead, and at the end the error there was."""
    try:
        yield from ahead(calls)
    except Exception as error:
        yield _Failed(error)
