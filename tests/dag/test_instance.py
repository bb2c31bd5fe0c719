"""What `dagster.yaml` sets is what an instance does."""

import os

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from kcb_pipeline.home import Home
from kcb_pipeline.orchestration.run import instance_of


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with instance_of(Home(tmp_path)) as found:
        yield found


def test_two_nights_at_a_time_and_one_a_date(instance):
    queue = instance.get_concurrency_config().run_queue_config

    assert queue.max_concurrent_runs == 2
    assert queue.tag_concurrency_limits == [
        {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


def test_a_run_that_hangs_or_died_ends(instance):
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_start_timeout_seconds == 300
    assert instance.run_monitoring_cancel_timeout_seconds == 600
    assert instance.run_monitoring_max_runtime_seconds == 43_200


def test_crashes_are_retried_and_data_is_not(instance):
    @dg.job
    def nothing():
        pass

    from dagster._core.events import RunFailureReason
    from dagster._core.execution.retries import auto_reexecution_should_retry_run

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.FAILURE)

    assert auto_reexecution_should_retry_run(instance, run, RunFailureReason.RUN_EXCEPTION)
    assert not auto_reexecution_should_retry_run(instance, run, RunFailureReason.STEP_FAILURE)


def test_ticks_that_found_nothing_go_after_a_week_and_the_others_after_a_quarter(instance):
    kept = instance.get_tick_retention_settings(InstigatorType.SENSOR)

    assert kept[TickStatus.SKIPPED] == 7
    assert kept[TickStatus.SUCCESS] == kept[TickStatus.FAILURE] == 90
    assert set(instance.get_tick_retention_settings(InstigatorType.SCHEDULE).values()) == {90}


def test_nothing_is_sent_anywhere_and_no_window_covers_the_ui(instance):
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled


def test_a_late_alarm_does_not_wait_for_a_tick_that_reads(instance):
    assert instance.get_settings("sensors") == {"use_threads": True, "num_workers": 2}
