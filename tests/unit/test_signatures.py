"""A signature is its key's and its content's; what is no key is refused without being repeated."""

import hashlib
import shutil
import stat
import subprocess

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from kcb_pipeline import cli
from kcb_pipeline.errors import UsageError
from kcb_pipeline.signatures import FILE_VARIABLE, KEY_VARIABLE, Signers, SigningKey

CONTENT = b'{"version": 1}\n'


@pytest.fixture
def office(tmp_path, monkeypatch):
    """The office's key, which the environment names, and the file of its public half."""
    done = CliRunner().invoke(cli.main, ["key", "--signing", str(tmp_path / "office.sign")], catch_exceptions=False)
    (tmp_path / "office.pub").write_text(done.output, encoding="ascii")
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "office.sign"))
    return SigningKey.of_environment(), tmp_path / "office.pub"


def test_a_signature_holds_for_its_key_and_its_content_only(office, tmp_path):
    key, public = office
    (tmp_path / "other.pub").write_text(SigningKey.make(tmp_path / "other.sign"), encoding="ascii")
    signature = key.sign(CONTENT)

    assert Signers.read([tmp_path / "other.pub", public]).doubt(CONTENT, signature, key.name) is None
    assert Signers.read([public]).doubt(CONTENT + b" ", signature, key.name) == "was changed after it was signed"
    assert Signers.read([public]).doubt(CONTENT, signature[:-1] + b"x", key.name) == "was changed after it was signed"
    assert Signers.read([public]).doubt(CONTENT, b"", key.name) == "was changed after it was signed"
    assert Signers.read([public]).doubt(CONTENT, None, None) == "is not signed"
    assert Signers.read([tmp_path / "other.pub"]).doubt(CONTENT, signature, key.name) == "is signed by another key"


def test_who_says_to_be_another_signer_does_not_become_one(office, tmp_path):
    key, public = office
    SigningKey.make(tmp_path / "forger.sign")
    forged = SigningKey._parsed((tmp_path / "forger.sign").read_text(), "").sign(CONTENT)

    assert Signers.read([public]).doubt(CONTENT, forged, key.name) == "was changed after it was signed"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_openssl_finds_the_same(office, tmp_path):
    key, public = office
    (tmp_path / "manifest.json").write_bytes(CONTENT)
    (tmp_path / "manifest.json.sig").write_bytes(key.sign(CONTENT))
    verify = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(public),
              "-in", str(tmp_path / "manifest.json"), "-sigfile", str(tmp_path / "manifest.json.sig")]  # fmt: skip

    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
    (tmp_path / "manifest.json").write_bytes(CONTENT + b" ")
    assert subprocess.run(verify, capture_output=True, check=False).returncode != 0


def test_a_key_is_its_owners_and_is_never_written_over(office, tmp_path):
    before = (tmp_path / "office.sign").read_bytes()

    assert stat.S_IMODE((tmp_path / "office.sign").stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="never overwritten"):
        SigningKey.make(tmp_path / "office.sign")
    assert (tmp_path / "office.sign").read_bytes() == before


def test_the_key_may_stand_in_the_environment_itself(office, tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, (tmp_path / "office.sign").read_text())
    with pytest.raises(UsageError, match="one of them"):
        SigningKey.of_environment()

    monkeypatch.delenv(FILE_VARIABLE)
    assert SigningKey.of_environment().name == office[0].name

    monkeypatch.delenv(KEY_VARIABLE)
    assert SigningKey.of_environment() is None


SECRET = "MC4CAQAwBQYDK2Vw"


@pytest.mark.parametrize("text", [SECRET, "", f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path, monkeypatch, text):
    (tmp_path / "k").write_text(text)
    (tmp_path / "k").chmod(0o600)
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "k"))

    with pytest.raises(UsageError, match="k: no private key of Ed25519") as error:
        SigningKey.of_environment()

    assert SECRET not in str(error.value)
    with pytest.raises(UsageError, match="k: no public key of Ed25519"):
        Signers.read([tmp_path / "k"])


def test_a_key_of_another_kind_or_behind_a_password_is_refused(tmp_path, monkeypatch):
    other, locked = ed448.Ed448PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pub").write_bytes(public)
    for key, lock in ((other, NoEncryption()), (locked, BestAvailableEncryption(b"a password"))):
        monkeypatch.setenv(KEY_VARIABLE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode())
        with pytest.raises(UsageError, match="no private key of Ed25519 in PEM without a password"):
            SigningKey.of_environment()

    with pytest.raises(UsageError, match=r"other\.pub: no public key of Ed25519"):
        Signers.read([tmp_path / "other.pub"])


def test_a_key_is_called_by_the_first_sixteen_digits_of_its_public_half(office):
    key, public = office
    raw = load_pem_public_key(public.read_bytes()).public_bytes(Encoding.Raw, PublicFormat.Raw)

    assert key.name == hashlib.sha256(raw).hexdigest()[:16]


def test_a_private_key_that_others_may_read_is_refused(office, tmp_path):
    (tmp_path / "office.sign").chmod(0o640)

    with pytest.raises(UsageError, match="others may read it"):
        SigningKey.of_environment()


def test_a_key_file_that_is_gone_is_no_reason_to_publish_without(office, tmp_path):
    (tmp_path / "office.sign").unlink()

    with pytest.raises(UsageError, match=r"office\.sign: cannot be read"):
        SigningKey.of_environment()
