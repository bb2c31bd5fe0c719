"""Room on the disk, asked for before a night begins: one that ends half way for want of it costs the night, and its neighbours theirs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from kcb_pipeline.errors import KcbError
from kcb_pipeline.extracts.delivery import Delivery

_UNPACKED: Final = {".gz": 6, ".xlsx": 8, ".parquet": 4}
"""How much larger what agencies pack is as text, about."""
_WORK_FOR_A_BYTE: Final = 1.5
"""Working files for each byte of text: 0.95 was measured on a county of 200,000 children."""
_LEDGERS_FOR_A_BYTE: Final = 0.4
"""What a version can add at most (the first one, where everything is new): 0.27 was measured there."""
_SPARE: Final = 128 << 20


def room_needed(delivery: Delivery, ledgers: Path) -> int:
    """Bytes that a night may write before it is published: working files, and the next ledgers beside the present ones."""
    text = sum(
        file.size * _UNPACKED.get(Path(file.shown).suffix.lower(), 1)
        for files in delivery.files.values()
        for file in files
    )
    present = ledgers.stat().st_size if ledgers.exists() else 0
    return int(text * (_WORK_FOR_A_BYTE + _LEDGERS_FOR_A_BYTE)) + present + _SPARE


def refuse_without_room(delivery: Delivery, *, work: Path, ledgers: Path) -> None:
    """Raise KcbError where the disk that holds the working files has less room than the night needs."""
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    needed, free = room_needed(delivery, ledgers), shutil.disk_usage(work).free
    if free < needed:
        raise KcbError(
            f"{delivery.comparison_date}: the night needs about {_written(needed)} of disk and {_written(free)} are free: "
            f"nothing was started; make room (kcb retention), or shorten [retention]"
        )


def _written(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
