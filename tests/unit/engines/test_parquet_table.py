"""Parquet tables of the working files: whole or not there, the same bytes whatever the pace, row groups of a useful size."""

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kcb_pipeline.engines import workspace
from kcb_pipeline.engines.workspace import ParquetTable


def batch(start, size, codes=("1", "2")):
    return pa.table(
        {
            "row": pa.array(range(start, start + size), type=pa.int64()),
            "name": pa.array([f"n{row}" for row in range(start, start + size)], type=pa.string()),
            "school": pa.array([f"s{row % 5}" for row in range(start, start + size)], type=pa.string()),
            "sex": pa.array(
                [codes[row % 2] for row in range(start, start + size)], type=pa.string()
            ).dictionary_encode(),
        }
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "landed" / "t-1.parquet"


def test_batches_whose_codes_are_kept_in_another_order_are_one_column(path, monkeypatch):
    monkeypatch.setattr(workspace, "_LEAST_ROW_GROUP_ROWS", 25)
    with ParquetTable(path) as table:
        table.write(batch(0, 0))
        table.write(batch(0, 10, ("2", "1")))
        table.write(batch(10, 10, ("9", None)))
        table.write(batch(20, 10))

    found = pq.read_table(path)

    assert found["sex"].type == pa.string()
    assert found["sex"].to_pylist() == ["2", "1"] * 5 + ["9", None] * 5 + ["1", "2"] * 5
    assert found["row"].to_pylist() == list(range(30))


def test_small_batches_share_a_row_group_and_codes_a_dictionary(path, monkeypatch):
    monkeypatch.setattr(workspace, "_LEAST_ROW_GROUP_ROWS", 100)
    with ParquetTable(path) as table:
        for start in range(0, 1000, 30):
            table.write(batch(start, min(30, 1000 - start)))

    known = pq.ParquetFile(path).metadata

    assert [known.row_group(n).num_rows for n in range(known.num_row_groups)] == [120] * 8 + [40]
    encodings = {known.row_group(0).column(n).path_in_schema: known.row_group(0).column(n).encodings for n in range(4)}
    assert {name for name, kinds in encodings.items() if "RLE_DICTIONARY" in kinds} == {"school", "sex"}
    assert known.row_group(3).column(0).statistics.min == 360


def test_the_bytes_do_not_depend_on_the_pace(tmp_path):
    def written(name, pause):
        with ParquetTable(tmp_path / name) as table:
            for start in range(0, 100, 10):
                table.write(batch(start, 10))
                time.sleep(pause)
        return (tmp_path / name).read_bytes()

    assert written("a.parquet", 0) == written("b.parquet", 0.01)


def test_a_table_of_no_rows_is_there_with_its_columns(path):
    with ParquetTable(path) as table:
        table.write(batch(0, 0))

    assert pq.read_table(path).column_names == ["row", "name", "school", "sex"]


def test_what_fails_leaves_nothing(path):
    def stopped():
        with ParquetTable(path) as table:
            table.write(batch(0, 10))
            message = "stop"
            raise ValueError(message)

    def refused():
        with ParquetTable(path) as table:
            table.write(batch(0, 10))
            table.write(pa.table({"other": [1]}))

    with pytest.raises(ValueError, match="stop"):
        stopped()
    with pytest.raises(pa.ArrowInvalid):
        refused()

    assert not path.parent.exists() or not list(path.parent.iterdir())
