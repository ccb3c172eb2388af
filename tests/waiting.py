"""Waiting in tests until something holds, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(check: Callable[[], object], timeout: float = 5) -> None:
    """Return as soon as `check` gives something true; TimeoutError when it never does."""
    async with asyncio.timeout(timeout):
        while not check():  # noqa: ASYNC110 - what is waited for has no event to wait on
            await asyncio.sleep(0.01)
