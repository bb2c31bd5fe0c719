"""What is published is signed where there is a key, and `kcb verify --signed-by` finds what whoever can write files did instead."""

import datetime as dt
import hashlib
import json
import shutil

import duckdb
import pytest

from kcb_pipeline.analytics import release
from kcb_pipeline.analytics.seal import seal
from kcb_pipeline.errors import UsageError
from kcb_pipeline.home import Home as KcbHome
from kcb_pipeline.signatures import FILE_VARIABLE, KEY_VARIABLE, SigningKey
from tests.pipeline.conftest import Home
from tests.pipeline.micro import County
from tests.pipeline.nights import run_night

DATE = dt.date(2026, 11, 20)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A home of one night that was published with a key; its public half lies beside it."""
    folder = tmp_path_factory.mktemp("signed")
    home = Home(folder / "home")
    (folder / "office.pub").write_text(SigningKey.make(folder / "office.sign"), encoding="ascii")
    county = County(DATE)
    for n in range(12):
        county.pupil(county.person("王" + chr(0x4E00 + 7 * n)))
    county.write(home.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(KEY_VARIABLE, raising=False)
        patch.setenv(FILE_VARIABLE, str(folder / "office.sign"))
        run_night(home.folder, DATE, gates=())
        place = KcbHome(home.folder)
        release.build(place, place.config(), folder / "analytics.duckdb")
        release.place(place, folder / "analytics.duckdb")
    return home


@pytest.fixture
def home(signed, tmp_path):
    """The same, to be changed."""
    for name in ("office.pub", "office.sign"):
        shutil.copy(signed.folder.parent / name, tmp_path)
    return signed.copy(tmp_path / "home")


def verify(home, *, code, by="office.pub"):
    return home.kcb("verify", "--signed-by", str(home.folder.parent / by), code=code).stderr


def manifest_of(home):
    return home.folder / "published" / "versions" / "000001" / "manifest.json"


def test_what_was_signed_verifies_with_and_without_the_key(home):
    verify(home, code=0)
    home.kcb("verify")


def test_a_swapped_file_whose_manifest_was_written_anew_is_found(home):
    """Everything that has a digest agrees: only the signature does not."""
    paper = manifest_of(home).with_name("report.html")
    paper.write_text("nothing to see", encoding="utf-8")
    said = json.loads(manifest_of(home).read_text(encoding="utf-8"))
    said["files"]["report.html"] = hashlib.sha256(paper.read_bytes()).hexdigest()
    manifest_of(home).write_text(json.dumps(said), encoding="utf-8")

    home.kcb("verify")
    assert "version 1: versions/000001/manifest.json was changed after it was signed" in verify(home, code=6)


def test_a_changed_cell_of_analysts_that_was_sealed_anew_is_found(home):
    path = home.folder / "published" / "analytics.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE about SET smallest_cell = 1")
        connection.execute("DELETE FROM seal")
    seal(path, KcbHome(home.folder).limits())

    home.kcb("verify")
    assert "analytics.duckdb is not signed" in verify(home, code=6)


def test_a_signature_that_was_taken_away_is_found(home):
    manifest_of(home).with_name("manifest.json.sig").unlink()

    assert "manifest.json is not signed" in verify(home, code=6)
    assert "says otherwise than manifest.json.sig whether it is signed" in home.kcb("verify", code=6).stderr


def test_another_key_is_refused(home, tmp_path):
    (tmp_path / "other.pub").write_text(SigningKey.make(tmp_path / "other.sign"), encoding="ascii")

    assert "none of the versions is signed by the key that was given" in verify(home, code=9, by="other.pub")


def test_what_is_made_again_is_signed_again_or_not_made(home, tmp_path):
    assert "KCB_SIGNING_KEY_FILE has to name a key" in home.kcb("report", code=2).stderr
    assert "KCB_SIGNING_KEY_FILE has to name a key" in home.kcb("export", "worklists", code=2).stderr
    verify(home, code=0)

    home.kcb("export", "worklists", env={FILE_VARIABLE: str(tmp_path / "office.sign")})
    verify(home, code=0)


def test_versions_of_before_are_signed_only_as_they_were_published(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    (tmp_path / "office.pub").write_text(SigningKey.make(tmp_path / "office.sign"), encoding="ascii")
    assert "version 2: versions/000002/manifest.json is not signed" in verify(home, code=6)
    key = {FILE_VARIABLE: str(tmp_path / "office.sign")}

    assert "3 version(s) signed" in home.kcb("sign", env=key).stdout
    assert "0 version(s) signed" in home.kcb("sign", env=key).stdout
    assert "analytics.duckdb is not signed" in (said := verify(home, code=6))  # until the next night makes it
    assert "manifest.json" not in said

    changed = three_nights.copy(tmp_path / "changed")
    (changed.folder / "published" / "versions" / "000001" / "report.html").write_text("nothing", encoding="utf-8")
    assert "nothing was signed" in changed.kcb("sign", code=6, env=key).stderr


def test_a_key_that_is_none_stops_publication_before_it_begins(signed, tmp_path, monkeypatch):
    home = signed.copy(tmp_path / "home")
    (tmp_path / "no.sign").write_text("no key", encoding="ascii")
    (tmp_path / "no.sign").chmod(0o600)
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "no.sign"))
    before = home.ledgers.read_bytes()
    county = County(DATE + dt.timedelta(days=1))
    county.pupil(county.person("王一"))
    county.write(home.folder)

    with pytest.raises(UsageError, match=r"no\.sign: no private key"):
        run_night(home.folder, DATE + dt.timedelta(days=1), gates=())

    assert home.ledgers.read_bytes() == before
