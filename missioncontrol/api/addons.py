"""What runs beside the database in a K8ssandraCluster: Reaper, Medusa, Stargate and telemetry."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from missioncontrol.api.model import (
    Affinity,
    EnvVar,
    Int32,
    Int64,
    KubeModel,
    LocalObjectReference,
    ObjectReference,
    PersistentVolumeClaimSpec,
    PodSecurityContext,
    Probe,
    Quantity,
    ResourceRequirements,
    Schema,
    SecretKeyRef,
    SecurityContext,
    Toleration,
)


class ContainerImage(KubeModel):
    """An image, in parts; what is unset has the default of its component."""

    registry: str | None = Field(None, description="Registry, such as docker.io.")
    repository: str | None = Field(None, description="Repository in the registry.")
    name: str | None = Field(None, description="Name of the image.")
    tag: str = Field("latest", description="Tag of the image.")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When the image is pulled: Always, IfNotPresent or Never."
    )
    pull_secret_ref: LocalObjectReference | None = Field(None, description="Secret to pull the image with.")


class Stores(KubeModel):
    """A key store and a trust store, with their passwords."""

    keystore_secret_ref: SecretKeyRef = Field(description="Key store; the default key is keystore.")
    truststore_secret_ref: SecretKeyRef = Field(description="Trust store; the default key is truststore.")
    keystore_password_secret_ref: SecretKeyRef | None = Field(
        None, description="Password of the key store; the default key is keystore-password."
    )
    truststore_password_secret_ref: SecretKeyRef | None = Field(
        None, description="Password of the trust store; the default key is truststore-password."
    )


# --- Telemetry ---------------------------------------------------------------------------------


class PrometheusTelemetry(KubeModel):
    """Prometheus."""

    enabled: bool | None = Field(None, description="Make ServiceMonitors.")
    common_labels: dict[str, str] | None = Field(None, description="Labels of the ServiceMonitors.")


class McacTelemetry(KubeModel):
    """Deprecated: the older metrics collector."""

    enabled: bool | None = Field(None, description="Run the older metrics collector.")
    metric_filters: list[str] | None = Field(None, description="Which metrics it drops and keeps.")


class VectorSource(KubeModel):
    """A source of Vector."""

    name: str = Field(description="Name of the source.")
    type: str = Field(description="Type of the source.")
    config: str | None = Field(None, description="Its configuration, in TOML.")


class VectorSink(KubeModel):
    """A sink of Vector."""

    name: str = Field(description="Name of the sink.")
    type: str = Field(description="Type of the sink.")
    config: str | None = Field(None, description="Its configuration, in TOML.")
    inputs: list[str] = Field(default_factory=list, description="Components that it reads from.")


class VectorTransform(VectorSink):
    """A transformation of Vector."""

    name: str = Field(description="Name of the transformation.")
    type: str = Field(description="Type of the transformation.")


class VectorComponents(KubeModel):
    """Parts of Vector's pipeline."""

    sources: list[VectorSource] = Field(default_factory=list, description="Where events come from.")
    sinks: list[VectorSink] = Field(default_factory=list, description="Where events go to.")
    transforms: list[VectorTransform] = Field(default_factory=list, description="What is done to events.")


class VectorTelemetry(KubeModel):
    """Vector, which forwards metrics and logs."""

    enabled: bool | None = Field(None, description="Run Vector beside Cassandra.")
    resources: ResourceRequirements | None = Field(None, description="CPU and memory of its container.")
    image: str | None = Field(None, description="Image of Vector; the one of the system logger if unset.")
    scrape_interval: str | None = Field(
        None, description="How often metrics are read, such as 30s (the default) or 1m30s."
    )
    config: str | None = Field(None, description="Settings of Vector outside of its components, in TOML.")
    components: VectorComponents | None = Field(None, description="Parts to add to its pipeline.")


class TelemetryTls(KubeModel):
    """Files of TLS for the metrics endpoint."""

    ca_cert: str | None = Field(None, alias="ca.crt", description="Path of the certificate authority.")
    tls_cert: str | None = Field(None, alias="tls.crt", description="Path of the certificate.")
    tls_key: str | None = Field(None, alias="tls.key", description="Path of the key.")


class TelemetryEndpoint(KubeModel):
    """Where metrics are served."""

    address: str | None = Field(None, description="Address to listen on.")
    port: str | None = Field(None, description="Port to listen on.")
    tls: TelemetryTls | None = Field(None, description="Files of TLS.")


RelabelAction = Literal[
    "replace",
    "Replace",
    "keep",
    "Keep",
    "drop",
    "Drop",
    "hashmod",
    "HashMod",
    "labelmap",
    "LabelMap",
    "labeldrop",
    "LabelDrop",
    "labelkeep",
    "LabelKeep",
    "lowercase",
    "Lowercase",
    "uppercase",
    "Uppercase",
    "keepequal",
    "KeepEqual",
    "dropequal",
    "DropEqual",
]


