"""The report and the data docs that a night leaves with its version, and a night on which they cannot be made."""

import datetime as dt
import json
import re
from importlib import metadata

import pytest

from kcb_pipeline.gates import SUITES
from kcb_pipeline.home import Home as Place
from kcb_pipeline.reporting import papers
from kcb_pipeline.reporting.report.words import STATUS
from tests.pipeline.micro import County
from tests.pipeline.nights import query, run_night
from tests.unit.reporting.test_report import Page

NIGHT = dt.date(2026, 11, 18)
VERSIONS = (1, 2, 3)
SMALLEST = 5


def folder_of(home, version):
    return home.folder / "published" / "versions" / f"{version:06d}"


def pages(home, version):
    folder = folder_of(home, version)
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))
    }


def test_what_it_shows_is_what_the_ledgers_hold(three_nights):
    for version in VERSIONS:
        text = re.sub(r"<[^>]+>", " ", pages(three_nights, version)["report.html"])
        counted = three_nights.query(f"SELECT status, count(*) FROM school_age_children_as_of({version}) GROUP BY 1")
        for status, number in counted:
            found = re.search(rf"{STATUS[status].zh}\s+{re.escape(STATUS[status].en)}\s+([\d,]+|\*)", text)
            assert found is None or found[1] in ("*", f"{number:,}")
            assert found is None or found[1] == "*" or number >= SMALLEST
        assert re.search(r"在学\s+enrolled\s+\d+", text)
        [(live,)] = three_nights.query(
            f"SELECT count(*) FROM school_age_children_as_of({version}) WHERE status <> 'departed'"
        )
        assert f"应当上学的 {live} 名儿童" in " ".join(text.split())


def test_nobody_is_named_in_them(three_nights):
    columns = (
        "child_id",
        "id_number",
        "name",
        "guardian_name",
        "guardian_phone",
        "household_id",
        "student_number",
        "birth_date",
    )
    identities = {
        str(cell)
        for row in three_nights.query(f"SELECT {', '.join(columns)} FROM child_facts_history")
        for cell in row
        if cell is not None
    }
    assert len(identities) > 3000
    for version in VERSIONS:
        for name, page in pages(three_nights, version).items():
            words = set(re.findall(r"[\w-]+", re.sub(r"<[^>]+>", " ", page)))
            assert not identities & words, name
            assert not [identity for identity in identities if len(identity) > 7 and identity in page], name


def test_they_load_nothing_and_name_no_path_of_this_machine(three_nights):
    for name, page in pages(three_nights, 3).items():
        parsed = Page(page)
        assert parsed.loads == [], name
        assert parsed.faults == [] or name != "report.html", name
        assert not re.search(r"https?://(?!www\.w3\.org/)", page), name
        assert str(three_nights.folder) not in page
        assert not re.search(r"/(?:tmp|home|root|usr|var)/", page), name


def test_the_data_docs_hold_every_gate_and_lead_to_each_other(three_nights):
    found = pages(three_nights, 2)

    assert set(found) == {"report.html", "data_docs/index.html", *(f"data_docs/{suite}.html" for suite in SUITES)}
    for name, expected in three_nights.query("SELECT name, expected FROM check_results WHERE version = 2"):
        suite, gate = name.split(".")
        assert f"{gate}: " in found[f"data_docs/{suite}.html"], name
        assert expected.split("(")[0][:20] in found[f"data_docs/{suite}.html"].replace("&#39;", "'"), name
    for name, page in found.items():
        for link in re.findall(r'href="([^"#]+)"', page):
            assert (folder_of(three_nights, 2) / name).parent.joinpath(link).resolve().is_file(), (name, link)


def test_the_data_docs_say_what_made_them(three_nights):
    said = re.sub(r"<[^>]+>", " ", pages(three_nights, 2)["data_docs/matching.html"])

    assert re.search(rf"Great Expectations Version\s+{re.escape(metadata.version('great-expectations'))}\s", said)
    assert re.search(r"Run Name\s+version 2\s", said)


def test_the_manifest_and_dagster_say_where_they_are(three_nights, monkeypatch):
    from dagster import AssetKey

    from kcb_pipeline.orchestration.run import instance_of

    manifest = json.loads((folder_of(three_nights, 3) / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["report"], manifest["data_docs"]) == ("report.html", "data_docs/index.html")
    monkeypatch.setenv("KCB_DAGSTER_STATE", "")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with instance_of(Place(three_nights.folder)) as instance:
        event = instance.get_latest_materialization_event(AssetKey("published_version"))
    told = event.asset_materialization.metadata
    assert told["report"].value == "published/versions/000003/report.html"
    assert told["data_docs"].value == "published/versions/000003/data_docs/index.html"


def test_they_can_be_made_again_to_the_same_bytes(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    before = {version: pages(home, version) for version in VERSIONS}
    (folder_of(home, 1) / "report.html").unlink()

    said = home.kcb("report", "--version", "1").stdout
    home.kcb("report")

    assert said.split() == [str(folder_of(home, 1) / "report.html"), str(folder_of(home, 1) / "data_docs/index.html")]
    assert {version: pages(home, version) for version in VERSIONS} == before


@pytest.fixture
def micro(tmp_path):
    county = County(NIGHT)
    county.pupil(county.person("在校学生"))
    county.person("没有学籍")
    county.write(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", papers.SHOWN)
def test_a_version_is_not_lost_because_it_cannot_be_shown(micro, monkeypatch, kind):
    def fails(*_):
        raise ValueError("it quotes 没有学籍")

    monkeypatch.setattr(papers, kind, fails)

    published = run_night(micro, NIGHT, gates=("contract",))

    place = Place(micro)
    assert published.is_new
    assert query(micro, "SELECT version FROM ledger_versions") == [(1,)]
    assert set(place.shown(1)) == set(papers.SHOWN) - {kind}
    manifest = json.loads((place.version_folder(1) / "manifest.json").read_text(encoding="utf-8"))
    assert manifest[kind] is None
    assert list((place.version_folder(1) / "worklists").iterdir())
    assert "it quotes" in (place.workspace(NIGHT).files / "faults.txt").read_text(encoding="utf-8")
