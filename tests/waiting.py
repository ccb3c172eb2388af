"""Waiting in tests until something holds, with a deadline: `eventually` blocks, `until` is awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any


def eventually(condition: Callable[[], Any], what: str, *, timeout: float = 60.0) -> Any:
    """Look until something true comes back, and give that; fail with its name when it does not come."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.05)


async def until(check: Callable[[], object], what: str = "", *, timeout: float = 60) -> None:
    """Return as soon as `check` gives something true; fail with its name when it never does."""
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what or check}"
        await asyncio.sleep(0.01)
