"""What leaves the machine, encrypted for whom it is for: worklists for a township, a copy of the ledgers, backups.

Two ways, both of well-kept libraries (docs/adr/0010-encryption.md): age, to the public keys of recipients; and for offices that have
nothing but Excel or WPS, Office's own encryption of workbooks (agile, AES-256), to a password. Keys, passwords and recipients are read from
files that are named, never from a command line or a configuration.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from kcb_pipeline.errors import KeyRefusedError, UsageError
from kcb_pipeline.permissions import OTHERS
from kcb_pipeline.whole import written_whole

AGE: Final = ".age"
SHORTEST_PASSWORD: Final = 12
"""Characters. Whoever has the file can try passwords as fast as machines go; Office's key derivation slows each by 100 000 rounds only."""


class Recipients:
    """Those a file is encrypted for: each of them can open it, nobody else."""

    def __init__(self, recipients: Sequence[object]) -> None:
        self._recipients = list(recipients)

    @classmethod
    def read(cls, path: Path) -> Recipients:
        """The recipients in a file, one public key (`age1…`) a line; `#` begins a comment. UsageError names the line that is none."""
        import pyrage

        found = []
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            key = line.partition("#")[0].strip()
            if not key:
                continue
            try:
                found.append(pyrage.x25519.Recipient.from_str(key))
            except pyrage.RecipientError:
                raise UsageError(f"{path.name}, line {number}: no public key of age (age1…)") from None
        if not found:
            raise UsageError(f"{path.name}: nobody to encrypt for; a public key of age (age1…) is wanted on each line")
        return cls(found)

    def encrypt(self, content: bytes) -> bytes:
        """Some bytes as an age file."""
        import pyrage

        return bytes(pyrage.encrypt(content, self._recipients))

    def encrypt_file(self, path: Path, out: Path) -> None:
        """A file of any size as an age file, whole or not at all."""
        import pyrage

        with path.open("rb") as source:
            _write_new(out, lambda target: pyrage.encrypt_io(source, target, self._recipients))


class Password:
    """The password of a workbook, as an office is told it by another way than the file."""

    def __init__(self, password: str) -> None:
        self._password = password

    @classmethod
    def read(cls, path: Path) -> Password:
        """The password in a file: its first line. UsageError where others could read it, or it is too short."""
        password = (read_secret(path).splitlines() or [""])[0].strip()
        if len(password) < SHORTEST_PASSWORD:
            raise UsageError(f"{path.name}: a password has at least {SHORTEST_PASSWORD} characters")
        return cls(password)

    def encrypt(self, content: bytes) -> bytes:
        """A workbook that Excel and WPS open by the password."""
        from msoffcrypto.format.ooxml import OOXMLFile

        OOXMLFile(io.BytesIO(content)).encrypt(self._password, encrypted := io.BytesIO())
        return encrypted.getvalue()

    def decrypt_file(self, path: Path, out: Path) -> None:
        """An encrypted workbook as it was, whole or not at all. Raises what `decrypt` raises."""
        plain = self.decrypt(path.read_bytes(), path.name)
        _write_new(out, lambda target: target.write(plain))

    def decrypt(self, content: bytes, name: str = "the workbook") -> bytes:
        """The workbook. KeyRefusedError where the password is another, UsageError where it is none that was encrypted; both say its name."""
        from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError
        from msoffcrypto.format.ooxml import OOXMLFile

        try:
            workbook = OOXMLFile(io.BytesIO(content))
            workbook.load_key(password=self._password, verify_password=True)
            workbook.decrypt(plain := io.BytesIO(), verify_integrity=True)
        except InvalidKeyError:
            raise KeyRefusedError(f"{name}: the password does not open it, or it was changed") from None
        except (DecryptionError, FileFormatError, OSError):
            raise UsageError(f"{name}: no encrypted workbook") from None
        return plain.getvalue()


class Key:
    """A private key of age: opens what was encrypted for its public half."""

    def __init__(self, identities: Sequence[object]) -> None:
        self._identities = list(identities)

    @classmethod
    def read(cls, path: Path) -> Key:
        """The keys in a file as `kcb key` or age-keygen writes it. UsageError where others could read it, or there is none in it."""
        import pyrage

        found = []
        for number, line in enumerate(read_secret(path).splitlines(), start=1):
            key = line.partition("#")[0].strip()
            if not key:
                continue
            try:
                found.append(pyrage.x25519.Identity.from_str(key))
            except pyrage.IdentityError:
                raise UsageError(f"{path.name}, line {number}: no private key of age") from None
        if not found:
            raise UsageError(f"{path.name}: no private key of age")
        return cls(found)

    @staticmethod
    def make(path: Path) -> str:
        """Write a new private key for its owner only; the public key. UsageError: see `write_secret`."""
        import pyrage

        identity = pyrage.x25519.Identity.generate()
        public = str(identity.to_public())
        write_secret(path, f"# public key: {public}\n{identity}\n".encode("ascii"))
        return public

    def decrypt_file(self, path: Path, out: Path) -> None:
        """An age file as it was, whole or not at all. KeyRefusedError where the key is another's or the file was changed."""
        import pyrage

        with path.open("rb") as source:
            try:
                _write_new(out, lambda target: pyrage.decrypt_io(source, target, self._identities))
            except (pyrage.DecryptError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:  # the disk's fault and not the file's
                    raise
                raise KeyRefusedError(
                    f"{path.name}: the key does not open it (it was encrypted for others), or the file was changed"
                ) from None


def read_text(path: Path) -> str:
    """A file of keys. UsageError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: cannot be read ({type(error).__name__})") from None


def read_secret(path: Path) -> str:
    """A file of secrets. UsageError where it cannot be read, or where others could have read it (as ssh holds it)."""
    if path.is_file() and stat.S_IMODE(path.stat().st_mode) & OTHERS:
        raise UsageError(f"{path.name}: others may read it; close it first (chmod 600)")
    return read_text(path)


def write_secret(path: Path, content: bytes) -> None:
    """A new file of secrets, for its owner only. UsageError where the file is there (a key is never overwritten) or its folder is not."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path.name} is there already: a key is never overwritten") from None
    except FileNotFoundError:
        raise UsageError(f"there is no folder {path.parent}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _write_new(out: Path, write: Callable[[BinaryIO], object]) -> None:
    if out.exists():
        raise UsageError(f"{out.name} is there already: nothing is written over; name another folder")
    with written_whole(out) as target:
        write(target)
