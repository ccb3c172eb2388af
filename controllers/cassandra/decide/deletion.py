"""The end of a datacenter: nodes stopped, volumes deleted (unless they are to be kept), and then it may go.

Validation has no part in it: a datacenter can be deleted whatever its spec says and whichever Secret is gone.
Where it was asked for, and there is another datacenter to stream to, the nodes leave the ring before.
"""

from __future__ import annotations

from controllers.cassandra.actions import (
    Action,
    DeleteClaims,
    Event,
    ForgetSecrets,
    Plan,
    RemoveFinalizer,
    ScaleRack,
    Tell,
)
from controllers.cassandra.decide.refusals import is_true
from controllers.cassandra.state import Snapshot
from missioncontrol.api.names import Annotation, Condition, EventReason, Finalizer

NOBODY_ANSWERS_PAUSE = 2.0


def decommissions(snapshot: Snapshot) -> bool:
    """Whether nodes of a datacenter that is being deleted may have to leave the ring first."""
    datacenter = snapshot.datacenter
    if Finalizer.CASSANDRA_DATACENTER not in datacenter.metadata.finalizers:
        return False
    asked = datacenter.annotated(Annotation.DECOMMISSION_ON_DELETE)
    return asked and snapshot.replicas > 0 and bool(snapshot.living)


def before_leaving(snapshot: Snapshot) -> Plan | None:
    """Find out whether there is anybody to leave the data to; None when that is known."""
    if is_true(snapshot.datacenter, Condition.DECOMMISSION) or is_lone(snapshot):
        return None
    if others_answer(snapshot):
        event = Event(EventReason.DECOMMISSION_DATACENTER, "Datacenter is decommissioning")
        conditions = {str(Condition.DECOMMISSION): (True, "", "")}
        return Plan(
            "deleting: the nodes leave the ring first",
            (Tell(event),),
            store=True,
            conditions=conditions,
            updating=True,
        )
    sentence = (
        "deleting: the nodes are to leave the ring first, but none of them answers; to delete the datacenter "
        f"without that, remove the annotation {Annotation.DECOMMISSION_ON_DELETE}"
    )
    return Plan(sentence, wait=NOBODY_ANSWERS_PAUSE, updating=True)


def is_lone(snapshot: Snapshot) -> bool:
    """Whether the ring is known to have no other datacenter (any more): there is nobody to stream to.

    The others may be deleted at the same time, and be gone before the last node of this one has left.
    """
    return bool(snapshot.observed.gossip) and not others_answer(snapshot)


def others_answer(snapshot: Snapshot) -> bool:
    """Whether some node sees a member of another datacenter."""
    own = snapshot.datacenter.cassandra_name
    tables = snapshot.observed.gossip.values()
    return any(each.datacenter != own and each.status != "LEFT" for table in tables for each in table)


def decide_deletion(snapshot: Snapshot) -> Plan:
    """What to do about a datacenter that is being deleted, and whose nodes need not leave (any more)."""
    datacenter = snapshot.datacenter
    if Finalizer.CASSANDRA_DATACENTER not in datacenter.metadata.finalizers:
        return Plan("deleted, as far as this operator is concerned", done=True)
    running = [live for live in snapshot.racks.values() if live.replicas > 0]
    if running:
        scale = tuple(ScaleRack(live.name, 0, live.resource_version) for live in running)
        return Plan(f"deleting: stopping {snapshot.replicas} nodes", scale, updating=True)
    if snapshot.pods:
        names = ", ".join(pod.name for pod in snapshot.pods[:3])
        return Plan(f"deleting: waiting until {len(snapshot.pods)} pods are gone ({names})", updating=True)
    secrets = datacenter.used_secrets | snapshot.marked_secrets
    last: tuple[Action, ...] = (ForgetSecrets(tuple(sorted(secrets))), RemoveFinalizer())
    if datacenter.annotated(Annotation.DELETE_PVC, "false"):
        return Plan("deleted; the volumes are kept", last, done=True)
    return Plan("deleted, with its volumes", (DeleteClaims(), *last), done=True)
