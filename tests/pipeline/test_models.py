"""A model is kept with each version; a county can have its comparisons weighed with the one of the version before."""

from tests.pipeline.conftest import DATES

MODELS = "SELECT model FROM linkage_models ORDER BY version"


def test_a_frozen_model_is_that_of_the_version_before(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    (home.folder / "kcb.toml").write_text('[matching]\nmodel = "frozen"\n', encoding="utf-8")

    home.night(DATES[1])

    [(before,), (after,)] = home.query(MODELS)
    assert after == before


def test_an_estimated_model_is_each_nights_own(three_nights):
    models = [model for (model,) in three_nights.query(MODELS)]

    assert len(set(models)) == len(models) == 3


def test_the_estimated_quality_of_the_whole_and_of_each_group_is_published(first_night):
    found = first_night.query(
        "SELECT grouping, sum(links), min(precision), min(recall) FROM linkage_quality GROUP BY grouping ORDER BY grouping"
    )
    [(linked,)] = first_night.query("SELECT count(*) FROM links WHERE decision = 'linked'")

    assert [(grouping, links) for grouping, links, *_ in found] == [
        (grouping, linked) for grouping in ("all", "county", "ethnicity", "sex")
    ]
    assert all(0.9 < precision <= 1 and 0.9 < recall <= 1 for _, _, precision, recall in found)