class Relabel(KubeModel):
    """A relabelling rule, in the manner of Prometheus."""

    source_labels: list[str] = Field(default_factory=list, description="Labels whose values are joined.")
    separator: str | None = Field(None, description="What stands between joined values.")
    target_label: str | None = Field(None, description="Label that is written.")
    regex: str | None = Field(None, description="What the joined values are matched with.")
    modulus: Int64 | None = Field(None, description="Modulus for the action hashmod.")
    replacement: str | None = Field(None, description="What is written; may refer to groups of regex.")
    action: RelabelAction = Field(
        "replace", description="What is done on a match: replace, keep, drop and others."
    )


class CassandraTelemetry(KubeModel):
    """The metrics endpoint inside Cassandra."""

    endpoint: TelemetryEndpoint | None = Field(None, description="Where metrics are served.")
    relabels: list[Relabel] = Field(default_factory=list, description="Relabelling rules.")


class Telemetry(KubeModel):
    """Metrics and logs."""

    prometheus: PrometheusTelemetry | None = Field(None, description="Prometheus.")
    mcac: McacTelemetry | None = Field(None, description="Deprecated: the older metrics collector.")
    vector: VectorTelemetry | None = Field(None, description="Vector, which forwards metrics and logs.")
    cassandra: CassandraTelemetry | None = Field(None, description="The metrics endpoint inside Cassandra.")


class TagsOfResource(KubeModel):
    """Labels and annotations of a component."""

    labels: dict[str, str] | None = Field(None, description="Labels.")
    annotations: dict[str, str] | None = Field(None, description="Annotations.")


class ResourceMeta(TagsOfResource):
    """Labels and annotations for what is made for a component."""

    common_labels: dict[str, str] | None = Field(None, description="Labels for every object that is made.")
    common_annotations: dict[str, str] | None = Field(
        None, description="Annotations for every object that is made."
    )
    pods: TagsOfResource | None = Field(None, description="Labels and annotations for the pods.")
    service: TagsOfResource | None = Field(None, description="Labels and annotations for the Service.")


# --- Reaper ------------------------------------------------------------------------------------


_SIGN = "([-+]?)"
_NUMBER = "([-+]?[0-9]+)"
# any string that holds a duration, as in upstream's definitions: nothing in it has to be there
_PERIOD = rf"{_SIGN}P(?:{_NUMBER}D)?(T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}(?:[.,]([0-9]{{0,9}}))?S)?)?"
Period = Annotated[str, Schema({"pattern": _PERIOD})]


class AutoScheduling(KubeModel):
    """Repairs that Reaper schedules by itself."""

    enabled: bool = Field(False, description="Schedule repairs.")
    repair_type: Literal["REGULAR", "ADAPTIVE", "INCREMENTAL", "AUTO"] = Field(
        "AUTO", description="Type of the repairs; AUTO follows the version of Cassandra."
    )
    percent_unrepaired_threshold: int = Field(
        10, ge=0, le=100, description="Incremental: percentage of unrepaired data that starts a repair."
    )
    initial_delay_period: Period = Field("PT15S", description="Wait before the first look, in ISO 8601.")
    period_between_polls: Period = Field("PT10M", description="Time between two looks, in ISO 8601.")
    time_before_first_schedule: Period = Field(
        "PT5M", description="Wait before the first repair, in ISO 8601."
    )
    schedule_spread_period: Period = Field(
        "PT6H", description="Time between repairs of keyspaces, in ISO 8601."
    )
    excluded_keyspaces: list[str] = Field(default_factory=list, description="Keyspaces that are left out.")
    excluded_clusters: list[str] = Field(default_factory=list, description="Clusters that are left out.")


class HttpManagement(KubeModel):
    """Reaper over the management API instead of JMX."""

    enabled: bool = Field(True, description="Use the management API.")
    keystores: LocalObjectReference | None = Field(None, description="Secret with key and trust store.")


class ReaperEncryption(KubeModel):
    """TLS of Reaper's own endpoint."""

    server_cert_name: str | None = Field(None, description="Secret with the certificate to serve.")
    client_cert_name: str | None = Field(None, description="Secret with the certificate of its clients.")


