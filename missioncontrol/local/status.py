"""How an environment is right now: which processes run, whether they are ready, what memory they take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec

from missioncontrol.local import processes
from missioncontrol.local.layout import Component, Layout
from missioncontrol.local.probes import Prober
from missioncontrol.local.state import ComponentState, State


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One process. `ready` is None where it does not run; `memory` is its proportional set size in bytes."""

    component: ComponentState
    running: bool
    ready: bool | None
    memory: int
    message: str

    @property
    def phase(self) -> str:
        if self.running:
            return "Ready" if self.ready else "NotReady"
        return "Stopped" if self.component.pid is None else "Dead"


def component_statuses(state: State, layout: Layout) -> list[ComponentStatus]:
    """Every component that was started, asked at the same time."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda c: _status(c, layout.components.get(c.name)), state.components))


def _status(component: ComponentState, known: Component | None) -> ComponentStatus:
    identity = component.identity
    if identity is None or not processes.is_running(identity):
        return ComponentStatus(component, running=False, ready=None, memory=0, message="")
    said = Prober(known.probe).answer() if known is not None else None
    memory = processes.proportional_memory(identity.pid)
    return ComponentStatus(component, running=True, ready=said is None, memory=memory, message=said or "")


def as_document(state: State, statuses: list[ComponentStatus]) -> dict[str, Any]:
    """state.json with what was seen of each component, and the sum of the memory."""
    document: dict[str, Any] = msgspec.to_builtins(state)
    for entry, status in zip(document["components"], statuses, strict=True):
        entry |= {
            "phase": status.phase,
            "running": status.running,
            "ready": bool(status.ready),
            "memoryBytes": status.memory,
            "message": status.message,
        }
    document["memoryBytes"] = sum(status.memory for status in statuses)
    return document
