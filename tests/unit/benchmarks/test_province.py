"""The made-up province: the same bytes for the same arguments, the proportions it promises, and extracts that land as agencies' do."""

import datetime as dt
from pathlib import Path

import pytest

from benchmarks.province import Province, write
from kcb_pipeline.engines.embedded import Limits, rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import find_delivery
from kcb_pipeline.extracts.landing import LandedSource, land

CHILDREN = 6000
ON = dt.date(2026, 11, 18)


@pytest.fixture(scope="module")
def province(tmp_path_factory) -> Province:
    made = Province(tmp_path_factory.mktemp("province"), CHILDREN, ON)
    write(made)
    return made


def landed(made: Province, work: Path) -> tuple[dict[str, LandedSource], Workspace]:
    delivery = find_delivery(made.extracts, ON, strict=True)
    workspace = Workspace(work, ON, Limits(memory="1GB", threads=2))
    return {name: land(workspace, delivery, sources()[name]) for name in delivery.files}, workspace


def contents(made: Province) -> dict[str, bytes]:
    return {str(path.relative_to(made.folder)): path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(province, tmp_path):
    again, other = Province(tmp_path / "again", CHILDREN, ON), Province(tmp_path / "other", CHILDREN, ON, seed=5)
    write(again)
    write(other)
    assert contents(again) == contents(province)
    assert contents(other) != contents(province)


def test_it_lands_with_what_was_made_wrong_and_nothing_else(province, tmp_path):
    found, workspace = landed(province, tmp_path)

    assert set(found) == {
        "population", "student_registry", "in_school", "absences", "residents", "poverty_register", "exit_entry", "approvals",
    }  # fmt: skip
    for source in found.values():
        assert source.read == source.landed + source.quarantined + source.duplicate_rows
        assert source.quarantined < 0.002 * source.read + 10
    assert found["population"].read == pytest.approx(1.2 * CHILDREN, rel=0.01)
    assert found["student_registry"].read == pytest.approx(0.95 * CHILDREN, rel=0.02)
    assert found["population"].forms == ("csv, gb18030, comma",)
    assert found["student_registry"].forms == ("csv, utf-8 with mark, comma",)
    assert found["population"].unknown_columns == ("PCSMC",)
    with workspace.connect() as connection:
        rules = {rule for (rule,) in rows(connection, "SELECT DISTINCT rule FROM landed.cell_issues")}
    assert {"bad_check_digit", "numeric_id_number", "id_birth_mismatch", "id_sex_mismatch"} <= rules


def test_parquet_lands_as_csv_does_but_for_what_only_csv_can_be(province, tmp_path):
    made = Province(tmp_path / "parquet", CHILDREN, ON, kind="parquet")
    write(made)
    by_csv, _ = landed(province, tmp_path / "a")
    by_parquet, _ = landed(made, tmp_path / "b")
    for source, of_csv in by_csv.items():
        assert by_parquet[source].read == of_csv.read
        assert by_parquet[source].cell_issues == pytest.approx(of_csv.cell_issues, abs=5)


def test_one_encoding_for_all_where_one_is_asked_for(tmp_path):
    for encoding in ("utf-8", "gb18030"):
        made = Province(tmp_path / encoding, 300, ON, encoding=encoding)
        write(made)
        files = list(made.extracts.rglob("*.csv"))
        assert len(files) > 8
        for path in files:
            path.read_bytes().decode(encoding)
        assert len({path.read_bytes()[:3] == b"\xef\xbb\xbf" for path in files}) == (2 if encoding == "utf-8" else 1)
