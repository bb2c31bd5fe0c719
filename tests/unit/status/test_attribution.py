"""Which person a row of evidence speaks of: by number, student number, former number or name; and of whom nobody can tell."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.identity.standardise import name_keys, person_keys
from kcb_pipeline.status.evidence import attribute_evidence

ON = dt.date(2026, 11, 20)
BORN = dt.date(2016, 3, 12)


def number(nth, born="20160312"):
    """A valid made-up number."""
    first17 = f"533123{born}{nth:03d}"
    return first17 + check_digit(first17)


class Register:
    """Children on the population side and in the registry, and rows of evidence that name somebody."""

    def __init__(self, working):
        self.working = working
        self.people, self.records, self.gone, self.rows = [], [], [], {}
        self.grown_up = set()

    def child(self, name, nth=None, *, born=BORN, sex="1", former=None, pupil=None):
        """A child; `pupil`: what the registry says of it. Its person."""
        row = len(self.people) + 1
        self.people.append(
            {
                "row": row,
                "name": name,
                "id_number": number(nth) if nth else None,
                "sex": sex,
                "birth_date": born,
                "former_name": former,
            }
        )
        if pupil is not None:
            self.records.append(
                {
                    "row": row,
                    "name": name,
                    "birth_date": born,
                    "sex": sex,
                    "former_name": None,
                    "id_number": None,
                    "person": 2 * row,
                    **pupil,
                }
            )
        return 2 * row

    def grown(self, name, nth):
        """A grown-up of the population side, who is no pupil."""
        self.grown_up.add(self.child(name, nth, born=dt.date(1950, 1, 1)) // 2)

    def left(self, name, nth, *, born=BORN, sex="1"):
        """A child of the version before whom no row of the population side is any more."""
        child_id = f"C{len(self.gone) + 1}"
        self.gone.append({"child_id": child_id, "name": name, "id_number": number(nth), "sex": sex, "birth_date": born})
        return child_id

    def known_before(self, person, name):
        """A name that a version before had somebody by."""
        keys = {key.name: key[0] for key in name_keys(pl.Series([name]))}
        self.working.put("standard.names_before", {"person": person, **keys})

    def say(self, source="approvals", *, nth=None, **cells):
        """A row of a source."""
        rows = self.rows.setdefault(source, [])
        given = {"id_number": number(nth)} if nth else {}
        said = given | cells
        rows.append({"row": len(rows) + 1, "id_valid": "id_number" in said, **said})

    def _keys(self, entries):
        rows = self.working.frame(
            entries, "row:i id_number id_valid:b name former_name sex birth_date:d student_number"
        )
        return [{key.name: key[n] for key in person_keys(rows)} for n in range(len(entries))]

    def night(self):
        """{(source, row): person or child}, and how many rows of each source could mean two."""
        put = self.working.put
        people = [{**person, "id_valid": person["id_number"] is not None} for person in self.people]
        keys = self._keys(people)
        ours = ("id_key", "name_key", "folded", "pinyin", "former_folded", "sex", "birth_date")
        put("standard.population_keys", *({"ref": 2 * p["row"], "row": p["row"], "is_live": True, **{n: k[n] for n in ours}} for p, k in zip(people, keys, strict=True)))  # fmt: skip
        put("standard.persons", *({"person": 2 * p["row"], "ref": 2 * p["row"], "row": p["row"], "is_live": True, **{n: k[n] for n in ours if n != "former_folded"}} for p, k in zip(people, keys, strict=True) if p["row"] not in self.grown_up))  # fmt: skip
        records = [{**record, "id_valid": record["id_number"] is not None} for record in self.records]
        keys = self._keys([{name: r.get(name) for name in ("row", "id_number", "id_valid", "name", "former_name", "sex", "birth_date")} for r in records])  # fmt: skip
        put("standard.registry_keys", *({"row": r["row"], "is_live": True, "student_number": r.get("student_number"), **{n: k[n] for n in ("id_key", "name_key", "folded", "former_folded")}} for r, k in zip(records, keys, strict=True)))  # fmt: skip
        put("status.pupil_rows", *({"person": r["person"], "registry_row": r["row"], "student_number": r.get("student_number"), "is_live": True} for r in records))  # fmt: skip
        put("standard.children", *({"person": 2 * p["row"], "child_id": f"P{p['row']}"} for p in people))
        put("previous_child_facts", *self.gone)
        for source, rows in self.rows.items():
            put(f"landed.{source}", *rows)
        self.counted = {told.source: told for told in attribute_evidence(self.working.connection, ON)}
        gone = {
            row["person"]: row["child_id"]
            for row in self.working.all("SELECT person, child_id FROM standard.gone_children")
        }
        found = self.working.all("SELECT source, row, person FROM status.attributed")
        return {(one["source"], one["row"]): gone.get(one["person"], one["person"]) for one in found}


@pytest.fixture
def register(working):
    return Register(working)


def test_a_row_speaks_of_who_bears_its_number_and_name(register):
    who = register.child("王小明", 1)
    register.child("李小红", 2)
    register.say(nth=1, name="王小明")

    assert register.night() == {("approvals", 1): who}


@pytest.mark.parametrize("name", ["王晓明", "王小", None])
def test_a_name_that_resembles_or_is_missing_does_not_speak_against_a_number(register, name):
    who = register.child("王小明", 1)
    register.say(nth=1, name=name)

    assert register.night() == {("approvals", 1): who}


def test_a_number_under_a_wholly_other_name_is_nobodys(register):
    register.child("王小明", 1)
    register.say(nth=1, name="欧阳春花")

    assert register.night() == {}


@pytest.mark.parametrize(("written", "speaks"), [(BORN, True), (dt.date(2016, 3, 13), False)])
def test_unless_the_birth_date_that_was_written_beside_it_agrees(register, written, speaks):
    who = register.child("王小明", 1)
    register.say(nth=1, name="欧阳春花", birth_date=written)

    assert register.night() == ({("approvals", 1): who} if speaks else {})


def test_or_it_is_a_former_name(register):
    who = register.child("王小明", 1, former="欧阳春花")
    register.say(nth=1, name="欧阳春花")

    assert register.night() == {("approvals", 1): who}


@pytest.mark.parametrize("column", ["name", "former_name"])
def test_or_a_name_by_which_the_registry_has_the_child(register, column):
    who = register.child("王小明", 1, pupil={column: "欧阳春花"})
    register.say(nth=1, name="欧阳春花")

    assert register.night() == {("approvals", 1): who}


def test_so_does_the_number_that_a_child_bore_before(register):
    who = register.child("王小明", 1)
    register.working.put("standard.numbers_before", {"person": who, "former_key": int(number(7)[:17])})
    register.say(nth=7, name="王小明")
    register.say(nth=7, name="欧阳春花")

    assert register.night() == {("approvals", 1): who}


def test_and_before_a_student_number(register):
    who = register.child("王小明", 1)
    register.child("王晓明", 2, pupil={"student_number": "L2"})
    register.working.put("standard.numbers_before", {"person": who, "former_key": int(number(7)[:17])})
    register.say(nth=7, student_number="L2", name="王小明")

    assert register.night() == {("approvals", 1): who}


@pytest.mark.parametrize("cells", [{"nth": 1}, {"birth_date": BORN}, {"birth_date": BORN, "name": "欧阳椿花"}])
def test_so_does_a_name_that_a_child_bore_before(register, cells):
    """As the number does, and with the birth date, for offices that go on under it: the population register need not say 曾用名."""
    who = register.child("王小明", 1)
    register.known_before(who, "欧阳春花")
    register.say("approvals", **{"name": "欧阳春花"} | cells)
    register.say("approvals", nth=1, name="司马大强")

    assert register.night() == {("approvals", 1): who}


def test_also_where_the_register_has_the_child_under_another_birth_date_than_its_number(register):
    who = register.child("王小明", 1, born=dt.date(2016, 3, 13))
    register.known_before(who, "欧阳春花")
    register.say(nth=1, name="欧阳春花")

    assert register.night() == {("approvals", 1): who}


def test_a_student_number_leads_to_its_pupil(register):
    who = register.child("王小明", pupil={"student_number": "L1"})
    register.say(student_number="L1", name="王小明")

    assert register.night() == {("approvals", 1): who}


def test_the_number_after_a_g_leads_to_who_bears_it(register):
    who = register.child("王小明", 1)
    register.say(student_number="G" + number(1), name="王小明")

    assert register.night() == {("approvals", 1): who}


@pytest.mark.parametrize("name", ["王小明", "王晓明"])
def test_without_a_number_name_and_birth_date_tell_also_by_their_sound(register, name):
    who = register.child("王小明", 1)
    register.say(name=name, birth_date=BORN)

    assert register.night() == {("approvals", 1): who}


@pytest.mark.parametrize("name", ["王小明", "王晓明"])
def test_nor_beside_a_valid_number_that_is_nobodys_here(register, name):
    """A namesake born on that day: what strikes it off strikes off no child here."""
    register.child("王小明", 1)
    register.left("张三丰", 2)
    register.say("deregistrations", nth=7, name=name, birth_date=BORN)
    register.say("deregistrations", nth=7, name="张三丰", birth_date=BORN)

    assert register.night() == {}


def test_nor_where_the_registry_has_another_pupil_under_that_number(register):
    register.child("王小明", 1, pupil={"id_number": number(8)})
    register.child("李小红", 2, pupil={"id_number": number(7)})
    register.say("deregistrations", nth=7, name="王小明", birth_date=BORN)

    assert register.night() == {}


def test_nor_beside_the_student_number_of_another_pupil(register):
    register.child("王小明", 1)
    register.child("李小红", 2, born=dt.date(2016, 3, 13), pupil={"student_number": "L2"})
    register.say(nth=7, student_number="L2", name="王小明", birth_date=BORN)

    assert register.night() == {}


def test_unless_the_child_bears_none_or_the_registry_has_it_under_that_one(register):
    nameless = register.child("李小红")
    corrected = register.child("王小明", 1, pupil={"id_number": number(7)})
    register.say(nth=9, name="李小红", birth_date=BORN)
    register.say(nth=7, name="王小明", birth_date=BORN)
    register.say(id_number="533123160312009", id_valid=False, name="王小明", birth_date=BORN)

    assert register.night() == {("approvals", 1): nameless, ("approvals", 2): corrected, ("approvals", 3): corrected}


@pytest.mark.parametrize("cells", [{"birth_date": dt.date(2016, 3, 13)}, {"name": "王大明"}, {}])
def test_but_not_one_of_them_alone(register, cells):
    register.child("王小明", 1)
    register.say(**{"name": "王小明"} | cells)

    assert register.night() == {}


@pytest.mark.parametrize(
    ("sex", "theirs", "speaks"), [("1", "1", True), (None, "1", True), ("1", None, True), ("2", "1", False)]
)
@pytest.mark.parametrize("name", ["王小明", "王晓明"])
def test_nor_of_another_sex(register, sex, theirs, speaks, name):
    who = register.child("王小明", 1, sex=theirs)
    register.say("exit_entry", name=name, birth_date=BORN, sex=sex)

    assert register.night() == ({("exit_entry", 1): who} if speaks else {})


def test_a_row_that_two_could_be_meant_by_speaks_of_nobody_and_is_counted(register):
    register.child("王小明", 1)
    register.child("王小明", 2)
    register.say(name="王小明", birth_date=BORN)
    register.say(name="谁", birth_date=BORN)
    third = register.child("张三丰", 3)
    register.say(name="张三丰", birth_date=BORN)

    assert register.night() == {("approvals", 3): third}
    told = register.counted["approvals"]
    assert (told.rows, told.attributed, told.ambiguous) == (3, 1, 1)


def test_whom_a_surer_way_leaves_open_no_other_way_decides(register):
    register.child("王小明", 1)
    register.child("王小明", 1)
    register.child("王小明", 3, pupil={"student_number": "L3"})
    register.say(nth=1, student_number="L3", name="王小明")

    assert register.night() == {}
    assert register.counted["approvals"].ambiguous == 1


def test_a_row_about_a_grown_up_speaks_of_no_child_and_is_not_counted_as_one_that_two_are_meant_by(register):
    register.grown("王小明", 1)
    register.child("王小明", 2)
    register.say("deregistrations", nth=1, name="王小明", birth_date=BORN)

    assert register.night() == {}
    told = register.counted["deregistrations"]
    assert (told.rows, told.attributed, told.ambiguous) == (1, 0, 0)


def test_what_one_source_says_in_a_row_says_nothing_of_that_row_of_another(register):
    first = register.child("王小明", 1, pupil={})
    second = register.child("王晓明", 2, pupil={"student_number": "L2"})
    third = register.child("张三丰", 3)
    register.child("李小红", 4)
    register.child("李小红", 5)
    register.known_before(first, "司马大强")
    for one, other in (
        ({"nth": 1, "student_number": "L2", "name": "王小明"}, {"student_number": "L2", "name": "王晓明"}),
        ({"name": "李小红", "birth_date": BORN}, {"name": "张三丰", "birth_date": BORN}),
        ({"nth": 9, "name": "张三丰", "birth_date": BORN}, {"nth": 1, "name": "王小明"}),
        ({"nth": 1, "name": "欧阳春花"}, {"name": "王小明"}),
        ({"nth": 1, "name": "欧阳春花"}, {"name": "司马大强"}),
    ):
        register.say("approvals", **one)
        register.say("elsewhere", **other)

    assert register.night() == {
        ("approvals", 1): first, ("elsewhere", 1): second, ("elsewhere", 2): third, ("elsewhere", 3): first,
    }  # fmt: skip


def test_a_number_on_another_row_of_a_person_speaks_of_that_person(register):
    who, other = register.child("王小明", 1), register.child("王小明", 2)
    register.working.put("standard.person_groups", {"person": who, "ref": who}, {"person": who, "ref": other})
    register.say(nth=2, name="王小明")
    register.say(student_number="G" + number(2), name="王小明")

    assert register.night() == {("approvals", 1): who, ("approvals", 2): who}


@pytest.mark.parametrize("name", ["欧阳春花", "欧阳椿花"])
def test_one_twins_number_under_the_others_name_could_mean_either(register, name):
    register.child("王小明", 1)
    register.child("欧阳春花", 2, pupil={"student_number": "L2"})
    register.say(nth=1, name=name, birth_date=BORN)
    register.say(nth=1, student_number="L2", name=name, birth_date=BORN)

    assert register.night() == {}
    assert register.counted["approvals"].ambiguous == 2


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        ({"nth": 1, "student_number": "L2"}, 0),  # a number before a student number
        ({"student_number": "L2", "birth_date": BORN}, 1),  # a student number before a name
        ({"student_number": "G" + number(1), "birth_date": BORN}, 0),  # the number after a G before a name
        ({"name": "王小明", "birth_date": BORN}, 0),  # a name before its sound
    ],
)
def test_the_best_way_of_telling_decides(register, cells, right):
    people = [register.child("王小明", 1), register.child("王晓明", 2, pupil={"student_number": "L2"})]
    if "student_number" in cells and cells["student_number"].startswith("G"):
        cells = cells | {"name": "王晓明"}
    register.say(**{"name": "王小明"} | cells)

    assert register.night() == {("approvals", 1): people[right]}


def test_a_child_that_has_left_the_register_is_told_by_its_number_or_name(register):
    gone = register.left("王小明", 1)
    register.say("deregistrations", nth=1, name="王小明")
    register.say("deregistrations", name="王小明", birth_date=BORN)
    register.say("deregistrations", name="王晓明", birth_date=BORN)
    register.say("deregistrations", nth=1, name="欧阳春花")

    assert register.night() == {("deregistrations", row): gone for row in (1, 2, 3)}


def test_who_is_still_in_the_register_is_not_also_one_that_has_left(register):
    who = register.child("王小明", 1)
    register.left("王小明", 1)
    register.gone[0]["child_id"] = f"P{who // 2}"
    register.say(nth=1, name="王小明")

    assert register.night() == {("approvals", 1): who}
