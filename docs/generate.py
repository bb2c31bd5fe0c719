"""Writes the parts of the documentation that are made from the code: run it, look at the difference, commit it.

    python docs/generate.py

`tests/unit/docs/test_docs.py` holds the documents to what this would write.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from checks import suites
from kcb_pipeline import config, gates
from kcb_pipeline.analytics import tables as analytic
from kcb_pipeline.analytics import views as analytic_views
from kcb_pipeline.extracts import packed, parquet_file, records, text_file
from kcb_pipeline.ledgers import cases, rosters, schema
from kcb_pipeline.reporting import statistics

DOCS = Path(__file__).resolve().parent


def configuration() -> str:
    """Every setting of `kcb.toml`: its default and what it says, from the classes themselves."""
    tree = ast.parse(inspect.getsource(config))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    lines = [
        "# Configuration",
        "",
        "A county's own rules stand in `kcb.toml` in its home folder (`KCB_HOME`). A setting that is not there has its default. Every setting is part",
        f"of the `rules_digest` of a version, but for what changes no result: {', '.join(f'`{name}`' for name in config.NOT_RULES)}. This page is made",
        "from the code (`python docs/generate.py`).",
        "",
        "```toml",
        "[school_age]",
        "entry_age = 7      # Ganzi",
        "leaving_age = 16",
        "",
        "[[calendar.terms]]",
        "first = 2026-09-01",
        "last = 2027-01-20",
        "",
        "[gates]",
        "volume_loss = 0.3  # a school was closed",
        "```",
    ]
    defaults = config.Config()
    sections = {name: section for name, section in defaults if isinstance(section, config._Rules)}
    lines += ["", "Before the first section:", *_settings(defaults, classes["Config"], without=sections)]
    for name, section in sections.items():
        node = classes[type(section).__name__]
        lines += ["", f"## `[{name}]`", "", ast.get_docstring(node) or "", *_settings(section, node)]
    return "\n".join(lines) + "\n"


def _settings(rules: config._Rules, node: ast.ClassDef, *, without: Collection[str] = ()) -> list[str]:
    """A table of the settings of a class, with their defaults and what they say."""
    lines = ["", "| setting | default | |", "|---|---|---|"]
    for field, words in _fields(node):
        if field not in without:
            shown = "the machine's cores" if field == "threads" else repr(getattr(rules, field)).replace("'", '"')
            lines.append(f"| `{field}` | `{shown}` | {words} |")
    return lines


def _fields(node: ast.ClassDef) -> list[tuple[str, str]]:
    """The annotated fields of a class with the text below each."""
    found = []
    for place, statement in enumerate(node.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            after = node.body[place + 1] if place + 1 < len(node.body) else None
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            found.append((statement.target.id, " ".join(str(text).split())))
    return found


def case_states() -> str:
    """The state machine of a case, drawn from its transitions."""
    lines = [
        "# The life of a case",
        "",
        "一人一案: a child has one case for ever. Drawn from `kcb_pipeline/ledgers/cases.py` (`python docs/generate.py`).",
        "",
        "Every arrow is an event in `case_events` with its evidence, the source and row it stands in, and its day; it carries what the case says",
        "after it, so that the events alone give back the case (`kcb verify`). The four steps of persuasion come in order; one is skipped only",
        "with a reason in 佐证材料. 失联 and 查无此人 close nothing. A term that a person gave (延缓入学, 休学) holds to its day and then opens the case",
        "again by itself; one that only the data gave ends when they take it back. A child that passes school age closes on its birth date.",
        "",
        "```mermaid",
        "stateDiagram-v2",
    ]
    lines += [f"  {state}: {label} {state}" for state, label in cases.STATES.items()]
    for transition in cases.TRANSITIONS.values():
        for source in transition.from_states or ("[*]",):
            target = transition.to_state or source
            if transition.to_state is not None or source != "[*]":
                lines.append(f"  {source} --> {target}: {transition.label}")
    lines += ["```", "", "| event | 事件 | from | to |", "|---|---|---|---|"]
    for transition in cases.TRANSITIONS.values():
        source = ", ".join(transition.from_states) or "–"
        lines.append(f"| `{transition.event}` | {transition.label} | {source} | {transition.to_state or 'the same'} |")
    return "\n".join(lines) + "\n"


def indicators() -> str:
    """Every indicator: what is counted over what, its target and where the definition comes from."""
    lines = [
        "# Statistics",
        "",
        "`statistics` holds these indicators for every version: for the whole (both codes missing), each county and each township.",
        "`statistics_trend` shows each from one comparison date to the next; `statistic_definitions` says this in the published file. They",
        "are counted on the comparison date from the ledgers. Targets: `[targets]` in [configuration](configuration.md). Drawn from",
        "`kcb_pipeline/reporting/statistics.py` (`python docs/generate.py`).",
        "",
        "| indicator | 指标 | 分子 | 分母 | target | 依据 |",
        "|---|---|---|---|---|---|",
    ]
    for each in statistics.INDICATORS:
        target = getattr(config.Targets(), each.code, None)
        shown = f"{target:.1%}" if target is not None else "–"
        lines.append(
            f"| `{each.code}` | {each.label} | {each.numerator_words} | {each.denominator_words} | {shown} | {each.source} |"
        )
    return "\n".join(lines) + "\n"


def rosters_page() -> str:
    """Every roster: what it is called, which document asks for it, and what it has beyond the child's columns."""
    lines = [
        "# Rosters",
        "",
        "Views of the current version in `published/ledgers.duckdb`. Rosters of children have the columns of `school_age_children`; what they",
        "have beyond them is named. 重复学籍 (`duplicate_enrolments`), 双重户籍 (`duplicate_persons`), 有学籍无户籍 (`registry_only`) and the merging",
        "and splitting of children (`child_lineage`) are tables. Drawn from `kcb_pipeline/ledgers/rosters.py` (`python docs/generate.py`).",
        "",
        "| view | 名称 | 依据 | columns |",
        "|---|---|---|---|",
    ]
    common = {field.name for field in schema.CHILD_FIELDS}
    for roster in rosters.ROSTERS:
        names = [field.name for field in roster.fields]
        own = ", ".join(f"`{name}`" for name in names if name not in common or not common <= set(names))
        shown = own if not common <= set(names) else f"the child's{', ' + own if own else ''}"
        lines.append(f"| `{roster.name}` | {roster.label} | {roster.source} | {shown} |")
    return "\n".join(lines) + "\n"


