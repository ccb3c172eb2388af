"""One management call and its answer, as values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from missioncontrol.local.simulator.context import Context
from missioncontrol.local.simulator.ring import Node, Process
from missioncontrol.local.simulator.views import Pod

CLOSED = "Internal connection to Cassandra closed"


@dataclass(frozen=True, slots=True)
class Answer:
    """A text is sent as text, everything else as JSON."""

    status: int
    body: Any = ""


OK = Answer(200, "OK")
NOT_RUNNING = Answer(500, CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to the management API of one pod."""

    pod: Pod
    process: Process
    query: Mapping[str, str]
    body: Mapping[str, Any]
    faults: frozenset[str]

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.query.get(name)
        return default if value is None else value.lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCall(Call):
    """A call that reaches a running Cassandra."""

    node: Node


Handler = Callable[[Context, Call], Awaitable[Answer]]
NodeHandler = Callable[[Context, NodeCall], Awaitable[Answer]]
