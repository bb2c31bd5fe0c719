"""Gates: the facts that are held against expectations before anything is published, computed at full size, and their verdicts.

A fact frame has one row a subject (a source, a register, a ledger) and numbers in columns; it holds counts, never a child's value. The
expectations themselves are Great Expectations suites in `checks/suites.py`; here is what they look at and where their answer is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import duckdb
import polars as pl
import polars.selectors as cs

from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import create, frame, insert, rows
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.ledgers.cases import CLOSED_STATES, OPEN_STATES
from kcb_pipeline.ledgers.replay import differences
from kcb_pipeline.matching.model import Model, drift
from kcb_pipeline.status.reasons import STATUSES, SUSPECTED_STATUSES

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one gate found. `error` blocks publication where it did not pass; `warning` never blocks.

    validation: the expectation and its result as Great Expectations gave them (JSON: type, kwargs, result), without a row's value.
    numbers: what was looked at, the largest of all subjects, to be followed over the nights; not kept with the verdict.
    """

    name: str
    severity: Severity
    passed: bool
    observed: str
    expected: str
    advice: str = ""
    validation: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def blocks(self) -> bool:
        """Whether publication has to stop."""
        return not self.passed and self.severity == "error"


STANDS_AT: Final = {
    "contract": "row_accounts",
    "volumes": "row_accounts",
    "identity": "persons",
    "matching": "links",
    "status": "child_statuses",
    "ledgers": "draft_version",
    "disclosure": "analytics_draft",
}
"""Which stage each suite stands at."""

ALL_SUITES: Final = tuple(STANDS_AT)
"""In the order in which they speak."""

DISCLOSURE: Final = "disclosure"
"""The suite that must have passed `analytics.duckdb`. It speaks when the ledgers are out: caseworkers do not wait for analysts."""

SUITES: Final = tuple(suite for suite in ALL_SUITES if suite != DISCLOSURE)
"""Every suite that must have passed a draft before it is published."""

