"""Whose an object in a plane is.

What this operator writes into a plane carries the id of the control plane and the namespace and name of the
cluster it belongs to, never a UID: a control plane that was restored from a backup, with new UIDs, finds its
databases again instead of taking them for somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from missioncontrol.api.names import Component, Label

FIELD_MANAGER: Final = str(Component.MISSION_CONTROL_OPERATOR)


@dataclass(frozen=True, slots=True)
class Owner:
    """One cluster of one control plane, as the owner of objects in planes."""

    control_plane: str
    namespace: str
    name: str

    def labels(self) -> dict[str, str]:
        """The labels that every object of this owner carries."""
        return {
            Label.CONTROL_PLANE: self.control_plane,
            Label.MC_CLUSTER_NAMESPACE: self.namespace,
            Label.MC_CLUSTER_NAME: self.name,
        }

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is this owner's."""
        return all(labels.get(key) == value for key, value in self.labels().items())


def namespace_labels(control_plane: str) -> dict[str, str]:
    """The labels of a namespace that this operator made; it is shared by all clusters of that namespace."""
    return {Label.CONTROL_PLANE: control_plane, Label.APP_MANAGED_BY: FIELD_MANAGER}


def describe_owner(labels: Mapping[str, str]) -> str:
    """Words for whose an object is, for the message that says why it is left alone."""
    plane = labels.get(Label.CONTROL_PLANE)
    if not plane:
        return "was not made by Mission Control"
    whose = f"{labels.get(Label.MC_CLUSTER_NAMESPACE, '?')}/{labels.get(Label.MC_CLUSTER_NAME, '?')}"
    return f"belongs to the cluster {whose} of the control plane {plane}"
