"""How much a record could ever weigh: its weight against itself. What stays below the threshold no pair can link (unlinkable).

Agreement counts as agreement on an average value: what a rare name adds is not in it.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.comparisons import MISSING
from kcb_pipeline.matching.model import Model, silence
from kcb_pipeline.matching.settings import Settings


def best_weights(records: pl.DataFrame, settings: Settings, model: Model) -> NDArray[np.float64]:
    """The weight of each record paired with itself."""
    prepared = records.with_columns([column for c in settings.comparisons for column in c.prepare(records)])
    levels = {c.name: c.levels_of(prepared, prepared) for c in settings.comparisons}
    heard = silence(levels, settings.implied)
    total = np.full(records.height, model.prior_weight)
    likeness = np.zeros(records.height)
    for name, level in heard.items():
        total += model.weights(name)[level]
        silent = (level == MISSING) & (levels[name] != MISSING)
        likeness += model.likeness(name)[level]
        likeness[silent] += model.likeness(name, silent=True)[levels[name][silent]]
    return np.asarray(total + model.relatives_weight(likeness), dtype=np.float64)
