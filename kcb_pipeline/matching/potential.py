"""How much a record could ever weigh: its weight against itself. What stays below the threshold no pair can link (unlinkable)."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.comparisons import Pairs
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.matching.weighing import Rarities, levels_of, patterns_of, prepare, weights_of


def best_weights(records: pl.DataFrame, settings: Settings, model: Model, *, orphaned: float) -> NDArray[np.float64]:
    """The weight of each record paired with itself. orphaned: `linkage.orphaned_share` of the tables."""
    prepared = prepare(records, settings)
    patterns = patterns_of(
        settings, levels_of(settings.comparisons, Pairs.aligned(prepared, prepared)), prepared.height
    )
    rows = np.arange(prepared.height)
    rare = Rarities.of(settings, prepared, prepared).among(rows, rows)
    return weights_of(settings, model, patterns, rare, orphaned=orphaned).total
