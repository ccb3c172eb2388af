"""Whether a plane that answers can be used: it knows us, lets us in, and has the custom resources.

An API server tells its version to everybody; only a request of the kind that the operator lives on shows
whether its credentials and rights are good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from controllers.missioncontrol.identity import FIELD_MANAGER
from missioncontrol.api.names import Reason
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    NAMESPACES,
    PODS,
    SECRETS,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import KubeError, from_response

CHECK_SECONDS = 4.0
NEEDED = (K8SSANDRA_CLUSTERS, CASSANDRA_DATACENTERS, K8SSANDRA_TASKS, PODS, SECRETS, NAMESPACES)
REMOTE_ROLE = f"missioncontrol:{FIELD_MANAGER}-remote"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the reason and message of the Ready condition, were it only for this."""

    ok: bool
    reason: Reason
    message: str
    cluster_id: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a DataPlane is known by beside its name."""

    name: str
    born: tuple[datetime | None, str]
    """When the DataPlane was made, and its name: of two for one Kubernetes cluster the older one stays."""
    cluster_id: str = ""
    """The Kubernetes cluster that clusters were placed in through it; empty while none are."""


def verify(finding: Finding, identity: Identity, others: Iterable[tuple[Identity, Finding]]) -> Finding:
    """A finding, unless it was made in a Kubernetes cluster that this DataPlane must not lead to."""
    if not finding.ok:
        return finding
    if identity.cluster_id and finding.cluster_id != identity.cluster_id:
        return Finding(
            False,
            Reason.KUBECONFIG_INVALID,
            "the kubeconfig (clusters[].cluster.server) leads to another Kubernetes cluster than the one "
            f"that holds datacenters of this plane ({finding.cluster_id}, not {identity.cluster_id}): put "
            "the right kubeconfig into the Secret, or register the other one under a name of its own",
        )
    for other, theirs in others:
        older = other.born[0] is not None and identity.born[0] is not None and other.born < identity.born
        if older and theirs.ok and theirs.cluster_id == finding.cluster_id:
            text = f"is the same Kubernetes cluster as the DataPlane {other.name}: delete one of the two"
            return Finding(False, Reason.NAME_TAKEN, text)
    return finding


async def check(client: Client) -> Finding | None:
    """Try all that is needed; None when the plane did not answer, which is for the health probe to tell."""
    try:
        for resource in NEEDED:
            response = await client.request(
                "GET", resource.path(), query={"limit": "1"}, timeout=CHECK_SECONDS
            )
            if response.status >= 400:
                return judge(resource, response.status, from_response(response.status, response.body).message)
        system = await client.get(NAMESPACES, "kube-system")
    except KubeError:
        return None
    return Finding(True, Reason.CONNECTED, "", cluster_id=str(system["metadata"]["uid"]))


def judge(resource: Resource, status: int, message: str) -> Finding | None:
    """What a refusal of a list means, and what helps; None for a fault that may pass."""
    name = resource.group_resource
    match status:
        case 401:
            return Finding(
                False,
                Reason.UNAUTHORIZED,
                "the plane does not accept the credentials of the kubeconfig (users[].user): put a new "
                "kubeconfig into the Secret",
            )
        case 403:
            return Finding(
                False,
                Reason.FORBIDDEN,
                f"the user of the kubeconfig may not list {name} there: bind it to the ClusterRole "
                f"{REMOTE_ROLE} ({message})",
            )
        case 404:
            return Finding(
                False,
                Reason.CRDS_MISSING,
                f"the plane does not know {name}: install the data plane's manifests there",
            )
        case _:
            return None
