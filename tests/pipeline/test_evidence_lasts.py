"""What a source said last holds while it does not come, and what struck a child off closes its case though its row left with it."""

import datetime as dt

import pytest

from tests.pipeline.micro import COUNTY, County
from tests.pipeline.nights import query, run_night

FIRST, SECOND, THIRD, FOURTH, MONDAY = (dt.date(2026, 11, day) for day in (18, 19, 20, 21, 23))
ASKED = ("identity", "matching", "status", "ledgers")
"""The other gates speak of how much came, and half of what comes here is left out."""
TOWN, OTHER = "3153290101", "3153290102"


def statuses(folder):
    return dict(query(folder, "SELECT name, status || ' ' || status_reason FROM school_age_children"))


# -- a night without the headcount -----------------------------------------------------------------------------------


EXPECTED = {
    "到校甲": "enrolled live_enrolment",
    "两校其一": "enrolled live_enrolment",
    "缺勤后到校": "enrolled live_enrolment",
    "缺勤未到校": "suspected absent",
    "登记休学到校": "enrolled live_enrolment",
    "状态不明到校": "enrolled live_enrolment",
    "清点不在": "suspected not_in_headcount",
    "无学籍号": "enrolled live_enrolment",
    "无学籍号同名": "enrolled live_enrolment",
    "换号前清点": "enrolled live_enrolment",
}


def registers(date, *, with_headcount):
    """Pupils of two schools, some absent early in November, and the headcount of the thirteenth."""
    c = County(date)
    counted = {"counted_on": "20261113"}

    def present(who, school=TOWN, **cells):
        c.add("in_school", **{"student_number": who["student_number"], "school_code": school, "present": "1", **counted, **cells})  # fmt: skip

    def missed(who):
        for day in ("20261109", "20261110", "20261111", "20261112"):
            c.add("absences", student_number=who["student_number"], school_code=TOWN, absent_on=day, kind="无故")

    c.pupil(who := c.person("到校甲"))
    present(who)
    c.pupil(who := c.person("两校其一"))
    c.pupil(who, school=OTHER, student_number="L" + who["id_number"])
    present(who)
    c.pupil(who := c.person("缺勤后到校"))
    missed(who)
    present(who)
    c.pupil(who := c.person("缺勤未到校"))
    missed(who)
    present(who, present="0", counted_on="20261101")
    c.pupil(who := c.person("登记休学到校"), status="02", status_date="20261001")
    present(who)
    c.pupil(who := c.person("状态不明到校"), status="")
    present(who)
    c.pupil(who := c.person("清点不在"), school=OTHER)
    c.pupil(someone := c.person("到校乙"), school=OTHER)
    present(someone, school=OTHER)
    c.pupil(c.person("无学籍号"), student_number="")
    c.pupil(c.person("无学籍号同名"), student_number="")
    c.add(
        "in_school", student_number="L53290120160312001X", name="无学籍号同名", school_code=TOWN, present="1", **counted
    )
    c.pupil(who := c.person("换号前清点"))
    c.add(
        "in_school", student_number="L53290120160312002X", name="换号前清点", school_code=TOWN, present="1", **counted
    )
    c.add("approvals", name="某某", kind="免学", from_date="20200101", to_date="20200102", birth_date="20100101")
    if not with_headcount:
        del c.rows["in_school"]
    return c


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lasting") / "home"
    seen = []
    for date, with_headcount in ((FIRST, True), (SECOND, False), (THIRD, True)):
        registers(date, with_headcount=with_headcount).write(folder)
        run_night(folder, date, gates=ASKED)
        seen.append({name: said for name, said in statuses(folder).items() if name in EXPECTED})
    return folder, seen


def test_presence_is_told_by_number_or_else_by_school_and_name(nights):
    _, (first, *_) = nights

    assert first == EXPECTED


def test_a_night_without_the_headcount_changes_nobody(nights):
    folder, (_, second, third) = nights

    assert second == EXPECTED
    assert third == EXPECTED
    assert query(folder, "SELECT count(*) FROM case_events WHERE version > 1") == [(0,)]


