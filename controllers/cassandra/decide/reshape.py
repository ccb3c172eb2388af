"""Volumes that come or go: a rack's StatefulSet is made again with other claims, and its pods one by one.

Claim templates cannot be changed, and a running pod gets no further volume. So the StatefulSet is deleted
around its pods and made again as the spec wants it, and then each pod is deleted, the lowest ordinal first:
Kubernetes does nothing for a pod while one with a lower ordinal lacks a volume of the new StatefulSet. One
rack after the other, one pod at a time, each when the whole datacenter is healthy again.
"""

from __future__ import annotations

from controllers.cassandra.actions import DeletePod, Event, Plan, RecreateRack
from controllers.cassandra.decide.health import unhealthy
from controllers.cassandra.render.statefulset import DATA_VOLUME
from controllers.cassandra.state import PodState, RackSet, Snapshot
from missioncontrol.api.names import Annotation, EventReason, LabelValue

HEALTH_PAUSE = 1.0


def wanted_volumes(snapshot: Snapshot) -> frozenset[str]:
    """The volumes with claims of their own that each pod is to have."""
    volumes = snapshot.datacenter.spec.storage_config.additional_volumes
    return frozenset({DATA_VOLUME, *(each.name for each in volumes if each.pvc_spec)})


def is_reshaped(snapshot: Snapshot, live: RackSet) -> bool:
    """Whether a rack's StatefulSet has the volumes that the spec wants."""
    return frozenset(live.storage) == wanted_volumes(snapshot)


def objection(snapshot: Snapshot) -> str:
    """Why other volumes are refused, if they are: it is asked before any pod is replaced."""
    if snapshot.datacenter.annotated(Annotation.ALLOW_STORAGE_CHANGES, LabelValue.TRUE):
        return ""
    wanted = wanted_volumes(snapshot)
    for live in sorted(snapshot.racks.values(), key=lambda each: each.name):
        new, old = sorted(wanted - set(live.storage)), sorted(set(live.storage) - wanted)
        if new or old:
            what = f"adding the volume {new[0]!r}" if new else f"removing the volume {old[0]!r}"
            return (
                f"spec.storageConfig.additionalVolumes: {what} replaces every pod; it has to be allowed by "
                f'the annotation {Annotation.ALLOW_STORAGE_CHANGES}: "true"'
            )
    return ""


def is_due(snapshot: Snapshot) -> bool:
    """Whether volumes have to come or go, in some rack or pod, and may."""
    return not objection(snapshot) and any(
        not is_reshaped(snapshot, live) or _stale(snapshot, live) for live in snapshot.racks.values()
    )


def step(snapshot: Snapshot) -> Plan | None:
    """The next StatefulSet or pod; to be asked only when every node is started."""
    for live in sorted(snapshot.racks.values(), key=lambda each: each.name):
        stale = _stale(snapshot, live)
        if is_reshaped(snapshot, live) and not stale:
            continue
        reason = unhealthy(snapshot, fresh=True)
        if reason:
            sentence = f"the volumes of rack {live.rack} are to change, but {reason}"
            return Plan(sentence, wait=HEALTH_PAUSE, updating=True)
        if not is_reshaped(snapshot, live):
            sentence = f"rack {live.rack}: its StatefulSet is made again with other volumes, around its pods"
            return Plan(
                sentence, (RecreateRack(live.name, live.uid, {}, anew=True),), wait=1.0, updating=True
            )
        return _replace(live, stale[0])
    return None


def unblock(snapshot: Snapshot) -> Plan | None:
    """Kubernetes makes no pod while one with a lower ordinal lacks a volume: that one has to go first."""
    for live in sorted(snapshot.racks.values(), key=lambda each: each.name):
        stale = _stale(snapshot, live)
        present = {pod.ordinal for pod in snapshot.pods if pod.name.rpartition("-")[0] == live.name}
        absent = set(range(live.replicas)) - present
        if is_reshaped(snapshot, live) and stale and absent and stale[0].ordinal < max(absent):
            return _replace(live, stale[0])
    return None


def _replace(live: RackSet, pod: PodState) -> Plan:
    note = f"Restarting Cassandra for pod {pod.name}: its volumes change"
    delete = DeletePod(pod, Event(EventReason.RESTARTING_CASSANDRA, note))
    return Plan(f"rack {live.rack}: {pod.name} gets its other volumes", (delete,), updating=True, wait=5.0)


def _stale(snapshot: Snapshot, live: RackSet) -> list[PodState]:
    """The pods that were made with other volumes, by ordinal."""
    return [
        pod for pod in snapshot.of_rack(live.name) if pod.volumes and pod.volumes != frozenset(live.storage)
    ]
