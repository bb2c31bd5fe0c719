"""更正建议: what public security is asked to look at in its own register, as a workbook for the officer who does it."""

from __future__ import annotations

from typing import Final

import duckdb

from kcb_pipeline.engines.embedded import frame, scalar
from kcb_pipeline.extracts.catalogue import code_lists
from kcb_pipeline.reporting.paper import Paper
from kcb_pipeline.reporting.workbook import Column, OfficeWorkbook, Value

FILE: Final = "更正建议.xlsx"

KINDS: Final = {
    "verified": "核查结果",
    "duplicate_person": "双重户籍",
    "id_number_differs": "证件号码不一致",
    "id_number_invalid": "证件号码无效",
    "id_number_missing": "证件号码缺失",
    "number_birth_mismatch": "号码与出生日期不符",
    "number_sex_mismatch": "号码与性别不符",
    "birth_date_differs": "出生日期不一致",
    "sex_differs": "性别不一致",
}
"""What is found (`population_corrections.kind`), in the order in which it is listed within a township."""

OUTCOMES: Final = ("已更正", "核实无误", "待进一步核实")

_CORRECTIONS = """
SELECT p.kind, p.nth, p.item, p.recorded, p.other, p.evidence, c.child_id, c.name, c.sex, c.birth_date, c.id_number, c.population_type,
       c.division_code, c.township_code, c.township_name, c.village_code, c.household_id, c.guardian_name, c.guardian_phone
FROM population_corrections_as_of({version}) p
JOIN school_age_children_as_of({version}) c ON c.child_id = p.child_id
ORDER BY c.division_code, c.township_code, p.child_id, list_position([{kinds}], p.kind), p.nth
"""

_COLUMNS: Final = (
    Column("序号", 5.5, "whole", centred=True),
    Column("类别", 12),
    Column("姓名", 9, centred=True),
    Column("性别", 5.5, centred=True),
    Column("出生日期", 11, "date"),
    Column("公民身份号码", 20),
    Column("人口类型", 6, centred=True),
    Column("户籍（居住）地", 14),
    Column("户号", 12),
    Column("监护人及电话", 13),
    Column("项目", 12),
    Column("登记值", 20),
    Column("供核对的值", 20),
    Column("依据", 32),
    Column("核对结果", 11, answer=True, choices=OUTCOMES),
    Column("更正后的值", 18, answer=True),
    Column("办理人", 9, answer=True),
    Column("办理日期", 11, "date", answer=True),
)


def corrections(connection: duckdb.DuckDBPyConnection, version: int) -> Paper:
    """The correction list of a version, by township and child."""
    day = scalar(connection, "SELECT comparison_date FROM ledger_versions WHERE version = ?", [version])
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    found = frame(connection, _CORRECTIONS.format(version=version, kinds=kinds))
    sexes = code_lists()["sex"]
    rows: list[list[Value]] = []
    for number, entry in enumerate(found.iter_rows(named=True), start=1):
        recorded, other = entry["recorded"], entry["other"]
        if entry["item"] == "性别":
            recorded, other = sexes.label(recorded), sexes.label(other)
        rows.append([
            number, KINDS[entry["kind"]], entry["name"], sexes.label(entry["sex"]), entry["birth_date"], entry["id_number"],
            "流动" if entry["population_type"] == "resident" else "户籍", _lines(entry["township_name"], entry["village_code"]),
            entry["household_id"], _lines(entry["guardian_name"], entry["guardian_phone"]), entry["item"], recorded, other,
            entry["evidence"], None, None, None, None,
        ])  # fmt: skip
    book = OfficeWorkbook("人口信息更正建议（控辍保学比对）", day, subject=f"台账第{version}版")
    note = f"比对日期 {day}　台账第 {version} 版　共 {len(rows)} 条　含个人信息，请妥善保管"
    book.table("更正建议", _COLUMNS, rows, note=note, protected=True, frozen_columns=3)
    book.text("说明", [
        ("用途", [
            ("本表列出比对和核查中发现的、适龄儿童人口信息可能有误或重复之处，供公安机关核对；是否更正由公安机关依法决定。",),
            ("“供核对的值”来自学籍登记、另一条人口记录或证件号码本身，不等于正确的值。",),
        ]),
        ("类别", [("类别", "含义"), *((label, _MEANINGS[kind]) for kind, label in KINDS.items())]),
    ], widths=(22, 76))  # fmt: skip
    return Paper(FILE, book.content())


_MEANINGS: Final = {
    "verified": "乡镇或学校核查结果为户籍死亡、空挂户、双重户籍、姓名或证号错误，附佐证",
    "duplicate_person": "同一人有两条有效的人口记录",
    "id_number_differs": "人口数据与学籍登记认定为同一人，双方证件号码均能通过校验但不相同",
    "id_number_invalid": "人口数据的证件号码位数、日期或校验码不对；学籍登记有有效号码的列出供核对",
    "id_number_missing": "人口数据没有证件号码而学籍登记有",
    "number_birth_mismatch": "证件号码有效，但登记的出生日期与号码中的不同",
    "number_sex_mismatch": "证件号码有效，但登记的性别与号码所示不同",
    "birth_date_differs": "由证件号码以外的信息认定为同一人，双方出生日期不同",
    "sex_differs": "由证件号码以外的信息认定为同一人，双方性别不同",
}


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
