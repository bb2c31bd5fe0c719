"""Independent steps at the same time: what NumPy and Polars do on a batch lets go of the interpreter, so threads use every core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
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
