"""The contract's rules of status, each with a child who shows it, through a whole night of `kcb`."""

import datetime as dt

import pytest

from tests.pipeline.conftest import Home
from tests.pipeline.micro import COUNTY, County

D = dt.date(2026, 11, 19)  # a Thursday
SCHOOL_DAYS = ["20261117", "20261118", "20261119"]


def day(text):
    return dt.date.fromisoformat(text)


def short(who):
    """The child's number without century and check character."""
    return who["id_number"][:6] + who["id_number"][8:17]


def full_width(text):
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def first(c):
    """Everything of the first night; child name → (status, reason)."""
    expected = {}

    def child(name, status, reason, **cells):
        expected[name] = (status, reason)
        return c.person(name, **cells)

    c.pupil(child("在读甲", "enrolled", "live_enrolment"))
    c.pupil(child("外县在读", "enrolled", "live_enrolment"), school_division_code="532902", school="3153290201")
    # 1 departed
    c.pupil(who := child("死亡注销", "departed", "struck_off"))
    c.add(
        "deregistrations",
        id_number=who["id_number"],
        name=who["name"],
        kind="死亡",
        occurred_on="20261001",
        reversal_flag="0",
    )
    c.pupil(who := child("注销又恢复", "enrolled", "live_enrolment"))
    c.add(
        "deregistrations",
        id_number=who["id_number"],
        name=who["name"],
        kind="死亡",
        occurred_on="20261001",
        reversal_flag="1",
    )
    c.pupil(child("学籍出国", "departed", "registry_abroad"), status="出国")
    who = child("出境未归", "departed", "abroad")
    c.add(
        "exit_entry",
        name=who["name"],
        sex="1",
        birth_date=who["birth_date"],
        id_number=who["id_number"],
        direction="出",
        crossed_on="20260901",
        destination="缅甸",
    )
    who = child("出境刚走", "unenrolled", "no_record")
    c.add(
        "exit_entry",
        name=who["name"],
        sex="1",
        birth_date=who["birth_date"],
        id_number=who["id_number"],
        direction="1",
        crossed_on="20261110",
        destination="缅甸",
    )
    who = child("出境已归", "unenrolled", "no_record")
    for direction, crossed in (("1", "20260801"), ("2", "20260901")):
        c.add(
            "exit_entry",
            name=who["name"],
            sex="1",
            birth_date=who["birth_date"],
            id_number=who["id_number"],
            direction=direction,
            crossed_on=crossed,
            destination="缅甸",
        )
    c.pupil(who := child("出境有学籍", "enrolled", "live_enrolment"))
    c.add(
        "exit_entry",
        name=who["name"],
        sex="1",
        birth_date=who["birth_date"],
        id_number=who["id_number"],
        direction="1",
        crossed_on="20260701",
        destination="缅甸",
    )
    # 3 special provision
    c.pupil(child("送教上门", "special_provision", "home_teaching"), attendance_mode="送教上门")
    c.pupil(child("特教学校", "special_provision", "special_school"), special_placement="特教学校就读")
    c.pupil(child("特教班里", "special_provision", "special_class"), special_placement="普通学校特教班就读")
    c.pupil(child("随班就读", "enrolled", "live_enrolment"), special_placement="普通学校随班就读")
    who = child("残联安置", "special_provision", "home_teaching")
    c.add(
        "disability_register",
        id_number=who["id_number"],
        name=who["name"],
        kind="肢体",
        level="一级",
        placement="送教上门",
    )
    who = child("批准免学", "special_provision", "exempted")
    c.add(
        "approvals", id_number=who["id_number"], name=who["name"], kind="免学", from_date="20260901", to_date="20270831"
    )
    c.pupil(who := child("专门教育", "special_provision", "specialised_education"))
    c.add(
        "support_programmes",
        id_number=who["id_number"],
        name=who["name"],
        programme="专门教育",
        level="严重",
        entered_on="20261001",
    )
    c.pupil(who := child("出了专门", "enrolled", "live_enrolment"))
    c.add(
        "support_programmes",
        id_number=who["id_number"],
        name=who["name"],
        programme="专门教育",
        level="严重",
        entered_on="20260101",
        left_on="20260801",
    )
    # 4 completed
    c.pupil(child("初中毕业", "completed", "graduated", born="20110312"), status="07", grade=9)
    c.pupil(child("高中在读", "completed", "senior_grade", born="20110412"), grade=10)
    # 5 a live enrolment
    c.pupil(who := child("批准休学", "on_leave", "leave_approved"), status="02")
    c.add(
        "approvals", id_number=who["id_number"], name=who["name"], kind="休学", from_date="20260901", to_date="20270228"
    )
    c.pupil(who := child("批准而在读", "on_leave", "leave_approved"))
    c.add(
        "approvals",
        student_number=who["student_number"],
        name=who["name"],
        kind="休学",
        from_date="20260901",
        to_date="20270228",
    )
    for name, resumed_on, said in (
        ("提前复学", "20261020", "enrolled live_enrolment"),
        ("复学无日期", "", "enrolled live_enrolment"),
        ("上次复学", "20240301", "on_leave leave_approved"),
    ):
        c.pupil(who := child(name, *said.split()), status="05", status_date=resumed_on)
        c.add("approvals", id_number=who["id_number"], name=name, kind="休学", from_date="20260901", to_date="20270228")
    c.pupil(child("休学无批", "suspected", "leave_not_approved"), status="02")
    c.pupil(who := child("休学期满", "suspected", "leave_expired"), status="02")
    c.add(
        "approvals", id_number=who["id_number"], name=who["name"], kind="休学", from_date="20250901", to_date="20260831"
    )
    # whom an approval speaks of
    leave = {"kind": "休学", "from_date": "20260901", "to_date": "20270228"}
    c.pupil(who := child("号对名不对", "suspected", "leave_not_approved"), status="02")
    c.add("approvals", id_number=who["id_number"], name="完颜阿骨打", **leave)
    c.pupil(who := child("学号对名不对", "suspected", "leave_not_approved"), status="02")
    c.add(
        "approvals",
        id_number=who["id_number"],
        student_number=who["student_number"],
        name="耶律楚材",
        **leave,
    )
    c.pupil(who := child("号和生日都对", "on_leave", "leave_approved"), status="02")
    c.add("approvals", id_number=who["id_number"], name="完颜阿骨打", birth_date=who["birth_date"], **leave)
    c.pupil(who := child("用曾用名的", "on_leave", "leave_approved", former_name="司马相如"), status="02")
    c.add("approvals", id_number=who["id_number"], name="司马相如", **leave)
    c.pupil(who := child("学籍是别名", "on_leave", "leave_approved"), status="02", name="尼玛扎西")
    c.add("approvals", id_number=who["id_number"], name="尼玛扎西", **leave)
    # 15 places are no usable number: with a birth date the name says who it is, without one the row says nobody
    c.pupil(who := child("十五位和生日", "on_leave", "leave_approved"), status="02")
    c.add("approvals", id_number=short(who), name=who["name"], birth_date=who["birth_date"], **leave)
    c.pupil(who := child("号只十五位", "suspected", "leave_not_approved"), status="02")
    c.add("approvals", id_number=short(who), name=who["name"], **leave)
    c.pupil(who := child("十五位异名", "suspected", "leave_not_approved"), status="02")
    c.add("approvals", id_number=short(who), name="上官婉儿", birth_date=who["birth_date"], **leave)
    c.pupil(who := child("连缺三天", "suspected", "absent"))
    for missed in SCHOOL_DAYS:
        c.add("absences", student_number=who["student_number"], absent_on=missed, kind="无故")
    c.pupil(who := child("缺了两天", "enrolled", "live_enrolment"))
    for missed in SCHOOL_DAYS[1:]:
        c.add("absences", student_number=who["student_number"], absent_on=missed, kind="无故")
    c.pupil(who := child("三天有病", "enrolled", "live_enrolment"))
    for missed in SCHOOL_DAYS:
        c.add("absences", student_number=who["student_number"], absent_on=missed, kind="病假")
    c.pupil(who := child("早已回来", "enrolled", "live_enrolment"))
    for missed in ("20261102", "20261103", "20261104"):
        c.add("absences", student_number=who["student_number"], absent_on=missed, kind="无故")
    c.pupil(who := child("周末相连", "suspected", "absent"), school="3153290105")
    for missed in ("20261113", "20261116", "20261117"):  # Friday, Monday, Tuesday
        c.add("absences", student_number=who["student_number"], absent_on=missed, kind="无故")
    c.pupil(who := child("请长假的", "suspected", "long_leave"))
    c.add(
        "absences",
        student_number=who["student_number"],
        absent_on="20261119",
        kind="事假",
        leave_from="20261101",
        leave_to="20261130",
    )
    c.pupil(who := child("请短假的", "enrolled", "live_enrolment"))
    c.add(
        "absences",
        student_number=who["student_number"],
        absent_on="20261119",
        kind="事假",
        leave_from="20261101",
        leave_to="20261129",
    )
    c.pupil(who := child("清点不在", "suspected", "not_in_headcount"), school="3153290102")
    c.add(
        "in_school", student_number=who["student_number"], school_code="3153290102", counted_on="20261110", present="0"
    )
    c.pupil(child("清点漏了", "suspected", "not_in_headcount"), school="3153290102")
    c.pupil(who := child("清点在校", "enrolled", "live_enrolment"), school="3153290102")
    c.add(
        "in_school", student_number=who["student_number"], school_code="3153290102", counted_on="20261110", present="是"
    )
    c.pupil(who := child("清点用全角", "enrolled", "live_enrolment"), school="3153290102")
    c.add(
        "in_school", student_number=full_width(who["student_number"]), school_code=full_width("3153290102"),
        counted_on="'20261110", present="1",
    )  # fmt: skip
    c.pupil(child("清点后转入", "enrolled", "live_enrolment"), school="3153290102", status_date="20261115")
    c.pupil(who := child("旧的清点", "enrolled", "live_enrolment"), school="3153290103")
    c.add(
        "in_school", student_number=who["student_number"], school_code="3153290103", counted_on="20261001", present="0"
    )
    who = child("双重学籍", "enrolled", "live_enrolment")
    c.pupil(who, school="3153290102")
    c.pupil(who, school="3153290104", student_number="L532901201603120001")
    # 6 a person decides
    c.pupil(child("学籍死亡", "needs_review", "registry_says_dead"), status="11")
    # 7 deferred, 10 deferral expired
    who = child("延缓入学", "deferred", "deferral_approved", born="20200312")
    c.add(
        "approvals",
        id_number=who["id_number"],
        name=who["name"],
        kind="延缓入学",
        from_date="20260901",
        to_date="20270831",
    )
    who = child("缓学期满", "unenrolled", "deferral_expired", born="20190312")
    c.add(
        "approvals",
        name=who["name"],
        birth_date=who["birth_date"],
        kind="延缓入学",
        from_date="20250901",
        to_date="20260831",
    )
    # 8 elsewhere
    who = child("外地就读", "enrolled_elsewhere", "elsewhere_evidence")
    c.add(
        "elsewhere",
        id_number=who["id_number"],
        name=who["name"],
        birth_date=who["birth_date"],
        school_name="昆明小学",
        confirmed_on="20260910",
    )
    who = child("去年外地", "unenrolled", "no_record")
    c.add(
        "elsewhere",
        id_number=who["id_number"],
        name=who["name"],
        birth_date=who["birth_date"],
        school_name="昆明小学",
        confirmed_on="20260310",
    )
    # 9 only dead records
    c.pupil(
        child("小学毕业", "suspected", "primary_graduate_not_in_junior", born="20140312"),
        status="07",
        grade=6,
        status_date="20260701",
    )
    c.pupil(child("转出未到", "suspected", "transferred_out_not_arrived"), status="10", status_date="20260901")
    c.pupil(child("学籍辍学", "suspected", "registry_says_left"), status="辍学", status_date="20260901")
    who = child("转出已到", "enrolled", "live_enrolment")
    c.pupil(who, status="10", status_date="20260830")
    c.pupil(who, school="3153290104", status_date="20260901")
    # 10 nothing
    child("没有学籍", "unenrolled", "no_record")
    # who is counted
    child("满六岁日", "unenrolled", "no_record", born="20200831")
    c.person("差一天的", born="20200901")
    child("十五岁的", "unenrolled", "no_record", born="20100901")
    c.person("超龄的人", born="20100831")
    c.person("已死的人", person_state="1")
    c.person("旧的记录", record_flag="0")
    expected["流动儿童"] = ("unenrolled", "no_record")
    c.add(
        "residents",
        id_number="",
        name="流动儿童",
        sex="2",
        birth_date="20160505",
        household_division_code="510101",
        division_code=COUNTY,
        permit_state="有效",
    )
    c.add(
        "residents",
        id_number="",
        name="失效的人",
        sex="2",
        birth_date="20160506",
        household_division_code="510101",
        division_code=COUNTY,
        permit_state="失效",
    )
    # whose 户籍 moved away and who lives here, and who died since
    for name, kinds, said in (
        ("户籍迁出", ("迁出",), ("unenrolled", "no_record")),
        ("迁出后亡", ("迁出", "死亡"), ("departed", "struck_off")),
    ):
        expected[name] = said
        lives = {"household_division_code": "510101", "division_code": COUNTY, "permit_state": "有效"}
        c.add("residents", id_number="", name=name, sex="1", birth_date="20160507", **lives)
        for kind in kinds:
            c.add("deregistrations", id_number="", name=name, birth_date="20160507", kind=kind, occurred_on="20260901")
    return expected


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("micro"))
    county = County(D)
    expected = first(county)
    county.write(home.folder)
    home.night(D)
    return home, expected, county


