"""Proof that a datacenter is healthy: every node ready, NORMAL in the gossip of every other, and a quorum."""

from __future__ import annotations

from controllers.cassandra.state import Endpoint, Gossip, PodState, Snapshot


def unhealthy(snapshot: Snapshot, *, fresh: bool = False, quorum: bool = True) -> str:
    """Why health is not proved; empty when it is. An earlier proof counts, unless it has to be fresh."""
    expected = snapshot.replicas
    started = [pod for pod in snapshot.living if pod.started]
    if len(started) < expected or len(snapshot.pods) > len(started):
        return f"only {len(started)} of {expected} nodes are ready"
    if not fresh and fingerprint(snapshot) == snapshot.memory.healthy:
        return ""
    for pod in started:
        reason = _doubt(snapshot, pod, started, quorum=quorum)
        if reason:
            return reason
    return ""


def fingerprint(snapshot: Snapshot) -> frozenset[str]:
    """The nodes that run now; a proof of health holds for as long as they are the same."""
    return frozenset(pod.incarnation for pod in snapshot.living if pod.started)


def movement(snapshot: Snapshot) -> str:
    """A node that joins, leaves or moves, as any asked node sees it; empty when there is none."""
    for pod, gossip in snapshot.observed.gossip.items():
        for endpoint in gossip:
            if endpoint.moving:
                return f"{endpoint.address} is {endpoint.status} in the gossip of {pod}"
    return ""


def _doubt(snapshot: Snapshot, pod: PodState, started: list[PodState], *, quorum: bool) -> str:
    gossip = snapshot.observed.gossip.get(pod.name)
    if gossip is None:
        return f"{pod.name} does not say what it sees in gossip"
    for other in started:
        endpoint = entry_of(snapshot, other, gossip)
        if endpoint is None or not endpoint.normal or not endpoint.alive:
            state = "unknown" if endpoint is None else endpoint.status if endpoint.alive else "down"
            return f"{other.name} is {state} in the gossip of {pod.name}"
    moving = next((endpoint for endpoint in gossip if endpoint.moving), None)
    if moving is not None:
        return f"{moving.address} is {moving.status} in the gossip of {pod.name}"
    if quorum and not snapshot.observed.quorum.get(pod.name, False):
        return f"{pod.name} does not see a LOCAL_QUORUM"
    return ""


def entry_of(snapshot: Snapshot, pod: PodState, table: Gossip) -> Endpoint | None:
    """A node in a table of gossip: by the host id that it says of itself, else by its address.

    Which address a node tells the others depends on its configuration, not only on what Kubernetes gave it.
    """
    own = snapshot.observed.gossip.get(pod.name) or ()
    host = next((each.host_id for each in own if each.local and each.host_id), "")
    if host:
        return next((each for each in table if each.host_id == host), None)
    return next((each for each in table if each.address == node_address(snapshot, pod)), None)


def node_address(snapshot: Snapshot, pod: PodState) -> str:
    """The address by which other nodes know this one."""
    datacenter = snapshot.datacenter
    return pod.host_ip if datacenter.uses_host_network or datacenter.internode_port else pod.ip