class ReaperTemplate(KubeModel):
    """Settings of Reaper."""

    keyspace: str = Field("reaper_db", description="Keyspace of Reaper's own data. Fixed once made.")
    storage_type: Literal["cassandra", "local"] = Field(
        "cassandra",
        description="Where Reaper keeps its data: in the cluster (cassandra) or in a volume (local).",
    )
    storage_config: PersistentVolumeClaimSpec | None = Field(None, description="The volume, if local.")
    cassandra_user_secret_ref: LocalObjectReference | None = Field(
        None, description="Secret of the role that Reaper uses in the database."
    )
    jmx_user_secret_ref: LocalObjectReference | None = Field(None, description="Deprecated: Secret for JMX.")
    ui_user_secret_ref: LocalObjectReference | None = Field(
        None, description="Secret for Reaper's web page; an empty name means no login."
    )
    container_image: ContainerImage | None = Field(None, description="Image of Reaper.")
    init_container_image: ContainerImage | None = Field(None, description="Deprecated and without effect.")
    service_account_name: str = Field(
        "default", alias="ServiceAccountName", description="ServiceAccount of Reaper's pods."
    )
    auto_scheduling: AutoScheduling | None = Field(
        None,
        description="Repairs that Reaper schedules by itself.",
    )
    liveness_probe: Probe | None = Field(None, description="Liveness probe of Reaper.")
    readiness_probe: Probe | None = Field(None, description="Readiness probe of Reaper.")
    affinity: Affinity | None = Field(None, description="Scheduling rules for Reaper's pods.")
    tolerations: list[Toleration] = Field(default_factory=list, description="Taints that they tolerate.")
    pod_security_context: PodSecurityContext | None = Field(None, description="Security context of the pods.")
    security_context: SecurityContext | None = Field(None, description="Security context of the container.")
    init_container_security_context: SecurityContext | None = Field(
        None, description="Security context of the init container."
    )
    resources: ResourceRequirements | None = Field(None, description="CPU and memory of the container.")
    init_container_resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the init container."
    )
    heap_size: Quantity = Field("2Gi", description="Heap of Reaper.")
    telemetry: Telemetry | None = Field(None, description="Metrics and logs of Reaper.")
    http_management: Annotated[HttpManagement | None, Schema({"default": {"enabled": True}})] = Field(
        None, description="Whether Reaper uses the management API (the default) or JMX."
    )
    encryption: ReaperEncryption | None = Field(None, description="TLS of Reaper's own endpoint.")
    secrets_provider: Literal["internal", "external"] = Field(
        "internal", description="Who makes and distributes Secrets."
    )
    metadata: ResourceMeta | None = Field(None, description="Labels and annotations for what is made.")
    skip_schema_migration: bool = Field(False, description="Do not run the schema migration at start.")
    additional_env_vars: list[EnvVar] = Field(default_factory=list, description="Further environment.")


class ReaperClusterTemplate(ReaperTemplate):
    """Reaper, which repairs the cluster."""

    deployment_mode: Literal["PER_DC", "SINGLE", "CONTROL_PLANE"] = Field(
        "PER_DC", description="One Reaper for each datacenter, one for the cluster, or one for many clusters."
    )
    reaper_ref: ObjectReference | None = Field(None, description="Existing Reaper to register with.")


# --- Medusa ------------------------------------------------------------------------------------


class PodStorage(KubeModel):
    """A volume that backups are kept in."""

    storage_class_name: str | None = Field(None, description="Storage class of the volume.")
    access_modes: list[str] = Field(default_factory=list, description="Access modes of the volume.")
    size: Quantity = Field("10Gi", description="Size of the volume.")


class MedusaStorage(KubeModel):
    """Where backups are kept."""

    storage_provider: (
        Literal["google_storage", "azure_blobs", "s3", "s3_compatible", "s3_rgw", "ibm_storage"] | None
    ) = Field(None, description="Kind of the object store.")
    credentials_type: Literal["", "role-based", "credential-based"] | None = Field(
        None, description="Whether the pods' role or a Secret gives access."
    )
    storage_secret_ref: LocalObjectReference | None = Field(None, description="Secret with the credentials.")
    bucket_name: str | None = Field(None, description="Name of the bucket.")
    prefix: str | None = Field(
        None, description="Folder inside the bucket; the name of the cluster if unset."
    )
    max_backup_age: int = Field(0, description="Days that backups are kept; 0 means for ever.")
    max_backup_count: int = Field(0, description="Number of backups that are kept; 0 means all.")
    api_profile: str | None = Field(None, description="Profile in the credentials.")
    transfer_max_bandwidth: str = Field("50MB/s", description="Limit of the transfer of each node.")
    concurrent_transfers: int = Field(0, description="Files that each node transfers at the same time.")
    multi_part_upload_threshold: int = Field(
        104857600, description="Size in bytes from which a file is transferred in parts."
    )
    host: str | None = Field(None, description="Host of the object store.")
    region: str | None = Field(None, description="Region of the bucket.")
    port: int | None = Field(None, description="Port of the object store.")
    secure: bool | None = Field(None, description="Use TLS.")
    ssl_verify: bool | None = Field(None, description="Check the certificate of the object store.")
    backup_grace_period_in_days: int | None = Field(
        None, description="Days before files of removed backups are deleted."
    )
    pod_storage: PodStorage | None = Field(None, description="A volume that backups are kept in.")


