"""The status of a cluster: phase, conditions, and a sentence: what is going on, and what it waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controllers.missioncontrol.clusters.datacenters import View
from controllers.missioncontrol.clusters.facts import Cluster, Snapshot
from controllers.missioncontrol.clusters.guard import Objection
from controllers.missioncontrol.clusters.rollout import Rollout
from controllers.missioncontrol.conditions import Verdict, merge
from missioncontrol.api.names import Condition, Phase, Reason

_SERIOUS = (Phase.BOOTSTRAPPING, Phase.PENDING, Phase.DEGRADED, Phase.UPDATING)


def cluster_status(
    snapshot: Snapshot,
    rollout: Rollout,
    views: Sequence[View],
    objection: Objection | None,
    *,
    now: str,
) -> dict[str, Any]:
    """The whole status of a cluster that is not being deleted."""
    cluster = snapshot.cluster
    phase = _phase(views, rollout)
    message = _message(cluster, views, phase, objection)
    verdicts = [_ready(views, phase, message, objection), _progressing(phase, views), _reconciled(objection)]
    if rollout.initialized:
        verdicts.append(
            Verdict(
                Condition.INITIALIZED, True, Reason.AS_EXPECTED, "a datacenter of the cluster is initialised"
            )
        )
    recorded = {str(each.get("name")): each for each in cluster.status.get("datacenters") or ()}
    datacenters = _kept(recorded, views) if objection else []
    # what is objected to is not recorded: the record says what was accepted once
    told = [each for each in views if not objection or each.datacenter.name in recorded]
    datacenters += [_datacenter(each, recorded.get(each.datacenter.name, {}), now=now) for each in told]
    return {
        "phase": str(phase),
        "message": message,
        "conditions": _merged(cluster, verdicts, now=now),
        "datacenters": datacenters,
        "replicas": sum(each.size for each in cluster.datacenters),
        "readyReplicas": sum(int(each["readyReplicas"]) for each in datacenters),
        "selector": cluster.pod_selector,
        "observedGeneration": cluster.generation,
    }


def deleting_status(cluster: Cluster, waits: Sequence[str], *, now: str) -> dict[str, Any]:
    """The status of a cluster that is being deleted: what is left, and what it waits for."""
    message = f"is being deleted: {'; '.join(waits)}" if waits else "is being deleted"
    verdicts = [
        Verdict(Condition.READY, False, Reason.DELETING, message),
        Verdict(Condition.PROGRESSING, True, Reason.DELETING, message),
    ]
    return {
        **cluster.status,
        "phase": str(Phase.DELETING),
        "message": message,
        "conditions": _merged(cluster, verdicts, now=now),
        "observedGeneration": cluster.generation,
    }


def _merged(cluster: Cluster, verdicts: Sequence[Verdict], *, now: str) -> list[dict[str, Any]]:
    before = cluster.status.get("conditions") or ()
    return merge(before, verdicts, now=now, generation=cluster.generation)


def _phase(views: Sequence[View], rollout: Rollout) -> Phase:
    phases = {view.phase for view in views}
    if not rollout.initialized:
        return Phase.BOOTSTRAPPING if phases - {Phase.PENDING} else Phase.PENDING
    if Phase.PENDING in phases:
        return Phase.BOOTSTRAPPING
    if phases == {Phase.STOPPED}:
        return Phase.STOPPED
    return next((phase for phase in _SERIOUS if phase in phases), Phase.READY)


def _message(cluster: Cluster, views: Sequence[View], phase: Phase, objection: Objection | None) -> str:
    if objection is not None:
        return f"is left as it is: {objection.message}"
    if not views:
        return "has no datacenters"
    if phase is Phase.READY:
        return _well(views)
    clauses = [f"{view.datacenter.name} {_clause(view)}" for view in views if view.phase is not Phase.READY]
    return "; ".join(clauses)


def _well(views: Sequence[View]) -> str:
    """All is well with those that are to run; those that are stopped on purpose are named."""
    running = [view for view in views if view.phase is Phase.READY]
    total = sum(view.datacenter.size for view in running)
    where = f" in {len(running)} datacenters" if len(running) > 1 else ""
    stopped = [f"{view.datacenter.name} is stopped" for view in views if view.phase is Phase.STOPPED]
    told = "its only node is ready" if total == 1 else f"all {total} nodes{where} are ready"
    return "; ".join((told, *stopped))


def _clause(view: View) -> str:
    return view.message if view.message.startswith(("is ", "waits")) else f"({view.phase}): {view.message}"


def _ready(views: Sequence[View], phase: Phase, message: str, objection: Objection | None) -> Verdict:
    if objection is not None and not any(view.ready for view in views):
        return Verdict(Condition.READY, False, objection.reason, message)
    if phase is Phase.READY:
        return Verdict(Condition.READY, True, Reason.AS_EXPECTED, message)
    worst = next((view for view in views if view.phase is phase), None) or next(
        (view for view in views if not view.ready), None
    )
    return Verdict(Condition.READY, False, worst.reason if worst else Reason.WAITING, message)


def _progressing(phase: Phase, views: Sequence[View]) -> Verdict:
    moving = [
        view for view in views if not view.absent and view.phase in (Phase.BOOTSTRAPPING, Phase.UPDATING)
    ]
    if moving:
        text = "; ".join(f"{view.datacenter.name}: {view.message}" for view in moving)
        return Verdict(Condition.PROGRESSING, True, moving[0].reason, text)
    text = "nothing is left to do" if phase is Phase.READY else "nothing can be done at the moment"
    return Verdict(
        Condition.PROGRESSING, False, Reason.AS_EXPECTED if phase is Phase.READY else Reason.WAITING, text
    )


def _reconciled(objection: Objection | None) -> Verdict:
    if objection is None:
        return Verdict(
            Condition.RECONCILED, True, Reason.AS_EXPECTED, "the spec is what the planes are asked for"
        )
    return Verdict(Condition.RECONCILED, False, objection.reason, objection.message)


def _datacenter(view: View, before: Mapping[str, Any], *, now: str) -> dict[str, Any]:
    return {
        "name": view.datacenter.name,
        "dataPlane": view.datacenter.plane,
        "replicas": view.datacenter.size,
        "readyReplicas": view.ready_replicas(before),
        "conditions": merge(before.get("conditions") or (), view.verdicts(), now=now),
        "message": view.message,
    }


def _kept(recorded: Mapping[str, Mapping[str, Any]], views: Sequence[View]) -> list[dict[str, Any]]:
    """Entries that a spec that is not acted upon leaves out: they still exist in their planes."""
    told = {view.datacenter.name for view in views}
    return [dict(entry) for name, entry in recorded.items() if name not in told]
