"""The soak: every fault in every stage, kills by the hundred, load; what came of it goes to docs/reliability.json.

python -m tests.soak [--kills 200] [--jobs 2] [--seconds 7200] [--fault killed --no-load --add]
python -m tests.soak --add --anew --fault damaged_ledgers --no-load   # what is kept of this fault is tried again
python -m tests.soak --add --rounds 0 --kills 0                       # load alone
"""

import argparse
import datetime as dt
import json
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.soak import load
from tests.soak.faults import FAULTS, can_mount
from tests.soak.trials import STAGES, Trial, stages_copied, trial

FIRST_TRIED = sorted(
    STAGES, key=lambda stage: (stage not in ("landing", "publication", "matching"), list(STAGES).index(stage))
)
"""The stages that a soak which ends early has to have been through."""
KEPT = Path(__file__).resolve().parents[2] / "docs" / "reliability.json"


def main() -> None:
    """Run what time allows; what should never be is printed, never counted, and ends it in an error."""
    options = argparse.ArgumentParser(prog="python -m tests.soak")
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--seconds", type=float, default=7200)
    options.add_argument("--add", action="store_true", help="count on from what is kept")
    options.add_argument("--fault", action="append", choices=FAULTS, help="only this one (may be given more than once)")
    options.add_argument("--anew", action="store_true", help="forget first what is kept of the faults that are tried")
    options.add_argument("--no-load", action="store_true", help="faults only")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    until = time.monotonic() + chosen.seconds
    said: dict[str, Any] = {
        "measured": "",
        "trials": 0,
        "outcomes": {},
        "messages": {},
        "week": None,
        "kept": None,
        "backfill": None,
    }
    if chosen.add and KEPT.exists():
        said |= json.loads(KEPT.read_text(encoding="utf-8"))
    for fault in (chosen.fault or FAULTS) if chosen.anew else ():
        _forget(said, fault)
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kcb-soak-") as name:
        folder = Path(name)
        copies = stages_copied(folder)
        faults = chosen.fault or list(FAULTS)
        plan = [(stage, fault) for _ in range(chosen.rounds) for stage in FIRST_TRIED for fault in faults]
        plan += random.Random(chosen.seed).choices(
            [(stage, "killed") for stage in STAGES], k=chosen.kills if "killed" in faults else 0
        )

        def attempt(nth: int) -> Trial | str | None:
            if time.monotonic() > until:
                return None
            try:
                return trial(copies, folder / f"trial-{nth}", *plan[nth], seed=chosen.seed + nth)
            except AssertionError as error:
                return str(error)

        can_mount()  # found out once, not by every thread
        with ThreadPoolExecutor(chosen.jobs) as pool:
            for came in pool.map(attempt, range(len(plan))):
                if isinstance(came, str):
                    broken.append(came)
                    print(f"BROKEN: {came}", flush=True)
                elif came is not None:
                    print(f"{came.fault} in {came.stage}: {came.stood} {came.said}", flush=True)
                    _count(said, came)
                    _keep(said)
        if not chosen.no_load:
            said["week"] = load.week(folder / "week")
            _keep(said)
            said["kept"] = load.week(folder / "kept", nights=16, one_heap=True)
            _keep(said)
            said["backfill"] = load.backfill(folder / "backfill")
            _keep(said)
            broken += [
                *said["week"]["failed"],
                *said["backfill"]["failed"],
                *_leaks(said["kept"]["mib_a_night"]),
                *([said["backfill"]["said"]] if said["backfill"]["exit_code"] else []),
            ]
    if broken:
        sys.exit(f"{len(broken)} ended as none should; the first: {broken[0]}")


def _leaks(mib_a_night: float) -> list[str]:
    return [f"a night leaves {mib_a_night} MiB in its process"] if mib_a_night > load.MOST_KEPT_MIB else []


def _forget(said: dict[str, Any], fault: str) -> None:
    said["trials"] -= sum(sum(counts.values()) for counts in said["outcomes"].pop(fault, {}).values())
    said["messages"].pop(fault, None)


def _count(said: dict[str, Any], came: Trial) -> None:
    key = f"{came.stood}, {came.said}" if came.said else came.stood
    counts = said["outcomes"].setdefault(came.fault, {}).setdefault(came.stage, {})
    counts[key] = counts.get(key, 0) + 1
    said["trials"] += 1
    if came.message:
        stage, _, rest = came.message.partition(": ")  # the one it failed in, which may be a later one
        text = rest if stage in STAGES else came.message
        said["messages"][came.fault] = sorted({*said["messages"].get(came.fault, []), text})


def _keep(said: dict[str, Any]) -> None:
    said["measured"] = dt.datetime.now(tz=dt.UTC).date().isoformat()
    KEPT.write_text(json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