class MedusaServiceEncryption(KubeModel):
    """TLS of Medusa's own endpoint."""

    client_secret_name: str = Field(description="Secret with the certificate of the operator.")
    server_secret_name: str = Field(description="Secret with the certificate to serve.")


class MedusaService(KubeModel):
    """Medusa's own endpoint."""

    grpc_port: int | None = Field(None, description="Port of the endpoint; 50051 if unset.")
    encryption: MedusaServiceEncryption | None = Field(None, description="TLS of the endpoint.")


class MedusaClusterTemplate(KubeModel):
    """Medusa, which makes and restores backups."""

    container_image: ContainerImage | None = Field(None, description="Image of Medusa.")
    security_context: SecurityContext | None = Field(None, description="Security context of the containers.")
    init_container_resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the container that restores."
    )
    container_resources: ResourceRequirements | None = Field(
        None, description="CPU and memory of the container that makes backups."
    )
    cassandra_user_secret_ref: LocalObjectReference | None = Field(
        None, description="Secret of the role that Medusa uses in the database."
    )
    storage_properties: MedusaStorage | None = Field(None, description="Where backups are kept.")
    certificates_secret_ref: LocalObjectReference | None = Field(
        None, description="Deprecated: Secret with certificates for the database."
    )
    client_encryption_stores: Stores | None = Field(
        None, description="Stores for connections to the database."
    )
    readiness_probe: Probe | None = Field(None, description="Readiness probe of the container.")
    liveness_probe: Probe | None = Field(None, description="Liveness probe of the container.")
    service_properties: MedusaService | None = Field(None, description="Medusa's own endpoint.")
    medusa_configuration_ref: ObjectReference | None = Field(
        None, description="MedusaConfiguration to take storage settings from; needs a prefix."
    )
    purge_backups: bool = Field(True, description="Delete expired backups every night.")


# --- Stargate (deprecated) ---------------------------------------------------------------------


class StargateAuthOptions(KubeModel):
    """Authentication of Stargate's own endpoints."""

    api_auth_method: Literal["Table", "JWT"] = Field("Table", description="Table or JWT.")
    token_ttl_seconds: int = Field(1800, ge=1, description="Seconds that a token lives.")
    provider_url: str | None = Field(None, description="URL of the provider of JWTs.")


class StargateEncryption(KubeModel):
    """Stores for connections to the database."""

    client_encryption_stores: Stores | None = Field(None, description="Stores for connections of clients.")
    server_encryption_stores: Stores | None = Field(None, description="Stores for connections between nodes.")


class StargateTemplate(KubeModel):
    """Deprecated: settings of Stargate."""

    container_image: ContainerImage | None = Field(None, description="Image of Stargate.")
    service_account: str = Field("default", description="ServiceAccount of the pods.")
    resources: ResourceRequirements | None = Field(None, description="CPU and memory of the container.")
    heap_size: Quantity = Field("256Mi", description="Heap of Stargate.")
    liveness_probe: Probe | None = Field(None, description="Liveness probe.")
    readiness_probe: Probe | None = Field(None, description="Readiness probe.")
    node_selector: dict[str, str] | None = Field(None, description="Labels of the Kubernetes nodes to use.")
    tolerations: list[Toleration] = Field(default_factory=list, description="Taints that the pods tolerate.")
    affinity: Affinity | None = Field(None, description="Scheduling rules for the pods.")
    allow_stargate_on_data_nodes: bool = Field(
        False, description="Let Stargate share a Kubernetes node with Cassandra."
    )
    cassandra_config_map_ref: LocalObjectReference | None = Field(
        None, description="ConfigMap with a cassandra.yaml."
    )
    telemetry: Telemetry | None = Field(None, description="Metrics and logs of Stargate.")
    secrets_provider: Literal["internal", "external"] = Field(
        "internal", description="Who makes and distributes Secrets."
    )
    metadata: ResourceMeta | None = Field(None, description="Labels and annotations for what is made.")


class StargateRack(StargateTemplate):
    """Deprecated: settings of Stargate in one rack."""

    name: str = Field(min_length=2, description="Name of the rack.")


class StargateClusterTemplate(StargateTemplate):
    """Deprecated: Stargate, an API gateway."""

    size: Int32 = Field(1, ge=1, description="Number of pods.")
    auth_options: StargateAuthOptions | None = Field(None, description="Authentication of its endpoints.")


class StargateDatacenterTemplate(StargateClusterTemplate):
    """Deprecated: Stargate in one datacenter."""

    racks: list[StargateRack] = Field(default_factory=list, description="Settings of single racks.")