# -- a night on which a source comes, and not all of it --------------------------------------------------------------


def counted_on(date):
    """A headcount a school, the first of the thirteenth: a school that counts again, one that sends nothing, one that sends an older one."""
    c = County(date)
    again, silent, older = "3153290104", "3153290105", "3153290106"
    for name, school in (("又清点到", again), ("学校未再报", silent), ("报的是旧表", older)):
        c.pupil(who := c.person(name), school=school)
        c.pupil(someone := c.person(f"{name}同学"), school=school)
        if date == FIRST:
            c.add(
                "in_school",
                student_number=someone["student_number"],
                school_code=school,
                counted_on="20261113",
                present="1",
            )
        elif school != silent:
            day = "20261118" if school == again else "20261106"
            for pupil in (who, someone):
                c.add(
                    "in_school", student_number=pupil["student_number"], school_code=school, counted_on=day, present="1"
                )
    c.pupil(who := c.person("长假未再报"), school="3153290107")
    c.add(
        "in_school", student_number=who["student_number"], school_code="3153290107", counted_on="20261113", present="1"
    )
    if date == FIRST:
        c.add("absences", student_number=who["student_number"], school_code="3153290107", absent_on="20261117", kind="病假",
              leave_from="20261101", leave_to="20261220")  # fmt: skip
    for name, crossings in (("出境未归", ()), ("出境已归", ("20261110",)), ("此前入境", ("20260801",))):
        who = c.person(name)
        if date == FIRST:
            c.add(
                "exit_entry",
                id_number=who["id_number"],
                name=name,
                birth_date=who["birth_date"],
                direction="1",
                crossed_on="20260901",
            )
        for day in crossings if date != FIRST else ():
            c.add(
                "exit_entry",
                id_number=who["id_number"],
                name=name,
                birth_date=who["birth_date"],
                direction="2",
                crossed_on=day,
            )
    c.pupil(c.person("转出后除名"), status="10" if date == FIRST else "03")
    c.pupil(who := c.person("清点不在另有在读"), school=silent)
    if date != FIRST:
        c.pupil(who, school=OTHER, status_date="20261101", student_number="L" + who["id_number"])
    c.pupil(who := c.person("休学另有在读"), status="02", status_date="20260901")
    if date != FIRST:
        c.pupil(who, school=OTHER, status_date="20260902", student_number="L" + who["id_number"])
    c.pupil(who := c.person("休学清点到"), status="02", status_date="20260901", school=again)
    if date != FIRST:
        c.add("in_school", student_number=who["student_number"], school_code=again, counted_on="20261118", present="1")
    c.add("approvals", name="某某", kind="免学", from_date="20200101", to_date="20200102", birth_date="20100101")
    return c


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts") / "home"
    seen = []
    for date in (FIRST, SECOND):
        counted_on(date).write(folder)
        run_night(folder, date, gates=ASKED)
        seen.append({name: said for name, said in statuses(folder).items() if not name.endswith("同学")})
    return folder, seen


def test_the_last_headcount_of_a_school_stands_until_it_sends_a_later_one(parts):
    _, (first, second) = parts
    names = ("又清点到", "学校未再报", "报的是旧表")

    assert {first[name] for name in names} == {"suspected not_in_headcount"}
    assert [second[name].split()[0] for name in names] == ["enrolled", "suspected", "suspected"]


def test_a_long_leave_stands_while_no_absences_come_though_an_earlier_headcount_showed_the_pupil(parts):
    _, (first, second) = parts

    assert [night["长假未再报"] for night in (first, second)] == ["suspected long_leave"] * 2


