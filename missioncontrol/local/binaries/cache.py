"""The cache of programs: what is in it is whole, whoever was interrupted while filling it.

A program enters by the rename of a finished folder, made under a lock that ends with the process that
holds it. A stamp beside the program has its checksum and the size and time of the file: as long as these
are the same nothing is read again; if not, the checksum decides whether it is still the same program.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from missioncontrol.local.progress import Progress

_STAMP = "stamp.json"


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one version of one program."""

    directory: Path
    name: str

    @property
    def program(self) -> Path:
        return self.directory / self.name


class Cache:
    """The folder of programs; `root` is $XDG_CACHE_HOME/missioncontrol."""

    def __init__(self, root: Path, *, arch: str) -> None:
        self.root = root
        self._bin = root / "bin" / f"linux-{arch}"

    def slot(self, name: str, version: str) -> Slot:
        return Slot(self._bin / f"{name}-{version}", name)

    def find(self, slot: Slot) -> Path | None:
        """The program, if it is there as it was put; a damaged one is taken out of the way."""
        try:
            stamp = json.loads((slot.directory / _STAMP).read_bytes())
            status = slot.program.stat()
        except (OSError, ValueError):
            return None
        if (stamp.get("size"), stamp.get("mtimeNs")) == (status.st_size, status.st_mtime_ns):
            return slot.program
        return slot.program if sha256(slot.program) == stamp.get("sha256") else None

    @contextmanager
    def staging(self, slot: Slot) -> Iterator[Path]:
        """A new folder on the same file system, removed at the end; `publish` takes a file out of it."""
        self._bin.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{slot.name}~", dir=self._bin))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def publish(self, slot: Slot, file: Path, *, source: str) -> Path:
        """Make `file` the program of the slot, in one step. Call it under the slot's lock."""
        with self.staging(slot) as staging:
            whole = staging / "slot"
            whole.mkdir()
            target = whole / slot.name
            # A link, where one file serves as several programs: their pages are shared in memory.
            os.link(file, target)
            target.chmod(0o755)
            status = target.stat()
            stamp = {
                "source": source,
                "sha256": sha256(target),
                "size": status.st_size,
                "mtimeNs": status.st_mtime_ns,
            }
            (whole / _STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
            _sync(target)
            if slot.directory.exists():
                slot.directory.rename(staging / "damaged")
            whole.rename(slot.directory)
        return slot.program

    @contextmanager
    def lock(self, name: str, progress: Progress) -> Iterator[None]:
        """Held by one process at a time, and by none that has ended."""
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("ab") as file:
            if not _try_lock(file.fileno()):
                with progress.task(f"Waiting for another process that prepares {name}"):
                    while not _try_lock(file.fileno()):
                        time.sleep(0.1)
            yield

    def sweep(self, slot: Slot) -> None:
        """Remove what interrupted attempts left. Call it under the slot's lock."""
        with contextlib.suppress(FileNotFoundError):
            for left in self._bin.glob(f".{slot.name}~*"):
                shutil.rmtree(left, ignore_errors=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