SUITES = {
    "contract": "Every source as it landed: did every row arrive somewhere, and are the files what was agreed?",
    "volumes": "Every source against the version before: is an export cut short?",
    "identity": "Persons and pupils: does each stand once, with values that can be?",
    "matching": "The links: one to one, each with its reason, as many as before.",
    "status": "Every child of school age: exactly one status with its reason, and no leap in the counts.",
    "ledgers": "Cases and ledgers against each other, against the version before and against their own events.",
    "disclosure": "analytics.duckdb and the bulletin, when the ledgers are out: can their reader find a child? Where it stops, the ledgers stand and analysts keep the file before. `kcb export bulletin` asks its two again.",
}


def gates_page() -> str:
    """Every gate: what has to hold, whether it stops publication, and what to do where it does not hold."""
    lines = [
        "# Gates",
        "",
        "What is asked before anything is published, and what to do when it does not hold. A gate that *stops* leaves the published files as they",
        "were and ends `kcb run` with exit code 4; one that *warns* is shown and published with the version (`check_results`). `kcb gates --date DATE`",
        "and the checks in Dagster show what each observed. Limits are settings ([configuration](configuration.md)); these are the defaults. Drawn from",
        "`checks/suites.py` (`python docs/generate.py`).",
        "",
        "*A fault of the program*: the pipeline contradicts itself; no extract can cause it and no setting cures it. Keep `work/DATE.duckdb`, report",
        "the gate with what it observed (counts, never a child), and stay with the version that stands.",
        "",
        "Where the loss or the leap is real (a school was closed, a county joined), raise the limit in `kcb.toml` for that night, run it again,",
        "and take the limit back: the rules of each version are part of its digest, so it stays visible.",
    ]
    for suite in gates.ALL_SUITES:
        lines += [
            "", f"## {suite}", "", SUITES[suite], "", "| gate | | holds when | what to do when it does not |", "|---|---|---|---|",
        ]  # fmt: skip
        for gate in suites.gates_of(suite, config.Config()):
            kind = "stops" if gate.severity == "error" else "warns"
            lines.append(f"| `{gate.name}` | {kind} | {gate.expected} | {gate.advice} |")
    return "\n".join(lines) + "\n"