def test_an_absence_stands_until_its_own_school_reports_again_by_whichever_code(tmp_path):
    """The school of one pupil has another code in its reports than in the registry."""
    renamed, silent = "3153290108", "3153290110"
    for date in (FIRST, SECOND, THIRD):
        c = County(date)
        for name, school, known_as in (
            ("本校再报", TOWN, TOWN),
            ("换码再报", "3153290109", renamed),
            ("未再报", silent, silent),
        ):
            c.pupil(who := c.person(name), school=school)
            c.pupil(other := c.person(f"{name}同学"), school=school)
            days = {FIRST: ("20261116", "20261117", "20261118"), THIRD: ("20261120",)}.get(date, ())
            if date == FIRST or known_as != silent:
                for missed in days:
                    c.add("absences", student_number=(who if date == FIRST else other)["student_number"], school_code=known_as,
                          absent_on=missed, kind="无故")  # fmt: skip
        c.pupil(who := c.person("别校学生"), school=OTHER)
        c.add("absences", student_number=who["student_number"], school_code=OTHER, absent_on="20261118", kind="病假")
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        seen = {name: said for name, said in statuses(tmp_path).items() if name.endswith("再报")}
        assert seen["未再报"] == "suspected absent"
        assert set(seen.values()) == {"suspected absent"} or date == THIRD

    assert (seen["本校再报"], seen["换码再报"]) == ("enrolled live_enrolment", "enrolled live_enrolment")


def test_days_missed_add_up_over_nights_on_which_a_school_sends_only_the_new_one(tmp_path):
    """One misses the eighteenth, the nineteenth and the twentieth, one comes back between, one misses the Monday after too; the weekend is no school."""
    missed = {
        FIRST: ("连日缺勤", "中间到校"),
        SECOND: ("连日缺勤",),
        THIRD: ("连日缺勤", "中间到校"),
        MONDAY: ("连日缺勤", "中间到校"),
    }
    seen = []
    for date, absent in missed.items():
        c = County(date)
        for name in ("连日缺勤", "中间到校", "在读"):
            c.pupil(who := c.person(name))
            kind = "无故" if name in absent else "事假" if name == "在读" else None
            if kind:
                c.add("absences", student_number=who["student_number"], school_code=TOWN, absent_on=f"{date:%Y%m%d}", kind=kind)  # fmt: skip
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        seen.append(statuses(tmp_path))

    assert [night["连日缺勤"].split()[0] for night in seen] == ["enrolled", "enrolled", "suspected", "suspected"]
    assert {night["中间到校"] for night in seen} == {"enrolled live_enrolment"}
    assert query(tmp_path, "SELECT event, count(*) FROM case_events GROUP BY event") == [("opened", 1)]


def test_who_is_abroad_is_so_until_a_later_crossing_inward(parts):
    _, (first, second) = parts
    names = ("出境未归", "出境已归", "此前入境")

    assert {first[name] for name in names} == {"departed abroad"}
    assert [second[name] for name in names] == ["departed abroad", "unenrolled no_record", "departed abroad"]


def test_who_was_answered_to_be_abroad_is_not_after_a_later_crossing_inward(tmp_path):
    for date in (FIRST, SECOND, THIRD):
        c = County(date)
        for name in ("答复出国", "出国又回"):
            who = c.person(name)
            if date == SECOND:
                [(case,)] = query(
                    tmp_path,
                    f"SELECT case_id FROM cases JOIN school_age_children USING (child_id) WHERE name = '{name}'",
                )
                c.add("verifications", case_id=case, result="出国(境)", verified_on="20261118", evidence="出境记录")
            if date == THIRD and name == "出国又回":
                c.add(
                    "exit_entry",
                    id_number=who["id_number"],
                    name=name,
                    birth_date=who["birth_date"],
                    direction="2",
                    crossed_on="20261119",
                )
        c.pupil(c.person("在读"))
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        if date == SECOND:
            assert statuses(tmp_path)["出国又回"] == "departed verified_departed"

    assert statuses(tmp_path) == {
        "答复出国": "departed verified_departed",
        "出国又回": "unenrolled no_record",
        "在读": "enrolled live_enrolment",
    }
    assert query(tmp_path, "SELECT name, k.reopened FROM cases k JOIN school_age_children USING (child_id) ORDER BY name") == [
        ("出国又回", 1), ("答复出国", 0),
    ]  # fmt: skip


