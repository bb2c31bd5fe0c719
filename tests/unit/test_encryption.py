"""What leaves the machine opens for whom it is for, by every tool that knows the format, and for nobody else."""

import io
import os
import stat

import msoffcrypto
import olefile
import openpyxl
import pyrage
import pytest
import xlsxwriter
from click.testing import CliRunner

from kcb_pipeline import cli
from kcb_pipeline.encryption import Key, Password, Recipients
from kcb_pipeline.errors import KeyRefusedError, UsageError
from kcb_pipeline.signatures import SigningKey

PLAIN = "鄢龘靐,532977201602200018\n".encode() * 5000
PASSWORD = "correct horse 正确"


@pytest.fixture
def keys(tmp_path):
    """The key files of two offices, and a file that names the first."""
    first, second, recipients = tmp_path / "first.key", tmp_path / "second.key", tmp_path / "recipients.txt"
    recipients.write_text(f"# 幸福镇\n\n{Key.make(first)}  # 2026\n", encoding="utf-8")
    Key.make(second)
    return first, second, recipients


@pytest.fixture
def sent(tmp_path, keys):
    (tmp_path / "ledgers.duckdb").write_bytes(PLAIN)
    Recipients.read(keys[2]).encrypt_file(tmp_path / "ledgers.duckdb", tmp_path / "ledgers.duckdb.age")
    return tmp_path / "ledgers.duckdb.age"


def workbook():
    with xlsxwriter.Workbook(packed := io.BytesIO()) as book:
        book.add_worksheet("核查表").write(0, 0, "鄢龘靐")
    return packed.getvalue()


def test_the_recipient_opens_it(tmp_path, keys, sent):
    Key.read(keys[0]).decrypt_file(sent, tmp_path / "opened")

    assert (tmp_path / "opened").read_bytes() == PLAIN
    assert stat.S_IMODE((tmp_path / "opened").stat().st_mode) == 0o600
    assert b"532977" not in sent.read_bytes()


def test_it_is_what_age_itself_reads(keys, sent):
    identity = pyrage.x25519.Identity.from_str(keys[0].read_text().splitlines()[1])

    assert sent.read_bytes().startswith(b"age-encryption.org/v1")
    assert pyrage.decrypt(sent.read_bytes(), [identity]) == PLAIN


def test_another_key_is_refused_and_leaves_nothing(tmp_path, keys, sent):
    with pytest.raises(KeyRefusedError, match="does not open"):
        Key.read(keys[1]).decrypt_file(sent, tmp_path / "opened")

    assert not list(tmp_path.glob("*opened*"))


@pytest.mark.parametrize("at", [30, 250, -5])
def test_a_file_that_was_changed_on_its_way_is_refused(tmp_path, keys, sent, at):
    changed = bytearray(sent.read_bytes())
    changed[at] ^= 1
    sent.write_bytes(changed)

    with pytest.raises(KeyRefusedError):
        Key.read(keys[0]).decrypt_file(sent, tmp_path / "opened")

    assert not list(tmp_path.glob("*opened*"))


def test_a_truncated_file_is_refused(tmp_path, keys, sent):
    sent.write_bytes(sent.read_bytes()[:-1000])

    with pytest.raises(KeyRefusedError):
        Key.read(keys[0]).decrypt_file(sent, tmp_path / "opened")


def test_a_key_is_for_its_owner_only_and_never_overwritten(keys):
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="never overwritten"):
        Key.make(keys[0])
    for make in (Key.make, SigningKey.make):
        with pytest.raises(UsageError, match="there is no folder"):
            make(keys[0].parent / "nowhere" / "office.key")


@pytest.mark.parametrize("read", [Key.read, Password.read])
def test_a_secret_that_others_could_read_is_refused(keys, read):
    keys[0].chmod(0o640)

    with pytest.raises(UsageError, match="chmod 600"):
        read(keys[0])


@pytest.mark.parametrize("text", ["", "# nobody\n", "ssh-rsa AAAA\n", "AGE-SECRET-KEY-1QQQQ\n"])
def test_recipients_that_are_none_are_refused_without_repeating_them(tmp_path, text):
    (tmp_path / "r").write_text(text, encoding="utf-8")

    with pytest.raises(UsageError) as error:
        Recipients.read(tmp_path / "r")

    assert "QQQQ" not in str(error.value)


