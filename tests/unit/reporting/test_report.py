"""The report of a version: it says what the ledgers hold, in two languages, and nothing small that anybody could work out."""

import datetime as dt
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from checks.suites import gates_of
from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import Limits, connect, insert
from kcb_pipeline.gates import SUITES
from kcb_pipeline.ledgers.cases import STATES
from kcb_pipeline.reporting.bulletin import STANDINGS
from kcb_pipeline.reporting.bulletin_paper import bulletin
from kcb_pipeline.reporting.report import charts, words
from kcb_pipeline.reporting.report.charts import Interval
from kcb_pipeline.reporting.report.counts import STAGES, count
from kcb_pipeline.reporting.report.page import report
from kcb_pipeline.reporting.statistics import compute_statistics
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL, REASONS, STATUSES
from tests.unit.reporting.conftest import DAY, Ledgers

SMALLEST = 5
SEEDS = (0, 3, 8, 25, 30, 99)
"""The four last gave something away once: a rule less, and one of them does again."""
LIVE = [status for status in STATUSES if status != "departed"]
REASON_OF = {reason.status: reason.code for reason in reversed(REASONS)}
VOID = {"meta", "input", "br", "link", "hr", "img"}


class Page(HTMLParser):
    """What a browser makes of a page: well-formed or not, its words by language, and whatever it would load or run."""

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.loads, self.said = [], [], [], {"zh-CN": [], "en": []}
        self.feed(text)
        self.faults += [f"<{tag}> is never closed" for tag, _ in self.open]

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag in ("script", "link", "iframe", "object", "embed", "img") or any(
            name.startswith("on") for name in named
        ):
            self.loads.append(tag)
        self.loads += [v for k, v in attributes if k in ("src", "srcset", "xlink:href", "action") and v]
        self.loads += [v for k, v in attributes if k == "href" and ":" in v]
        if tag not in VOID:
            self.open.append((tag, named.get("lang")))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data):
        languages = [language for _, language in self.open[1:] if language]
        if languages and data.strip():
            self.said[languages[-1]].append(data.strip())


def page_of(ledgers, version=1, smallest=SMALLEST):
    return report(ledgers.connection, version, smallest).content.decode()


def fill(ledgers, table):
    """Children by (township, status, grade), a case for each flagged one, and the indicators as a night counts them."""
    children = pl.DataFrame(
        [
            {
                "status": status, "division_code": "532901", "township_code": f"53290110{township}", "township_name": f"{township}号乡",
                "expected_grade": grade, "age": grade + 5, "status_reason": REASON_OF[status], "population_type": "registered",
            }
            for (township, status, grade), number in table.items()
            for _ in range(number)
        ]
    )  # fmt: skip
    number = pl.int_range(pl.len()).cast(pl.String).str.zfill(4)
    children = children.with_columns(
        pl.lit(1).alias("valid_from_version"), pl.format("C{}", number).alias("child_id"), pl.format("孩{}号", number).alias("name"),
        pl.format("53290120160312{}", number).alias("id_number"), pl.format("父{}氏", number).alias("guardian_name"),
    )  # fmt: skip
    flagged = children.filter(pl.col("status").is_in(OUT_OF_SCHOOL))
    cases = flagged.select(
        "child_id", "valid_from_version", pl.format("A{}", pl.col("child_id")).alias("case_id"), pl.lit("suspected").alias("state"),
        pl.lit(0).alias("reopened"), pl.lit(DAY).alias("opened_on"), pl.lit(DAY + dt.timedelta(days=9)).alias("due_on"),
    )  # fmt: skip
    events = cases.select(
        "case_id", "valid_from_version", pl.lit(1).alias("sequence"), pl.lit("opened").alias("event"),
        pl.lit("suspected").alias("to_state"), pl.lit(1).alias("version"), pl.lit(DAY).alias("occurred_on"),
    )  # fmt: skip
    rows = children.select("child_id", "valid_from_version")
    for name, frame in (("child_facts", children), ("child_rows", rows), ("cases", cases), ("case_events", events)):
        insert(ledgers.connection, f"{name}_history", frame)
    ledgers.connection.execute(
        "UPDATE ledger_versions SET enrolled = (SELECT count(*) FROM child_facts WHERE status = 'enrolled'), "
        "suspected = (SELECT count(*) FROM child_facts WHERE status IN ('unenrolled', 'suspected')), "
        "dropouts = (SELECT count(*) FROM child_facts WHERE status = 'dropout')"
    )
    count_statistics(ledgers)


