"""Signatures: that what was published comes from who holds a key, and was not made anew by whoever can write files (Ed25519, RFC 8032).

Digests find what was changed; whoever changes a file can compute its digest again. With a signing key in the environment, every version's
manifest and the seal of `analytics.duckdb` are signed when they are written. The key is PEM text in `KCB_SIGNING_KEY`, or in the file that
`KCB_SIGNING_KEY_FILE` names, never an argument or a setting. It is told by its public half, which is kept where the home is not: what
lies beside the files could be changed with them. `openssl pkeyutl -verify -rawin -pubin` checks the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kcb_pipeline.encryption import read_secret, read_text, write_secret
from kcb_pipeline.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_VARIABLE: Final = "KCB_SIGNING_KEY"
FILE_VARIABLE: Final = "KCB_SIGNING_KEY_FILE"
ANOTHER_KEY: Final = "is signed by another key"


class SigningKey:
    """A private key: signs what this machine publishes."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def of_environment(cls) -> SigningKey | None:
        """The key that the environment names; None where it names none. UsageError, without the key, where it is none or others may read it."""
        text, file = os.environ.get(KEY_VARIABLE), os.environ.get(FILE_VARIABLE)
        if text and file:
            raise UsageError(f"{KEY_VARIABLE} or {FILE_VARIABLE}: one of them")
        if text:
            return cls._parsed(text, KEY_VARIABLE)
        return cls._parsed(read_secret(Path(file)), Path(file).name) if file else None

    @classmethod
    def _parsed(cls, text: str, where: str) -> SigningKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(text.encode(), password=None)
        except (ValueError, TypeError):  # TypeError: it wants a password
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(
                f"{where}: no private key of Ed25519 in PEM without a password (kcb key --signing makes one)"
            )
        return cls(key)

    @staticmethod
    def make(path: Path) -> str:
        """Write a new private key for its owner only; the public key as PEM. UsageError: see `write_secret`."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

        key = Ed25519PrivateKey.generate()
        write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    @property
    def name(self) -> str:
        """What the key is called wherever it has signed."""
        return _name(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """The signature, 64 bytes, the same every time."""
        return self._key.sign(content)


class Signers:
    """The public keys of those whose signatures are believed."""

    def __init__(self, keys: Sequence[Ed25519PublicKey]) -> None:
        self._keys = {_name(key): key for key in keys}

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Signers:
        """The public keys in some files, one each. UsageError where one is none."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        keys = []
        for path in paths:
            try:
                key = load_pem_public_key(read_text(path).encode())
            except ValueError:
                key = None
            if not isinstance(key, Ed25519PublicKey):
                raise UsageError(f"{path.name}: no public key of Ed25519 in PEM")
            keys.append(key)
        return cls(keys)

    def doubt(self, content: bytes, signature: bytes | None, signed_by: object) -> str | None:
        """Why something cannot be believed to be theirs; None where its signature holds."""
        from cryptography.exceptions import InvalidSignature

        if signature is None:
            return "is not signed"
        key = self._keys.get(str(signed_by))
        if key is None:
            return ANOTHER_KEY
        try:
            key.verify(signature, content)
        except InvalidSignature:
            return "was changed after it was signed"
        return None


def _name(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
