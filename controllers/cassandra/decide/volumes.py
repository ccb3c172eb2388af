"""Volumes that grow: what may change about storage, and the order in which claims and StatefulSets follow.

A StatefulSet's claim templates cannot be changed, so it is deleted without its pods and made again with the
same pod template: no pod restarts. The claims grow first; how far they are stands in their own status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controllers.cassandra.actions import Event, GrowClaims, Plan, RecreateRack, RemoveAnnotation, Tell
from controllers.cassandra.decide import reshape
from controllers.cassandra.decide.refusals import is_true, normal_size
from controllers.cassandra.render.statefulset import DATA_VOLUME
from controllers.cassandra.state import Claim, RackSet, Snapshot
from missioncontrol.api.names import Annotation, Condition, EventReason, LabelValue, Reason, pod_name

REQUEST = "resources.requests.storage"
RESIZE_PAUSE = 10.0
FAILURES = ("ControllerResizeError", "NodeResizeError", "Infeasible")


@dataclass(frozen=True, slots=True)
class Wish:
    """How large the spec wants a volume, and where it says so."""

    field: str
    size: str


@dataclass(frozen=True, slots=True)
class Objection:
    """Why storage cannot become what the spec says."""

    reason: Reason
    sentence: str


def wishes(snapshot: Snapshot) -> dict[str, Wish]:
    """By volume."""
    storage = snapshot.datacenter.spec.storage_config
    field = "spec.storageConfig.cassandraDataVolumeClaimSpec"
    found = {DATA_VOLUME: Wish(field, _request(storage.cassandra_data_volume_claim_spec or {}))}
    for index, volume in enumerate(storage.additional_volumes):
        if volume.pvc_spec is not None:
            field = f"spec.storageConfig.additionalVolumes[{index}].pvcSpec"
            found[volume.name] = Wish(field, _request(volume.pvc_spec))
    return found


def _request(claim: Mapping[str, Any]) -> str:
    return str(((claim.get("resources") or {}).get("requests") or {}).get("storage", ""))


def grown(snapshot: Snapshot, live: RackSet) -> dict[str, str]:
    """The volumes of a rack that are to be larger than its claim template says, with their new sizes."""
    return {
        volume: wish.size
        for volume, wish in wishes(snapshot).items()
        if volume in live.storage and _compare(live.storage[volume], wish.size) < 0
    }


def wants_growth(snapshot: Snapshot) -> bool:
    """Whether some volume is to grow."""
    return any(grown(snapshot, live) for live in snapshot.racks.values())


def classes_to_ask(snapshot: Snapshot) -> frozenset[str]:
    """The StorageClasses of volumes that are to grow."""
    return frozenset(
        claim.storage_class
        for live in snapshot.racks.values()
        for bigger in (grown(snapshot, live),)
        if bigger
        for claim in _claims(snapshot, live)
        if claim.storage_class and _volume(live, claim) in bigger
    )


def objection(snapshot: Snapshot) -> Objection | None:
    """Why the change of storage is refused, if it is."""
    wanted = wishes(snapshot)
    for live in sorted(snapshot.racks.values(), key=lambda each: each.name):
        for volume, size in live.storage.items():
            wish = wanted.get(volume)
            if wish is not None and _compare(size, wish.size) > 0:
                said = f"a volume cannot shrink (from {size} to {wish.size})"
                return Objection(Reason.SHRINKING_NOT_SUPPORTED, f"{wish.field}.{REQUEST}: {said}")
    other = reshape.objection(snapshot)
    if other:
        return Objection(Reason.INVALID_SPEC, other)
    if not wants_growth(snapshot):
        return None
    field = next(wanted[v].field for live in snapshot.racks.values() for v in grown(snapshot, live))
    if not snapshot.datacenter.annotated(Annotation.ALLOW_STORAGE_CHANGES, LabelValue.TRUE):
        return Objection(
            Reason.INVALID_SPEC,
            f"{field}.{REQUEST}: growing volumes has to be allowed by the annotation "
            f'{Annotation.ALLOW_STORAGE_CHANGES}: "true"',
        )
    for name, expandable in sorted(snapshot.observed.storage_classes.items()):
        if not expandable:
            return Objection(
                Reason.NO_EXPANSION,
                f"{field}.{REQUEST}: the StorageClass {name} does not allow its volumes to grow "
                "(allowVolumeExpansion); keep the size, or move the data to another class",
            )
    return None


def grow(snapshot: Snapshot) -> Plan | None:
    """The next step of growing; racks one after the other."""
    for live in sorted(snapshot.racks.values(), key=lambda each: each.name):
        sizes = grown(snapshot, live)
        if not sizes:
            continue
        if not is_true(snapshot.datacenter, Condition.RESIZING_VOLUMES):
            conditions = {str(Condition.RESIZING_VOLUMES): (True, "", "")}
            return Plan("the volumes are to grow", store=True, updating=True, conditions=conditions)
        small = tuple(
            (claim, sizes[_volume(live, claim)])
            for claim in _claims(snapshot, live)
            if _volume(live, claim) in sizes
            and _compare(claim.requested, sizes[_volume(live, claim)]) < 0
            and not claim.deleting
        )
        if small:
            note = f"Resizing the volumes of rack {live.rack} to {', '.join(sorted(set(sizes.values())))}"
            actions = (GrowClaims(small), Tell(Event(EventReason.RESIZING_PVC, note)))
            return Plan(f"rack {live.rack}: its volumes grow", actions, again=True, updating=True)
        return Plan(
            f"rack {live.rack}: its StatefulSet is made again with larger claims, around its running pods",
            (RecreateRack(live.name, live.uid, sizes),),
            again=True,
            updating=True,
        )
    return None


def recreated(snapshot: Snapshot) -> Plan | None:
    """Forget what was written down about a StatefulSet once it has been made again, or need not be."""
    written = snapshot.datacenter.recreating
    if written is None:
        return None
    live = snapshot.racks.get(written.name)
    if live is not None and live.uid == written.uid and grown(snapshot, live):
        return None
    sentence = "the StatefulSet that was to be made again is there"
    return Plan(sentence, (RemoveAnnotation(Annotation.RECREATING),), again=True, updating=True)


def unfinished(snapshot: Snapshot) -> Plan | None:
    """Whether claims that were told to grow have done so."""
    if not is_true(snapshot.datacenter, Condition.RESIZING_VOLUMES):
        return None
    for live in snapshot.racks.values():
        for claim in _claims(snapshot, live):
            if not claim.capacity or _compare(claim.capacity, claim.requested) >= 0:
                continue
            failed = next((kind for kind in FAILURES if kind in claim.conditions), "")
            if failed:
                said = claim.conditions[failed] or failed
                sentence = f"the volume of {claim.name} could not grow to {claim.requested}: {said}"
                conditions = {str(Condition.VALID): (False, Reason.PVC_RESIZE_FAILED.value, sentence)}
                return Plan(sentence, wait=RESIZE_PAUSE, conditions=conditions)
            sentence = f"waiting until the volume of {claim.name} has {claim.requested}"
            return Plan(sentence, wait=RESIZE_PAUSE, updating=True)
    return None


def _claims(snapshot: Snapshot, live: RackSet) -> Iterator[Claim]:
    for ordinal in range(live.replicas):
        yield from snapshot.claims_of(live, pod_name(live.name, ordinal))


def _volume(live: RackSet, claim: Claim) -> str:
    return next((volume for volume in live.storage if claim.name.startswith(f"{volume}-{live.name}-")), "")


def _compare(one: str, other: str) -> int:
    """Below zero when the first is smaller; zero when either is no size."""
    first, second = normal_size(one), normal_size(other)
    if isinstance(first, str) or isinstance(second, str):
        return 0
    return (first > second) - (first < second)
