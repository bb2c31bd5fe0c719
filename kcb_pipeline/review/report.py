"""`kcb review report`: what reviewers' labels say of a night's linkage, in tables for a terminal. Counts and shares only."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from kcb_pipeline.errors import UsageError
from kcb_pipeline.home import Home
from kcb_pipeline.review.answers import read_answers, weigh
from kcb_pipeline.review.quality import Estimate, Measured, agreements, measure
from kcb_pipeline.review.rounds import round_named, rounds
from kcb_pipeline.review.sampling import band_words
from kcb_pipeline.terminal import rows_table


def report(home: Home, round_name: str | None) -> Iterator[str | Table]:
    """The parts of the report on one round, in order. UsageError where no round has been drawn."""
    every = rounds(home.reviews)
    if not every:
        raise UsageError("no pairs have been put before anybody yet (kcb review export)")
    chosen = round_named(home.reviews, round_name) if round_name else every[-1]
    verdicts = weigh(read_answers(home.reviews), home.config().review.answers_needed)
    measured = measure(chosen.pairs, verdicts)
    yield f"Round {chosen.name}: the linkage of {chosen.comparison_date} as reviewers see it"
    yield rows_table(
        ("decision", "match weight", "pairs", "drawn", "labelled", "one person"),
        [(s.decision, band_words(s.band), s.size, s.drawn, s.labelled, s.same) for s in measured.strata],
    )
    yield from _figures(measured)
    found = agreements(verdicts)
    if found:
        yield "Agreement of reviewers (Cohen's kappa, over all rounds)"
        yield rows_table(
            ("reviewers", "pairs", "agreed", "kappa", "± 95 %"),
            [(" / ".join(a.reviewers), a.pairs, a.agreed, _number(a.kappa), _number(a.error and 1.96 * a.error)) for a in found],
        )  # fmt: skip


def _figures(measured: Measured) -> Iterator[str]:
    if measured.precision is None and measured.recall is None:
        yield "nothing has been labelled yet: no figures"
        return
    yield f"precision 查准率  {_share(measured.precision)}   of the linked pairs, those that are one person"
    yield f"recall    查全率  {_share(measured.recall)}   of the pairs that are one person, those that are linked (among pairs that were kept)"
    yield "each label weighted by the inverse of its pair's chance; melded Clopper-Pearson intervals by band (kcb_pipeline/review/quality.py)"
    if measured.unlabelled:
        yield f"{measured.unlabelled:,} pairs are of bands in which nobody has labelled any: they are in neither figure"


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{estimate.value:.2%}  (95 %: {estimate.low:.2%} to {estimate.high:.2%})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
