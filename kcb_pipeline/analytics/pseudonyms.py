"""Keyed pseudonyms: HMAC-SHA-256 of a child's or a case's number, the same in every version, meaningless without the key.

The key is `KCB_ANALYTICS_KEY` (hexadecimal), or the file `analytics.key` of the home folder, made on first use for its owner only. Without it
nobody can tell which child a pseudonym is, not even who holds the ledgers and the program. A new key is a new set of pseudonyms: what
was given out under the old one can no longer be joined to what comes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from kcb_pipeline.encryption import read_secret
from kcb_pipeline.errors import UsageError

KEY_VARIABLE: Final = "KCB_ANALYTICS_KEY"
KEY_BYTES: Final = 32
DIGITS: Final = 24
"""Hexadecimal digits of a pseudonym: 96 bits, so that among ten million children two are the same once in 10^15 counties."""

_BLOCK = 64  # bytes of a block of SHA-256 (RFC 2104)


def key_file(home: Path) -> Path:
    """Where the key is kept."""
    return home / "analytics.key"


def read_key(home: Path) -> bytes:
    """The county's key, made and kept where there is none. UsageError, without the key, where it cannot be used."""
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        return _parsed(given, KEY_VARIABLE)
    path = key_file(home)
    if not path.exists():
        _make(path)
    return _parsed(read_secret(path), path.name)


def key_id(key: bytes) -> str:
    """A name for the key that says nothing about it, so that files made with different keys can be told apart."""
    return pseudonym(key, "key", "")[:8]


def pseudonym(key: bytes, kind: str, number: str) -> str:
    """The pseudonym of one number; `kind` keeps those of children and of cases apart.

    >>> pseudonym(bytes(32), "child", "C1") == pseudonym(bytes(32), "case", "C1")
    False
    """
    return hmac.new(key, f"{kind}:{number}".encode(), hashlib.sha256).hexdigest()[:DIGITS]


def pseudonym_sql(kind: str, column: str) -> str:
    """The same in SQL; wants the parameters of `pads`."""
    return f"substr(sha256($outer || unhex(sha256($inner || encode('{kind}:' || {column})))), 1, {DIGITS})"


def pads(key: bytes) -> dict[str, bytes]:
    """The key as the two halves of an HMAC want it (RFC 2104), to be bound to a query: it never stands in its text."""
    block = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
    block = block.ljust(_BLOCK, b"\0")
    return {"inner": bytes(byte ^ 0x36 for byte in block), "outer": bytes(byte ^ 0x5C for byte in block)}


def _parsed(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise UsageError(f"{where} holds no key: {2 * KEY_BYTES} hexadecimal digits or more are wanted")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)  # refuses where another run has been first: its key is the one
    except FileExistsError:
        pass
    finally:
        aside.unlink()
