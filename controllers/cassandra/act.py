"""Carries out what was decided: writes to Kubernetes and calls to nodes, in the order of the plan.

Every step can be the last one before a crash: each is either repeated without harm, or fenced by the
version of the object that the decision was made on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from controllers.cassandra import actions as a
from controllers.cassandra.adoption import adopt
from controllers.cassandra.config_secret import write_config
from controllers.cassandra.datacenter import Datacenter, RackPlan
from controllers.cassandra.keystores import create_keystores
from controllers.cassandra.machines import MachineView, machine_of
from controllers.cassandra.management import ManagementApi, ManagementError
from controllers.cassandra.memory import DatacenterMemory
from controllers.cassandra.objects import ObjectWriter
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.statefulset import (
    in_steps,
    keep_immutable,
    statefulset,
)
from controllers.cassandra.render.task import cleanup_task
from controllers.cassandra.state import PodState
from controllers.cassandra.status import Done
from controllers.cassandra.users import UserWriter
from controllers.cassandra.volumes import VolumeWriter
from controllers.cassandra.whole import write
from controllers.runtime import EventRecorder
from missioncontrol.api.names import (
    Annotation,
    Component,
    EventReason,
    Finalizer,
    Label,
    LabelValue,
    NodeState,
)
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    NODES,
    PODS,
    STATEFUL_SETS,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists, NotFound

log = logging.getLogger(__name__)

MANAGER = Component.CASS_OPERATOR.value
TELL_SECONDS = 1.0
"""How long a pass waits for nodes that are told of new seeds; slower ones get it while it goes on."""


class Actor:
    """Does things for one datacenter."""

    def __init__(
        self,
        datacenter: Datacenter,
        *,
        client: Client,
        api: ManagementApi,
        memory: DatacenterMemory,
        images: ImageConfig,
        recorder: EventRecorder,
        wake: Callable[[], None],
    ) -> None:
        self._dc = datacenter
        self._client = client
        self._api = api
        self._memory = memory
        self._images = images
        self._recorder = recorder
        self._wake = wake
        self._objects = ObjectWriter(client, datacenter, self._tell)
        self._volumes = VolumeWriter(client, datacenter, images, self._tell)
        self._users = UserWriter(client, datacenter, api, memory, self._tell)
        self.done = Done()

    async def carry_out(self, plan: a.Plan) -> None:
        """All actions of a plan: what is missing is made at once, the others follow one after the other."""
        missing: list[a.ApplyObject] = []
        others: list[a.Action] = []
        for action in plan.actions:
            match action:
                case a.CreateRack(statefulset=name, replicas=replicas):
                    missing.append(a.ApplyObject(STATEFUL_SETS, self._new_rack(name, replicas), exists=False))
                case a.ApplyObject(exists=False):
                    missing.append(action)
                case _:
                    others.append(action)
        if missing:
            await self._objects.make(missing)
        for action in others:
            await self._one(action)

    async def _one(self, action: a.Action) -> None:
        match action:
            case a.AddFinalizer() | a.RemoveFinalizer():
                await self._finalizer(add=isinstance(action, a.AddFinalizer))
            case a.ApplyObject():
                await self._objects.change(action)
            case a.DeleteObject(resource=resource, name=name):
                await self._objects.delete(resource, name)
            case a.CreateSuperuser():
                await self._users.create_superuser()
            case a.CreateKeystores():
                await create_keystores(self._client, self._dc)
            case a.ScaleRack():
                await self._scale(action)
            case a.UpdateRack():
                await self._update(action)
            case a.AdoptRack():
                await self._adopt(action)
            case a.LabelRack():
                await self._label_rack(action)
            case a.WriteConfig(source=source):
                await write_config(self._client, self._dc, self._memory)
                self._memory.config_source = source
            case a.LogQueries(pods=pods):
                await asyncio.gather(*(self._log_queries(pod) for pod in pods))
            case a.AdvanceRack():
                await self._advance(action)
            case a.GrowClaims(claims=claims):
                for claim, size in claims:
                    await self._volumes.grow(claim.name, size)
            case a.RecreateRack():
                await self._volumes.recreate(action)
            case a.PatchSpec(members=members):
                await self._patch_datacenter({"spec": dict(members)})
            case a.LabelPod(pod=pod, labels=labels, events=events):
                await self._label(pod, dict(labels))
                self._tell(*events)
                if labels.get(Label.NODE_STATE) == NodeState.STARTED:
                    self._memory.start_succeeded(pod.name)
            case a.StartNode():
                await self._start(action)
            case a.PutBack(pod=pod):
                await self._label(pod, {Label.NODE_STATE: NodeState.READY_TO_START.value})
                self._memory.put_back(pod, datetime.now(UTC))
            case a.DeletePod():
                await self._delete_pod(action)
            case a.RemovePod(pod=pod):
                await self._remove_pod(pod)
            case a.ReloadSeeds(pods=pods, seeds=seeds):
                await self._reload_seeds(pods, seeds)
            case a.WriteRoles():
                self.done.roles_written |= await self._users.write_roles(action)
            case a.CreateCleanupTask(name=name):
                await self._create_cleanup(name)
            case a.RemoveAnnotation(key=key):
                await self._patch_datacenter({"metadata": {"annotations": {key: None}}})
            case a.Tell(event=event):
                self._tell(event)
            case a.DrainNodes(pods=pods):
                for pod in pods:
                    self._memory.drain(self._api, pod, port=self._dc.management_port, wake=self._wake)
            case a.Decommission():
                await self._decommission(action)
            case a.MarkLeft():
                await self._volumes.mark_left(action)
            case a.DeleteClaims(claims=None):
                await self._volumes.delete_all()
            case a.DeleteClaims(claims=claims):
                for claim in claims or ():
                    await self._volumes.delete(claim.name, claim.uid)
            case a.ForgetSecrets(names=names):
                await self._users.forget(names)

    def _tell(self, *events: a.Event) -> None:
        for event in events:
            self._recorder.event(
                CASSANDRA_DATACENTERS,
                self._dc.metadata,
                reason=event.reason,
                note=event.note,
                type="Warning" if event.warning else "Normal",
                action=event.reason,
            )

    # --- the datacenter itself -----------------------------------------------------------------

    async def _patch_datacenter(self, patch: dict[str, Any]) -> None:
        await self._client.merge_patch(
            CASSANDRA_DATACENTERS,
            self._dc.name,
            patch,
            namespace=self._dc.namespace,
            field_manager=MANAGER,
        )

    async def _finalizer(self, *, add: bool) -> None:
        ours = Finalizer.CASSANDRA_DATACENTER
        finalizers = [each for each in self._dc.metadata.finalizers if each != ours]
        if add:
            finalizers.append(ours)
        # a merge patch replaces the whole list: only on the version that it was read from
        version = self._dc.metadata.resource_version
        await self._patch_datacenter({"metadata": {"finalizers": finalizers, "resourceVersion": version}})

    # --- racks ---------------------------------------------------------------------------------

    def _rack(self, name: str) -> RackPlan:
        return next(rack for rack in self._dc.plan if rack.statefulset == name)

    def _new_rack(self, name: str, replicas: int) -> dict[str, Any]:
        recreating = self._dc.recreating
        if recreating is not None and recreating.name == name:
            return recreating.body
        return statefulset(self._dc, self._rack(name), self._images, replicas=replicas)

    async def _scale(self, action: a.ScaleRack) -> None:
        patch = {
            "metadata": {"resourceVersion": action.resource_version},
            "spec": {"replicas": action.replicas},
        }
        await self._patch_rack(action.statefulset, patch)
        if action.event is not None:
            self._tell(action.event)

    async def _label_rack(self, action: a.LabelRack) -> None:
        await self._patch_rack(action.statefulset, {"metadata": {"labels": dict(action.labels)}})
        note = f"Update rack labels for StatefulSet {action.statefulset}"
        self._tell(a.Event(EventReason.LABELED_RACK_RESOURCE, note))

    async def _adopt(self, action: a.AdoptRack) -> None:
        live = await self._client.get(STATEFUL_SETS, action.statefulset, namespace=self._dc.namespace)
        desired = statefulset(
            self._dc, self._rack(action.statefulset), self._images, replicas=live["spec"]["replicas"]
        )
        if not await adopt(self._client, STATEFUL_SETS, keep_immutable(desired, live), live):
            # not asked again for as long as neither it nor what is wanted changes
            self._memory.compared.add((live["metadata"]["uid"], action.digest, action.desired))

    async def _log_queries(self, pod: PodState) -> None:
        if not await self._api.log_queries(pod, port=self._dc.management_port):
            note = f"full query logging is wanted, but the management API of {pod.name} does not offer it"
            self._tell(a.Event(EventReason.RECONCILE_FAILED, note, warning=True))
        self._memory.logged.add(pod.incarnation)

    async def _update(self, action: a.UpdateRack) -> None:
        rack = self._rack(action.statefulset)
        live = await self._client.get(STATEFUL_SETS, action.statefulset, namespace=self._dc.namespace)
        desired = statefulset(self._dc, rack, self._images, replicas=live["spec"]["replicas"])
        body = keep_immutable(desired, live)
        body["metadata"] = {**body["metadata"], "resourceVersion": action.resource_version}
        if action.partition is not None:
            body = in_steps(body, action.partition)
        await write(self._client, STATEFUL_SETS, body)
        note = f"Updating rack {action.rack} force={'true' if action.forced else 'false'}"
        self._tell(a.Event(EventReason.UPDATING_RACK, note))

    async def _advance(self, action: a.AdvanceRack) -> None:
        annotations = {Annotation.ROLLING: None} if action.last else {}
        patch = {
            "metadata": {"resourceVersion": action.resource_version, "annotations": annotations},
            "spec": {"updateStrategy": {"rollingUpdate": {"partition": action.partition}}},
        }
        await self._patch_rack(action.statefulset, patch)

    async def _patch_rack(self, name: str, patch: dict[str, Any]) -> None:
        await self._client.merge_patch(
            STATEFUL_SETS,
            name,
            patch,
            namespace=self._dc.namespace,
            # the same owner as that of the whole object, or a later apply could not set it
            field_manager=MANAGER,
        )

    # --- pods ----------------------------------------------------------------------------------

    async def _label(self, pod: PodState, labels: dict[str, str | None]) -> None:
        # the UID makes sure that a pod of the same name that was made since is not meant
        patch = {"metadata": {"uid": pod.uid, "labels": labels}}
        await self._client.merge_patch(PODS, pod.name, patch, namespace=pod.namespace, field_manager=MANAGER)

    async def _start(self, action: a.StartNode) -> None:
        pod = action.pod
        labels: dict[str, str | None] = {Label.NODE_STATE: NodeState.STARTING.value}
        if action.seed and not pod.seed:
            labels[Label.SEED_NODE] = LabelValue.TRUE
            self._tell(a.Event(EventReason.LABELED_POD_AS_SEED, f"Labeled pod a seed node {pod.name}"))
        await self._label(pod, labels)
        if action.replaces:
            replaced = f"to replace Cassandra node with address {action.replaces}"
            note = f"Starting Cassandra for pod {pod.name} {replaced}"
            self._tell(a.Event(EventReason.STARTING_CASSANDRA_AND_REPLACING_NODE, note))
        else:
            self._tell(a.Event(EventReason.STARTING_CASSANDRA, f"Starting Cassandra for pod {pod.name}"))
        port, replaces = self._dc.management_port, action.replaces
        self._memory.call(self._api, pod, port=port, replaces=replaces, wake=self._wake)

    async def _decommission(self, action: a.Decommission) -> None:
        pod = action.pod
        if pod.state is not NodeState.DECOMMISSIONING:
            await self._label(pod, {Label.NODE_STATE: NodeState.DECOMMISSIONING.value})
            self._tell(
                a.Event(EventReason.SCALING_DOWN_RACK, f"Scaling down rack {action.rack}"),
                a.Event(
                    EventReason.LABELED_POD_AS_DECOMMISSIONING, f"Labeled node as decommissioning {pod.name}"
                ),
            )
        self._tell(a.Event(EventReason.DECOMMISSIONING_NODE, f"Decommissioning node {pod.name}"))
        self._memory.leave(self._api, pod, port=self._dc.management_port, wake=self._wake)

    async def _delete_pod(self, action: a.DeletePod) -> None:
        pod = action.pod
        if action.uses and not await self._volumes.exist(action.uses):
            log.info("%s stays: its old disk is gone", pod.name)
            return
        if action.failed_start:
            self._memory.start_failed(pod.name, datetime.now(UTC))
            self.done.failed_starts.add(pod.name)
        try:
            await self._client.delete(PODS, pod.name, namespace=pod.namespace, uid=pod.uid)
        except NotFound:
            return
        if action.event is not None:
            self._tell(action.event)

    async def _remove_pod(self, pod: PodState) -> None:
        """Remove a pod by force, on the server's own word that its machine is lost: never on a cache's."""
        try:
            found = msgspec.convert(await self._client.get(NODES, pod.machine_name), MachineView)
        except NotFound:
            found = None
        machine = machine_of(found)
        if not machine.lost:
            log.info("%s stays: its Kubernetes node %s is back", pod.name, pod.machine_name)
            return
        try:
            await self._client.delete(PODS, pod.name, namespace=pod.namespace, uid=pod.uid, grace_seconds=0)
        except NotFound:
            return
        note = f"Removed pod {pod.name} by force: its Kubernetes node {pod.machine_name} {machine.value}"
        self._tell(a.Event(EventReason.DELETING_STUCK_POD, note, warning=True))

    async def _reload_seeds(self, pods: tuple[PodState, ...], seeds: frozenset[str]) -> None:
        self._memory.seeds_told = seeds
        if not pods:
            return
        told = asyncio.Event()

        async def tell_all() -> None:
            await asyncio.gather(*(self._reload_one(pod) for pod in pods))
            told.set()

        self._memory.spawn(tell_all(), name=f"seeds {self._dc.namespace}/{self._dc.name}")
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await told.wait()
        except TimeoutError:
            log.info("some nodes are slow to read the seeds again")

    async def _reload_one(self, pod: PodState) -> None:
        try:
            await self._api.reload_seeds(pod, port=self._dc.management_port)
        except ManagementError as error:
            # gossip spreads seeds as well; a node that restarts reads the list anyway
            log.warning("%s was not told of the new seeds: %s", pod.name, error)

    # --- the rest ------------------------------------------------------------------------------

    async def _create_cleanup(self, name: str) -> None:
        body = cleanup_task(self._dc, name)
        try:
            await self._client.create(
                CASSANDRA_TASKS, body, namespace=self._dc.namespace, field_manager=MANAGER
            )
        except AlreadyExists:
            log.debug("the task %s was made before", name)