def count_statistics(ledgers):
    connection = ledgers.connection
    connection.execute("CREATE SCHEMA IF NOT EXISTS draft")
    for table in ("cases", "case_events"):
        connection.execute(f"CREATE OR REPLACE TABLE draft.{table} AS SELECT * FROM {table}")
    connection.execute("CREATE OR REPLACE TABLE draft.children AS SELECT * FROM child_facts")
    compute_statistics(connection, DAY, Config().targets)
    connection.execute("INSERT INTO statistics BY NAME SELECT 1 AS version, * FROM draft.statistics")


LARGE = {
    (1, "enrolled", 3): 40, (2, "enrolled", 8): 30, (1, "on_leave", 3): 6, (2, "on_leave", 9): 7, (1, "unenrolled", 1): 8,
    (2, "unenrolled", 2): 9, (2, "suspected", 7): 6, (1, "suspected", 9): 5, (1, "dropout", 8): 7, (2, "dropout", 8): 5,
    (1, "departed", 4): 6,
}  # fmt: skip
"""Two townships whose every number is large enough to be shown."""


@pytest.fixture(scope="module")
def county():
    """The county of large numbers, with what a night says of its matching and its gates. Look, and change nothing."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        ledgers = Ledgers(connection)
        fill(ledgers, LARGE)
        for name, observed in OBSERVED.items():
            ledgers.add(
                "check_results", name=name, severity="error", passed=True, observed=observed, expected="as it says"
            )
        for grouping, code, links in (("all", None, 10_000), ("sex", "1", 9_997), ("sex", "2", 3)):
            ledgers.add("linkage_quality", grouping=grouping, code=code, links=links, unblocked=0.0, **ESTIMATED)
        yield ledgers


OBSERVED = {
    "status.one_status_each": "eligible 129, statuses 129",
    "ledgers.cases_are_unique": "cases 3, distinct_cases 3",
    "volumes.no_source_shrank": "12 sources: landed_before 74 to 80, loss 0 to 0.02, loss_limit 0.2 to 1",
}
ESTIMATED = {
    "false_links": 2.0,
    "false_links_low": 0.5,
    "false_links_high": 6.0,
    "missed": 0.01,
    "missed_low": 0.0,
    "missed_high": 0.0,
}


@pytest.fixture
def changing(ledgers):
    """The county of large numbers, to be changed."""
    fill(ledgers, LARGE)
    return ledgers


# -- what it says ------------------------------------------------------------------------------------------------------


def test_it_says_what_the_ledgers_hold(county):
    found = count(county.connection, 1, None, SMALLEST)

    assert (found.eligible, found.departed, found.children) == (129, 6, 123)
    assert {status: number for status, number in found.statuses.items() if number} == {
        "enrolled": 70, "on_leave": 13, "unenrolled": 17, "suspected": 11, "dropout": 12,
    }  # fmt: skip
    assert sum(found.statuses.values()) == found.children
    assert sum(found.reasons.values()) == 17 + 11 + 12
    assert [(grade.grade, grade.children, grade.flagged) for grade in found.grades] == [
        (1, 8, 8), (2, 9, 9), (3, 46, 0), (7, 6, 6), (8, 42, 12), (9, 12, 5),
    ]  # fmt: skip
    assert (found.cases.open, found.cases.states["suspected"], found.cases.opened) == (40, 40, 40)
    assert (found.cases.overdue, found.cases.soon, found.cases.later) == (0, 0, 40)
    assert {one.code: (one.numerator, one.denominator) for one in found.figures}["dropout_rate"] == (12, 123)
    assert not found.hides_any


def test_its_numbers_stand_in_the_page_in_both_languages(county):
    said = Page(page_of(county)).said

    assert any("123" in words for words in said["zh-CN"])
    text = re.sub(r"<[^>]+>", "", page_of(county))
    for township, flagged, children in (("1号乡", 20, 66), ("2号乡", 20, 57)):
        assert re.search(rf"{township}\s*{children}\s*\d+\s*\d+", text), township
        assert f"{1000 * flagged / children:.1f}" in text
    assert {"在学", "疑似辍学", "应当上学的儿童"} <= set(said["zh-CN"])
    assert {"enrolled", "suspected", "children who should be in school"} <= set(said["en"])


def test_a_move_between_versions_is_told_with_what_it_came_from(changing):
    connection = changing.connection
    connection.execute(
        "INSERT INTO ledger_versions (version, comparison_date, base_version) VALUES (2, DATE '2026-11-21', 1)"
    )
    connection.execute("UPDATE child_facts_history SET valid_to_version = 2 WHERE status = 'suspected'")
    connection.execute(
        "INSERT INTO child_facts_history SELECT * REPLACE ('dropout' AS status, 2 AS valid_from_version, NULL AS valid_to_version) "
        "FROM child_facts_history WHERE status = 'suspected'"
    )

    flows = count(connection, 2, 1, SMALLEST).flows

    assert [(flow.before, flow.after, flow.children) for flow in flows] == [("未入学及疑似辍学", "辍学", 11)]


def test_the_trend_is_of_the_versions_that_stood_and_leaves_out_dates_with_a_small_total(changing):
    connection = changing.connection
    connection.execute("UPDATE ledger_versions SET enrolled = 70, suspected = 28, dropouts = 12")
    for version, day, suspected, dropouts in ((2, 21, 25, 15), (3, 22, 37, 3), (4, 21, 29, 11)):
        connection.execute(
            "INSERT INTO ledger_versions (version, comparison_date, enrolled, suspected, dropouts) VALUES (?, ?, 70, ?, ?)",
            [version, dt.date(2026, 11, day), suspected, dropouts],
        )
        connection.execute(
            "INSERT INTO statistics (version, indicator, numerator, denominator) VALUES (?, 'dropout_rate', ?, 123)",
            [version, dropouts],
        )

    def trend(version):
        return [
            (date.day.day, date.suspected, date.dropouts) for date in count(connection, version, None, SMALLEST).trend
        ]

    assert trend(3) == [(20, 28, 12), (21, 25, 15), (22, None, None)]
    assert trend(4) == [(20, 28, 12), (21, 29, 11)]  # the version that restated the 21st knows nothing of the 22nd


def test_what_a_gate_observed_is_shown_and_a_small_count_in_it_is_not(county):
    page = page_of(county)

    assert OBSERVED["status.one_status_each"] in page
    assert "cases *, distinct_cases *" in page
    assert OBSERVED["volumes.no_source_shrank"] in page
    assert "as it says" in page
    assert words.GATE["status.one_status_each"] in page


def test_where_a_total_is_hidden_no_gate_gives_it_away(ledgers):
    fill(ledgers, {(1, "enrolled", 3): 40, (1, "on_leave", 3): 20, (2, "dropout", 3): 3, (2, "suspected", 4): 20})
    ledgers.add(
        "check_results", name="ledgers.suspected_are_in_the_ledger", severity="error", passed=True,
        observed="suspected_children 20, suspected_ledger 20", expected="e",
    )  # fmt: skip

    page = page_of(ledgers)

    assert "suspected_children *, suspected_ledger *" in page


def test_match_quality_stands_with_intervals_that_hold_the_estimate(county):
    page = page_of(county)

    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "99.980 %" in text
    assert "99.940 % – 99.995 %" in text
    assert "100.000 %" not in text
    assert "&gt; 99.999 %" in text
    assert ">男<" not in page  # beside the whole the girls would follow from the boys


# -- what nobody can work out ------------------------------------------------------------------------------------------


def random_county(seed):
    """Three townships in which statuses are as rare as they are in small counties."""
    chance = np.random.default_rng(seed)
    rare = dict(zip(LIVE, chance.choice([0.02, 0.1, 0.5, 1.5], size=len(LIVE)), strict=True)) | {"enrolled": 6.0}
    return {
        (township, status, grade): int(number)
        for township in (1, 2, 3)
        for status in LIVE
        for grade in range(1, 10)
        if (number := chance.poisson(rare[status] * (0.2 if township == 3 else 1)))
    }


def everything_told(found):
    """Each count that the report shows, as the cells it adds up and their sum."""
    statuses_of = dict(zip(STANDINGS, STANDINGS.values(), strict=True))
    for status, children in found.statuses.items():
        yield (lambda t, s, g, status=status: s == status), children
    for place, standing in enumerate(STANDINGS):
        yield (lambda t, s, g, names=statuses_of[standing]: s in names), found.standing(place)
    for row, (_, township, _) in enumerate(found.bulletin.townships):
        hidden, counts = found.bulletin.hidden_standings, found.bulletin.standings[row]
        number = int(township[-1])
        yield (lambda t, s, g, n=number: t == n), None if hidden.rows[row] else int(counts.sum())
        for place, names in enumerate(STANDINGS.values()):
            shown = None if hidden.cells[row, place] else int(counts[place])
            yield (lambda t, s, g, n=number, names=names: t == n and s in names), shown
    for grade in found.grades or ():
        yield (lambda t, s, g, n=grade.grade: g == n), grade.children
        yield (lambda t, s, g, n=grade.grade: g == n and s in OUT_OF_SCHOOL), grade.flagged
    yield (lambda t, s, g: True), found.children
    yield (lambda t, s, g: s in OUT_OF_SCHOOL), found.cases.open
    at_school = ("enrolled", "enrolled_elsewhere", "special_provision", "completed")
    counted = {
        "primary_enrolment_rate": (at_school, range(1, 7)),
        "retention_rate": ((*at_school, "on_leave"), range(9, 10)),
        "junior_retention_rate": ((*at_school, "on_leave"), range(7, 10)),
        "dropout_rate": (("dropout",), range(1, 10)),
    }
    for figure in found.figures:
        if figure.code in counted:
            names, grades = counted[figure.code]
            yield (lambda t, s, g, names=names, grades=grades: s in names and g in grades), figure.numerator
            yield (lambda t, s, g, grades=grades: g in grades), figure.denominator


def secrets():
    """Sums of cells that say something of a few children where they are few."""
    for status in LIVE:
        yield status, lambda t, s, g, status=status: s == status
    for name, names in STANDINGS.items():
        for township in (1, 2, 3):
            yield f"{name} {township}", lambda t, s, g, n=township, names=names: t == n and s in names
    for grade in range(1, 10):
        yield f"flagged in {grade}", lambda t, s, g, n=grade: g == n and s in OUT_OF_SCHOOL
    for stage, grades in STAGES.items():
        yield f"flagged in {stage}", lambda t, s, g, grades=grades: g in grades and s in OUT_OF_SCHOOL
        quiet = ("deferred", "needs_review", "on_leave")
        yield f"neither in {stage}", lambda t, s, g, grades=grades, quiet=quiet: g in grades and s in quiet


def what_it_can_be(cells, told, secret):
    """The least and the most a sum can be for whoever reads everything told, solved without the report's own reasoning."""
    shown = [(which, total) for which, total in told if total is not None]
    hidden = [which for which, total in told if total is None]

    def line(which):
        return np.array([float(which(*cell)) for cell in cells])

    goal = line(secret)
    ends = []
    for sign in (1, -1):
        solved = linprog(
            sign * goal,
            A_eq=np.array([line(which) for which, _ in shown]),
            b_eq=[total for _, total in shown],
            A_ub=-np.array([line(which) for which in hidden]) if hidden else None,
            b_ub=-np.ones(len(hidden)) if hidden else None,
        )
        ends.append(np.inf if solved.status == 3 else solved.fun * sign)
    return ends


