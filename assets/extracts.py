"""What the agencies sent: the delivery of a date, its thirteen sources landed, and the account of every row."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from kcb_pipeline.extracts.catalogue import Source, sources
from kcb_pipeline.extracts.delivery import EXTENSIONS, told_headers, told_strays
from kcb_pipeline.night import Night, metadata_of
from kcb_pipeline.orchestration.progress import note_of
from kcb_pipeline.orchestration.stage import DATA_VERSION, stage
from kcb_pipeline.progress import Progress

GROUP = "extracts"


@stage(
    group=GROUP,
    table=("landed", "delivery"),
    kinds=frozenset({"file"}),
    description="Which extracts came for the date, their digests checked. Everything that follows belongs to this delivery.",
)
def delivery(night: Night, _: Progress, context: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """What came for the date."""
    found = night.find_delivery()
    if found.strays:
        told = ", ".join(told_strays(found.strays))
        note_of(context, "warning")(
            f"left alone in the date's folder: {told} (kcb check names them; what is read is {', '.join(EXTENSIONS)})"
        )
    if found.missing:
        note_of(context)(f"not sent, so their part of the evidence stays as it was: {', '.join(found.missing)}")
    files = {name: len(files) for name, files in found.files.items()}
    return {
        "files": files,
        "not_sent": found.missing,
        "left_alone": len(found.strays),
        DATA_VERSION: found.inputs_digest,
    }


def _landed(source: Source) -> dg.AssetsDefinition:
    @stage(
        name=f"landed_{source.name}",
        group=GROUP,
        deps=[delivery],
        table=("landed", source.name),
        kinds=frozenset({"parquet"}),
        description=f"{source.chinese} from {source.sent_by}: canonical columns, bad rows quarantined, every row accounted for.",
    )
    def landed(night: Night, progress: Progress, _: dg.AssetExecutionContext) -> Mapping[str, Any]:
        said = metadata_of(night.land(source.name, progress=progress))
        unknown = said["unknown_columns"]  # a header may be anything, a person's name too
        said |= {"unknown_columns": len(unknown), "unknown_column_names": told_headers(unknown)}
        return said | {"quarantined_share": said["quarantined"] / max(said["read"], 1)}

    return landed


landed_sources = [_landed(source) for source in sources().values()]


@stage(
    group=GROUP,
    deps=landed_sources,
    table=("draft", "origin"),
    waits=True,
    description="Which version the night builds on, and by which rules: the latest of an earlier date, once no earlier date is being run. "
    "Start from here to run a date again after an earlier one was restated, or by other rules.",
)
def base_version(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """What the night builds on."""
    base = night.build_on()
    return {
        "base_version": base.version if base else None,
        "base_date": str(base.comparison_date) if base else "none: the first",
        "base_run": dg.MetadataValue.dagster_run(base.run_id) if base else None,
        "rules_digest": night.rules_digest,
    }


@stage(
    group=GROUP,
    deps=[*landed_sources, base_version],
    table=("landed", "files"),
    description="The account of landing: read = landed + quarantined + duplicate rows. The contract and volume gates stand here.",
)
def row_accounts(night: Night, _: Progress, __: dg.AssetExecutionContext) -> Mapping[str, Any]:
    """The account of every row that came."""
    facts = night.facts("contract")
    return {name: int(facts[name].sum()) for name in ("read", "landed", "accounted")}
