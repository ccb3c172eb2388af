"""Where the audit log goes: a file that is rotated, or standard output. Written by a thread of its own.

The server never waits for a disk: events are handed over in memory, and when more are waiting than fits
there, new ones are dropped and counted.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

log = logging.getLogger(__name__)

Lines = bytes | Callable[[], bytes]
"""A line, or what makes it: encoding large bodies is work for the thread as well."""

WAITING: Final = 10_000
"""Events that may wait to be written."""
PAUSE: Final = 0.2
"""Seconds in which events gather before they are written together."""
MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is put aside and when old ones go; 0 means never."""

    megabytes: int = 100
    backups: int = 0
    days: int = 0


class Sink:
    """Takes events while it is entered; leaving it writes what is waiting."""

    def __init__(self, path: str, rotation: Rotation, *, now: Callable[[], float] = time.time) -> None:
        """OSError when the file cannot be opened: a server that should audit and cannot must not start."""
        self._path = None if path == "-" else Path(path)
        self._rotation = rotation
        self._now = now
        self._waiting: deque[Lines] = deque()
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self.written = 0
        self.dropped = 0
        self.failed = 0
        self._complained = False
        self._file: IO[bytes] | None
        self._file, self._size = self._open()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def put(self, line: Lines) -> None:
        """Hand over an event; never waits."""
        if len(self._waiting) >= WAITING:
            self.dropped += 1
            return
        self._waiting.append(line)
        if not self._wanted.is_set():
            self._wanted.set()

    def __enter__(self) -> Sink:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._wanted.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wanted.wait()
            self._ending.wait(PAUSE)
            self._wanted.clear()
            self._write_waiting()
        self._write_waiting()
        if self._path is not None and self._file is not None:
            self._file.close()

    def _write_waiting(self) -> None:
        while self._waiting:
            batch: list[bytes] = []
            size = 0
            while self._waiting and size < MEGABYTE:
                line = self._waiting.popleft()
                try:
                    data = line if isinstance(line, bytes) else line()
                except (ValueError, TypeError, RecursionError) as error:
                    self.failed += 1
                    log.error("an audit event cannot be written: %s", error)
                    continue
                batch.append(data)
                size += len(data)
            self._write(batch, size)

    def _write(self, batch: list[bytes], size: int) -> None:
        try:
            if self._file is None:
                self._file, self._size = self._open()
            limit = self._rotation.megabytes * MEGABYTE
            if self._path is not None and limit and self._size and self._size + size > limit:
                self._rotate(self._path)
            assert self._file is not None
            left = memoryview(b"".join(batch))
            while left:
                left = left[self._file.write(left) :]
            self._file.flush()
        except OSError as error:
            self.failed += len(batch)
            if not self._complained:
                log.error("the audit log %s cannot be written: %s", self._path or "on stdout", error)
            self._complained = True
            return
        self._complained = False
        self._size += size
        self.written += len(batch)

    def _open(self) -> tuple[IO[bytes], int]:
        if self._path is None:
            return sys.stdout.buffer, 0
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # unbuffered: what cannot be written must not wait to be written later
        file = open(self._path, "ab", buffering=0, opener=_private)  # noqa: SIM115 - lives with the server
        return file, file.tell()

    def _rotate(self, path: Path) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        at = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        path.rename(path.with_name(f"{path.stem}-{at}{path.suffix}"))
        self._file, self._size = self._open()
        self._forget_old(path)

    def _forget_old(self, path: Path) -> None:
        # the time is part of the name and sorts as text
        old = sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"), reverse=True)
        keep = self._rotation.backups or len(old)
        eldest = self._now() - self._rotation.days * 86400 if self._rotation.days else 0.0
        for number, each in enumerate(old):
            if number >= keep or each.stat().st_mtime < eldest:
                each.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