_CONTRACT = """
SELECT s.source AS subject, s.required, s.sent, coalesce(f.read, 0) AS read, coalesce(f.landed, 0) AS landed,
       coalesce(f.landed, 0) + coalesce(f.quarantined, 0) + coalesce(f.duplicate_rows, 0) AS accounted,
       CASE WHEN f.read > 0 THEN f.quarantined / f.read ELSE 0 END AS quarantined_share,
       greatest(s.quarantined_limit, least(coalesce(s.passing_rows / nullif(f.read, 0), 0), 0.5)) AS quarantined_limit,
       CASE WHEN f.landed > 0 THEN coalesce(i.rows, 0) / f.landed ELSE 0 END AS issue_share,
       coalesce(f.ends_open, 0) AS ends_open, CASE WHEN s.is_form THEN 0 ELSE coalesce(f.breaks_off, 0) END AS breaks_off
FROM gates.contract_sources s
LEFT JOIN (SELECT source, sum(read) AS read, sum(landed) AS landed, sum(quarantined) AS quarantined, sum(duplicate_rows) AS duplicate_rows,
                  count(*) FILTER (WHERE ends_open) AS ends_open, count(*) FILTER (WHERE breaks_off) AS breaks_off
           FROM landed.files GROUP BY source) f ON f.source = s.source
LEFT JOIN (SELECT source, count(DISTINCT row) AS rows FROM landed.cell_issues GROUP BY source) i ON i.source = s.source
ORDER BY s.source
"""
_VOLUMES = """
SELECT s.source AS subject, s.required, f.landed, b.landed AS landed_before, greatest(1 - f.landed / b.landed, 0) AS loss,
       greatest(CASE WHEN s.required THEN $required_limit ELSE $optional_limit END, $small_rows / b.landed) AS loss_limit
FROM gates.contract_sources s
JOIN (SELECT source, sum(landed) AS landed FROM landed.files GROUP BY source) f ON f.source = s.source
LEFT JOIN (SELECT source, sum(landed) AS landed FROM previous_row_accounts GROUP BY source HAVING sum(landed) > 0) b ON b.source = s.source
WHERE NOT s.is_form
ORDER BY s.source
"""
_IDENTITY = """
SELECT 'population' AS subject, count(*) AS persons, count(*) - count(DISTINCT person) AS repeated,
       coalesce(sum(CASE WHEN sex NOT IN ('1', '2') THEN 1 ELSE 0 END), 0) AS unknown_sexes,
       coalesce(sum(CASE WHEN birth_date > $today OR birth_date < DATE '1900-01-01' THEN 1 ELSE 0 END), 0) AS impossible_births,
       (SELECT count(*) FROM (SELECT id_key FROM standard.persons WHERE is_live AND id_key IS NOT NULL GROUP BY id_key HAVING count(*) > 1)) AS keys_of_two,
       count(id_key) / greatest(count(*), 1) AS key_share
FROM standard.persons
UNION ALL
SELECT 'student_registry', count(*), count(*) - count(DISTINCT student),
       coalesce(sum(CASE WHEN sex NOT IN ('1', '2') THEN 1 ELSE 0 END), 0),
       coalesce(sum(CASE WHEN birth_date > $today OR birth_date < DATE '1900-01-01' THEN 1 ELSE 0 END), 0),
       (SELECT count(*) FROM (SELECT id_key FROM standard.students WHERE id_key IS NOT NULL GROUP BY id_key HAVING count(*) > 1)),
       count(id_key) / greatest(count(*), 1)
FROM standard.students
ORDER BY subject
"""
_MATCHING = """
SELECT 'links' AS subject,
       (SELECT count(*) FROM (SELECT person FROM matched.links WHERE decision = 'linked' GROUP BY person HAVING count(*) > 1)) AS persons_linked_twice,
       (SELECT count(*) FROM (SELECT student FROM matched.links WHERE decision = 'linked' GROUP BY student HAVING count(*) > 1)) AS students_linked_twice,
       (SELECT count(*) FROM matched.links WHERE reason IS NULL OR reason = '') AS pairs_without_reason,
       (SELECT count(*) FROM matched.links WHERE decision NOT IN ('linked', 'review', 'rejected')) AS unknown_decisions,
       (SELECT count(*) FROM standard.registry_keys) AS registry_rows, r.of_linked + r.of_nobody AS registry_rows_accounted,
       e.eligible, e.linked / greatest(e.eligible, 1) AS match_rate, b.match_rate AS match_rate_before,
       greatest(b.match_rate - e.linked / greatest(e.eligible, 1), 0) AS match_rate_loss,
       greatest($match_rate_limit, $small / greatest(e.eligible, 1)) AS match_rate_loss_limit,
       CASE WHEN e.eligible >= $match_rate_from THEN $least_match_rate ELSE 0 END AS match_rate_least, e.review / greatest(e.eligible, 1) AS review_share
FROM (
    SELECT count(*) AS eligible,
           count(CASE WHEN p.person IN (SELECT person FROM matched.links WHERE decision = 'linked') THEN 1 END) AS linked,
           count(CASE WHEN p.person IN (SELECT person FROM matched.links WHERE decision = 'review') THEN 1 END) AS review
    FROM standard.persons p WHERE p.is_live AND p.birth_date BETWEEN $born_from AND $born_to
) e
CROSS JOIN (
    SELECT count(m.person) AS of_linked, count(CASE WHEN m.person IS NULL THEN 1 END) AS of_nobody
    FROM standard.registry_keys k
    LEFT JOIN standard.student_groups g ON g.row = k.row
    LEFT JOIN matched.links m ON m.decision = 'linked' AND m.student = coalesce(g.student, k.row)
) r
CROSS JOIN (SELECT count(match_method) / nullif(count(*), 0) AS match_rate FROM previous_child_facts WHERE status <> 'departed') b
"""
_KNOWN = ", ".join(f"'{status}'" for status in STATUSES)
_SUSPECTED = ", ".join(f"'{status}'" for status in SUSPECTED_STATUSES)
_STATUS = f"""
SELECT 'children' AS subject, e.eligible, s.children, s.distinct_children, s.statuses, s.unknown_statuses, s.without_reason,
       b.eligible AS eligible_before, greatest(1 - e.eligible / b.eligible, 0) AS eligible_loss,
       greatest($eligible_limit, $small / b.eligible) AS eligible_loss_limit,
       s.suspected / greatest(s.children, 1) AS suspected_share, b.suspected_share AS suspected_share_before,
       greatest(s.suspected / greatest(s.children, 1) - b.suspected_share, 0) AS suspected_gain,
       greatest($suspected_limit, $small / greatest(s.children, 1)) AS suspected_gain_limit
FROM (SELECT count(*) AS eligible FROM status.school_age_persons) e
CROSS JOIN (
    SELECT count(*) AS children, count(DISTINCT child_id) AS distinct_children, count(status) AS statuses,
           count(CASE WHEN status NOT IN ({_KNOWN}) THEN 1 END) AS unknown_statuses,
           count(CASE WHEN reason IS NULL THEN 1 END) AS without_reason,
           count(CASE WHEN status IN ({_SUSPECTED}) THEN 1 END) AS suspected
    FROM status.child_statuses
) s
CROSS JOIN (
    SELECT nullif(count(*), 0) AS eligible,
           count(CASE WHEN status IN ({_SUSPECTED}) THEN 1 END) / nullif(count(*), 0) AS suspected_share
    FROM previous_child_facts
) b
"""
_OPEN = ", ".join(f"'{state}'" for state in OPEN_STATES)
_CLOSED = ", ".join(f"'{state}'" for state in CLOSED_STATES)
_LEDGERS = f"""
SELECT 'cases' AS subject, c.cases, c.distinct_cases, c.open_cases, p.open_before, e.opened, e.reopened, e.closed,
       p.open_before + e.opened + e.reopened - e.closed AS open_by_events, c.closed_without_evidence, n.events_without_evidence,
       (SELECT count(*) FROM draft.cases k WHERE k.state IN ({_CLOSED}) AND NOT EXISTS (
            SELECT 1 FROM draft.case_events e
            WHERE e.case_id = k.case_id AND e.to_state = k.state AND e.occurred_on = k.closed_on AND e.closing_reason = k.closing_reason
              AND e.evidence = k.closing_evidence AND e.evidence <> '' AND e.source <> '')) AS closed_without_event,
       (SELECT count(*) FROM draft.decisions d WHERE d.landed_on = $today AND NOT EXISTS (
            SELECT 1 FROM draft.case_events e WHERE e.case_id = d.case_id AND e.source = 'verifications:' || d.source_row)) AS answers_without_event,
       g.stock AS programme_stock, g.stock_by_entries AS programme_stock_by_entries, g.left_unassessed,
       (SELECT count(*) FROM draft.children WHERE status IN ({_SUSPECTED})) AS suspected_children,
       (SELECT count(*) FROM draft.suspected_dropouts) AS suspected_ledger,
       (SELECT count(*) FROM draft.children WHERE status = 'dropout') AS dropout_children,
       (SELECT count(*) FROM draft.dropouts) AS dropout_ledger,
       (SELECT count(*) FROM draft.children) - (SELECT count(DISTINCT child_id) FROM draft.children) AS children_repeated,
       (SELECT count(population_row) - count(DISTINCT CASE WHEN population_type = 'resident' THEN -population_row ELSE population_row END)
        FROM draft.children) AS population_rows_repeated,
       (SELECT count(*) FROM draft.suspected_dropouts WHERE reason IS NULL OR evidence IS NULL) AS flagged_without_reason
FROM (
    SELECT count(*) AS cases, count(DISTINCT case_id) AS distinct_cases, count(CASE WHEN state IN ({_OPEN}) THEN 1 END) AS open_cases,
           count(CASE WHEN state IN ({_CLOSED}) AND (closing_evidence IS NULL OR closing_evidence = '') THEN 1 END) AS closed_without_evidence
    FROM draft.cases
) c
CROSS JOIN (SELECT count(CASE WHEN state IN ({_OPEN}) THEN 1 END) AS open_before FROM previous_cases) p
CROSS JOIN (
    SELECT count(CASE WHEN event = 'opened' THEN 1 END) AS opened,
           count(CASE WHEN from_state IN ({_CLOSED}) AND to_state IN ({_OPEN}) THEN 1 END) AS reopened,
           count(CASE WHEN from_state IN ({_OPEN}) AND to_state IN ({_CLOSED}) THEN 1 END) AS closed
    FROM draft.case_events WHERE version IS NULL
) e
CROSS JOIN (
    SELECT count(CASE WHEN d.state = 'in' THEN 1 END) AS stock,
           count(CASE WHEN p.state = 'in' THEN 1 END)
             + count(CASE WHEN d.child_id IS NOT NULL AND p.child_id IS NULL THEN 1 END)
             - count(CASE WHEN d.state = 'left' AND coalesce(p.state, 'in') = 'in' THEN 1 END)
             + count(CASE WHEN d.state = 'in' AND p.state = 'left' THEN 1 END) AS stock_by_entries,
           count(CASE WHEN d.finding = 'left_unassessed' THEN 1 END) AS left_unassessed
    FROM draft.support_programmes d
    FULL JOIN previous_support_programmes p ON p.child_id = d.child_id AND p.programme = d.programme AND p.entered_on = d.entered_on
) g
CROSS JOIN (SELECT count(CASE WHEN coalesce(evidence, '') = '' OR coalesce(source, '') = '' OR occurred_on IS NULL THEN 1 END) AS events_without_evidence FROM draft.case_events) n
"""


