"""Rings in a file of their own, with a clock that the test turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from missioncontrol.local.simulator.ring import (
    Ignored,
    Process,
    Refused,
    Seeds,
    Started,
    State,
)
from missioncontrol.local.simulator.store import Store

START_SECONDS = 1.0
_uids = itertools.count(1)


@dataclass
class Plane:
    """One simulator's view of the shared state, with pods made by hand."""

    store: Store
    now: float = 1000.0
    seeds: set[str] = field(default_factory=set)

    def pod(
        self,
        name: str,
        *,
        disk: str = "",
        cluster: str = "demo",
        namespace: str = "ns",
        rack: str = "r1",
        num_tokens: int = 16,
    ) -> Process:
        self.store.heartbeat(self.now)
        uid = f"{name}-uid-{next(_uids)}"
        process = Process(
            uid=uid,
            plane=self.store.plane,
            namespace=namespace,
            pod=name,
            ip="",
            host_ip="10.255.0.1",
            disk=disk or f"disk-of-{name}",
            cluster=cluster,
            datacenter=f"dc-{self.store.plane}",
            rack=rack,
            version="5.0.4",
            num_tokens=num_tokens,
            state=State.NOT_STARTED,
            created_at=self.now,
            ready_at=0.0,
            changed_at=self.now,
        )
        return self.store.register(process, address=None)

    def start(
        self, process: Process, *seeds: Process, seed: bool = False, replace_ip: str = ""
    ) -> Started | Ignored | Refused | None:
        addresses = {s.ip for s in seeds} | ({process.ip} if seed else set())
        return self.store.start(
            process.uid,
            seeds=Seeds(addresses=frozenset(addresses), itself=seed),
            replace_ip=replace_ip,
            now=self.now,
            ready_at=self.now + START_SECONDS,
        )

    def started(self, process: Process, *seeds: Process, seed: bool = False) -> Process:
        """Start and wait until it is ready."""
        outcome = self.start(process, *seeds, seed=seed)
        assert isinstance(outcome, Started), outcome
        self.later()
        return process

    def later(self, seconds: float = START_SECONDS) -> None:
        self.now += seconds
        self.store.heartbeat(self.now)

    def host_id(self, process: Process) -> str:
        found = self.store.process(process.uid)
        assert found is not None
        node = self.store.node_of(found)
        assert node is not None
        return node.host_id

    def events(self, *wanted: str) -> list[str]:
        return [e["event"] for e in self.store.history({}) if not wanted or e["event"] in wanted]


@pytest.fixture
def make_plane(tmp_path: Path) -> Iterator[Callable[[str], Plane]]:
    stores: list[Store] = []

    def make(name: str) -> Plane:
        number = len(stores) + 1
        store = Store(tmp_path / "ring.db", plane=name, pod_cidr=f"10.{number}.0.0/16")
        stores.append(store)
        return Plane(store)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def plane(make_plane: Callable[[str], Plane]) -> Plane:
    return make_plane("p1")
