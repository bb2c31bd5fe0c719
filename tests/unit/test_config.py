"""`kcb.toml`: what is written there is meant; what cannot be is refused in one line, and nothing is made to fit."""

import pytest

from kcb_pipeline.config import Config, load_config
from kcb_pipeline.errors import UsageError


def loaded(tmp_path, content):
    (tmp_path / "kcb.toml").write_bytes(content)
    return load_config(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[responsible]\nminor = '片区'\n".encode("gb18030"), "no UTF-8"),
        ("[gates]\n".encode("utf-16"), "no UTF-8"),
        (b"a = " + b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[gates]\nvolume_loss = \n", "line 2"),
        (b"[gates]\nvolume_los = 0.3\n", "gates.volume_los"),
        (b"gates = 3\n", "gates"),
        (b"[storage]\nthreads = 'many'\n", "storage.threads"),
        (b"[storage]\nthreads = '2'\n", "storage.threads"),
        (b"[gates]\nquarantined_rows = true\n", "gates.quarantined_rows"),
        (b"[gates]\nvolume_loss = '0.3'\n", "gates.volume_loss"),
        (b"[gates]\nvolume_loss = nan\n", "gates.volume_loss"),
        (b"[retention]\nextracts_days = 1e300\n", "retention.extracts_days"),
        *((f"[storage]\nmemory_limit = '{size}'\n".encode(), "storage.memory_limit") for size in ("lots", "0GB", "-1", "6GB; x", "6 G", "")),
        (b"[storage]\nspill_limit = '0.0 TB'\n", "storage.spill_limit"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_name(tmp_path, content, says):
    with pytest.raises(UsageError, match=r"^kcb\.toml: ") as error:
        loaded(tmp_path, content)

    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_can_be_is_taken(tmp_path):
    written = "\ufeff[storage]\nmemory_limit = '0.5 GiB'\n[gates]\nvolume_loss = 1\n[calendar]\nharvest_months = [5]\nbreaks = [{first = 2026-10-01, last = 2026-10-07}]\n"

    config = loaded(tmp_path, written.encode())

    assert (config.storage.memory_limit, config.gates.volume_loss, config.calendar.harvest_months) == ("0.5 GiB", 1, (5,))  # fmt: skip
    assert str(config.calendar.breaks[0].last) == "2026-10-07"


@pytest.mark.parametrize("what", ["a folder", "a link to nothing"])
def test_rules_that_are_no_file_are_no_reason_for_the_defaults(tmp_path, what):
    path = tmp_path / "kcb.toml"
    path.mkdir() if what == "a folder" else path.symlink_to(tmp_path / "gone.toml")

    with pytest.raises(UsageError, match=r"kcb\.toml: no file"):
        load_config(tmp_path)


def test_without_rules_there_are_the_defaults(tmp_path):
    assert load_config(tmp_path) == Config()
