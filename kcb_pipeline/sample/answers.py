"""核查结果 of the made-up county: what offices write back about the cases of a published version, by the truth of that day.

`write_answers` reads the published ledgers as an office does, looks up in the truth who the child really is and where, and fills
`verifications` of a later date. What belongs here: what an honest, sometimes unlucky office answers.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from kcb_pipeline.sample import files
from kcb_pipeline.sample.chance import Chance, stream
from kcb_pipeline.sample.columns import SOURCES
from kcb_pipeline.sample.layout import headers

OUT: Final = ("unenrolled", "suspected")
STEPS: Final = ("宣传教育", "责令改正", "行政处罚", "申请强制执行或提起诉讼")
REASONS: Final = ("厌学", "外出务工", "家庭困难", "因病", "其他")

_SILENT: Final = 0.25
"""How many cases an office does not get to in time."""
_NOT_FOUND: Final = 0.2
"""How often nobody is at home."""
_TERM: Final = dt.timedelta(days=60)

_OPEN_CASES: Final = """
SELECT k.case_id, k.state, k.measure, k.visits, c.name, c.population_type, c.population_row
FROM cases k JOIN school_age_children c ON c.child_id = k.child_id
WHERE k.state NOT IN ('closed', 'closed_until') ORDER BY k.case_id
"""

Answer = dict[str, str]


def write_answers(home: Path, *, of: dt.date, to: dt.date, seed: int) -> list[Answer]:
    """Answer the open cases of the version published for the date `of`, in the extracts of the date `to`; what was written."""
    with duckdb.connect(str(home / "published" / "ledgers.duckdb"), read_only=True) as connection:
        cases = pl.DataFrame(connection.sql(_OPEN_CASES).to_arrow_table())
    truth = pl.read_parquet(home / "truth" / str(of) / "children.parquet")
    known = cases.join(truth.drop("name"), on=["population_type", "population_row"], how="left", maintain_order="left")
    answers = []
    for case in known.iter_rows(named=True):
        chance = stream(seed, "answers", of, case["case_id"])
        if chance.random() >= _SILENT:
            said = _said(case, chance, of)
            if said:
                answers.append(
                    {"case_id": case["case_id"], "name": case["name"], "verified_on": str(of), "verified_by": "核查员"}
                    | said
                )
    columns = SOURCES["verifications"]
    content = files.delimited(
        headers(columns, "chinese"),
        ([answer.get(column.name, "") for column in columns] for answer in answers),
        separator=",", encoding="utf-8", newline="\n",
    )  # fmt: skip
    (home / "extracts" / str(to) / "verifications.csv").write_bytes(content)
    return answers


def _said(case: dict[str, Any], chance: Chance, on: dt.date) -> Answer | None:
    """What the office finds and does."""
    is_out = case["status"] in OUT
    if case["status"] is None or (is_out and chance.random() < _NOT_FOUND):
        return {"result": chance.choice(("失联", "查无此人"))}
    if case["state"] in ("suspected", "verifying"):
        return _confirmed(case, chance) if is_out else _cleared(case, on)
    if case["state"] == "returned_unconfirmed":
        return _confirmed(case, chance) if is_out else None
    return _persuaded(case, chance, on) if is_out else {"result": "已复学", "visits": str(case["visits"] + 1)}


def _confirmed(case: dict[str, Any], chance: Chance) -> Answer:
    was_enrolled = bool(case["registry_rows"])
    return {
        "result": "确认辍学" if was_enrolled else "确认失学",
        "reason": chance.choice(REASONS),
        "visits": str(case["visits"] + 1),
    }


def _persuaded(case: dict[str, Any], chance: Chance, on: dt.date) -> Answer:
    """The next of the four steps, now and then one skipped with its reason; after the last, leave for a term."""
    reached = STEPS.index(case["measure"]) if case["measure"] else -1
    if reached == len(STEPS) - 1:
        return {"result": "休学", "until": str(on + _TERM), "evidence": "四步法后仍未劝返，先办理休学"}
    skips = reached < len(STEPS) - 2 and chance.random() < 0.2
    step = STEPS[reached + (2 if skips else 1)]
    return _confirmed(case, chance) | {"measure": step, "evidence": "家长外出，无法送达" if skips else "入户记录"}


_CLEARED: Final[dict[str, Answer]] = {
    "enrolled_elsewhere": {"result": "省外就读无学籍", "evidence": "就读证明"},
    "special_provision": {"result": "送教上门", "placement": "送教上门"},
    "departed": {"result": "空挂户", "evidence": "派出所证明"},
    "completed": {"result": "超龄离校"},
    "needs_review": {"result": "姓名或证号错误"},
}


def _cleared(case: dict[str, Any], on: dt.date) -> Answer | None:
    """What shows that the child is where it should be."""
    if case["status"] == "enrolled":
        return {"result": "在校已有学籍", "student_number": case["student_number"], "evidence": "学籍截图"}
    if case["status"] in ("on_leave", "deferred"):
        return {
            "result": "休学" if case["status"] == "on_leave" else "延缓入学",
            "until": str(on + _TERM),
            "evidence": "批准文件",
        }
    return _CLEARED.get(case["status"])
