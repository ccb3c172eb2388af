"""How much time a request has: `?timeout=` is a Go duration, no longer than the server's own limit."""

from __future__ import annotations

import re
from typing import Final

from apiserver.status import bad_request

REQUEST_SECONDS: Final = 60.0
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DURATION: Final = re.compile(rf"[+-]?(?:0|(?:{_PART.pattern})+)")
_SECONDS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip


def of(timeout: str | None) -> float:
    """Seconds; nothing, zero and less mean the limit."""
    if not timeout:
        return REQUEST_SECONDS
    if not _DURATION.fullmatch(timeout):
        problem = "missing unit in" if _NUMBER.fullmatch(timeout) else "invalid"
        raise bad_request(
            f"invalid timeout specified in the request URL - time: {problem} duration {_quoted(timeout)}"
        )
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(timeout))
    if timeout.startswith("-") or seconds <= 0:
        return REQUEST_SECONDS
    return min(seconds, REQUEST_SECONDS)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
