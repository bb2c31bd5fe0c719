"""三比对, the three comparisons: ① 户籍 × 学籍, ② 学籍 × 在校, ③ 辍学 × 脱贫户, and the one status of each child that follows."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.identity import decisions, persons
from kcb_pipeline.night import Night, metadata_of
from kcb_pipeline.orchestration.stage import stage
from kcb_pipeline.progress import Progress
from kcb_pipeline.reporting.summaries import linkage_summary, statuses_summary

GROUP = "comparisons"


@stage(
    group=GROUP,
    deps=[persons, decisions],
    table=("matched", "links"),
    kinds=frozenset({"polars", "duckdb"}),
    description="Comparison ① 户籍 × 学籍: each child of the population side linked to its pupil in the registry, with the reason.",
)
def links(night: Night, progress: Progress, _: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Comparison ①."""
    matched = metadata_of(night.match(progress=progress))
    [facts] = night.facts("matching").select("eligible", "match_rate", "review_share").to_dicts()
    with night.workspace.connect(read_only=True) as connection:
        summary = linkage_summary(night.home, night.comparison_date, connection)
    return {"summary": dg.MetadataValue.md(summary)} | matched | facts


@stage(
    group=GROUP,
    deps=[links],
    table=("status", "attributed"),
    description="Which child each row of the other sources speaks of. A row that two children could be meant by speaks of nobody.",
)
def attributed_evidence(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Evidence by child."""
    return {found.source: metadata_of(found) for found in night.attribute()}


@stage(
    group=GROUP,
    deps=[attributed_evidence],
    table=("status", "attendance"),
    description="Comparison ② 学籍 × 在校: live records whose pupils are absent, on long leave or missing from the headcount.",
)
def attendance(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Comparison ②."""
    return night.compare_attendance()


@stage(
    group=GROUP,
    deps=[links, attendance, attributed_evidence],
    table=("status", "child_statuses"),
    description="The one status of every child of school age, with its reason, by the order of the contract.",
)
def child_statuses(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Where each child stands."""
    counts = night.classify()
    with night.workspace.connect(read_only=True) as connection:
        summary = statuses_summary(connection)
    whole = max(sum(counts.values()), 1)
    rates = {f"{status}_share": count / whole for status, count in counts.items()}
    return {"summary": dg.MetadataValue.md(summary)} | counts | rates


@stage(
    group=GROUP,
    deps=[child_statuses],
    table=("status", "poverty_dropouts"),
    description="Comparison ③ 辍学 × 脱贫户: suspected, unenrolled and dropped-out children of poor households.",
)
def poverty_dropouts(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Comparison ③."""
    return night.compare_poverty()
