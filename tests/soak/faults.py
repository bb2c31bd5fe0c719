"""What may go wrong with the machine, as it is done to a night: before the process begins (`PREPARE`) or inside it (`INJECT`)."""

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

FAULTS = {
    "killed": "the process is killed (SIGKILL) at a random instant",
    "disk_full": "the disk is full",
    "read_only": "the disk is read-only",
    "no_memory": "no more memory can be had (address space limited)",
    "clock_back": "the clock was set back three days",
    "twice_at_once": "a second run of the date is started meanwhile",
    "torn_extract": "an extract is still being written",
    "damaged_work": "the working database is damaged",
    "damaged_ledgers": "the published file is damaged",
}
ROOM_LEFT = 24 << 10
MEMORY_LEFT = 24 << 20
THREE_DAYS = 3 * 24 * 3600


def prepare(fault: str, home: Path, date: str, chance: random.Random) -> Callable[[], object]:
    """Do to the files of a home what the fault does; what is given back makes it good again."""
    if fault == "torn_extract":
        path = home / "extracts" / date / "student_registry.csv"
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) - chance.randrange(5, 200)])
        return lambda: path.write_bytes(whole)
    if fault == "damaged_work":
        path = home / "work" / f"{date}.duckdb"
        if path.exists():
            damage(path, chance)
    if fault == "damaged_ledgers":
        path = home / "published" / "ledgers.duckdb"
        whole = path.read_bytes()
        damage(path, chance, header=True)
        return lambda: path.write_bytes(whole)
    return lambda: None


def damage(path: Path, chance: random.Random, *, header: bool | None = None) -> None:
    """Write noise over a page of a file: its head, or one within."""
    size = path.stat().st_size
    within = (
        0
        if header or (header is None and chance.random() < 0.5)
        else chance.randrange(12 << 10, max(size - 4096, (12 << 10) + 1))
    )
    with path.open("r+b") as file:
        file.seek(within)
        file.write(chance.randbytes(4096 if within else 8192))


def inject(fault: str) -> None:
    """Limit or deceive this process."""
    if fault == "no_memory":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_LEFT
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    elif fault == "disk_full" and not can_mount():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_LEFT, resource.RLIM_INFINITY))
    elif fault == "clock_back":
        right = time.time
        time.time = lambda: right() - THREE_DAYS


def can_mount() -> bool:
    """Whether a disk of any size can be had: only root may mount one."""
    return os.geteuid() == 0 and Path("/proc/mounts").exists() and _mounts()


_MOUNTS: list[bool] = []


def _mounts() -> bool:
    if not _MOUNTS:
        place = Path("/tmp") / f"kcb-soak-probe-{os.getpid()}"
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", str(place)], check=True)
        place.rmdir()
        _MOUNTS.append(done.returncode == 0)
    return _MOUNTS[0]


class Disk:
    """A home on a disk of its own, which can be full or read-only; a plain folder where none can be mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.is_own = can_mount()
        if self.is_own:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=700", "tmpfs", str(folder)], check=True)

    def spoil(self, fault: str) -> None:
        """Make it full, or read-only."""
        if fault == "disk_full" and self.is_own:
            used = int(
                subprocess.run(["du", "-sk", str(self.folder)], capture_output=True, check=True).stdout.split()[0]
            )
            self._remount(f"size={used * 1024 + ROOM_LEFT}")
        if fault == "read_only":
            if self.is_own:
                self._remount("ro")
            else:
                for path in (self.folder, *self.folder.rglob("*")):
                    path.chmod(0o500 if path.is_dir() else 0o400)

    def mend(self) -> None:
        """As it was before."""
        if self.is_own:
            self._remount("rw,size=2g")
        else:
            for path in (self.folder, *self.folder.rglob("*")):
                path.chmod(0o700 if path.is_dir() else 0o600)

    def _remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)

    def remove(self) -> None:
        """Unmount it."""
        if self.is_own:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
