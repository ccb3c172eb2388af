"""Bearer tokens that change while we run: a projected ServiceAccount token lives an hour and is renewed in
place.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from missioncontrol.kube.errors import TransportError

if TYPE_CHECKING:
    from missioncontrol.kube.config import ClusterConfig

REREAD_SECONDS = 10.0


class TokenSource:
    """The token of a ClusterConfig, from memory or from its file."""

    def __init__(self, config: ClusterConfig) -> None:
        self._fixed = config.token
        self._file = config.token_file
        self._cached: str | None = None
        self._read_at = 0.0

    def token(self) -> str | None:
        """The present token; a file is read at most every few seconds, and the last token serves while it is
        gone.
        """
        if self._file is None:
            return self._fixed
        if self._cached is None or time.monotonic() - self._read_at > REREAD_SECONDS:
            self._read()
        return self._cached

    def renew(self) -> bool:
        """After a 401: read the file again; True when it now holds another token."""
        if self._file is None:
            return False
        before = self._cached
        self._read()
        return self._cached != before

    def _read(self) -> None:
        assert self._file is not None
        try:
            token = self._file.read_text().strip()
        except OSError as error:
            if self._cached is None:
                raise TransportError(f"the token file cannot be read: {error}") from error
            return
        finally:
            self._read_at = time.monotonic()
        if token:
            self._cached = token
