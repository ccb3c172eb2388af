"""DataPlane: a Kubernetes cluster that datacenters can be placed in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from missioncontrol.api.model import LIST_SET, Conditions, Int32, Int64, KubeModel, Time


class KubeconfigSecretRef(KubeModel):
    """The key of a Secret in the system namespace that holds a kubeconfig."""

    name: str = Field(min_length=1, max_length=253, description="Name of the Secret in the system namespace.")
    key: str = Field("kubeconfig", min_length=1, max_length=253, description="Key inside the Secret.")


class DataPlaneSpec(KubeModel):
    """How a Kubernetes cluster is reached, and what may be placed there."""

    region: str | None = Field(
        None, max_length=253, description="Where the cluster is; for people and policies."
    )
    kubeconfig_secret_ref: KubeconfigSecretRef = Field(
        description="Secret with the kubeconfig. It must hold all credentials inline: exec plugins, "
        "auth providers and references to files are refused."
    )
    context: str = Field(
        "", max_length=253, description="Context of the kubeconfig to use; its current context if empty."
    )
    allowed_namespaces: Annotated[list[str], LIST_SET] = Field(
        default_factory=list,
        max_length=1000,
        description="Namespaces that clusters may use there, beyond the one named like their own.",
    )


class DataPlaneStatus(KubeModel):
    """What is known of a data plane."""

    conditions: Conditions = Field(default_factory=list, description="Ready, Reachable and CredentialsValid.")
    message: str | None = Field(None, description="Why the plane is not ready and what helps, in a sentence.")
    kubernetes_version: str | None = Field(None, description="Version of the plane's API server.")
    server: str | None = Field(None, description="Address of the plane's API server.")
    cluster_id: str | None = Field(
        None, alias="clusterID", description="UID of the plane's namespace kube-system; tells planes apart."
    )
    last_contact_time: Time | None = Field(None, description="When the plane answered last.")
    away_since: Time | None = Field(
        None, description="Since when the plane does not answer; unset while it does."
    )
    clusters: Int32 | None = Field(None, description="Clusters with datacenters in this plane.")
    observed_generation: Int64 | None = Field(None, description="The generation that was reconciled last.")