def analytics() -> str:
    """Every column that analysts receive, what it is made from, and what of the ledgers they do not receive."""
    lines = [
        "# analytics.duckdb",
        "",
        "The ledgers for analysts, without anybody in them. What is not on this page is not in the file: it is the list that the file is made",
        "from (`kcb_pipeline/analytics/tables.py`, `python docs/generate.py`), and every column says the same in its `COMMENT`. How the file comes to",
        "be safe and what remains: [ADR 8](adr/0008-analytics.md). Questions in SQL: [cookbook](cookbook.md).",
        "",
        "Three things to know before counting:",
        "",
        "- **Missing is withheld.** A description is as close as a crowd allows; `unknown` is what the sources did not know. Count with `IS NOT NULL`,",
        "  and do not read what is left as the whole.",
        "- **A description is of the day a child was first shown** and never changes. Statuses, cases and everything else go on.",
        "- **Totals are rounded** to a multiple of `about.smallest_cell`, rows are not. What you print, print through `publishable(n)`.",
        "",
        "`NAME_history` holds all versions; `NAME` is the view of the current one and `NAME_as_of(v)` that of any other, for "
        + ", ".join(f"`{name}`" for name, (_, _, as_of) in analytic_views.current_and_as_of().items() if as_of)
        + ".",
        "",
        "| macro | |",
        "|---|---|",
        *(f"| `{macro}` | {label} |" for macro, label in analytic_views.MACROS.items()),
        "",
        "| view | |",
        "|---|---|",
        *(f"| `{name}` | {label} |" for name, label in analytic_views.view_labels().items()),
    ]
    for name, (label, columns) in analytic_views.documented().items():
        lines += ["", f"## `{name}` {label}", "", "| column | type | |", "|---|---|---|"]
        lines += [f"| `{column.name}` | {column.type} | {column.label} |" for column in columns]
    lines += [
        "", "## What is left out", "", "Of the published tables, everything that is not above. A new column stays out until somebody puts it on the list.", "",
        "| table | columns that analysts do not receive |", "|---|---|",
    ]  # fmt: skip
    for found in schema.TABLES:
        used = analytic.used_columns(found.name)
        left = [f"`{column}`" for column in found.columns if column not in used]
        lines.append(f"| `{found.name}` {found.label} | {'everything' if not used else ', '.join(left) or '–'} |")
    lines.append("| `links` 户籍与学籍的匹配结果 | everything |")
    return "\n".join(lines) + "\n"


FAULTS = {
    "killed": "killed (SIGKILL) at a random instant", "disk_full": "disk full", "read_only": "disk read-only", "no_memory": "no more memory",
    "clock_back": "clock set back three days", "twice_at_once": "a second run of the date meanwhile", "torn_extract": "an extract still being written",
    "damaged_work": "working database damaged", "damaged_ledgers": "published file damaged",
}  # fmt: skip
STAGES = ("delivery", "landing", "base", "identity", "matching", "status", "draft", "publication", "analytics")