def facts(
    connection: duckdb.DuckDBPyConnection, suite: str, config: Config, parameters: dict[str, object]
) -> pl.DataFrame:
    """The facts of one suite: a row a subject. Wants the `previous_` views; `parameters` are `today`, `born_from`, `born_to`."""
    gates, small = config.gates, float(config.gates.small_number)
    match suite:
        case "contract":
            _note_sources(connection, config)
            return _with(connection, _CONTRACT, {})
        case "volumes":
            _note_sources(connection, config)
            limits = {"required_limit": gates.volume_loss, "optional_limit": gates.volume_loss_optional}
            return _with(connection, _VOLUMES, limits | {"small_rows": float(gates.small_number_rows)})
        case "identity":
            return _with(connection, _IDENTITY, {"today": parameters["today"]})
        case "matching":
            born = {name: parameters[name] for name in ("born_from", "born_to")}
            rates = {"match_rate_limit": gates.match_rate_loss, "least_match_rate": gates.least_match_rate}
            found = _with(
                connection, _MATCHING, born | rates | {"match_rate_from": gates.least_match_rate_from, "small": small}
            )
            return found.with_columns(pl.lit(_model_drift(connection), dtype=pl.Float64).alias("model_drift"))
        case "status":
            limits = {"eligible_limit": gates.eligible_loss, "suspected_limit": gates.suspected_gain, "small": small}
            return _with(connection, _STATUS, limits)
        case "ledgers":
            events, cases = (frame(connection, f"SELECT * FROM draft.{name}") for name in ("case_events", "cases"))
            found = _with(connection, _LEDGERS, {"today": parameters["today"]})
            return found.with_columns(pl.lit(len(differences(events, cases))).alias("cases_not_replayed"))
        case _:
            raise KeyError(suite)


