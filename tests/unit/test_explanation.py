"""`kcb explain` has words for every reason for which a pair is decided."""

from kcb_pipeline.explanation import WHY
from kcb_pipeline.matching.deciding import REASONS


def test_every_reason_has_its_words():
    assert set(WHY) == set(REASONS)
