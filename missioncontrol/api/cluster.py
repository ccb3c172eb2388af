"""MissionControlCluster: one Cassandra cluster over all of its data planes.

The spec has the shape of the product's v1beta2, so that an existing manifest needs only its apiVersion
changed. One pair of models serves both groups: what users see and what is stored are the same.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from missioncontrol.api.k8ssandra import K8ssandraClusterSpec
from missioncontrol.api.model import (
    Conditions,
    FreeObject,
    Int32,
    Int64,
    KubeModel,
    list_map,
)
from missioncontrol.api.names import Phase


class IssuerRef(KubeModel):
    """The issuer that signs certificates, in the manner of cert-manager."""

    name: str = Field(min_length=1, description="Name of the issuer.")
    kind: Literal["Issuer", "ClusterIssuer"] = Field("Issuer", description="Issuer or ClusterIssuer.")
    group: str | None = Field(None, description="API group of the issuer, such as cert-manager.io.")


class CertificateSettings(KubeModel):
    """How certificates are made."""

    create_certs: bool | None = Field(None, description="Make and rotate the certificates.")
    cert_template: FreeObject | None = Field(
        None,
        description="Fields of a cert-manager Certificate to start from, such as duration and renewBefore.",
    )
    issuer_ref: IssuerRef | None = Field(None, description="Issuer to use instead of the cluster's own CA.")


class EncryptionSettings(KubeModel):
    """Encryption of one kind of connection."""

    enabled: bool | None = Field(None, description="Encrypt these connections.")
    certs: CertificateSettings | None = Field(None, description="How their certificates are made.")


class Encryption(KubeModel):
    """Encryption of the connections inside the cluster."""

    internode_encryption: EncryptionSettings | None = Field(
        None, description="Connections between Cassandra nodes."
    )
    management_api_auth_encryption: EncryptionSettings | None = Field(
        None, description="Connections from the operator to the nodes' management API."
    )


class MissionControlClusterSpec(KubeModel):
    """The wanted state of a cluster."""

    create_issuer: bool | None = Field(
        None, description="Make a certificate authority for this cluster that signs its certificates."
    )
    prefix_dcs: bool | None = Field(
        None,
        description="Put the cluster's name in front of the names of its datacenters in the data planes.",
    )
    encryption: Encryption | None = Field(None, description="Encryption of connections inside the cluster.")
    data_api: FreeObject | None = Field(None, description="The Data API of older manifests; not supported.")
    k8ssandra: K8ssandraClusterSpec = Field(
        description="The database: version, configuration, datacenters and the data planes they run in."
    )


class ClusterDatacenterStatus(KubeModel):
    """One datacenter of a cluster as seen from the control plane."""

    name: str = Field(description="Name of the datacenter.")
    data_plane: str | None = Field(None, description="DataPlane that the datacenter runs in.")
    ready_replicas: Int32 = Field(0, description="Nodes that serve requests.")
    replicas: Int32 = Field(0, description="Nodes that are wanted.")
    conditions: Conditions = Field(
        default_factory=list, description="Ready and other aspects of the datacenter."
    )
    message: str | None = Field(None, description="What is going on, in a sentence.")


class MissionControlClusterStatus(KubeModel):
    """What is known of a cluster."""

    phase: Phase | None = Field(
        None, description="Pending, Bootstrapping, Ready, Updating, Degraded, Stopped or Deleting."
    )
    conditions: Conditions = Field(default_factory=list, description="Ready, Progressing and other aspects.")
    message: str | None = Field(None, description="What is going on and what is waited for, in a sentence.")
    datacenters: Annotated[list[ClusterDatacenterStatus], list_map("name")] = Field(
        default_factory=list, description="The datacenters of the cluster."
    )
    replicas: Int32 | None = Field(None, description="Nodes that are wanted, over all datacenters.")
    ready_replicas: Int32 | None = Field(None, description="Nodes that serve requests, over all datacenters.")
    selector: str | None = Field(None, description="Label selector of the pods, for autoscalers.")
    observed_generation: Int64 | None = Field(None, description="The generation that was reconciled last.")