def found(home):
    return {
        name: (status, reason)
        for name, status, reason in home.query("SELECT name, status, status_reason FROM school_age_children")
    }


def test_every_situation_has_its_status_and_reason(night):
    home, expected, _ = night
    ours = found(home)

    assert {name: ours.get(name) for name in expected} == expected
    assert set(ours) == set(expected)


def test_an_approval_that_says_nobody_is_accounted_for(night):
    home, *_ = night

    assert home.query("SELECT \"column\", rule FROM quarantined_rows WHERE source = 'approvals'") == [
        (None, "unidentifiable")
    ]


def test_the_second_enrolment_is_a_finding(night):
    home, *_ = night
    [(shown, other)] = home.query("SELECT registry_row, duplicate_registry_row FROM duplicate_enrolments")
    [(row,)] = home.query("SELECT registry_row FROM school_age_children WHERE name = '双重学籍'")

    assert shown == row
    assert other != row


def test_a_case_opens_for_exactly_the_suspected_and_unenrolled(night):
    home, expected, _ = night
    flagged = {name for name, (status, _) in expected.items() if status in ("suspected", "unenrolled")}

    assert {name for (name,) in home.query("SELECT name FROM suspected_dropouts")} == flagged
    assert home.query("SELECT count(*) FROM cases WHERE state = 'suspected'") == [(len(flagged),)]


