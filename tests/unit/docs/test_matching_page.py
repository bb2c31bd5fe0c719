"""The Python in docs/matching.md runs, on made-up people, and does what the page says."""

import datetime as dt
import re
from pathlib import Path

import polars as pl

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.matching import link

PAGE = Path(__file__).resolve().parents[3] / "docs" / "matching.md"


def people(count):
    days = pl.Series([f"{1950 + n % 50}{1 + n % 12:02}{1 + n % 28:02}" for n in range(count)])
    return pl.DataFrame(
        {
            "given_name": [f"given{n % 37}" for n in range(count)],
            "surname": [f"name{n % 41}" for n in range(count)],
            "date_of_birth": days,
            "phone": [str(13_000_000_000 + 7919 * n) for n in range(count)],
        }
    )


def run(number):
    """The names that an example of the page defines."""
    names = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile(examples[number], PAGE.name, "exec"), names)
    return names


def test_the_example_links_two_tables_and_finds_duplicates_in_one(capsys):
    names = run(0)
    left = people(300)
    right = left.head(200).with_columns(
        pl.when(pl.int_range(pl.len()) < 10).then("surname").otherwise("given_name").alias("given_name"),
        pl.when(pl.int_range(pl.len()) < 10).then("given_name").otherwise("surname").alias("surname"),
    )

    linked = names["who_is_who"](left, right)
    clusters = names["twice_in_it"](pl.concat([left, right.head(20)]))

    assert linked.select("left_row", "right_row").rows() == [(n, n) for n in range(200)]
    assert "Quality(links=200" in capsys.readouterr().out
    assert clusters["cluster"].to_list() == [*range(300), *range(20)]


def test_the_example_finds_every_pair_of_people_who_stand_several_times_in_both_tables():
    every, table = run(0)["every_pair"], people(300)

    found = every(pl.concat([table, table.head(50)]), pl.concat([table.head(200)] * 2))

    same = [(left % 300, right % 200) for left, right in found.rows()]
    assert all(left == right for left, right in same)
    assert len(set(found.rows())) == len(same) == 2 * (200 + 50)


def numbered(first17):
    return first17 + check_digit(first17)


def test_the_example_with_numbers_settles_by_key_what_it_can_and_weighs_the_rest():
    surnames, given = "王李张刘陈杨赵黄周吴", "伟芳娜敏静强磊军洋勇艳杰娟涛明超秀霞平刚"
    count = 400
    born = pl.Series([dt.date(2010, 1, 1) + dt.timedelta(days=5 * n) for n in range(count)])
    left = pl.DataFrame(
        {
            "id_number": [numbered(f"533123{day:%Y%m%d}{1 + n % 900:03}") for n, day in enumerate(born)],
            "name": [surnames[n % 10] + given[n % 19] + given[n // 19 % 19] for n in range(count)],
            "birth_date": born,
            "sex": [str(1 + n % 2) for n in range(count)],
        }
    )
    right = left.with_columns(pl.when(pl.int_range(pl.len()) >= 20).then("id_number").alias("id_number"))

    linked = link(left, right, run(1)["with_numbers"]).linked

    assert linked.select("left_row", "right_row").rows() == [(n, n) for n in range(count)]
    assert linked["method"].value_counts(sort=True).rows() == [("id_number", count - 20), ("probabilistic", 20)]
