"""Clerical review end to end: a night, two reviewers, their workbooks filled in a spreadsheet, and what the next nights make of it."""

import datetime as dt
import json
import stat

import duckdb
import openpyxl
import polars as pl
import pytest

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.review.answers import Answer, add_answers, read_answers, weigh
from kcb_pipeline.review.quality import measure
from kcb_pipeline.review.rounds import rounds
from tests.pipeline.conftest import DATES

SAME, DIFFERENT = "是同一人", "不是同一人"
FIRST, SECOND, THIRD = "张三", "李四", "王五"


def truth_of(home, date):
    """(population type, row, registry row) of every pair that is one person."""
    folder = home.folder / "truth" / str(date)
    people = pl.read_parquet(folder / "children.parquet").select("population_type", "population_row", "person_key")
    records = pl.read_parquet(folder / "registry.parquet").select("registry_row", "person_key")
    both = people.join(records, on="person_key")
    return set(both.select("population_type", "population_row", "registry_row").rows())


def number_of(sequence):
    first17 = f"53293720150507{sequence}"
    return first17 + check_digit(first17)


NAMESAKES = [number_of("101"), number_of("103")]
THEIR_RECORD = "L53293720150507999X"


def plant(home, date):
    """Two namesakes born on one day in one county, and one record that could be either's: nothing but a person can tell whose."""
    people = home.extracts(date) / "population" / "zz.csv"
    people.write_text(
        "id_number,name,sex,birth_date,household_id,division_code,township_code,township_name,guardian_name,record_flag,reversal_flag,person_state\n"
        + "".join(
            f"{number},欧阳雪晴,1,20150507,ZZ{place},532937,532937101,幸福镇,欧阳{'甲乙'[place]},1,0,0\n"
            for place, number in enumerate(NAMESAKES)
        ),
        encoding="utf-8",
    )
    registry = home.extracts(date) / "student_registry"
    registry.mkdir()
    for file in home.extracts(date).glob("学籍.csv*"):
        file.rename(registry / file.name)
    (registry / "学籍2.csv").write_text(
        "student_number,name,sex,birth_date,id_type,id_number,school_code,school_name,school_division_code,grade,registry_status,household_division_code\n"
        f"{THEIR_RECORD},欧阳雪晴,1,20150507,1,,3153293701,幸福小学,532937,5,01,532937\n",
        encoding="utf-8",
    )


def workbook(home, reviewer, date):
    return home.folder / "reviews" / "export" / f"人工核对-{date}-{reviewer}.xlsx"


def numbers_in(path):
    sheet = openpyxl.load_workbook(path)["待核对"]
    return [sheet.cell(row, 1).value for row in range(2, sheet.max_row + 1, 2)]


def fill(path, answer_of):
    """Fill the answers in as a spreadsheet program would; the file is written anew by it."""
    book = openpyxl.load_workbook(path)
    sheet = book["待核对"]
    at = next(cell.column for cell in sheet[1] if cell.value == "答案")
    for row in range(2, sheet.max_row + 1, 2):
        sheet.cell(row, at).value = answer_of(sheet.cell(row, 1).value)
    book.save(path)


class Reviewed:
    """The county, its rounds, and the pairs the story is about."""

    def __init__(self, home):
        self.home = home
        [self.round] = rounds(home.folder / "reviews")
        right = truth_of(home, DATES[0])
        keys = self.round.pairs.select("population_type", "population_row", "registry_row").rows()
        self.pairs = self.round.pairs.with_columns(pl.Series("is_one", [key in right for key in keys]))
        [(first,)] = home.query(f"SELECT child_id FROM school_age_children WHERE id_number = '{NAMESAKES[0]}'")
        theirs = (pl.col("record_key") == THEIR_RECORD) & (pl.col("child_id") == first)
        self.pairs = self.pairs.with_columns(pl.col("is_one") | theirs)
        self.right = dict(self.pairs.select("pair", "is_one").rows())
        in_doubt = self.pairs.filter((pl.col("decision") == "review") & pl.col("is_one"))
        strangers = self.pairs.filter((pl.col("decision") == "linked") & ~pl.col("is_one"))
        sure = self.pairs.filter(
            (pl.col("method") == "probabilistic") & (pl.col("decision") == "linked") & pl.col("is_one")
        )
        self.in_doubt, self.stranger, self.disputed = (p.row(0, named=True) for p in (in_doubt, strangers, sure))


