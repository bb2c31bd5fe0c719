"""What stands on a terminal is ours: what others called a file or a column is shown, and neither followed nor obeyed."""

import io

import pytest
from click.testing import CliRunner
from rich.console import Console

from kcb_pipeline import cli
from kcb_pipeline.gates import GateResult
from kcb_pipeline.terminal import gates_table, rows_table, visible

POPULATION = "id_number,name,sex,birth_date,household_id,division_code"
REGISTRY = "student_number,name,sex,birth_date,id_type,id_number,school_code,school_name,grade,registry_status"


def test_a_check_shows_columns_and_names_of_files_as_they_are(tmp_path):
    folder = tmp_path / "2026-11-20"
    (folder / "absences").mkdir(parents=True)
    header = f"{POPULATION},[/x],\x1b[31mred\n"
    (folder / "population.csv").write_text(header + ",王小明,1,20150312,H1,533123,a,b\n", encoding="utf-8")
    (folder / "student_registry.csv").write_text(
        f"{REGISTRY}\nG1,王小明,1,20150312,1,,33,学校,5,01\n", encoding="utf-8"
    )
    (folder / "absences" / "[bold]1.csv").write_text("student_number,absent_on,kind\nbroken\n", encoding="utf-8")
    (folder / "all well\nkcb: published.pdf").write_bytes(b"%PDF")
    (folder / "[").mkdir()

    done = CliRunner().invoke(cli.main, ["check", str(folder)], catch_exceptions=False)

    assert done.exit_code == 0
    assert "[/x]" in done.output
    assert "absences/[bold]1.csv" in done.output
    assert "left alone: [/" in done.output.splitlines()
    assert "\x1b" not in done.output
    assert "\nkcb: published" not in done.output


@pytest.mark.parametrize("text", ["a\x1b[2J", "a\rb", "a\nb", "a\u202eb", "a\u200bb", "a\udcffb", "a\u2028b", "a\x9bb"])
def test_what_would_move_a_terminal_is_written_out(text):
    assert visible(text).isprintable()
    assert visible("幸福　学校 [/x]") == "幸福　学校 [/x]"


def test_tables_hold_words_and_no_markup():
    out = io.StringIO()
    console = Console(file=out, markup=False, width=200)

    console.print(rows_table(("[storage]",), [("[/x]",)]))
    console.print(
        gates_table([("contract", GateResult("g", "error", passed=False, observed="[/x]", expected="[gates]"))])
    )

    assert out.getvalue().count("[/x]") == 2
    assert "[storage]" in out.getvalue()
    assert "[gates]" in out.getvalue()
    assert "failed" in out.getvalue()
