"""Which Services, EndpointSlices, budgets and Secrets have to be made, changed or removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from controllers.cassandra.actions import (
    Action,
    ApplyObject,
    CreateKeystores,
    CreateSuperuser,
    DeleteObject,
    WriteConfig,
)
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.budget import pod_disruption_budget
from controllers.cassandra.render.endpoints import FAMILIES, endpoint_slice_name, endpoint_slices
from controllers.cassandra.render.services import services
from controllers.cassandra.state import Snapshot
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import (
    ENDPOINT_SLICES,
    POD_DISRUPTION_BUDGETS,
    SECRETS,
    SERVICES,
    Resource,
)


class NameTaken(Exception):
    """A name that we need belongs to somebody else."""


def object_actions(snapshot: Snapshot) -> list[Action]:
    """What is missing or differs from what the spec wants."""
    return [
        *_services(snapshot),
        *_slices(snapshot),
        *_budget(snapshot),
        *_superuser(snapshot),
        *_keystores(snapshot),
    ]


def config_actions(snapshot: Snapshot) -> list[Action]:
    """The merged configuration, whenever something that it is made from has changed."""
    datacenter = snapshot.datacenter
    if not datacenter.spec.config_secret:
        return []
    names = (datacenter.spec.config_secret, datacenter.merged_config_secret)
    found = (snapshot.objects.get((SECRETS.kind, name)) for name in names)
    versions = tuple(each.version if each is not None else "" for each in found)
    source = (datacenter.metadata.generation, datacenter.resource_name, *versions)
    return [] if source == snapshot.memory.config_source else [WriteConfig(source)]


def config_is_known(snapshot: Snapshot) -> bool:
    """Whether the datacenter, as it is seen, carries the hash of the configuration that was written."""
    datacenter = snapshot.datacenter
    return not datacenter.spec.config_secret or datacenter.config_hash == snapshot.memory.config_hash


def _services(snapshot: Snapshot) -> Iterator[Action]:
    datacenter = snapshot.datacenter
    wanted = services(datacenter)
    for body in wanted:
        shared = body["metadata"]["name"] == datacenter.seed_service
        yield from _one(snapshot, SERVICES, body, shared=shared)
    name = datacenter.node_port_service
    if all(body["metadata"]["name"] != name for body in wanted) and _owned(snapshot, SERVICES, name):
        yield DeleteObject(SERVICES, name)


def _slices(snapshot: Snapshot) -> Iterator[Action]:
    wanted = {body["metadata"]["name"]: body for body in endpoint_slices(snapshot.datacenter)}
    for body in wanted.values():
        yield from _one(snapshot, ENDPOINT_SLICES, body)
    for family in FAMILIES:
        name = endpoint_slice_name(snapshot.datacenter, family)
        if name not in wanted and _owned(snapshot, ENDPOINT_SLICES, name):
            yield DeleteObject(ENDPOINT_SLICES, name)


def _budget(snapshot: Snapshot) -> Iterator[Action]:
    datacenter = snapshot.datacenter
    if not datacenter.annotated(Annotation.DISABLE_PDB_CREATION):
        yield from _one(snapshot, POD_DISRUPTION_BUDGETS, pod_disruption_budget(_protected(snapshot)))
    elif _owned(snapshot, POD_DISRUPTION_BUDGETS, datacenter.pod_disruption_budget):
        yield DeleteObject(POD_DISRUPTION_BUDGETS, datacenter.pod_disruption_budget)


def _protected(snapshot: Snapshot) -> Datacenter:
    """The datacenter with as many nodes as it still has: those that are to leave are not to be evicted."""
    datacenter = snapshot.datacenter
    if snapshot.replicas <= datacenter.spec.size:
        return datacenter
    return replace(datacenter, spec=datacenter.spec.model_copy(update={"size": snapshot.replicas}))


def _superuser(snapshot: Snapshot) -> Iterator[Action]:
    datacenter = snapshot.datacenter
    if (SECRETS.kind, datacenter.superuser_secret) in snapshot.objects:
        return
    # one that the spec names is the user's to make; it is read when the roles are written
    if not datacenter.spec.superuser_secret_name:
        yield CreateSuperuser()


def _keystores(snapshot: Snapshot) -> Iterator[Action]:
    names = snapshot.datacenter.keystore_secrets
    if any((SECRETS.kind, name) not in snapshot.objects for name in names):
        yield CreateKeystores()


def _one(
    snapshot: Snapshot, resource: Resource, body: dict[str, Any], *, shared: bool = False
) -> Iterator[Action]:
    name = body["metadata"]["name"]
    existing = snapshot.objects.get((resource.kind, name))
    if existing is None:
        yield ApplyObject(resource, body, exists=False)
        return
    if existing.owner_uid != snapshot.datacenter.uid:
        if shared and existing.owner_uid:
            return
        owner = existing.owner_name or "nobody known"
        raise NameTaken(
            f"{resource.kind} {name} exists and belongs to {owner}; rename the cluster or remove that object"
        )
    if existing.digest != body["metadata"]["annotations"][Annotation.RESOURCE_HASH]:
        yield ApplyObject(resource, body, exists=True)


def _owned(snapshot: Snapshot, resource: Resource, name: str) -> bool:
    existing = snapshot.objects.get((resource.kind, name))
    return existing is not None and existing.owner_uid == snapshot.datacenter.uid
