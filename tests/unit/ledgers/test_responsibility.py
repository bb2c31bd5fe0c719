"""劝返主体: who is responsible for a case."""

import itertools

import pytest

from kcb_pipeline.config import Responsible
from kcb_pipeline.ledgers.responsibility import Places, responsible_for

ALL = Places("某校", "户籍镇", "居住镇")
OF = {"school": "某校", "township_of_hukou": "户籍镇", "township_of_residence": "居住镇"}


@pytest.mark.parametrize(
    ("status", "who"),
    [("suspected", "school"), ("unenrolled", "township_of_residence"), ("dropout", "township_of_hukou")],
)
def test_by_default_the_school_looks_first_the_residence_finds_and_the_hukou_persuades(status, who):
    assert responsible_for(status, ALL, Responsible()) == OF[who]


@pytest.mark.parametrize(("status", "who"), list(itertools.product(("suspected", "unenrolled", "dropout"), OF)))
def test_a_county_may_say_otherwise(status, who):
    assert responsible_for(status, ALL, Responsible.model_validate({status: who})) == OF[who]


def test_where_one_is_not_known_the_township_of_the_hukou_is_and_then_that_of_residence():
    rule = Responsible()

    assert responsible_for("suspected", Places(None, "户籍镇", "居住镇"), rule) == "户籍镇"
    assert responsible_for("dropout", Places("某校", None, "居住镇"), rule) == "居住镇"
    assert responsible_for("unenrolled", Places(None, "户籍镇", None), rule) == "户籍镇"
    assert responsible_for("unenrolled", Places(None, None, None), rule) is None
