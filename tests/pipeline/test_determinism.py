"""The same inputs give the same bytes: whatever the thread count, the seed of hashes, and the order the agencies' rows come in."""

import random
import shutil

from tests.pipeline.conftest import DATES


def digests(home):
    return home.query(
        "SELECT version, content_digest, inputs_digest, rules_digest FROM ledger_versions ORDER BY version"
    )


def test_thread_count_does_not_matter(county, first_night, tmp_path):
    home = county.copy(tmp_path / "home")
    (home.folder / "kcb.toml").write_text('[storage]\nthreads = 1\nmemory_limit = "1GB"\n', encoding="utf-8")

    home.program("run", "--date", str(DATES[0]))

    assert digests(home) == digests(first_night)


def test_row_order_does_not_matter(first_night, county, tmp_path):
    """Shuffled extracts: other row numbers, and everything else the same."""
    home = county.copy(tmp_path / "home")
    for number, path in enumerate(sorted([*home.extracts(DATES[0]).rglob("*.csv")])):
        header, *rows = path.read_bytes().rstrip(b"\n").split(b"\n")
        random.Random(number).shuffle(rows)
        path.write_bytes(b"\n".join([header, *rows]) + b"\n")
    for sent in home.extracts(DATES[0]).rglob("*.sha256"):
        sent.unlink()

    home.program("run", "--date", str(DATES[0]))

    columns = "child_id, id_number, name, status, status_reason, match_method, match_probability, school_code, grade, population_type"
    assert home.query(f"SELECT {columns} FROM school_age_children ORDER BY ALL") == first_night.query(
        f"SELECT {columns} FROM school_age_children ORDER BY ALL"
    )
    weights = "SELECT round(match_weight, 9), decision, count(*) FROM links GROUP BY ALL ORDER BY ALL"
    assert home.query(weights) == first_night.query(weights)
    assert home.query(
        "SELECT source, rule, count(*) FROM quarantined_rows GROUP BY ALL ORDER BY ALL"
    ) == first_night.query("SELECT source, rule, count(*) FROM quarantined_rows GROUP BY ALL ORDER BY ALL")


def test_a_quiet_night_says_what_a_run_of_everything_anew_says(first_night, three_nights, tmp_path):
    """Nothing that a night leaves behind but its published version has a part in the next: neither working files nor Dagster's storage."""
    home = first_night.copy(tmp_path / "home")
    for left_behind in ("work", "dagster"):
        shutil.rmtree(home.folder / left_behind)

    home.night(DATES[1])

    assert digests(home) == digests(three_nights)[:2]
