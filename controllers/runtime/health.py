"""Whether a cluster answers, as seen by asking it when it has not answered anybody for a few seconds.

Watches alone do not tell: a stopped API server keeps their connections open in silence. Two failures in a row
make a cluster unavailable, which takes at most about ten seconds.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from missioncontrol.kube.errors import KubeError

if TYPE_CHECKING:
    from missioncontrol.kube.client import Client

log = logging.getLogger(__name__)

PROBE_SECONDS = 3.0
RETRY_SECONDS = 1.0
TIMEOUT_SECONDS = 3.0
FAILURES_UNTIL_AWAY = 2
SHORTEST_PAUSE = 0.9
"""Pauses differ by as much, so that not all clusters are asked at the same moment."""
VERSION_SECONDS = 30.0
"""After which even one that answers others is asked, for its version."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a cluster's API server. `available` is None until the first answer or failure."""

    available: bool | None = None
    since: datetime | None = None
    """When `available` last changed; for a cluster that is away, since when it is."""
    last_contact: datetime | None = None
    version: str = ""
    message: str = ""
    """Why it is not available."""


class HealthProbe:
    """Asks a cluster for its version, and tells `changed` whenever availability or version change."""

    def __init__(self, client: Client, changed: Callable[[Health], None]) -> None:
        self.health = Health()
        self._client = client
        self._changed = changed
        self._failures = 0
        self._asked = 0.0

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            silent = time.monotonic() - self._client.heard
            if self._is_proved(silent):
                self.health = replace(self.health, last_contact=datetime.now(UTC) - timedelta(seconds=silent))
                await asyncio.sleep(SHORTEST_PAUSE * PROBE_SECONDS - silent)
                continue
            try:
                self._asked = time.monotonic()
                response = await self._client.request("GET", "/version", timeout=TIMEOUT_SECONDS)
                version = str(response.raise_for_status().json().get("gitVersion") or "")
            except KubeError as error:
                self._failed(str(error))
            else:
                self._answered(version)
            shaky = 0 < self._failures < FAILURES_UNTIL_AWAY
            await asyncio.sleep(
                (RETRY_SECONDS if shaky else PROBE_SECONDS) * random.uniform(SHORTEST_PAUSE, 1)
            )

    def _is_proved(self, silent: float) -> bool:
        """Whether the last answer, whoever it was for, tells enough."""
        well = bool(self.health.available) and not self._failures
        version_is_known = time.monotonic() - self._asked < VERSION_SECONDS
        return well and version_is_known and silent < SHORTEST_PAUSE * PROBE_SECONDS

    def _answered(self, version: str) -> None:
        now = datetime.now(UTC)
        self._failures = 0
        before = self.health
        since = before.since if before.available else now
        self.health = Health(available=True, since=since, last_contact=now, version=version)
        if before.available is not True or before.version != version:
            self._changed(self.health)

    def _failed(self, message: str) -> None:
        self._failures += 1
        before = self.health
        if self._failures < FAILURES_UNTIL_AWAY:
            return
        if before.available is False:
            self.health = replace(before, message=message)
            return
        # It was last surely there at the last contact; what was never reached is away since we know.
        since = before.last_contact or datetime.now(UTC)
        self.health = replace(before, available=False, since=since, message=message)
        self._changed(self.health)
