"""Collects what a decision is made on: from the caches first, then the few answers of nodes that it needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from controllers.cassandra.caches import BY_DATACENTER, BY_SERVICE, Caches, place
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.decide.questions import Questions, questions
from controllers.cassandra.decide.volumes import classes_to_ask
from controllers.cassandra.machines import Machine
from controllers.cassandra.management import ManagementApi, ManagementError
from controllers.cassandra.memory import UNREACHABLE_FOR, DatacenterMemory
from controllers.cassandra.render.endpoints import FAMILIES, endpoint_slice_name
from controllers.cassandra.render.images import ImageConfig, UnknownServerType
from controllers.cassandra.render.statefulset import statefulset
from controllers.cassandra.state import (
    Existing,
    Gossip,
    Observations,
    PodState,
    Process,
    Replicas,
    Snapshot,
    StartCall,
)
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import (
    ENDPOINT_SLICES,
    POD_DISRUPTION_BUDGETS,
    SECRETS,
    SERVICES,
    STORAGE_CLASSES,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.informer import HasMeta

log = logging.getLogger(__name__)

T = TypeVar("T")
Asker = Callable[[PodState], Awaitable[T]]
Getter = Callable[[str, str], HasMeta | None]


def from_caches(
    datacenter: Datacenter, caches: Caches, memory: DatacenterMemory, images: ImageConfig, now: datetime
) -> Snapshot:
    """Everything that is known without asking anybody."""
    key = place(datacenter.namespace, datacenter.name)
    views = caches.pods.by(BY_DATACENTER, key)
    pods = tuple(
        state if machine is Machine.FINE else replace(state, machine=machine)
        for state, machine in zip(memory.pods.of(views), map(caches.machine, views), strict=True)
    )
    memory.forget_others({pod.incarnation for pod in pods})
    sets = memory.racks.of(caches.statefulsets.by(BY_DATACENTER, key))
    claims = memory.volumes.of(caches.claims.by(BY_DATACENTER, key))
    return Snapshot(
        datacenter=datacenter,
        racks={live.name: live for live in sets},
        pods=pods,
        claims={claim.name: claim for claim in claims},
        tasks=_tasks(datacenter, caches, key),
        objects=_objects(datacenter, caches),
        desired_racks=_desired(datacenter, memory, images),
        external_seeds=_external_seeds(datacenter, caches),
        memory=memory.view(now),
    )


async def with_storage_classes(snapshot: Snapshot, client: Client) -> Snapshot:
    """The snapshot with what the StorageClasses allow, where volumes are to grow."""
    asked = classes_to_ask(snapshot)
    if not asked:
        return snapshot
    found = {}
    for name in sorted(asked):
        try:
            body = await client.get(STORAGE_CLASSES, name)
        except NotFound:
            body = {}
        found[name] = bool(body.get("allowVolumeExpansion"))
    return replace(snapshot, observed=replace(snapshot.observed, storage_classes=found))


async def with_answers(
    snapshot: Snapshot, api: ManagementApi, memory: DatacenterMemory, now: datetime
) -> Snapshot:
    """The snapshot with what the nodes say, as far as a decision needs it."""
    silent = memory.recently_unreachable(now)
    known = {pod.name: silent[pod.incarnation] for pod in snapshot.pods if pod.incarnation in silent}
    classes = snapshot.observed.storage_classes
    snapshot = replace(snapshot, observed=Observations(processes=known, storage_classes=classes))
    asked = questions(snapshot, now)
    if not (asked.processes or asked.gossip or asked.quorum):
        return snapshot
    observed = await _ask(snapshot, asked, api)
    await _ask_leavers(snapshot, observed, api, memory, now)
    by_name = {pod.name: pod for pod in snapshot.pods}
    for name, process in observed.processes.items():
        if process is Process.UNREACHABLE:
            memory.unreachable[by_name[name].incarnation] = now + UNREACHABLE_FOR
    answered = replace(observed, processes={**known, **observed.processes}, storage_classes=classes)
    return replace(snapshot, observed=answered)


async def _ask_leavers(
    snapshot: Snapshot, observed: Observations, api: ManagementApi, memory: DatacenterMemory, now: datetime
) -> None:
    """Whether the job of a node that was told to leave, and still is a member, has failed."""
    for pod in snapshot.leaving:
        leave = memory.leaves.get(pod.incarnation)
        own = next((each for each in observed.gossip.get(pod.name, ()) if each.local), None)
        if leave is None or leave.call is not StartCall.ACCEPTED or own is None or not own.normal:
            continue
        try:
            job = await api.job(pod, port=snapshot.datacenter.management_port, job_id=leave.job)
        except ManagementError as error:
            log.info("no answer about the job: %s", error)
            continue
        if leave.job == "" or job is None or job.status == "ERROR":
            said = job.error if job is not None else "its job is not known any more"
            memory.leave_failed(pod, said, now)


async def ask_health(snapshot: Snapshot, api: ManagementApi) -> Observations:
    """What every running node sees of the ring."""
    started = tuple(pod for pod in snapshot.living if pod.started)
    return await _ask(snapshot, Questions(gossip=started, quorum=started), api)


async def _ask(snapshot: Snapshot, asked: Questions, api: ManagementApi) -> Observations:
    port = snapshot.datacenter.management_port
    racks = len(snapshot.datacenter.racks)

    async def process(pod: PodState) -> Process:
        return await api.process(pod, port=port)

    async def gossip(pod: PodState) -> Gossip | None:
        try:
            return await api.gossip(pod, port=port)
        except ManagementError as error:
            log.info("no gossip: %s", error)
            return None

    async def quorum(pod: PodState) -> bool:
        try:
            return await api.has_quorum(pod, port=port, replicas=racks)
        except ManagementError as error:
            log.info("no answer about the quorum: %s", error)
            return False

    async def replication(pod: PodState) -> dict[str, Replicas] | None:
        try:
            return await api.replication(pod, port=port, datacenter=snapshot.datacenter.cassandra_name)
        except ManagementError as error:
            log.info("no answer about the keyspaces: %s", error)
            return None

    processes, tables, quorums, factors = await asyncio.gather(
        _all(asked.processes, process),
        _all(asked.gossip, gossip),
        _all(asked.quorum, quorum),
        _all(asked.replication, replication),
    )
    answered = {name: table for name, table in tables.items() if table is not None}
    return Observations(
        processes=processes, gossip=answered, quorum=quorums, replication=next(iter(factors.values()), None)
    )


async def _all(pods: Iterable[PodState], ask: Asker[T]) -> dict[str, T]:
    chosen = list(pods)
    answers = await asyncio.gather(*(ask(pod) for pod in chosen))
    return {pod.name: answer for pod, answer in zip(chosen, answers, strict=True)}


def _objects(datacenter: Datacenter, caches: Caches) -> dict[tuple[str, str], Existing]:
    namespace = datacenter.namespace
    service_names = (
        datacenter.service,
        datacenter.seed_service,
        datacenter.all_pods_service,
        datacenter.additional_seed_service,
        datacenter.node_port_service,
    )
    slice_names = tuple(endpoint_slice_name(datacenter, family) for family in FAMILIES)
    marked = caches.secrets.by(BY_DATACENTER, place(namespace, datacenter.name))
    secret_names = datacenter.used_secrets.union(
        each.metadata.name for each in marked if each.metadata.namespace == namespace
    )
    found: dict[tuple[str, str], Existing] = {}

    def look(kind: str, names: Iterable[str], get: Getter) -> None:
        for name in names:
            view = get(namespace, name)
            if view is not None:
                found[kind, name] = Existing.of(view.metadata)

    look(SERVICES.kind, service_names, caches.services.get)
    look(ENDPOINT_SLICES.kind, slice_names, caches.slices.get)
    look(POD_DISRUPTION_BUDGETS.kind, (datacenter.pod_disruption_budget,), caches.budgets.get)
    look(SECRETS.kind, secret_names, caches.secrets.get)
    return found


def _tasks(datacenter: Datacenter, caches: Caches, key: str) -> dict[str, bool]:
    if not datacenter.annotated(Annotation.TRACK_CLEANUP_TASKS):
        return {}
    tasks = caches.tasks.by(BY_DATACENTER, key)
    return {each.metadata.name: bool(each.status.get("completionTime")) for each in tasks}


def _external_seeds(datacenter: Datacenter, caches: Caches) -> bool:
    if datacenter.spec.additional_seeds:
        return True
    key = place(datacenter.namespace, datacenter.additional_seed_service)
    slices = caches.slices.by(BY_SERVICE, key)
    return any(endpoint.addresses for each in slices for endpoint in each.endpoints or ())


def _desired(datacenter: Datacenter, memory: DatacenterMemory, images: ImageConfig) -> dict[str, str]:
    """The hashes of the rendered StatefulSets; rendered again only when their source has changed."""
    source = (
        datacenter.metadata.generation,
        datacenter.resource_name,
        datacenter.metadata.annotations.get(Annotation.USE_NEW_CONFIG_BUILDER),
        datacenter.config_hash,
        images,
    )
    if memory.desired is not None and memory.desired[0] == source:
        return memory.desired[1]
    if datacenter.spec.size < len(datacenter.racks):
        return {}
    hashes = {}
    try:
        for rack in datacenter.plan:
            body = statefulset(datacenter, rack, images, replicas=rack.nodes)
            hashes[rack.statefulset] = body["metadata"]["annotations"][Annotation.RESOURCE_HASH]
    except UnknownServerType:
        return {}
    memory.desired = (source, hashes)
    return hashes
