"""Who is who on each side: standard keys, persons and pupils, the children of the version before, and what offices have decided."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.extracts import landed_sources, row_accounts
from kcb_pipeline.night import Night, metadata_of
from kcb_pipeline.orchestration.stage import stage
from kcb_pipeline.progress import Progress

GROUP = "identity"


@stage(
    group=GROUP,
    deps=[*landed_sources, row_accounts],
    table=("standard", "population_keys"),
    kinds=frozenset({"polars", "parquet"}),
    description="Names, ID numbers and dates of both sides as keys, beside the rows as they were sent.",
)
def standard_keys(night: Night, progress: Progress, _: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Standard keys of every landed person."""
    population, registry = night.standardise(progress=progress)
    return {"population_rows": population, "registry_rows": registry}


@stage(
    group=GROUP,
    deps=[standard_keys],
    table=("standard", "persons"),
    description="Which rows of each side are one person: 双重户籍, 重复学籍, earlier records, numbers that two people share.",
)
def persons(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Persons of the population side and pupils of the registry."""
    population, registry = night.resolve()
    return {"population": metadata_of(population), "registry": metadata_of(registry)}


@stage(
    group=GROUP,
    deps=[persons],
    table=("standard", "children"),
    description="Which child of the previous version each person is: a child keeps its number though its ID number be corrected.",
)
def children(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Identity over time."""
    return metadata_of(night.recognise())


@stage(
    group=GROUP,
    deps=[children],
    table=("draft", "decisions"),
    description="核查结果: which answers of townships and schools are believed, and which go back with the cell to mend; 人工核对: which pairs reviewers have decided.",
)
def decisions(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """Answers that are believed."""
    return {**metadata_of(night.believe()), "reviewed": metadata_of(night.bind_reviews())}
