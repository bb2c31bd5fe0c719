"""Three school terms of a made-up county, with the offices' answers coming back: every night the books balance, and nobody is lost."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import verify
from kcb_pipeline.ledgers.replay import verify_replay
from kcb_pipeline.sample import write_sample
from kcb_pipeline.sample.answers import write_answers
from tests.pipeline.nights import query, run_night

FIRST, EVERY, NIGHTS = dt.date(2025, 3, 10), 42, 12
DATES = [FIRST + dt.timedelta(days=EVERY * n) for n in range(NIGHTS)]
TERMS = [("2025-03-01", "2025-06-30"), ("2025-09-01", "2026-01-10"), ("2026-03-01", "2026-06-30")]
OPEN = "('suspected', 'verifying', 'confirmed', 'persuading', 'returned_unconfirmed')"
OUT = ["unenrolled", "suspected"]


@pytest.fixture(scope="module")
def terms(tmp_path_factory):
    """The home after all nights, and the answers that were sent to each."""
    home = tmp_path_factory.mktemp("terms")
    write_sample(home, children=500, seed=7, date=FIRST, nights=NIGHTS, every=EVERY)
    calendar = "".join(f"[[calendar.terms]]\nfirst = {first}\nlast = {last}\n" for first, last in TERMS)
    (home / "kcb.toml").write_text(calendar, encoding="utf-8")
    answers = {DATES[0]: []}
    for date, following in zip(DATES, [*DATES[1:], None], strict=True):
        run_night(home, date, gates=("ledgers",))
        if following:
            answers[following] = write_answers(home, of=date, to=following, seed=7)
    return home, answers


def truth(home, date):
    return pl.read_parquet(home / "truth" / str(date) / "children.parquet")


def test_the_nights_lie_in_three_terms_and_the_holidays_between(terms):
    in_term = [any(first <= str(date) <= last for first, last in TERMS) for date in DATES]
    reached = {
        next(n for n, (first, last) in enumerate(TERMS) if first <= str(d) <= last)
        for d, inside in zip(DATES, in_term, strict=True)
        if inside
    }

    assert reached == {0, 1, 2}
    assert not all(in_term)
    assert query(terms[0], "SELECT count(*) FROM ledger_versions") == [(NIGHTS,)]


def test_openings_closings_and_stock_reconcile_every_night(terms):
    home, _ = terms
    before = 0
    for version in range(1, NIGHTS + 1):
        [(came, went)] = query(
            home,
            f"SELECT count(*) FILTER (WHERE to_state IN {OPEN} AND (from_state IS NULL OR from_state NOT IN {OPEN})), "
            f"count(*) FILTER (WHERE from_state IN {OPEN} AND to_state NOT IN {OPEN}) FROM case_events WHERE version = {version}",
        )
        [(stock,)] = query(home, f"SELECT count(*) FROM cases_as_of({version}) WHERE state IN {OPEN}")
        assert before + came - went == stock, f"version {version}"
        before = stock
    assert query(
        home, "SELECT DISTINCT passed FROM check_results WHERE name LIKE 'ledgers.%' AND severity = 'error'"
    ) == [(True,)]


def test_every_case_was_opened_once_and_replays_from_its_events(terms):
    home, _ = terms
    assert query(
        home, "SELECT max(n) FROM (SELECT count(*) AS n FROM case_events WHERE event = 'opened' GROUP BY case_id)"
    ) == [(1,)]
    with connect(Home(home).ledgers, Limits(), read_only=True) as connection:
        assert verify_replay(connection)[1] == []
        assert verify(connection) == (NIGHTS, [])


def test_the_terms_show_the_whole_life_of_cases(terms):
    events = dict(query(terms[0], "SELECT event, count(*) FROM case_events GROUP BY event"))

    assert set(events) >= {
        "opened", "verified_open", "confirmed", "confirmed_again", "measure_taken", "closed_by_evidence", "closed_until_by_verification",
        "reopened", "closed_over_age", "handed_over",
    }  # fmt: skip
    steps = {
        measure for (measure,) in query(terms[0], "SELECT DISTINCT measure FROM case_events WHERE measure IS NOT NULL")
    }
    assert steps == {"宣传教育", "责令改正", "行政处罚", "申请强制执行或提起诉讼"}
    assert query(
        terms[0], "SELECT count(*) > 0 FROM case_events WHERE event = 'measure_taken' AND evidence LIKE '%理由%'"
    ) == [(True,)]


def test_every_answer_is_in_the_history_of_its_case_or_went_back_with_its_reason(terms):
    home, answers = terms
    for version, date in enumerate(DATES, start=1):
        [(believed,)] = query(home, f"SELECT count(*) FROM decisions WHERE landed_on = DATE '{date}'")
        [(refused,)] = query(
            home, f"SELECT count(DISTINCT source_row) FROM refused_verifications WHERE version = {version}"
        )
        [(told,)] = query(
            home,
            f"SELECT count(DISTINCT (case_id, source)) FROM case_events WHERE version = {version} AND source LIKE 'verifications:%'",
        )
        assert believed + refused == len(answers[date]), date
        assert told == believed, date
    assert sum(map(len, answers.values())) > 60


def test_nobody_was_ever_closed_for_not_being_found(terms):
    assert query(terms[0], "SELECT count(*) FROM case_events WHERE closing_reason IN ('失联', '查无此人')") == [(0,)]
    assert query(
        terms[0], "SELECT count(*) FROM case_events WHERE evidence LIKE '%失联%' OR evidence LIKE '%查无此人%'"
    ) != [(0,)]


@pytest.mark.parametrize("night", [3, 5, 8, NIGHTS - 1])
def test_whoever_is_out_of_school_is_in_a_ledger_or_has_a_term_that_a_person_gave(terms, night):
    home, _ = terms
    out = truth(home, DATES[night]).filter(pl.col("status").is_in(OUT) & ~pl.col("undecidable"))
    rows = query(
        home,
        f"SELECT c.population_type, c.population_row, c.status, k.state, k.closing_reason "
        f"FROM school_age_children_as_of({night + 1}) c LEFT JOIN cases_as_of({night + 1}) k USING (child_id)",
    )
    ours = pl.DataFrame(
        rows, schema=["population_type", "population_row", "found", "state", "closing_reason"], orient="row"
    )
    both = out.join(ours, on=["population_type", "population_row"], how="left")
    is_in_ledger = pl.col("found").is_in(["unenrolled", "suspected", "dropout", "needs_review"])
    has_term = (pl.col("state") == "closed_until") & pl.col("closing_reason").is_in(["休学", "延缓入学"])

    assert out.height > 3
    assert both.filter(~(is_in_ledger | has_term).fill_null(value=False)).height == 0


def test_at_the_end_who_was_confirmed_and_is_still_out_stands_among_the_dropouts(terms):
    home, _ = terms
    out = (
        truth(home, DATES[-1])
        .filter(pl.col("status").is_in(OUT) & ~pl.col("undecidable"))
        .select("population_type", "population_row")
    )
    rows = query(
        home,
        "SELECT c.population_type, c.population_row, c.status FROM school_age_children c JOIN cases k USING (child_id) "
        "WHERE k.state IN ('confirmed', 'persuading') AND k.case_id IN (SELECT case_id FROM case_events WHERE event = 'confirmed')",
    )
    confirmed = pl.DataFrame(rows, schema=["population_type", "population_row", "status"], orient="row")
    both = confirmed.join(out, on=["population_type", "population_row"], how="inner")

    # One who was seen at school since, and is away again, is suspected anew: the case is the same.
    assert both.filter(pl.col("status") == "dropout").height > 0.7 * both.height > 0
    assert set(both["status"]) <= {"dropout", *OUT}


def test_who_is_back_at_school_closes_on_what_showed_it(terms):
    rows = query(terms[0], "SELECT evidence, source FROM case_events WHERE event = 'closed_by_evidence'")

    assert len(rows) > 10
    for evidence, source in rows:
        assert evidence
        name, _, row = source.partition(":")
        assert name
        assert row.isdigit(), source


def test_the_trend_has_a_point_for_every_night(terms):
    [(points, changes)] = query(
        terms[0],
        "SELECT count(value), count(change) FROM statistics_trend WHERE division_code IS NULL AND indicator = 'primary_enrolment_rate'",
    )

    assert (points, changes) == (NIGHTS, NIGHTS - 1)
