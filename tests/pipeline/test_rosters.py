"""花名册与台账: who stands in which roster, from the extracts to the views, over a spring, a month later and the school year after."""

import datetime as dt

import pytest

from kcb_pipeline.ledgers.rosters import ROSTERS
from tests.pipeline.micro import COUNTY, County
from tests.pipeline.nights import query, run_night

SPRING, A_MONTH_LATER, NEXT_YEAR = dt.date(2026, 5, 18), dt.date(2026, 6, 18), dt.date(2026, 9, 10)
SCHOOL_DAYS = ["20260511", "20260512", "20260513", "20260514", "20260515", "20260518"]


def spring():
    c = County(SPRING)
    for n in range(8):
        c.pupil(c.person(f"在读第{'一二三四五六七八'[n]}"))
    c.person("没有学籍")
    c.pupil(c.person("学籍死亡"), status="11")
    c.pupil(who := c.person("残联登记"))
    c.add(
        "disability_register", id_number=who["id_number"], name=who["name"], certificate_number="残1", kind="听力", level="二级",
        placement="随班就读",
    )  # fmt: skip
    c.pupil(c.person("学籍残疾"), disability_type="肢体残疾")
    c.pupil(c.person("留守在家"), left_behind="1")
    c.pupil(c.person("随迁来的"), migrant="1")
    who = c.person("贫困失学")
    c.add("poverty_register", id_number=who["id_number"], name=who["name"], household_id="P1", household_kind="脱贫户")
    # 举家外出
    for name in ("外出姐姐", "外出弟弟"):
        who = c.person(name, household_id="户外出", father_name="父外出")
    c.add(
        "elsewhere", id_number=who["id_number"], name=who["name"], birth_date=who["birth_date"], school_name="昆明小学", division_code="530102",
        confirmed_on="20260310",
    )  # fmt: skip
    c.person("一半在外", household_id="户一半", father_name="父一半")
    c.pupil(c.person("一半在家", household_id="户一半", father_name="父一半"))
    # 无户口
    stranger = {
        "name": "无户学生", "sex": "2", "birth_date": "20150707", "id_number": "", "father": "父无户", "father_id": "",
        "student_number": "J532901201507070001",
    }  # fmt: skip
    c.pupil(stranger, id_type="Z")
    c.add(
        "residents", id_number="", name="无证流动", sex="2", birth_date="20160505", household_division_code="510101", division_code=COUNTY,
        permit_state="有效",
    )  # fmt: skip
    # 五项行动
    c.pupil(who := c.person("在库之人"))
    programme = {
        "name": who["name"],
        "id_number": who["id_number"],
        "programme": "失管关爱",
        "level": "较重",
        "entered_on": "20260301",
    }
    c.add("support_programmes", **programme)
    c.pupil(who := c.person("出库之人"))
    c.add(
        "support_programmes",
        **(programme | {"name": who["name"], "id_number": who["id_number"]}), assessed_on="20260505", assessment="合格", left_on="20260510",
    )  # fmt: skip
    # 疑似辍学, 长期请假, 失学; 季节
    c.pupil(who := c.person("连缺六天"))
    for day in SCHOOL_DAYS:
        c.add("absences", student_number=who["student_number"], absent_on=day, kind="无故")
    c.pupil(who := c.person("请长假的"))
    c.add(
        "absences",
        student_number=who["student_number"],
        absent_on="20260518",
        kind="事假",
        leave_from="20260501",
        leave_to="20260831",
    )
    # 13至16, 16至18
    c.person("十四岁的", born="20120312")
    c.person("十五岁半", born="20100612")
    c.pupil(c.person("在学到底", born="20100613"), grade=9)
    c.person("十二岁半", born="20131012")
    return c


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rosters")
    county = spring()
    for date in (SPRING, A_MONTH_LATER, NEXT_YEAR):
        later = County(date, {source: [dict(row) for row in rows] for source, rows in county.rows.items()})
        later.write(folder)
        run_night(folder, date)
        if date == SPRING:
            first = {roster.name: query(folder, f"SELECT * FROM {roster.name}") for roster in ROSTERS}
            columns = {
                roster.name: [name for name, *_ in query(folder, f"DESCRIBE {roster.name}")] for roster in ROSTERS
            }
            ledger = dict(query(folder, "SELECT name, category FROM suspected_dropouts"))
        elif date == A_MONTH_LATER:
            overdue = dict(query(folder, "SELECT name, days_overdue FROM confirmation_due"))
    return (
        folder,
        {name: [dict(zip(columns[name], row, strict=True)) for row in rows] for name, rows in first.items()},
        ledger,
        overdue,
    )


