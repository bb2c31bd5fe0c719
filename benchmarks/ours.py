"""Our side of the benchmark: one data set linked by `kcb_pipeline.matching`, as a program of its own so that it can be measured.

    python -m benchmarks.ours population FOLDER OUT     left.parquet and right.parquet of FOLDER (`benchmarks.population`)
    python -m benchmarks.ours febrl FOLDER OUT          left.parquet and right.parquet of FOLDER (`benchmarks.febrl`)
    python -m benchmarks.ours febrl-dedup FOLDER OUT    left.parquet alone, linked with itself

Writes `pairs.parquet` (left_row, right_row, score, linked; with `--whole` everything that is said of a pair), `stages.json` and
`estimates.json` (how many of its links the linker takes for wrong itself) to OUT. It reads the columns it may see and no others, so the truth cannot
reach the linker.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks import febrl
from benchmarks.population import LEFT_COLUMNS, RIGHT_COLUMNS
from kcb_pipeline.matching import Implied, KeyRule, Settings, block_on, deduplicate, link
from kcb_pipeline.matching.chinese import (
    ID_BY_G_NUMBER,
    ID_EQUAL,
    REORDERED,
    ChineseIdNumber,
    ChineseName,
    Guardians,
    Place,
)
from kcb_pipeline.matching.comparisons import Date, Exact

ON: Final = dt.date(2026, 9, 1)
"""The day of both registers."""

_GUARDIAN_IDS = ("guardian_id_a", "guardian_id_b")
_GUARDIAN_PHONES = ("guardian_phone_a", "guardian_phone_b")
_GUARDIAN_NAMES = ("guardian_name_a", "guardian_name_b")
_LEFT_NAMES: Final = {
    "father_id_number": "guardian_id_a", "mother_id_number": "guardian_id_b",
    "father_name": "guardian_name_a", "mother_name": "guardian_name_b", "guardian_phone": "guardian_phone_a",
}  # fmt: skip
_RIGHT_NAMES: Final = {
    f"guardian{number}_{theirs}": f"guardian_{ours}_{letter}"
    for number, letter in ((1, "a"), (2, "b"))
    for theirs, ours in (("id_number", "id"), ("name", "name"), ("phone", "phone"))
}


_BIRTH_YEAR: Final = pl.col("birth_date").dt.year()


def population_settings() -> Settings:
    """How a child of the population register is recognised in the student registry: the pipeline's own way, less what these tables lack."""
    return Settings(
        comparisons=(
            ChineseIdNumber("id_number", student_number="student_number", family=_GUARDIAN_IDS, on=ON),
            ChineseName("name", frequency_within=("sex",)),
            Date("birth_date"),
            Exact("sex"),
            Guardians("guardians", ids=_GUARDIAN_IDS, phones=_GUARDIAN_PHONES, names=_GUARDIAN_NAMES),
            Place("division", home="division_code"),
        ),
        keys=(
            KeyRule("id_number", "id_number.key", "id_number.key", plausible=(("name", REORDERED),)),
            KeyRule(
                "id_number", "id_number.key", "id_number.second_key", plausible=(("name", REORDERED), ("birth_date", 3))
            ),
        ),
        implied=(Implied("id_number", (ID_EQUAL, ID_BY_G_NUMBER), ("birth_date", "sex", "division")),),
        blocking=(
            block_on("id_number.key", name="same valid number"),
            block_on("id_number.key", right=("id_number.second_key",), name="number after G"),
            block_on("name.folded", "birth_date", name="name, birth date"),
            block_on("name.pinyin", "birth_date", name="sound of name, birth date"),
            block_on("name.sorted", "birth_date", name="characters of name, birth date"),
            block_on("birth_date", "sex", "division_code", name="birth date, sex, county of 户籍"),
            block_on("name.folded", _BIRTH_YEAR, "division_code", name="name, year, county of 户籍"),
            block_on("name.pinyin", _BIRTH_YEAR, "division_code", name="sound of name, year, county"),
            block_on("name.given", "birth_date", name="given name, birth date"),
            block_on("id_number.tail", name="last eight places of the number"),
            block_on("id_number.head", name="first fourteen places of the number"),
            block_on("guardians.first_id", _BIRTH_YEAR, name="guardian's number, year"),
            block_on("guardians.first_id", "sex", name="guardian's number, sex"),
            block_on("guardians.first_phone", "sex", name="guardian's phone, sex"),
            block_on("guardians.first_name", "name.folded", name="guardian's and child's name"),
            block_on("guardians.first_name", "birth_date", name="guardian's name, birth date"),
            block_on("name.folded", "sex", "division_code", name="name, sex, county of 户籍"),
        ),
        # What is asked of it is a precision of 0.99999: to hide a child who is out of school costs more than a visit in vain.
        false_link_cost=10,
        largest_block=200_000,
    )


def _registers(folder: Path) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The two registers, not read yet: `link` reads them piece by piece."""
    left = pl.scan_parquet(folder / "left.parquet").select([c for c in LEFT_COLUMNS if c != "household"])
    right = pl.scan_parquet(folder / "right.parquet").select(list(RIGHT_COLUMNS))
    return left.rename(_LEFT_NAMES), right.rename(_RIGHT_NAMES)


def _febrl(folder: Path, side: str) -> pl.DataFrame:
    table = pl.scan_parquet(folder / f"{side}.parquet")
    return table.drop("entity").collect()


def main(what: str, folder: Path, out: Path, *, whole: bool = False) -> None:
    """Link one data set and write the pairs; `whole` with everything that is known of them."""
    began = time.perf_counter()
    stages: dict[str, float] = {}
    if what == "population":
        left, right = _registers(folder)
        stages["read"] = time.perf_counter() - began
        result = link(left, right, population_settings())
        links, quality = result.links, result.quality
    elif what == "febrl":
        left, right = _febrl(folder, "left"), _febrl(folder, "right")
        stages["read"] = time.perf_counter() - began
        result = link(left, right, febrl.settings(hard="soc_sec_id" not in left.columns))
        links, quality = result.links, result.quality
    else:
        table = _febrl(folder, "left")
        stages["read"] = time.perf_counter() - began
        found = deduplicate(table, febrl.settings())
        links, quality = found.links, found.quality
    stages["link"] = time.perf_counter() - began - stages["read"]
    out.mkdir(parents=True, exist_ok=True)
    score, linked = pl.col("runner_up_gap").alias("score"), (pl.col("decision") == "linked").alias("linked")
    rest = pl.exclude("left_row", "right_row") if whole else []
    links.select("left_row", "right_row", score, linked, rest).write_parquet(out / "pairs.parquet")
    stages["write"] = time.perf_counter() - began - sum(stages.values())
    (out / "stages.json").write_text(json.dumps(stages))
    (out / "estimates.json").write_text(json.dumps({"wrong": quality.false_links}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), whole="--whole" in sys.argv)