def test_an_answer_that_closes_stands_until_something_later_speaks_against_it(tmp_path):
    """A child is missing from the headcount of the thirteenth, or at 02 without an approval: the answer knew that."""
    answers = {"外省就读": "省外就读无学籍", "休学随班": "随班就读"}
    for date in (FIRST, SECOND, THIRD):
        c = County(date)
        c.pupil(there := c.person("到校的"))
        c.pupil(away := c.person("外省就读"))
        c.pupil(c.person("休学随班"), status="02", status_date="20260901")
        c.add("in_school", student_number=there["student_number"], school_code=TOWN, counted_on="20261113", present="1")
        if date == THIRD:
            for who, present in ((there, "1"), (away, "0")):
                c.add(
                    "in_school",
                    student_number=who["student_number"],
                    school_code=TOWN,
                    counted_on="20261120",
                    present=present,
                )
        c.add("approvals", name="某某", kind="免学", from_date="20200101", to_date="20200102", birth_date="20100101")
        cases = "SELECT name, case_id FROM cases JOIN school_age_children USING (child_id)"
        for name, case in query(tmp_path, cases) if date == SECOND else ():
            c.add(
                "verifications",
                case_id=case,
                result=answers[name],
                verified_on="20261118",
                evidence="在读证明",
                placement="随班就读",
            )
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        if date == SECOND:
            assert statuses(tmp_path) == {
                "到校的": "enrolled live_enrolment", "外省就读": "enrolled_elsewhere verified_elsewhere", "休学随班": "enrolled live_enrolment",
            }  # fmt: skip
            assert query(tmp_path, "SELECT DISTINCT state, reopened FROM cases") == [("closed", 0)]

    assert statuses(tmp_path)["外省就读"] == "suspected not_in_headcount"
    assert statuses(tmp_path)["休学随班"] == "enrolled live_enrolment"


def test_a_term_that_a_person_gave_is_not_lengthened_by_an_approval_that_decides_nothing(tmp_path):
    """休学 approved for a year of a child that has no record to suspend: it is the answer that it is on leave, until the day that it says."""
    for date in (FIRST, SECOND):
        c = County(date)
        who = c.person("答复休学")
        c.add(
            "approvals",
            id_number=who["id_number"],
            name="答复休学",
            kind="休学",
            from_date="20260901",
            to_date="20270831",
        )
        if date == SECOND:
            [(case,)] = query(tmp_path, "SELECT case_id FROM cases")
            c.add("verifications", case_id=case, result="休学", verified_on="20261118", until="20261130")
        c.pupil(c.person("在读"))
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)

    assert statuses(tmp_path)["答复休学"] == "on_leave leave_verified"
    assert query(tmp_path, "SELECT state, closing_reason, closed_until FROM cases") == [
        ("closed_until", "休学", dt.date(2026, 11, 30))
    ]


def test_a_status_is_dated_by_its_first_night_whatever_becomes_of_its_reason(parts):
    folder, (first, second) = parts

    assert (first["转出后除名"], second["转出后除名"]) == (
        "suspected transferred_out_not_arrived",
        "suspected registry_says_left",
    )
    since = "SELECT name, status_since FROM school_age_children WHERE name IN ('转出后除名', '又清点到')"
    assert dict(query(folder, since)) == {"转出后除名": FIRST, "又清点到": SECOND}


@pytest.mark.parametrize(
    ("name", "before"),
    [("休学另有在读", "suspected leave_not_approved"), ("清点不在另有在读", "suspected not_in_headcount")],
)
def test_a_case_closes_on_a_new_live_record_at_another_school(parts, name, before):
    folder, (first, second) = parts

    assert (first[name], second[name]) == (before, "enrolled live_enrolment")
    closed = (
        "SELECT k.state, split_part(e.source, ':', 1) FROM school_age_children c JOIN cases k USING (child_id) "
        f"JOIN case_events e ON e.case_id = k.case_id AND e.to_state = 'closed' WHERE c.name = '{name}'"
    )
    assert query(folder, closed) == [("closed", "student_registry")]


