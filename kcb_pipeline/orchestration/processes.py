"""Which process runs a run: it holds the date, and a run whose process is gone is marked failed.

Dagster's code server notices when a run's process dies. Nobody does when the machine goes down with it, or when `kcb run` is killed: such a run
would stand as running for ever. So a run carries the process that runs it, and whoever starts next looks whether it is still there.
"""

import os
import socket
from pathlib import Path

import dagster as dg

from kcb_pipeline.claim import claim
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.progress import note_of

PROCESS_TAG = "kcb/process"

_NOTED: set[str] = set()
"""Runs of this process that carry it already."""


def hold(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, night: Night) -> None:
    """Hold the night's date for this process, waiting for whoever runs it; note on the run which process that is."""
    run_id = context.run.run_id
    if run_id not in _NOTED:
        fail_abandoned_runs(context.instance)
        context.instance.add_run_tags(run_id, {PROCESS_TAG: this_process()})
        _NOTED.add(run_id)
    claim(night.workspace, note_of(context))


def this_process() -> str:
    """Machine, process id and start of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks since boot; empty where there is none. A number is used again, number and start are not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs failed whose process on this machine is gone; their ids."""
    abandoned = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        host, _, process = run.tags.get(PROCESS_TAG, "").partition(":")
        pid, _, started = process.partition(":")
        if host == socket.gethostname() and _started(int(pid)) != started:
            instance.report_run_failed(run, "The process that ran it is gone: it was killed, or the machine went down.")
            abandoned.append(run.run_id)
    return abandoned