def test_no_small_count_can_be_computed_from_the_tables_together(ledgers):
    cells = [(t, s, g) for t in (1, 2, 3) for s in LIVE for g in range(1, 10)]
    looked_at = 0
    for seed in SEEDS:
        for name in ("child_facts_history", "child_rows_history", "cases_history", "case_events_history", "statistics"):
            ledgers.connection.execute(f"DELETE FROM {name}")
        table = random_county(seed)
        fill(ledgers, table)
        told = list(everything_told(count(ledgers.connection, 1, None, SMALLEST)))
        for what, secret in secrets():
            truth = sum(table.get(cell, 0) for cell in cells if secret(*cell))
            if 0 < truth < SMALLEST:
                looked_at += 1
                least, most = what_it_can_be(cells, told, secret)
                assert most - least > 0.99, (seed, what, truth, least)
    assert looked_at > 50


@pytest.mark.parametrize(("departed", "shown"), [(2, False), (6, True), (0, True)])
def test_the_few_closed_cases_of_children_who_have_departed_are_not_what_an_indicator_counts_more(
    ledgers, departed, shown
):
    fill(ledgers, FEW_DEPARTED)
    close_or_open(ledgers, "enrolled", 30, state="closed")
    close_or_open(ledgers, "departed", departed, state="closed")

    found = count(ledgers.connection, 1, None, SMALLEST)

    assert found.cases.states["closed"] == 30
    [rate] = [one for one in found.figures if one.code == "closing_rate"]
    assert (rate.numerator, rate.denominator) == ((30 + departed, 70 + departed) if shown else (None, None))