def test_a_case_of_a_pupil_on_leave_closes_on_the_headcount_that_shows_it(parts):
    folder, (first, second) = parts

    assert (first["休学清点到"], second["休学清点到"]) == ("suspected leave_not_approved", "enrolled live_enrolment")
    [(words, source)] = query(
        folder,
        "SELECT e.evidence, split_part(e.source, ':', 1) FROM case_events e JOIN cases k USING (case_id) "
        "JOIN school_age_children c USING (child_id) WHERE c.name = '休学清点到' AND e.to_state = 'closed'",
    )
    assert (words, source) == ("清点在校：2026-11-18", "in_school")


def test_a_confirmed_dropout_who_comes_back_from_abroad_is_one_yet(tmp_path):
    """That a case was closed because its child had left says nothing of school: a record of before the answer is no return."""
    seen = []
    for date in (FIRST, SECOND, THIRD):
        c = County(date)
        who = c.person("出国辍学")
        crossed = {"id_number": who["id_number"], "name": who["name"], "birth_date": who["birth_date"]}
        if date == SECOND:
            [(case,)] = query(tmp_path, "SELECT case_id FROM cases")
            c.add("verifications", case_id=case, result="确认辍学", verified_on="20261119")
            c.add("exit_entry", **crossed, direction="1", crossed_on="20260901")
        if date == THIRD:
            c.add("exit_entry", **crossed, direction="2", crossed_on="20261120")
            c.pupil(who, status_date="20260901")
        c.pupil(c.person("在读"))
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        seen.append((statuses(tmp_path)["出国辍学"], *query(tmp_path, "SELECT state, reopened FROM cases")))

    assert seen == [
        ("unenrolled no_record", ("suspected", 0)),
        ("departed abroad", ("closed", 0)),
        ("dropout confirmed_dropped_out", ("suspected", 1)),
    ]


# -- nights without residents ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lodgers(tmp_path_factory):
    """Children who live in another township by 居住证, one from elsewhere; residents come the first night and the fourth."""
    folder = tmp_path_factory.mktemp("lodgers") / "home"
    seen = []
    for date in (FIRST, SECOND, THIRD, FOURTH):
        c = County(date)
        came = date in (FIRST, FOURTH)
        people = {
            name: c.person(name, person_state="2" if name == "迁走户籍" and not came else "0")
            for name in ("住在外镇", "迁走户籍", "无居住证")
        }
        visitor = people["外来归国"] = c.person("外来归国")
        c.rows["population"].pop()
        if came:
            for name in ("住在外镇", "迁走户籍", "外来归国"):
                who = {cell: people[name][cell] for cell in ("id_number", "name", "sex", "birth_date")}
                c.add("residents", **who, household_division_code=COUNTY, division_code=COUNTY, township_name="和平镇", permit_state="有效")  # fmt: skip
        crossing = {FIRST: ("1", "20260901"), SECOND: ("2", "20261118")}.get(date)
        if crossing:
            c.add("exit_entry", id_number=visitor["id_number"], name="外来归国", birth_date=visitor["birth_date"],
                  direction=crossing[0], crossed_on=crossing[1])  # fmt: skip
        c.pupil(c.person("在读"))
        c.write(folder)
        run_night(folder, date, gates=ASKED)
        seen.append(statuses(folder))
    return folder, seen


def test_who_lives_here_by_a_permit_is_counted_by_it_while_residents_do_not_come(lodgers):
    _, nights = lodgers

    assert [night["迁走户籍"] for night in nights] == ["unenrolled no_record"] * 4
    assert [night["外来归国"] for night in nights] == ["departed abroad"] + ["unenrolled no_record"] * 3
    assert {len(night) for night in nights} == {5}


def test_a_case_is_not_handed_over_nor_closed_because_residents_did_not_come(lodgers):
    folder, _ = lodgers
    events = "SELECT c.name, string_agg(e.event || ' ' || e.responsible, ', ' ORDER BY e.sequence) FROM case_events e JOIN cases k USING (case_id) JOIN school_age_children c USING (child_id) GROUP BY ALL"

    assert dict(query(folder, events)) == {
        "住在外镇": "opened 和平镇",
        "迁走户籍": "opened 和平镇",
        "无居住证": "opened 幸福镇",
        "外来归国": "opened 和平镇",
    }


