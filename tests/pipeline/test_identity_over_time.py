"""A child keeps its number, and its case, through everything that registers do to it: corrected, renamed, moved, merged, split."""

import datetime as dt

import pytest

from kcb_pipeline.identity.id_number import check_digit
from tests.pipeline.micro import COUNTY, County
from tests.pipeline.nights import query, run_night

FIRST = dt.date(2026, 11, 18)
SECOND, THIRD = FIRST + dt.timedelta(days=1), FIRST + dt.timedelta(days=2)


def numbered(first17):
    return first17 + check_digit(first17)


def first_night():
    c = County(FIRST)
    who = {}
    for name in (
        "改证号的",
        "改姓名的",
        "迁了户的",
        "全都改的",
        "迁户改号",
        "并入之人",
        "留下之人",
        "又回来的",
        "不动的人",
        "被收养的",
    ):
        who[name] = c.person(name, household_id=f"户{name}")
    permitted = c.person("只剩居住")
    permit = {name: permitted[name] for name in ("id_number", "name", "sex", "birth_date")}
    c.add("residents", **permit, household_division_code=COUNTY, division_code=COUNTY, permit_state="有效")
    for name in ("孪生阿大", "孪生阿二"):
        who[name] = c.person(name, born="20150606", household_id="户孪生", father_name="父孪生")
    for n in range(2):  # same name, birth date and sex, of two families
        c.person("同名同日", household_id=f"户同名{n}", township_name=f"同名{n}镇")
    for n in range(2):
        c.person("随父搬家", household_id=f"户随父{n}", township_name=f"随父{n}镇", father_name=f"父{'甲乙'[n]}")
    # One child in two rows with one father: one person, a finding.
    kept = c.person(
        "两处户口", household_id="户一", father_name="父两处", father_id_number=numbered("53290119880505001")
    )
    c.person(
        "两处户口",
        household_id="户二",
        father_name="父两处",
        father_id_number=numbered("53290119880505001"),
        updated_at="20250101",
    )
    who["两处户口"] = kept
    for name in ("在读改号", "在读收养", "农历改正"):  # enrolled under the number of before
        c.pupil(c.person(name, born="20150408", household_id=f"户{name}"))
    deferred = c.person("缓学改号", born="20200408", household_id="户缓学")
    c.add(
        "approvals",
        id_number=deferred["id_number"],
        name="缓学改号",
        kind="延缓入学",
        from_date="20260901",
        to_date="20270831",
    )
    # Enrolled, so that the matching has something to learn from.
    for n in range(12):
        pupil = c.person(f"在读第{'一二三四五六七八九十甲乙'[n]}", born=f"2016010{n % 9 + 1}")
        c.pupil(pupil)
    return c, who


def row(county, name, nth=0):
    return [row for row in county.rows["population"] if row["name"] == name][nth]


def second_night(c, who):
    c = County(SECOND, {source: [dict(row) for row in rows] for source, rows in c.rows.items()})
    row(c, "改证号的")["id_number"] = numbered("53290120160312555")
    row(c, "改姓名的").update({"former_name": "改姓名的", "name": "新名字"})
    row(c, "迁了户的").update({"household_id": "户新", "township_code": "532901102", "township_name": "新迁镇"})
    row(c, "全都改的").update({"id_number": numbered("53290120160401557"), "birth_date": "20160401"})
    moved = {
        "household_id": "户又",
        "id_number": numbered("53290120160312559"),
        "township_code": "532901102",
        "township_name": "新迁镇",
    }
    row(c, "迁户改号").update(moved)
    for name, number in (("被收养的", "53290120160312571"), ("在读收养", "53290120150408573")):
        family = {
            "household_id": f"户养{name}",
            "father_name": f"养父{name}",
            "father_id_number": "",
            "address": "别处",
        }
        row(c, name).update({"former_name": name, "name": f"养家{name[0]}", "id_number": numbered(number), **family})
    row(c, "在读改号").update({"id_number": numbered("53290120140408575"), "birth_date": "20140408"})
    row(c, "农历改正").update({"id_number": numbered("53290120140922575"), "birth_date": "20140922"})
    row(c, "缓学改号").update({"id_number": numbered("53290120190408577"), "birth_date": "20190408"})
    row(c, "孪生阿二")["id_number"] = numbered("53290120150606553")
    for n in range(2):  # the row of before is still there, under the number of before
        old = row(c, "同名同日", n)
        new = {"id_number": numbered(f"5329012016031266{n}"), "household_id": f"户搬{n}", "guardian_name": f"奶奶{n}"}
        c.rows["population"].append({**old, **new})
        old["record_flag"] = "0"
    for n in range(2):  # nothing but the father's name is as it was
        new = {"id_number": numbered(f"5329012016031267{n}"), "household_id": f"户搬家{n}"}
        row(c, "随父搬家", n).update(new)
    gone = row(c, "并入之人")
    c.rows["population"].remove(gone)
    c.add(
        "deregistrations", id_number=gone["id_number"], name=gone["name"], kind="重户", occurred_on="20261119", reversal_flag="0",
        kept_id_number=row(c, "留下之人")["id_number"],
    )  # fmt: skip
    # The second row was another child all along.
    row(c, "两处户口", 1).update(
        {"name": "别家孩子", "birth_date": "20160313", "father_name": "父别家", "father_id_number": ""}
    )
    c.rows["population"] = [row for row in c.rows["population"] if row["name"] not in ("又回来的", "只剩居住")]
    c.rows["residents"][0]["permit_state"] = "失效"
    return c


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    first, who = first_night()
    second = second_night(first, who)
    third = County(THIRD, {source: [dict(row) for row in rows] for source, rows in second.rows.items()})
    third.rows["population"].append(dict(row(first, "又回来的")))
    for county in (first, second, third):
        county.write(folder)
        run_night(folder, county.date)
    return folder