def test_the_few_open_cases_of_children_who_have_departed_are_not_what_an_indicator_counts_more(ledgers, opened):
    fill(ledgers, FEW_DEPARTED)
    close_or_open(ledgers, "departed", 2, state="suspected", due=DAY - dt.timedelta(days=1))

    found = count(ledgers.connection, 1, None, SMALLEST)

    assert found.cases.open == 40
    [overdue] = [one for one in found.figures if one.code == "overdue_cases"]
    assert (overdue.numerator, overdue.denominator) == (None, None)
    assert indicators_of(opened(bulletin(ledgers.connection, 1, SMALLEST)))["逾期案件"] == ("*", "*")


def test_two_indicators_of_the_bulletin_less_each_other_are_not_about_a_few_children(ledgers, opened):
    """Of grade 9 twenty are not retained, of grades 7 to 9 two more."""
    fill(ledgers, {(1, "enrolled", 3): 60, (2, "enrolled", 8): 50, (1, "enrolled", 9): 40, (1, "suspected", 3): 20, (2, "suspected", 9): 20, (1, "suspected", 8): 2})  # fmt: skip

    shown = indicators_of(opened(bulletin(ledgers.connection, 1, SMALLEST)))

    assert shown["九年义务教育巩固率"] == shown["初中三年巩固率"] == ("*", "*")
    assert shown["小学入学率"] == (60, 80)


