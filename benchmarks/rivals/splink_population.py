"""Splink 5 on the two Chinese registers, set up by someone who knows Splink, Chinese names and ID numbers; run by its own Python.

    python splink_population.py expert FOLDER OUT       the model on all records
    python splink_population.py all-splink FOLDER OUT   the same, but one to one by Splink's own clustering
    python splink_population.py keyed FOLDER OUT        equal ID numbers are linked by SQL first, the model weighs the rest

Everything our side knows of the data that can be said in SQL is said here too: check digits, the number after a G, the 15-digit form,
the family's numbers, names character by character (DuckDB's own distances work on bytes), dots, order and former names, guardians
as sets. u of the ID number is fixed by hand, as Splink's guide advises for near-unique fields.

Splink's own one to one takes the pair of the higher *probability* first. Two pairs of twins are often both at 1.0 to the last bit, so
the lower row number decides. `expert` takes the pair of the higher weight first, which is better and four times as fast.
Writes `pairs.parquet` (left_row, right_row, score, linked) and `stages.json` to OUT, as our side does.
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
from splink.internals.splink_dataframe import SplinkDataFrame

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK_SUM = " + ".join(f"(ascii(substr(id_number, {i}, 1)) - 48) * {w}" for i, w in enumerate(WEIGHTS, start=1))
VALID = (
    "coalesce(length(id_number) = 18 AND regexp_full_match(id_number, '[1-8][0-9]{{16}}[0-9X]') "
    f"AND substr('10X98765432', ({CHECK_SUM}) % 11 + 1, 1) = substr(id_number, 18, 1), false)"
)
TABLE = f"""
CREATE TABLE {{side}}_records AS
WITH plain AS (
    SELECT file_row_number AS unique_id, id_number, {{second}} AS second_number, sex, birth_date, division_code AS county,
           regexp_replace(name, '[·•.．・ ]', '', 'g') AS name, regexp_replace(former_name, '[·•.．・ ]', '', 'g') AS former_name,
           {{guardians}}
    FROM read_parquet('{{file}}', file_row_number = true)
)
SELECT *, {VALID} AS id_valid,
       CASE length(id_number) WHEN 18 THEN substr(id_number, 1, 6) || substr(id_number, 9, 9) WHEN 15 THEN id_number END AS id_15,
       CASE WHEN length(id_number) >= 17 THEN substr(id_number, -8) END AS id_tail,
       CASE WHEN length(id_number) >= 17 THEN substr(id_number, 1, 14) END AS id_head,
       CAST(strftime(birth_date, '%Y%m%d') AS INTEGER) AS born, CAST(year(birth_date) AS INTEGER) AS born_year, substr(county, 1, 4) AS prefecture,
       substr(name, 1, 1) AS c1, substr(name, 2, 1) AS c2, substr(name, 3, 1) AS c3, substr(name, 4, 1) AS c4, length(name) AS c_count,
       array_to_string(list_sort(string_split(name, '')), '') AS sorted_name,
       name AS same_name, CAST(strftime(birth_date, '%Y%m%d') AS INTEGER) AS same_born
