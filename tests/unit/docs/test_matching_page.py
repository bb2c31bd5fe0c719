"""The Python in docs/matching.md runs, on made-up people, and does what the page says."""

import re
from pathlib import Path

import polars as pl

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


def test_the_example_links_two_tables_and_finds_duplicates_in_one(capsys):
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = {}
    exec(compile(example, PAGE.name, "exec"), names)
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
