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


def spread(
    sizes: Mapping[str, int], racks: Mapping[str, int], replicas: int, *, shrink: bool = False
) -> Spread | Refusal:
    """Spread ``replicas`` nodes evenly over the datacenters.

    ``sizes`` and ``racks`` tell how many nodes and racks each datacenter has now. The present number changes
    nothing, however uneven. A datacenter that changes gets the same number of nodes in each of its racks.
    Taking nodes away is refused unless ``shrink``.
    """
    if not sizes:
        return Refusal("there is no datacenter to put nodes into")
    if replicas == sum(sizes.values()):
        return Spread(dict(sizes))
    share, rest = divmod(replicas, len(sizes))
    if rest == 0 and _fits(share, sizes, racks, shrink=shrink) and replicas <= MAX_REPLICAS:
        return Spread(dict.fromkeys(sizes, share))
    alternatives = _nearest(sizes, racks, replicas, shrink=shrink)
    return Refusal(f"{_why(sizes, racks, replicas, shrink=shrink)}: {_offer(alternatives)}", alternatives)


def _fits(share: int, sizes: Mapping[str, int], racks: Mapping[str, int], *, shrink: bool) -> bool:
    return share > 0 and all(
        share == size or (share % max(racks.get(name, 1), 1) == 0 and (shrink or share > size))
        for name, size in sizes.items()
    )


def _nearest(
    sizes: Mapping[str, int], racks: Mapping[str, int], replicas: int, *, shrink: bool
) -> tuple[int, ...]:
    """The nearest number below and the nearest above that work, the present one included."""
    present, count = sum(sizes.values()), len(sizes)
    step = lcm(*(max(racks.get(name, 1), 1) for name in sizes))
    largest = MAX_REPLICAS // count
    share = min(max(replicas // count, 0), largest)
    low, high = max(min(sizes.values()), 1), max(*sizes.values(), share)
    # beyond the largest present size only multiples of every rack count work: one lies within `step`
    above = [
        each
        for each in range(share, min(high + step, largest) + 1)
        if _fits(each, sizes, racks, shrink=shrink)
    ]
    floor = max(share - step, 1) if shrink else low
    below = [each for each in range(share, floor - 1, -1) if _fits(each, sizes, racks, shrink=shrink)]
    totals = {each * count for each in (*above, *below)} | {present}
    smaller = [total for total in totals if total < replicas]
    larger = [total for total in totals if total > replicas]
    return (*([max(smaller)] if smaller else []), *([min(larger)] if larger else []))


def _why(sizes: Mapping[str, int], racks: Mapping[str, int], replicas: int, *, shrink: bool) -> str:
    if replicas < 1:
        return f"a cluster cannot have {_nodes(replicas)}"
    if replicas > MAX_REPLICAS:
        return f"{replicas} nodes are more than a cluster can have"
    if not shrink and replicas < sum(sizes.values()):
        return f"taking nodes away (from {sum(sizes.values())} to {replicas}) is not supported yet"
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