FROM plain
"""
SECOND = {
    "left": "CAST(NULL AS VARCHAR)",
    "right": "CASE WHEN student_number[1] = 'G' AND substr(student_number, 2) <> id_number THEN substr(student_number, 2) END",
}
GUARDIANS = {
    "left": "father_name AS g_name_a, mother_name AS g_name_b, father_id_number AS g_id_a, mother_id_number AS g_id_b, "
    "guardian_phone AS g_phone_a, CAST(NULL AS VARCHAR) AS g_phone_b",
    "right": "guardian1_name AS g_name_a, guardian2_name AS g_name_b, guardian1_id_number AS g_id_a, guardian2_id_number AS g_id_b, "
    "guardian1_phone AS g_phone_a, guardian2_phone AS g_phone_b",
}


def either(pattern: str) -> str:
    """`pattern` with a and b put for its two braces in all four ways, any of which may hold."""
    ways = [pattern.format(a, b) for a in "ab" for b in "ab"]
    return "coalesce(" + ", false) or coalesce(".join(ways) + ", false)"


def fixed(level: cll.CustomLevel, u: float) -> cll.CustomLevel:
    """The level with its chance among strangers set by hand."""
    return level.configure(u_probability=u, fix_u_probability=True)


def comparisons(rows: int) -> list[Any]:
    """Six comparisons; `rows` is the size of a table, for the chance that two strangers share a number."""
    # Copies of name and born: EM leaves out of a session every comparison that names a column of its blocking rule.
    known = "(coalesce(same_name_l = same_name_r, false) or coalesce(same_born_l = same_born_r, false))"
    doubtful = "not (id_valid_l and id_valid_r)"

    number = cl.CustomComparison(
        output_column_name="id_number",
        comparison_levels=[
            cll.NullLevel("id_number"),
            fixed(cll.CustomLevel(f"id_number_l = id_number_r and id_valid_l and {known}", "equal"), 1e-4 / rows),
            fixed(
                cll.CustomLevel(f"(id_number_l = second_number_r or second_number_l = id_number_r) and {known}", "by G"),
                1e-4 / rows,
            ),
            fixed(cll.CustomLevel("id_number_l = id_number_r and id_valid_l", "equal, another person's"), 5e-3 / rows).configure(
                m_probability=1e-5, fix_m_probability=True
            ),
            fixed(cll.CustomLevel("id_number_l = id_number_r", "equal, not valid"), 1e-5 / rows),
            fixed(
                cll.CustomLevel(f"{doubtful} and (id_15_l = id_15_r or damerau_levenshtein(id_number_l, id_number_r) <= 1)", "one slip"),
                2e-2 / rows,
            ),
            fixed(cll.CustomLevel(f"{doubtful} and levenshtein(id_number_l, id_number_r) <= 2", "two slips"), 2e-1 / rows),
            fixed(
                cll.CustomLevel("id_number_r in (g_id_a_l, g_id_b_l) or id_number_l in (g_id_a_r, g_id_b_r)", "of the family"),
                2e-2 / rows,
            ),
            cll.CustomLevel("id_valid_l and id_valid_r", "both valid, different"),
            cll.ElseLevel(),
        ],
    )  # fmt: skip
    same = "+".join(f"cast(c{place}_l = c{place}_r as integer)" for place in range(1, 5))
    name = cl.CustomComparison(
        output_column_name="name",
        comparison_levels=[
            cll.NullLevel("name"),
            cll.ExactMatchLevel("name", term_frequency_adjustments=True),
            fixed(cll.CustomLevel("name_l = former_name_r or former_name_l = name_r", "former name"), 1e-7),
            cll.CustomLevel("sorted_name_l = sorted_name_r", "order"),
            cll.CustomLevel(f"c_count_l = c_count_r and c_count_l between 2 and 4 and {same} = 3 and c1_l = c1_r", "one character"),
            cll.CustomLevel(
                "c1_l = c1_r and abs(c_count_l - c_count_r) = 1 and least(c_count_l, c_count_r) = 2 "
                "and (c2_l = c2_r or c2_l = c3_r or c3_l = c2_r)", "lost or added",
            ),
            cll.CustomLevel(
                "least(c_count_l, c_count_r) > 3 and (starts_with(name_l, name_r) or starts_with(name_r, name_l) "
                "or levenshtein(name_l, name_r) <= 6)", "long names, two characters",
            ),
            cll.CustomLevel(f"c_count_l = c_count_r and {same} = 3", "surname differs"),
            cll.CustomLevel("c1_l = c1_r", "surname"),
            cll.ElseLevel(),
        ],
    )  # fmt: skip
    born = cl.CustomComparison(
        output_column_name="born",
        comparison_levels=[
            cll.NullLevel("born"),
            cll.ExactMatchLevel("born"),
            cll.CustomLevel(
                "born_year_l = born_year_r and born_l // 100 % 100 = born_r % 100 and born_l % 100 = born_r // 100 % 100", "day and month"
            ),
            cll.CustomLevel("abs(born_l - born_r) = 10000", "year off"),
            cll.CustomLevel("born_year_l = born_year_r and (born_l % 10000 = 101 or born_r % 10000 = 101)", "placeholder"),
            cll.CustomLevel("born_l // 10 = born_r // 10 or (born_l // 100 = born_r // 100 and born_l % 10 = born_r % 10)", "one digit"),
            cll.CustomLevel("abs(birth_date_l - birth_date_r) between 18 and 51", "lunar"),
            cll.CustomLevel("born_year_l = born_year_r", "year"),
            cll.ElseLevel(),
        ],
    )  # fmt: skip
    county = cl.CustomComparison(
        output_column_name="county",
        comparison_levels=[
            cll.NullLevel("county"),
            cll.ExactMatchLevel("county", term_frequency_adjustments=True),
            cll.CustomLevel("prefecture_l = prefecture_r", "prefecture"),
            cll.ElseLevel(),
        ],
    )
    both_names = (
        "(g_name_a_l = g_name_a_r and g_name_b_l = g_name_b_r) or (g_name_a_l = g_name_b_r and g_name_b_l = g_name_a_r)"
    )
    guardians = cl.CustomComparison(
        output_column_name="guardians",
        comparison_levels=[
            cll.CustomLevel("(g_name_a_l is null and g_name_b_l is null) or g_name_a_r is null").configure(is_null_level=True),
            cll.CustomLevel(f"{either('g_id_{}_l = g_id_{}_r')} or {either('g_phone_{}_l = g_phone_{}_r')}", "number or phone"),
            fixed(cll.CustomLevel(f"coalesce({both_names}, false)", "both names"), 1e-7),
            cll.CustomLevel(either("g_name_{}_l = g_name_{}_r"), "one name"),
            cll.ElseLevel(),
        ],
    )  # fmt: skip
    return [number, name, born, cl.ExactMatch("sex"), county, guardians]


RULES = [
    block_on("id_number"),
    "l.id_number = r.second_number",
    block_on("name", "born"),
    block_on("id_tail", "born_year"),
    block_on("id_head", "sex"),
    block_on("born", "c1", "county"),
    block_on("name", "born_year", "county"),
    block_on("sorted_name", "born"),
    "l.g_phone_a = r.g_phone_a and l.sex = r.sex",
    "l.g_phone_a = r.g_phone_b and l.sex = r.sex",
]


def _one_to_one(connection: duckdb.DuckDBPyConnection, linker: Linker, predictions: SplinkDataFrame) -> str:
    """A query of the pairs (l, r) that Splink's own clustering leaves."""
    # DuckDB 2.0 may join two small tables of it by their inequality first (a product of all rows); the order as written is right.
    connection.execute("SET disabled_optimizers = 'join_order'").fetchall()
    best = linker.clustering.cluster_using_single_best_links(
        predictions, duplicate_free_datasets=["left", "right"], threshold_match_probability=0.5
    ).physical_name
    return (
        f"SELECT a.unique_id AS l, b.unique_id AS r FROM (SELECT * FROM {best} WHERE source_dataset = 'left') a "
        f"JOIN (SELECT * FROM {best} WHERE source_dataset = 'right') b USING (cluster_id)"
    )


