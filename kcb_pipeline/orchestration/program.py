"""Which program this is: its version and a digest of its source, so that an auditor sees when a result came from another one."""

import functools
import hashlib
from pathlib import Path

import kcb_pipeline
from kcb_pipeline import __version__

_PACKAGES = ("kcb_pipeline", "assets", "checks")
_SOURCES = (".py", ".sql", ".toml", ".npz", ".j2", ".css")


@functools.cache
def code_version() -> str:
    """The version of the package and twelve digits of the sha-256 of everything in it that decides a result."""
    digest = hashlib.sha256()
    beside = Path(kcb_pipeline.__file__).parents[1]  # in a checkout and installed, the three lie side by side
    for package in _PACKAGES:
        folder = beside / package
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _SOURCES):
            digest.update(f"{package}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__}+{digest.hexdigest()[:12]}"
