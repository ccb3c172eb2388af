"""What the control plane's webhooks must know besides the request: clusters, planes, who may use one.

Caches answer first. Before something is refused because it is missing, the API server itself is asked: an
object that was made a moment ago must not count as absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from missioncontrol.api.resources import (
    DATA_PLANES,
    STORED_CLUSTERS,
    STORED_DATA_PLANES,
    STORED_DATACENTERS,
    SUBJECT_ACCESS_REVIEWS,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Object
from missioncontrol.policy.question import PlaneFacts
from missioncontrol.validation.cluster import spec_view
from missioncontrol.validation.values import text
from webhooks.requester import Person


def unsynced(informers: Iterable[Informer[Object]]) -> str | None:
    """What is still missing, for readiness."""
    missing = [each.resource.plural for each in informers if not each.synced]
    return f"waiting for the first list of {', '.join(missing)}" if missing else None


class Inventory:
    """Reads of the storage group."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.clusters: Informer[Object] = Informer(client, STORED_CLUSTERS, Object)
        self.planes: Informer[Object] = Informer(client, STORED_DATA_PLANES, Object)

    @property
    def informers(self) -> tuple[Informer[Object], ...]:
        """What has to run."""
        return self.clusters, self.planes

    async def planes_among(self, wanted: Collection[str]) -> set[str]:
        """The names of all DataPlanes; those that are wanted and not cached are looked up."""
        known = {each.metadata.name for each in self.planes.all()}
        for name in sorted(set(wanted) - known - {""}):
            if await self._look_up(name) is not None:
                known.add(name)
        return known

    async def plane_facts(self, names: Iterable[str]) -> dict[str, PlaneFacts]:
        """Labels and regions for policies; read anew, for a label may have been set just now."""
        found = {name: await self._look_up(name) for name in sorted(set(names) - {""})}
        return {name: _facts(body) for name, body in found.items() if body is not None}

    async def cluster(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """A stored MissionControlCluster."""
        cached = self.clusters.get(namespace, name)
        if cached is not None:
            return _as_object(cached)
        try:
            return await self._client.get(STORED_CLUSTERS, name, namespace=namespace)
        except NotFound:
            return None

    async def users_of_plane(self, name: str) -> dict[str, list[str]]:
        """Who still has datacenters on a plane, as wanted or as it was seen; read from the API server."""
        users: dict[str, list[str]] = {}
        for body in await self._client.list(STORED_CLUSTERS):
            cluster = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            for datacenter in spec_view(body).datacenters:
                if datacenter.context == name:
                    users.setdefault(cluster, []).append(datacenter.name)
        for body in await self._client.list(STORED_DATACENTERS):
            spec = body.get("spec") or {}
            if text(spec.get("dataPlane")) == name:
                cluster, _, datacenter_name = body["metadata"]["name"].partition(".")
                held = users.setdefault(f"{body['metadata']['namespace']}/{cluster}", [])
                if datacenter_name not in held:
                    held.append(datacenter_name)
        return users

    async def may_use(self, person: Person, plane: str) -> bool:
        """Whether RBAC gives the person the verb `use` on a DataPlane."""
        review = {
            "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SUBJECT_ACCESS_REVIEWS.kind,
            "spec": {
                "user": person.username,
                "uid": person.uid,
                "groups": list(person.groups),
                "extra": {key: list(values) for key, values in person.extra.items()},
                "resourceAttributes": {
                    "group": DATA_PLANES.group,
                    "version": DATA_PLANES.version,
                    "resource": DATA_PLANES.plural,
                    "name": plane,
                    "verb": "use",
                },
            },
        }
        answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, review)
        status = answer.get("status") or {}
        return bool(status.get("allowed")) and not status.get("denied")

    async def _look_up(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._client.get(STORED_DATA_PLANES, name)
        except NotFound:
            return None


def _facts(body: Mapping[str, Any]) -> PlaneFacts:
    labels = body["metadata"].get("labels") or {}
    return PlaneFacts(labels=labels, region=text((body.get("spec") or {}).get("region")))


def _as_object(view: Object) -> dict[str, Any]:
    meta = view.metadata
    deleted = meta.deletion_timestamp
    return {
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            **({"deletionTimestamp": deleted.isoformat()} if deleted else {}),
        },
        "spec": view.spec,
    }
