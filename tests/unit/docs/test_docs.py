"""The documents say what is: pages made from the code are up to date, commands exist, links lead somewhere, examples run."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from kcb_pipeline import cli, config, errors

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def generated():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


@pytest.mark.parametrize(
    "page",
    ["configuration.md", "cases.md", "statistics.md", "rosters.md", "gates.md", "analytics.md", "reliability.md"],
)
def test_pages_made_from_the_code_are_up_to_date(page):
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == generated()[page](), "run python docs/generate.py"


def test_the_page_of_settings_has_them_all_and_says_what_each_is():
    page = generated()["configuration.md"]()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    sections = [value for _, value in config.Config() if isinstance(value, BaseModel)]

    assert len(rows) == sum(len(type(section).model_fields) for section in sections) + 1  # engine
    assert [row[1] for row in rows if not row[3].strip()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "README.zh-CN.md"], ids=lambda page: page.name)
def test_commands_in_the_readme_exist_with_their_options(page):
    shown = [
        line.split("#")[0].split()
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("kcb ")
    ]

    assert {words[1] for words in shown} == set(cli.main.commands)
    for words in shown:
        command = cli.main.commands[words[1]]
        options = {
            name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts
        }
        assert {word for word in words if word.startswith("--")} <= options, words


def test_commands_in_the_operations_guide_exist_with_their_options():
    pages = [ROOT / "docs" / "operations.md", *(ROOT / "docs" / "operations").glob("*.md")]
    shown = [
        line.split("#")[0].split()
        for page in pages
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("kcb ")
    ]

    assert {"backup", "restore", "run"} <= {words[1] for words in shown}
    for words in shown:
        command = cli.main
        for word in words[1:]:
            if isinstance(command, click.Group):
                command = command.commands[word]
        options = {
            name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts
        }
        assert {word for word in words if word.startswith("--")} <= options, words


def test_every_command_helps_with_an_example():
    for name, command in cli.main.commands.items():
        assert command.help, name
        assert "Example:" in (command.epilog or ""), name


def test_exit_codes_in_the_operations_guide_are_those_of_the_code():
    table = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.KcbError)]

    assert documented == {0, *(kind.exit_code for kind in kinds)}


def test_make_explains_itself():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    for target in ("nightly", "test", "ui", "lint"):
        assert f"make {target}" in done.stdout


def test_the_python_example_of_the_readme_runs():
    [example] = blocks(ROOT / "README.md", "python")

    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "probability" in done.stdout


@pytest.mark.parametrize("avoided", ["准确率", "召回率", "误连", "漏连"])
def test_the_quality_of_the_linkage_has_one_word_for_one_thing(avoided):
    """查准率, 查全率, 误认 and 漏认 are the words of the published columns; 准确率 is accuracy."""
    texts = [*(ROOT / "kcb_pipeline").rglob("*.py"), *PAGES]

    assert [
        path.name for path in texts if avoided in path.read_text(encoding="utf-8") and path.name != "CONTEXT.md"
    ] == []


def test_no_file_names_a_registry_or_a_path_of_somebodys_machine():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout: there is no list of tracked files to look through")
    for name in tracked.stdout.splitlines():
        if name.endswith(".lock"):
            assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name