# -- children who leave the population side ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gone(tmp_path_factory):
    """Children without an enrolment, who have left the second night, each with what says why."""
    folder = tmp_path_factory.mktemp("gone") / "home"
    for date in (FIRST, SECOND):
        c = County(date)
        people = {
            name: c.person(name)
            for name in ("死亡注销", "号码有误", "出国", "重户一", "重户二", "重户外县", "重户未留", "另一同名", "查无")
        }
        for who in people.values():
            if who["name"] == "重户二":
                c.pupil(who)
        if date == SECOND:
            left = ("死亡注销", "号码有误", "出国", "查无")
            c.rows["population"] = [row for row in c.rows["population"] if row["name"] not in left]
            who = people["死亡注销"]
            struck = {"kind": "死亡", "occurred_on": "20261118", "birth_date": who["birth_date"]}
            c.add("deregistrations", id_number=who["id_number"], name=who["name"], **struck)
            c.add("deregistrations", id_number="", name="号码有误", **struck)
            c.add("deregistrations", id_number=people["重户一"]["id_number"], name="重户一", kind="重户", occurred_on="20261118",
                  kept_id_number=people["重户二"]["id_number"])  # fmt: skip
            c.add("deregistrations", id_number=people["重户外县"]["id_number"], name="重户外县", kind="重户", occurred_on="20261118",
                  kept_id_number="11010519491231002X")  # fmt: skip
            c.add(
                "deregistrations",
                id_number=people["重户未留"]["id_number"],
                name="重户未留",
                kind="重户",
                occurred_on="20261118",
            )
            who = people["出国"]
            c.add("exit_entry", name=who["name"], sex="1", birth_date=who["birth_date"], id_number=who["id_number"], direction="出",
                  crossed_on="20260901", destination="缅甸")  # fmt: skip
        c.write(folder)
        run_night(folder, date, gates=ASKED)
    return folder


def test_what_struck_a_child_off_is_its_reason_though_its_row_left_with_it(gone):
    assert statuses(gone) == {
        "死亡注销": "departed struck_off",
        "号码有误": "departed struck_off",
        "出国": "departed abroad",
        "重户一": "departed duplicate_registration",
        "重户二": "enrolled live_enrolment",
        "重户外县": "departed struck_off",
        "重户未留": "departed struck_off",
        "另一同名": "unenrolled no_record",
        "查无": "departed no_longer_live",
    }


def test_its_case_closes_on_the_row_that_says_so_and_never_on_its_going(gone):
    closed = query(
        gone,
        "SELECT c.name, k.state, e.source FROM school_age_children c JOIN cases k USING (child_id) "
        "LEFT JOIN case_events e ON e.case_id = k.case_id AND e.to_state = 'closed' ORDER BY 1",
    )

    assert {name: (state, source and source.split(":")[0]) for name, state, source in closed} == {
        "死亡注销": ("closed", "deregistrations"),
        "号码有误": ("closed", "deregistrations"),
        "出国": ("closed", "exit_entry"),
        "重户一": ("closed", "population"),
        "重户外县": ("closed", "deregistrations"),
        "重户未留": ("closed", "deregistrations"),
        "另一同名": ("suspected", None),
        "查无": ("suspected", None),
    }


def test_whether_a_child_is_disabled_is_always_said(nights):
    folder, _ = nights

    assert query(folder, "SELECT DISTINCT disabled FROM school_age_children") == [(False,)]


# -- a quiet night ---------------------------------------------------------------------------------------------------


def test_what_is_said_again_in_the_same_words_is_not_written_again(tmp_path):
    """Its night is the one that said it first, and its row that of that night, also where the rows have moved since."""
    for date in (FIRST, SECOND, THIRD):
        c = County(date)
        c.pupil(c.person("在校生"))
        who = c.person("延缓生")
        if date == THIRD:
            c.add(
                "approvals", name="某某", kind="免学", from_date="20200101", to_date="20200102", birth_date="20100101"
            )
        c.add("approvals", id_number=who["id_number"], name="延缓生", kind="延缓入学", from_date="20260901", to_date="20270831")  # fmt: skip
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)

    kept = "SELECT valid_from_version, valid_to_version, said_on, source_row FROM evidence_history"
    assert query(tmp_path, kept) == [(1, None, FIRST, 1)]