def test_the_bulletin_does_not_tell_of_the_few_closed_cases_of_children_who_have_departed(ledgers, opened):
    fill(ledgers, FEW_DEPARTED)
    close_or_open(ledgers, "enrolled", 30, state="closed")
    close_or_open(ledgers, "departed", 2, state="closed")

    book = opened(bulletin(ledgers.connection, 1, SMALLEST))

    assert [row[-1] for row in book["通报"].iter_rows(values_only=True)][-1] == 30
    assert indicators_of(book)["销号率"] == ("*", "*")


FEW_DEPARTED = {
    (1, "enrolled", 3): 60,
    (2, "enrolled", 8): 50,
    (1, "suspected", 3): 20,
    (2, "suspected", 8): 20,
    (1, "departed", 3): 9,
}


def close_or_open(ledgers, status, number, **case):
    """Cases of some children of a status, and the indicators counted anew."""
    children = f"SELECT child_id FROM child_facts WHERE status = '{status}' ORDER BY child_id LIMIT {number}"
    for (child_id,) in ledgers.connection.execute(children).fetchall():
        ledgers.case(child_id, **case)
    ledgers.connection.execute("DELETE FROM statistics")
    count_statistics(ledgers)


def indicators_of(book):
    """Numerator and denominator of each indicator of a bulletin."""
    return {name: (part, whole) for name, part, whole, *_ in book["全域指标"].iter_rows(values_only=True)}


def test_a_small_count_stands_nowhere_in_the_page(ledgers):
    fill(ledgers, {(1, "enrolled", 3): 240, (2, "enrolled", 4): 230, (1, "needs_review", 3): 3, (2, "on_leave", 8): 61, (1, "suspected", 9): 83, (2, "suspected", 2): 2})  # fmt: skip

    cells = re.findall(r'<td class="num[^"]*">\s*([\d,]+)\s*</td>', page_of(ledgers))

    assert cells
    assert not {"1", "2", "3", "4"} & {cell for cell in cells if cell not in grades_of(ledgers)}