def numbers(folder, version):
    return dict(query(folder, f"SELECT name, child_id FROM school_age_children_as_of({version})"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("改证号的", "改证号的"),
        ("改姓名的", "新名字"),
        ("迁了户的", "迁了户的"),
        ("全都改的", "全都改的"),
        ("迁户改号", "迁户改号"),
        ("孪生阿大", "孪生阿大"),
        ("孪生阿二", "孪生阿二"),
        ("留下之人", "留下之人"),
        ("两处户口", "两处户口"),
        ("不动的人", "不动的人"),
        ("被收养的", "养家被"),
        ("又回来的", "又回来的"),
    ],
)
def test_a_child_keeps_its_number_and_its_case(nights, before, after):
    first, last = numbers(nights, 1), numbers(nights, 3)

    assert last[after] == first[before]
    assert query(nights, f"SELECT reopened, state, opened_version FROM cases WHERE child_id = '{last[after]}'") == [
        (0, "suspected", 1)
    ]


@pytest.mark.parametrize(
    "name", ["同名同日", "随父搬家"], ids=["by the number of an earlier row", "by the guardian's name"]
)
def test_namesakes_are_told_apart_though_both_have_new_numbers(nights, name):
    def by_township(version):
        asked = f"SELECT township_name, child_id FROM school_age_children_as_of({version}) WHERE name = '{name}'"
        return sorted(query(nights, asked))

    assert len(by_township(1)) == 2
    assert by_township(3) == by_township(1)


def test_a_case_goes_with_its_child_to_the_township_it_moved_to(nights):
    child = numbers(nights, 3)["迁了户的"]

    assert query(nights, f"SELECT responsible FROM cases WHERE child_id = '{child}'") == [("新迁镇",)]
    [(event, evidence)] = query(
        nights,
        f"SELECT event, evidence FROM case_events e JOIN cases k USING (case_id) WHERE k.child_id = '{child}' AND e.version = 2",
    )
    assert event == "handed_over"
    assert "幸福镇" in evidence
    assert "新迁镇" in evidence


def test_a_merged_child_departs_its_case_closes_on_the_row_that_was_kept_and_lineage_says_so(nights):
    first = numbers(nights, 1)
    gone, kept = first["并入之人"], first["留下之人"]

    assert query(nights, f"SELECT status, status_reason FROM school_age_children WHERE child_id = '{gone}'") == [
        ("departed", "duplicate_registration")
    ]
    [(state, evidence, source)] = query(
        nights,
        f"SELECT k.state, k.closing_evidence, e.source FROM cases k JOIN case_events e USING (case_id) "
        f"WHERE k.child_id = '{gone}' AND e.event = 'closed_by_evidence'",
    )
    [(row_number,)] = query(
        nights, f"SELECT population_row FROM school_age_children_as_of(2) WHERE child_id = '{kept}'"
    )
    assert state == "closed"
    assert kept in evidence
    assert source == f"population:{row_number}"
    assert (kept, gone, "merged", 2) in query(nights, "SELECT * FROM child_lineage")


