"""What an operator does in Dagster's web interface on a bad night, in a real browser: launch, see why, mend, run again, see it published."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import pytest

from kcb_pipeline.sample import write_sample
from tests.browser.conftest import CHROMIUM, DRIVER, Browser
from tests.pipeline.conftest import Home
from tests.pipeline.services import services

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no Chromium with its driver on this machine (Debian: apt-get install chromium chromium-driver)",
)
NIGHT = dt.date(2026, 11, 18)
RULES = '[orchestration]\nstart = "manual"\n[gates]\nleast_match_rate = {}\n'


@dataclass(frozen=True)
class Operated:
    """The home whose night was run, the run that failed and the one that took it up, and what the browser saw."""

    home: Home
    failed_run: str
    again: str
    seen: dict[str, Any]
    complaints: list[str]


@pytest.fixture(scope="module")
def operated(tmp_path_factory, chromium, shots):
    """A night launched by hand whose gate fails, the limit mended, the run taken up again, the version looked at."""
    folder = tmp_path_factory.mktemp("county") / "home"
    write_sample(folder, children=200, seed=7, date=NIGHT, nights=1)
    (folder / "kcb.toml").write_text(RULES.format(1.0), encoding="utf-8")
    seen: dict[str, Any] = {}
    with services(folder, {}) as running:
        page = Browser(chromium, f"http://127.0.0.1:{running.port}", shots)

        page.open("/locations/kcb/jobs/night")
        page.button("Materialize all")
        page.see("Partition selection")
        page.write("//div[@role='dialog']//input[@type='text' or not(@type)]", f"{NIGHT}\n")
        page.shot("launch")
        page.button("Launch 1 run")
        page.see("Launched run")
        page.click("//*[contains(text(), 'Launched run')]/ancestor::*[.//a or .//button][1]//*[text()='View']")
        page.see("gate_matching", "Failure", seconds=150)
        failed_run = page.driver.current_url.rpartition("/runs/")[2][:36]
        page.shot("failed-run")

        page.open("/assets/links?view=checks&checkDetail=matching__match_rate_is_possible")
        seen["gate"] = page.see("observed", "expected", "Failed")
        page.shot("failed-gate")

        (folder / "kcb.toml").write_text(RULES.format(0.5), encoding="utf-8")
        page.open(f"/runs/{failed_run}")
        page.see("Re-execute all")
        page.click("//button[contains(., 'Re-execute all')]/following::button[1]")
        page.click("//*[text()='From failure']/ancestor::*[self::a or self::button or @role='menuitem'][1]")
        again = page.elsewhere_than(f"/runs/{failed_run}").rpartition("/runs/")[2][:36]
        page.see("Success", "published_version", seconds=150)
        page.shot("run-again")
        page.button("View tags and config")
        seen["run"] = page.see("kcb/version")
        page.shot("run-tags")

        page.open("/assets/published_version?view=events")
        seen["version"] = page.see("Show Markdown", "published_by")
        page.shot("version")
        page.click("//*[text()='[Show Markdown]']")
        page.see("适龄 children")
        seen["charts"] = page.charts()
        page.shot("summary")
        page.open("/assets/links?view=events")
        page.click("//*[text()='[Show Markdown]']")
        page.see("estimated without labels")
        seen["linkage charts"] = page.charts()
        page.shot("links")
        page.open("/assets/draft_version")
        seen["columns"] = page.see("监护人姓名", "landed_population.guardian_name")
        page.shot("columns")
        page.open("/asset-groups")
        seen["groups"] = page.see("extracts", "identity", "comparisons", "ledgers")
        page.shot("groups")
        yield Operated(Home(folder), failed_run, again, seen, page.complaints())


def test_a_gate_that_fails_stops_the_night_and_says_why(operated):
    assert "gates.least_match_rate" in operated.seen["gate"]
    assert "match_rate_least 1" in operated.seen["gate"]
    assert "blocking" in operated.seen["gate"]


def test_when_its_limit_is_mended_the_run_taken_up_again_publishes(operated):
    assert operated.again != operated.failed_run
    assert operated.home.query("SELECT version, comparison_date, run_id FROM ledger_versions") == [
        (1, NIGHT, operated.again)
    ]


def test_a_version_leads_to_its_run_and_a_run_to_its_version(operated):
    assert operated.again in operated.seen["version"]
    assert "kcb/version: 1" in operated.seen["run"]


def test_summaries_have_their_charts(operated):
    assert operated.seen["charts"] == 1
    assert operated.seen["linkage charts"] == 3


OVER_THE_EDGE = """
const edge = document.documentElement.clientWidth;
return [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > edge + 1 && !one.closest('.scroll, svg'))
    .map(one => one.tagName + '.' + one.className + ' ' + one.textContent.trim().slice(0, 40));
"""
SHOWN_IN = """
return Object.fromEntries(['zh-CN', 'en'].map(language =>
    [language, [...document.querySelectorAll('body [lang="' + language + '"]')].filter(one => one.getClientRects().length).length]));
"""


@pytest.mark.parametrize(("language", "other"), [("zh-CN", "en"), ("en", "zh-CN")])
def test_the_report_fits_a_window_a_telephone_and_paper_in_either_language(operated, chromium, shots, language, other):
    page = Browser(chromium, (operated.home.folder / "published" / "versions" / "000001").as_uri(), shots)
    short = language[:2]
    try:
        for width in (1280, 390):
            page.as_wide_as(width)
            page.open("/report.html")
            page.driver.execute_script("document.getElementById(arguments[0]).click()", short)
            page.whole(f"report-{short}-{width}")
            shown = page.driver.execute_script(SHOWN_IN)
            assert (shown[language] > 100, shown[other]) == (True, 0)
            assert page.driver.execute_script(OVER_THE_EDGE) == []
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    pages = len(re.findall(rb"/Type\s*/Page\b", page.printed(f"report-{short}")))

    assert 4 <= pages <= 10
    assert page.complaints() == []


def test_the_data_docs_are_pages_that_lead_back_to_the_report(operated, chromium, shots):
    page = Browser(chromium, (operated.home.folder / "published" / "versions" / "000001").as_uri(), shots)

    page.open("/report.html")
    page.click("//a[contains(@href, 'data_docs')]")
    page.click("//table//a[text()='matching']")
    page.see("match_rate_is_possible", "0% unexpected")
    page.whole("data-docs")
    page.click("//a[contains(., 'report.html')]")

    page.see("控辍保学比对报告")
    assert page.complaints() == []


def test_pages_complain_of_nothing(operated):
    assert operated.complaints == []
