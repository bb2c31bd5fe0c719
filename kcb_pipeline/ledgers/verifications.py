"""核查结果: what townships and schools answer on our worklists, believed row by row or sent back with the reason.

An answer that is believed becomes a *decision*: kept for ever, numbered within its case, replayed in order every night. The same
answer sent again changes nothing. What each result needs and means is in `RESULTS`, and nowhere else.

在校已有学籍 names an enrolment to be linked, so it must be one that the day's registry has: a number that it has not, well formed or not,
goes back, and so does one of a record that is another child's by name and ID number: it would take that child's enrolment. A child that studies where no registry of ours reaches is 省内 or 省外就读无学籍, with evidence.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Final, Literal

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import create, frame
from kcb_pipeline.identity.names import plain_key
from kcb_pipeline.ledgers.schema import table
from kcb_pipeline.matching.chinese import LOST_OR_ADDED, name_levels
from kcb_pipeline.status.reasons import REASONS

MEASURES: Final = ("宣传教育", "责令改正", "行政处罚", "申请强制执行或提起诉讼")
"""四步法, in order; all of them, or some as the circumstances ask for (南政办发〔2024〕6号 五(三), 五(十))."""


def skipped_steps(reached: str | None, taken: str) -> tuple[str, ...]:
    """The steps between the one reached and the one taken.

    >>> skipped_steps("宣传教育", "行政处罚"), skipped_steps(None, "宣传教育")
    (('责令改正',), ())
    """
    first = MEASURES.index(reached) + 1 if reached else 0
    return MEASURES[first : MEASURES.index(taken)]


Effect = Literal["stays_open", "confirms", "returned", "closes", "closes_until"]


@dataclass(frozen=True, slots=True)
class Result:
    """One 核查结果: what follows from it, which cell it needs, and whether it goes to public security for correction."""

    name: str
    effect: Effect
    needs: str | None = None
    corrects_population: bool = False


RESULTS: Final = {
    result.name: result
    for result in (
        Result("在校已有学籍", "closes", needs="student_number"),
        Result("省内就读无学籍", "closes", needs="evidence"),
        Result("省外就读无学籍", "closes", needs="evidence"),
        Result("户籍死亡", "closes", needs="evidence", corrects_population=True),
        Result("空挂户", "closes", needs="evidence", corrects_population=True),
        Result("双重户籍", "closes", needs="evidence", corrects_population=True),
        Result("出国(境)", "closes", needs="evidence"),
        Result("姓名或证号错误", "stays_open", corrects_population=True),
        Result("查无此人", "stays_open"),
        Result("失联", "stays_open"),
        Result("超龄离校", "closes"),
        Result("延缓入学", "closes_until", needs="until"),
        Result("休学", "closes_until", needs="until"),
        Result("送教上门", "closes", needs="placement"),
        Result("随班就读", "closes", needs="placement"),
        Result("特教学校就读", "closes", needs="placement"),
        Result("确认失学", "confirms"),
        Result("确认辍学", "confirms"),
        Result("已复学", "returned"),
    )
}
"""What follows from each result (extracts.md, verifications)."""

CONFIRMING: Final = tuple(name for name, result in RESULTS.items() if result.effect == "confirms")
"""Results that confirm a dropout: they open a closed case again."""

VERDICTS: Final = tuple(name for name, result in RESULTS.items() if result.effect not in ("stays_open", "returned"))
"""Results that say where a child stands; the latest holds. 查无此人, 失联, a wrong number and 已复学 say nothing of that by themselves."""

REFUSALS: Final = {
    "unknown_case": "案件编号不存在",
    "other_child": "姓名与该案儿童不符",
    "in_the_future": "核查日期晚于比对日期",
    "before_case": "核查日期早于立案日期",
    "contradictory": "同一案件同一日期有不同的核查结果（包括此前已采信的）",
    "evidence_missing": "该核查结果需要填写此列",
    "until_not_after": "期限应晚于核查日期",
    "unknown_student_number": "该学籍号不在当日学籍数据中：请核对号码；确在外地就读而学籍不在本地的，填省内或省外就读无学籍并附佐证",
    "number_of_another": "该学籍号是另一儿童的（姓名、证件号码均与其一致）：请核对号码",
    "case_closed": "该案已销号",
    "step_skipped": "跳过了前面的劝返步骤，须在佐证材料中写明理由",
}
"""Why an answer is not believed, in the words that go back to the office."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One believed 核查结果 of a case: the row it stood in, and everything it says."""

    result: str
    verified_on: dt.date
    source_row: int
    reason: str | None = None
    measure: str | None = None
    visits: int | None = None
    visited_on: dt.date | None = None
    placement: str | None = None
    evidence: str | None = None
    school_code: str | None = None
    student_number: str | None = None
    until: dt.date | None = None


