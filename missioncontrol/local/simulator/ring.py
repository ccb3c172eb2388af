"""The rules of a Cassandra ring, as pure functions on an immutable snapshot.

They say what a real node would do when it is told to start, and what it sees of the others in gossip, so that
an operator which does things in the wrong order fails here as it would fail in production. Nothing here reads
a clock, a file or the network: time passes because `now` does, so a ring goes on while its simulator is away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

HEARTBEAT_LIMIT = 5.0
"""Seconds without a sign of life after which the nodes of other planes see a plane's nodes as down."""


class Mode(StrEnum):
    """What a node is in the ring, whether or not its process runs."""

    JOINING = "JOINING"
    NORMAL = "NORMAL"
    LEAVING = "LEAVING"
    MOVING = "MOVING"
    """On its way to another token, which it has from the beginning on, also when it is cut off."""
    LEFT = "LEFT"
    INTERRUPTED = "INTERRUPTED"
    """Its bootstrap was cut off: unknown to the others, and its next start is a first one."""


class State(StrEnum):
    """What the Cassandra process of one pod incarnation does."""

    NOT_STARTED = "not-started"
    STARTED = "started"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One incarnation of a pod: its address, its disk, and the Cassandra process in it."""

    uid: str
    plane: str
    namespace: str
    pod: str
    ip: str
    host_ip: str
    disk: str
    cluster: str
    datacenter: str
    rack: str
    version: str
    num_tokens: int
    state: State
    created_at: float
    ready_at: float
    changed_at: float
    restarts: int = 0
    crashed_at: float = 0.0
    stopping_at: float = 0.0
    query_log: bool = False

    def starting(self, now: float) -> bool:
        return self.state is State.STARTED and now < self.ready_at

    def running(self, now: float) -> bool:
        return self.state is State.STARTED and now >= self.ready_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A member of a ring; it lives on its disk and outlives any pod."""

    host_id: str
    ring: str
    cluster: str
    datacenter: str
    rack: str
    plane: str
    namespace: str
    pod: str
    uid: str
    """The pod incarnation that ran it last."""
    disk: str
    """Empty when the disk is gone: then nobody but the memory of the others holds this node."""
    ip: str
    tokens: tuple[int, ...]
    version: str
    mode: Mode
    until: float = 0.0
    next_mode: Mode = Mode.NORMAL

    def mode_at(self, now: float) -> Mode:
        """Joining, leaving and moving end by themselves, also while no simulator looks."""
        if self.mode in UNDER_WAY and now >= self.until:
            return self.next_mode
        return self.mode


