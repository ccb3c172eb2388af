"""What a wanted number of nodes means for each datacenter, or why it cannot be had.

A cluster's nodes are spread evenly over its datacenters, and a datacenter's over its racks, so that neither
replication nor the balance of racks suffers from a number that somebody typed. Whoever asks for a number
that cannot be spread is told the nearest ones that can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm

MAX_REPLICAS = 100_000


@dataclass(frozen=True, slots=True)
class Spread:
    """The new size of each datacenter."""

    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the number cannot be had, in a sentence, and the nearest numbers that can."""

    message: str
    alternatives: tuple[int, ...] = ()


def spread(sizes: Mapping[str, int], racks: Mapping[str, int], replicas: int) -> Spread | Refusal:
    """Spread ``replicas`` nodes evenly over the datacenters.

    ``sizes`` and ``racks`` tell how many nodes and racks each datacenter has now. The present number changes
    nothing, however uneven. A datacenter that changes gets the same number of nodes in each of its racks, and
    at least one. Whether the data of nodes that go fits on those that stay is for its plane to find out.
    """
    if not sizes:
        return Refusal("there is no datacenter to put nodes into")
    if replicas == sum(sizes.values()):
        return Spread(dict(sizes))
    share, rest = divmod(replicas, len(sizes))
    if rest == 0 and _fits(share, sizes, racks) and replicas <= MAX_REPLICAS:
        return Spread(dict.fromkeys(sizes, share))
    alternatives = _nearest(sizes, racks, replicas)
    return Refusal(f"{_why(sizes, racks, replicas)}: {_offer(alternatives)}", alternatives)


def _fits(share: int, sizes: Mapping[str, int], racks: Mapping[str, int]) -> bool:
    return share > 0 and all(
        share == size or share % max(racks.get(name, 1), 1) == 0 for name, size in sizes.items()
    )


def _nearest(sizes: Mapping[str, int], racks: Mapping[str, int], replicas: int) -> tuple[int, ...]:
    """The nearest number below and the nearest above that work, the present one included."""
    present, count = sum(sizes.values()), len(sizes)
    step = lcm(*(max(racks.get(name, 1), 1) for name in sizes))
    largest = MAX_REPLICAS // count
    share = min(max(replicas // count, 0), largest)
    high = max(*sizes.values(), share)
    # every step has a multiple of all rack counts, so that one lies within it in each direction
    above = [each for each in range(share, min(high + step, largest) + 1) if _fits(each, sizes, racks)]
    below = [each for each in range(share, max(share - step, 1) - 1, -1) if _fits(each, sizes, racks)]
    totals = {each * count for each in (*above, *below)} | {present}
    smaller = [total for total in totals if total < replicas]
    larger = [total for total in totals if total > replicas]
    return (*([max(smaller)] if smaller else []), *([min(larger)] if larger else []))


def _why(sizes: Mapping[str, int], racks: Mapping[str, int], replicas: int) -> str:
    if replicas < 1:
        return f"a cluster cannot have {_nodes(replicas)}"
    if replicas > MAX_REPLICAS:
        return f"{replicas} nodes are more than a cluster can have"
    places = ", ".join(
        f"{name} ({_racks(racks.get(name, 1))}, now {_nodes(size)})" for name, size in sizes.items()
    )
    return f"{_nodes(replicas)} cannot be spread evenly over {places}"


def _offer(alternatives: tuple[int, ...]) -> str:
    if not alternatives:
        return "no number would work"
    return f"{' or '.join(map(str, alternatives))} would work"


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _racks(count: int) -> str:
    return "1 rack" if count == 1 else f"{count} racks"
