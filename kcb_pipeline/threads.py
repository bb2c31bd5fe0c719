"""Work at the same time: what NumPy, Polars, Arrow and DuckDB do on a batch lets go of the interpreter, so threads use every core.

What belongs here: how work is spread over threads, in an order that does not depend on which thread is faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def side_by_side(calls: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of calls that do not depend on each other, in the order of the calls; of several errors the first call's is raised."""
    waiting = list(calls)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(len(waiting), cores)
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