def _one_to_one_by_weight(connection: duckdb.DuckDBPyConnection, predictions: str) -> str:
    """A query of the pairs (l, r) that are each other's best, then of the rest again, until none is left."""
    connection.execute(
        f"CREATE TABLE open_pairs AS SELECT unique_id_l AS l, unique_id_r AS r, match_weight AS w FROM {predictions} "
        "WHERE match_probability >= 0.5"
    ).fetchall()
    connection.execute("CREATE TABLE chosen (l BIGINT, r BIGINT)").fetchall()
    while True:
        found = connection.execute("""
            CREATE OR REPLACE TABLE best AS SELECT l, r FROM open_pairs
            QUALIFY row_number() OVER (PARTITION BY l ORDER BY w DESC, r) = 1 AND row_number() OVER (PARTITION BY r ORDER BY w DESC, l) = 1
        """).fetchall()
        if not found[0][0]:
            return "SELECT l, r FROM chosen"
        connection.execute("INSERT INTO chosen SELECT * FROM best").fetchall()
        connection.execute("""
            CREATE OR REPLACE TABLE open_pairs AS
            SELECT p.* FROM open_pairs p ANTI JOIN best b ON p.l = b.l ANTI JOIN best c ON p.r = c.r
        """).fetchall()


def main(what: str, folder: Path, out: Path) -> None:
    """Link, and write the pairs."""
    logging.disable(logging.WARNING)
    stages: dict[str, float] = {}
    began = time.perf_counter()

    def stage(name: str) -> None:
        stages[name] = time.perf_counter() - began - sum(stages.values())

    out.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(config={"temp_directory": str(out / "spill")})
    for side in ("left", "right"):
        connection.execute(
            TABLE.format(side=side, second=SECOND[side], guardians=GUARDIANS[side], file=folder / f"{side}.parquet")
        ).fetchall()
    rows = connection.execute("SELECT count(*) FROM left_records").fetchall()[0][0]
    stage("load and check digits")
    names = {side: f"{side}_records" for side in ("left", "right")}
    settled = 0
    if what == "keyed":
        connection.execute("""
            CREATE TABLE by_key AS
            SELECT l.unique_id AS left_row, r.unique_id AS right_row, 99.0::DOUBLE AS score, true AS linked
            FROM (SELECT * FROM left_records WHERE id_valid) l JOIN (SELECT * FROM right_records WHERE id_valid) r USING (id_number)
            WHERE l.name = r.name
            QUALIFY count(*) OVER (PARTITION BY id_number) = 1
        """).fetchall()
        settled = connection.execute("SELECT count(*) FROM by_key").fetchall()[0][0]
        for side in ("left", "right"):
            names[side] = f"{side}_rest"
            connection.execute(
                f"CREATE TABLE {side}_rest AS SELECT * FROM {side}_records ANTI JOIN by_key ON unique_id = {side}_row"
            ).fetchall()
        stage("by key")
    api = DuckDBAPI(connection=connection)
    tables = [api.register(names[side], dataset_display_name=side) for side in ("left", "right")]
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=comparisons(rows),
        blocking_rules_to_generate_predictions=RULES,
        retain_matching_columns=False,
        em_convergence=1e-5,
        max_iterations=50,
    )
    linker = Linker(tables, settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("id_number", "born"), block_on("name", "born")] if settled else [block_on("id_number", "born")],
        recall=0.8 if settled else 0.93,
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    stage("prior and u")
    for rule in (block_on("id_number"), block_on("name", "born"), block_on("born", "c1", "county")):
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True, max_pairs=3e5
        )
    stage("EM")
    predictions = linker.inference.predict(threshold_match_probability=0.001)
    stage("predict")
    if what == "all-splink":
        linked = _one_to_one(connection, linker, predictions)
    else:
        linked = _one_to_one_by_weight(connection, predictions.physical_name)
    stage("one to one")
    pairs = (
        "SELECT p.unique_id_l AS left_row, p.unique_id_r AS right_row, p.match_weight AS score, k.l IS NOT NULL AS linked "
        f"FROM {predictions.physical_name} p LEFT JOIN ({linked}) k ON k.l = p.unique_id_l AND k.r = p.unique_id_r"
    )
    if settled:
        pairs += " UNION ALL SELECT * FROM by_key"
    connection.execute(f"COPY ({pairs}) TO '{out / 'pairs.parquet'}' (FORMAT parquet)").fetchall()
    stage("write")
    (out / "stages.json").write_text(json.dumps(stages))
    if "--model" in sys.argv:
        linker.misc.save_model_to_json(str(out / "model.json"), overwrite=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
