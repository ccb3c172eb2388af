"""The start of a datacenter against a model of nodes, with an operator that dies at any moment.

Whatever happens in between, nobody joins while another one joins, every node joins once, the first one is a
seed, and when things calm down every node runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.cassandra.actions import Action, LabelPod, StartNode
from controllers.cassandra.decide.labels import label_actions
from controllers.cassandra.decide.nodes import starts
from controllers.cassandra.state import Memory, Observations, PodState, Process, Snapshot, StartCall
from missioncontrol.api.names import Label, NodeState
from tests.unit.cassandra.builders import NOW, datacenter, gossip, members, pod, rack_set, snapshot

SIZE = 5
RACKS = 2


@dataclass
class Node:
    pod: PodState
    runs: bool = False
    member: bool = False
    joins: int = 0


@dataclass
class World:
    nodes: list[Node]
    calls: dict[str, StartCall] = field(default_factory=dict)
    registered: set[str] = field(default_factory=set)
    founders: set[str] = field(default_factory=set)
    """Shown in the status before they were told to start."""

    @classmethod
    def new(cls) -> World:
        return cls([Node(pod(rack, ordinal)) for rack, size in ((1, 3), (2, 2)) for ordinal in range(size)])

    def look(self) -> Snapshot:
        known = [node.pod for node in self.nodes if node.pod.name in self.registered]
        status = members(*known) if known else {"nodeStatuses": {}}
        for node in self.nodes:
            if node.pod.name in self.founders:
                status["nodeStatuses"].setdefault(node.pod.name, {"rack": node.pod.rack})
        ready = [node.pod for node in self.nodes if node.pod.ready]
        processes = {n.pod.name: Process.RUNNING if n.runs else Process.STOPPED for n in self.nodes}
        return snapshot(
            [node.pod for node in self.nodes],
            of=datacenter(size=SIZE, racks=RACKS, status=status),
            sets=[rack_set(1, replicas=3), rack_set(2, replicas=2)],
            observed=Observations(processes, {each.name: gossip(ready) for each in ready[:1]}),
            memory=Memory(calls=dict(self.calls)),
        )

    def reconcile(self, *, dies_before_call: bool = False) -> None:
        for action in label_actions(self.look()):
            self.label(action)
        self.registered.update(node.pod.name for node in self.nodes if node.pod.started)
        for action in starts(self.look(), NOW).actions:
            if isinstance(action, LabelPod):
                self.label(action)
                continue
            assert isinstance(action, StartNode), action
            node = self._of(action.pod)
            if action.founds:
                self.founders.add(node.pod.name)
            node.pod = replace(node.pod, state=NodeState.STARTING, seed=node.pod.seed or action.seed)
            if dies_before_call:
                self.calls.clear()
                return
            self.calls[node.pod.incarnation] = StartCall.ACCEPTED
            self.start(node)

    def label(self, action: Action) -> None:
        assert isinstance(action, LabelPod)
        node = self._of(action.pod)
        seed = action.labels.get(Label.SEED_NODE, "true" if node.pod.seed else None)
        state = NodeState(action.labels.get(Label.NODE_STATE) or node.pod.state)
        node.pod = replace(node.pod, state=state, seed=bool(seed))

    def start(self, node: Node) -> None:
        assert not node.runs, f"{node.pod.name} is told to start though it runs"
        node.runs = True
        if node.member:
            return
        joining = [n.pod.name for n in self.nodes if n.runs and not n.member and n is not node]
        assert joining == [], f"{node.pod.name} joins while {joining} joins"
        ring = [n for n in self.nodes if n.member]
        seeds = [n for n in self.nodes if n.pod.seed and (n.runs or n is node)]
        assert any(n.member for n in seeds) if ring else node.pod.seed
        node.joins += 1

    def finish(self, index: int) -> None:
        node = self.nodes[index]
        if node.runs:
            node.member = True
            node.pod = replace(node.pod, ready=True)

    def crash(self, index: int) -> None:
        """The container of a member is restarted."""
        node = self.nodes[index]
        if node.member:
            node.runs = False
            node.pod = replace(node.pod, ready=False, restarts=node.pod.restarts + 1, crashed=True)

    def lose(self, index: int) -> None:
        """The pod of a member is made again, and cannot run for now, be it before anybody looked at it."""
        node = self.nodes[index]
        if node.member:
            self.crash(index)
            node.pod = replace(
                node.pod, state=NodeState.READY_TO_START, seed=False, running=False, uid=node.pod.uid + "+"
            )

    def heal(self) -> None:
        """Every pod can run again."""
        for node in self.nodes:
            node.pod = replace(node.pod, running=True)

    def forget(self) -> None:
        """The operator is killed and started again."""
        self.calls.clear()

    def _of(self, wanted: PodState) -> Node:
        return next(node for node in self.nodes if node.pod.name == wanted.name)


EVENTS = st.one_of(
    st.just(("reconcile", 0)),
    st.just(("die", 0)),
    st.just(("forget", 0)),
    st.tuples(st.just("finish"), st.integers(0, SIZE - 1)),
    st.tuples(st.just("crash"), st.integers(0, SIZE - 1)),
    st.tuples(st.just("lose"), st.integers(0, SIZE - 1)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_every_node_joins_once_and_alone_whatever_happens(events: list[tuple[str, int]]) -> None:
    world = World.new()
    for event, index in events:
        match event:
            case "reconcile":
                world.reconcile()
            case "die":
                world.reconcile(dies_before_call=True)
            case "forget":
                world.forget()
            case "finish":
                world.finish(index)
            case "crash":
                world.crash(index)
            case "lose":
                world.lose(index)
    world.heal()
    for _ in range(4 * SIZE):
        world.reconcile()
        for index in range(SIZE):
            world.finish(index)
    world.reconcile()
    assert all(node.pod.started for node in world.nodes)
    assert [node.joins for node in world.nodes] == [1] * SIZE