def test_a_workbook_opens_by_its_password_alone():
    plain = workbook()
    encrypted = Password(PASSWORD).encrypt(plain)

    file = msoffcrypto.OfficeFile(io.BytesIO(encrypted))  # what any other tool sees
    file.load_key(password=PASSWORD, verify_password=True)
    file.decrypt(opened := io.BytesIO(), verify_integrity=True)
    assert openpyxl.load_workbook(opened)["核查表"]["A1"].value == "鄢龘靐"
    assert Password(PASSWORD).decrypt(encrypted) == plain
    with pytest.raises(KeyRefusedError):
        Password("another password").decrypt(encrypted)


def test_a_workbook_that_was_changed_on_its_way_is_refused():
    encrypted = bytearray(Password(PASSWORD).encrypt(workbook()))
    package = olefile.OleFileIO(io.BytesIO(encrypted)).openstream("EncryptedPackage").read()
    at = encrypted.index(package[512:1024])
    encrypted[at] ^= 1

    with pytest.raises(KeyRefusedError, match="was changed"):
        Password(PASSWORD).decrypt(bytes(encrypted))


def test_what_is_no_encrypted_workbook_is_told_from_one_of_another_password():
    for content in (workbook(), b"", b"nothing"):
        with pytest.raises(UsageError, match="the workbook: no encrypted workbook"):
            Password(PASSWORD).decrypt(content)


@pytest.mark.parametrize(("password", "is_long_enough"), [("x" * 11, False), ("x" * 12, True), (" " + "x" * 11, False)])
def test_a_password_has_twelve_characters(tmp_path, password, is_long_enough):
    (tmp_path / "p").write_text(f"{password}\n", encoding="utf-8-sig")
    (tmp_path / "p").chmod(0o600)

    if is_long_enough:
        plain = workbook()
        assert Password(password).decrypt(Password.read(tmp_path / "p").encrypt(plain)) == plain
    else:
        with pytest.raises(UsageError, match="12 characters"):
            Password.read(tmp_path / "p")


def test_what_is_there_is_not_written_over(tmp_path, keys, sent):
    (tmp_path / "opened").write_bytes(b"mine")

    with pytest.raises(UsageError, match="opened is there already"):
        Key.read(keys[0]).decrypt_file(sent, tmp_path / "opened")

    assert (tmp_path / "opened").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"", b"# nobody\n", b"\xff\xfe"])
def test_a_file_without_a_private_key_is_refused(tmp_path, content):
    (tmp_path / "k").write_bytes(content)
    (tmp_path / "k").chmod(0o600)

    with pytest.raises(UsageError, match=r"k: (no private key of age|cannot be read)"):
        Key.read(tmp_path / "k")


def test_the_encryption_of_a_workbook_is_aes_256_with_sha_512():
    encrypted = Password(PASSWORD).encrypt(workbook())

    assert msoffcrypto.OfficeFile(io.BytesIO(encrypted)).type == "agile"
    for said in ('keyBits="256"', 'cipherAlgorithm="AES"', 'hashAlgorithm="SHA512"', 'spinCount="100000"'):
        assert said.encode() in encrypted, said


def test_a_short_password_is_refused(tmp_path):
    with os.fdopen(os.open(tmp_path / "p", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write("12345678\n")

    with pytest.raises(UsageError, match="12 characters"):
        Password.read(tmp_path / "p")


def test_the_commands(tmp_path, monkeypatch):
    def kcb(*arguments):
        return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])

    public = kcb("key", tmp_path / "k").output
    kcb("key", tmp_path / "other")
    (tmp_path / "r").write_text(public, encoding="utf-8")
    (tmp_path / "ledgers.duckdb").write_bytes(PLAIN)

    assert (
        kcb("encrypt", tmp_path / "ledgers.duckdb", "--for", tmp_path / "r", "--out", tmp_path / "usb").exit_code == 0
    )
    sent = tmp_path / "usb" / "ledgers.duckdb.age"
    assert kcb("decrypt", sent, "--out", tmp_path / "back").exit_code == 2  # no key
    monkeypatch.setenv("KCB_KEY_FILE", str(tmp_path / "other"))
    assert kcb("decrypt", sent, "--out", tmp_path / "back").exit_code == 9
    monkeypatch.setenv("KCB_KEY_FILE", str(tmp_path / "k"))
    assert kcb("decrypt", sent, "--out", tmp_path / "back").exit_code == 0
    assert (tmp_path / "back" / "ledgers.duckdb").read_bytes() == PLAIN


def test_no_command_takes_a_secret_on_its_line():
    for name, command in cli.main.commands.items():
        for parameter in command.params:
            if any(word in parameter.name for word in ("key", "password", "secret", "encrypt")) and name != "key":
                assert parameter.name.endswith("file") or parameter.name == "encrypt_for", (name, parameter.name)
                assert parameter.type.name == "file", (name, parameter.name)
