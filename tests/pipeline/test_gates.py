"""Each gate has something that makes it fail, and nothing gets past a gate that failed."""

import datetime as dt
import warnings

import duckdb
import pytest

from checks.suites import gates_of, run_suite
from kcb_pipeline.errors import GateError, KcbError, StaleDraftError
from kcb_pipeline.gates import SUITES
from kcb_pipeline.home import Home as KcbHome
from kcb_pipeline.ledgers import publication
from kcb_pipeline.night import Night
from tests.pipeline.conftest import DATES

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)

SABOTAGE = {
    "contract.rows_add_up": "UPDATE landed.files SET landed = landed - 1 WHERE source = 'population'",
    "contract.few_rows_quarantined": "UPDATE landed.files SET quarantined = read, landed = 0 WHERE source = 'student_registry'",
    "contract.few_cells_in_doubt": "INSERT INTO landed.cell_issues SELECT 'in_school', '', row, 'present', 'unknown_code' FROM landed.in_school",
    "contract.no_file_breaks_off": "UPDATE landed.files SET breaks_off = true WHERE source = 'population'",
    "contract.last_lines_end": "UPDATE landed.files SET ends_open = true WHERE source = 'population'",
    "contract.required_sources_came": "UPDATE landed.files SET landed = 0, quarantined = read WHERE source = 'population'",
    "volumes.no_source_shrank": "UPDATE landed.files SET landed = landed // 3 WHERE source = 'population'",
    "identity.persons_are_unique": "INSERT INTO standard.persons SELECT * FROM standard.persons LIMIT 1",
    "identity.sexes_are_known_codes": "UPDATE standard.persons SET sex = '男' WHERE person = (SELECT min(person) FROM standard.persons)",
    "identity.births_are_possible": "UPDATE standard.persons SET birth_date = DATE '2090-01-01' WHERE person = (SELECT min(person) FROM standard.persons)",
    "identity.keys_name_one_person": "UPDATE standard.persons SET id_key = 11010120150101001 WHERE is_live AND id_key IS NOT NULL",
    "matching.persons_linked_once": "INSERT INTO matched.links SELECT * REPLACE (student + 1000000 AS student) FROM matched.links WHERE decision = 'linked' LIMIT 1",
    "matching.students_linked_once": "INSERT INTO matched.links SELECT * REPLACE (person + 1000000 AS person) FROM matched.links WHERE decision = 'linked' LIMIT 1",
    "matching.pairs_have_reasons": "UPDATE matched.links SET reason = NULL WHERE decision = 'linked'",
    "matching.decisions_are_known": "UPDATE matched.links SET decision = 'perhaps' WHERE person = (SELECT min(person) FROM matched.links)",
    "matching.registry_rows_add_up": "INSERT INTO matched.links SELECT * REPLACE (person + 1000000 AS person) FROM matched.links WHERE decision = 'linked' LIMIT 1",
    "matching.match_rate_is_possible": "DELETE FROM matched.links WHERE decision = 'linked' AND person % 4 <> 0",
    "matching.match_rate_did_not_fall": "DELETE FROM matched.links WHERE decision = 'linked' AND registry_row % 4 = 0",
    "matching.model_did_not_drift": """UPDATE matched.model SET model = '{"format": 1, "prior": 1e-6, "m": {"sex": [0.2, 0.8]},
        "u": {"sex": [0.5, 0.5]}, "relatives": {}, "relative_rate": 0, "iterations": 1, "converged": true}'""",
    "matching.review_is_bearable": "UPDATE matched.links SET decision = 'review' WHERE registry_row % 2 = 0",
    "status.one_status_each": "DELETE FROM status.child_statuses WHERE child_id = (SELECT min(child_id) FROM status.child_statuses)",
    "status.children_are_unique": "INSERT INTO status.child_statuses SELECT * FROM status.child_statuses LIMIT 1",
    "status.statuses_are_known": "UPDATE status.child_statuses SET status = 'lost' WHERE child_id = (SELECT min(child_id) FROM status.child_statuses)",
    "status.reasons_are_given": "UPDATE status.child_statuses SET reason = NULL WHERE child_id = (SELECT min(child_id) FROM status.child_statuses)",
    "status.children_did_not_vanish": "DELETE FROM status.school_age_persons WHERE sex = '1'",
    "status.suspicion_did_not_leap": "UPDATE status.child_statuses SET status = 'suspected' WHERE sex = '1'",
    "ledgers.cases_add_up": "UPDATE draft.cases SET state = 'closed', closing_evidence = 'x' WHERE case_id = (SELECT min(case_id) FROM draft.cases)",
    "ledgers.cases_are_unique": "INSERT INTO draft.cases SELECT * FROM draft.cases LIMIT 1",
    "ledgers.nothing_closed_without_evidence": "UPDATE draft.cases SET state = 'closed', closing_evidence = NULL",
    "ledgers.closings_are_events": "UPDATE draft.case_events SET evidence = evidence || '改' WHERE closing_reason IS NOT NULL",
    "ledgers.answers_are_events": "INSERT INTO draft.decisions BY NAME SELECT case_id, 1 AS decision, child_id, DATE '2026-11-19' AS landed_on, 99 AS source_row FROM draft.cases LIMIT 1",
    "ledgers.cases_replay": "UPDATE draft.cases SET visits = visits + 1 WHERE case_id = (SELECT min(case_id) FROM draft.cases)",
    "ledgers.programmes_add_up": "DELETE FROM draft.support_programmes WHERE child_id = (SELECT min(child_id) FROM draft.support_programmes WHERE state = 'in')",
    "ledgers.programmes_end_assessed": "UPDATE draft.support_programmes SET finding = 'left_unassessed'",
    "ledgers.events_have_evidence": "UPDATE draft.case_events SET evidence = ''",
    "ledgers.suspected_are_in_the_ledger": "DELETE FROM draft.suspected_dropouts WHERE child_id = (SELECT min(child_id) FROM draft.suspected_dropouts)",
    "ledgers.dropouts_are_in_the_ledger": "INSERT INTO draft.dropouts SELECT * FROM draft.suspected_dropouts LIMIT 1",
    "ledgers.children_stand_once": "INSERT INTO draft.children SELECT * FROM draft.children LIMIT 1",
    "ledgers.population_rows_are_one_childs": """UPDATE draft.children SET population_row = (SELECT min(population_row) FROM draft.children WHERE population_type = 'registered')
        WHERE population_type = 'registered'""",
    "ledgers.flags_have_reasons": "UPDATE draft.suspected_dropouts SET evidence = NULL",
}  # fmt: skip