# -- a child that was not of age when it was said --------------------------------------------------------------------


AUGUST, LATER, SEPTEMBER = dt.date(2026, 8, 25), dt.date(2026, 8, 27), dt.date(2026, 9, 3)
STARTERS = {
    "延缓入学": "deferred deferral_approved",
    "出境幼儿": "departed abroad",
    "外地就读": "unenrolled no_record",  # confirmed in the school year that has ended
    "已过期限": "unenrolled deferral_expired",
    "先出后回": "unenrolled no_record",
}


def starters(date, *, sent):
    """Five-year-olds in August, of age in September, and what was said of them before; a pupil who is of age on both nights."""
    c = County(date)
    c.pupil(c.person("在校生"))
    people = {name: c.person(name, born=f"202008{day}") for day, name in enumerate(STARTERS, start=15)}

    def say(source, name, **cells):
        who = people[name]
        c.add(source, id_number=who["id_number"], name=name, birth_date=who["birth_date"], **cells)

    if sent:
        say("approvals", "延缓入学", kind="延缓入学", from_date="20260801", to_date="20270831")
        say("approvals", "已过期限", kind="延缓入学", from_date="20260801", to_date="20260828")
        say("elsewhere", "外地就读", school_name="外校", confirmed_on="20260820")
        for name in ("出境幼儿", "先出后回"):
            say("exit_entry", name, direction="1", crossed_on="20260601")
        say("exit_entry", "先出后回", direction="2", crossed_on="20260701")
    return c


def test_what_was_said_of_a_child_before_it_was_of_age_holds_when_it_is(tmp_path):
    for date in (AUGUST, LATER, SEPTEMBER):
        starters(date, sent=date == AUGUST).write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        if date == LATER:
            written = "SELECT count(*), max(valid_from_version), max(said_on) FROM waiting_evidence_history"
            assert query(tmp_path, written) == [(5, 1, AUGUST)]

    assert {name: said for name, said in statuses(tmp_path).items() if name in STARTERS} == STARTERS
    assert query(tmp_path, "SELECT DISTINCT said_on FROM evidence") == [(AUGUST,)]
    assert query(tmp_path, "SELECT name FROM waiting_evidence") == []


def test_a_resident_who_comes_of_age_while_residents_do_not_come_is_counted_and_no_younger_one_is_kept(tmp_path):
    for date in (AUGUST, LATER, SEPTEMBER):
        c = County(date)
        for name, born in (("随迁新生", "20200820"), ("随迁幼儿", "20210820"), ("随迁在校", "20150820")):
            who = c.person(name, born=born)
            c.rows["population"].pop()
            if date == AUGUST:
                cells = {cell: who[cell] for cell in ("id_number", "name", "sex", "birth_date")}
                c.add("residents", **cells, household_division_code="510104", division_code=COUNTY, township_name="和平镇", guardian_phone="13900000000", permit_state="有效")  # fmt: skip
        c.pupil(c.person("在校生"))
        c.write(tmp_path)
        run_night(tmp_path, date, gates=ASKED)
        if date == LATER:
            kept = "SELECT name, township_name, guardian_phone, valid_from_version FROM waiting_residents_history"
            assert query(tmp_path, kept) == [("随迁新生", "和平镇", "13900000000", 1)]
            assert "随迁新生" not in statuses(tmp_path)

    assert statuses(tmp_path) == {
        "在校生": "enrolled live_enrolment",
        "随迁在校": "unenrolled no_record",
        "随迁新生": "unenrolled no_record",
    }
    told = "SELECT population_type, population_row, division_code, township_name FROM school_age_children WHERE name = '随迁新生'"
    assert query(tmp_path, told) == [("resident", None, COUNTY, "和平镇")]
    assert query(tmp_path, "SELECT name FROM waiting_residents") == []
