"""The suites as blocking asset checks: one check function a suite, one result a gate, and the verdict kept for publication."""

import warnings
from collections.abc import Iterable, Sequence

import dagster as dg
from dagster._utils.warnings import PreviewWarning

from assets.comparisons import child_statuses, links
from assets.extracts import row_accounts
from assets.identity import persons
from assets.ledgers import analytics_draft, draft_version
from checks.suites import Gate, gates_of, run_suite
from kcb_pipeline.config import Config
from kcb_pipeline.errors import GateError
from kcb_pipeline.gates import ALL_SUITES, STANDS_AT, GateResult
from kcb_pipeline.log import Level, log
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.partitions import comparison_dates
from kcb_pipeline.orchestration.resources import HomeResource
from kcb_pipeline.orchestration.stage import ORDER, step
from kcb_pipeline.stages import require

_GATED = {
    asset.key.to_user_string(): asset
    for asset in (row_accounts, persons, links, child_statuses, draft_version, analytics_draft)
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

        def ask() -> list[GateResult]:
            with night.workspace.connect() as connection:
                require(connection, f"gate_{suite}", {STANDS_AT[suite]}, ORDER)
            night.hold_to_rules()
            _ask_again(night, ALL_SUITES[: ALL_SUITES.index(suite)])
            return _ask(night, suite)

        for result in step(context, night, f"gate_{suite}", lambda _: ask()):
            if not result.passed:
                named = {"run": context.run.run_id, "date": context.partition_key, "gate": f"{suite}.{result.name}"}
                level: Level = "error" if result.blocks else "warning"
                log(level, "gate did not pass", **named, observed=result.observed, expected=result.expected)
            yield dg.AssetCheckResult(
                asset_key=asset.key,
                check_name=f"{suite}__{result.name}",
                passed=result.passed,
                severity=dg.AssetCheckSeverity.ERROR if result.severity == "error" else dg.AssetCheckSeverity.WARN,
                metadata={
                    "observed": result.observed,
                    "expected": result.expected,
                    "advice": result.advice,
                    **result.numbers,  # as numbers, so that they plot
                },
            )

    return check


def _ask(night: Night, suite: str) -> list[GateResult]:
    results = run_suite(suite, night.facts(suite), night.config)
    night.record(suite, results)
    return results


def _ask_again(night: Night, earlier: Sequence[str]) -> None:
    """Ask earlier suites again that failed, or whose verdict is void because the limits have changed since; GateError where one fails now."""
    failed = [
        f"{suite}.{result.name} (observed {result.observed}, expected {result.expected})"
        for suite in night.not_passed(earlier)
        for result in _ask(night, suite)
        if result.blocks
    ]
    if failed:
        raise GateError(f"an earlier gate fails: {'; '.join(failed)}")


gates = [_suite(suite, _GATED[stands_at]) for suite, stands_at in STANDS_AT.items()]