# -- the nights after, with answers coming back ---------------------------------------------------------------------

ANSWERS = {
    "没有学籍": {"result": "确认失学", "reason": "外出务工", "measure": "宣传教育", "visits": "2"},
    "转出未到": {"result": "省外就读无学籍", "evidence": "就读证明"},
    "学籍辍学": {"result": "确认辍学", "reason": "厌学"},
    "小学毕业": {"result": "失联"},
    "出境刚走": {"result": "查无此人"},
    "出境已归": {"result": "延缓入学", "until": "20261121"},
    "去年外地": {"result": "送教上门", "placement": "送教上门"},
    "十五岁的": {"result": "超龄离校"},
    "满六岁日": {"result": "户籍死亡", "evidence": "死亡证明"},
    "流动儿童": {"result": "在校已有学籍", "student_number": "J532901201605050001"},
}
AFTER = {
    "没有学籍": ("dropout", "confirmed_never_enrolled", "persuading"),
    "转出未到": ("enrolled_elsewhere", "verified_elsewhere", "closed"),
    "学籍辍学": ("dropout", "confirmed_dropped_out", "confirmed"),
    "小学毕业": ("suspected", "primary_graduate_not_in_junior", "verifying"),
    "出境刚走": ("unenrolled", "no_record", "verifying"),
    "出境已归": ("deferred", "deferral_verified", "closed_until"),
    "去年外地": ("special_provision", "home_teaching", "closed"),
    "十五岁的": ("completed", "over_age", "closed"),
    "满六岁日": ("departed", "verified_departed", "closed"),
    "流动儿童": ("enrolled", "live_enrolment", "closed"),
}


