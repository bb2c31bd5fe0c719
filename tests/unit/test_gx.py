"""Great Expectations finds nothing of PySpark, and whoever else asks finds everything as it was."""

import subprocess
import sys
from pathlib import Path

import pytest

PYSPARK = "import sys\nsys.exit('a run of doctests')\n"
"""What PySpark's client for Spark Connect does where it takes a process without a main module for a run of its doctests."""

PROGRAM = """
import sys, warnings
import polars as pl
if sys.argv[1:] == ["loaded before"]:
    import scipy.stats
from checks.suites import run_suite
from kcb_pipeline.config import Config

statistics = sys.modules.get("scipy.stats")
facts = pl.DataFrame({"subject": ["population"], "read": [3], "accounted": [3], "quarantined_share": [0.0], "quarantined_limit": [0.1],
                      "issue_share": [0.0], "breaks_off": [0], "ends_open": [0], "landed": [3], "required": [True]})
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    results = run_suite("contract", facts, Config())
assert [result.passed for result in results] == [True] * 6, results
assert sys.modules.get("scipy.stats") is statistics
assert "altair" not in sys.modules
import altair, scipy.stats
assert altair.Chart and scipy.stats.norm
try:
    import pyspark
except SystemExit as ended:
    print(ended.code)
"""


@pytest.mark.parametrize("scipy", ["loaded before", "loaded after"])
def test_a_process_without_a_main_module_is_not_ended_by_pyspark(tmp_path, scipy):
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text(PYSPARK, encoding="utf-8")
    program = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{PROGRAM}"

    done = subprocess.run([sys.executable, "-c", program, scipy], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "a run of doctests\n"), done.stderr


def test_everybody_imports_great_expectations_alone():
    root = Path(__file__).resolve().parents[2]
    importing = {
        path.relative_to(root).as_posix(): text
        for folder in ("kcb_pipeline", "assets", "checks")
        for path in (root / folder).rglob("*.py")
        if "great_expectations" in (text := path.read_text(encoding="utf-8"))
    }

    assert "checks/suites.py" in importing
    assert [name for name, text in importing.items() if "import_alone()" not in text] == []
