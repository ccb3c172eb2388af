"""The life of an operator: what starts in which order, who may work, and how it ends.

Start: probes and metrics first, so that kubelet sees a process that is starting and not one that is dead;
then informers; then, when the home cluster's caches are complete, the lease; then controllers. A cluster's
controllers begin only when that cluster's own caches are complete: an empty cache looks like a world in which
all must be created. End: controllers finish what they have in hand, the lease is released, then the rest.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from controllers.runtime.cluster import Cluster
from controllers.runtime.controller import Controller
from controllers.runtime.events import EventRecorder
from controllers.runtime.metrics import Metrics
from controllers.runtime.outcome import HOME, Reconcile
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import LeaseLost
from missioncontrol.kube.lease import Lease
from missioncontrol.serving.http import ProbeServer
from missioncontrol.serving.run import Supervisor

if TYPE_CHECKING:
    from controllers.runtime.metrics import QueueStats

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
LEASE_TIMEOUT = 4.0

ClusterHook = Callable[[Cluster], None]


class Manager:
    """One operator process. Declare informers and controllers, then `run`."""

    def __init__(
        self,
        name: str,
        client: Client,
        *,
        system_namespace: str = "mission-control",
        metrics_bind_address: str = "127.0.0.1:0",
        leader_elect: bool = True,
        identity: str | None = None,
        lease_duration: float = 15,
        renew_deadline: float = 10,
        lease_retry: float = 2,
    ) -> None:
        self.name = name
        self.identity = identity or f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        self.metrics = Metrics()
        self.metrics.leader.labels(name).set(0)
        self.metrics.watch_queues(self._queues)
        self.probes = ProbeServer(
            metrics_bind_address, registry=self.metrics.registry, ready={"caches": self._ready}
        )
        self.lease: Lease | None = None
        self._lease_client: Client | None = None
        if leader_elect:
            # Its own connection: renewals must not be stopped by the guard that they feed.
            self._lease_client = Client(client.config, user_agent=client.user_agent, timeout=LEASE_TIMEOUT)
            self.lease = Lease(
                self._lease_client, name, system_namespace, self.identity,
                duration=lease_duration, renew_deadline=renew_deadline, retry=lease_retry,
            )  # fmt: skip
        self._controllers: list[Controller] = []
        self._clusters: dict[str, Cluster] = {}
        self._member_hooks: list[ClusterHook] = []
        self._health_hooks: list[ClusterHook] = []
        self._crews: dict[str, asyncio.Task[None]] = {}
        self._fault: asyncio.Future[None] | None = None
        self._stop = asyncio.Event()
        self._started = False
        self._leading = False
        self.home = self._make(HOME, client)
        self.recorder = EventRecorder(
            client, controller=name, instance=self.identity, dropped=self.metrics.events_dropped.inc
        )

    # Declaring ---------------------------------------------------------------------------------------------

    @property
    def leading(self) -> bool:
        """Whether controllers work in this process."""
        return self._leading

    def controller(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 4,
        timeout: float = 120.0,
        max_delay: float = 60.0,
        rest: float = 0.0,
    ) -> Controller:
        """Make a controller of this manager; give it sources with `watch`."""
        return self.add(
            Controller(name, reconcile, workers=workers, timeout=timeout, max_delay=max_delay, rest=rest)
        )

    def add(self, controller: Controller) -> Controller:
        """Take on a controller. Before `run`."""
        controller.bind(self.metrics)
        for cluster in self._clusters:
            controller.join(cluster)
        self._controllers.append(controller)
        return controller

    def on_member(self, hook: ClusterHook) -> None:
        """Call `hook(cluster)` for each member cluster that joins, to declare its informers and sources."""
        self._member_hooks.append(hook)

    def on_health(self, hook: ClusterHook) -> None:
        """Call `hook(cluster)` when a cluster (also the home one) becomes available, goes away or changes
        version.
        """
        self._health_hooks.append(hook)

    # Members -----------------------------------------------------------------------------------------------

    @property
    def members(self) -> dict[str, Cluster]:
        """The member clusters by name."""
        return {name: cluster for name, cluster in self._clusters.items() if name != HOME}

    def cluster(self, name: str) -> Cluster | None:
        """A cluster by name; HOME is the own one."""
        return self._clusters.get(name)

    def add_cluster(self, name: str, client: Client) -> Cluster:
        """Let a member join, also while running; its client becomes ours and is closed when it leaves."""
        if not name or name in self._clusters:
            raise ValueError(f"there is a cluster named {name!r} already")
        cluster = self._make(name, client)
        for hook in self._member_hooks:
            hook(cluster)
        if self._started:
            cluster.start()
        if self._leading:
            self._start_crew(cluster)
        return cluster

    async def remove_cluster(self, name: str) -> None:
        """Let a member leave. Not from a reconcile of one of its own keys."""
        cluster = self._clusters.pop(name, None)
        if cluster is None or name == HOME:
            return
        for controller in self._controllers:
            controller.leave(name)
        crew = self._crews.pop(name, None)
        if crew is not None:
            crew.cancel()
            await asyncio.gather(crew, return_exceptions=True)
        await cluster.stop(close=True)
        self.metrics.drop_cluster([controller.name for controller in self._controllers], name)

    # Running -----------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`; raises when something fails that should not. Closes the clients."""
        self._fault = asyncio.get_running_loop().create_future()
        try:
            async with self.probes, Supervisor() as supervisor:
                log.info("%s: probes and metrics at %s", self.name, self.probes.url)
                self._started = True
                for cluster in self._clusters.values():
                    cluster.start()
                supervisor.spawn("faults", _wait_for(self._fault))
                supervisor.spawn("events", self.recorder.run())
                leader = supervisor.spawn("leader election", self._compete())
                await supervisor.until(stop)
                self._stop.set()
                if self._leading:
                    await asyncio.wait((leader,), timeout=DRAIN_SECONDS + 2)
        finally:
            self._started = False
            await asyncio.gather(*(cluster.stop(close=True) for cluster in self._clusters.values()))
            if self._lease_client is not None:
                await self._lease_client.close()
            self._fault.cancel()

    async def _compete(self) -> None:
        await self.home.wait_synced()
        if self.lease is None:
            await self._lead()
            return
        while not self._stop.is_set():
            try:
                await self.lease.run(self._lead)
            except LeaseLost as error:
                log.warning("%s; competing for it again", error)

    async def _lead(self) -> None:
        """Work until told to stop, or cancelled because the lease is lost."""
        self._leading = True
        self.metrics.leader.labels(self.name).set(1)
        try:
            for cluster in list(self._clusters.values()):
                self._start_crew(cluster)
            await self._stop.wait()
            for controller in self._controllers:
                controller.drain()
            if self._crews:
                await asyncio.wait(self._crews.values(), timeout=DRAIN_SECONDS)
        finally:
            self._leading = False
            self.metrics.leader.labels(self.name).set(0)
            crews = list(self._crews.values())
            self._crews.clear()
            for crew in crews:
                crew.cancel()
            await asyncio.gather(*crews, return_exceptions=True)

    def _start_crew(self, cluster: Cluster) -> None:
        crew = asyncio.create_task(self._crew(cluster), name=f"controllers {cluster.name}")
        crew.add_done_callback(self._crew_ended)
        self._crews[cluster.name] = crew

    async def _crew(self, cluster: Cluster) -> None:
        await cluster.wait_synced()
        for controller in self._controllers:
            controller.enqueue_all(cluster.name)
        async with asyncio.TaskGroup() as group:
            for controller in self._controllers:
                group.create_task(controller.work(cluster.name))

    def _crew_ended(self, crew: asyncio.Task[None]) -> None:
        if not crew.cancelled() and (error := crew.exception()) is not None:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if self._fault is not None and not self._fault.done():
            self._fault.set_exception(error)

    # Wiring ------------------------------------------------------------------------------------------------

    def _make(self, name: str, client: Client) -> Cluster:
        if self.lease is not None:
            client.guard = self.lease.check

        def count(method: str, status: int, _: float) -> None:
            self.metrics.requests.labels(str(status), method, name).inc()

        client.observer = count
        cluster = Cluster(name, client, on_health=self._health_changed, on_fault=self._failed)
        self._clusters[name] = cluster
        for controller in self._controllers:
            controller.join(name)
        return cluster

    def _health_changed(self, cluster: Cluster) -> None:
        up = bool(cluster.health.available)
        self.metrics.cluster_up.labels(cluster.name).set(up)
        if up:
            # What failed while it was away waits for up to a minute: not now.
            for controller in self._controllers:
                controller.enqueue_all(cluster.name)
        for hook in self._health_hooks:
            hook(cluster)

    def _queues(self) -> list[QueueStats]:
        return [stats for controller in self._controllers for stats in controller.queues()]

    def _ready(self) -> str | None:
        if not self._started:
            return "starting"
        missing = self.home.unsynced()
        return f"waiting for {', '.join(missing)}" if missing else None


async def _wait_for(future: asyncio.Future[None]) -> None:
    await future