@pytest.fixture(scope="module")
def answered(night, tmp_path_factory):
    """The second night: the offices have answered; some children of the first night are gone or back."""
    home, _, county = night
    home = home.copy(tmp_path_factory.mktemp("answered") / "home")
    cases = dict(home.query("SELECT c.name, k.case_id FROM cases k JOIN school_age_children c USING (child_id)"))
    second = County(D + dt.timedelta(days=1), rows={source: list(rows) for source, rows in county.rows.items()})
    stranger = {
        "name": "流动孩童",
        "sex": "2",
        "birth_date": "20150101",
        "id_number": "",
        "father": "",
        "father_id": "",
        "student_number": "J532901201605050001",
    }
    second.pupil(stranger, id_type="Z")
    for name, answer in ANSWERS.items():
        second.add("verifications", case_id=cases[name], name=name, verified_on="20261119", **answer)
    second.add("verifications", case_id="A000000000000000", name="谁", result="确认失学", verified_on="20261119")
    second.add("verifications", case_id=cases["清点不在"], name="另一个人", result="确认失学", verified_on="20261119")
    second.add(
        "verifications", case_id=cases["清点漏了"], name="清点漏了", result="省内就读无学籍", verified_on="20261119"
    )
    second.add("verifications", case_id=cases["请长假的"], name="请长假的", result="确认失学", verified_on="20261219")
    second.rows["student_registry"] = [row for row in second.rows["student_registry"] if row["name"] != "在读甲"]
    second.write(home.folder)
    home.night(second.date)
    return home, second