def _model_drift(connection: duckdb.DuckDBPyConnection) -> float | None:
    """How far tonight's model is from that of the version before; None where there was none."""
    tonight = rows(connection, "SELECT model FROM matched.model")
    before = rows(connection, "SELECT model FROM previous_linkage_models")
    return drift(Model.from_json(tonight[0][0]), Model.from_json(before[0][0])) if tonight and before else None


def _with(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]) -> pl.DataFrame:
    found = pl.DataFrame(connection.sql(sql, params=parameters).to_arrow_table())
    # DuckDB's sum of whole numbers is a HUGEINT, which comes as a decimal.
    return found.with_columns(cs.decimal().cast(pl.Int64))


def _note_sources(connection: duckdb.DuckDBPyConnection, config: Config) -> None:
    """The sources with their limits. Our own forms come back as offices fill them in, many tonight and few tomorrow, well or badly: an
    answer that cannot be believed goes back to its office and moves no case, so neither stops a county's night."""
    limit, by_source = config.gates.quarantined_share, config.gates.quarantined_share_by_source
    sent = {name for (name,) in rows(connection, "SELECT DISTINCT source FROM landed.files")}
    entries = [
        (
            source.name,
            source.required,
            source.name in sent,
            by_source.get(source.name, 1.0 if source.form else limit),
            source.form is not None,
            float(config.gates.quarantined_rows),
        )
        for source in sources().values()
    ]
    schema = {
        "source": pl.String,
        "required": pl.Boolean,
        "sent": pl.Boolean,
        "quarantined_limit": pl.Float64,
        "is_form": pl.Boolean,
        "passing_rows": pl.Float64,
    }
    create(connection, "gates.contract_sources", pl.DataFrame(entries, schema=schema, orient="row"))


