"""现行证据, as it is published: of children, and of those who are not of school age yet (extracts.md, Evidence lasts)."""

import datetime as dt

import pytest

from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.ledgers.draft import PACKAGE

ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
BORN_FROM, BORN_TO = dt.date(2010, 9, 1), dt.date(2020, 8, 31)
YOUNG = dt.date(2021, 5, 3)


# -- of children ---------------------------------------------------------------------------------------------------------


SAID = {
    "child_id": "C1", "kind": "approval", "nth": 1, "source": "approvals", "code": "休学", "from_date": None, "to_date": ON + DAY,
    "said_on": ON, "source_row": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "is_the_same"),
    [
        ({}, True),
        ({"child_id": "C2"}, False),
        ({"kind": "elsewhere"}, False),
        ({"nth": 2}, False),
        ({"source": "elsewhere"}, False),
        ({"code": None}, False),
        ({"from_date": ON}, False),
        ({"to_date": None}, False),
    ],
)
def test_what_is_said_again_in_the_same_words_keeps_the_night_that_said_it_first_and_its_row(
    working, other, is_the_same
):
    working.schemas["status.evidence"] = working.schemas["previous_evidence"]
    working.put("status.evidence", SAID, SAID | {"nth": 3, "code": None, "to_date": None})
    first = {"said_on": ON - 9 * DAY, "source_row": 7}
    working.put("previous_evidence", SAID | first | other, SAID | {"nth": 3, "code": None, "to_date": None} | first)
    run_step(working.connection, PACKAGE, "evidence", "draft.evidence")

    told = working.all("SELECT said_on, source_row FROM draft.evidence ORDER BY nth")
    assert told == [first if is_the_same else {"said_on": ON, "source_row": 4}, first]


# -- of those who are not of school age yet --------------------------------------------------------------------------------


class Nursery:
    """Person 2, row 1 of the register, who is too young: what sources say of it tonight, and what they said before."""

    def __init__(self, working):
        self.working = working
        working.schemas["status.evidence_tonight"] = working.schema(
            "person:i kind source code from_date:d to_date:d source_row:i"
        )
        self.tonight, self.before, self.sent, self.attributed = [], [], set(), []
        self.born, self.row = YOUNG, {"row": 1, "id_number": "N1", "name": "王小明"}

    def say(self, kind, source, *, first=None, last=None, row=4, person=2):
        """What a source says tonight."""
        self.sent.add(source)
        self.tonight.append({"person": person, "kind": kind, "source": source, "from_date": first, "to_date": last, "source_row": row})  # fmt: skip

    def said(self, kind, source, *, first=None, last=None, person=2, **cells):
        """What a source said before, of whom it speaks tonight (None: nobody who is here)."""
        row = -1 - len(self.before)
        self.before.append(
            {
                "row": row, "kind": kind, "source": source, "from_date": first, "to_date": last, "said_on": ON - 9 * DAY, "source_row": 7,
                "id_number": "N0", "name": "原名", "sex": "1", "birth_date": YOUNG, **cells,
            }
        )  # fmt: skip
        if person is not None:
            self.attributed.append({"source": source, "row": row, "person": person})

    def night(self):
        """What stands after the night."""
        put = self.working.put
        put("landed.population", self.row)
        put("standard.persons", {"person": 2, "ref": 2, "sex": "1", "birth_date": self.born})
        put("status.evidence_tonight", *self.tonight)
        self.working.schemas["standard.waiting_before"] = self.working.schema(
            "source row:i kind code from_date:d to_date:d said_on:d source_row:i id_number name sex birth_date:d"
        )
        put("standard.waiting_before", *self.before)
        put("status.attributed", *self.attributed)
        put("status.sources_tonight", *({"source": source} for source in sorted(self.sent)))
        ages = {"today": ON, "born_from": BORN_FROM, "born_to": BORN_TO}
        run_step(self.working.connection, PACKAGE, "waiting_evidence", "draft.waiting_evidence", ages)
        self.found = self.working.all("SELECT * FROM draft.waiting_evidence ORDER BY kind, from_date")
        return [
            (one["kind"], one["from_date"], one["id_number"], one["said_on"], one["source_row"]) for one in self.found
        ]


@pytest.fixture
def nursery(working):
    return Nursery(working)


ABROAD = ("abroad", ON - 20 * DAY, "N1", ON, 4)


def test_what_a_source_says_of_one_who_is_too_young_is_kept_with_who_it_is(nursery):
    nursery.say("abroad", "exit_entry", first=ON - 20 * DAY)

    assert nursery.night() == [ABROAD]
    told = nursery.found[0]
    assert (told["name"], told["sex"], told["birth_date"], told["source"]) == ("王小明", "1", YOUNG, "exit_entry")


@pytest.mark.parametrize(("born", "waits"), [(BORN_TO, False), (BORN_TO + DAY, True)])
def test_of_who_is_of_age_it_is_not(nursery, born, waits):
    nursery.born = born
    nursery.say("abroad", "exit_entry", first=ON - 20 * DAY)

    assert bool(nursery.night()) is waits


