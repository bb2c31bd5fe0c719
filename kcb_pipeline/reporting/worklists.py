"""核查表: the open cases of a township or a school as a workbook to work in, that lands as `verifications` when it comes back.

The answer columns are those of the catalogue, under its headers; what we know of the child stands before them under headers that the
catalogue does not know, but for the case and the name, by which an answer is recognised.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import frame, scalar
from kcb_pipeline.extracts.catalogue import code_lists, sources
from kcb_pipeline.ledgers.cases import OPEN_STATES, STATES
from kcb_pipeline.ledgers.verifications import CONFIRMING, MEASURES, RESULTS
from kcb_pipeline.processes import shared_out
from kcb_pipeline.reporting.bulletin import NO_TOWNSHIP
from kcb_pipeline.reporting.paper import Paper, file_names
from kcb_pipeline.reporting.workbook import Column, OfficeWorkbook, Value

FOLDER: Final = "worklists"

PLACEMENTS: Final = ("普职融合", "集中教育", "单独教学", "随班就读", "特殊教育学校", "送教上门")
"""安置 (南政办发〔2024〕6号)."""

_CASES = """
WITH ledgers AS (
    SELECT case_id, evidence FROM suspected_dropouts_as_of({version})
    UNION ALL SELECT case_id, evidence FROM dropouts_as_of({version})
),
last_events AS (
    SELECT case_id, evidence FROM case_events_as_of({version})
    QUALIFY row_number() OVER (PARTITION BY case_id ORDER BY sequence DESC) = 1
),
near AS (
    SELECT child_id, string_agg(coalesce(school_name, '学校不详') || CASE WHEN grade IS NULL THEN '' ELSE grade || '年级' END || '：' || why, chr(10)
                                ORDER BY nth) AS near
    FROM near_enrolments_as_of({version}) GROUP BY child_id
)
SELECT k.case_id, k.state, k.responsible, k.opened_on, k.due_on, k.measure, k.visits, k.reopened, c.name, c.sex, c.birth_date, c.id_number,
       c.guardian_name, c.guardian_phone, c.division_code, c.township_code, c.township_name, c.village_code, c.school_code, c.school_name,
       c.grade, c.student_number, coalesce(l.evidence, e.evidence) AS evidence, n.near
