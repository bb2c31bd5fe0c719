"""Which things hang together when pairs of them do: the connected components of a graph.

Here and not from SciPy, whose import takes longer than linking two thousand records.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def components(left: NDArray[np.int64], right: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """For each of `size` things, numbered from 0, the lowest one it is connected to by the edges from `left` to `right`.

    Each round hangs the higher root of every edge under the lower one and shortens all paths to their roots
    (Shiloach and Vishkin 1982), so the rounds are few.
    """
    root = np.arange(size, dtype=np.int64)
    while True:
        a, b = root[left], root[right]
        apart = a != b
        if not apart.any():
            return root
        np.minimum.at(root, np.maximum(a, b)[apart], np.minimum(a, b)[apart])
        while True:
            shorter = root[root]
            if np.array_equal(shorter, root):
                break
            root = shorter
