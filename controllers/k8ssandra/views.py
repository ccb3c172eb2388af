"""The slim views that this operator keeps of objects, and how it reads other operators' statuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from missioncontrol.api.names import Condition, Label, LabelValue, NodeState, Progress
from missioncontrol.kube.views import Object, Pod
from missioncontrol.validation.values import integer, mapping, sequence


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of a status by its type; empty when it has none."""
    return next(
        (each for each in map(mapping, sequence(status.get("conditions"))) if each.get("type") == kind), {}
    )


def holds(status: Mapping[str, Any], kind: str) -> bool:
    return condition(status, kind).get("status") == "True"


def is_initialized(datacenter: Object) -> bool:
    """All nodes were up at once, once."""
    return holds(datacenter.status, Condition.INITIALIZED)


def is_current(datacenter: Object) -> bool:
    """cass-operator has carried out the present spec."""
    return (integer(datacenter.status.get("observedGeneration")) or 0) >= datacenter.metadata.generation


def is_settled(datacenter: Object) -> bool:
    """All nodes serve, or are stopped on purpose, and cass-operator has nothing left to do."""
    stopped = bool(datacenter.spec.get("stopped"))
    return (
        is_current(datacenter)
        and holds(datacenter.status, Condition.STOPPED if stopped else Condition.READY)
        and datacenter.status.get("cassandraOperatorProgress") == Progress.READY
    )


def is_serving(pod: Pod) -> bool:
    """A node that takes requests."""
    return pod.ready and pod.metadata.labels.get(Label.NODE_STATE) == NodeState.STARTED


def is_seed(pod: Pod) -> bool:
    return pod.metadata.labels.get(Label.SEED_NODE) == LabelValue.TRUE