@pytest.fixture(scope="module")
def worked(three_nights, tmp_path_factory):
    """The second night as it stood before publication: its working files, with only the first version published."""
    return three_nights.copy(tmp_path_factory.mktemp("worked") / "home")


def night_of(home):
    return Night(KcbHome(home.folder), DATES[1])


def results_of(night, suite):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {f"{suite}.{result.name}": result for result in run_suite(suite, night.facts(suite), night.config)}


def test_every_gate_is_made_to_fail(worked):
    gates = {f"{suite}.{gate.name}" for suite in SUITES for gate in gates_of(suite, night_of(worked).config)}

    assert set(SABOTAGE) == gates


def test_what_a_gate_observed_is_said_in_numbers(three_nights):
    told = dict(three_nights.query("SELECT name, observed FROM check_results WHERE version = 3"))
    by_source = "SELECT source, sum(landed) AS landed FROM row_accounts WHERE version = 3 GROUP BY source"
    [(sources, least, most)] = three_nights.query(f"SELECT count(*), min(landed), max(landed) FROM ({by_source})")

    assert told["contract.required_sources_came"] == f"{sources} sources: landed {least} to {most}"
    assert [name for name, observed in told.items() if "no number" in observed] == []


@pytest.mark.parametrize("gate", sorted(SABOTAGE))
def test_a_gate_fails_when_what_it_guards_is_broken(worked, gate):
    night = night_of(worked)
    suite = gate.split(".")[0]
    saved = night.workspace.database.read_bytes()
    assert results_of(night, suite)[gate].passed
    try:
        with duckdb.connect(str(night.workspace.database)) as connection:
            connection.execute(SABOTAGE[gate])

        result = results_of(night, suite)[gate]
    finally:
        night.workspace.database.write_bytes(saved)

    assert not result.passed
    assert result.observed
    assert result.expected
    assert result.advice


def test_publication_alone_does_not_slip_past(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    night = Night(KcbHome(home.folder), DATES[0])
    before = home.ledgers.read_bytes()

    # A draft that no gate has looked at.
    with duckdb.connect(str(night.workspace.database)) as connection:
        connection.execute("DELETE FROM gates.verdicts WHERE suite = 'status'")
    with pytest.raises(GateError, match="status"):
        night.publish(run_id="alone", now=NOW)

    # A draft that a gate has refused.
    with duckdb.connect(str(night.workspace.database)) as connection:
        connection.execute("INSERT INTO gates.verdicts SELECT 'status', false, draft FROM gates.verdicts LIMIT 1")
    with pytest.raises(GateError, match="failed"):
        night.publish(run_id="alone", now=NOW)

    # Gates that spoke of another delivery.
    with duckdb.connect(str(night.workspace.database)) as connection:
        connection.execute("UPDATE gates.verdicts SET passed = true, draft = 'another'")
    with pytest.raises(GateError):
        night.publish(run_id="alone", now=NOW)
    assert home.ledgers.read_bytes() == before


def test_what_reads_back_differently_from_what_was_written_is_not_published(three_nights, tmp_path, monkeypatch):
    home = three_nights.copy(tmp_path / "home")
    night, before = night_of(home), home.ledgers.read_bytes()
    apply = publication._apply_table

    def apply_and_lose_a_letter(connection, table, number):
        moved = apply(connection, table, number)
        if table.name == "child_facts":
            connection.execute(
                "UPDATE child_facts_history SET school_name = school_name || '?' WHERE child_id = (SELECT min(child_id) FROM child_facts_history)"
            )
        return moved

    monkeypatch.setattr(publication, "_apply_table", apply_and_lose_a_letter)
    monkeypatch.setattr(publication, "is_published", lambda *_: None)
    with pytest.raises(KcbError, match="reads back differently"):
        night.publish(run_id="faulty", now=NOW)

    assert home.ledgers.read_bytes() == before


def test_a_draft_on_a_superseded_version_is_refused(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    (home.folder / "kcb.toml").write_text("[attendance]\nheadcount_days = 29\n", encoding="utf-8")
    home.night(DATES[0])  # restates the date that the second night was built on

    with pytest.raises(StaleDraftError, match="run the date again"):
        night_of(home).publish(run_id="late", now=NOW)
