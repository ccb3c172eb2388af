"""K8ssandraCluster (k8ssandra.io/v1alpha1): the datacenters of one cluster in one data plane.

Fields, defaults and limits are upstream's. The status differs: ``status.datacenters`` is a list keyed by
name with ``readyReplicas`` and ``conditions``, where upstream writes a map.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from missioncontrol.api.addons import (
    ContainerImage,
    MedusaClusterTemplate,
    ReaperClusterTemplate,
    StargateClusterTemplate,
    StargateDatacenterTemplate,
    Stores,
    Telemetry,
)
from missioncontrol.api.cassandra import (
    VERSION_PATTERN,
    AdditionalVolume,
    CdcConfiguration,
    DseWorkloads,
    ManagementApiAuth,
    NetworkingConfig,
    Rack,
    ServerType,
    StorageConfig,
)
from missioncontrol.api.jvm import JvmOptions
from missioncontrol.api.model import (
    IMMUTABLE,
    Conditions,
    Container,
    FreeObject,
    Int32,
    Int64,
    KubeModel,
    LocalObjectReference,
    PodSecurityContext,
    Quantity,
    ResourceRequirements,
    Schema,
    Toleration,
    Volume,
    list_map,
)


class CassandraConfig(KubeModel):
    """Configuration of the database."""

    cassandra_yaml: FreeObject | None = Field(
        None, description="Settings of cassandra.yaml, under their own names."
    )
    jvm_options: JvmOptions | None = Field(None, description="Settings of the JVM.")
    dse_yaml: FreeObject | None = Field(None, description="Settings of dse.yaml, under their own names.")


class ExtraVolumes(KubeModel):
    """Further volumes of the Cassandra pods."""

    volumes: list[Volume] = Field(default_factory=list, description="Volumes of existing sources.")
    pvcs: list[AdditionalVolume] = Field(default_factory=list, description="Claims made for every pod.")


class RebuildOptions(KubeModel):
    """How data is streamed into a datacenter that is added."""

    source_dc: str | None = Field(
        None, description="Datacenter to stream from; the first other one that is ready if unset."
    )
    max_concurrent_rebuilds: int | None = Field(
        None, ge=0, description="Nodes of a rack that stream at the same time; 0 means all."
    )


class DatacenterOptions(KubeModel):
    """Settings that a cluster gives to all datacenters and a datacenter may override."""

    server_version: str | None = Field(
        None, pattern=VERSION_PATTERN, description="Version of the database, such as 5.0.4."
    )
    server_image: str | None = Field(
        None, description="Image to run instead of the one that belongs to serverVersion."
    )
    config: CassandraConfig | None = Field(None, description="Configuration of the database.")
    storage_config: StorageConfig | None = Field(None, description="Where the nodes keep their data.")
    networking: NetworkingConfig | None = Field(None, description="Host network and node ports.")
    resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the cassandra container."
    )
    racks: list[Rack] = Field(
        default_factory=list,
        description="Racks, to which nodes are dealt evenly; without any, one named default. Append only.",
    )
    jmx_init_container_image: ContainerImage | None = Field(
        None, description="Deprecated and without effect."
    )
    soft_pod_anti_affinity: bool | None = Field(
        None, description="Let nodes share a Kubernetes node. Needs resources to be set."
    )
    tolerations: list[Toleration] = Field(default_factory=list, description="Taints that the pods tolerate.")
    mgmt_api_heap: Quantity | None = Field(
        None, alias="mgmtAPIHeap", description="Heap of the management API."
    )
    telemetry: Telemetry | None = Field(None, description="Metrics and logs.")
    cdc: CdcConfiguration | None = Field(None, description="Deprecated: change data capture into Pulsar.")
    containers: list[Container] = Field(
        default_factory=list,
        description="Containers to add to the pods; one named cassandra changes Cassandra's own container.",
    )
    init_containers: list[Container] = Field(
        default_factory=list, description="Init containers to add to the pods."
    )
    extra_volumes: ExtraVolumes | None = Field(None, description="Further volumes of the pods.")
    dse_workloads: DseWorkloads | None = Field(None, description="Workloads of DSE on the nodes.")
    pod_security_context: PodSecurityContext | None = Field(None, description="Security context of the pods.")
    pod_priority_class_name: str | None = Field(None, description="Priority class of the pods.")
    management_api_auth: ManagementApiAuth | None = Field(
        None, description="How the operator authenticates to the nodes."
    )
    per_node_config_init_container_image: str | None = Field(
        None, description="Deprecated: image of the init container that applies per-node configuration."
    )
    service_account: str | None = Field(None, description="ServiceAccount of the pods.")
    datacenter_name: str | None = Field(
        None, description="Name inside Cassandra, where it differs from metadata.name. Fixed once made."
    )
    read_only_root_filesystem: bool | None = Field(
        None, description="Mount the root file system of the containers read-only; unset follows the version."
    )
    rebuild: RebuildOptions | None = Field(
        None, description="How data is streamed into a datacenter that is added."
    )


class MetaTags(KubeModel):
    """Labels and annotations."""

    labels: dict[str, str] | None = Field(None, description="Labels.")
    annotations: dict[str, str] | None = Field(None, description="Annotations.")


class ServiceTags(KubeModel):
    """Labels and annotations for the Services of a datacenter, each on its own."""

    dc_service: MetaTags | None = Field(
        None, description="The Service that clients connect to: all ready nodes."
    )
    seed_service: MetaTags | None = Field(None, description="The Service of the seed nodes.")
    all_pods_service: MetaTags | None = Field(
        None, description="The Service over all pods, used by monitoring."
    )
    additional_seed_service: MetaTags | None = Field(
        None, description="The Service of the seeds outside the datacenter."
    )
    node_port_service: MetaTags | None = Field(None, description="The Service that opens node ports.")


class ClusterMeta(MetaTags):
    """Labels and annotations for what is made for a cluster or a datacenter."""

    common_labels: dict[str, str] | None = Field(None, description="Labels for every object that is made.")
    common_annotations: dict[str, str] | None = Field(
        None, description="Annotations for every object that is made."
    )
    pods: MetaTags | None = Field(None, description="Labels and annotations for the pods.")
    services: ServiceTags | None = Field(None, description="Labels and annotations for the Services.")


class DatacenterMeta(ClusterMeta):
    """Name, namespace, labels and annotations of a datacenter."""

    name: str = Field(description="Name of the datacenter, and of the CassandraDatacenter that is made.")
    namespace: str | None = Field(
        None, description="Namespace of the datacenter in its plane; that of the cluster if unset."
    )


class CassandraDatacenterTemplate(DatacenterOptions):
    """One datacenter of the cluster. What it sets wins over the same setting of the cluster."""

    metadata: DatacenterMeta = Field(description="Name, namespace, labels and annotations of the datacenter.")
    k8s_context: str | None = Field(
        None, alias="k8sContext", description="DataPlane that the datacenter runs in, by name."
    )
    size: Int32 = Field(ge=1, description="Number of nodes, over all racks.")
    stopped: bool = Field(False, description="Stop all nodes and keep their volumes.")
    stargate: StargateDatacenterTemplate | None = Field(
        None, description="Deprecated: Stargate for this datacenter."
    )
    per_node_config_map_ref: LocalObjectReference | None = Field(
        None, description="ConfigMap with configuration for single nodes: keys <pod>_cassandra.yaml."
    )


class CassandraClusterTemplate(DatacenterOptions):
    """The database: settings of the whole cluster, and its datacenters."""

    metadata: ClusterMeta | None = Field(
        None, description="Labels and annotations for what is made for all datacenters."
    )
    superuser_secret_ref: LocalObjectReference | None = Field(
        None,
        description="Secret with username and password of the superuser; made if unset. Fixed once made.",
    )
    cluster_name: Annotated[str | None, Schema(rules=(IMMUTABLE,))] = Field(
        None, description="Name inside Cassandra, where it differs from metadata.name. Fixed once made."
    )
    server_type: ServerType = Field("cassandra", description="Database: cassandra, dse or hcd.")
    datacenters: list[CassandraDatacenterTemplate] = Field(
        default_factory=list, description="The datacenters; the first one is bootstrapped first."
    )
    additional_seeds: list[str] = Field(
        default_factory=list, description="IP addresses or host names of seeds outside these datacenters."
    )
    server_encryption_stores: Stores | None = Field(
        None, description="Key and trust store for connections between nodes."
    )
    client_encryption_stores: Stores | None = Field(
        None, description="Key and trust store for connections from clients."
    )


class K8ssandraClusterSpec(KubeModel):
    """The wanted state of a cluster in the manner of k8ssandra."""

    auth: bool = Field(True, description="Require authentication and authorisation in the database.")
    cassandra: CassandraClusterTemplate | None = Field(
        None, description="The database: settings of the whole cluster, and its datacenters."
    )
    stargate: StargateClusterTemplate | None = Field(
        None, description="Deprecated: Stargate for all datacenters."
    )
    reaper: ReaperClusterTemplate | None = Field(None, description="Reaper, which repairs the cluster.")
    medusa: MedusaClusterTemplate | None = Field(
        None, description="Medusa, which makes and restores backups."
    )
    external_datacenters: list[str] = Field(
        default_factory=list,
        description="Datacenters of the same cluster that are managed elsewhere; used for replication only.",
    )
    secrets_provider: Literal["internal", "external"] = Field(
        "internal", description="Who makes and distributes Secrets: the operator (internal) or somebody else."
    )


class K8ssandraDatacenterStatus(KubeModel):
    """What is known of one datacenter of the cluster."""

    name: str = Field(description="Name of the datacenter.")
    ready_replicas: Int32 = Field(0, description="Nodes that serve requests.")
    replicas: Int32 | None = Field(None, description="Nodes that are wanted.")
    conditions: Conditions = Field(
        default_factory=list, description="The conditions of its CassandraDatacenter, such as Ready."
    )
    context_name: str | None = Field(None, description="Kubernetes context of the datacenter.")
    decommission_progress: str | None = Field(
        None, description="While it is removed: UpdatingReplication or Decommissioning."
    )
    cassandra: FreeObject | None = Field(None, description="Status of its CassandraDatacenter.")
    stargate: FreeObject | None = Field(None, description="Status of its Stargate.")
    reaper: FreeObject | None = Field(None, description="Status of its Reaper.")


class K8ssandraClusterStatus(KubeModel):
    """What is known of the cluster in this plane."""

    conditions: Conditions = Field(
        default_factory=list, description="CassandraInitialized, RequiresUpdate and others."
    )
    datacenters: Annotated[list[K8ssandraDatacenterStatus], list_map("name")] = Field(
        default_factory=list, description="The datacenters of the cluster in this plane."
    )
    error: str | None = Field("None", description="Last error of the operator, or None.")
    observed_generation: Int64 | None = Field(None, description="The generation that was reconciled last.")

    @field_validator("datacenters", mode="before")
    @classmethod
    def _accept_upstreams_map(cls, value: Any) -> Any:
        # operators of upstream write a map by name; readers of ours shall not mind
        if isinstance(value, dict):
            return [{"name": name, **(status or {})} for name, status in value.items()]
        return value
