"""Whatever happens in whatever order, over two planes: one ring, one bootstrap at a time, one node a disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from missioncontrol.local.simulator.ring import MEMBERS, Mode, Process, Started
from missioncontrol.local.simulator.store import Store
from tests.unit.simulator.conftest import Plane

NAMES = st.sampled_from(["a", "b", "c"])
PLANES = st.sampled_from([0, 1])


class Ring(RuleBasedStateMachine):
    """Pods come, start, stop, crash and go; each plane's simulator falls silent at times."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "ring.db"
        self.planes = [Plane(Store(path, plane=f"p{n}", pod_cidr=f"10.{n}.0.0/16")) for n in (1, 2)]
        self.pods: dict[tuple[int, str], Process] = {}
        self.identity: dict[str, str] = {}

    def teardown(self) -> None:
        for plane in self.planes:
            plane.store.close()
        self.folder.cleanup()

    @rule(plane=PLANES, name=NAMES)
    def create(self, plane: int, name: str) -> None:
        if (plane, name) not in self.pods:
            self.pods[plane, name] = self.planes[plane].pod(name, disk=f"disk-{plane}-{name}")

    @rule(plane=PLANES, name=NAMES, seeds=st.sets(st.tuples(PLANES, NAMES)), seed=st.booleans())
    def start(self, plane: int, name: str, seeds: set[tuple[int, str]], seed: bool) -> None:
        process = self.pods.get((plane, name))
        if process is None:
            return
        known = [self.pods[s] for s in seeds if s in self.pods]
        outcome = self.planes[plane].start(process, *known, seed=seed)
        if isinstance(outcome, Started):
            expected = self.identity.setdefault(process.disk, outcome.node.host_id)
            assert outcome.node.host_id == expected

    @rule(plane=PLANES, name=NAMES, crash=st.booleans())
    def stop(self, plane: int, name: str, crash: bool) -> None:
        process = self.pods.get((plane, name))
        if process is not None:
            store, now = self.planes[plane].store, self.planes[plane].now
            _ = store.stop(process.uid, now, crash=True) if crash else store.drain(process.uid, now)

    @rule(plane=PLANES, name=NAMES, disk=st.booleans())
    def delete(self, plane: int, name: str, disk: bool) -> None:
        process = self.pods.pop((plane, name), None)
        if process is not None:
            self.planes[plane].store.forget_process(process.uid, self.planes[plane].now)
            if disk:
                self.planes[plane].store.forget_disk(process.disk, self.planes[plane].now)
                self.identity.pop(process.disk, None)

    @rule(plane=PLANES, name=NAMES)
    def leave(self, plane: int, name: str) -> None:
        process = self.pods.get((plane, name))
        if process is not None:
            now = self.planes[plane].now
            self.planes[plane].store.decommission(process.uid, now=now, due=now + 3, fail=False)

    @rule(seconds=st.sampled_from([0.3, 1.0, 4.0, 20.0]), silent=st.sampled_from([None, 0, 1]))
    def wait(self, seconds: float, silent: int | None) -> None:
        for number, plane in enumerate(self.planes):
            plane.now += seconds
            if number != silent:
                plane.store.heartbeat(plane.now)

    @invariant()
    def there_is_one_ring_and_one_bootstrap(self) -> None:
        now = self.planes[0].now
        snapshot = self.planes[0].store.snapshot(now)
        held = [n for n in snapshot.nodes if n.disk and n.mode_at(now) in MEMBERS]
        assert len({n.ring for n in held}) <= 1
        assert sum(n.mode_at(now) is Mode.JOINING for n in held) <= 1
        assert len({n.disk for n in held}) == len(held)
        up = [n for n in snapshot.nodes if n.uid in snapshot.processes and n.disk]
        assert len({n.ip for n in up}) == len(up)


Ring.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRing = Ring.TestCase
