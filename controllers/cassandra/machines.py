"""The Kubernetes nodes under the pods: which of them are lost, so that nobody there will ever say so.

A pod on a machine that does not answer is never removed by force: its Cassandra may still run and write. Only
when somebody has said that the machine is gone (the Node is deleted, or carries the out-of-service taint that
Kubernetes itself goes by) is it certain that it does not.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from missioncontrol.kube.views import Condition, Meta, View

OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"


class Taint(View, frozen=True):
    """A taint of a Kubernetes node."""

    key: str = ""


class MachineSpec(View, frozen=True):
    """The part of a Kubernetes node's spec that says whether it is in use."""

    taints: tuple[Taint, ...] = ()


class MachineStatus(View, frozen=True):
    """The conditions of a Kubernetes node."""

    conditions: tuple[Condition, ...] = ()


class MachineView(View, frozen=True):
    """A Kubernetes node."""

    metadata: Meta = Meta()
    spec: MachineSpec = msgspec.field(default_factory=MachineSpec)
    status: MachineStatus = msgspec.field(default_factory=MachineStatus)


class Machine(Enum):
    """What is known of the machine of a pod."""

    FINE = "fine"
    UNREACHABLE = "does not answer"
    OUT_OF_SERVICE = "is out of service"
    GONE = "no longer exists"

    @property
    def lost(self) -> bool:
        """Whether nothing runs there any more, for certain."""
        return self in (Machine.OUT_OF_SERVICE, Machine.GONE)


def machine_of(view: MachineView | None) -> Machine:
    """The state of a machine; None is one whose Node does not exist."""
    if view is None:
        return Machine.GONE
    taints = {each.key for each in view.spec.taints}
    ready = next((each.status for each in view.status.conditions if each.type == "Ready"), "Unknown")
    if OUT_OF_SERVICE in taints and ready != "True":
        return Machine.OUT_OF_SERVICE
    if ready == "Unknown" or _UNREACHABLE in taints:
        return Machine.UNREACHABLE
    return Machine.FINE
