"""How much time a request has: `?timeout=` is a Go duration, no longer than the server's own limit."""

from __future__ import annotations

import re
from typing import Final

from apiserver.status import bad_request

REQUEST_SECONDS: Final = 60.0
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_UNIT: Final = re.compile(r"[^.0-9]+")
_DURATION: Final = re.compile(rf"[+-]?(?:0|(?:{_PART.pattern})+)")
_SECONDS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip


def of(timeout: str | None) -> float:
    """Seconds; nothing, zero and less mean the limit."""
    if not timeout:
        return REQUEST_SECONDS
    if not _DURATION.fullmatch(timeout):
        raise bad_request(
            "invalid timeout specified in the request URL - "
            f"time: {_problem(timeout)} duration {_quoted(timeout)}"
        )
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(timeout))
    if timeout.startswith("-") or seconds <= 0:
        return REQUEST_SECONDS
    return min(seconds, REQUEST_SECONDS)


def _problem(timeout: str) -> str:
    """What Go finds wrong with it: it reads part after part."""
    rest = timeout[1:] if timeout[0] in "+-" else timeout
    while rest and (found := _NUMBER.match(rest)) is not None:
        rest = rest[found.end() :]
        unit = _UNIT.match(rest)
        if unit is None:
            return "missing unit in"
        if unit[0] not in _SECONDS:
            return f"unknown unit {_quoted(unit[0])} in"
        rest = rest[unit.end() :]
    return "invalid"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
