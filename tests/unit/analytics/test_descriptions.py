"""Every description fits a crowd, whoever the children are; nobody is left out; a place is not told by subtraction."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.analytics.descriptions import CELL, DESCRIPTION, LADDER, describe

SAID = [f"{name}_said" for name in DESCRIPTION]

cell = st.fixed_dictionaries(
    {
        "shown_from_version": st.integers(1, 2),
        "division_code": st.sampled_from(["532901", "532902"]),
        "township_code": st.sampled_from(["101", "102", "unknown"]),
        "born": st.integers(2011, 2020),
        "sex": st.sampled_from(["1", "2"]),
        "ethnicity": st.sampled_from(["01", "07", "unknown"]),
        "population_type": st.sampled_from(["registered", "resident"]),
        **dict.fromkeys(("left_behind", "migrant", "disabled", "poverty_household"), st.booleans()),
        "children": st.integers(1, 12),
        "share": st.floats(0, 1),
    }
)


def cells_of(rows):
    frame = pl.DataFrame(rows, schema={**TYPES, "children": pl.Int64, "share": pl.Float64}).with_columns(
        pl.col("division_code") + pl.col("township_code").alias("township_code")
    )
    return (
        frame.with_columns((pl.col("children") * pl.col("share")).floor().cast(pl.Int64).alias("out_of_school"))
        .group_by(list(CELL))
        .agg(pl.col("children").sum(), pl.col("out_of_school").sum())
        .sort(CELL)
    )


TYPES = {
    name: pl.Int32 if name in ("shown_from_version", "born")
    else pl.Boolean if name in ("left_behind", "migrant", "disabled", "poverty_household") else pl.String
    for name in CELL
}  # fmt: skip


def groups_of(described):
    return described.group_by("shown_from_version", *SAID).agg(
        pl.col("children").sum(), pl.col("out_of_school").sum(), pl.col("rung").max()
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(cell, min_size=1, max_size=60), st.integers(2, 9), st.sampled_from([0.3, 0.5, 1.0]))
def test_every_group_is_a_crowd(rows, smallest, most_certain):
    cells = cells_of(rows)

    described = describe(cells, smallest=smallest, most_certain=most_certain)

    assert described.select(CELL).sort(CELL).equals(cells.select(CELL))  # nobody is left out, nobody stands twice
    assert described["children"].sum() == cells["children"].sum()
    enough = cells.group_by("shown_from_version").agg(pl.col("children").sum()).filter(pl.col("children") >= smallest)
    groups = groups_of(described).join(enough.select("shown_from_version"), on="shown_from_version", how="semi")
    assert (groups["children"] >= smallest).all()
    said = groups.filter(pl.col("rung") < len(LADDER) - 1)
    assert (said["out_of_school"] <= most_certain * said["children"]).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(cell, min_size=1, max_size=60), st.integers(2, 9))
def test_whose_place_is_withheld_are_none_or_a_crowd_in_it(rows, smallest):
    cells = cells_of(rows)

    described = describe(cells, smallest=smallest, most_certain=1.0)

    for place in ("division_code", "township_code"):
        by_place = described.group_by("shown_from_version", "division_code", place if place != "division_code" else pl.lit(0)).agg(
            pl.col("children").sum().alias("all"),
            pl.col("children").filter(pl.col(f"{place}_said").is_null()).sum().alias("withheld"),
        )  # fmt: skip
        few = by_place.filter((pl.col("withheld") > 0) & (pl.col("withheld") < smallest))
        assert (few["all"] < smallest).all()  # only where the place itself is too small to have company


def test_a_crowd_is_described_closely_and_a_rare_ethnicity_is_not():
    common = {
        "shown_from_version": 1, "division_code": "532901", "township_code": "101", "born": 2015, "sex": "1", "population_type": "registered",
        "left_behind": False, "migrant": False, "disabled": False, "poverty_household": False, "share": 0.0,
    }  # fmt: skip
    cells = cells_of([{**common, "ethnicity": "01", "children": 9}, {**common, "ethnicity": "07", "children": 6},
                      {**common, "ethnicity": "20", "children": 2}, {**common, "ethnicity": "03", "children": 3}])  # fmt: skip

    described = describe(cells, smallest=5, most_certain=0.5)

    said = dict(described.select("ethnicity", "ethnicity_said").iter_rows())
    assert said == {"01": "01", "07": "07", "20": "other", "03": "other"}
    assert described["born_from_said"].to_list() == described["born_to_said"].to_list() == [2015] * 4
