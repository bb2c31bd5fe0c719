"""The expectations people read and argue about, as Great Expectations suites over the fact frames of `kcb_pipeline.gates`.

What belongs here: for each suite its gates, each an expectation with the words that go with it. A gate's result holds counts and
names of sources, never a child's value. Great Expectations is imported when a suite runs: the import costs seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from kcb_pipeline.config import Config
from kcb_pipeline.gates import GateResult, Severity
from kcb_pipeline.gx import import_alone


@dataclass(frozen=True, slots=True)
class Gate:
    """One expectation on a fact frame.

    shown: the columns that say what was observed. expectation: built from `great_expectations.expectations` when the suite runs.
    """

    name: str
    expected: str
    advice: str
    shown: tuple[str, ...]
    expectation: Callable[[Any], Any]
    severity: Severity = "error"


_FAULT: Final = "report it: a fault of the program"
"""What to do where the pipeline contradicts itself, and no extract or setting can be the reason."""


def _zero(name: str, column: str, expected: str, advice: str = _FAULT, shown: tuple[str, ...] = ()) -> Gate:
    return Gate(
        name,
        expected,
        advice,
        (*shown, column),
        lambda gxe: gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=0),
    )


def _equal(name: str, left: str, right: str, expected: str, advice: str = _FAULT) -> Gate:
    return Gate(
        name, expected, advice, (left, right),
        lambda gxe: gxe.ExpectColumnPairValuesToBeEqual(column_A=left, column_B=right, ignore_row_if="either_value_is_missing"),
    )  # fmt: skip


def _within(name: str, column: str, limit: str, expected: str, advice: str, shown: tuple[str, ...] = ()) -> Gate:
    """A number at most its limit, which stands beside it because small numbers get more room."""
    return Gate(
        name, expected, advice, (*shown, column, limit),
        lambda gxe: gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=limit, column_B=column, or_equal=True, ignore_row_if="either_value_is_missing"
        ),
    )  # fmt: skip


def _at_least(name: str, column: str, least: str, expected: str, advice: str) -> Gate:
    """A number at least that which stands beside it."""
    return _within(name, least, column, expected, advice)


def _at_most(name: str, column: str, limit: float, expected: str, advice: str, severity: Severity = "error") -> Gate:
    return Gate(
        name,
        expected,
        advice,
        (column,),
        lambda gxe: gxe.ExpectColumnValuesToBeBetween(column=column, max_value=limit),
        severity,
    )


def gates_of(suite: str, config: Config) -> list[Gate]:
    """The gates of one suite under a county's rules."""
    limits = config.gates
    match suite:
        case "contract":
            return [
                _equal(
                    "rows_add_up", "read", "accounted", "rows read = landed + quarantined + duplicate rows, for every source",
                    "this is a fault of the program: keep the working files and report it",
                ),
                _within(
                    "few_rows_quarantined", "quarantined_share", "quarantined_limit",
                    "the share of quarantined rows of every source is at most its limit (gates.quarantined_share)",
                    "look at quarantined_rows of the working database for rows and rules, and ask the sender to mend them",
                ),
                _at_most(
                    "few_cells_in_doubt", "issue_share", limits.cell_issue_share,
                    f"at most {limits.cell_issue_share:.0%} of the rows of a source have a cell that broke a rule",
                    "look at cell_issues of the working database: a whole column in another form is a changed export", "warning",
                ),
                _at_most(
                    "no_file_breaks_off", "breaks_off", limits.files_broken_off,
                    f"of a source at most {limits.files_broken_off} file(s) end in the middle of a row, without a line end (gates.files_broken_off)",
                    "a copy that was cut short, or is still being written, looks like this: have the file sent again, with SHA256SUMS",
                ),
                _at_most(
                    "last_lines_end", "ends_open", 0, "the last line of every CSV file has a line end",
                    "a whole row without one is landed; if this sender's files did end so until now, compare the file with the sender's", "warning",
                ),
                Gate(
                    "required_sources_came", "population and student_registry have rows", "ask the sender for the extract",
                    ("landed",), lambda gxe: gxe.ExpectColumnValuesToBeBetween(column="landed", min_value=1, row_condition='required==True', condition_parser="pandas"),
                ),
            ]  # fmt: skip
        case "volumes":
            return [
                _within(
                    "no_source_shrank", "loss", "loss_limit",
                    f"a required source lost at most {limits.volume_loss:.0%} of its rows against the version before "
                    f"(gates.volume_loss), an optional one {limits.volume_loss_optional:.0%}",
                    "an export that is cut short looks like this: ask the sender, or raise the limit if the loss is real",
                    shown=("landed_before", "landed"),
                )
            ]  # fmt: skip
        case "identity":
            return [
                _zero("persons_are_unique", "repeated", "every person and every pupil stands once"),
                _zero("sexes_are_known_codes", "unknown_sexes", "sex is 1, 2 or missing"),
                _zero("births_are_possible", "impossible_births", "no birth date lies after the comparison date or before 1900"),
                _zero("keys_name_one_person", "keys_of_two", "no ID number used as a key belongs to two live persons"),
            ]  # fmt: skip
        case "matching":
            return [
                _zero("persons_linked_once", "persons_linked_twice", "a child is linked to at most one pupil"),
                _zero("students_linked_once", "students_linked_twice", "a pupil is linked to at most one child"),
                _zero("pairs_have_reasons", "pairs_without_reason", "every decided pair has its reason"),
                _zero("decisions_are_known", "unknown_decisions", "every pair is linked, in review or rejected"),
                _equal("registry_rows_add_up", "registry_rows", "registry_rows_accounted", "every registry row is a pupil's, or a named further record of one"),
                _at_least(
                    "match_rate_is_possible", "match_rate", "match_rate_least",
                    f"at least {limits.least_match_rate:.0%} of the children have a student record (gates.least_match_rate)",
                    "the two registers may be of different counties, or the ID numbers of one of them unusable",
                ),
                _within(
                    "match_rate_did_not_fall", "match_rate_loss", "match_rate_loss_limit",
                    f"the share of children with a student record fell by at most {limits.match_rate_loss:.0%} (gates.match_rate_loss)",
                    "compare the two nights' extracts: a school or a county missing, or a column in another form",
                    shown=("match_rate_before", "match_rate"),
                ),
                _at_most(
                    "model_did_not_drift", "model_drift", limits.model_drift,
                    f"what a true pair looks like moved by at most {limits.model_drift:g} (population stability index, gates.model_drift)",
                    "a column in another form, or a register of another county, looks like this; kcb charts shows the levels", "warning",
                ),
                _at_most(
                    "review_is_bearable", "review_share", limits.review_share,
                    f"at most {limits.review_share:.0%} of the children need a person to look at their pairs (gates.review_share)",
                    "export the pairs (kcb review export) and look for what they have in common", "warning",
                ),
            ]  # fmt: skip
        case "status":
            return [
                _equal("one_status_each", "eligible", "statuses", "every child of school age has a status"),
                _equal("children_are_unique", "children", "distinct_children", "no child has two"),
                _zero("statuses_are_known", "unknown_statuses", "every status is one of the eleven"),
                _zero("reasons_are_given", "without_reason", "every status has its reason"),
                _within(
                    "children_did_not_vanish", "eligible_loss", "eligible_loss_limit",
                    f"the number of children fell by at most {limits.eligible_loss:.0%} (gates.eligible_loss)",
                    "a township or county may be missing from the population extract",
                    shown=("eligible_before", "eligible"),
                ),
                _within(
                    "suspicion_did_not_leap", "suspected_gain", "suspected_gain_limit",
                    f"the share of suspected and unenrolled children rose by at most {limits.suspected_gain:.0%} (gates.suspected_gain)",
                    "a school missing from the registry, or a headcount that is not complete, looks like this",
                    shown=("suspected_share_before", "suspected_share"),
                ),
            ]  # fmt: skip
        case "ledgers":
            return [
                _equal("cases_add_up", "open_cases", "open_by_events", "open before + opened + re-opened − closed = open cases"),
                _equal("cases_are_unique", "cases", "distinct_cases", "no case stands twice"),
                _zero("nothing_closed_without_evidence", "closed_without_evidence", "every closed case has its evidence"),
                _zero("closings_are_events", "closed_without_event", "every closed case has the event that closed it, with the same evidence, its source and day"),
                _zero("events_have_evidence", "events_without_evidence", "every event has its evidence, its source and its day"),
                _zero("answers_are_events", "answers_without_event", "every answer that was believed stands in the history of its case"),
                _zero("cases_replay", "cases_not_replayed", "replaying case_events gives back every case exactly"),
                _equal("programmes_add_up", "programme_stock", "programme_stock_by_entries", "五项行动: stock before + entries − exits = stock; an entry leaves only by its exit"),
                _at_most("programmes_end_assessed", "left_unassessed", 0, "no child left a support programme without having passed its assessment", "ask the lead department for the assessment (support_programmes, finding left_unassessed)", "warning"),
                _equal("suspected_are_in_the_ledger", "suspected_children", "suspected_ledger", "疑似辍学 holds exactly the children of unenrolled and suspected"),
                _equal("dropouts_are_in_the_ledger", "dropout_children", "dropout_ledger", "辍学 holds exactly the children of dropout"),
                _zero("children_stand_once", "children_repeated", "no child stands twice in 适龄儿童台账"),
                _zero("population_rows_are_one_childs", "population_rows_repeated", "no row of the population side is shown as two children"),
                _zero("flags_have_reasons", "flagged_without_reason", "every flagged child has a reason and its evidence in words"),
            ]  # fmt: skip
        case "disclosure":
            smallest, lines = config.disclosure.smallest_cell, config.disclosure.lines_by_subtraction
            rotate = "make a new key (docs/operations.md, For analysts): under it nothing that was given out before can be joined to the new file"
            return [
                _zero(
                    "groups_are_large", "children_in_small_groups", f"at least {smallest} children share every description (disclosure.smallest_cell)", shown=("children", "smallest_group", "unique_children"),
                ),
                _zero("newcomers_are_many", "newcomers_in_small_groups", f"of those who are new in the file at least {smallest} share every description"),
                _zero("descriptions_stand", "redescribed", "no child is described otherwise than in the file before: two descriptions together say more than either", rotate),
                _zero("columns_are_listed", "columns_not_listed", "the file holds the columns of docs/analytics.md and no others"),
                _zero("nobody_is_named", "identities", "no word of the file is a name, a number or a household of the ledgers"),
                _at_most(
                    "groups_keep_their_secret", "children_given_away", 0,
                    f"in no group are more than {config.disclosure.most_certain:.0%} out of school (disclosure.most_certain)",
                    "children have dropped out since they were described; give the file to nobody new before the key is changed", "warning",
                ),
                _at_most(
                    "bulletin_tells_no_more", "lines_by_subtraction", lines or 0,
                    f"at most {lines or 0} lines of the bulletin less the children of the file leave but a few (disclosure.lines_by_subtraction)",
                    "newcomers wait to be shown: do not give the bulletin and the file of one day to one person", "warning" if lines is None else "error",
                ),
                _zero(
                    "bulletin_hides_small_counts", "counts_computed", f"no count from 1 to {smallest - 1} of the bulletin is shown, nor follows from what is",
                    f"{_FAULT}; do not give this bulletin out",
                ),
                _at_most(
                    "bulletins_do_not_add_up", "counts_computed_beside", config.disclosure.counts_computed_beside,
                    f"at most {config.disclosure.counts_computed_beside} small counts of the bulletin follow with that of the month before (disclosure.counts_computed_beside)",
                    "kcb export bulletin refuses it: raise disclosure.smallest_cell, which hides more, or allow them by the setting", "warning",
                ),
            ]  # fmt: skip
        case _:
            raise KeyError(suite)


