"""The suites as blocking asset checks: one check function a suite, one result a gate, and the verdict kept for publication."""

import warnings
from collections.abc import Iterable

import dagster as dg
from dagster._utils.warnings import PreviewWarning

from assets.comparisons import child_statuses, links
from assets.extracts import row_accounts
from assets.identity import persons
from assets.ledgers import draft_version
from checks.suites import Gate, gates_of, run_suite
from kcb_pipeline.config import Config
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.gates import GateResult
from kcb_pipeline.orchestration.partitions import comparison_dates
from kcb_pipeline.orchestration.progress import starting
from kcb_pipeline.orchestration.resources import HomeResource

_SUITES = {
    "contract": row_accounts,
    "volumes": row_accounts,
    "identity": persons,
    "matching": links,
    "status": child_statuses,
    "ledgers": draft_version,
}


def _spec(suite: str, asset: dg.AssetsDefinition, gate: Gate) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        f"{suite}__{gate.name}",
        asset=asset,
        blocking=gate.severity == "error",
        description=gate.expected,
        partitions_def=comparison_dates,
    )


def _suite(suite: str, asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    with warnings.catch_warnings():
        # `partitions_def` on a check is in preview; without it a good night erases an earlier bad one (anchors.md §3). The
        # version of Dagster is pinned, and tests/dag holds the behaviour.
        warnings.simplefilter("ignore", PreviewWarning)
        specs = [_spec(suite, asset, gate) for gate in gates_of(suite, Config())]

    @dg.multi_asset_check(name=f"gate_{suite}", specs=specs)
    def check(context: dg.AssetCheckExecutionContext, home: HomeResource) -> Iterable[dg.AssetCheckResult]:
        night = home.night(context)
        starting(f"gate_{suite}")

        def ask() -> list[GateResult]:
            results = run_suite(suite, night.facts(suite), night.config)
            night.record(suite, results)
            return results

        for result in quoting_nothing(f"gate_{suite}", night.workspace.files, ask):
            yield dg.AssetCheckResult(
                asset_key=asset.key,
                check_name=f"{suite}__{result.name}",
                passed=result.passed,
                severity=dg.AssetCheckSeverity.ERROR if result.severity == "error" else dg.AssetCheckSeverity.WARN,
                metadata={"observed": result.observed, "expected": result.expected, "advice": result.advice},
            )

    return check


gates = [_suite(suite, asset) for suite, asset in _SUITES.items()]
