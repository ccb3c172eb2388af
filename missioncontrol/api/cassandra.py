"""CassandraDatacenter (cassandra.datastax.com/v1beta1): one datacenter in one Kubernetes cluster.

Fields, defaults and limits are upstream's: a manifest that upstream accepts is accepted here.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from missioncontrol.api.model import (
    LIST_ATOMIC,
    Affinity,
    Int32,
    Int64,
    IntOrString,
    KubeModel,
    ObjectReference,
    PersistentVolumeClaimSpec,
    PodTemplateSpec,
    ResourceRequirements,
    Schema,
    StatusCondition,
    Time,
    Toleration,
    VolumeSource,
    list_map,
)

ServerType = Literal["cassandra", "dse", "hcd"]
# a key without anything after it, as templates leave it, means the same as no key
Config = Annotated[dict[str, Any], Schema({"x-kubernetes-preserve-unknown-fields": True, "nullable": True})]
VERSION_PATTERN = r"(\d+\.\d+\.\d+)"


class ManagementApiAuthManual(KubeModel):
    """Mutual TLS between operator and management API with certificates that the user provides."""

    client_secret_name: str = Field(
        description="Secret with the client certificate of the operator (ca.crt, tls.crt, tls.key)."
    )
    server_secret_name: str = Field(
        description="Secret with the certificate that the nodes serve (ca.crt, tls.crt, tls.key)."
    )
    skip_secret_validation: bool | None = Field(
        None, description="Do not check that the certificates in the Secrets match each other."
    )


class ManagementApiAuthInsecure(KubeModel):
    """No authentication."""


class ManagementApiAuth(KubeModel):
    """How the operator authenticates to the management API of the nodes."""

    insecure: ManagementApiAuthInsecure | None = Field(
        None, description="Plain HTTP without authentication; only for isolated networks."
    )
    manual: ManagementApiAuthManual | None = Field(
        None, description="Mutual TLS with certificates from two Secrets."
    )


class Rack(KubeModel):
    """A rack: nodes that may fail together, in one StatefulSet."""

    name: str = Field(
        min_length=2,
        description="Name of the rack; part of the names of its StatefulSet and pods. Fixed once made.",
    )
    zone: str | None = Field(
        None, description="Deprecated: zone that the nodes must run in. Use nodeAffinityLabels."
    )
    node_affinity_labels: dict[str, str] | None = Field(
        None, description="Labels that a Kubernetes node must carry to run nodes of this rack."
    )
    affinity: Affinity | None = Field(
        None,
        description="Further scheduling rules for the pods of this rack, added to those of the datacenter.",
    )


class AdditionalVolume(KubeModel):
    """A further volume of every Cassandra pod: either a claim of its own or an existing source."""

    name: str = Field(pattern=r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", description="Name of the volume in the pod.")
    mount_path: str = Field(description="Where the volume is mounted in the containers.")
    pvc_spec: PersistentVolumeClaimSpec | None = Field(
        None, description="Claim that is made for every pod. Excludes volumeSource."
    )
    volume_source: VolumeSource | None = Field(
        None, description="Existing source, such as a ConfigMap or Secret. Excludes pvcSpec."
    )


class StorageConfig(KubeModel):
    """Where the nodes keep their data."""

    cassandra_data_volume_claim_spec: PersistentVolumeClaimSpec | None = Field(
        None, description="Claim for the data directory of every node: storage class, size, access modes."
    )
    additional_volumes: list[AdditionalVolume] = Field(
        default_factory=list, description="Further volumes of every pod."
    )


class NodePortConfig(KubeModel):
    """Ports of the Kubernetes nodes under which Cassandra is reached."""

    native: int | None = Field(None, description="Port of the CQL protocol.")
    native_ssl: int | None = Field(None, alias="nativeSSL", description="Port of the CQL protocol over TLS.")
    internode: int | None = Field(None, description="Port of the internode protocol.")
    internode_ssl: int | None = Field(
        None, alias="internodeSSL", description="Port of the internode protocol over TLS."
    )


class NetworkingConfig(KubeModel):
    """How the nodes are reached from outside the pod network."""

    node_port: NodePortConfig | None = Field(
        None, description="Open Cassandra's ports on the Kubernetes nodes. Set native and internode together."
    )
    host_network: bool | None = Field(
        None, description="Run the pods in the network of their Kubernetes node."
    )


class ServiceConfigAdditions(KubeModel):
    """Labels and annotations for one of the Services of the datacenter."""

    additional_labels: dict[str, str] | None = Field(None, description="Labels to add to the Service.")
    additional_annotations: dict[str, str] | None = Field(
        None, description="Annotations to add to the Service."
    )


class ServiceConfig(KubeModel):
    """Labels and annotations for the Services of the datacenter, each on its own."""

    dc_service: ServiceConfigAdditions | None = Field(
        None, description="The Service that clients connect to: all ready nodes."
    )
    seed_service: ServiceConfigAdditions | None = Field(None, description="The Service of the seed nodes.")
    allpods_service: ServiceConfigAdditions | None = Field(
        None, description="The Service over all pods, used by monitoring."
    )
    additional_seed_service: ServiceConfigAdditions | None = Field(
        None, description="The Service of the seeds outside the datacenter."
    )
    node_port_service: ServiceConfigAdditions | None = Field(
        None, description="The Service that opens node ports."
    )


class DseWorkloads(KubeModel):
    """Workloads of DataStax Enterprise."""

    analytics_enabled: bool | None = Field(None, description="Run Spark analytics on the nodes.")
    graph_enabled: bool | None = Field(None, description="Run DSE Graph on the nodes.")
    search_enabled: bool | None = Field(None, description="Run DSE Search on the nodes.")


class CassandraUser(KubeModel):
    """A database role that the operator creates."""

    secret_name: str = Field(description="Secret with the keys username and password.")
    superuser: bool = Field(description="Whether the role is a superuser.")


class CdcConfiguration(KubeModel):
    """Deprecated: the Pulsar agent for change data capture."""

    pulsar_service_url: str = Field(min_length=1, description="URL of the Pulsar broker.")
    topic_prefix: str | None = Field(None, description="Prefix of the names of the topics.")
    cdc_working_dir: str | None = Field(None, description="Directory in which the agent keeps its state.")
    cdc_poll_interval_m: int | None = Field(
        None, alias="cdcPollIntervalM", description="Milliseconds between two looks for new commit logs."
    )
    error_commit_log_reprocess_enabled: bool | None = Field(
        None, description="Process commit logs again that failed before."
    )
    cdc_concurrent_processors: int | None = Field(None, description="Threads that process commit logs.")
    pulsar_batch_delay_in_ms: int | None = Field(None, description="Milliseconds to collect a batch for.")
    pulsar_key_based_batcher: bool | None = Field(None, description="Batch messages by key.")
    pulsar_max_pending_messages: int | None = Field(None, description="Messages that may wait per producer.")
    pulsar_max_pending_messages_across_partitions: int | None = Field(
        None, description="Messages that may wait over all partitions."
    )
    pulsar_auth_plugin_class_name: str | None = Field(
        None, description="Class of Pulsar's authentication plugin."
    )
    pulsar_auth_params: str | None = Field(None, description="Parameters of the authentication plugin.")
    ssl_provider: str | None = Field(None, description="TLS provider.")
    ssl_truststore_path: str | None = Field(None, description="Path of the truststore.")
    ssl_truststore_password: str | None = Field(None, description="Password of the truststore.")
    ssl_truststore_type: str | None = Field(None, description="Type of the truststore.")
    ssl_keystore_path: str | None = Field(None, description="Path of the keystore.")
    ssl_keystore_password: str | None = Field(None, description="Password of the keystore.")
    ssl_cipher_suites: str | None = Field(None, description="Cipher suites to offer, separated by commas.")
    ssl_enabled_protocols: str | None = Field(None, description="TLS versions to offer, separated by commas.")
    ssl_allow_insecure_connection: str | None = Field(
        None, description="Whether an untrusted certificate of the broker is accepted."
    )
    ssl_hostname_verification_enable: str | None = Field(
        None, description="Whether the name in the broker's certificate is checked."
    )


class CassandraDatacenterSpec(KubeModel):
    """The wanted state of a datacenter."""

    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    cluster_name: str = Field(
        min_length=2,
        description="Name of the Cassandra cluster that the datacenter belongs to. Fixed once made.",
    )
    datacenter_name: str | None = Field(
        None,
        description="Name inside Cassandra, where it differs from metadata.name. Fixed once made.",
    )
    size: Int32 = Field(ge=1, description="Number of nodes, over all racks.")
    server_type: ServerType = Field(description="Database: cassandra, dse or hcd.")
    server_version: str = Field(
        pattern=VERSION_PATTERN,
        description="Version of the database, such as 5.0.4; selects image and features.",
    )
    server_image: str | None = Field(
        None, description="Image to run instead of the one that belongs to serverVersion."
    )
    docker_image_runs_as_cassandra: bool | None = Field(
        None, description="Deprecated and without effect; set podTemplateSpec.spec.securityContext."
    )
    config: Config | None = Field(
        None,
        description="Configuration of the database by file: cassandra-yaml, jvm-server-options and others.",
    )
    config_secret: str | None = Field(
        None,
        description="Secret whose key config holds the configuration; wins over the field config.",
    )
    management_api_auth: ManagementApiAuth | None = Field(
        None, description="How the operator authenticates to the nodes."
    )
    node_affinity_labels: dict[str, str] | None = Field(
        None, description="Labels that a Kubernetes node must carry to run any node of the datacenter."
    )
    resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the cassandra container."
    )
    system_logger_resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the server-system-logger container."
    )
    config_builder_resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the server-config-init container."
    )
    racks: list[Rack] = Field(
        default_factory=list,
        description="Racks, to which nodes are dealt evenly; without any, one named default. Append only.",
    )
    storage_config: StorageConfig = Field(description="Where the nodes keep their data.")
    replace_nodes: list[str] = Field(
        default_factory=list,
        description="Deprecated: pods to replace; use a CassandraTask with command replacenode.",
    )
    stopped: bool | None = Field(None, description="Stop all nodes and keep their volumes.")
    config_builder_image: str | None = Field(
        None, description="Image of the older configuration builder, where that is in use."
    )
    canary_upgrade: bool | None = Field(None, description="Roll a change out to the first rack only.")
    canary_upgrade_count: Int32 | None = Field(
        None, description="Number of pods of the first rack that a canary change reaches."
    )
    allow_multiple_nodes_per_worker: bool | None = Field(
        None,
        description="Let nodes share a Kubernetes node. Needs CPU and memory requests and limits. Fixed.",
    )
    superuser_secret_name: str | None = Field(
        None, description="Secret with username and password of the superuser. Fixed once made."
    )
    service_account: str | None = Field(None, description="Deprecated: use serviceAccountName.")
    service_account_name: str | None = Field(None, description="ServiceAccount of the pods.")
    rolling_restart_requested: bool | None = Field(
        None, description="Deprecated: restart all nodes once; use a CassandraTask with command restart."
    )
    node_selector: dict[str, str] | None = Field(
        None, description="Labels that a Kubernetes node must carry; replaces that of podTemplateSpec."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, description="Taints that the pods tolerate; replaces those of podTemplateSpec."
    )
    force_upgrade_racks: list[str] = Field(
        default_factory=list,
        description="Racks whose pods are updated even while the datacenter is unhealthy.",
    )
    dse_workloads: DseWorkloads | None = Field(None, description="Workloads of DSE on the nodes.")
    pod_template_spec: PodTemplateSpec | None = Field(
        None,
        description="Template that the pods are built on: sidecars, labels, annotations, security context.",
    )
    users: list[CassandraUser] = Field(
        default_factory=list, description="Database roles to create besides the superuser."
    )
    networking: NetworkingConfig | None = Field(None, description="Host network and node ports.")
    additional_seeds: list[str] = Field(
        default_factory=list, description="IP addresses or host names of seeds outside the datacenter."
    )
    disable_system_logger_sidecar: bool | None = Field(
        None, description="Leave out the container that forwards system.log."
    )
    system_logger_image: str | None = Field(None, description="Image of the server-system-logger container.")
    additional_service_config: ServiceConfig | None = Field(
        None, description="Labels and annotations for the Services."
    )
    additional_labels: dict[str, str] | None = Field(
        None, description="Labels for every object that the operator makes."
    )
    additional_annotations: dict[str, str] | None = Field(
        None, description="Annotations for every object that the operator makes."
    )
    cdc: CdcConfiguration | None = Field(None, description="Deprecated: change data capture into Pulsar.")
    min_ready_seconds: Int32 | None = Field(
        None, description="Seconds that a pod must be ready before it counts as available; 5 if unset."
    )
    max_unavailable: IntOrString | None = Field(
        None, description="How many pods of a rack, or which share of them, may be away during a change."
    )
    read_only_root_filesystem: bool | None = Field(
        None, description="Mount the root file system of the containers read-only; unset follows the version."
    )


class CassandraNodeStatus(KubeModel):
    """What is known of a node."""

    host_id: str | None = Field(None, alias="hostID", description="Host id of the node in the ring.")
    ip: str | None = Field(None, description="Address of the node in the ring.")
    rack: str | None = Field(None, description="Rack of the node.")


class CassandraDatacenterStatus(KubeModel):
    """What is known of a datacenter."""

    conditions: Annotated[list[StatusCondition], list_map("type")] = Field(
        default_factory=list,
        description="Conditions such as Ready, Initialized, Healthy, ScalingUp, Updating.",
    )
    super_user_upserted: Time | None = Field(
        None, description="Deprecated: when the superuser was last written."
    )
    users_upserted: Time | None = Field(None, description="When the roles were last written.")
    last_server_node_started: Time | None = Field(None, description="When a node was last started.")
    last_rolling_restart: Time | None = Field(
        None, description="When the last rolling restart was asked for."
    )
    quiet_period: Time | None = Field(None, description="Until when the operator lets the datacenter settle.")
    cassandra_operator_progress: str | None = Field(
        None, description="Updating while there is work to do, Ready otherwise."
    )
    node_statuses: dict[str, CassandraNodeStatus] | None = Field(
        None, description="The started nodes by the name of their pod."
    )
    node_replacements: list[str] = Field(
        default_factory=list, description="Pods whose nodes are being replaced."
    )
    failed_starts: list[str] = Field(default_factory=list, description="Pods whose last start failed.")
    observed_generation: Int64 | None = Field(None, description="The generation that was reconciled last.")
    tracked_tasks: Annotated[list[ObjectReference], LIST_ATOMIC] = Field(
        default_factory=list, description="Tasks that the operator made and waits for."
    )
    datacenter_name: str | None = Field(
        None, description="Name that object names are built from; set when the datacenter first is ready."
    )
    metadata_version: Int64 | None = Field(
        None, description="Version of the labelling scheme; 1 means that labels use metadata.name."
    )
