"""`kcb charts`: the charts of a real night, which show nobody."""

import stat

import polars as pl

from tests.pipeline.conftest import DATES

CHARTS = {"match-weights", "m-and-u", "blocking", "unlinkables", "waterfall"}


def test_the_charts_of_a_night_are_drawn_for_their_owner_only(first_night, tmp_path):
    out = tmp_path / "charts"
    first_night.kcb("charts", "--date", str(DATES[0]), "--out", str(out))

    assert {path.stem for path in out.glob("*.svg")} == CHARTS
    assert {path.stem for path in out.glob("*.png")} in (set(), CHARTS)  # PNG takes a Chinese font
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in out.iterdir())


def test_they_name_nobody_and_are_the_same_every_time(first_night, tmp_path):
    for name in ("a", "b"):
        first_night.kcb("charts", "--out", str(tmp_path / name))
    people = pl.read_parquet(first_night.folder / "truth" / str(DATES[0]) / "children.parquet")
    identities = {*people["id_number"].drop_nulls(), *(name for name in people["name"] if len(name) > 2)}

    for path in sorted((tmp_path / "a").glob("*.svg")):
        drawing = path.read_text(encoding="utf-8")
        assert drawing == (tmp_path / "b" / path.name).read_text(encoding="utf-8")
        assert not any(identity in drawing for identity in identities)


def test_the_waterfall_is_of_the_child_that_was_asked_for(first_night, tmp_path):
    [(child_id, weight)] = first_night.query(
        "SELECT c.child_id, l.match_weight FROM school_age_children c JOIN links l USING (population_type, population_row) "
        "WHERE l.decision = 'linked' ORDER BY l.match_weight DESC, c.child_id LIMIT 1"
    )
    first_night.kcb("charts", "--out", str(tmp_path), "--child", child_id)
    drawing = (tmp_path / "waterfall.svg").read_text(encoding="utf-8")

    assert f">{weight:.1f}<" in drawing
    assert child_id not in drawing


def test_a_child_nobody_knows_is_an_error(first_night, tmp_path):
    first_night.kcb("charts", "--out", str(tmp_path), "--child", "C000000000000000", code=2)
