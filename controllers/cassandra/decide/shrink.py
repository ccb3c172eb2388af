"""Nodes leave the ring: one after the other, each with its data streamed away before its pod and disk go.

Every step rests on something that a crash does not lose: the label of the pod says that its node is to leave,
gossip says how far it is, and a mark on the claims says that it has left. So a decommission that is under way
is never begun again, a node that has left is never started again, and no disk is deleted that could still
be wanted.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from controllers.cassandra.actions import Decommission, DeleteClaims, MarkLeft, Plan, ScaleRack
from controllers.cassandra.decide.health import entry_of, node_address
from controllers.cassandra.decide.refusals import is_true, normal_size
from controllers.cassandra.state import Endpoint, PodState, RackSet, Snapshot, StartCall
from missioncontrol.api import names
from missioncontrol.api.names import Annotation, Condition, NodeState, Reason

POLL = 1.0
"""Seconds between two looks at a node that leaves: gossip cannot be watched."""
SLOW_POLL = 5.0
LONG = timedelta(minutes=1)
"""After so long the node has much to stream, and is looked at less often."""
NO_ROOM_PAUSE = 30.0


class Position(Enum):
    """Where a node stands between the ring and the door."""

    MEMBER = "is a member"
    LEAVING = "is leaving"
    LEFT = "has left"
    UNKNOWN = "nobody says"


def wanted_nodes(snapshot: Snapshot) -> int:
    """How many nodes are to stay: none when the whole datacenter leaves the ring before it is deleted."""
    datacenter = snapshot.datacenter
    return 0 if datacenter.metadata.deletion_timestamp is not None else datacenter.spec.size


def next_rack(snapshot: Snapshot) -> RackSet | None:
    """The rack that gives a node away next, so that the racks stay balanced; None when none has to."""
    present = snapshot.replicas
    if present <= wanted_nodes(snapshot) or not snapshot.racks:
        return None
    plan = snapshot.datacenter.plan
    for rack, share in zip(plan, names.split_racks(present - 1, len(plan)), strict=True):
        live = snapshot.racks.get(rack.statefulset)
        if live is not None and live.replicas > share:
            return live
    return None


def wants_shrink(snapshot: Snapshot) -> bool:
    """Whether a node is to leave and none does yet."""
    return not _stays_stopped(snapshot) and not snapshot.leaving and next_rack(snapshot) is not None


def doubtful_leavers(snapshot: Snapshot) -> list[PodState]:
    """Pods of which gossip has to say whether their nodes are (still) members.

    Those that were told to leave; and those at the end of a rack with too many nodes that do not run: one may
    never have joined, and the pod of one that has left may have been made again.
    """
    found = list(snapshot.leaving)
    if _stays_stopped(snapshot):
        return found
    under_way = is_true(snapshot.datacenter, Condition.SCALING_DOWN)
    for live in snapshot.racks.values():
        last = next((pod for pod in snapshot.of_rack(live.name) if pod.ordinal == live.replicas - 1), None)
        if last is None or last.ready or last.state is not NodeState.READY_TO_START:
            continue
        if _to_give(snapshot, live) and (under_way or not snapshot.known(last.name)):
            found.append(last)
    return found


def _stays_stopped(snapshot: Snapshot) -> bool:
    datacenter = snapshot.datacenter
    return bool(datacenter.spec.stopped) and datacenter.metadata.deletion_timestamp is None


def _to_give(snapshot: Snapshot, live: RackSet) -> bool:
    shares = names.split_racks(wanted_nodes(snapshot), len(snapshot.datacenter.plan))
    plan = snapshot.datacenter.plan
    share = next((s for rack, s in zip(plan, shares, strict=True) if rack.statefulset == live.name), 0)
    return live.replicas > share


def position(snapshot: Snapshot, pod: PodState) -> Position:
    """What gossip says of a node: its own word first, else that of all the others together."""
    own = snapshot.observed.gossip.get(pod.name)
    said = next((each.status for each in own or () if each.local), "")
    if said in ("LEFT", "LEAVING"):
        return Position.LEFT if said == "LEFT" else Position.LEAVING
    others = [other for other in snapshot.living if other.started and other.name != pod.name]
    tables = [
        snapshot.observed.gossip[other.name] for other in others if other.name in snapshot.observed.gossip
    ]
    seen = [_seen(snapshot, pod, table) for table in tables]
    if any(each is not None and each.status == "LEAVING" for each in seen):
        return Position.LEAVING
    if said:
        return Position.MEMBER
    if not tables or len(tables) < len(others):
        return Position.UNKNOWN
    known = snapshot.datacenter.status.node_statuses or {}
    if pod.name not in known:
        # it never joined, if every member that the others see is another pod's
        hosts = {node.host_id for node in known.values()}
        strangers = [
            each for table in tables for each in table if _ours(snapshot, each) not in (None, *hosts)
        ]
        return Position.UNKNOWN if strangers else Position.LEFT
    if not known[pod.name].host_id:
        return Position.UNKNOWN
    gone = all(each is None or each.status == "LEFT" for each in seen)
    return Position.LEFT if gone else Position.MEMBER


def _ours(snapshot: Snapshot, endpoint: Endpoint) -> str | None:
    """The host id of a member in this datacenter; None of any other entry."""
    member = endpoint.datacenter == snapshot.datacenter.cassandra_name and endpoint.status != "LEFT"
    return endpoint.host_id if member else None


def _seen(snapshot: Snapshot, pod: PodState, table: tuple[Endpoint, ...]) -> Endpoint | None:
    known = (snapshot.datacenter.status.node_statuses or {}).get(pod.name)
    host = known.host_id if known is not None else None
    if host:
        return next((each for each in table if each.host_id == host), None)
    return next((each for each in table if each.address == node_address(snapshot, pod)), None)


# --- after a node has left ---------------------------------------------------------------------


def farewell(snapshot: Snapshot) -> Plan | None:
    """What follows when a node has left: its disk is marked, its pod goes, its disk goes."""
    for pod in doubtful_leavers(snapshot):
        live = snapshot.racks.get(pod.name.rpartition("-")[0])
        if live is None or snapshot.has_left(live, pod.name) or position(snapshot, pod) is not Position.LEFT:
            continue
        claims = tuple(claim.name for claim in snapshot.claims_of(live, pod.name))
        if claims:
            sentence = f"{pod.name} has left the ring; its volumes are not used again"
            return Plan(sentence, (MarkLeft(pod.name, claims),), again=True, updating=True)
    for live in snapshot.racks.values():
        last = names.pod_name(live.name, live.replicas - 1)
        if live.replicas and snapshot.has_left(live, last):
            action = ScaleRack(live.name, live.replicas - 1, live.resource_version)
            return Plan(f"{last} has left the ring; its pod goes", (action,), again=True, updating=True)
    return _leftovers(snapshot)


def _leftovers(snapshot: Snapshot) -> Plan | None:
    pods = {pod.name for pod in snapshot.pods}
    for claim in snapshot.claims.values():
        pod = pod_of_left_claim(snapshot, claim.name)
        if not claim.left or claim.deleting or not pod or pod in pods:
            continue
        if snapshot.known(pod):
            return Plan(f"{pod} is no member any more", store=True, updating=True)
        claims = tuple(
            each for each in snapshot.claims.values() if each.left and each.name.endswith(f"-{pod}")
        )
        return Plan(
            f"{pod} has left the ring; its volumes go", (DeleteClaims(claims),), again=True, updating=True
        )
    return None


def pod_of_left_claim(snapshot: Snapshot, claim: str) -> str:
    """The pod that a claim belonged to, if its StatefulSet does not want that pod any more."""
    for live in snapshot.racks.values():
        for volume in live.storage:
            pod = claim.removeprefix(f"{volume}-")
            stem, _, ordinal = pod.rpartition("-")
            if pod != claim and stem == live.name and ordinal.isdecimal() and int(ordinal) >= live.replicas:
                return pod
    return ""


# --- while a node leaves -----------------------------------------------------------------------


def leaving(snapshot: Snapshot, now: datetime) -> Plan | None:
    """Look after the nodes that were told to leave: wait, or tell them again if that was lost."""
    for pod in snapshot.leaving:
        match position(snapshot, pod):
            case Position.LEAVING:
                return Plan(
                    f"{pod.name} leaves the ring and streams its data",
                    wait=_pause(snapshot, now),
                    updating=True,
                )
            case Position.MEMBER:
                return _tell(snapshot, pod, now)
            case Position.LEFT:
                return Plan(f"{pod.name} has left the ring", wait=POLL, updating=True)
            case Position.UNKNOWN:
                sentence = f"{pod.name} was told to leave, and no node says how far it is"
                return Plan(sentence, wait=POLL, updating=True)
    return None


def _tell(snapshot: Snapshot, pod: PodState, now: datetime) -> Plan:
    call = snapshot.memory.leaves.get(pod.incarnation)
    if call is not None and call.call is not StartCall.REFUSED:
        return Plan(f"{pod.name} was told to leave the ring", wait=_pause(snapshot, now), updating=True)
    retry_at = snapshot.memory.retry_at.get(pod.name)
    if call is not None and retry_at is not None and retry_at > now:
        sentence = (
            f"{pod.name} could not leave the ring ({call.said}); it is told again later{_way_out(snapshot)}"
        )
        return Plan(sentence, wait=max((retry_at - now).total_seconds(), 0.1), updating=True)
    action = Decommission(pod, _rack_name(snapshot, pod))
    return Plan(f"telling {pod.name} to leave the ring", (action,), wait=POLL, updating=True)


def _way_out(snapshot: Snapshot) -> str:
    if snapshot.datacenter.metadata.deletion_timestamp is None:
        return ""
    return f", or not at all without the annotation {Annotation.DECOMMISSION_ON_DELETE}"


def _pause(snapshot: Snapshot, now: datetime) -> float:
    found = next((c for c in snapshot.datacenter.status.conditions if c.type == Condition.SCALING_DOWN), None)
    if found is None or not found.last_transition_time:
        return POLL
    return SLOW_POLL if now - datetime.fromisoformat(found.last_transition_time) > LONG else POLL


# --- before a node leaves ----------------------------------------------------------------------


def begin(snapshot: Snapshot) -> Plan | None:
    """Let the next node leave. To be asked only when every node is started and proved to be healthy."""
    live = next_rack(snapshot) if wants_shrink(snapshot) else None
    if live is None:
        return None
    pods = snapshot.of_rack(live.name)
    if not pods or pods[-1].ordinal != live.replicas - 1:
        return None
    pod = pods[-1]
    if snapshot.datacenter.metadata.deletion_timestamp is None:
        if snapshot.observed.replication is None:
            return Plan("a node is to leave, but none says how the keyspaces are replicated", wait=POLL)
        for reason, sentence in (
            (Reason.TOO_FEW_FOR_REPLICATION, _replicas_lost(snapshot)),
            (Reason.NO_SPACE_TO_SCALE_DOWN, _no_room(snapshot, pod)),
        ):
            if sentence:
                conditions = {str(Condition.VALID): (False, reason.value, sentence)}
                return Plan(sentence, wait=NO_ROOM_PAUSE, conditions=conditions)
    sentence = f"{pod.name} is to leave the ring"
    if not is_true(snapshot.datacenter, Condition.SCALING_DOWN):
        conditions = {str(Condition.SCALING_DOWN): (True, "", "")}
        return Plan(sentence, store=True, updating=True, conditions=conditions)
    return Plan(sentence, (Decommission(pod, _rack_name(snapshot, pod)),), wait=POLL, updating=True)


def _replicas_lost(snapshot: Snapshot) -> str:
    size = snapshot.datacenter.spec.size
    elsewhere = _nodes_elsewhere(snapshot)
    for keyspace, replicas in sorted((snapshot.observed.replication or {}).items()):
        left = size + elsewhere if replicas.anywhere else size
        if replicas.number > left:
            where = "in the ring" if replicas.anywhere else "in this datacenter"
            return (
                f"spec.size: keyspace {keyspace} has {replicas.number} replicas {where}, more than {left} "
                "nodes can hold; lower its replication first, or keep the nodes"
            )
    return ""


def _nodes_elsewhere(snapshot: Snapshot) -> int:
    """How many nodes the ring has in other datacenters."""
    own = snapshot.datacenter.cassandra_name
    tables = snapshot.observed.gossip.values()
    return len({each.host_id for table in tables for each in table if each.datacenter != own and each.normal})


def _no_room(snapshot: Snapshot, leaver: PodState) -> str:
    """Why the data of a node does not fit on the others: each of them may get all of it in the worst case."""
    loads = _loads(snapshot)
    needed = loads.get(leaver.name, 0.0)
    for pod in snapshot.living:
        live = snapshot.racks.get(pod.name.rpartition("-")[0])
        if pod.name == leaver.name or live is None:
            continue
        claim = next(iter(snapshot.claims_of(live, pod.name)), None)
        size = normal_size(claim.capacity) if claim is not None else ""
        if isinstance(size, str):
            return f"spec.size: the size of the volume of {pod.name} is not known, so nothing is moved there"
        free = size - loads.get(pod.name, 0.0)
        if free < needed:
            return (
                f"spec.size: not enough free space to decommission {leaver.name}: {pod.name} has "
                f"{_bytes(free)} free, and {_bytes(needed)} may come; grow the volumes, or keep the node"
            )
    return ""


def _loads(snapshot: Snapshot) -> dict[str, float]:
    found: dict[str, float] = {}
    for pod in snapshot.living:
        for table in snapshot.observed.gossip.values():
            entry = entry_of(snapshot, pod, table)
            if entry is not None:
                found[pod.name] = max(found.get(pod.name, 0.0), entry.load)
    return found


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1024 or unit == "TiB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return ""


def _rack_name(snapshot: Snapshot, pod: PodState) -> str:
    stem = pod.name.rpartition("-")[0]
    return next((rack.name for rack in snapshot.datacenter.plan if rack.statefulset == stem), pod.rack)