def forget_verdicts(connection: duckdb.DuckDBPyConnection, suites: tuple[str, ...] = ALL_SUITES) -> None:
    """Take back what suites have said: what they looked at is being made again."""
    connection.execute(_TABLES)
    for suite in suites:
        connection.execute("DELETE FROM gates.verdicts WHERE suite = ?", [suite])
        connection.execute("DELETE FROM gates.results WHERE suite = ?", [suite])


_TABLES = """
CREATE TABLE IF NOT EXISTS gates.verdicts (suite VARCHAR, passed BOOLEAN, draft VARCHAR);
CREATE TABLE IF NOT EXISTS gates.results (suite VARCHAR, name VARCHAR, severity VARCHAR, passed BOOLEAN, observed VARCHAR, expected VARCHAR, advice VARCHAR, validation VARCHAR);
"""


def record(connection: duckdb.DuckDBPyConnection, suite: str, results: list[GateResult], draft: str) -> None:
    """Keep what a suite said of a draft, where publication reads it."""
    forget_verdicts(connection, (suite,))
    connection.execute(
        "INSERT INTO gates.verdicts VALUES (?, ?, ?)", [suite, not any(r.blocks for r in results), draft]
    )
    entries = [(suite, r.name, r.severity, r.passed, r.observed, r.expected, r.advice, r.validation) for r in results]
    schema = ["suite", "name", "severity", "passed", "observed", "expected", "advice", "validation"]
    insert(connection, "gates.results", pl.DataFrame(entries, schema=schema, orient="row"))


def passed_by(connection: duckdb.DuckDBPyConnection, draft: str) -> set[str]:
    """The suites that exactly this draft has passed."""
    connection.execute(_TABLES)
    return {
        suite for (suite,) in rows(connection, "SELECT suite FROM gates.verdicts WHERE passed AND draft = ?", [draft])
    }


def recorded(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, GateResult]]:
    """Everything the suites have said of this date, in their order."""
    connection.execute(_TABLES)
    found = rows(
        connection, "SELECT suite, name, severity, passed, observed, expected, advice, validation FROM gates.results"
    )
    return sorted(
        ((row[0], GateResult(*row[1:])) for row in found), key=lambda item: (ALL_SUITES.index(item[0]), item[1].name)
    )
