"""What a night tells in Dagster: numbers, summaries, columns with their origin, and versions of data and program, from a real run."""

import base64
import os
import re

import dagster as dg
import duckdb
import pytest

from kcb_pipeline import __version__
from kcb_pipeline.home import Home
from kcb_pipeline.orchestration.definitions import build_definitions
from kcb_pipeline.orchestration.lineage import origins
from kcb_pipeline.orchestration.run import instance_of
from kcb_pipeline.orchestration.stage import ORDER
from tests.pipeline.conftest import DATES


@pytest.fixture(scope="module")
def instance(first_night, tmp_path_factory):
    """The Dagster instance of the first night, in a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setattr(os, "environ", dict(os.environ))
        copy = first_night.copy(tmp_path_factory.mktemp("story") / "home")
        with instance_of(Home(copy.folder)) as found:
            yield found


@pytest.fixture(scope="module")
def told(instance) -> dict[str, dg.AssetMaterialization]:
    """What each stage said when it was done."""
    events = {stage: instance.get_latest_materialization_event(dg.AssetKey(stage)) for stage in ORDER}
    return {stage: event.asset_materialization for stage, event in events.items()}


def values(first_night, told, stage: str, column: str) -> set:
    """The values of one column of a stage's table, as text."""
    table = told[stage].metadata["dagster/relation_identifier"].value
    with duckdb.connect(str(first_night.folder / "work" / f"{DATES[0]}.duckdb"), read_only=True) as connection:
        return set(connection.execute(f'SELECT "{column}"::VARCHAR FROM {table}').fetchall())


def test_columns_come_from_columns_that_are_there(told):
    columns = {
        stage: {column.name for column in said.metadata["dagster/column_schema"].value.columns}
        for stage, said in told.items()
    }
    named = [(stage, origin) for stage in ORDER for origin in origins(stage)]

    assert len(named) > 200
    for stage, origin in named:
        assert origin.column in columns[stage], (stage, origin)
        assert origin.upstream in columns[origin.stage], (stage, origin)
        assert origin.stage in ORDER[stage], (stage, origin)


def test_a_column_of_links_says_what_it_is(told):
    described = {
        column.name: column.description for column in told["links"].metadata["dagster/column_schema"].value.columns
    }

    assert described["reason"] == "判定原因代码"
    assert described["w_name"].startswith("name 一项的权重 ← ")
    assert described["student"] is None  # ours alone


def test_every_column_of_a_version_has_its_origin_in_the_extracts(told):
    """Followed back through every stage, each column of the ledger ends in a landed source or in what a stage says of its own."""
    lineage = told["published_version"].metadata["dagster/column_lineage"].value.deps_by_column
    assert set(lineage) == {
        column.name for column in told["published_version"].metadata["dagster/column_schema"].value.columns
    }

    def sources(stage: str, column: str) -> set[str]:
        found = [origin for origin in origins(stage) if origin.column == column]
        return {stage}.union(*(sources(origin.stage, origin.upstream) for origin in found))

    landed = {
        column: {s for s in sources("published_version", column) if s.startswith("landed_")} for column in lineage
    }
    assert landed["id_number"] == {"landed_population", "landed_residents"}
    assert "landed_student_registry" in landed["guardian_phone"]
    assert landed["poverty_household"] == {"landed_poverty_register"}


@pytest.mark.parametrize("stage", sorted(ORDER))
def test_what_is_said_to_be_taken_over_is(first_night, told, stage):
    by_column: dict[str, list] = {}
    for origin in origins(stage):
        by_column.setdefault(origin.column, []).append(origin)
    for column, found in by_column.items():
        if all(origin.copied for origin in found):
            upstream = set().union(*(values(first_night, told, origin.stage, origin.upstream) for origin in found))
            assert values(first_night, told, stage, column) <= {*upstream, (None,)}, (stage, column)


def test_rates_and_counts_are_numbers_that_plot(told):
    for stage, name in (
        ("links", "match_rate"), ("links", "review_share"), ("child_statuses", "suspected_share"),
        ("landed_population", "quarantined_share"), ("published_version", "version"), ("cases", "open_after"),
    ):  # fmt: skip
        assert isinstance(told[stage].metadata[name].value, int | float), (stage, name)
    assert 0.5 < told["links"].metadata["match_rate"].value < 1


def test_columns_that_nobody_knows_are_named(told):
    said = told["landed_population"].metadata

    assert (said["unknown_columns"].value, said["unknown_column_names"].value) == (1, "PCSMC")


def test_gates_give_numbers_beside_their_words(instance):
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey("links"), "matching__match_rate_is_possible")]
    )
    [record] = found.values()
    metadata = record.event.dagster_event.event_specific_data.metadata

    assert metadata["match_rate"].value == pytest.approx(float(metadata["observed"].value.rpartition(" ")[2]), abs=1e-3)
    assert "gates.least_match_rate" in metadata["expected"].value


def test_summaries_hold_charts_and_nobody(first_night, told):
    for stage, charts in (("links", 3), ("child_statuses", 1), ("cases", 1), ("published_version", 1)):
        summary = told[stage].metadata["summary"].value
        assert summary.count("](data:image/svg+xml;base64,") == charts
    names = {name for (name,) in first_night.query("SELECT name FROM school_age_children WHERE length(name) > 2")}
    whole = " ".join(said.metadata["summary"].value for said in told.values() if "summary" in said.metadata)
    whole += " ".join(base64.b64decode(drawing).decode() for drawing in re.findall(r"base64,([^)]+)", whole))
    assert "匹配权重分布" in whole
    assert not any(name in whole for name in names)


def test_a_version_leads_to_its_run_and_back(first_night, instance, told):
    [(version, run_id)] = first_night.query("SELECT version, run_id FROM ledger_versions")

    assert told["published_version"].metadata["published_by"].value == run_id
    assert instance.get_run_by_id(run_id).tags["kcb/version"] == str(version)


def test_data_and_program_say_which_they_are(first_night, instance, told, tmp_path):
    for stage, said in told.items():
        assert said.tags["dagster/code_version"].startswith(f"{__version__}+"), stage
        assert said.tags["dagster/data_version"], stage
    before = {stage: said.tags["dagster/data_version"] for stage, said in told.items()}

    assert len(set(before.values())) > len(ORDER) / 2
    graph = build_definitions(str(tmp_path)).resolve_asset_graph()
    assert {graph.get(dg.AssetKey(stage)).code_version for stage in ORDER} == {
        told["links"].tags["dagster/code_version"]
    }