def reliability() -> str:
    """What faults and load left behind, as the last soak measured it (docs/reliability.json)."""
    said = json.loads((DOCS / "reliability.json").read_text(encoding="utf-8"))
    lines = [
        "# Reliability",
        "",
        "Whatever fails, what stands afterwards is the old version or the complete new one, the reason is said in one line, and the same date run",
        "again just works. Drawn from `docs/reliability.json`, which `make soak` measures (`tests/soak`); the suite repeats a few of its trials.",
        "",
        "## Faults",
        "",
        f"{said['trials']} trials on {said['measured']}: the second night of a tiny county, from the stage on, while a reader holds the published file. After each, what",
        "stands is verified, the date is run again from the beginning, and the result held to the digests of an undisturbed night, with nothing left over.",
        "**old**, **new**: the version that stands after the fault; in brackets the error that was said, or that the night was through before it could be killed;",
        "× how often; – not tried in that soak.",
        "",
        f"| fault | {' | '.join(STAGES)} |",
        f"|---|{'---|' * len(STAGES)}",
    ]
    for fault, label in FAULTS.items():
        cells = [said["outcomes"].get(fault, {}).get(stage, {}) for stage in STAGES]
        unsaid = "through before" if fault == "killed" else ""
        lines.append(f"| {label} | {' | '.join(_outcomes(counts, unsaid) for counts in cells)} |")
    lines += ["", "What was said:", ""]
    for fault, texts in sorted(said["messages"].items()):
        lines += [f"- {FAULTS[fault]}: {text}" for text in texts]
    lines += [
        "",
        "No process can say anything that is killed or that the system ends; the run is marked failed by the next one. `MachineError` is exit code 71,",
        "`VerificationError` 6, `ContractError` 3 ([operations](operations.md)). The clock decides nothing but `published_at`.",
        *_load(said["week"], said["kept"], said["backfill"]),
        "",
        "## Bad input",
        "",
        "Limits on what a file may do to the machine, whatever it says of itself; beyond them it is refused in one line (`ContractError`):",
        "",
        "| file | limit |",
        "|---|---|",
        f"| workbook | {packed.MOST_UNPACKED_BYTES >> 30} GiB unpacked, {packed.MOST_CELLS:,} cells up to the last one, texts of 32,767 characters; also for `kcb review import` |",
        f"| CSV | {records.MOST_REFUSED:,} lines that are no rows; a line beyond {records.LONGEST_LINE >> 20} MiB is stepped over; after {records.MOST_UNENDED:,} quotation marks that never close no row runs over lines |",
        f"| packed CSV | {text_file.MOST_EXPANSION} times its size, from {text_file.EXPANSION_COUNTS_FROM >> 30} GiB on |",
        f"| Parquet | {parquet_file.MOST_ROWS:,} rows, row groups of {packed.MOST_UNPACKED_BYTES >> 30} GiB |",
    ]
    return "\n".join(lines) + "\n"


def _load(week: dict[str, Any] | None, kept: dict[str, Any] | None, backfill: dict[str, Any] | None) -> list[str]:
    """What nights cost with readers throughout, where a soak has measured it."""
    if week is None or kept is None or backfill is None:
        return ["", "## Load", "", "Not measured by this soak (`make soak` does, when it is left to its end)."]
    return [
        "", "## Load", "", "| | nights | seconds | queries meanwhile | of them failed |", "|---|---|---|---|---|",
        f"| one after the other, in one process | {week['nights']} | {week['seconds']} | {week['queries']:,} | {len(week['failed'])} |",
        f"| the same, in one heap | {kept['nights']} | {kept['seconds']} | {kept['queries']:,} | {len(kept['failed'])} |",
        f"| `kcb backfill --jobs {backfill['jobs']}` | {backfill['dates']} | {backfill['seconds']} | {backfill['queries']:,} | {len(backfill['failed'])} |",
        "",
        f"Open files after each night of the first row: {_listed(week['open_files'])}; disk of the home, KiB:",
        f"{_listed(week['disk_kib'])} (each night keeps its working files and its version).",
        "",
        f"Resident memory, MiB, after each night of the first row: {_listed(week['resident_mib'])}; of the second:",
        f"{_listed(kept['resident_mib'])}. What rises in the first row is no leak but free memory: the C library (glibc)",
        "gives threads heaps of their own, up to eight a core, and each keeps what was freed in it until it has seen the largest stage. Held to one heap",
        f"(`MALLOC_ARENA_MAX=1`), a night of the later half moves it by {kept['mib_a_night']:+g} MiB (median), and the soak fails beyond {kept['most_mib']:g} MiB. `kcb run`",
        "and Dagster begin a process for each night.",
    ]  # fmt: skip


def _outcomes(counts: dict[str, int], unsaid: str) -> str:
    """`old (MachineError)`, each with how often where more than once; `unsaid` where no error was said."""
    shown = []
    for outcome, count in sorted(counts.items()):
        stood, _, said = outcome.partition(", ")
        said = said or unsaid
        shown.append(f"{stood}{f' ({said})' if said and said != 'killed' else ''}{f' ×{count}' if count > 1 else ''}")
    return ", ".join(shown) or "–"


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:.0f}" for number in numbers)


PAGES = {
    "reliability.md": reliability,
    "gates.md": gates_page,
    "analytics.md": analytics,
    "configuration.md": configuration,
    "cases.md": case_states,
    "statistics.md": indicators,
    "rosters.md": rosters_page,
}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
