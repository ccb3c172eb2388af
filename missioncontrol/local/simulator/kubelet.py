"""Plays kubelet: pods that the scheduler has bound to our nodes run, become ready, and end.

Level-based: everything follows from the pod, the stored process and the clock. What was done before a kill is
found again in the store, so a new simulator goes on where the old one was, and restarts nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from missioncontrol.api.resources import PODS
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.workqueue import WorkQueue
from missioncontrol.local.simulator import pod_status, pods
from missioncontrol.local.simulator.ring import Process, State
from missioncontrol.local.simulator.settings import Settings, SimulatedNode
from missioncontrol.local.simulator.store import Store
from missioncontrol.local.simulator.tenants import Tenants
from missioncontrol.local.simulator.views import Claim, Pod
from missioncontrol.local.simulator.workers import Key, work

WORKERS = 32
"""They mostly wait for the server."""
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"


class Kubelet:
    """All kubelets of one plane."""

    def __init__(
        self,
        client: Client,
        *,
        settings: Settings,
        store: Store,
        tenants: Tenants,
        nodes: Mapping[str, SimulatedNode],
        pod_informer: Informer[Pod],
        claim_informer: Informer[Claim],
        clock: Callable[[], float],
    ) -> None:
        self.client = client
        self.settings = settings
        self.store = store
        self.tenants = tenants
        self.nodes = nodes
        self.pods = pod_informer
        self.claims = claim_informer
        self.clock = clock
        self.queue: WorkQueue[Key] = WorkQueue(base_delay=0.05, max_delay=5.0)
        pod_informer.add_handler(self._pod_changed)

    def _pod_changed(self, _: str, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is not None and (pod.spec.node_name or new is None):
            self.queue.add((pod.metadata.namespace, pod.metadata.name))

    def wake(self, namespace: str, name: str, seconds: float) -> None:
        self.queue.add_after((namespace, name), seconds)

    async def run(self) -> None:
        await self.pods.wait_synced()
        await self.claims.wait_synced()
        for process in self.store.processes():
            self.queue.add((process.namespace, process.pod))
        await work("kubelet", self.queue, self.reconcile, workers=WORKERS)

    async def reconcile(self, key: Key) -> None:
        namespace, name = key
        pod = self.pods.get(namespace, name)
        uid = pod.metadata.uid if pod else ""
        for process in self.store.processes_named(namespace, name):
            if process.uid != uid:
                self.store.forget_process(process.uid, self.clock())
        node = self.nodes.get(pod.spec.node_name) if pod else None
        if pod is None or node is None:
            return
        if pod.metadata.deletion_timestamp is not None:
            await self._terminate(key, pod)
        elif pod.status.phase not in ("Succeeded", "Failed"):
            await self._keep_running(key, pod, node)

    async def _keep_running(self, key: Key, pod: Pod, node: SimulatedNode) -> None:
        process = self.store.process(pod.metadata.uid) or self._register(pod, node)
        if process is None:
            self.queue.add_after(key, 0.05)  # the claim that the scheduler has seen will reach us as well
            return
        now = self.clock()
        await self._write(pod, process, now)
        if process.starting(now):
            self.queue.add_after(key, process.ready_at - now)

    async def _write(self, pod: Pod, process: Process, now: float) -> None:
        meta = pod.metadata
        url = self.settings.management_url(meta.namespace, meta.name)
        probe_fails = "unready" in self.tenants.faults(meta.namespace, meta.name)
        patch = pod_status.patch(pod, process, now=now, management_url=url, probe_fails=probe_fails)
        if patch is None:
            return
        response = await self.client.request(
            "PATCH",
            PODS.path(meta.namespace, meta.name, "status"),
            body=patch,
            headers={"Content-Type": STRATEGIC_MERGE_PATCH},
        )
        self.pods.observe(response.raise_for_status().json())

    def _register(self, pod: Pod, node: SimulatedNode) -> Process | None:
        claim = pods.claim_name(pod)
        disk = pod.metadata.uid
        if claim is not None:
            found = self.claims.get(pod.metadata.namespace, claim)
            if found is None:
                return None
            disk = found.metadata.uid
        wanted = pods.describe(pod)
        now = self.clock()
        process = Process(
            uid=pod.metadata.uid,
            plane=self.settings.plane,
            namespace=pod.metadata.namespace,
            pod=pod.metadata.name,
            ip="",
            host_ip=node.address,
            disk=disk,
            cluster=wanted.cluster,
            datacenter=wanted.datacenter,
            rack=wanted.rack,
            version=wanted.version,
            num_tokens=wanted.num_tokens,
            state=State.NOT_STARTED,
            created_at=now,
            ready_at=0.0,
            changed_at=now,
        )
        address = node.address if pod.spec.host_network else pod.status.pod_ip
        return self.store.register(process, address=address or None)

    async def _terminate(self, key: Key, pod: Pod) -> None:
        """Drain as the preStop hook does, let it end, then remove the pod."""
        meta = pod.metadata
        now = self.clock()
        self.store.drain(meta.uid, now, stopping=True)
        process = self.store.process(meta.uid)
        if process is not None:
            await self._write(pod, process, now)
            left = process.stopping_at + self.settings.stop_seconds - now
            if left > 0:
                self.queue.add_after(key, left)
                return
        if meta.deletion_grace_period_seconds == 0:
            return  # Gone already for its kubelet: only a finalizer of somebody else keeps the object.
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": meta.uid},
        }
        response = await self.client.request("DELETE", PODS.path(meta.namespace, meta.name), body=options)
        if response.status not in (404, 409):
            response.raise_for_status()
