"""A limit on requests in progress: 429 with Retry-After beyond it, which clients obey and repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apiserver.identity import User
from apiserver.requestinfo import RequestInfo
from apiserver.status import failure

READ_ONLY = "readOnly"
MUTATING = "mutating"


class Inflight:
    """Counts requests that read and requests that write; watches and administrators are not limited."""

    def __init__(self, *, read_only: int = 400, mutating: int = 200) -> None:
        self._limits = {READ_ONLY: read_only, MUTATING: mutating}
        self.current = {READ_ONLY: 0, MUTATING: 0}

    @contextmanager
    def admitted(self, info: RequestInfo, user: User) -> Iterator[None]:
        """Hold a place while the request is handled, or refuse it."""
        if info.verb == "watch" or user.is_master:
            yield
            return
        kind = MUTATING if info.mutating else READ_ONLY
        if self.current[kind] >= self._limits[kind]:
            raise failure(429, "Too many requests, please try again later.", retry_after=1)
        self.current[kind] += 1
        try:
            yield
        finally:
            self.current[kind] -= 1
