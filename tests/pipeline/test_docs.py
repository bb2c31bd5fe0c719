"""The SQL that the documents show runs on a published file, as printed."""

import importlib.util
import itertools
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
QUERIES = [
    (page.name, query)
    for page in (ROOT / "README.md", ROOT / "README.zh-CN.md")
    for query in re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
]


@pytest.mark.parametrize(("page", "query"), QUERIES, ids=[f"{page}-{n}" for n, (page, _) in enumerate(QUERIES)])
def test_a_query_of_the_readme_answers(three_nights, page, query):
    assert three_nights.query(query)


def test_the_cookbook_shows_what_its_queries_answer(three_nights):
    spec = importlib.util.spec_from_file_location("docs_cookbook", ROOT / "docs" / "cookbook.py")
    cookbook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cookbook)
    page = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")

    assert cookbook.filled(page, three_nights.folder / "published" / "analytics.duckdb") == page, (
        "run python docs/cookbook.py"
    )
    questions, answers = (len(re.findall(pattern, page, flags=re.MULTILINE)) for pattern in ("^## ", r"^\|---"))
    assert questions == answers >= 15


def test_the_notebook_runs_and_shows_what_it_gives(three_nights):
    notebook = nbformat.read(ROOT / "docs" / "cookbook.ipynb", as_version=4)

    def outputs():
        found = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
        return [data["text/plain"] for data in found if "image/png" not in data], sum(
            "image/png" in data for data in found
        )

    shown = outputs()
    client = NotebookClient(notebook, kernel_name="python3", timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KCB_HOME", str(three_nights.folder))
        client.execute()

    assert outputs() == shown
    assert shown[1] >= 4


def test_the_picture_of_the_dag_is_the_dag(tmp_path):
    from kcb_pipeline.orchestration.definitions import build_definitions

    [drawing] = re.findall(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    graph = build_definitions(str(tmp_path)).resolve_asset_graph()
    drawn = set()
    for line in drawing.splitlines()[1:]:
        if "-.->" in line:
            continue
        names = [re.split(r"[\[{]", part)[0].strip() for part in line.split("-->")]
        drawn |= set(itertools.pairwise(names))

    def short(key):
        name = key.to_user_string()
        return "landed" if name.startswith("landed_") else name

    real = {(short(parent), short(key)) for key in graph.get_all_asset_keys() for parent in graph.get(key).parent_keys}
    assert drawn == real
