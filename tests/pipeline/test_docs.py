"""The SQL that the documents show runs on a published file, as printed."""

import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUERIES = [
    (page.name, query)
    for page in (ROOT / "README.md", ROOT / "README.zh-CN.md")
    for query in re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
]


@pytest.mark.parametrize(("page", "query"), QUERIES, ids=[f"{page}-{n}" for n, (page, _) in enumerate(QUERIES)])
def test_a_query_of_the_readme_answers(three_nights, page, query):
    assert three_nights.query(query)


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
