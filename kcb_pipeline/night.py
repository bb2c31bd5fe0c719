"""The stages of a night, each from what the earlier ones left in the working database. Dagster runs them; so can anybody.

A night is a function of the extracts of its date, the rules, the version of the date before and the decisions people have made. Nothing
here decides anything: a stage opens the working database, shows it the previous version and calls the rule that has the stage's name.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from kcb_pipeline import __version__
from kcb_pipeline.analytics import release
from kcb_pipeline.analytics.risk import measure
from kcb_pipeline.config import Config
from kcb_pipeline.disk import refuse_without_room
from kcb_pipeline.engines.embedded import connect, create, frame, rows, scalar
from kcb_pipeline.engines.sql import run_step, steps_on
from kcb_pipeline.engines.workspace import ParquetTable, Workspace
from kcb_pipeline.errors import StaleDraftError, UsageError
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import (
    Delivery,
    find_delivery,
    keep_delivery,
    kept_delivery,
    kept_inputs_digest,
)
from kcb_pipeline.extracts.landing import LandedSource, land
from kcb_pipeline.faults import keep
from kcb_pipeline.gates import DISCLOSURE, GateResult, facts, forget_verdicts, passed_by, record
from kcb_pipeline.home import Home
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.persons import Resolved, resolve_population, resolve_registry
from kcb_pipeline.identity.standardise import standardise_population, standardise_registry
from kcb_pipeline.ledgers.continuity import Continuity, recognise_children
from kcb_pipeline.ledgers.draft import Moved, advance_cases, draft_children, draft_ledgers
from kcb_pipeline.ledgers.previous import Version, base_of, show_previous, versions
from kcb_pipeline.ledgers.publication import Draft, Published, draft_token, publish, read_draft, refuse_unless_passed
from kcb_pipeline.ledgers.verifications import Believed, believe_verifications
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.registers import Matched, match_registers, register_settings
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.reporting.bulletin_risk import measure_bulletin
from kcb_pipeline.reporting.paper import write_papers
from kcb_pipeline.reporting.papers import SHOWN, papers
from kcb_pipeline.reporting.statistics import compute_statistics
from kcb_pipeline.review.answers import binding, read_answers
from kcb_pipeline.review.answers import digest as answers_digest
from kcb_pipeline.review.binding import Bound, bind_reviews, keep_answers
from kcb_pipeline.status.classify import classify
from kcb_pipeline.status.evidence import PACKAGE as STATUS
from kcb_pipeline.status.evidence import (
    Attributed,
    attribute_evidence,
    build_calendar,
    compare_registry_with_attendance,
    gather_evidence,
)
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL
from kcb_pipeline.status.school_age import Window, window


@dataclass(frozen=True)
class Night:
    """One comparison date of one home."""

    home: Home
    comparison_date: dt.date

    @functools.cached_property
    def config(self) -> Config:
        """The county's rules."""
        return self.home.config()

    @functools.cached_property
    def workspace(self) -> Workspace:
        """The working files of the date."""
        return self.home.workspace(self.comparison_date)

    @functools.cached_property
    def school_age(self) -> Window:
        """Who is of school age on the date."""
        return window(self.comparison_date, self.config.school_age)

    @property
    def rules_digest(self) -> str:
        """sha-256 of everything but the data that a result depends on: rules, matching settings, program."""
        return self._rules_digest()

    @property
    def rules_but_gates(self) -> str:
        """The same without the limits of the gates: while it stays, what has been computed stands, and the gates can be asked again."""
        return self._rules_digest(frozenset({"gates"}))

    def _rules_digest(self, without: frozenset[str] = frozenset()) -> str:
        settings = register_settings(self.comparison_date, self.config.matching)
        return self.config.digest(settings.digest, __version__, without=without)

    # -- what came ---------------------------------------------------------------------------------------------

    def find_delivery(self) -> Delivery:
        """What came for the date, and what reviewers decided before it: the working database begins anew."""
        delivery = find_delivery(self.home.extracts / str(self.comparison_date), self.comparison_date)
        refuse_without_room(delivery, work=self.home.work, ledgers=self.home.ledgers)
        answers = binding(read_answers(self.home.reviews), self.comparison_date)
        delivery = replace(delivery, decisions_digest=answers_digest(answers))
        self.workspace.erase_database()
        with self.workspace.connect() as connection:
            keep_delivery(connection, delivery)
            keep_answers(connection, answers)
        return delivery

    def land(self, source: str, *, progress: Progress = SILENT) -> LandedSource:
        """Land one source of the delivery."""
        return land(self.workspace, self._delivery(), sources()[source], progress=progress)

    def build_on(self) -> Version | None:
        """Fix which version the night builds on, and by which rules: a new origin for everything that follows.

        Where residents did not come, those of that version stand in for themselves.
        """
        base = base_of(self.comparison_date, versions(self.home.ledgers, self.home.limits()))
        with self.workspace.connect() as connection:
            origin = {
                "comparison_date": [self.comparison_date],
                "inputs_digest": [kept_inputs_digest(connection)],
                "rules_digest": [self.rules_digest],
                "rules_but_gates": [self.rules_but_gates],
                "base_version": pl.Series([base.version if base else None], dtype=pl.Int32),
                "base_date": pl.Series([base.comparison_date if base else None], dtype=pl.Date),
                "base_digest": pl.Series([base.content_digest if base else None], dtype=pl.String),
            }
            create(connection, "draft.origin", pl.DataFrame(origin))
            sent = self._sent(connection)
        if "residents" not in sent:
            land(self.workspace, Delivery(self.comparison_date, {}, ()), sources()["residents"])
            self._carry_residents()
        return base

    def _delivery(self) -> Delivery:
        with self.workspace.connect() as connection:
            return kept_delivery(connection, self.home.extracts / str(self.comparison_date), self.comparison_date)

    def _carry_residents(self) -> None:
        with self._connected() as connection:
            carried = frame(connection, _CARRIED_RESIDENTS)
            if carried.is_empty():
                return
            carried = carried.with_columns(
                id_number.valid(carried["id_number"], on=self.comparison_date).alias("id_valid")
            )
            carried = carried.filter((pl.col("population_type") == "resident") | pl.col("id_valid"))
            carried = carried.drop("population_type")
            with ParquetTable(self.workspace.parquet("landed", "residents", "carried")) as table:
                table.write(carried.to_arrow(compat_level=pl.CompatLevel.oldest()))
            self.workspace.show(connection, "landed", "residents", "carried")

    # -- who is who --------------------------------------------------------------------------------------------

    def standardise(self, *, progress: Progress = SILENT) -> tuple[int, int]:
        """Standard keys of both sides."""
        if self.config.engine == "spark":
            from kcb_pipeline.spark import registers

            with registers.tables_of(self.workspace, self.config.spark) as tables:
                return registers.standardise(tables)
        return standardise_population(self.workspace, progress=progress), standardise_registry(
            self.workspace, progress=progress
        )

    def resolve(self) -> tuple[Resolved, Resolved]:
        """Which rows of each side are one person."""
        with self._steps():
            return resolve_population(self.workspace), resolve_registry(self.workspace)

    def recognise(self) -> Continuity:
        """Which child of the version before each person is."""
        with self._connected() as connection:
            return recognise_children(connection, self.comparison_date, self.school_age)

    def believe(self) -> Believed:
        """Which answers of townships and schools are believed."""
        with self._connected() as connection:
            return believe_verifications(connection, self.comparison_date)

    def bind_reviews(self) -> Bound:
        """Which pairs people have decided, and what that does tonight. Wants what is believed."""
        with self._connected() as connection:
            return bind_reviews(connection, self.config.review.answers_needed)

    def match(self, *, progress: Progress = SILENT) -> Matched:
        """Comparison ①, 户籍 × 学籍."""
        frozen = self._model_before() if self.config.matching.model == "frozen" else None
        if self.config.engine == "spark":
            from kcb_pipeline.spark import registers

            with registers.tables_of(self.workspace, self.config.spark) as tables:
                return registers.match_registers(tables, self.config.matching, frozen=frozen, progress=progress)
        return match_registers(self.workspace, self.config.matching, frozen=frozen, progress=progress)

    def _model_before(self) -> Model | None:
        """The model of the version this night builds on, if it was made with tonight's settings."""
        settings = register_settings(self.comparison_date, self.config.matching)
        with self._connected() as connection:
            found = rows(connection, "SELECT comparisons, model FROM previous_linkage_models")
        return next((Model.from_json(text) for comparisons, text in found if comparisons == settings.shape), None)

    # -- where each child stands -------------------------------------------------------------------------------

    def attribute(self) -> list[Attributed]:
        """Which child each row of the other sources speaks of."""
        with self._connected() as connection, self._steps():
            build_calendar(connection, self.comparison_date, self.config)
            run_step(connection, STATUS, "pupil_rows", "status.pupil_rows")
            return attribute_evidence(connection, self.comparison_date)

    def compare_attendance(self) -> dict[str, int]:
        """Comparison ②, 学籍 × 在校."""
        with self._connected() as connection, self._steps():
            compare_registry_with_attendance(connection, self.comparison_date, self.config, self._sent(connection))
            [counts] = rows(
                connection,
                "SELECT count(*), count(*) FILTER (WHERE is_absent), count(*) FILTER (WHERE is_on_long_leave), "
                "count(*) FILTER (WHERE is_not_in_headcount) FROM status.attendance",
            )
        return dict(zip(("live_records", "absent", "long_leave", "not_in_headcount"), map(int, counts), strict=True))

    def classify(self) -> dict[str, int]:
        """The one status of every child of school age; counts by status."""
        with self._connected() as connection, self._steps():
            gather_evidence(connection, self.comparison_date, self.config)
            ever = scalar(connection, "SELECT count(*) FROM previous_sources WHERE source = 'approvals'")
            ever_sent = bool(ever) or "approvals" in self._sent(connection)
            return classify(connection, self.comparison_date, self.config, approvals_ever_sent=ever_sent)

    def compare_poverty(self) -> dict[str, int]:
        """Comparison ③, 辍学 × 脱贫户: suspected, unenrolled and dropped-out children of poor households."""
        with self._connected() as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE status.poverty_dropouts AS "
                "SELECT child_id, status, reason FROM status.child_statuses "
                f"WHERE is_poor = 1 AND status IN {OUT_OF_SCHOOL} ORDER BY child_id"
            )
            return dict(
                rows(connection, "SELECT status, count(*) FROM status.poverty_dropouts GROUP BY status ORDER BY status")
            )

    # -- the next version --------------------------------------------------------------------------------------

    def advance_cases(self) -> Moved:
        """Move every case through the night."""
        with self._connected() as connection:
            draft_children(connection, self.comparison_date, self.config)
            return advance_cases(connection, self.comparison_date, self.config, frozenset(self._sent(connection)))

    def draft(self) -> dict[str, int]:
        """Everything of the next version, before the gates; rows by table."""
        with self._connected() as connection:
            draft_ledgers(connection, self.comparison_date, self.config, self._sent(connection))
            compute_statistics(connection, self.comparison_date, self.config.targets)
            tables = (
                "children",
                "suspected_dropouts",
                "dropouts",
                "cases",
                "duplicate_enrolments",
                "duplicate_persons",
                "registry_only",
                "support_programmes",
                "child_lineage",
                "statistics",
            )
            return {table: int(scalar(connection, f"SELECT count(*) FROM draft.{table}")) for table in tables}

    def facts(self, suite: str) -> pl.DataFrame:
        """What a suite of gates looks at."""
        if suite == DISCLOSURE:
            with release.opened(self.home, self.analytics_draft) as connection:
                found = measure(connection, self.config).select(pl.lit("analytics").alias("subject"), pl.all())
                version = int(scalar(connection, "SELECT version FROM about"))
            with connect(self.home.ledgers, self.home.limits(), read_only=True) as connection:
                of_bulletin = measure_bulletin(connection, version, self.config.disclosure.smallest_cell)
            return found.with_columns(pl.lit(count).alias(name) for name, count in of_bulletin.items())
        with self._connected() as connection:
            parameters: dict[str, object] = {
                "today": self.comparison_date,
                "born_from": self.school_age.born_from,
                "born_to": self.school_age.born_to,
            }
            return facts(connection, suite, self.config, parameters)

    def hold_to_rules(self) -> None:
        """Hold what is computed now to the rules by which the rest was. UsageError where they have changed since.

        The limits of `[gates]` may change, for they compute nothing: the draft is judged by today's, and verdicts given by others are void.
        """
        with self.workspace.connect() as connection:
            [(rules, but_gates)] = rows(connection, "SELECT rules_digest, rules_but_gates FROM draft.origin")
            if but_gates != self.rules_but_gates:
                raise UsageError(
                    f"{self.comparison_date}: rules have changed since it was computed, and not only [gates]: "
                    f"kcb run --date {self.comparison_date} --from base_version"
                )
            if rules != self.rules_digest:
                connection.execute("UPDATE draft.origin SET rules_digest = ?", [self.rules_digest])

    def hold_to_base(self) -> None:
        """StaleDraftError where another version has to come before the date now than the one it was computed on."""
        with self.workspace.connect() as connection:
            draft = read_draft(connection)
        base = base_of(self.comparison_date, versions(self.home.ledgers, self.home.limits()))
        if (base.content_digest if base else None) != draft.base_digest:
            raise StaleDraftError(
                f"{self.comparison_date} was computed on version {draft.base_version}, which has been superseded since: "
                f"kcb run --date {self.comparison_date} --from base_version"
            )

    def not_passed(self, suites: Sequence[str]) -> list[str]:
        """Those of some suites that the draft as it is has not passed: they failed it, or have said nothing of it, or by other limits."""
        with self.workspace.connect() as connection:
            passed = passed_by(connection, draft_token(read_draft(connection)))
        return [suite for suite in suites if suite not in passed]

    def record(self, suite: str, results: list[GateResult]) -> None:
        """Keep what a suite said, where publication reads it and the version shows it."""
        with self.workspace.connect() as connection:
            record(connection, suite, results, draft_token(read_draft(connection)))
            connection.execute(
                "CREATE OR REPLACE VIEW draft.check_results AS SELECT suite || '.' || name AS name, severity, passed, observed, expected, validation FROM gates.results "
                f"WHERE suite <> '{DISCLOSURE}'"  # it speaks when the version is out
            )

    def publish(self, *, run_id: str, now: dt.datetime) -> Published:
        """The draft becomes the next version, or the reason why not."""

        def accompany(connection: duckdb.DuckDBPyConnection, version: int, folder: Path) -> None:
            smallest = self.config.disclosure.smallest_cell
            write_papers(papers(connection, version, smallest_cell=smallest), folder)
            for kind in SHOWN:
                try:
                    write_papers(list(papers(connection, version, smallest_cell=smallest, kinds=[kind])), folder)
                except Exception as error:
                    keep(error, kind, self.workspace.files)

        return publish(
            self.home, self.workspace, run_id=run_id, now=now, accompany=accompany, engine=self.config.engine
        )

    # -- for analysts --------------------------------------------------------------------------------------------

    @property
    def analytics_draft(self) -> Path:
        """The file for analysts before its gate has spoken."""
        return self.workspace.files / "analytics.duckdb"

    def draft_analytics(self) -> dict[str, Any]:
        """The latest version de-identified, in a file of its own; what was measured of it."""
        with self.workspace.connect() as connection:
            forget_verdicts(connection, (DISCLOSURE,))
        version = release.build(self.home, self.config, self.analytics_draft)
        with release.opened(self.home, self.analytics_draft) as connection:
            risk = frame(connection, "SELECT * FROM disclosure_risk")
        with self.workspace.connect() as connection:
            create(connection, "draft.disclosure_risk", risk)
        return {"version": version} | risk.row(0, named=True)

    def publish_analytics(self) -> dict[str, int]:
        """Put the file where analysts read it, if its gate has passed it; the version that stands there then."""
        with self.workspace.connect(read_only=True) as connection:
            refuse_unless_passed(connection, (DISCLOSURE,), read_draft(connection))
        version, is_new = release.place(self.home, self.analytics_draft)
        return {"version": version, "is_this_one": int(is_new)}

    # -- shared ------------------------------------------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The working database, beside the version the draft builds on."""
        with self.workspace.connect() as connection:
            draft = read_draft(connection)
            show_previous(connection, self.home.ledgers, self._base(draft))
            yield connection

    @contextmanager
    def _steps(self) -> Iterator[None]:
        """The named steps of what is called inside run on the engine of the home."""
        if self.config.engine != "spark":
            yield
            return
        from kcb_pipeline.spark import registers

        with registers.tables_of(self.workspace, self.config.spark) as tables, steps_on(tables):
            yield

    def _base(self, draft: Draft) -> Version | None:
        if draft.base_version is None:
            return None
        return next(v for v in versions(self.home.ledgers, self.home.limits()) if v.version == draft.base_version)

    @staticmethod
    def _sent(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
        return tuple(
            source for (source,) in rows(connection, "SELECT DISTINCT source FROM landed.delivery ORDER BY source")
        )


_CARRIED_RESIDENTS = """
SELECT -row_number() OVER (ORDER BY known) AS row, id_number, name, sex, birth_date, ethnicity, household_division_code, division_code, township_code,
       township_name, NULL::VARCHAR AS address, NULL::VARCHAR AS permit_number, NULL::DATE AS arrived_on, NULL::DATE AS cancelled_on,
       NULL::VARCHAR AS permit_state, guardian_name, guardian_phone, population_type
FROM (
    SELECT f.child_id AS known, f.id_number, f.name, f.sex, f.birth_date, f.ethnicity, NULL::VARCHAR AS household_division_code,
           CASE WHEN f.population_type = 'resident' THEN f.division_code END AS division_code,
           CASE WHEN f.population_type = 'resident' THEN f.township_code END AS township_code,
           CASE WHEN f.population_type = 'resident' THEN f.township_name ELSE e.township_name END AS township_name,
           f.guardian_name, f.guardian_phone, f.population_type
    FROM previous_child_facts f
    LEFT JOIN (SELECT child_id, min(code) AS township_name, true AS lives_here FROM previous_evidence WHERE kind = 'residence' GROUP BY child_id) e
      ON e.child_id = f.child_id
    WHERE CASE WHEN f.population_type = 'resident' THEN f.status <> 'departed' OR e.lives_here
          ELSE e.lives_here AND NOT EXISTS (SELECT 1 FROM landed.population p WHERE p.name = f.name AND p.birth_date = f.birth_date
                                                                                AND p.id_number IS DISTINCT FROM f.id_number) END
    UNION ALL
    SELECT waiting, id_number, name, sex, birth_date, ethnicity, household_division_code, division_code, township_code, township_name,
           guardian_name, guardian_phone, 'resident'
    FROM previous_waiting_residents
) carried
ORDER BY known
"""
"""Who lived here by 居住证 in the version before, as rows with negative numbers: they have no row in tonight's extracts. One whom it counted by 户籍
is told by its number alone, so it needs a valid one, and comes with no other number tonight; where it is still registered, that row wins. Those who
were not of school age then may be now."""


def metadata_of(result: object) -> dict[str, Any]:
    """A stage's result as plain numbers and words, for whoever shows it."""
    if isinstance(result, dict):
        return dict(result)
    return asdict(result)  # type: ignore[call-overload]