FROM cases_as_of({version}) k
JOIN school_age_children_as_of({version}) c ON c.child_id = k.child_id
LEFT JOIN ledgers l ON l.case_id = k.case_id
LEFT JOIN last_events e ON e.case_id = k.case_id
LEFT JOIN near n ON n.child_id = k.child_id
WHERE k.state IN ({open_states})
ORDER BY k.due_on, k.case_id
"""


def worklists(connection: duckdb.DuckDBPyConnection, version: int) -> Iterator[Paper]:
    """The worklists of a version: one for each township and for each school with open cases, in the order of their codes.

    A case stands on the list of the child's township (where no township is known, of the county; where no place at all is, of 未分乡镇街道) and,
    where the child has or had a record at a school, of that school too: the same answer from both counts once.
    """
    day = scalar(connection, "SELECT comparison_date FROM ledger_versions WHERE version = ?", [version])
    open_states = ", ".join(f"'{state}'" for state in OPEN_STATES)
    cases = frame(connection, _CASES.format(version=version, open_states=open_states))
    wanted: list[_List] = []
    for kind, code, name in (("乡镇", "township_code", "township_name"), ("学校", "school_code", "school_name")):
        area = pl.coalesce(code, "division_code", pl.lit("")) if kind == "乡镇" else pl.col(code)
        groups = cases.with_columns(area.alias("area")).filter(pl.col("area").is_not_null())
        lists = sorted(groups.partition_by("area", as_dict=True, maintain_order=True).items())
        named = [(str(area), _name(group[name])) for (area,), group in lists]
        wanted += [
            _List(f"{FOLDER}/{file}", place, day, version, group)
            for (_, group), (_, place), file in zip(lists, named, file_names(kind, named), strict=True)
        ]
    yield from shared_out(_worklist, wanted)


@dataclass(frozen=True, slots=True)
class _List:
    """One worklist to be written: its path, the place it is for, and its open cases."""

    path: str
    place: str
    day: dt.date
    version: int
    cases: pl.DataFrame


def _name(names: pl.Series) -> str:
    return str(names.min() or NO_TOWNSHIP)


def _worklist(wanted: _List) -> Paper:
    day, version, columns = wanted.day, wanted.version, _columns(wanted.day)
    book = OfficeWorkbook(f"控辍保学核查表　{wanted.place}", day, subject=f"台账第{version}版")
    rows = [_row(case, columns) for case in wanted.cases.iter_rows(named=True)]
    note = f"比对日期 {day}　台账第 {version} 版　共 {len(rows)} 人　含个人信息，请妥善保管"
    form = sources()["verifications"].form
    assert form is not None
    book.table(form.sheet, columns, rows, note=note, protected=True, frozen_columns=2)
    book.text("填写说明", _instructions(day), widths=(20, 34, 44))
    return Paper(wanted.path, book.content())


# -- what we know --------------------------------------------------------------------------------------------------


def _given(day: dt.date) -> list[Column]:
    verifications = sources()["verifications"]
    return [
        Column(verifications.column("case_id").chinese, 10),
        Column(verifications.column("name").chinese, 8, centred=True),
        Column("儿童信息", 19.5),
        Column("监护人及电话", 12.5),
        Column("列入原因", 22),
        Column("已知学籍", 19.5),
        Column("相近但未采用的学籍", 15),
        Column("应核查日期", 11, "date", late_before=day),
        Column("目前进展", 15),
        Column("责任单位", 10),
    ]


def _row(case: Mapping[str, Any], columns: list[Column]) -> list[Value]:
    sex = code_lists()["sex"].label(case["sex"])
    grade = f"{case['grade']}年级" if case["grade"] else None
    progress = [
        STATES[case["state"]],
        f"{case['opened_on']} 立案",
        f"重新立案{case['reopened']}次" if case["reopened"] else None,
        f"已劝返{case['visits']}次" if case["visits"] else None,
        f"已采取：{case['measure']}" if case["measure"] else None,
    ]
    known: list[Value] = [
        case["case_id"],
        case["name"],
        _lines(_words(sex, case["birth_date"]), case["id_number"], _words(case["township_name"], case["village_code"])),
        _lines(case["guardian_name"], case["guardian_phone"]),
        case["evidence"],
        _lines(_words(case["school_name"], grade), case["student_number"]),
        case["near"],
        case["due_on"],
        _lines(*progress),
        case["responsible"],
    ]
    return known + [None] * (len(columns) - len(known))


def _lines(*parts: object) -> str:
    return "\n".join(str(part) for part in parts if part)


def _words(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part)


# -- what we ask ---------------------------------------------------------------------------------------------------

_ANSWERS: Final = (
    ("result", 11.0), ("verified_on", 11.0), ("evidence", 15.0), ("student_number", 11.0), ("school_code", 8.5), ("placement", 8.5),
    ("until", 11.0), ("reason", 8.5), ("measure", 9.0), ("visits", 5.5), ("visited_on", 11.0), ("verified_by", 7.5),
)  # fmt: skip
"""The answer columns in the order in which a caseworker thinks of them, and their widths."""

_HINTS: Final = {
    "result": "从下拉选项中选择。每种结果需要哪些佐证见“填写说明”。",
    "verified_on": "核查当天的日期，如 2026-11-19；不早于立案日期，不晚于今天。",
    "evidence": "证明材料的名称和编号，如：学校在读证明、派出所证明、走访记录。",
    "student_number": "核查结果为“在校已有学籍”时填写该生现有的全国学籍号。",
    "school_code": "现就读学校的10位学校标识码，不清楚可不填。",
    "placement": "送教上门、随班就读、特教学校就读时必填。",
    "until": "延缓入学、休学的截止日期，应晚于核查日期。",
    "reason": "确认失学、确认辍学时填写。",
    "measure": "目前已采取到的一步。",
    "visits": "到目前为止劝返的总次数。",
    "visited_on": "最近一次劝返的日期。",
    "verified_by": "核查人姓名。",
}


@functools.lru_cache(1)  # all workbooks of a night are of one day
def _columns(day: dt.date) -> list[Column]:
    verifications = sources()["verifications"]
    answers = []
    for name, width in _ANSWERS:
        column = verifications.column(name)
        needed = tuple(result.name for result in RESULTS.values() if result.needs == name)
        kinds: dict[str, Any] = {"date": "date", "integer": "whole"}
        choices = tuple(column.code_list.labels.values()) if column.code_list else ()
        answers.append(
            Column(
                column.chinese,
                width,
                kinds.get(column.type, "text"),
                answer=True,
                choices=PLACEMENTS if name == "placement" else choices,
                free=name == "placement",
                hint=_HINTS[name],
                needed_for="any" if name == "verified_on" else CONFIRMING if name == "reason" else needed,
            )
        )
    return _given(day) + answers


_EFFECTS: Final = {
    "stays_open": "不销号，继续核查",
    "confirms": "转入辍学台账，开始劝返",
    "returned": "待学籍或在校清点证实后销号",
    "closes": "凭佐证销号",
    "closes_until": "限期销号，到期自动重新立案",
}


@functools.lru_cache(1)
def _instructions(day: dt.date) -> list[tuple[str, list[tuple[str, ...]]]]:
    verifications = sources()["verifications"]
    results: list[tuple[str, ...]] = [("核查结果", "此后", "必须填写")]
    for result in RESULTS.values():
        needed = (
            verifications.column(result.needs).chinese
            if result.needs
            else "失辍学原因（请填写）"
            if result.effect == "confirms"
            else ""
        )
        after = _EFFECTS[result.effect] + ("；列入公安机关更正建议" if result.corrects_population else "")
        results.append((result.name, after, needed))
    return [
        ("怎样填写", [
            (f"一、本表列出截至 {day} 尚未销号的适龄儿童。逐人核查，在右侧浅黄色各列填写；灰色各列请勿改动。",),
            ("二、没有核查的儿童整行留空，原样交回即可，不算错误。",),
            ("三、填了核查结果就要填核查日期。选定结果后变成黄色的格子是该结果必须有的佐证，缺了不予采信。",),
            ("四、日期写成 2026-11-19、2026/11/19、2026年11月19日、20261119 均可。",),
            ("五、列的顺序可以调整，可以另加工作表或在表头上方加标题行；请不要改动列名和工作表名“核查表”。",),
            ("六、案件编号和姓名用来认定是哪名儿童，请勿改动。同一案件同一天请勿填写两种不同的结果。",),
            ("七、填好后按要求交回（交县级教育行政部门，放入 extracts/比对日期/verifications/ 文件夹，文件名不限）。",),
            ("八、未被采信的，会在“待补正”清单中按文件和单元格列出原因，补正后再次交回；其间案件保持原状。",),
        ]),
        ("核查结果及所需佐证", results),
        ("失辍学原因", [("、".join(verifications.column("reason").code_list.labels.values()),)]),  # type: ignore[union-attr]
        ("劝返措施（四步法，依次采取）", [(" → ".join(MEASURES),)]),
        ("安置方式", [("、".join(PLACEMENTS),)]),
        ("保密", [("本表含儿童及监护人个人信息，仅限核查工作使用，不得转发、公开；用后按规定保管或销毁。",)]),
    ]  # fmt: skip
