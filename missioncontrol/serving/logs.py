"""Structured logs: one JSON object a line on stderr, with the context of the work that wrote it.

The context (controller, cluster, key, reconcile_id, request …) travels in a context variable, so that
libraries and pure helpers log with it without knowing of it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

LEVELS = ("debug", "info", "warning", "error")

_context: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Add fields to every line that is logged inside, also by tasks started inside."""
    token = _context.set({**(_context.get() or {}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class JSONFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, context, `extra=` fields, error."""

    def __init__(self, component: str = "") -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self._component:
            line["component"] = self._component
        line.update(_context.get() or {})
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except (
            TypeError
        ):  # half a surrogate pair, or a number beyond 64 bits: rare, and no reason to lose the line
            return json.dumps(line, default=str)


def setup(level: str = "info", *, component: str = "", stream: TextIO | None = None) -> None:
    """Send all logs of this process there, and nothing anywhere else."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JSONFormatter(component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # One line for each request would be nearly half of a server's work.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(max(logging.INFO, logging.getLevelName(level.upper())))