def run_suite(suite: str, facts: pl.DataFrame, config: Config) -> list[GateResult]:
    """Hold facts against the expectations of a suite, with Great Expectations.

    An expectation that cannot be evaluated is a failed gate that says so, never a passed one.
    """
    import_alone()
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    gates = gates_of(suite, config)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    source = context.data_sources.add_pandas("facts").add_dataframe_asset(suite)
    batch = source.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": facts.to_pandas()})
    results = []
    for gate in gates:
        # COMPLETE is safe here and only here: a fact frame has subjects and counts, never a child's value.
        validated = batch.validate(
            gate.expectation(gxe),
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": ["subject"],
                "include_unexpected_rows": False,
            },
        )
        if _could_not_run(validated.exception_info):
            told = "the expectation could not be evaluated"
            results.append(
                GateResult(
                    gate.name,
                    gate.severity,
                    passed=False,
                    observed=told,
                    expected=gate.expected,
                    advice=gate.advice,
                    validation=_validation(validated.to_json_dict() | {"result": {}}),
                )
            )
            continue
        unexpected = {entry["subject"] for entry in validated.result.get("unexpected_index_list") or []}
        shown = facts.filter(pl.col("subject").is_in(list(unexpected))) if unexpected else facts
        results.append(
            GateResult(
                gate.name,
                gate.severity,
                bool(validated.success),
                _observed(shown, gate, named=facts.height > 1),
                gate.expected,
                gate.advice,
                _validation(validated.to_json_dict()),
                _numbers(facts, gate),
            )
        )
    return results


