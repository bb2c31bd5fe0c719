"""Splink 5 on FEBRL, tuned as its own users tune it; run by the Python of an environment that has splink, not by ours.

    python splink_febrl.py link FOLDER OUT      left.parquet and right.parquet of FOLDER (`benchmarks.febrl`), full or hard
    python splink_febrl.py dedup FOLDER OUT     left.parquet alone

Eight comparisons (as far as the columns are there), thirteen blocking rules, u from random pairs, m by EM in three sessions, the prior
from deterministic rules. Writes `pairs.parquet` (left_row, right_row, score, linked) and `stages.json` to OUT, as our side does.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on


def comparisons(columns: list[str]) -> list[Any]:
    """The comparisons of the columns that are there: term frequencies for names and places, edit distances for numbers and dates."""
    birth = cl.CustomComparison(
        output_column_name="date_of_birth",
        comparison_levels=[
            cll.NullLevel("date_of_birth"),
            cll.ExactMatchLevel("date_of_birth"),
            cll.DamerauLevenshteinLevel("date_of_birth", 1),
            cll.DamerauLevenshteinLevel("date_of_birth", 2),
            cll.ElseLevel(),
        ],
    )

    def name(column: str, other: str) -> cl.CustomComparison:
        """A name, which in one record in thirty stands in the other name's column."""
        return cl.CustomComparison(
            output_column_name=column,
            comparison_levels=[
                cll.NullLevel(column),
                cll.ExactMatchLevel(column, term_frequency_adjustments=True),
                cll.JaroWinklerLevel(column, 0.92),
                cll.JaroWinklerLevel(column, 0.88),
                cll.CustomLevel(f"{column}_l = {other}_r or {column}_r = {other}_l"),
                cll.JaroWinklerLevel(column, 0.7),
                cll.ElseLevel(),
            ],
        )

    every = {
        "given_name": name("given_name", "surname"),
        "surname": name("surname", "given_name"),
        "date_of_birth": birth,
        "soc_sec_id": cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        "street_number": cl.LevenshteinAtThresholds("street_number", 1),
        "address_1": cl.JaroWinklerAtThresholds("address_1", [0.9, 0.75]).configure(term_frequency_adjustments=True),
        "suburb": cl.JaroWinklerAtThresholds("suburb", [0.9, 0.75]).configure(term_frequency_adjustments=True),
        "postcode": cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
    }
    if "soc_sec_id" not in columns:
        every["state"] = cl.ExactMatch(
            "state"
        )  # with little else to go by, the state is worth its overlap with the postcode
    return [comparison for name, comparison in every.items() if name in columns]


def rules(columns: list[str]) -> list[Any]:
    """Thirteen blocking rules over the columns that are there, the same that our side has (`benchmarks.febrl`)."""
    rules = [
        block_on("date_of_birth"),
        block_on("postcode"),
        block_on("suburb"),
        block_on("given_name", "surname"),
        "l.given_name = r.surname and l.surname = r.given_name",
        block_on("given_name", "state"),
        block_on("surname", "state"),
        block_on("given_name", "substr(date_of_birth, 1, 4)"),
        block_on("surname", "substr(date_of_birth, 1, 4)"),
        block_on("substr(given_name, 1, 3)", "substr(surname, 1, 3)"),
        block_on("substr(date_of_birth, 5, 4)", "state"),
    ]
    if "soc_sec_id" in columns:
        return [block_on("soc_sec_id"), *rules, block_on("address_1", "street_number")]
    return [*rules, "l.given_name = r.surname and l.state = r.state", "l.surname = r.given_name and l.state = r.state"]


def main(what: str, folder: Path, out: Path) -> None:
    """Link, and write the pairs."""
    logging.disable(logging.WARNING)
    stages: dict[str, float] = {}
    began = time.perf_counter()

    def stage(name: str) -> None:
        stages[name] = time.perf_counter() - began - sum(stages.values())

    connection = duckdb.connect()
    sides = ("left", "right") if what == "link" else ("left",)
    for side in sides:
        # The truth is left in the file: the linker sees no column `entity`.
        connection.execute(
            f"CREATE TABLE {side}_records AS SELECT file_row_number AS unique_id, * EXCLUDE (entity, file_row_number) "
            f"FROM read_parquet('{folder / side}.parquet', file_row_number = true)"
        ).fetchall()
    columns = [row[0] for row in connection.execute("DESCRIBE left_records").fetchall()]
    api = DuckDBAPI(connection=connection)
    tables = [api.register(f"{side}_records", dataset_display_name=side) for side in sides]
    settings = SettingsCreator(
        link_type="link_only" if what == "link" else "dedupe_only",
        comparisons=comparisons(columns),
        blocking_rules_to_generate_predictions=rules(columns),
        retain_matching_columns=False,
        em_convergence=1e-5,
        max_iterations=100,
    )
    linker = Linker(tables if what == "link" else tables[0], settings, log_level=None)
    stage("load")
    deterministic = [
        block_on("given_name", "surname", "date_of_birth"),
        block_on("given_name", "date_of_birth", "postcode"),
        block_on("surname", "date_of_birth", "postcode"),
    ]
    if "soc_sec_id" in columns:
        deterministic.append(block_on("soc_sec_id"))
    linker.training.estimate_probability_two_random_records_match(
        deterministic, recall=0.9 if "soc_sec_id" in columns else 0.8
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    stage("prior and u")
    for rule in (block_on("date_of_birth"), block_on("given_name", "surname"), block_on("postcode", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    stage("EM")
    predictions = linker.inference.predict(threshold_match_weight=-20)
    stage("predict")
    if what == "link":
        # DuckDB 2.0 joins the two small tables by their inequality first (a product of all rows); the order as written is right.
        connection.execute("SET disabled_optimizers = 'join_order'").fetchall()
        best = linker.clustering.cluster_using_single_best_links(
            predictions, duplicate_free_datasets=["left", "right"], threshold_match_probability=0.5
        )
        linked = (
            "SELECT a.unique_id AS l, b.unique_id AS r FROM "
            f"(SELECT * FROM {best.physical_name} WHERE source_dataset = 'left') a JOIN "
            f"(SELECT * FROM {best.physical_name} WHERE source_dataset = 'right') b USING (cluster_id)"
        )
        stage("one to one")
    else:
        linked = (
            f"SELECT unique_id_l AS l, unique_id_r AS r FROM {predictions.physical_name} WHERE match_probability >= 0.5"
        )
    out.mkdir(parents=True, exist_ok=True)
    connection.execute(
        f"COPY (SELECT p.unique_id_l AS left_row, p.unique_id_r AS right_row, p.match_weight AS score, k.l IS NOT NULL AS linked "
        f"FROM {predictions.physical_name} p LEFT JOIN ({linked}) k ON k.l = p.unique_id_l AND k.r = p.unique_id_r) "
        f"TO '{out / 'pairs.parquet'}' (FORMAT parquet)"
    ).fetchall()
    stage("write")
    (out / "stages.json").write_text(json.dumps(stages))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
