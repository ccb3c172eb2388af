"""What this operator does not do (yet), said with the path of the field, before anything is half done.

A refused change leaves everything as it is: the nodes that exist are still looked after, the change is not
begun.
"""

from __future__ import annotations

from collections.abc import Iterator

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render import cdc
from controllers.cassandra.state import Snapshot
from missioncontrol.api.names import Condition


def refusals(snapshot: Snapshot) -> list[str]:
    """Everything that is wrong with the spec, each a sentence that begins with the field's path."""
    return [*_impossible(snapshot.datacenter), *_changes(snapshot)]


def _impossible(datacenter: Datacenter) -> Iterator[str]:
    racks = len(datacenter.racks)
    if datacenter.spec.size < racks:
        yield (
            f"spec.size: {datacenter.spec.size} nodes cannot be spread over {racks} racks; "
            f"at least {racks} are needed"
        )
    names = [rack.name for rack in datacenter.racks]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"spec.racks: the name {name!r} is used twice"
    for index, rack in enumerate(datacenter.racks):
        if "." in datacenter.statefulset_name(rack.name):
            yield f"spec.racks[{index}].name: a dot cannot be part of a StatefulSet's name"
    for path, sentence in cdc.faults(datacenter.spec.config or {}, datacenter):
        yield f"spec.config.{path}: {sentence}"
    claim = datacenter.spec.storage_config.cassandra_data_volume_claim_spec
    if not claim:
        yield "spec.storageConfig.cassandraDataVolumeClaimSpec: is required"


def _changes(snapshot: Snapshot) -> Iterator[str]:
    datacenter = snapshot.datacenter
    planned = {rack.statefulset: rack for rack in datacenter.plan}
    for name, live in sorted(snapshot.racks.items()):
        if name not in planned:
            yield (
                f"spec.racks: rack {live.rack!r} has nodes; a rack can neither be removed nor renamed: put "
                "it back under its name, and lower spec.size if there are to be fewer nodes"
            )


def is_true(datacenter: Datacenter, kind: Condition) -> bool:
    """Whether a condition of the datacenter's status is True."""
    return any(each.type == kind and each.status == "True" for each in datacenter.status.conditions)


_UNITS = {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
    "Ei": 2**60,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "E": 10**18,
}
_LONGEST_FIRST = sorted(_UNITS, key=len, reverse=True)


def normal_size(quantity: str) -> float | str:
    """A quantity of bytes as a number, so that 1024Mi equals 1Gi; what is none is kept as it is."""
    for unit in _LONGEST_FIRST:
        if quantity.endswith(unit):
            number = quantity.removesuffix(unit)
            break
    else:
        unit, number = "", quantity
    try:
        return float(number) * _UNITS.get(unit, 1)
    except ValueError:
        return quantity