def _validation(said: dict[str, Any]) -> str:
    """The expectation and its result, as the data docs of a version show them: the same facts give the same text."""
    kwargs = {name: value for name, value in said["expectation_config"]["kwargs"].items() if name != "batch_id"}
    result = {name: value for name, value in said["result"].items() if name in _KEPT and _is_numbers(value)}
    kept = {"type": said["expectation_config"]["type"], "kwargs": kwargs, "result": result}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


_KEPT = (
    "element_count", "missing_count", "missing_percent", "unexpected_count", "unexpected_percent", "unexpected_percent_total",
    "unexpected_percent_nonmissing", "partial_unexpected_list", "partial_unexpected_counts",
)  # fmt: skip
"""What the renderers of Great Expectations read of a result."""


def _is_numbers(value: Any) -> bool:
    """Whether nothing in a value is a text: what a gate looks at is counted, and a text there might be anybody's."""
    if isinstance(value, dict):
        return all(_is_numbers(part) for part in value.values())
    if isinstance(value, list):
        return all(_is_numbers(part) for part in value)
    return value is None or isinstance(value, int | float)


def _could_not_run(exceptions: Any) -> bool:
    """Whether Great Expectations raised inside: it reports that as an unmet expectation with an empty result."""
    infos = (exceptions, *exceptions.values()) if isinstance(exceptions, dict) else ()
    return any(isinstance(info, dict) and info.get("raised_exception") for info in infos)


