"""Which column comes from which: what Dagster shows as the columns and the column lineage of a stage's table.

Written down here, a stage a block, an upstream stage a line: `name` is taken over as it is, `name=other` under another name, `name~a,b` is
computed from a and b. `tests/pipeline/test_story.py` holds the names against the tables of a real night, and what is taken over against
the values in it. What a column has from the version before is not shown: it would make a circle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.ledgers.schema import CHILD_FIELDS, table
from kcb_pipeline.ledgers.views import link_label

_LINEAGE = {
    "standard_keys": """
        landed_population: id_key~id_number name_key~name folded~name pinyin~name former_folded~former_name sex birth_date
          state~record_flag,reversal_flag,person_state is_live~record_flag,reversal_flag,person_state row
        landed_residents: id_key~id_number name_key~name folded~name pinyin~name sex birth_date state~cancelled_on,permit_state
          is_live~cancelled_on,permit_state row
        """,
    "persons": """
        standard_keys: person~ref ref population_type row is_live state folded pinyin name_key sex birth_date id_key other_key~id_key
          number_is_shared~id_key,name_key
        """,
    "children": """
        persons: person child_id~id_key,other_key,folded,pinyin,birth_date,sex how~id_key,other_key,folded,pinyin,birth_date,sex
        """,
    "decisions": """
        landed_verifications: case_id result reason measure visits visited_on placement verified_on verified_by evidence school_code
          student_number until source_row=row
        """,
    "links": """
        persons: person population_type population_row=row w_id_number~id_key,other_key,number_is_shared w_name~folded,pinyin
          w_birth_date~birth_date w_sex~sex
        landed_population: w_guardians~father_name,mother_name,guardian_name,father_id_number,mother_id_number,guardian_id_number
          w_division~division_code
        landed_residents: w_guardians~guardian_name w_division~household_division_code,division_code
        landed_student_registry: registry_row=row w_id_number~id_number,student_number w_name~name,former_name w_birth_date~birth_date
          w_sex~sex w_guardians~guardian1_name,guardian2_name,guardian1_id_number,guardian2_id_number
          w_division~household_division_code,school_division_code
        decisions: decision~result,student_number
        """,
    "attributed_evidence": """
        persons: person rank~id_key,folded,pinyin,birth_date
        links: person
        """,
    "attendance": """
        links: person registry_row
        landed_student_registry: registry_row=row student_number school_code registry_status status_date
        landed_absences: is_absent~absent_on is_on_long_leave~kind,leave_from,leave_to absent_from~absent_on absent_to~absent_on
          absent_row~row missed_to~absent_on leave_from leave_to leave_said_on=absent_on leave_row~row reported_by~school_code present_on~absent_on
        landed_in_school: present_on~counted_on present_row~row counted_on is_not_in_headcount~present,counted_on
        """,
    "child_statuses": """
        children: child_id
        persons: person population_type population_row=row is_live state birth_date sex
        links: registry_row method probability~probability candidates~decision
        landed_student_registry: registry_row=row live_rows~registry_status senior_rows~registry_status,grade graduated_row~registry_status,grade
          home_teaching_row~attendance_mode,special_placement special_row~special_placement special_placement_code=special_placement
          dead_status=registry_status dead_grade=grade dead_on=status_date latest_live_change~status_date,enrolled_month
          is_back_since_approval~registry_status,status_date is_back_since_verdict~registry_status,status_date
        attendance: unattended_rows~is_absent,is_on_long_leave,is_not_in_headcount present_on present_row absent_from absent_to absent_row
          long_leave_from=leave_from long_leave_to=leave_to long_leave_row=leave_row missed_headcount_on=counted_on
        landed_deregistrations: struck_off_on=occurred_on struck_off_kind=kind struck_off_row=row
        landed_exit_entry: abroad_since=crossed_on abroad_row=row came_back_on=crossed_on
        landed_approvals: leave_until=to_date leave_row=row leave_ended_on=to_date deferred_until=to_date deferral_row=row
          deferral_ended_on=to_date deferral_ended_row=row exemption_row=row
        landed_elsewhere: elsewhere_on=confirmed_on elsewhere_row=row
        landed_support_programmes: specialised_row=row
        landed_disability_register: is_disabled~placement disability_placement=placement disability_row=row
        landed_poverty_register: is_poor~household_kind
        decisions: verdict=result verdict_on=verified_on verdict_until=until verdict_row=source_row
        """,
    "poverty_dropouts": "child_statuses: child_id status reason",
    "cases": """
        child_statuses: child_id reason severity~reason state~status opened_on~status due_on~status closing_evidence~status
        decisions: measure visits~visits placement verified_on state~result closed_until~until closing_reason~result closing_evidence~evidence
        """,
    "draft_version": """
        child_statuses: child_id sex birth_date age~birth_date expected_grade~birth_date population_type status status_reason=reason
          status_since~status match_method=method match_probability~probability disabled~is_disabled poverty_household~is_poor
          population_row registry_row
        landed_population: id_number name ethnicity division_code township_code village_code township_name household_id
          guardian_name~guardian_name,mother_name,father_name guardian_phone
        landed_residents: id_number name ethnicity division_code township_code township_name guardian_name~guardian_name guardian_phone
        landed_student_registry: guardian_name~guardian1_name guardian_phone~guardian1_phone student_number school_code school_name
          school_division_code grade left_behind~left_behind migrant~migrant disabled~disability_type
        """,
}  # fmt: skip
_LINEAGE["published_version"] = "draft_version: " + " ".join(field.name for field in CHILD_FIELDS)

_AS_PUBLISHED = ("cases", "decisions")
"""Working tables that say what the published table of that name does."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One column and one that it comes from; `copied` where its values are that one's values."""

    column: str
    stage: str
    upstream: str
    copied: bool


