"""Fellegi–Sunter linkage of any two person tables: blocking, comparisons, model (EM), assignment, explanation.

`link(left, right, settings)`, and `deduplicate(table, settings)` for one table, are all a user needs; `comparisons` and `chinese` hold what settings are made of.
"""

from kcb_pipeline.matching.deduplication import Deduplication, deduplicate
from kcb_pipeline.matching.linkage import LinkResult, link
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.settings import BlockingRule, Contradiction, Implied, KeyRule, Settings, block_on

__all__ = [
    "BlockingRule",
    "Contradiction",
    "Deduplication",
    "Implied",
    "KeyRule",
    "LinkResult",
    "Model",
    "Settings",
    "block_on",
    "deduplicate",
    "link",
]
