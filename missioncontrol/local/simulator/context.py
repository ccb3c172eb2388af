"""What the parts of a simulator share: its state, its clock, and the two things they ask of the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from missioncontrol.local.simulator.ring import Seeds
from missioncontrol.local.simulator.settings import Settings
from missioncontrol.local.simulator.store import Store
from missioncontrol.local.simulator.tenants import Tenants
from missioncontrol.local.simulator.views import Pod


class SeedSource(Protocol):
    """Where seed lists come from."""

    def cached(self, pod: Pod) -> Seeds:
        """From what is known already."""
        ...

    async def fresh(self, pod: Pod) -> Seeds:
        """From the server."""
        ...


class Signal:
    """Wakes everybody who waits, each time something changes."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        await self._event.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`wake` asks the kubelet to look at a pod again, after some seconds."""

    settings: Settings
    store: Store
    tenants: Tenants
    clock: Callable[[], float]
    find_pod: Callable[[str, str], Pod | None]
    seeds: SeedSource
    wake: Callable[[str, str, float], None]
    faults_changed: Signal = field(default_factory=Signal)