def test_answers_are_believed_and_move_status_and_case(answered):
    home, _ = answered
    rows = home.query(
        "SELECT c.name, c.status, c.status_reason, k.state FROM school_age_children c JOIN cases k USING (child_id)"
    )
    ours = {name: rest for name, *rest in rows}

    assert {name: tuple(ours[name]) for name in AFTER} == AFTER
    assert home.query(
        "SELECT d.reason, d.measure, k.visits FROM dropouts d JOIN cases k USING (case_id) WHERE d.name = '没有学籍'"
    ) == [("外出务工", "宣传教育", 2)]


def test_answers_that_cannot_be_believed_go_back_with_the_reason(answered):
    home, _ = answered
    refused = dict(home.query('SELECT rule, "column" FROM refused_verifications WHERE version = 2'))

    assert refused == {
        "unknown_case": "case_id",
        "other_child": "name",
        "evidence_missing": "evidence",
        "in_the_future": "verified_on",
    }
    assert home.query(
        "SELECT state FROM cases k JOIN school_age_children c USING (child_id) WHERE c.name = '清点不在'"
    ) == [("suspected",)]


def test_a_pupil_whose_record_vanishes_is_suspected_of_nothing_but_unenrolled(answered):
    home, _ = answered

    assert found(home)["在读甲"] == ("unenrolled", "no_record")


def test_what_follows_later(answered, tmp_path):
    """A deferral runs out and its case re-opens by itself; a dropout is back once the headcount shows it; answers sent again change nothing."""
    home, second = answered
    home = home.copy(tmp_path / "home")
    third = County(D + dt.timedelta(days=5), rows={source: list(rows) for source, rows in second.rows.items()})
    [who] = [row for row in third.rows["student_registry"] if row["name"] == "学籍辍学"]
    third.rows["student_registry"].append({**who, "registry_status": "05", "status_date": "20261123"})
    third.rows["population"] = [row for row in third.rows["population"] if row["name"] != "清点在校"]
    third.write(home.folder)

    home.night(third.date)

    ours = found(home)
    states = dict(home.query("SELECT c.name, k.state FROM cases k JOIN school_age_children c USING (child_id)"))
    assert ours["出境已归"] == ("unenrolled", "deferral_expired")
    assert states["出境已归"] == "suspected"
    assert ours["学籍辍学"] == ("enrolled", "live_enrolment")
    assert states["学籍辍学"] == "closed"
    assert ours["没有学籍"][0] == "dropout"
    assert ours["清点在校"] == ("departed", "no_longer_live")
    [(events,)] = home.query(
        "SELECT count(*) FROM case_events e JOIN cases k USING (case_id) JOIN school_age_children c USING (child_id) WHERE c.name = '没有学籍'"
    )
    assert events == 3  # opened, confirmed, measure taken: the same answer twice is one answer
    assert home.query(
        "SELECT reopened FROM cases k JOIN school_age_children c USING (child_id) WHERE c.name = '出境已归'"
    ) == [(1,)]
