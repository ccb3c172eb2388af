"""Pods whose machines are lost: what people are told, and what they can do.

Whether such a pod may be removed is decided where its node is replaced; here it is only said. Kubernetes
removes pods of a machine that was given up by itself, and their nodes come back elsewhere if their volumes
can follow; where the volumes were the machine's own, the node has to be replaced.
"""

from __future__ import annotations

from controllers.cassandra.machines import OUT_OF_SERVICE, Machine
from controllers.cassandra.state import PodState, Snapshot

REMEDY = (
    "bring it back; or, once it is certainly off, delete the Node or taint it "
    f"{OUT_OF_SERVICE}=nodeshutdown:NoExecute"
)
REPLACE = "replace the node (spec.replaceNodes, a CassandraTask replacenode, or a NodeReplacement)"


def trouble(snapshot: Snapshot) -> str:
    """The sentence about the first pod that has no machine; empty when all have one."""
    for pod in sorted(snapshot.pods, key=lambda each: each.name):
        if pod.machine is not Machine.FINE and not pod.ready:
            return f"waiting for {_sentence(pod)}"
    for pod in sorted(snapshot.living, key=lambda each: each.name):
        if pod.unschedulable:
            bound = "volume" in pod.unschedulable
            remedy = f"; if its volumes are on a machine that is gone, {REPLACE}" if bound else ""
            return f"{pod.name} finds no Kubernetes node: {pod.unschedulable}{remedy}"
    return ""


def _sentence(pod: PodState) -> str:
    remedy = REMEDY if pod.machine is Machine.UNREACHABLE else f"if its volumes are lost with it, {REPLACE}"
    return f"{pod.name}: its Kubernetes node {pod.machine_name} {pod.machine.value}; {remedy}"