@pytest.fixture
def rosters(nights):
    return nights[1]


def names(rows):
    return {row["name"] for row in rows}


def test_every_roster_is_commented_with_the_document_that_asks_for_it(nights):
    comments = dict(query(nights[0], "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"))

    assert all(roster.source in comments[roster.name] for roster in ROSTERS)


def test_every_roster_has_exactly_the_columns_it_says(nights):
    for roster in ROSTERS:
        found = [name for name, *_ in query(nights[0], f"DESCRIBE {roster.name}")]
        assert found == [field.name for field in roster.fields], roster.name


def test_children_are_enrolled_not_enrolled_or_to_be_looked_at_and_never_two(rosters):
    enrolled, unenrolled, review = (
        names(rosters[name]) for name in ("enrolment_roster", "unenrolled_roster", "review_roster")
    )

    assert {"在读第一", "外出弟弟", "随迁来的"} <= enrolled
    assert {"没有学籍", "连缺六天", "请长假的"} <= unenrolled
    assert review == {"学籍死亡"}
    assert not enrolled & unenrolled
    assert not (enrolled | unenrolled) & review


def test_disabled_children_with_kind_level_and_placement(rosters):
    found = {
        row["name"]: (row["in_register"], row["disability_kind"], row["disability_placement"])
        for row in rosters["disabled_children"]
    }

    assert found == {"残联登记": (True, "听力", "随班就读"), "学籍残疾": (False, None, None)}


def test_left_behind_migrant_and_poor(rosters):
    assert names(rosters["left_behind_children"]) == {"留守在家"}
    assert names(rosters["migrant_children"]) == {"随迁来的", "无证流动"}
    assert names(rosters["poverty_dropouts"]) == {"贫困失学"}


def test_a_household_that_is_gone_is_one_of_which_no_child_is_in_school_here(rosters):
    found = {
        row["household_id"]: (row["children"], row["elsewhere"], row["not_found"], row["went_to"])
        for row in rosters["migrant_households"]
    }

    assert found["户外出"] == (2, 1, 1, "530102")
    assert "户一半" not in found


def test_who_has_no_hukou_is_found_on_either_side(rosters):
    assert {(row["found_in"], row["name"]) for row in rosters["without_hukou"]} == {
        ("student_registry", "无户学生"), ("residents", "无证流动"),
    }  # fmt: skip


def test_programmes_have_a_stock_with_its_office_and_a_follow_up(rosters):
    assert [(row["name"], row["responsible_office"]) for row in rosters["programme_stock"]] == [
        ("在库之人", "民政部门")
    ]
    assert [(row["name"], row["follow_up_until"]) for row in rosters["programme_follow_up"]] == [
        ("出库之人", dt.date(2026, 8, 8))
    ]


def test_the_suspected_ledger_tells_long_leave_and_never_enrolled_apart(nights):
    ledger = nights[2]

    assert (ledger["连缺六天"], ledger["请长假的"], ledger["没有学籍"]) == ("疑似辍学", "长期请假", "失学")
    assert set(ledger.values()) == {"疑似辍学", "长期请假", "失学"}


def test_in_the_harvest_season_who_misses_days_is_watched(rosters):
    assert [(row["name"], row["missed_days"]) for row in rosters["seasonal_watch_roster"]] == [("连缺六天", 6)]


def test_after_more_than_a_month_a_suspicion_is_due_for_confirmation(nights):
    assert nights[1]["confirmation_due"] == []
    assert nights[3]["没有学籍"] == 1


def test_youths_go_on_to_the_lists_for_their_age(nights, rosters):
    assert {(row["name"], row["age_today"]) for row in rosters["compensatory_education"]} == {
        ("十四岁的", 14),
        ("十五岁半", 15),
    }
    assert rosters["skills_training"] == []

    # In September who is sixteen is past school age: the case closes on the birth date, and the child goes on to the next list.
    found = query(nights[0], "SELECT name, age_today, last_status, closing_reason, closed_on FROM skills_training")
    assert found == [("十五岁半", 16, "unenrolled", "over_age", NEXT_YEAR)]
    [(evidence, source)] = query(nights[0], "SELECT evidence, source FROM case_events WHERE event = 'closed_over_age'")
    assert "2010-06-12" in evidence
    assert source.startswith("population:")
    assert query(nights[0], "SELECT count(*) FROM school_age_children WHERE name IN ('十五岁半', '在学到底')") == [(0,)]
