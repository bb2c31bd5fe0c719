"""What people have decided, as pairs of tonight's persons and pupils: verifications (在校已有学籍) and clerical review together.

A verification saw the child, a reviewer saw two records: where they differ the verification holds. A record that reviewers gave to
two children is nobody's by review. Every decision is kept with its effect tonight, and the version it bound is published with it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import create, frame
from kcb_pipeline.errors import KcbError
from kcb_pipeline.matching.chinese import LOST_OR_ADDED, name_levels
from kcb_pipeline.review.answers import Answer, Verdict, weigh
from kcb_pipeline.review.pairs import locate

_ANSWERS: Final = {
    "answer": pl.Int64, "pair": pl.String, "child_id": pl.String, "record_key": pl.String, "record_name": pl.String,
    "record_birth_date": pl.Date, "reviewer": pl.String, "said": pl.String, "answered_on": pl.Date, "sheet": pl.String,
}  # fmt: skip
_DECIDED: Final = {
    "pair": pl.String, "child_id": pl.String, "record_key": pl.String, "record_name": pl.String, "record_birth_date": pl.Date,
    "decision": pl.String, "decided_on": pl.Date, "reviewers": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """How many reviewed pairs are decided either way, and what each decision does tonight."""

    same: int
    different: int
    effects: dict[str, int]


def keep_answers(connection: duckdb.DuckDBPyConnection, answers: Sequence[Answer]) -> None:
    """Fill `draft.review_answers` with the answers that bind the night."""
    entries = [
        (place, a.pair, a.child_id, a.record_key, a.record_name, a.record_birth_date, a.reviewer, a.answer, a.answered_on, a.sheet)
        for place, a in enumerate(answers, start=1)
    ]  # fmt: skip
    create(connection, "draft.review_answers", pl.DataFrame(entries, schema=_ANSWERS, orient="row"))


def bind_reviews(connection: duckdb.DuckDBPyConnection, answers_needed: int) -> Bound:
    """Fill `draft.review_decisions` and `status.decided_pairs` (person, student, is_match, is_further).

    Wants `draft.review_answers`, `status.verdicts` and the `previous_` views. Raises KcbError where answers that bound the version
    before are no longer there: without them the night would take back what people decided.
    """
    answers = frame(connection, "SELECT * FROM draft.review_answers").sort("answer")
    earlier = frame(connection, "SELECT * FROM previous_review_answers")
    lost = earlier.join(answers, on=list(_ANSWERS), how="anti", nulls_equal=True).height
    if lost:
        raise KcbError(
            f"{lost} review answer(s) that bound the version before are not in reviews/answers.jsonl: restore the file"
        )
    decided = _decided(weigh([_answer(row) for row in answers.iter_rows(named=True)], answers_needed))
    tonight = locate(connection, decided) if decided.height else _unlocated(decided)
    verified = _verified(connection)
    tonight = tonight.with_columns(_effect(tonight, verified).alias("effect"))
    create(
        connection,
        "draft.review_decisions",
        tonight.select("pair", "child_id", "record_key", "decision", "decided_on", "reviewers", "effect").sort("pair"),
    )
    create(connection, "status.decided_pairs", _decided_pairs(connection, verified, tonight))
    decisions = Counter(tonight["decision"])
    return Bound(decisions["same"], decisions["different"], dict(sorted(Counter(tonight["effect"]).items())))


def _answer(row: dict[str, object]) -> Answer:
    return Answer(**{("answer" if name == "said" else name): value for name, value in row.items() if name != "answer"})  # type: ignore[arg-type]


def _decided(verdicts: dict[str, Verdict]) -> pl.DataFrame:
    entries = []
    for verdict in verdicts.values():
        if verdict.is_decided:
            first = verdict.answers[0]
            entries.append((
                verdict.pair, first.child_id, first.record_key, first.record_name, first.record_birth_date, verdict.state,
                verdict.settled_on, len(verdict.answers),
            ))  # fmt: skip
    return pl.DataFrame(entries, schema=_DECIDED, orient="row")


def _unlocated(decided: pl.DataFrame) -> pl.DataFrame:
    rows = {"person": pl.Int64, "student": pl.Int64, "registry_row": pl.Int64, "effect": pl.String}
    return decided.with_columns([pl.lit(None, dtype=kind).alias(name) for name, kind in rows.items()])


_VERIFIED = """
SELECT DISTINCT c.person, s.student, p.name_key, s.name_key AS record_name_key, coalesce(p.birth_date = s.birth_date, false) AS same_birth
FROM status.verdicts v
JOIN standard.children c ON c.child_id = v.child_id
JOIN standard.persons p ON p.person = c.person AND p.is_live
JOIN standard.registry_keys k ON k.student_number = v.student_number
LEFT JOIN standard.student_groups g ON g.row = k.row
JOIN standard.students s ON s.student = coalesce(g.student, k.row)
WHERE v.result = '在校已有学籍'
"""
"""The child of each case that was found enrolled, and the pupils that bear the number which the answer named. Who has left the register, as the
second of two rows of one child does, keeps no record from the first."""


def _verified(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """`person`, `student`: the enrolment that each answer means. Of several pupils under its number those with the child's name, else those
    with its birth date; where all are strangers it means nobody's."""
    named = frame(connection, _VERIFIED).sort("person", "student")
    level = pl.Series(name_levels(named["name_key"].fill_null(""), named["record_name_key"].fill_null("")))
    named = named.with_columns((level <= LOST_OR_ADDED).alias("same_name"))
    meant = pl.when(pl.col("same_name").any().over("person")).then("same_name").otherwise("same_birth")
    return named.filter((pl.len().over("person") == 1) | meant).select("person", "student")


