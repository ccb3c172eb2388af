"""The superuser of a cluster: a Secret here, copied to every plane before its K8ssandraCluster.

It is generated exactly once. When it is lost and databases exist that know the old password, it is taken
back from a plane, never made anew.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controllers.missioncontrol.clusters.facts import Cluster
from controllers.missioncontrol.clusters.guard import Objection
from missioncontrol.api.names import Reason
from missioncontrol.api.resources import SECRETS, STORED_CLUSTERS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists, NotFound
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import OwnerReference, Secret

KEYS: Final = ("username", "password")
PASSWORD_LENGTH: Final = 20
_ALPHABET: Final = string.ascii_letters + string.digits + "-"


@dataclass(frozen=True, slots=True)
class Make:
    """Create the Secret with this data (base64)."""

    data: Mapping[str, str]


def decide(
    cluster: Cluster, present: Mapping[str, str] | None, copies: Sequence[Mapping[str, str]], *, exists: bool
) -> Make | Objection | None:
    """What to do about the Secret: nothing, make it, or object.

    ``present`` is the data in the control plane, ``copies`` that of the copies in planes, ``exists`` whether
    any plane may have been asked for the database.
    """
    name, namespace = cluster.superuser_secret, cluster.namespace
    if present is not None:
        missing = [key for key in KEYS if not present.get(key)]
        if not missing:
            return None
        text = f"the Secret {namespace}/{name} lacks the key {missing[0]}: it needs username and password"
        return Objection(Reason.INVALID_SPEC, f"spec.k8ssandra.cassandra.superuserSecretRef.name: {text}")
    if cluster.named_superuser_secret:
        text = f"there is no Secret {namespace}/{name}: create it with the keys username and password"
        return Objection(Reason.INVALID_SPEC, f"spec.k8ssandra.cassandra.superuserSecretRef.name: {text}")
    for copy in copies:
        if all(copy.get(key) for key in KEYS):
            return Make(copy)
    if exists:
        text = f"the Secret {namespace}/{name} is gone, and no data plane that answers has a copy of it"
        return Objection(Reason.WAITING, f"{text}: restore it, or bring a plane back")
    password = "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))
    return Make({"username": _encode(name), "password": _encode(password)})


def render(cluster: Cluster, data: Mapping[str, str]) -> dict[str, Any]:
    """The Secret in the control plane; it goes when the cluster goes."""
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {
            "name": cluster.superuser_secret,
            "namespace": cluster.namespace,
            "labels": cluster.owner.labels(),
            "ownerReferences": [owner_reference(cluster)],
        },
        "type": "Opaque",
        "data": dict(data),
    }


def owner_reference(cluster: Cluster) -> dict[str, Any]:
    """What makes the garbage collector delete an object with the stored cluster."""
    return {
        "apiVersion": STORED_CLUSTERS.api_version,
        "kind": STORED_CLUSTERS.kind,
        "name": cluster.name,
        "uid": cluster.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


class Superusers:
    """Reads and makes the Secrets in the control plane."""

    def __init__(self, client: Client, informer: Informer[Secret]) -> None:
        self._client = client
        self._informer = informer

    async def data(self, cluster: Cluster) -> Mapping[str, str] | None:
        """The data of the cluster's Secret; None when there is none that may be used."""
        cached = self._informer.get(cluster.namespace, cluster.superuser_secret)
        if cached is not None:
            return None if self._foreign(cached.metadata.owner_references, cluster) else cached.data
        try:
            found = await self._client.get(SECRETS, cluster.superuser_secret, namespace=cluster.namespace)
        except NotFound:
            return None
        return found.get("data") or {}

    async def ensure(
        self, cluster: Cluster, copies: Sequence[Mapping[str, str]], *, exists: bool
    ) -> Objection | None:
        """Make the Secret where that is due; the objection when there is none to work with."""
        cached = self._informer.get(cluster.namespace, cluster.superuser_secret)
        if cached is not None and self._foreign(cached.metadata.owner_references, cluster):
            text = f"the Secret {cluster.namespace}/{cluster.superuser_secret} belongs to another cluster"
            field = "spec.k8ssandra.cassandra.clusterName"
            return Objection(Reason.NAME_TAKEN, f"{field}: {text}: choose another name")
        decision = decide(cluster, await self.data(cluster), copies, exists=exists)
        if isinstance(decision, Make):
            try:
                await self._client.create(SECRETS, render(cluster, decision.data))
            except AlreadyExists:
                # somebody made it a moment ago; the next look reads it
                return None
            return None
        return decision

    def _foreign(self, owners: Sequence[OwnerReference], cluster: Cluster) -> bool:
        return any(each.kind == STORED_CLUSTERS.kind and each.name != cluster.name for each in owners)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
