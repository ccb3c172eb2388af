"""The end of a datacenter: nodes stopped, volumes deleted (unless they are to be kept), and then it may go.

Validation has no part in it: a datacenter can be deleted whatever its spec says and whichever Secret is gone.
"""

from __future__ import annotations

from controllers.cassandra.actions import DeleteClaims, Plan, RemoveFinalizer, ScaleRack
from controllers.cassandra.decide.refusals import deletion_refusal
from controllers.cassandra.state import Snapshot
from missioncontrol.api.names import Annotation, Condition, Finalizer, Reason


def decide_deletion(snapshot: Snapshot) -> Plan:
    """What to do about a datacenter that is being deleted."""
    datacenter = snapshot.datacenter
    if Finalizer.CASSANDRA_DATACENTER not in datacenter.metadata.finalizers:
        return Plan("deleted, as far as this operator is concerned", done=True)
    refusal = deletion_refusal(datacenter)
    if refusal:
        condition = {str(Condition.VALID): (False, Reason.NOT_SUPPORTED.value, refusal)}
        return Plan(refusal, conditions=condition, updating=True)
    running = [live for live in snapshot.racks.values() if live.replicas > 0]
    if running:
        actions = tuple(ScaleRack(live.name, 0, live.resource_version) for live in running)
        return Plan(
            f"deleting: stopping {sum(live.replicas for live in running)} nodes", actions, updating=True
        )
    if snapshot.pods:
        names = ", ".join(pod.name for pod in snapshot.pods[:3])
        return Plan(f"deleting: waiting until {len(snapshot.pods)} pods are gone ({names})", updating=True)
    if datacenter.annotated(Annotation.DELETE_PVC, "false"):
        return Plan("deleted; the volumes are kept", (RemoveFinalizer(),), done=True)
    return Plan("deleted, with its volumes", (DeleteClaims(), RemoveFinalizer()), done=True)