def origins(stage: str) -> Iterator[Origin]:
    """Where the columns of a stage's table come from; nothing of a stage that is not written down."""
    upstream = ""
    for word in _LINEAGE.get(stage, "").split():
        if word.endswith(":"):
            upstream = word.removesuffix(":")
            continue
        computed, copied = word.partition("~"), word.partition("=")
        if computed[1]:
            yield from (Origin(computed[0], upstream, name, copied=False) for name in computed[2].split(","))
        else:
            yield Origin(copied[0], upstream, copied[2] or copied[0], copied=True)


def column_lineage(stage: str) -> dg.TableColumnLineage | None:
    """The columns of a stage's table with what they come from, as Dagster draws it; None where nothing is written down."""
    found: dict[str, list[dg.TableColumnDep]] = {}
    for origin in origins(stage):
        found.setdefault(origin.column, []).append(dg.TableColumnDep(dg.AssetKey(origin.stage), origin.upstream))
    return dg.TableColumnLineage(found) if found else None


def column_schema(stage: str, schema: str, name: str, columns: Sequence[tuple[str, str]]) -> dg.TableSchema:
    """Names and types of the columns of a stage's table, each with what it is called in Chinese and which columns it comes from.

    The origin stands in words too because the web interface that comes with Dagster draws no column lineage (Dagster+ does).
    """
    if schema == "landed" and name in sources():
        labels = {column.name: column.chinese for column in sources()[name].columns}
    elif (schema, name) == ("draft", "children"):
        labels = {field.name: field.label for field in CHILD_FIELDS}
    elif schema == "draft" and name in _AS_PUBLISHED:
        labels = {field.name: field.label for field in table(name).fields}
    elif (schema, name) == ("matched", "links"):
        labels = {column: link_label(column) for column, _ in columns}
    else:
        labels = {}
    come_from: dict[str, list[str]] = {}
    for origin in origins(stage):
        come_from.setdefault(origin.column, []).append(f"{origin.stage}.{origin.upstream}")
    return dg.TableSchema(
        [
            dg.TableColumn(column, kind, description=_described(labels.get(column), come_from.get(column, ())))
            for column, kind in columns
        ]
    )


def _described(label: str | None, come_from: Sequence[str]) -> str | None:
    return " ".join([*([label] if label else []), *(["←", ", ".join(come_from)] if come_from else [])]) or None
