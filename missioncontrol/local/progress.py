"""Tell the person who waits what is being waited for, if it takes longer than two seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_PATIENCE = 2.0
_REPEAT = 15.0


class Task:
    """One thing that is being waited for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.detail = ""
        self.began = time.monotonic()
        self.told_at: float | None = None

    def update(self, detail: str) -> None:
        """How far it is; shown with the next line."""
        self.detail = detail

    def line(self, now: float) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.text}{detail} … {now - self.began:.0f} s"


class Progress:
    """Lines on stderr about what takes long; quick things stay silent. Safe to use from threads."""

    def __init__(self, stream: TextIO | None = None, *, patience: float = _PATIENCE) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._patience = patience
        self._lock = threading.Lock()
        self._tasks: list[Task] = []
        self._changed = threading.Condition(self._lock)
        self._watcher: threading.Thread | None = None

    def note(self, text: str) -> None:
        with self._lock:
            self._print(text)

    @contextmanager
    def task(self, text: str) -> Iterator[Task]:
        task = Task(text)
        with self._lock:
            self._tasks.append(task)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="progress", daemon=True)
                self._watcher.start()
            self._changed.notify_all()
        outcome = "failed"
        try:
            yield task
            outcome = "done"
        finally:
            with self._lock:
                self._tasks.remove(task)
                if task.told_at is not None:
                    self._print(f"{task.text}: {outcome} after {time.monotonic() - task.began:.0f} s")

    def _watch(self) -> None:
        with self._lock:
            while True:
                if not self._tasks:
                    self._changed.wait()
                    continue
                now = time.monotonic()
                for task in self._tasks:
                    if now >= self._due(task):
                        task.told_at = now
                        self._print(task.line(now))
                self._changed.wait(max(0.05, min(self._due(task) for task in self._tasks) - now))

    def _due(self, task: Task) -> float:
        return task.began + self._patience if task.told_at is None else task.told_at + _REPEAT

    def _print(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except (OSError, ValueError):
            return  # nobody reads any more; the work goes on
