"""五项行动: entries − exits = stock, assessed before leaving, followed after; and the other lists that sources feed."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.config import Calendar, Offices
from kcb_pipeline.engines.embedded import Limits, connect, create, rows
from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.ledgers.programmes import draft_programmes
from kcb_pipeline.ledgers.schema import polars_schema
from kcb_pipeline.status.school_days import school_days

ON = dt.date(2026, 5, 20)
DAY = dt.timedelta(days=1)
ENTERED = ON - 60 * DAY
LANDED = {
    "row": pl.Int64, "programme": pl.String, "level": pl.String, "entered_on": pl.Date, "assessed_on": pl.Date, "assessment": pl.String,
    "left_on": pl.Date,
}  # fmt: skip


class Office:
    """Nights of the lead departments: what they list, row by row, of one child each."""

    def __init__(self, connection):
        self.connection = connection
        for schema in ("landed", "status", "standard", "draft"):
            connection.execute(f"CREATE SCHEMA {schema}")
        for name in ("support_programmes", "disabilities", "seasonal_watch"):
            create(connection, f"previous_{name}", pl.DataFrame(schema=polars_schema(name)))
        children = pl.DataFrame({"person": range(1, 6), "child_id": [f"C{n}" for n in range(1, 6)]})
        create(connection, "standard.children", children)

    def sent(self, source, *people):
        came = pl.DataFrame({"source": [source] if people is not None else []}, schema={"source": pl.String})
        create(self.connection, "status.sources_tonight", came)
        attributed = {"source": [source] * len(people), "row": range(1, len(people) + 1), "person": list(people)}
        create(
            self.connection,
            "status.attributed",
            pl.DataFrame(attributed, schema={"source": pl.String, "row": pl.Int64, "person": pl.Int64}),
        )

    def silent(self):
        create(self.connection, "status.sources_tonight", pl.DataFrame(schema={"source": pl.String}))

    def night(self, *entries, on=ON, came=True):
        """{child: (state, finding)} after a night with those entries."""
        landed = [
            {"row": n, "programme": "失管关爱", "level": "较轻", "entered_on": ENTERED}
            | {k: v for k, v in entry.items() if k != "child"}
            for n, entry in enumerate(entries, start=1)
        ]
        create(self.connection, "landed.support_programmes", pl.DataFrame(landed, schema=LANDED))
        self.sent("support_programmes", *[entry["child"] for entry in entries])
        if not came:
            self.silent()
        draft_programmes(self.connection, on, offices=Offices(), follow_up_days=90)
        found = rows(self.connection, "SELECT child_id, state, finding FROM draft.support_programmes")
        self.connection.execute(
            "CREATE OR REPLACE TABLE previous_support_programmes AS SELECT * FROM draft.support_programmes"
        )
        return {child: (state, finding) for child, state, finding in found}

    def ask(self, columns):
        return rows(
            self.connection, f"SELECT {columns} FROM draft.support_programmes ORDER BY child_id, programme, entered_on"
        )


@pytest.fixture
def office():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Office(connection)


PASSED = {"assessed_on": ON - 5 * DAY, "assessment": "合格", "left_on": ON - 3 * DAY}


@pytest.mark.parametrize(
    ("programme", "level", "office_name"),
    [
        ("失管关爱", "较轻", "片区教育管理中心"),
        ("失管关爱", "较重", "民政部门"),
        ("心理健康关爱", "较重", "卫生健康部门"),
        ("控辍保学", "较重", "教育部门"),
        ("涉案帮教", "严重", "五项行动工作专班"),
    ],
)
def test_the_level_says_which_office_answers(office, programme, level, office_name):
    office.night({"child": 1, "programme": programme, "level": level})

    assert office.ask("responsible_office") == [(office_name,)]


def test_a_child_leaves_by_its_exit_after_having_passed_and_is_followed_after(office):
    assert office.night({"child": 1}, {"child": 2, **PASSED}) == {"C1": ("in", None), "C2": ("left", None)}
    assert office.ask("follow_up_until") == [(None,), (ON + 87 * DAY,)]


def test_who_was_assessed_on_the_day_of_its_exit_has_passed(office):
    assert office.night({"child": 1, "left_on": ON, "assessed_on": ON, "assessment": "合格"}) == {"C1": ("left", None)}


@pytest.mark.parametrize(
    "how",
    [
        {"left_on": ON},
        {"left_on": ON, "assessed_on": ON - DAY},
        {"left_on": ON, "assessed_on": ON - DAY, "assessment": "不合格"},
        {"left_on": ON - 3 * DAY, "assessed_on": ON, "assessment": "合格"},
        {"left_on": ON, "assessment": "合格"},
    ],
    ids=["not assessed", "with what result nobody says", "failed", "assessed afterwards", "assessed on no day"],
)
def test_who_left_without_having_passed_is_a_finding(office, how):
    assert office.night({"child": 1, **how}) == {"C1": ("left", "left_unassessed")}


def test_an_exit_to_come_is_none_yet(office):
    assert office.night({"child": 1, "left_on": ON + DAY}) == {"C1": ("in", None)}


def test_an_entry_that_is_no_longer_listed_stays_in_and_says_so(office):
    office.night({"child": 1}, {"child": 2})

    assert office.night({"child": 2}, on=ON + DAY) == {"C1": ("in", "no_longer_listed"), "C2": ("in", None)}
    assert office.night({"child": 1}, {"child": 2}, on=ON + 2 * DAY) == {"C1": ("in", None), "C2": ("in", None)}


@pytest.mark.parametrize(
    ("left", "finding"), [(ON + DAY, None), (ON + 2 * DAY, "no_longer_listed"), (None, "no_longer_listed")]
)
def test_one_that_has_left_need_not_be_listed_any_more(office, left, finding):
    office.night({"child": 1, "assessed_on": ON, "assessment": "合格", "left_on": left}, {"child": 2})

    assert office.night({"child": 2}, on=ON + DAY)["C1"][1] == finding


def test_each_entry_is_listed_by_itself(office):
    again = {"child": 1, "entered_on": ON - DAY}
    other = {"child": 1, "programme": "控辍保学"}
    office.night({"child": 1}, again, other)
    office.night({"child": 1}, on=ON + DAY)

    assert office.ask("programme, entered_on, finding") == [
        ("失管关爱", ENTERED, None), ("失管关爱", ON - DAY, "no_longer_listed"), ("控辍保学", ENTERED, "no_longer_listed"),
    ]  # fmt: skip


def test_an_entry_into_nothing_or_on_no_day_is_none(office):
    assert office.night({"child": 1, "programme": None}, {"child": 2, "entered_on": None}) == {}


@pytest.mark.parametrize("level", [None, "甚重"])
def test_of_a_level_that_nobody_answers_for_no_office_is_told(office, level):
    office.night({"child": 1, "level": level})

    assert office.ask("responsible_office") == [(None,)]


def test_a_source_that_did_not_come_changes_nothing(office):
    before = office.night({"child": 1}, {"child": 2, **PASSED})

    assert office.night(came=False, on=ON + DAY) == before
    office.night({"child": 2, **PASSED}, on=ON + 2 * DAY)
    assert office.night(came=False, on=ON + 3 * DAY)["C1"] == ("in", "no_longer_listed")


def test_a_child_enters_again_and_in_several_programmes(office):
    again = {"child": 1, "entered_on": ON - DAY}
    office.night({"child": 1, **PASSED}, again, {"child": 1, "programme": "控辍保学"})

    assert office.ask("programme, entered_on, state") == [
        ("失管关爱", ENTERED, "left"), ("失管关爱", ON - DAY, "in"), ("控辍保学", ENTERED, "in"),
    ]  # fmt: skip


@pytest.mark.parametrize("in_turn", [1, -1])
def test_an_entry_listed_twice_is_one_and_its_exit_counts(office, in_turn):
    assert office.night(*[{"child": 1}, {"child": 1, **PASSED}][::in_turn]) == {"C1": ("left", None)}


@pytest.mark.parametrize("in_turn", [1, -1])
@pytest.mark.parametrize(
    ("told", "other"),
    [
        ({"left_on": ON}, {"left_on": ON - DAY}),
        ({"assessed_on": ON}, {"assessed_on": ON - DAY}),
        ({"assessed_on": ON, "assessment": "不合格"}, {"assessed_on": ON, "assessment": "合格"}),
        ({"level": "较轻"}, {"level": "较重"}),
    ],
)
def test_of_two_that_differ_the_latest_exit_counts_then_the_latest_assessment_then_what_stands_in_them(
    office, told, other, in_turn
):
    office.night(*[{"child": 1, **told}, {"child": 1, **other}][::in_turn])

    [column] = list(told)[-1:]
    assert office.ask(column) == [(told[column],)]


# -- 残疾儿童 ------------------------------------------------------------------------------------------------------


def test_the_federations_word_of_a_child_holds_until_its_next_one(office):
    def night(*children, came=True):
        landed = {"row": range(1, len(children) + 1), "certificate_number": ["1"] * len(children), "kind": ["肢体"] * len(children),
                  "level": ["1"] * len(children), "placement": ["送教上门"] * len(children)}  # fmt: skip
        schema = {"row": pl.Int64} | dict.fromkeys(("certificate_number", "kind", "level", "placement"), pl.String)
        create(office.connection, "landed.disability_register", pl.DataFrame(landed, schema=schema))
        office.sent("disability_register", *children)
        if not came:
            office.silent()
        run_step(office.connection, "kcb_pipeline.ledgers", "disabilities", "draft.disabilities")
        office.connection.execute("CREATE OR REPLACE TABLE previous_disabilities AS SELECT * FROM draft.disabilities")
        return {child for (child,) in rows(office.connection, "SELECT child_id FROM draft.disabilities")}

    assert night(1, 2, 2) == {"C1", "C2"}
    assert night(came=False) == {"C1", "C2"}
    assert night(2) == {"C2"}


@pytest.mark.parametrize("in_turn", [1, -1])
@pytest.mark.parametrize(
    ("column", "told", "other"),
    [
        ("level", "1", "2"),
        ("certificate_number", "1", None),
        ("kind", "肢体", "视力"),
        ("placement", "特教班", "送教上门"),
    ],
)
def test_of_two_entries_the_severest_is_told_then_what_stands_in_them(office, column, told, other, in_turn):
    entries = [{column: value} for value in (told, other)][::in_turn]
    schema = {"row": pl.Int64} | dict.fromkeys(("certificate_number", "kind", "level", "placement"), pl.String)
    rows_ = [{"row": n, **dict.fromkeys(schema.keys() - {"row"}), **entry} for n, entry in enumerate(entries, start=1)]
    create(office.connection, "landed.disability_register", pl.DataFrame(rows_, schema=schema))
    office.sent("disability_register", 1, 1)
    office.connection.execute("INSERT INTO status.attributed VALUES ('approvals', 1, 2)")
    run_step(office.connection, "kcb_pipeline.ledgers", "disabilities", "draft.disabilities")

    assert rows(office.connection, f"SELECT child_id, {column} FROM draft.disabilities") == [("C1", told)]


# -- 季节性流失 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "kind", "season_from", "listed"),
    [
        (5, "事假", dt.date(2026, 4, 1), True),
        (5, "无故", dt.date(2026, 4, 1), True),
        (4, "事假", dt.date(2026, 4, 1), False),
        (9, "病假", dt.date(2026, 4, 1), False),
        (9, "事假", dt.date(2026, 5, 18), False),
    ],
    ids=["leave", "without reason", "too few", "illness", "before the season"],
)
def test_in_the_season_who_misses_school_often_is_watched(office, days, kind, season_from, listed):
    taught = school_days(dt.date(2026, 3, 1), ON, Calendar())
    create(office.connection, "status.school_days", taught)
    missed = taught["day"].to_list()[-days:]
    absences = {
        "row": range(1, days + 1),
        "registry_row": [1] * days,
        "absent_on": missed,
        "kind": [kind] * days,
        "leave_to": [None] * days,
    }
    schema = {
        "row": pl.Int64,
        "registry_row": pl.Int64,
        "absent_on": pl.Date,
        "kind": pl.String,
        "leave_to": pl.Date,
    }
    create(office.connection, "status.missed_days", pl.DataFrame(absences, schema=schema))
    create(
        office.connection,
        "status.pupil_rows",
        # the other record, under the same number, is at a school that reported nothing
        pl.DataFrame(
            {
                "person": [1, 1],
                "registry_row": [1, 2],
                "student_number": ["G1"] * 2,
                "is_live": [True] * 2,
                "school_code": ["S1", "S2"],
            }
        ),
    )
    office.sent("absences")

    watched = {"today": ON, "season_from": season_from, "harvest_days": 5}
    run_step(office.connection, "kcb_pipeline.ledgers", "seasonal_watch", "draft.seasonal_watch", watched)

    found = rows(
        office.connection,
        "SELECT child_id, school_code, missed_days, first_missed_on, last_missed_on FROM draft.seasonal_watch",
    )
    assert found == ([("C1", "S1", days, missed[0], missed[-1])] if listed else [])


@pytest.fixture
def watch(working):
    """`watch(missed, before, ...)`: the watch list of a night on which C1, person 1, missed those days: {child: (days, last, leave to)}."""
    create(working.connection, "status.school_days", school_days(dt.date(2026, 3, 1), ON, Calendar()))
    working.put("standard.children", {"person": 1, "child_id": "C1"})
    working.put("status.pupil_rows", {"person": 1, "registry_row": 1, "is_live": True, "school_code": "S1"})

    def make(*missed, before=(), sent=("absences",), season_from=ON - 2 * DAY):
        working.put("status.sources_tonight", *({"source": source} for source in sent))
        working.put("status.missed_days", *({"registry_row": 1, "kind": "事假", **day} for day in missed))
        working.put("previous_seasonal_watch", *before)
        watched = {"today": ON, "season_from": season_from, "harvest_days": 2}
        run_step(working.connection, "kcb_pipeline.ledgers", "seasonal_watch", "draft.seasonal_watch", watched)
        found = working.all("SELECT * FROM draft.seasonal_watch")
        return {one["child_id"]: (one["missed_days"], one["last_missed_on"], one["leave_to"]) for one in found}

    return make


def test_a_day_is_missed_once_whatever_its_reason_and_the_furthest_leave_is_told(watch):
    """From the first day of the season on."""
    first, second = {"absent_on": ON - 2 * DAY, "leave_to": ON + 9 * DAY}, {"absent_on": ON, "kind": None}

    assert watch(first, first | {"leave_to": ON}) == {}
    assert watch(first, first | {"leave_to": ON}, second) == {"C1": (2, ON, ON + 9 * DAY)}


@pytest.mark.parametrize(
    ("sent", "last", "stays"),
    [((), ON - 2 * DAY, True), ((), ON - 3 * DAY, False), (("absences",), ON - 2 * DAY, False)],
)
def test_the_list_of_before_stays_while_no_absences_come_and_the_season_lasts(watch, sent, last, stays):
    before = {"child_id": "C2", "school_code": "S2", "missed_days": 5, "last_missed_on": last}

    assert watch(before=[before], sent=sent) == ({"C2": (5, last, None)} if stays else {})
