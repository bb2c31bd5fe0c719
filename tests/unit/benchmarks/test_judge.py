"""What the table of `python -m benchmarks` says of a linking, from the files it left."""

import json

import numpy as np
import polars as pl
import pytest

from benchmarks.__main__ import _judge
from benchmarks.measure import Cost

TRUTH = np.arange(4)


@pytest.mark.parametrize(("estimated", "dedup", "shown"), [(0.5, False, 0.5), (None, False, None), (0.5, True, 0.5)])
def test_wrong_links_are_shown_as_the_linker_estimated_them_where_it_did(tmp_path, estimated, dedup, shown):
    """A rival leaves no estimates."""
    rows = {"left_row": [0, 1, 2], "right_row": [0, 1, 3], "score": [9.0, 8.0, 1.0], "linked": [True, True, True]}
    pl.DataFrame(rows).write_parquet(tmp_path / "pairs.parquet")
    if estimated is not None:
        (tmp_path / "estimates.json").write_text(json.dumps({"wrong": estimated}))

    outcome = _judge(tmp_path, (TRUTH,) if dedup else (TRUTH, TRUTH), Cost(1.0, 1.0, 1), dedup=dedup)

    assert outcome.wrong == shown
    assert outcome.found.wrong == 1
