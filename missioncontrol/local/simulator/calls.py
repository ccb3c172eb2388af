"""The log of management calls: one JSON line for each, in the process log and in a file that tests read.

The file is bounded: when it is full it becomes `calls.jsonl.1`, in the place of the one before. Secrets in a
query are masked.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

log = logging.getLogger(__name__)

LIMIT = 8 * 1024 * 1024
BODY_LIMIT = 2048
SECRET = frozenset({"password"})
FILTERS = ("namespace", "pod", "method", "path")


class CallLog:
    """Appends calls, and reads them back."""

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.limit = limit
        self._file = path.open("ab", buffering=0)

    def close(self) -> None:
        self._file.close()

    def write(
        self,
        *,
        now: float,
        namespace: str,
        pod: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        body: bytes = b"",
    ) -> None:
        """Status 0: the caller went away before there was an answer."""
        line: dict[str, Any] = {
            "time": int(now * 1000),
            "namespace": namespace,
            "pod": pod,
            "method": method,
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        if body:
            line["body"] = body[:BODY_LIMIT].decode(errors="replace")
        log.info("management call", extra={"call": line})
        self._file.write(orjson.dumps(line) + b"\n")
        if self._file.tell() > self.limit:
            self._file.close()
            self.path.replace(self._previous)
            self._file = self.path.open("ab", buffering=0)

    @property
    def _previous(self) -> Path:
        return self.path.with_name(self.path.name + ".1")

    def read(
        self, filters: Mapping[str, str], *, since_ms: int = 0, limit: int = 10_000
    ) -> list[dict[str, Any]]:
        """The newest calls that match, oldest first; `path` is a prefix."""
        return list(deque(self._matching(filters, since_ms), maxlen=limit))

    def _matching(self, filters: Mapping[str, str], since_ms: int) -> Iterator[dict[str, Any]]:
        wanted = {k: v for k, v in filters.items() if k in FILTERS}
        prefix = wanted.pop("path", "")
        for path in (self._previous, self.path):
            if not path.exists():
                continue
            with path.open("rb") as file:
                for line in file:
                    call = _decode(line)
                    if call is None or call["time"] < since_ms or not call["path"].startswith(prefix):
                        continue
                    if all(call[name] == value for name, value in wanted.items()):
                        yield call


def masked(path: str, query: Mapping[str, str]) -> str:
    """Path and query as they may be logged."""
    shown = {name: "***" if name in SECRET else value for name, value in query.items()}
    return f"{path}?{urlencode(shown, safe='*')}" if shown else path


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None  # the last line of a process that was killed while it wrote
    return found
