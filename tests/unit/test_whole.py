"""A file is written whole or not at all, for its owner only."""

import os
import stat

import pytest

from kcb_pipeline.whole import written_whole


def test_a_file_takes_its_name_when_it_is_whole_and_on_the_disk(tmp_path, monkeypatch):
    path, flushed = tmp_path / "kept.json", []
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append((os.fstat(number).st_size, path.read_bytes())))

    with written_whole(path) as file:
        file.write(b"after")
        assert path.read_bytes() == b"before"

    assert flushed == [(5, b"before")]
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]


def test_what_stood_there_stands_where_the_writing_fails_and_nothing_is_left(tmp_path):
    path = tmp_path / "kept.json"
    path.write_bytes(b"before")

    with pytest.raises(UnicodeEncodeError), written_whole(path) as file:
        file.writelines(part.encode("ascii") for part in ("hal", "半"))

    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["kept.json"]


def test_what_a_killed_process_left_is_written_over(tmp_path):
    (tmp_path / ".kept.json.next").write_bytes(b"much more than what comes now")

    with written_whole(tmp_path / "kept.json") as file:
        file.write(b"after")

    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"kept.json": b"after"}
