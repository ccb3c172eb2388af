"""What one node sees of its ring: endpoint states, schema versions, and whether a quorum can be reached.

Pure functions on the snapshot, in the words of the management API.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from missioncontrol.local.simulator.ring import MEMBERS, Mode, Node, Snapshot, State

SSTABLE_VERSIONS = "big-nb"
LOAD = "104857.0"
QUORUMS = frozenset({"LOCAL_QUORUM", "QUORUM", "EACH_QUORUM"})


def endpoints(snapshot: Snapshot, local: Node, *, schema: str) -> list[dict[str, str]]:
    """Gossip's table as the node `local` has it; every value a string, sorted by address."""
    seen = [
        n for n in snapshot.nodes if n.ring == local.ring and n.mode_at(snapshot.now) is not Mode.INTERRUPTED
    ]
    return [
        _endpoint(snapshot, n, local=local, schema=schema)
        for n in sorted(seen, key=lambda n: (n.ip, n.host_id))
    ]


def _endpoint(snapshot: Snapshot, node: Node, *, local: Node, schema: str) -> dict[str, str]:
    itself = node.host_id == local.host_id
    status = _status(snapshot, node)
    return {
        "DC": node.datacenter,
        "RACK": node.rack,
        "RELEASE_VERSION": node.version,
        "SCHEMA": schema,
        "SSTABLE_VERSIONS": SSTABLE_VERSIONS,
        "HOST_ID": node.host_id,
        "IS_ALIVE": _text(itself or snapshot.alive(node, seen_from=local.plane)),
        "IS_LOCAL": _text(itself),
        "ENDPOINT_IP": node.ip,
        "INTERNAL_IP": node.ip,
        "INTERNAL_ADDRESS_AND_PORT": f"{node.ip}:7000",
        "NATIVE_ADDRESS_AND_PORT": f"{node.ip}:9042",
        "NATIVE_TRANSPORT_ADDRESS": node.ip,
        "RPC_ADDRESS": node.ip,
        "RPC_READY": _text(snapshot.alive(node, seen_from=node.plane)),
        "STATUS": status,
        "STATUS_WITH_PORT": status,
        "TOKENS": ",".join(str(t) for t in node.tokens),
        "LOAD": LOAD,
        "CLUSTER_NAME": node.cluster,
        "PARTITIONER": "org.apache.cassandra.dht.Murmur3Partitioner",
    }


def _status(snapshot: Snapshot, node: Node) -> str:
    token = node.tokens[0]
    process = snapshot.processes.get(node.uid)
    match node.mode_at(snapshot.now):
        case Mode.JOINING:
            return f"BOOT,{token}"
        case Mode.LEAVING:
            return f"LEAVING,{token}"
        case Mode.MOVING:
            return f"MOVING,{token}"
        case Mode.LEFT:
            return f"LEFT,{token},{int(node.until * 1000)}"
        case _:
            # A node that was drained told the others so before it went; one that was killed could not.
            return "shutdown,true" if process and process.state is State.DRAINED else f"NORMAL,{token}"


def schema_versions(snapshot: Snapshot, local: Node, *, schema: str) -> dict[str, list[str]]:
    """Which nodes hold which schema: simulated nodes always agree, those that are down are UNREACHABLE."""
    found: dict[str, list[str]] = {}
    for node in sorted(snapshot.members(local.ring), key=lambda n: n.ip):
        up = snapshot.alive(node, seen_from=local.plane)
        found.setdefault(schema if up else "UNREACHABLE", []).append(node.ip)
    return found


def unavailable_ranges(
    snapshot: Snapshot, local: Node, *, consistency_level: str, replication_factor: int
) -> dict[str, list[str]]:
    """Token ranges for which the consistency level cannot be reached in the local datacenter, and why.

    Replicas are placed as NetworkTopologyStrategy does: along the ring, in distinct racks first.
    """
    needed = replication_factor // 2 + 1 if consistency_level in QUORUMS else 1
    if consistency_level == "ALL":
        needed = replication_factor
    placed = [
        n
        for n in snapshot.nodes
        if n.ring == local.ring
        and n.datacenter == local.datacenter
        and n.mode_at(snapshot.now) in MEMBERS - {Mode.JOINING}
    ]
    alive = {n.host_id for n in placed if snapshot.alive(n, seen_from=local.plane)}
    if len(alive) == len(placed) >= needed:
        return {}  # Nobody is down and there are enough: no need to walk the ring.
    owners = sorted(((token, n) for n in placed for token in n.tokens), key=lambda o: (o[0], o[1].host_id))
    failed: dict[str, list[str]] = {}
    for index, (token, _) in enumerate(owners):
        replicas = replicas_of(owners, index, replication_factor)
        if sum(n.host_id in alive for n in replicas) >= needed:
            continue
        down = sorted(f"/{n.ip}:7000" for n in replicas if n.host_id not in alive)
        reason = down or [f"{needed} replicas required, but only {len(replicas)} nodes in the ring"]
        failed[f"[{owners[index - 1][0]}, {token}]"] = reason
    return failed


def replicas_of(owners: Sequence[tuple[int, Node]], start: int, wanted: int) -> list[Node]:
    """The nodes that hold the range ending at owners[start]; all of one datacenter."""
    by_rack: defaultdict[str, set[str]] = defaultdict(set)
    for _, node in owners:
        by_rack[node.rack].add(node.host_id)
    limit = min(wanted, sum(len(hosts) for hosts in by_rack.values()))
    chosen: list[Node] = []
    racks: set[str] = set()
    skipped: list[Node] = []
    for step in range(len(owners)):
        if len(chosen) == limit:
            break
        node = owners[(start + step) % len(owners)][1]
        if any(node.host_id == c.host_id for c in (*chosen, *skipped)):
            continue
        if node.rack in racks and len(racks) < len(by_rack):
            skipped.append(node)
            continue
        chosen.append(node)
        racks.add(node.rack)
        if len(racks) == len(by_rack):
            while skipped and len(chosen) < limit:
                chosen.append(skipped.pop(0))
    return chosen


def _text(value: bool) -> str:
    return "true" if value else "false"