@pytest.fixture(scope="module")
def answered(county, tmp_path_factory):
    """A first night, and two reviewers' answers to it, who differ on one pair."""
    home = county.copy(tmp_path_factory.mktemp("review") / "home")
    for date in DATES:
        plant(home, date)
    home.night(DATES[0])
    for reviewer in (FIRST, SECOND):
        home.kcb("review", "export", "--date", str(DATES[0]), "--reviewer", reviewer, "--pairs", "15")
    story = Reviewed(home)
    truthful = lambda number: SAME if story.right[number] else DIFFERENT  # noqa: E731
    fill(workbook(home, FIRST, DATES[0]), truthful)
    fill(
        workbook(home, SECOND, DATES[0]),
        lambda number: DIFFERENT if number == story.disputed["pair"] else truthful(number),
    )
    files = [str(workbook(home, reviewer, DATES[0])) for reviewer in (FIRST, SECOND)]
    home.kcb("review", "import", *files, "--date", str(DATES[0]))
    return home


@pytest.fixture(scope="module")
def second_night(answered, tmp_path_factory):
    home = answered.copy(tmp_path_factory.mktemp("second") / "home")
    home.night(DATES[1])
    return home


def child(home, child_id):
    [row] = home.query(
        "SELECT status, match_method, student_number, registry_row FROM school_age_children "
        f"WHERE child_id = '{child_id}'"
    )
    return row


def test_two_reviewers_get_the_same_pairs_in_another_order(answered):
    first, second = (numbers_in(workbook(answered, reviewer, DATES[0])) for reviewer in (FIRST, SECOND))

    assert set(first) == set(second)
    assert first != second
    assert len(set(first)) == len(first)


def test_the_workbook_is_blind_and_closed_to_others(answered):
    path = workbook(answered, FIRST, DATES[0])
    book = openpyxl.load_workbook(path)
    words = " ".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value)
    story = Reviewed(answered)

    assert stat.S_IMODE((answered.folder / "reviews").stat().st_mode) == 0o700
    assert stat.S_IMODE((answered.folder / "reviews" / "answers.jsonl").stat().st_mode) == 0o600
    for telling in ("linked", "review", "probab", "认定", "待核 ", "权重", "概率"):
        assert telling not in words
    for number in ("match_weight", "probability"):
        assert not any(str(round(value, 3)) in words for value in story.pairs[number] if value % 1 > 0.01)
    assert story.in_doubt["child_id"] not in words


def test_every_pair_in_doubt_is_in_it_and_of_each_band_a_sample(answered):
    story = Reviewed(answered)
    in_doubt = answered.query(
        "SELECT count(*) FROM links l JOIN school_age_children c USING (population_type, population_row) "
        "WHERE l.decision = 'review'"
    )
    sizes = story.pairs.group_by("stratum", "band").agg(
        pl.len().alias("drawn"), pl.col("stratum_size").first(), pl.col("inclusion").first()
    )

    assert [(story.pairs.filter(pl.col("stratum") == "review").height,)] == in_doubt
    for row in sizes.iter_rows(named=True):
        expected = row["stratum_size"] if row["stratum"] == "review" else min(15, row["stratum_size"])
        assert row["drawn"] == expected
        assert row["inclusion"] == pytest.approx(expected / row["stratum_size"])


def test_a_same_answer_links_a_child_in_doubt_for_later_nights(answered, second_night):
    pair = Reviewed(answered).in_doubt
    before, after = child(answered, pair["child_id"]), child(second_night, pair["child_id"])

    assert before[:2] == ("needs_review", None)
    assert after[1:3] == ("reviewed", pair["record_key"])
    assert after[0] != "needs_review"


def test_a_different_answer_unlinks_a_stranger(answered, second_night):
    pair = Reviewed(answered).stranger
    before, after = child(answered, pair["child_id"]), child(second_night, pair["child_id"])
    linked_to = second_night.query(
        f"SELECT count(*) FROM school_age_children WHERE child_id = '{pair['child_id']}' AND student_number = '{pair['record_key']}'"
    )

    assert before[2] == pair["record_key"]
    assert after[2] != pair["record_key"]
    assert linked_to == [(0,)]


def test_rows_are_numbered_anew_and_decisions_hold(answered, second_night):
    pairs = {row["pair"]: row for row in Reviewed(answered).pairs.iter_rows(named=True)}
    decided = second_night.query(
        "SELECT d.pair, c.registry_row, c.student_number FROM review_decisions d JOIN school_age_children c USING (child_id) "
        "WHERE d.decision = 'same' AND d.effect = 'binds'"
    )
    moved = [pair for pair, row, _ in decided if row != pairs[pair]["registry_row"]]

    assert len(decided) > 20
    assert moved, "the sample numbers its rows anew every night"
    assert all(number == pairs[pair]["record_key"] for pair, _, number in decided)


