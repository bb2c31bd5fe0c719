"""Pseudonyms are HMAC-SHA-256 under a key that is made once, kept for its owner, and never part of a query's text."""

import stat

import duckdb
import pytest

from kcb_pipeline.analytics import pseudonyms
from kcb_pipeline.errors import UsageError


def test_the_key_is_made_once_for_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.delenv(pseudonyms.KEY_VARIABLE, raising=False)

    key = pseudonyms.read_key(tmp_path)

    assert len(key) == pseudonyms.KEY_BYTES
    assert stat.S_IMODE(pseudonyms.key_file(tmp_path).stat().st_mode) == 0o600
    assert pseudonyms.read_key(tmp_path) == key
    assert [path.name for path in tmp_path.iterdir()] == ["analytics.key"]


def test_the_environment_wins_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv(pseudonyms.KEY_VARIABLE, "ab" * 32)

    assert pseudonyms.read_key(tmp_path) == bytes.fromhex("ab" * 32)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "ab" * 31, "no key " * 20])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path, monkeypatch, text):
    monkeypatch.setenv(pseudonyms.KEY_VARIABLE, text)

    with pytest.raises(UsageError) as refusal:
        pseudonyms.read_key(tmp_path)
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused(tmp_path, monkeypatch, mode):
    monkeypatch.delenv(pseudonyms.KEY_VARIABLE, raising=False)
    pseudonyms.read_key(tmp_path)
    pseudonyms.key_file(tmp_path).chmod(mode)

    with pytest.raises(UsageError, match="chmod 600"):
        pseudonyms.read_key(tmp_path)


@pytest.mark.parametrize("key", [bytes(32), bytes(range(64)), b"\xff" * 100])
def test_sql_and_python_agree(key):
    sql = f"SELECT {pseudonyms.pseudonym_sql('child', 'n')} FROM (VALUES ('C1'), ('儿童')) v(n)"

    found = duckdb.connect().execute(sql, pseudonyms.pads(key)).fetchall()

    assert found == [(pseudonyms.pseudonym(key, "child", n),) for n in ("C1", "儿童")]


def test_another_key_and_another_kind_give_another_pseudonym():
    key = bytes(32)

    assert len({pseudonyms.pseudonym(key, "child", "C1"), pseudonyms.pseudonym(key, "case", "C1"), pseudonyms.pseudonym(b"\1" * 32, "child", "C1"),
                pseudonyms.pseudonym(key, "child", "C2")}) == 4  # fmt: skip
