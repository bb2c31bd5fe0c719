"""The graph itself: what it holds, what comes before what, and that what the outside sees of it agrees."""

import datetime as dt
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.gates import ALL_SUITES
from kcb_pipeline.orchestration.definitions import NIGHT, build_definitions
from kcb_pipeline.orchestration.stage import ORDER

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory):
    return build_definitions(str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def test_definitions_load(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_the_assets_and_what_they_come_after(graph):
    after = {
        key.to_user_string(): {k.to_user_string() for k in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }

    landed = {f"landed_{name}" for name in sources()}
    assert after == {
        "delivery": set(),
        **{name: {"delivery"} for name in landed},
        "base_version": landed,
        "row_accounts": {*landed, "base_version"},
        "standard_keys": {*landed, "row_accounts"},
        "persons": {"standard_keys"},
        "children": {"persons"},
        "decisions": {"children"},
        "links": {"persons", "decisions"},
        "attributed_evidence": {"links"},
        "attendance": {"attributed_evidence"},
        "child_statuses": {"links", "attendance", "attributed_evidence"},
        "poverty_dropouts": {"child_statuses"},
        "cases": {"child_statuses"},
        "draft_version": {"cases", "poverty_dropouts"},
        "published_version": {"draft_version"},
        "analytics_draft": {"published_version"},
        "published_analytics": {"analytics_draft"},
    }


def test_the_three_comparisons_are_named_as_such(graph):
    descriptions = {key.to_user_string(): graph.get(key).description for key in graph.get_all_asset_keys()}

    assert "① 户籍 × 学籍" in descriptions["links"]
    assert "② 学籍 × 在校" in descriptions["attendance"]
    assert "③ 辍学 × 脱贫户" in descriptions["poverty_dropouts"]


def test_every_asset_says_who_owns_it_and_what_it_is(graph):
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.kinds, key
        assert node.partitions_def is not None, key


def test_every_suite_stands_between_its_stage_and_publication(graph):
    alarms = {"expected_date_present", "no_date_is_stale"}
    checks = {check.name: graph.get(check).blocking for check in graph.asset_check_keys if check.name not in alarms}
    suites = {name.split("__")[0] for name in checks}

    assert suites == set(ALL_SUITES)
    errors = {name for name, blocking in checks.items() if blocking}
    assert {"contract__rows_add_up", "volumes__no_source_shrank", "ledgers__nothing_closed_without_evidence"} <= errors


def test_checks_are_partitioned(definitions):
    """Without it a later good night erases an earlier bad one in Dagster's eyes (anchors.md §3). An alarm is of no date: the last word counts."""
    for check in definitions.asset_checks:
        if check.node_def.name == "watch":
            continue
        for spec in check.check_specs:
            assert spec.partitions_def is not None, spec.name


def test_the_schedule_asks_for_the_day_it_is_in_shanghai(definitions):
    schedule = definitions.resolve_schedule_def("nightly")
    evening = dt.datetime(2026, 11, 21, 18, 30, tzinfo=dt.UTC)  # 02:30 on the 22nd in Shanghai

    request = schedule(dg.build_schedule_context(scheduled_execution_time=evening))

    assert request.partition_key == "2026-11-22"
    assert schedule.cron_schedule == "30 2 * * *"
    assert schedule.execution_timezone == "Asia/Shanghai"


def test_stages_come_after_what_the_graph_says(graph):
    """The order by which a night is taken up from a stage is that of the graph."""
    for key in graph.get_all_asset_keys():
        assert ORDER[key.to_user_string()] == {k.to_user_string() for k in graph.get_ancestor_asset_keys(key)}
    assert list(ORDER)[-1] == "published_analytics"


def test_workspace_and_dg_name_the_same_code_location():
    [entry] = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]

    assert entry["python_module"]["module_name"] == project["code_location_target_module"]
    assert entry["python_module"]["location_name"] == project["code_location_name"]


def test_the_library_knows_no_dagster_and_only_its_cluster_engine_pyspark():
    """What is for the cluster is imported where the engine is Spark: PySpark is an extra."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "kcb_pipeline").rglob("*.py")
        if not {"orchestration", "spark"} & set(path.parts)
    ]
    program = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nassert not {{'dagster', 'pyspark', 'kcb_pipeline.spark'}} & set(sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_job_runs_in_one_process(definitions):
    assert definitions.resolve_job_def(NIGHT).executor_def.name == "in_process"