def _effect(tonight: pl.DataFrame, verified: pl.DataFrame) -> pl.Expr:
    """What each decision does tonight: `binds`, or why it cannot."""
    same = pl.col("decision") == "same"
    binds = pl.col("effect") == "binds"
    claimed = tonight.filter(binds & same).group_by("student").agg(pl.col("person").n_unique().alias("claimants"))
    contested = claimed.filter(pl.col("claimants") > 1)["student"]
    pair = pl.struct("person", "student")
    is_verified = pair.is_in(verified.select(pair).to_series().implode()) if verified.height else pl.lit(value=False)
    otherwise_verified = pl.col("student").is_in(verified["student"].implode()) & ~is_verified
    return (
        pl.when(binds & ((same & otherwise_verified) | (~same & is_verified))).then(pl.lit("verified_otherwise"))
        .when(binds & same & pl.col("student").is_in(contested.implode())).then(pl.lit("contradicted"))
        .otherwise(pl.col("effect"))
    )  # fmt: skip


def _decided_pairs(
    connection: duckdb.DuckDBPyConnection, verified: pl.DataFrame, tonight: pl.DataFrame
) -> pl.DataFrame:
    """One pair a person and a pupil where they are the same; what else is the same child's is `is_further`; and who is not whom."""
    live = frame(connection, "SELECT student, is_live FROM standard.students")
    binding = tonight.filter(pl.col("effect") == "binds")
    same = pl.concat(
        [
            verified.with_columns(pl.lit(0).alias("rank"), pl.lit(dt.date.min).alias("decided_on")),
            binding.filter(pl.col("decision") == "same").select("person", "student", pl.lit(1).alias("rank"), "decided_on"),
        ]
    )  # fmt: skip
    same = (
        same.join(live, on="student", how="left")
        .sort("rank", "is_live", "decided_on", "person", "student", descending=[False, True, True, False, False])
        .unique("student", keep="first", maintain_order=True)
        .with_columns((pl.int_range(pl.len()).over("person") > 0).alias("is_further"))
    )
    different = binding.filter(pl.col("decision") == "different").select(
        "person", "student", pl.lit(value=False).alias("is_match"), pl.lit(value=False).alias("is_further")
    )
    matches = same.select("person", "student", pl.lit(value=True).alias("is_match"), "is_further")
    pairs = pl.concat([matches, different.join(matches, on=["person", "student"], how="anti")])
    return pairs.unique().sort("person", "student", "is_match")
