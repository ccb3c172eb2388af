"""A shrinking datacenter against a model of nodes, with an operator that dies at any moment.

Whatever happens in between: one node leaves at a time, none is told to leave while it does, no pod and no
disk goes whose node is a member, no node that has left is started; and in the end the size is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.cassandra import actions as a
from controllers.cassandra.decide import decide
from controllers.cassandra.decide.objects import object_actions
from controllers.cassandra.state import (
    Existing,
    Gossip,
    Leave,
    Memory,
    Observations,
    PodState,
    Process,
    Snapshot,
    StartCall,
)
from controllers.cassandra.status import Done, next_status, patch
from missioncontrol.api.names import Annotation, Label, NodeState
from tests.unit.cassandra.builders import (
    NOW,
    UID,
    claim,
    datacenter,
    gossip,
    members,
    pod,
    rack_set,
    snapshot,
)

RACKS, BEFORE, AFTER = 2, 4, 2


@dataclass
class Node:
    pod: PodState
    mode: str = "NORMAL"
    runs: bool = True
    exists: bool = True
    disk: bool = True
    marked: bool = False


@dataclass
class World:
    nodes: dict[str, Node]
    replicas: dict[str, int]
    status: dict[str, Any]
    leaves: dict[str, Leave] = field(default_factory=dict)
    calls: dict[str, StartCall] = field(default_factory=dict)
    told: frozenset[str] | None = None

    @classmethod
    def new(cls) -> World:
        pods = [pod(rack, n, NodeState.STARTED, seed=n == 0) for rack in (1, 2) for n in (0, 1)]
        status = {
            **members(*pods),
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "Initialized", "Healthy")],
            "cassandraOperatorProgress": "Ready",
            "observedGeneration": 1,
        }
        return cls(
            {each.name: Node(each) for each in pods}, {f"demo-dc1-r{n}-sts": 2 for n in (1, 2)}, status
        )

    # --- what the operator sees ------------------------------------------------------------------

    def look(self) -> Snapshot:
        pods = [node.pod for node in self.nodes.values() if node.exists]
        seen = Observations(
            processes={
                n.pod.name: Process.RUNNING if n.runs else Process.STOPPED for n in self.nodes.values()
            },
            gossip={each.name: self.table(each) for each in pods if each.ready},
            quorum={each.name: True for each in pods},
            replication={},
        )
        sets = [
            rack_set(number, replicas=self.replicas[f"demo-dc1-r{number}-sts"])
            for number in range(1, RACKS + 1)
        ]
        found = snapshot(
            pods,
            of=datacenter(size=AFTER, racks=RACKS, status=self.status),
            sets=sets,
            observed=seen,
            memory=Memory(calls=dict(self.calls), leaves=dict(self.leaves), seeds_told=self.told),
        )
        disks = {n.pod.name: claim(n.pod.name, left=n.marked) for n in self.nodes.values() if n.disk}
        found = replace(found, claims={each.name: each for each in disks.values()})
        objects = {("Secret", "demo-superuser"): Existing("", "", "", "1", {})}
        for action in object_actions(found):
            if isinstance(action, a.ApplyObject):
                digest = action.body["metadata"]["annotations"][Annotation.RESOURCE_HASH]
                objects[action.resource.kind, action.name] = Existing(digest, UID, "dc1", "1", {})
        return replace(found, objects=objects)

    def table(self, viewer: PodState) -> Gossip:
        own = self.nodes[viewer.name]
        rows: list[Any] = []
        for node in self.nodes.values():
            if node.mode == "GONE" or (node.mode == "LEFT" and node is not own):
                continue
            [row] = gossip([node.pod], status=node.mode, alive=node.runs)
            rows.append(replace(row, local=node is own))
        return tuple(rows)

    # --- what it does ----------------------------------------------------------------------------

    def reconcile(self, steps: int = 8) -> None:
        """One wake-up; `steps` writes, and then the operator may be dead."""
        for _ in range(6):
            seen = self.look()
            plan = decide(seen, NOW)
            if plan.store and steps > 0:
                self.store(seen, plan)
                steps -= 1
                continue
            for action in plan.actions:
                if steps <= 0:
                    self.forget()
                    return
                steps -= 1
                self.act(action)
            if not plan.again or plan.conditions:
                self.store(seen, plan)
            if not plan.again:
                return

    def store(self, seen: Snapshot, plan: a.Plan) -> None:
        changed = patch(self.status, next_status(seen, plan, Done(), NOW))
        nodes = changed.pop("nodeStatuses", {})
        self.status = {**self.status, **changed}
        merged = {**self.status["nodeStatuses"], **nodes}
        self.status["nodeStatuses"] = {key: value for key, value in merged.items() if value is not None}

    def act(self, action: a.Action) -> None:
        match action:
            case a.LabelPod(pod=found, labels=labels):
                state = NodeState(labels.get(Label.NODE_STATE) or found.state)
                seed = bool(labels.get(Label.SEED_NODE, "true" if found.seed else None))
                self.change(found.name, state=state, seed=seed)
            case a.Decommission(pod=found):
                self.change(found.name, state=NodeState.DECOMMISSIONING)
                self.leave(self.nodes[found.name])
            case a.StartNode(pod=found):
                self.change(found.name, state=NodeState.STARTING)
                node = self.nodes[found.name]
                assert node.mode not in ("LEFT", "GONE"), f"{found.name} is started though it has left"
                node.runs = True
                self.calls[node.pod.incarnation] = StartCall.ACCEPTED
            case a.MarkLeft(pod=name):
                assert self.nodes[name].mode in ("LEFT", "GONE"), f"{name} is still a member"
                self.nodes[name].marked = True
            case a.ScaleRack(statefulset=name, replicas=count):
                assert count == self.replicas[name] - 1
                last = self.nodes[f"{name}-{count}"]
                assert last.mode in ("LEFT", "GONE"), f"{last.pod.name} goes though it is a member"
                self.replicas[name] = count
                last.exists, last.runs, last.mode = False, False, "GONE"
            case a.DeleteClaims(claims=claims):
                for each in claims or ():
                    node = self.nodes[each.name.removeprefix("server-data-")]
                    assert node.mode == "GONE"
                    assert not node.exists
                    assert node.disk, "a claim is deleted twice"
                    node.disk = False
            case a.ReloadSeeds(seeds=seeds):
                self.told = seeds
            case a.WriteRoles():
                pass
            case _:
                raise AssertionError(action)

    def leave(self, node: Node) -> None:
        assert node.mode == "NORMAL", f"{node.pod.name} is told to leave though it is {node.mode}"
        assert node.runs
        others = [each.pod.name for each in self.nodes.values() if each.mode == "LEAVING"]
        assert others == [], f"{node.pod.name} leaves while {others} leave"
        node.mode = "LEAVING"
        self.leaves[node.pod.incarnation] = Leave(StartCall.ACCEPTED, "job")

    def change(self, name: str, **changes: Any) -> None:
        node = self.nodes[name]
        if node.exists:
            node.pod = replace(node.pod, **changes)

    # --- what happens ----------------------------------------------------------------------------

    def happen(self, event: str, index: int) -> None:
        node = list(self.nodes.values())[index]
        match event:
            case "streamed" if node.mode == "LEAVING":
                node.mode = "LEFT"
            case "crash" if node.exists and node.runs:
                # what was under way is undone, unless it was done
                node.runs = False
                node.mode = "NORMAL" if node.mode == "LEAVING" else node.mode
                node.pod = replace(node.pod, ready=False, restarts=node.pod.restarts + 1, crashed=True)
            case "evicted" if node.exists:
                node.runs = False
                node.mode = {"LEAVING": "NORMAL", "LEFT": "GONE"}.get(node.mode, node.mode)
                state = NodeState.READY_TO_START
                node.pod = replace(node.pod, ready=False, state=state, uid=node.pod.uid + "+", seed=False)
            case "up" if node.exists and node.runs and node.mode != "GONE":
                node.pod = replace(node.pod, ready=True)
            case "forget":
                self.forget()

    def forget(self) -> None:
        self.calls.clear()
        self.leaves.clear()
        self.told = None


EVENTS = st.one_of(
    st.tuples(st.just("reconcile"), st.integers(0, 8)),
    st.tuples(st.sampled_from(["streamed", "crash", "evicted", "up", "forget"]), st.integers(0, BEFORE - 1)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_nodes_leave_once_and_alone_whatever_happens(events: list[tuple[str, int]]) -> None:
    world = World.new()
    for event, number in events:
        if event == "reconcile":
            world.reconcile(number)
        else:
            world.happen(event, number)
    for _ in range(12):
        for index in range(BEFORE):
            world.happen("up", index)
            world.happen("streamed", index)
        world.reconcile()
    assert list(world.replicas.values()) == [1, 1]
    assert [node.disk for node in world.nodes.values()] == [True, False, True, False]
    assert sorted(world.status["nodeStatuses"]) == ["demo-dc1-r1-sts-0", "demo-dc1-r2-sts-0"]