def _numbers(facts: pl.DataFrame, gate: Gate) -> dict[str, float]:
    """The largest of each number that the gate looks at, over all subjects; nothing where there is none yet, or a text."""
    shown = [column for column in dict.fromkeys(gate.shown) if facts.schema[column].is_numeric()]
    if not shown:
        return {}
    largest = facts.select(pl.col(column).cast(pl.Float64).max() for column in shown)
    return {column: value for column, value in largest.row(0, named=True).items() if value is not None}


def _observed(shown: pl.DataFrame, gate: Gate, *, named: bool) -> str:
    """The numbers the gate looked at: by subject where there are few, their ranges where there are many."""
    told = []
    if shown.height > _MOST_SUBJECTS:
        for column in gate.shown:
            values = shown[column].drop_nulls()
            if len(values):
                told.append(f"{column} {_number(values.min())} to {_number(values.max())}")
        return f"{shown.height} sources: {', '.join(told)}" if told else _NOTHING_YET
    for row in shown.iter_rows(named=True):
        if any(row[column] is not None for column in gate.shown):
            numbers = ", ".join(f"{column} {_number(row[column])}" for column in gate.shown)
            told.append(f"{row['subject']}: {numbers}" if named else numbers)
    return "; ".join(told) or _NOTHING_YET


_MOST_SUBJECTS = 3
_NOTHING_YET = "nothing to compare with yet"


def _number(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return str(value)
        case float():
            return f"{value:.4g}"
        case int():
            return str(value)
        case _:
            return "no number"  # a text among facts is a fault, and could be a child's
