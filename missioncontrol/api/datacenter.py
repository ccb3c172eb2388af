"""Datacenter and DatabaseNode: what runs where, written by mission-control-operator alone.

A Datacenter is named ``<cluster>.<datacenter>``. A DatabaseNode is one entry of its ``status.nodes``, shown
as an object of its own under the name of the node's pod; it is stored nowhere else.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from missioncontrol.api.model import Conditions, Int32, Int64, KubeModel, Time, list_map
from missioncontrol.api.names import Phase


class DatacenterRack(KubeModel):
    """A rack and its share of the nodes."""

    name: str = Field(description="Name of the rack.")
    size: Int32 = Field(description="Nodes that are wanted in the rack.")


class DatacenterSpec(KubeModel):
    """Where a datacenter runs and how large it is. It follows the cluster; change it there or by scaling."""

    cluster_name: str = Field(description="MissionControlCluster that the datacenter belongs to.")
    name: str = Field(description="Name of the datacenter in the cluster.")
    data_plane: str = Field(description="DataPlane that the datacenter runs in.")
    size: Int32 = Field(ge=0, description="Nodes that are wanted, over all racks.")
    racks: Annotated[list[DatacenterRack], list_map("name")] = Field(
        default_factory=list, description="The racks and their shares."
    )
    stopped: bool | None = Field(None, description="Whether the datacenter is stopped on purpose.")


class DatacenterNode(KubeModel):
    """One Cassandra node."""

    name: str = Field(description="Name of the node's pod.")
    rack: str | None = Field(None, description="Rack of the node.")
    data_plane: str | None = Field(None, description="DataPlane that the node runs in.")
    host_id: str | None = Field(None, alias="hostID", description="Host id of the node in the ring.")
    ip: str | None = Field(None, description="Address of the node in the ring.")
    state: str | None = Field(
        None, description="Ready-to-Start, Starting, Started, Started-not-Ready or Decommissioning."
    )
    ready: bool | None = Field(None, description="Whether the node serves requests.")
    started_at: Time | None = Field(None, description="When the node's container started.")


class DatacenterStatus(KubeModel):
    """What is known of a datacenter."""

    phase: Phase | None = Field(
        None, description="Pending, Bootstrapping, Ready, Updating, Degraded, Stopped or Deleting."
    )
    conditions: Conditions = Field(default_factory=list, description="Ready and other aspects.")
    message: str | None = Field(None, description="What is going on, in a sentence.")
    replicas: Int32 | None = Field(None, description="Nodes that exist.")
    ready_replicas: Int32 | None = Field(None, description="Nodes that serve requests.")
    selector: str | None = Field(None, description="Label selector of the pods, for autoscalers.")
    version: str | None = Field(None, description="Version of the database.")
    nodes: Annotated[list[DatacenterNode], list_map("name")] = Field(
        default_factory=list, description="The nodes of the datacenter."
    )
    observed_generation: Int64 | None = Field(
        None, description="The generation of the cluster that this was gathered for."
    )


class DatabaseNodeSpec(KubeModel):
    """Which node this is."""

    cluster_name: str = Field(description="MissionControlCluster that the node belongs to.")
    datacenter: str = Field(description="Datacenter of the node.")
    rack: str | None = Field(None, description="Rack of the node.")
    data_plane: str | None = Field(None, description="DataPlane that the node runs in.")


class DatabaseNodeStatus(KubeModel):
    """What is known of a node."""

    host_id: str | None = Field(None, alias="hostID", description="Host id of the node in the ring.")
    ip: str | None = Field(None, description="Address of the node in the ring.")
    state: str | None = Field(
        None, description="Ready-to-Start, Starting, Started, Started-not-Ready or Decommissioning."
    )
    ready: bool | None = Field(None, description="Whether the node serves requests.")
    started_at: Time | None = Field(None, description="When the node's container started.")
