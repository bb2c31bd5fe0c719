"""The three ledgers: cases moved through the night, the draft of the next version, and its publication."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.comparisons import child_statuses, poverty_dropouts
from kcb_pipeline.engines.embedded import connect
from kcb_pipeline.ledgers.previous import versions
from kcb_pipeline.night import Night, metadata_of
from kcb_pipeline.orchestration.stage import DATA_VERSION, VERSION_TAG, stage
from kcb_pipeline.progress import Progress
from kcb_pipeline.reporting.summaries import cases_summary, version_summary
from kcb_pipeline.retention import erase

GROUP = "ledgers"


@stage(
    group=GROUP,
    deps=[child_statuses],
    table=("draft", "cases"),
    description="一人一案: every case moved through the night. Nothing closes without evidence.",
)
def cases(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Cases after tonight."""
    moved = metadata_of(night.advance_cases())
    with night.workspace.connect(read_only=True) as connection:
        return {"summary": dg.MetadataValue.md(cases_summary(connection))} | moved


@stage(
    group=GROUP,
    deps=[cases, poverty_dropouts],
    table=("draft", "children"),
    description="Every table of the next version as it would stand, before the gates have spoken.",
)
def draft_version(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """The draft."""
    return night.draft()


@stage(
    group=GROUP,
    deps=[draft_version],
    table=("draft", "children"),
    description="The draft becomes the next version of published/ledgers.duckdb, whole or not at all, if every gate has passed it.",
)
def published_version(night: Night, _: Progress, context: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """The published version."""
    published = night.publish(run_id=context.run_id, now=dt.datetime.now(tz=dt.UTC))
    now = dt.datetime.now(tz=dt.UTC)
    for gone in erase(night.home, min(night.comparison_date, now.date()), now=now):
        context.log.info("erased by retention: %s of %s (%s)", gone.kind, gone.date, gone.rule)
    if not published.is_new:
        context.log.info("nothing has changed: version %d stands", published.version)
    shown = night.home.shown(published.version)
    if "report" not in shown:
        context.log.warning("version %d has no report: kcb report --version %d", published.version, published.version)
    context.instance.add_run_tags(context.run_id, {VERSION_TAG: str(published.version)})
    with connect(night.home.ledgers, night.home.limits(), read_only=True) as connection:
        summary = dg.MetadataValue.md(version_summary(connection, published.version))
    run_id = next(v.run_id for v in versions(night.home.ledgers, night.home.limits()) if v.version == published.version)
    published_by = dg.MetadataValue.dagster_run(run_id)  # of an earlier run, where nothing has changed
    said = {"summary": summary} | metadata_of(published) | {"published_by": published_by, **shown}
    return said | {DATA_VERSION: published.content_digest}


@stage(
    group=GROUP,
    deps=[published_version],
    table=("draft", "disclosure_risk"),
    description="The latest version de-identified, in a file of its own beside the working files, and how far it lets its reader find a child.",
)
def analytics_draft(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """The file for analysts, before its gate has spoken."""
    return night.draft_analytics()


@stage(
    group=GROUP,
    deps=[analytics_draft],
    table=("draft", "disclosure_risk"),
    description="published/analytics.duckdb replaced whole, if its gate has passed it. If not, analysts keep the file they had.",
)
def published_analytics(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """The file for analysts."""
    return night.publish_analytics()
