"""Great Expectations' data docs of a version, from the results that were published with it: one page a suite, and an index.

Great Expectations renders the results; the frame around them is ours. Its own loads fifteen style sheets and scripts from the network
and a logo that tells its maker when the page is looked at, and names elements at random. What it shows is expectations and how many
facts met them: no value of a row ever gets there (`checks.suites`), and no path of a machine.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import duckdb

from kcb_pipeline.engines.embedded import rows
from kcb_pipeline.gates import SUITES
from kcb_pipeline.gx import import_alone
from kcb_pipeline.reporting.paper import Paper

FOLDER: Final = "data_docs"

_CHECKS: Final = """
SELECT name, severity, passed, expected, validation FROM check_results WHERE version = ? AND validation <> '' ORDER BY name
"""


def data_docs(connection: duckdb.DuckDBPyConnection, version: int) -> Iterator[Paper]:
    """The pages of a version; none where no suite has left results. The import of Great Expectations costs seconds where no gate has run."""
    checks = rows(connection, _CHECKS, [version])
    suites = {suite: [check for check in checks if check[0].split(".")[0] == suite] for suite in SUITES}
    suites = {suite: found for suite, found in suites.items() if found}
    if not suites:
        return
    [(day,)] = rows(connection, "SELECT comparison_date FROM ledger_versions WHERE version = ?", [version])
    about = {"version": version, "day": str(day), "suites": list(suites)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Great Expectations' own, about what it uses itself
        import_alone()
        from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

        for suite, found in suites.items():
            page = ValidationResultsPageRenderer(run_info_at_end=True).render(_results(suite, found, version, str(day)))
            del page.sections[0].content_blocks[0]  # a header that links to pages we do not make
            yield Paper(f"{FOLDER}/{suite}.html", _view().render(page, suite=suite, **about).encode())
        listed = [(suite, len(found), sum(check[2] for check in found)) for suite, found in suites.items()]
        index = _view().env.get_template("index.j2").render(suite=None, listed=listed, **about)
    yield Paper(f"{FOLDER}/index.html", index.encode())


def _results(suite: str, checks: list[tuple[Any, ...]], version: int, day: str) -> Any:
    """The results of a suite as Great Expectations gave them, as of the comparison date."""
    from great_expectations import __version__
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    results = []
    for name, severity, passed, expected, validation in checks:
        told = json.loads(validation)
        configuration = ExpectationConfiguration(
            type=told["type"],
            kwargs=told["kwargs"],
            meta={"gate": name},
            severity=FailureSeverity.CRITICAL if severity == "error" else FailureSeverity.WARNING,
            description=f"{name.partition('.')[2]}: {expected}",
        )
        results.append(
            ExpectationValidationResult(
                success=passed, expectation_config=configuration, result=told["result"], exception_info=_NO_EXCEPTION
            )
        )
    met = sum(check[2] for check in checks)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": met,
        "unsuccessful_expectations": len(results) - met,
        "success_percent": 100 * met / len(results),
    }
    run = {"run_name": f"version {version}", "run_time": f"{day}T00:00:00+00:00"}
    meta = {"run_id": run, "great_expectations_version": __version__}
    return ExpectationSuiteValidationResult(
        success=met == len(results), results=results, suite_name=suite, statistics=statistics, meta=meta
    )


_NO_EXCEPTION: Final = {"raised_exception": False, "exception_message": None, "exception_traceback": None}


def _view() -> Any:
    """Great Expectations' page view inside our frame; elements are numbered where it would name them at random."""
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, PackageLoader

    view = DefaultJinjaPageView()
    theirs = PackageLoader("great_expectations", "render/view/templates")
    view.env.loader = ChoiceLoader([PackageLoader("kcb_pipeline.reporting", "data_docs"), theirs])
    numbers = count(1)
    view.env.filters["generate_html_element_uuid"] = lambda prefix=None: f"{prefix or ''}{next(numbers)}"
    return view
