"""Operations: what users ask for once, and what remains of it.

Every kind of operation has the common fields below at the top of its spec and its own arguments beside
them. All kinds share one storage kind, where the arguments of a kind stand under one member named like
the kind in lower case (``spec.rollingrestart``).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from missioncontrol.api.model import (
    LIST_ATOMIC,
    LIST_SET,
    Conditions,
    Int32,
    Int64,
    KubeModel,
    Time,
    list_map,
)
from missioncontrol.api.names import OperationPhase


class OperationSpec(KubeModel):
    """What all operations have in common."""

    cluster_name: str = Field(
        min_length=1, max_length=253, description="MissionControlCluster in the same namespace to work on."
    )
    datacenters: Annotated[list[Annotated[str, Field(max_length=253)]], LIST_ATOMIC] = Field(
        default_factory=list,
        max_length=100,
        description="Datacenters to work on, one after the other in this order; all of the cluster if empty.",
    )
    ttl_seconds_after_finished: Int32 | None = Field(
        None, ge=0, description="Seconds until the operation is deleted once it ended; kept if unset."
    )
    on_conflict: Literal["Queue", "Reject"] = Field(
        "Queue",
        description="What to do while another operation works on the cluster: wait (Queue) or fail (Reject).",
    )


class RollingRestartArguments(KubeModel):
    """The arguments of a rolling restart."""

    racks: Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], LIST_SET] = Field(
        default_factory=list,
        max_length=100,
        description="Names of the racks to restart, in the datacenters that have them; all racks if empty.",
    )


class RollingRestartSpec(OperationSpec, RollingRestartArguments):
    """A restart of all nodes, rack by rack and one node at a time."""


class PlanStep(KubeModel):
    """One step of a plan."""

    datacenter: str = Field(description="Datacenter of the step.")
    rack: str | None = Field(None, description="Rack of the step.")
    pods: Annotated[list[str], LIST_ATOMIC] = Field(
        default_factory=list, description="Pods that the step touches, in this order."
    )
    action: str = Field(description="What is done to them.")
    availability: str | None = Field(None, description="How many nodes stay available during the step.")


class OperationPlan(KubeModel):
    """What an operation will do, decided before anything is touched."""

    steps: Annotated[list[PlanStep], LIST_ATOMIC] = Field(
        default_factory=list, description="The steps, in order."
    )
    pods_touched: Int32 | None = Field(None, description="Pods that are touched, over all steps.")
    blocking: Annotated[list[str], LIST_ATOMIC] = Field(
        default_factory=list, description="Why the operation cannot start now, in sentences."
    )
    message: str | None = Field(None, description="The plan in a sentence.")


class NodeFailure(KubeModel):
    """A node on which an operation failed."""

    name: str = Field(description="The node, by the name of its pod.")
    message: str | None = Field(None, description="Why it failed there.")


class OperationDatacenterStatus(KubeModel):
    """How far an operation is in one datacenter."""

    name: str = Field(description="Name of the datacenter.")
    data_plane: str | None = Field(None, description="DataPlane that the datacenter runs in.")
    total: Int32 | None = Field(None, description="Nodes to work on.")
    succeeded: Int32 | None = Field(None, description="Nodes that are done.")
    failed: Int32 | None = Field(None, description="Nodes on which it failed.")
    failures: Annotated[list[NodeFailure], list_map("name")] = Field(
        default_factory=list,
        max_length=100,
        description="The first hundred of these nodes, and what they said.",
    )
    phase: OperationPhase | None = Field(
        None, description="Pending, Queued, Running, Complete, Failed or Cancelled."
    )
    message: str | None = Field(None, description="What is going on, in a sentence.")


class OperationStatus(KubeModel):
    """How far an operation is."""

    phase: OperationPhase | None = Field(
        None, description="Pending, Queued, Running, Complete, Failed or Cancelled."
    )
    conditions: Conditions = Field(
        default_factory=list, description="Planned, Running, Complete, Failed and Cancelled."
    )
    plan: OperationPlan | None = Field(None, description="What the operation does, step by step.")
    datacenters: Annotated[list[OperationDatacenterStatus], list_map("name")] = Field(
        default_factory=list, description="How far it is in each datacenter."
    )
    requested_by: str | None = Field(None, description="Who asked for the operation.")
    start_time: Time | None = Field(None, description="When it started.")
    completion_time: Time | None = Field(None, description="When it ended.")
    message: str | None = Field(None, description="What is going on, in a sentence.")
    observed_generation: Int64 | None = Field(None, description="The generation that was reconciled last.")


class OperationViewSpec(OperationSpec):
    """An operation of any kind, as the list over all of them shows it."""

    type: str = Field(description="Kind of the operation, such as RollingRestart.")
