"""Who may read what this program writes: its owner, and nobody else, whatever the umask it was started with.

One rule for everything, also for what other libraries create (DuckDB's databases, write-ahead logs and spilled pages, Dagster's
storage): the process's own umask. Every way in calls it before anything is written: `kcb`, Dagster's storage and definitions, `Home`.
Modes are the system's first line only; the disk's encryption is the machine's job (docs/data-protection.md).
"""

from __future__ import annotations

import os
from typing import Final

OTHERS: Final = 0o077
"""Everything that group and others could be allowed."""


def owner_only() -> None:
    """From now on this process creates files with mode 0600 and folders with 0700."""
    os.umask(OTHERS)
