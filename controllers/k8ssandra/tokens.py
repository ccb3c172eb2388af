"""Where the first nodes of a ring with few tokens sit: an even spread, computed before any of them starts.

With 16 tokens and more, nodes choose good places themselves. With fewer, chance decides, so the first nodes
of each datacenter (as many as rows have copies) are told theirs; later ones choose. Only a whole ring can be
spread: when one datacenter has more tokens, or its own configuration for single nodes, nobody is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from missioncontrol.api.names import pod_name, statefulset_name
from missioncontrol.validation.values import at, mapping

ENOUGH: Final = 16
COPIES: Final = 3
_LOCAL_FACTOR: Final = "allocate_tokens_for_local_replication_factor"
# Datacenters begin this fraction of the ring apart at most, for no two nodes may have the same token
_SMALLEST_DIVISOR: Final = 235


@dataclass(frozen=True, slots=True)
class Ring:
    """The tokens of a partitioner: where they begin, and how many there are."""

    first: int
    length: int


_PARTITIONERS: Final = {
    "Murmur3Partitioner": Ring(-(2**63), 2**64),
    "RandomPartitioner": Ring(0, 2**127),
}


def initial_tokens(cluster: Cluster) -> dict[str, dict[str, list[int]]]:
    """By datacenter and pod, the tokens that nodes are told; empty where they choose themselves."""
    counts: list[tuple[int, int]] = []
    rings: set[Ring] = set()
    for datacenter in cluster.datacenters:
        tokens, ring = _tokens(datacenter), _ring(datacenter)
        copies = _whole(_yaml(datacenter).get(_LOCAL_FACTOR, COPIES))
        if tokens is None or ring is None or copies is None or node_config_of(datacenter):
            return {}
        counts.append((tokens, min(copies, datacenter.size)))
        rings.add(ring)
    if len(rings) != 1 or any(tokens < 1 or nodes < 1 for tokens, nodes in counts):
        return {}
    places = spread([tokens * nodes for tokens, nodes in counts], rings.pop())
    return {
        datacenter.name: _dealt(places[index], _first_pods(cluster, datacenter, counts[index][1]))
        for index, datacenter in enumerate(cluster.datacenters)
    }


def spread(counts: Sequence[int], ring: Ring) -> list[list[int]]:
    """So many tokens for each datacenter, evenly over the ring, each datacenter a little before the last."""
    divisor = max(_SMALLEST_DIVISOR, 2 * len(counts) * max(counts))
    apart = -(-ring.length // divisor)
    found = []
    for index, count in enumerate(counts):
        step = ring.length // count
        places = (number * step - index * apart for number in range(count))
        found.append(sorted(ring.first + place % ring.length for place in places))
    return found


def node_config_of(datacenter: DatacenterSpec) -> str:
    """The ConfigMap with the user's own configuration for single nodes, or ""."""
    return str(at(datacenter.body, "perNodeConfigMapRef", "name") or "")


def _dealt(tokens: Sequence[int], pods: Sequence[str]) -> dict[str, list[int]]:
    return {pod: list(tokens[index :: len(pods)]) for index, pod in enumerate(pods)}


def _first_pods(cluster: Cluster, datacenter: DatacenterSpec, number: int) -> list[str]:
    racks = datacenter.rack_names
    return [
        pod_name(
            statefulset_name(cluster.cluster_name, datacenter.name, racks[index % len(racks)]),
            index // len(racks),
        )
        for index in range(number)
    ]


def _tokens(datacenter: DatacenterSpec) -> int | None:
    """The tokens of each node, where these are so few that they must be placed."""
    given = _whole(_yaml(datacenter).get("num_tokens", ENOUGH))
    return given if given is not None and given < ENOUGH else None


def _ring(datacenter: DatacenterSpec) -> Ring | None:
    name = str(_yaml(datacenter).get("partitioner", "Murmur3Partitioner"))
    return next((ring for known, ring in _PARTITIONERS.items() if known in name), None)


def _yaml(datacenter: DatacenterSpec) -> Mapping[str, Any]:
    return mapping(at(datacenter.options, "config", "cassandraYaml"))


def _whole(value: Any) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
