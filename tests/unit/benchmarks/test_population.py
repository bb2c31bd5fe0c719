"""The made-up registers keep what their docstring promises: same rows for the same seed, right numbers, the stated damage, no truth to see."""

import datetime as dt
import math

import polars as pl
import pytest

from benchmarks.population import FORMER, ID_DAMAGE, LEFT_COLUMNS, RATES, RIGHT_COLUMNS, Population, generate, write
from kcb_pipeline.identity import id_number

PERSONS = 20_000
ON = dt.date(2026, 9, 1)


@pytest.fixture(scope="module")
def population() -> Population:
    return generate(PERSONS, seed=3)


def close(found: float, promised: float, *, of: int) -> bool:
    """Whether a share of `of` rows is within four standard deviations of what was promised."""
    return abs(found - promised) <= 4 * math.sqrt(promised * (1 - promised) / of)


def paired(population: Population) -> pl.DataFrame:
    both = population.left.join(population.right, on="entity", suffix="_right")
    return both.join(population.damage.select("entity", pl.exclude("entity").name.prefix("damage_")), on="entity")


def test_same_seed_same_rows_and_another_seed_other_rows(tmp_path):
    first, again, other = generate(2000, seed=1), generate(2000, seed=1), generate(2000, seed=2)
    assert first.left.equals(again.left)
    assert first.right.equals(again.right)
    assert not first.left.equals(other.left)
    write(2000, 1, tmp_path)
    assert pl.read_parquet(tmp_path / "left.parquet").equals(first.left)
    assert pl.read_parquet(tmp_path / "right.parquet").equals(first.right)


def test_the_linker_is_not_shown_who_is_who(population):
    assert "entity" not in {*LEFT_COLUMNS, *RIGHT_COLUMNS}
    assert population.left.columns == ["entity", *LEFT_COLUMNS]
    assert population.right.columns == ["entity", *RIGHT_COLUMNS]
    order = population.left.with_row_index().join(population.right.with_row_index(), on="entity")
    # Neither the order of the rows nor the household gives the truth away.
    assert abs(order.select(pl.corr("index", "index_right")).item()) < 0.05


def test_two_files_of_the_same_size_with_19_in_20_in_common(population):
    assert population.left.height == population.right.height == PERSONS
    assert population.left["entity"].n_unique() == population.right["entity"].n_unique() == PERSONS
    assert paired(population).height == round(PERSONS * RATES.in_both)


def test_numbers_are_right_where_nothing_was_done_to_them(population):
    intact = population.damage.select((pl.col("id_number") == "none").alias("intact"))["intact"]
    numbers = population.right["id_number"].filter(intact)
    assert id_number.valid(numbers, on=ON).all()
    assert numbers.n_unique() == len(numbers)
    valid_left = id_number.valid(population.left["id_number"], on=ON)
    assert close(1 - valid_left.mean(), RATES.left_damaged, of=PERSONS)
    for side, columns in (("left", LEFT_COLUMNS), ("right", RIGHT_COLUMNS)):
        for column in columns:
            if column.endswith("_id_number"):
                parents = getattr(population, side)[column].drop_nulls()
                assert id_number.valid(parents, on=ON).all(), column


def test_numbers_agree_with_birth_date_and_sex(population):
    left = population.left.filter(id_number.valid(population.left["id_number"], on=ON))
    assert (id_number.birth_date(left["id_number"]) == left["birth_date"]).all()
    assert (id_number.sex(left["id_number"]) == left["sex"]).all()
    assert left["birth_date"].dt.year().is_between(2008, 2019).all()


@pytest.mark.parametrize(
    ("kind", "valid"),
    [("digit", False), ("swap", False), ("dropped", False), ("15 digits", False), ("sibling's", True), ("parent's", True), ("former", True)],
)  # fmt: skip
def test_damaged_numbers_fail_the_check_and_borrowed_ones_do_not(population, kind, valid):
    numbers = population.right.filter(population.damage["id_number"] == kind)["id_number"]
    assert len(numbers)
    right = id_number.valid(numbers, on=ON)
    assert right.all() if valid else not right.any()


def test_damage_is_as_frequent_as_promised(population):
    damage = population.damage
    shares = dict(damage["id_number"].value_counts(normalize=True).iter_rows())
    broken = ("digit", "swap", "dropped", "15 digits")
    assert set(shares) == set(ID_DAMAGE)
    assert close(shares["missing"], RATES.id_missing, of=PERSONS)
    assert close(sum(shares[kind] for kind in broken), RATES.id_damaged, of=PERSONS)
    assert close(shares["sibling's"], RATES.id_of_sibling, of=PERSONS)
    assert close(shares["parent's"], RATES.id_of_parent, of=PERSONS)
    assert close(shares[ID_DAMAGE[FORMER]], RATES.id_former, of=PERSONS)
    errors = damage["name"].is_in(["homophone", "random", "dropped", "swapped", "new"]).mean()
    assert close(errors, RATES.name_damaged, of=PERSONS)
    assert close((damage["birth_date"] != "none").mean(), RATES.birth_date_damaged, of=PERSONS)
    assert close(damage["sex"].mean(), RATES.sex_wrong, of=PERSONS)
    assert close(damage["moved"].mean(), RATES.moved, of=PERSONS)
    assert close((damage["guardians"] == "missing").mean(), RATES.guardians_missing, of=PERSONS)
    assert close(damage["twin"].mean(), RATES.twins, of=PERSONS // 2)


def test_what_is_said_to_be_damaged_differs_and_nothing_else_does(population):
    both = paired(population)
    for column in ("name", "birth_date"):
        same = (both[column] == both[f"{column}_right"]).to_list()
        assert same == (both[f"damage_{column}"] == "none").to_list(), column
    assert ((both["sex"] != both["sex_right"]) == both["damage_sex"]).all()
    assert ((both["division_code"] != both["division_code_right"]) == both["damage_moved"]).all()


def test_student_numbers_follow_the_rule_of_their_letter(population):
    usable = ~population.damage["id_number"].is_in(["missing", "digit", "swap", "dropped", "15 digits"])
    letters = population.right["student_number"].str.slice(0, 1)
    assert (letters.filter(usable) == "G").all()
    assert letters.filter(~usable).is_in(["J", "L"]).all()
    after = population.right["student_number"].filter(usable).str.slice(1)
    assert id_number.valid(after, on=ON).all()
    intact = population.damage["id_number"].filter(usable) == "none"
    former = (after != population.right["id_number"].filter(usable)).filter(intact).mean()
    assert close(former, RATES.g_number_former, of=PERSONS)


def test_same_sex_twins_have_two_names_and_neighbouring_numbers(population):
    left = population.left.join(population.damage.filter("twin").select("entity"), on="entity")
    twins = left.join(left, on=["household", "birth_date", "sex"]).filter(pl.col("entity") < pl.col("entity_right"))
    assert twins.height
    assert (twins["name"] != twins["name_right"]).all()
    valid = twins.filter(id_number.valid(twins["id_number"], on=ON) & id_number.valid(twins["id_number_right"], on=ON))
    apart = valid["id_number_right"].str.slice(0, 17).cast(pl.Int64) - valid["id_number"].str.slice(0, 17).cast(
        pl.Int64
    )
    assert (apart == 2).all()