def test_a_second_record_that_reviewers_give_to_a_child_is_its_second_enrolment(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    [(child_id,)] = home.query("SELECT min(child_id) FROM school_age_children WHERE match_method = 'id_number'")
    with duckdb.connect(str(home.folder / "work" / f"{DATES[0]}.duckdb"), read_only=True) as connection:
        [(number, name, born)] = connection.execute(
            "SELECT r.student_number, r.name, r.birth_date FROM standard.students s JOIN landed.student_registry r ON r.row = s.row "
            "WHERE s.is_live AND s.student NOT IN (SELECT student FROM matched.links WHERE decision = 'linked') "
            "AND s.student NOT IN (SELECT student FROM matched.further_records) AND r.student_number IS NOT NULL ORDER BY 1 LIMIT 1"
        ).fetchall()
    said = [Answer("P", child_id, number, name, born, reviewer, "same", DATES[0], "") for reviewer in (FIRST, SECOND)]
    add_answers(home.folder / "reviews", said)
    found = f"SELECT duplicate_student_number FROM duplicate_enrolments WHERE child_id = '{child_id}'"
    before = home.query(found)

    home.night(DATES[1])

    assert (number,) not in before
    assert child(home, child_id)[1:3] == ("reviewed", number) or (number,) in home.query(found)


def test_reviewers_who_differ_decide_nothing(answered, second_night):
    pair = Reviewed(answered).disputed["pair"]
    verdict = weigh(read_answers(answered.folder / "reviews"), 2)[pair]

    assert {(answer.reviewer, answer.answer) for answer in verdict.answers} == {(FIRST, "same"), (SECOND, "different")}
    assert verdict.state == "disputed"
    assert second_night.query(f"SELECT count(*) FROM review_decisions WHERE pair = '{pair}'") == [(0,)]
    assert child(second_night, Reviewed(answered).disputed["child_id"])[1] == "probabilistic"


def test_a_third_reviewer_sees_it_first_and_the_majority_decides(answered, second_night, tmp_path):
    home = second_night.copy(tmp_path / "home")
    pair = Reviewed(answered).disputed
    home.kcb("review", "export", "--date", str(DATES[1]), "--reviewer", THIRD, "--pairs", "3")
    path = workbook(home, THIRD, DATES[1])

    assert numbers_in(path)[0] == pair["pair"]
    fill(path, lambda number: SAME if number == pair["pair"] else None)
    home.kcb("review", "import", str(path), "--date", str(DATES[1]))
    home.night(DATES[2])

    assert child(home, pair["child_id"])[1:3] == ("reviewed", pair["record_key"])
    home.kcb("verify")


def test_nobody_is_asked_twice(answered, tmp_path):
    home = answered.copy(tmp_path / "home")
    out = tmp_path / "again.xlsx"
    home.kcb("review", "export", "--date", str(DATES[0]), "--reviewer", FIRST, "--pairs", "15", "--out", str(out))

    assert numbers_in(out) == []


def test_a_night_that_stood_is_not_changed_by_answers_that_came_after(answered, tmp_path):
    home = answered.copy(tmp_path / "home")
    before = home.ledgers.read_bytes()

    done = home.night(DATES[0])

    assert "Nothing has changed" in done.stdout
    assert home.ledgers.read_bytes() == before


def test_answers_may_not_be_dated_into_a_published_night(answered):
    path = workbook(answered, FIRST, DATES[0])

    done = answered.kcb("review", "import", str(path), "--date", str(DATES[0] - dt.timedelta(days=1)), code=2)

    assert str(DATES[0]) in done.stderr


def test_nor_into_a_year_that_somebody_mistyped(answered):
    path = workbook(answered, FIRST, DATES[0])

    done = answered.kcb("review", "import", str(path), "--date", "2062-11-18", code=2)

    assert "2062-11-18 lies ahead" in done.stderr


def test_a_rerun_of_a_bound_night_gives_the_same_bytes(second_night, tmp_path):
    home = second_night.copy(tmp_path / "home")
    before = home.ledgers.read_bytes()

    home.night(DATES[1])

    assert home.ledgers.read_bytes() == before


def test_answers_are_part_of_what_a_version_was_made_from(second_night, tmp_path):
    """Without the answers the same extracts of the same date make another version."""
    home = second_night.copy(tmp_path / "home")
    (home.folder / "reviews" / "answers.jsonl").rename(tmp_path / "answers.jsonl")

    home.night(DATES[1])

    [(bound,), (unbound,)] = home.query("SELECT inputs_digest FROM ledger_versions WHERE version > 1 ORDER BY version")
    assert bound != unbound
    assert home.query("SELECT count(*) FROM review_decisions_as_of(2)") > [(20,)]
    assert home.query("SELECT count(*) FROM review_decisions") == [(0,)]


def test_a_night_refuses_to_forget_what_bound_the_one_before(second_night, tmp_path):
    home = second_night.copy(tmp_path / "home")
    file = home.folder / "reviews" / "answers.jsonl"
    file.write_text("\n".join(file.read_text(encoding="utf-8").splitlines()[1:]) + "\n", encoding="utf-8")

    done = home.night(DATES[2], code=1)

    assert "reviews/answers.jsonl" in done.stderr


def test_what_has_to_be_mended_is_named_by_cell_and_the_rest_is_kept(answered, tmp_path):
    home = answered.copy(tmp_path / "home")
    out = tmp_path / "third.xlsx"
    home.kcb("review", "export", "--date", str(DATES[0]), "--reviewer", THIRD, "--pairs", "30", "--out", str(out))
    book = openpyxl.load_workbook(out)
    sheet = book["待核对"]
    at = next(cell.column for cell in sheet[1] if cell.value == "答案")
    sheet.cell(2, at).value = SAME
    sheet.cell(4, at).value = "大概是吧"
    sheet.cell(6, 1).value = "0000-0000-0000"
    sheet.cell(6, at).value = SAME
    book.save(out)

    done = home.kcb("review", "import", str(out), "--date", str(DATES[0]), code=3)

    assert f"待核对!{sheet.cell(4, at).coordinate}" in done.stdout
    assert "待核对!A6" in done.stdout
    assert "大概是吧" not in done.stdout + done.stderr
    mine = [answer for answer in read_answers(home.folder / "reviews") if answer.reviewer == THIRD]
    assert [answer.pair for answer in mine] == [sheet.cell(2, 1).value]


def test_a_filled_workbook_is_never_overwritten(answered):
    done = answered.kcb("review", "export", "--date", str(DATES[0]), "--reviewer", FIRST, code=2)

    assert "is there already" in done.stderr


def test_the_same_export_gives_the_same_bytes(answered, tmp_path):
    home = answered.copy(tmp_path / "home")
    arguments = ("review", "export", "--date", str(DATES[0]), "--reviewer", THIRD, "--pairs", "20", "--out")
    for name in ("a.xlsx", "b.xlsx"):
        home.kcb(*arguments, str(tmp_path / name))

    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_the_report_measures_what_the_truth_says(answered):
    """The interval holds the share of all links that are right, though only a sample of them was looked at."""
    story = Reviewed(answered)
    found = measure(story.round.pairs, weigh(read_answers(answered.folder / "reviews"), 2))
    links = answered.query(
        "SELECT population_type, population_row, l.registry_row FROM links l "
        "JOIN school_age_children c USING (population_type, population_row) WHERE l.decision = 'linked'"
    )
    right = truth_of(answered, DATES[0])
    precision = sum(link in right for link in links) / len(links)

    done = answered.kcb("review", "report")

    assert precision < 1
    assert found.precision.low <= precision <= found.precision.high
    assert found.precision.value == pytest.approx(precision, abs=0.01)
    assert f"{found.precision.value:.2%}" in done.stdout
    assert f"{found.recall.low:.2%}" in done.stdout
    assert f"{FIRST} / {SECOND}" in done.stdout or f"{SECOND} / {FIRST}" in done.stdout


def test_answers_name_nobody_on_the_screen_or_in_runs(answered, second_night):
    """What the night prints and what Dagster keeps of it hold no name of a pair's record."""
    names = {answer.record_name for answer in read_answers(answered.folder / "reviews")}
    kept = [path for path in (second_night.folder / "dagster").rglob("*") if path.is_file()]

    assert names
    assert not any(name.encode() in path.read_bytes() for path in kept for name in names if name and len(name) > 2)
    assert json.loads(
        (second_night.folder / "published" / "versions" / "000002" / "manifest.json").read_text(encoding="utf-8")
    )