SAID: Final = tuple(field.name for field in fields(Answer) if field.name != "source_row")
"""What an answer says of its case. Two that differ in any of it are two decisions, and two events of the case."""

_SAID_OF_A_CASE: Final = ("case_id", *SAID)

_ANSWERS = """
WITH answers AS (
    SELECT * REPLACE (coalesce(student_number, nullif(regexp_extract(evidence, '[GJL][0-9]{17}[0-9X]'), '')) AS student_number)
    FROM landed.verifications
), named AS (
    SELECT student_number, name_key, id_key, folded FROM standard.registry_keys
    WHERE student_number IN (SELECT student_number FROM answers WHERE result = '在校已有学籍')
), bearers AS (
    -- whose own record each number is, by ID number and name: where several pupils bear it their names decide whom an answer means (`binding`)
    SELECT k.student_number, min(k.name_key) AS bearer_name
    FROM named k
    LEFT JOIN (
        SELECT ref, id_key, folded FROM standard.population_keys WHERE is_live AND id_key IN (SELECT id_key FROM named)
    ) p ON p.id_key = k.id_key AND p.folded = k.folded
    GROUP BY k.student_number
    HAVING count(DISTINCT k.name_key) = 1 AND count(p.ref) > 0
)
SELECT v.row AS source_row, f.file, v.*, c.child_id, c.opened_on, c.state, c.measure AS step_reached, n.name AS child_name, b.bearer_name,
       EXISTS (SELECT 1 FROM landed.student_registry s WHERE s.student_number = v.student_number) AS student_number_known
FROM answers v
JOIN landed.files f ON f.source = 'verifications' AND v.row BETWEEN f.first_row AND f.first_row + f.read - 1
LEFT JOIN previous_cases c ON c.case_id = v.case_id
LEFT JOIN previous_child_facts n ON n.child_id = c.child_id
LEFT JOIN bearers b ON b.student_number = v.student_number
WHERE v.result IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Believed:
    """How many answers came, were new and believed, had been believed before, and were refused. A row without result is no answer."""

    answers: int
    believed: int
    known: int
    refused: int


def believe_verifications(connection: duckdb.DuckDBPyConnection, on: dt.date) -> Believed:
    """Fill `draft.decisions` (earlier ones and tonight's), `draft.refused_verifications` and `status.verdicts`.

    Wants the `previous_` views.
    """
    earlier = frame(connection, "SELECT * FROM previous_decisions").sort("case_id", "decision")
    answers = frame(connection, _ANSWERS).sort("source_row")
    fresh = answers.join(
        earlier.select(_SAID_OF_A_CASE).unique(),
        on=list(_SAID_OF_A_CASE),
        how="anti",
        nulls_equal=True,
        maintain_order="left",
    )
    judged = _judge(fresh, earlier, on)
    refused = judged.filter(pl.col("rule").is_not_null())
    believed = judged.filter(pl.col("rule").is_null()).unique(subset=_SAID_OF_A_CASE, keep="first", maintain_order=True)
    numbered = earlier.group_by("case_id").agg(pl.col("decision").max().alias("so_far"))
    new = (
        believed.join(numbered, on="case_id", how="left", maintain_order="left")
        .sort("case_id", "verified_on", "source_row")
        .with_columns(
            (pl.col("so_far").fill_null(0) + pl.int_range(1, pl.len() + 1).over("case_id"))
            .cast(pl.Int32)
            .alias("decision"),
            pl.lit(on).alias("landed_on"),
        )
    )
    columns = list(table("decisions").columns)
    decisions = pl.concat([earlier.select(columns), new.select(columns).cast(dict(earlier.select(columns).schema))])  # type: ignore[arg-type]
    create(connection, "draft.decisions", decisions.sort("case_id", "decision"))
    create(
        connection,
        "draft.refused_verifications",
        refused.select("source_row", "file", "case_id", "column", "rule").sort("source_row", "rule"),
    )
    returned = frame(connection, _RETURNED)
    create(connection, "status.verdicts", _verdicts(decisions, returned))
    return Believed(answers.height, new.height, answers.height - fresh.height, refused["source_row"].n_unique())


_DEPARTURES: Final = ", ".join(f"'{reason.code}'" for reason in REASONS if reason.status == "departed")
_RETURNED = f"""
SELECT case_id, max(occurred_on) AS returned_on FROM previous_case_events
WHERE event = 'closed_by_evidence' AND closing_reason NOT IN ({_DEPARTURES})
GROUP BY case_id
"""
"""Who moved away, went abroad or was struck off has not been shown to be back."""


def _judge(answers: pl.DataFrame, earlier: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    """Each answer with the first rule it breaks and the column to mend, or none."""
    answers = answers.with_columns(
        _names_disagree(answers["name"], answers["child_name"]).alias("disagrees"),
        _names_disagree(answers["bearer_name"], answers["child_name"]).alias("is_of_another"),
    )
    needs = pl.col("result").replace_strict(
        {name: r.needs for name, r in RESULTS.items()}, default=None, return_dtype=pl.String
    )
    lacks = pl.any_horizontal(
        (needs == cell) & pl.col(cell).is_null() for cell in sorted({r.needs for r in RESULTS.values() if r.needs})
    )
    said_before = earlier.group_by("case_id", "verified_on").agg(pl.col("result").unique().alias("said_before"))
    answers = answers.join(said_before, on=["case_id", "verified_on"], how="left", maintain_order="left")
    contradicts = pl.col("result").n_unique().over("case_id", "verified_on") > 1
    contradicts |= pl.col("said_before").list.len().fill_null(0) > pl.col("said_before").list.contains(pl.col("result"))
    is_open = pl.col("state") != "closed"
    reopens = pl.col("result").is_in(CONFIRMING)
    rules: list[tuple[str, pl.Expr, pl.Expr]] = [
        ("unknown_case", pl.lit("case_id"), pl.col("child_id").is_null()),
        ("other_child", pl.lit("name"), pl.col("disagrees")),
        ("in_the_future", pl.lit("verified_on"), pl.col("verified_on") > on),
        ("before_case", pl.lit("verified_on"), pl.col("verified_on") < pl.col("opened_on")),
        ("contradictory", pl.lit("result"), contradicts),
        ("evidence_missing", needs, lacks),
        ("until_not_after", pl.lit("until"), (needs == "until") & (pl.col("until") <= pl.col("verified_on"))),
        (
            "unknown_student_number",
            pl.lit("student_number"),
            (needs == "student_number") & ~pl.col("student_number_known"),
        ),
        ("number_of_another", pl.lit("student_number"), (needs == "student_number") & pl.col("is_of_another")),
        ("case_closed", pl.lit("case_id"), ~is_open & ~reopens),
    ]
    rule, column = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=pl.String)
    for name, cell, broken in reversed(rules):
        is_broken = broken.fill_null(value=False)
        rule = pl.when(is_broken).then(pl.lit(name)).otherwise(rule)
        column = pl.when(is_broken).then(cell).otherwise(column)
    return _without_skipped_steps(answers.with_columns(rule.alias("rule"), column.alias("column")))


def _without_skipped_steps(judged: pl.DataFrame) -> pl.DataFrame:
    """Refuse an answer whose step comes before its turn without a reason (佐证材料); the steps of one night count by their days."""
    steps = judged.filter(pl.col("rule").is_null() & pl.col("measure").is_not_null())
    order = pl.col("measure").replace_strict({name: n for n, name in enumerate(MEASURES)}, return_dtype=pl.Int32)
    reached: dict[str, str | None] = {}
    skipped: list[int] = []
    for row in steps.sort("case_id", "verified_on", order, "source_row").iter_rows(named=True):
        so_far = reached.setdefault(row["case_id"], row["step_reached"])
        if skipped_steps(so_far, row["measure"]) and not row["evidence"]:
            skipped.append(row["source_row"])
        elif so_far is None or MEASURES.index(row["measure"]) > MEASURES.index(so_far):
            reached[row["case_id"]] = row["measure"]
    is_skipped = pl.col("source_row").is_in(skipped)
    return judged.with_columns(
        pl.when(is_skipped).then(pl.lit("step_skipped")).otherwise(pl.col("rule")).alias("rule"),
        pl.when(is_skipped).then(pl.lit("evidence")).otherwise(pl.col("column")).alias("column"),
    )


def _names_disagree(names: pl.Series, others: pl.Series) -> pl.Series:
    given, known = plain_key(names), plain_key(others)
    level = name_levels(given.fill_null(""), known.fill_null(""))
    said = given.is_not_null() & known.is_not_null()
    return said & pl.Series(level > LOST_OR_ADDED)


def _verdicts(decisions: pl.DataFrame, returned: pl.DataFrame) -> pl.DataFrame:
    """The verdict that stands for each child: the latest result that says where a child stands.

    A confirmed dropout that was shown to be back is no longer one, though the source that showed it may say no more: its case was
    closed on that evidence, and what was confirmed before does not speak of the time after.
    """
    said = decisions.filter(pl.col("result").is_in(list(VERDICTS)))
    latest = (
        said.sort("child_id", "verified_on", "landed_on", "decision")
        .group_by("child_id", maintain_order=True)
        .last()
        .join(returned, on="case_id", how="left", maintain_order="left")
    )
    is_confirmed = pl.col("result").is_in(CONFIRMING)
    is_over = is_confirmed & (pl.col("returned_on") >= pl.max_horizontal("verified_on", "landed_on"))
    return latest.filter(~is_over.fill_null(value=False)).select(
        "child_id", "result", "reason", "verified_on", "until", "student_number", "landed_on", "source_row"
    )