def test_a_child_split_off_is_a_new_one_with_its_lineage(nights):
    kept = numbers(nights, 1)["两处户口"]
    new = numbers(nights, 2)["别家孩子"]

    assert new != kept
    twice = f"SELECT count(*) FROM {{}} WHERE child_id = '{kept}'"
    assert query(nights, twice.format("duplicate_persons_as_of(1)")) == [(1,)]
    assert query(nights, twice.format("duplicate_persons")) == [(0,)]
    assert (new, kept, "split", 2) in query(nights, "SELECT * FROM child_lineage")


def test_lineage_says_nothing_of_anybody_else(nights):
    assert len(query(nights, "SELECT * FROM child_lineage")) == 2


def test_a_child_that_is_gone_from_the_register_keeps_its_case_open(nights):
    """It is nobody's evidence that a row is not there: the case stays, and goes on when the child is there again."""
    child = numbers(nights, 1)["又回来的"]

    assert query(
        nights, f"SELECT status, status_reason FROM school_age_children_as_of(2) WHERE child_id = '{child}'"
    ) == [("departed", "no_longer_live")]
    assert query(nights, f"SELECT state FROM cases_as_of(2) WHERE child_id = '{child}'") == [("suspected",)]
    assert query(nights, f"SELECT status FROM school_age_children WHERE child_id = '{child}'") == [("unenrolled",)]


def test_a_child_of_whom_nothing_but_a_row_of_the_other_register_is_left_is_shown_by_that_row(nights):
    child = numbers(nights, 1)["只剩居住"]

    assert query(
        nights,
        f"SELECT name, population_type, population_row, status FROM school_age_children_as_of(2) WHERE child_id = '{child}'",
    ) == [("只剩居住", "resident", 1, "departed")]


def test_yesterday_can_be_asked_for_by_its_date_and_what_changed_is_named(nights):
    assert query(
        nights, f"SELECT version_on(DATE '{FIRST}'), version_on(DATE '{THIRD}' + 40), version_on(DATE '2020-01-01')"
    ) == [(1, 3, None)]
    assert query(
        nights, f"SELECT count(*) FROM school_age_children_as_of(version_on(DATE '{FIRST}')) WHERE name = '改姓名的'"
    ) == [(1,)]
    child = numbers(nights, 1)["迁了户的"]
    [(change, columns)] = query(
        nights,
        f"SELECT change, changed_columns FROM ledger_changes(1, 2) WHERE ledger = 'school_age_children' AND child_id = '{child}'",
    )
    assert (change, set(columns)) == ("changed", {"household_id", "township_code", "township_name"})


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ("在读改号", "在读改号", "enrolled live_enrolment"),
        ("在读收养", "养家在", "enrolled live_enrolment"),
        ("农历改正", "农历改正", "enrolled live_enrolment"),
        ("缓学改号", "缓学改号", "deferred deferral_approved"),
    ],
)
def test_what_is_said_under_the_number_of_before_is_still_of_the_child(nights, before, after, status):
    said = "SELECT child_id, status || ' ' || status_reason FROM school_age_children_as_of({}) WHERE name = '{}'"
    [first] = query(nights, said.format(1, before))

    for version in (2, 3):  # on the third night the version before knows the new number only
        assert query(nights, said.format(version, after)) == [first]
    assert first[1] == status


def test_so_is_what_is_said_under_the_name_or_the_student_number_of_before(tmp_path):
    """For offices and schools that go on under those: the register without 曾用名, a temporary student number that gave way to a formal one."""
    school = "3153290101"
    said = []
    for date in (FIRST, SECOND, THIRD):
        c = County(date)
        is_corrected = date != FIRST
        special = c.person("司马春花" if is_corrected else "王小明")
        c.add(
            "disability_register",
            id_number=special["id_number"],
            name="王小明",
            kind="智力",
            level="2",
            placement="特教学校",
        )
        for name, number in (("清点到的", "L532901201603120011"), ("缺勤的", "L532901201603120022")):
            who = c.person(name)
            c.pupil(who, school=school, student_number=who["student_number"] if is_corrected else number)
            if name == "清点到的":
                c.add("in_school", student_number=number, school_code=school, counted_on="20261113", present="1")
            for day in ("20261116", "20261117", "20261118") if name == "缺勤的" else ():
                c.add("absences", student_number=number, school_code=school, absent_on=day, kind="无故")
        c.write(tmp_path)
        run_night(tmp_path, date, gates=("identity", "matching", "status", "ledgers"))
        said.append(query(tmp_path, "SELECT child_id, status_reason FROM school_age_children ORDER BY status_reason"))

    assert [reason for _, reason in said[0]] == ["absent", "live_enrolment", "special_school"]
    assert said[1:] == [said[0]] * 2