def grades_of(ledgers):
    return {
        str(grade)
        for (grade,) in ledgers.connection.execute("SELECT DISTINCT expected_grade FROM child_facts").fetchall()
    }


def test_with_next_to_nobody_it_shows_no_count_at_all(ledgers):
    fill(ledgers, {(1, "enrolled", 3): 2, (1, "dropout", 3): 1})

    page = page_of(ledgers)

    assert words.PAGE["too_few"].zh in page
    assert not re.findall(r'<td class="num[^"]*">\s*[1-4]\s*</td>', page)


# -- the page itself ---------------------------------------------------------------------------------------------------


def test_it_is_well_formed_loads_nothing_and_runs_nothing(county):
    page = page_of(county)
    parsed = Page(page)

    assert parsed.faults == []
    assert parsed.loads == []
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)


def test_both_languages_say_as_much(county):
    page = page_of(county)
    spans = re.findall(r'<span lang="zh-CN">(.*?)</span><span lang="en">(.*?)</span>', page)

    assert len(spans) > 80
    assert page.count('<span lang="zh-CN">') == page.count('<span lang="en">')
    assert all(zh and en for zh, en in spans)
    assert not [en for _, en in spans if re.search(r"[一-鿿]", en)]


def test_every_code_and_gate_has_its_words():
    assert set(words.STATUS) == set(STATUSES)
    assert set(words.STATE) == set(STATES)
    assert set(words.GATE) == {f"{suite}.{gate.name}" for suite in SUITES for gate in gates_of(suite, Config())}
    assert set(words.SUITE) == set(SUITES)
    assert len(words.ETHNICITY) == 56
    used = set(re.findall(r"\bt\.(\w+)", template()))
    named = {"primary", "junior_7_8", "junior_9", "group_all", "group_county", "group_sex", "absent"}
    assert used | named == set(words.PAGE)


def template():
    from importlib import resources

    return resources.files("kcb_pipeline.reporting.report").joinpath("page.html.j2").read_text(encoding="utf-8")


def test_names_from_an_extract_are_text_and_never_markup(ledgers):
    for _ in range(9):
        ledgers.child("enrolled", town='<script>alert("x")</script>', expected_grade=1, age=6)

    page = page_of(ledgers)

    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_same_version_gives_the_same_bytes_whatever_the_order_of_its_rows(changing):
    first = page_of(changing)
    for table in ("child_facts_history", "cases_history", "statistics"):
        changing.connection.execute(f"CREATE TABLE turned AS SELECT * FROM {table} ORDER BY hash(rowid)")
        changing.connection.execute(f"DELETE FROM {table}")
        changing.connection.execute(f"INSERT INTO {table} SELECT * FROM turned")
        changing.connection.execute("DROP TABLE turned")

    assert page_of(changing) == first


def test_no_identity_stands_in_it(county):
    page = page_of(county)
    columns = "name, id_number, guardian_name, child_id"
    identities = {
        cell for row in county.connection.execute(f"SELECT {columns} FROM child_facts").fetchall() for cell in row
    }

    assert len(identities) > 100
    assert not [identity for identity in identities if identity in page]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.line_over_dates("a", ["11-20", "11-21"], [7, None], "#000"),
        lambda: charts.bars("b", ["1", "2"], [None, 12.5], "#000", "‰"),
        lambda: charts.intervals("c", [Interval("总体", 1.0, 0.5, 3.0)], "#000"),
    ],
)
def test_a_chart_is_the_same_bytes_and_has_no_style_that_reaches_beyond_it(draw):
    drawing = draw()

    assert drawing == draw()
    assert "<script" not in drawing
    style = re.search(r"<style[^>]*>(.*?)</style>", drawing, flags=re.DOTALL)[1]
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{", style) for one in rule.split(",")]
    assert all(one.startswith("#chart-") for one in selectors), selectors


def test_a_hidden_value_is_no_bar_and_no_point():
    assert charts.bars("b", ["1", "2"], [None, 12.5], "#000", "‰").count('class="rect reactive') == 1
    assert charts.line_over_dates("a", ["11-20", "11-21"], [7, None], "#000").count('class="dot reactive') == 1