@pytest.mark.parametrize("source", ["in_school", "absences"])
def test_attendance_speaks_of_records_and_is_not_kept(nursery, source):
    nursery.say("present", source, first=ON)

    assert nursery.night() == []


@pytest.mark.parametrize("table", ["standard.children", "standard.gone_children"])
def test_who_is_a_child_of_the_ledger_has_its_evidence_there(nursery, table):
    nursery.working.put(table, {"person": 2, "child_id": "C1"})
    nursery.say("abroad", "exit_entry", first=ON - 20 * DAY)
    nursery.said("approval", "approvals", last=ON + DAY)
    nursery.said("approval", "approvals", last=ON + 2 * DAY, person=4)

    assert [(one["kind"], one["to_date"]) for one in nursery.night() and nursery.found] == [("approval", ON + 2 * DAY)]


@pytest.mark.parametrize(("last", "stands"), [(ON - DAY, False), (ON, True), (None, True)])
@pytest.mark.parametrize("came", [True, False])
def test_it_stands_to_the_end_of_its_term(nursery, last, stands, came):
    (nursery.say if came else nursery.said)("approval", "approvals", last=last)

    assert bool(nursery.night()) is stands


@pytest.mark.parametrize(("born", "stands"), [(BORN_FROM - DAY, False), (BORN_FROM, True), (YOUNG, True)])
def test_and_to_the_end_of_school_age(nursery, born, stands):
    nursery.said("abroad", "exit_entry", first=ON - 20 * DAY, person=None, birth_date=born)

    assert bool(nursery.night()) is stands


def test_what_a_source_said_last_is_told_of_who_is_here_by_its_row_and_of_others_as_it_was(nursery):
    nursery.said("elsewhere", "elsewhere", first=ON - 3 * DAY)
    nursery.said("elsewhere", "elsewhere", first=ON - 2 * DAY, person=None)
    nursery.attributed.append({"source": "approvals", "row": -2, "person": 2})

    assert [(number, one["name"]) for (_, _, number, *_), one in zip(nursery.night(), nursery.found, strict=True)] == [
        ("N1", "王小明"),
        ("N0", "原名"),
    ]


def test_it_is_forgotten_the_night_the_source_comes(nursery):
    nursery.said("approval", "approvals", last=ON + DAY)
    nursery.sent = {"approvals"}

    assert nursery.night() == []


@pytest.mark.parametrize("kind", ["abroad", "come_back"])
@pytest.mark.parametrize(
    ("crossed", "stands"), [(None, True), (ON - 21 * DAY, True), (ON - 20 * DAY, False), (ON, False)]
)
def test_but_a_crossing_lasts_until_a_later_one(nursery, kind, crossed, stands):
    nursery.said(kind, "exit_entry", first=ON - 20 * DAY)
    nursery.sent = {"exit_entry"}
    if crossed:
        nursery.say("come_back" if kind == "abroad" else "abroad", "exit_entry", first=crossed)
        nursery.say("elsewhere", "elsewhere", first=ON)
        nursery.say("abroad", "exit_entry", first=ON, person=4)

    found = nursery.night()

    assert (kind in [one[0] for one in found]) is stands


@pytest.mark.parametrize("in_turn", [1, -1])
def test_what_is_said_again_keeps_the_night_that_said_it_first_and_of_two_rows_the_first_is_told(nursery, in_turn):
    for row in (9, 4)[::in_turn]:
        nursery.say("abroad", "exit_entry", first=ON - 20 * DAY, row=row)
    assert nursery.night() == [ABROAD]

    first = {"said_on": ON - 9 * DAY, "source_row": 7}
    nursery.working.put("previous_waiting_evidence", nursery.found[0] | first)
    assert nursery.night() == [(*ABROAD[:3], ON - 9 * DAY, 7)]


@pytest.mark.parametrize("change", ["id_number", "name", "code", "from_date", "to_date", "kind", "source"])
def test_what_differs_in_anything_is_said_anew(nursery, change):
    nursery.say("abroad", "exit_entry", first=ON - 20 * DAY)
    nursery.night()
    before = nursery.found[0]["waiting"]
    if change in nursery.row:
        nursery.row[change] = "另"
    else:
        nursery.tonight[0][change] = ON if change.endswith("date") else "另"
    nursery.night()

    assert nursery.found[0]["waiting"] != before


def test_a_resident_is_kept_too(nursery):
    nursery.working.put("landed.residents", {"row": 5, "id_number": "N5", "name": "外来娃"})
    nursery.say("abroad", "exit_entry", first=ON, person=11)
    nursery.night()
    nursery.working.put("standard.persons", {"person": 11, "ref": 11, "birth_date": YOUNG})
    ages = {"today": ON, "born_from": BORN_FROM, "born_to": BORN_TO}
    run_step(nursery.working.connection, PACKAGE, "waiting_evidence", "draft.waiting_evidence", ages)

    assert nursery.working.all("SELECT id_number, name FROM draft.waiting_evidence") == [
        {"id_number": "N5", "name": "外来娃"}
    ]