UNDER_WAY = frozenset({Mode.JOINING, Mode.LEAVING, Mode.MOVING})
MEMBERS = UNDER_WAY | {Mode.NORMAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that is known of all planes at one moment."""

    now: float
    nodes: tuple[Node, ...]
    processes: Mapping[str, Process]
    heartbeats: Mapping[str, float]

    def reachable(self, plane: str, *, seen_from: str) -> bool:
        return plane == seen_from or self.now - self.heartbeats.get(plane, 0.0) <= HEARTBEAT_LIMIT

    def alive(self, node: Node, *, seen_from: str) -> bool:
        """Whether gossip marks a node UP: its process takes part, and its plane can be reached."""
        process = self.processes.get(node.uid)
        mode = node.mode_at(self.now)
        if process is None or process.state is not State.STARTED or mode not in MEMBERS:
            return False
        if not self.reachable(node.plane, seen_from=seen_from):
            return False
        return process.running(self.now) or mode is Mode.JOINING

    def members(self, ring: str) -> tuple[Node, ...]:
        return tuple(n for n in self.nodes if n.ring == ring and n.mode_at(self.now) in MEMBERS)

    def on_disk(self, disk: str) -> Node | None:
        return next((n for n in self.nodes if disk and n.disk == disk), None)

    def of_process(self, uid: str) -> Node | None:
        return next((n for n in self.nodes if n.uid == uid and n.disk), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """What the seed list of a node resolves to: addresses, and whether the node is among them."""

    addresses: frozenset[str]
    itself: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """Identities that a start may need; drawn outside, so that the rules stay pure."""

    host_id: str
    ring: str


@dataclass(frozen=True, slots=True)
class Started:
    """The process starts: `node` is what the ring then holds, in place of the host ids in `forgotten`."""

    kind: str
    node: Node
    new_ring: bool = False
    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """The process runs already: the management API answers 202 (ready) or 204 (not yet), and does nothing."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The node would not come up; the sentence says why."""

    sentence: str


def decide_start(
    snapshot: Snapshot, process: Process, *, seeds: Seeds, replace_ip: str, ready_at: float, fresh: Fresh
) -> Started | Ignored | Refused:
    """What happens when the management API of `process` is asked to start Cassandra."""
    if process.state is not State.NOT_STARTED:
        if process.running(snapshot.now):
            return Ignored(202, "Cassandra is already started")
        word = "draining or drained" if process.state is State.DRAINED else "already starting"
        return Ignored(204, f"Cassandra is {word}")
    node = snapshot.on_disk(process.disk)
    if node is None or node.mode_at(snapshot.now) in (Mode.INTERRUPTED, Mode.JOINING):
        return _first_start(
            snapshot, process, before=node, seeds=seeds, replace_ip=replace_ip, ready_at=ready_at, fresh=fresh
        )
    return _restart(snapshot, process, node)


def _restart(snapshot: Snapshot, process: Process, node: Node) -> Started | Refused:
    if node.mode_at(snapshot.now) is Mode.LEFT:
        return Refused(
            f"This node ({node.host_id}) was decommissioned and will not rejoin the ring "
            "unless its data is removed"
        )
    for what, saved, configured in (
        ("cluster name", node.cluster, process.cluster),
        ("datacenter", node.datacenter, process.datacenter),
        ("rack", node.rack, process.rack),
    ):
        if saved != configured:
            return Refused(
                f"Cannot start node: its saved {what} {saved!r} differs from the configured {configured!r}"
            )
    return Started(
        "restart",
        replace(
            node,
            plane=process.plane,
            namespace=process.namespace,
            pod=process.pod,
            uid=process.uid,
            ip=process.ip,
            version=process.version,
            mode=Mode.NORMAL,
            until=0.0,
        ),
        forgotten=_at_address(snapshot, process, ring=node.ring, but=node.host_id),
    )


def _first_start(
    snapshot: Snapshot,
    process: Process,
    *,
    before: Node | None,
    seeds: Seeds,
    replace_ip: str,
    ready_at: float,
    fresh: Fresh,
) -> Started | Refused:
    contact = _contact(snapshot, process, seeds)
    if isinstance(contact, Refused):
        return contact
    host_id = before.host_id if before is not None else fresh.host_id
    tokens = before.tokens if before is not None else tokens_of(host_id, process.num_tokens)
    kind = "bootstrap"
    forgotten = set(_at_address(snapshot, process, ring=contact or "", but=host_id))
    if contact is not None:
        busy = _range_movements(snapshot, contact, but=host_id)
        if busy is not None:
            return busy
        if replace_ip:
            replaced = _replaced(snapshot, process, contact, replace_ip)
            if isinstance(replaced, Refused):
                return replaced
            kind, tokens = "replace", replaced.tokens
            forgotten.add(replaced.host_id)
    elif replace_ip:
        return Refused(f"Cannot replace_address /{replace_ip} because it doesn't exist in gossip")
    node = Node(
        host_id=host_id,
        ring=contact or fresh.ring,
        cluster=process.cluster,
        datacenter=process.datacenter,
        rack=process.rack,
        plane=process.plane,
        namespace=process.namespace,
        pod=process.pod,
        uid=process.uid,
        disk=process.disk,
        ip=process.ip,
        tokens=tokens,
        version=process.version,
        mode=Mode.JOINING,
        until=ready_at,
    )
    return Started(kind, node, new_ring=contact is None, forgotten=tuple(sorted(forgotten)))


def _contact(snapshot: Snapshot, process: Process, seeds: Seeds) -> str | Refused | None:
    """The ring that a new node finds through its seeds; None when it may found one."""
    others = seeds.addresses - {process.ip}
    known = [n for n in snapshot.nodes if n.ip in others and n.mode_at(snapshot.now) in MEMBERS]
    answering = [
        n
        for n in known
        if n.mode_at(snapshot.now) is not Mode.JOINING and snapshot.alive(n, seen_from=process.plane)
    ]
    rings = {n.ring for n in answering if n.cluster == process.cluster}
    if len(rings) > 1:
        return Refused(f"The seeds {_list(others)} belong to {len(rings)} different rings")
    if rings:
        return rings.pop()
    listed = _list(seeds.addresses) if seeds.addresses else "none"
    peers = [
        n
        for n in snapshot.nodes
        if n.cluster == process.cluster
        and n.mode_at(snapshot.now) in MEMBERS
        and n.disk
        and (n.namespace == process.namespace or n in known)
        and n.disk != process.disk
    ]
    if peers:
        names = ", ".join(sorted(f"{n.plane}/{n.namespace}/{n.pod}" for n in peers)[:3])
        return Refused(
            f"Unable to gossip with any peers: no seed of {process.pod} answers (seeds: {listed}), and "
            f"starting it would form a second ring beside the {len(peers)} node(s) of cluster "
            f"{process.cluster!r} ({names})"
        )
    if answering:
        return Refused(
            f"ClusterName mismatch: the seeds {_list(others)} are of cluster {answering[0].cluster!r}, "
            f"this node is configured for {process.cluster!r}"
        )
    if not seeds.itself:
        return Refused(
            f"Unable to contact any seeds: {process.pod} is no seed itself and no seed answers "
            f"(seeds: {listed}); the first node of a cluster must be a seed"
        )
    return None


def _range_movements(snapshot: Snapshot, ring: str, *, but: str) -> Refused | None:
    moving = [
        n
        for n in snapshot.nodes
        if n.ring == ring and n.host_id != but and n.mode_at(snapshot.now) in UNDER_WAY
    ]
    if not moving:
        return None
    names = ", ".join(sorted(f"{n.pod} ({n.mode_at(snapshot.now).lower()})" for n in moving))
    return Refused(
        "Other bootstrapping/leaving/moving nodes detected, cannot bootstrap while "
        f"cassandra.consistent.rangemovement is true. Nodes detected: {names}"
    )


def _replaced(snapshot: Snapshot, process: Process, ring: str, replace_ip: str) -> Node | Refused:
    old = next((n for n in snapshot.members(ring) if n.ip == replace_ip), None)
    if old is None:
        return Refused(f"Cannot replace_address /{replace_ip} because it doesn't exist in gossip")
    if snapshot.alive(old, seen_from=process.plane):
        return Refused(f"Cannot replace a live node: /{replace_ip} ({old.pod}) is up")
    return old


def _at_address(snapshot: Snapshot, process: Process, *, ring: str, but: str) -> tuple[str, ...]:
    """Gossip is keyed by address: whoever was seen there before, and runs no more, is forgotten."""
    return tuple(
        n.host_id
        for n in snapshot.nodes
        if n.ring == ring
        and n.ip == process.ip
        and n.host_id != but
        and not snapshot.alive(n, seen_from=process.plane)
    )


def after_stop(node: Node, now: float) -> Node:
    """What a node is when its process ends: what was under way is undone, as its next start would find it."""
    match node.mode_at(now):
        case Mode.JOINING:
            return replace(node, mode=Mode.INTERRUPTED, until=0.0)
        case Mode.LEAVING | Mode.MOVING:
            return replace(node, mode=Mode.NORMAL, until=0.0)
        case mode:
            return replace(node, mode=mode, until=0.0)


def decide_decommission(snapshot: Snapshot, node: Node) -> Refused | None:
    """None when the node may leave."""
    mode = node.mode_at(snapshot.now)
    if mode is not Mode.NORMAL:
        return Refused(f"Node in {mode} state; wait for status to become normal or restart")
    others = [n for n in snapshot.members(node.ring) if n.host_id != node.host_id]
    if not any(n.mode_at(snapshot.now) is Mode.NORMAL for n in others):
        return Refused("no other normal nodes in the ring; decommission would be pointless")
    return None


def decide_move(snapshot: Snapshot, node: Node, token: int) -> Refused | None:
    """None when the node may move to this token."""
    if len(node.tokens) > 1:
        return Refused("This node has more than one token and cannot be moved thusly.")
    if any(token in other.tokens for other in snapshot.members(node.ring)):
        return Refused(f"target token {token} is already owned by another node.")
    mode = node.mode_at(snapshot.now)
    return None if mode is Mode.NORMAL else Refused(f"Node in {mode} state; wait for it to become normal")


def tokens_of(host_id: str, count: int) -> tuple[int, ...]:
    """Tokens that follow from the host id alone, spread over Murmur3's range."""
    found = (
        int.from_bytes(hashlib.sha256(f"{host_id}/{i}".encode()).digest()[:8], "big", signed=True)
        for i in range(count)
    )
    return tuple(sorted(found))


def _list(addresses: Iterable[str]) -> str:
    return ", ".join(sorted(addresses))
