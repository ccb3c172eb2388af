"""What one process of the operator remembers between passes.

Everything here may be lost at any moment: labels, statuses and the nodes themselves hold the truth, and
what is forgotten is asked again. It saves questions, spaces out retries, and knows which start calls are
under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.kept import Kept
from controllers.cassandra.management import (
    ManagementApi,
    ManagementError,
    NodeRefused,
    NodeUnreachable,
)
from controllers.cassandra.state import Claim, Leave, Memory, PodState, Process, RackSet, StartCall
from controllers.cassandra.status import Done, LastWrite
from controllers.cassandra.views import RackSetView
from missioncontrol.kube.views import PersistentVolumeClaim, Pod

log = logging.getLogger(__name__)

UNREACHABLE_FOR = timedelta(seconds=3)
"""How long a node that did not answer is left alone, so that it does not slow the others down."""
ACCEPTED_FOR = timedelta(seconds=4)
"""How long a node that accepted the start call is believed to be starting."""
SOON = timedelta(seconds=1)
FIRST_RETRY = timedelta(seconds=2)
LONGEST_RETRY = timedelta(minutes=2)


@dataclass
class DatacenterMemory:
    """What is remembered of one datacenter."""

    calls: dict[str, StartCall] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    look_at: dict[str, datetime] = field(default_factory=dict)
    """When to ask whether an accepted start still goes on."""
    unreachable: dict[str, datetime] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    retry_at: dict[str, datetime] = field(default_factory=dict)
    seeds_told: frozenset[str] | None = None
    users_written: tuple[tuple[str, str], ...] | None = None
    users_digest: str = ""
    config_hash: str = ""
    config_source: tuple[object, ...] | None = None
    compared: set[tuple[str, str, str]] = field(default_factory=set)
    logged: set[str] = field(default_factory=set)
    healthy: frozenset[str] | None = None
    drains: dict[str, bool] = field(default_factory=dict)
    leaves: dict[str, Leave] = field(default_factory=dict)
    features: dict[str, frozenset[str]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    desired: tuple[object, dict[str, str]] | None = None
    datacenter: Datacenter | None = None
    """As it was seen last."""
    pods: Kept[Pod, PodState] = field(default_factory=lambda: Kept(PodState.of))
    racks: Kept[RackSetView, RackSet] = field(default_factory=lambda: Kept(RackSet.of))
    volumes: Kept[PersistentVolumeClaim, Claim] = field(default_factory=lambda: Kept(Claim.of))
    status_write: LastWrite | None = None
    done: Done = field(default_factory=Done)
    """What was done, and is not in the status yet."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while somebody decides about, and writes, the StatefulSets of the datacenter."""
    claims: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a task finds out whether it is its turn."""

    def view(self, now: datetime) -> Memory:
        """As decisions see it."""
        return Memory(
            trusted=frozenset(key for key, at in self.look_at.items() if at > now),
            calls=dict(self.calls),
            refusals=dict(self.refusals),
            retry_at=dict(self.retry_at),
            seeds_told=self.seeds_told,
            users_written=self.users_written,
            config_hash=self.config_hash,
            config_source=self.config_source,
            compared=frozenset(self.compared),
            logged=frozenset(self.logged),
            healthy=self.healthy,
            drains=dict(self.drains),
            leaves=dict(self.leaves),
        )

    def recently_unreachable(self, now: datetime) -> dict[str, Process]:
        """The pods (by incarnation) that need not be asked now."""
        self.unreachable = {key: until for key, until in self.unreachable.items() if until > now}
        return dict.fromkeys(self.unreachable, Process.UNREACHABLE)

    def forget_others(self, incarnations: set[str]) -> None:
        """Drop what belongs to containers that are gone."""
        self.calls = {key: call for key, call in self.calls.items() if key in incarnations}
        self.refusals = {key: said for key, said in self.refusals.items() if key in incarnations}
        self.look_at = {key: at for key, at in self.look_at.items() if key in incarnations}
        self.drains = {key: ended for key, ended in self.drains.items() if key in incarnations}
        self.leaves = {key: leave for key, leave in self.leaves.items() if key in incarnations}
        self.features = {key: found for key, found in self.features.items() if key in incarnations}
        self.logged &= incarnations

    def start_failed(self, pod: str, now: datetime) -> None:
        """Wait longer before each further attempt."""
        count = self.failures.get(pod, 0)
        self.failures[pod] = count + 1
        self.retry_at[pod] = now + min(FIRST_RETRY * 2 ** min(count, 10), LONGEST_RETRY)

    def put_back(self, pod: PodState, now: datetime) -> None:
        """Forget a call that was refused for a moment's reason, and try again soon."""
        self.calls.pop(pod.incarnation, None)
        self.retry_at[pod.name] = now + SOON

    def start_succeeded(self, pod: str) -> None:
        self.failures.pop(pod, None)
        self.retry_at.pop(pod, None)

    # --- start calls -----------------------------------------------------------------------

    def call(
        self,
        api: ManagementApi,
        pod: PodState,
        *,
        port: int,
        wake: Callable[[], None],
        replaces: str = "",
    ) -> None:
        """Send the start call for a container, once, without making anybody wait for the answer."""
        if self.calls.get(pod.incarnation) is StartCall.IN_FLIGHT:
            return
        self.calls[pod.incarnation] = StartCall.IN_FLIGHT
        self.spawn(self._call(api, pod, port, wake, replaces), name=f"start {pod.namespace}/{pod.name}")

    async def _call(
        self, api: ManagementApi, pod: PodState, port: int, wake: Callable[[], None], replaces: str
    ) -> None:
        try:
            await api.start(pod, port=port, replaces=replaces)
        except NodeRefused as error:
            self.calls[pod.incarnation] = StartCall.REFUSED
            self.refusals[pod.incarnation] = str(error)
            wake()
        except NodeUnreachable as error:
            # nobody knows whether it arrived: the node will be asked what it does
            log.warning("the start call may not have arrived: %s", error)
            self.calls.pop(pod.incarnation, None)
            wake()
        else:
            self.calls[pod.incarnation] = StartCall.ACCEPTED
            self.look_at[pod.incarnation] = datetime.now(UTC) + ACCEPTED_FOR

    # --- drains and leaves ---------------------------------------------------------------------

    def drain(self, api: ManagementApi, pod: PodState, *, port: int, wake: Callable[[], None]) -> None:
        """Let a node drain, once, without making anybody wait for it."""
        if pod.incarnation in self.drains:
            return
        self.drains[pod.incarnation] = False
        self.spawn(self._drain(api, pod, port, wake), name=f"drain {pod.namespace}/{pod.name}")

    async def _drain(self, api: ManagementApi, pod: PodState, port: int, wake: Callable[[], None]) -> None:
        try:
            await api.drain(pod, port=port)
        except ManagementError as error:
            # the pod's preStop hook drains as well, and a node that cannot drain replays its commit log
            log.info("not drained: %s", error)
        self.drains[pod.incarnation] = True
        wake()

    def leave(self, api: ManagementApi, pod: PodState, *, port: int, wake: Callable[[], None]) -> None:
        """Tell a node to leave the ring, without making anybody wait for it."""
        known = self.leaves.get(pod.incarnation)
        if known is not None and known.call is StartCall.IN_FLIGHT:
            return
        self.leaves[pod.incarnation] = Leave(StartCall.IN_FLIGHT)
        self.spawn(self._leave(api, pod, port, wake), name=f"leave {pod.namespace}/{pod.name}")

    async def _leave(self, api: ManagementApi, pod: PodState, port: int, wake: Callable[[], None]) -> None:
        try:
            able = "async_sstable_tasks" in await api.features(pod, port=port)
            job = await api.decommission(pod, port=port, asynchronous=able)
        except NodeRefused as error:
            self.leave_failed(pod, str(error), datetime.now(UTC))
        except NodeUnreachable as error:
            # nobody knows whether it arrived: gossip will tell
            log.warning("the call to leave may not have arrived: %s", error)
            self.leave_failed(pod, str(error), datetime.now(UTC))
        else:
            self.leaves[pod.incarnation] = Leave(StartCall.ACCEPTED, job)
        wake()

    def leave_failed(self, pod: PodState, said: str, now: datetime) -> None:
        """Tell it again later, if it is then still a member."""
        self.leaves[pod.incarnation] = Leave(StartCall.REFUSED, said=said)
        self.start_failed(pod.name, now)

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run something beside the passes."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


class Memories:
    """The memories of all datacenters, by UID."""

    def __init__(self) -> None:
        self._by_uid: dict[str, DatacenterMemory] = {}

    def of(self, uid: str) -> DatacenterMemory:
        return self._by_uid.setdefault(uid, DatacenterMemory())

    def keep(self, uids: set[str]) -> None:
        """Forget datacenters that no longer exist."""
        for uid in self._by_uid.keys() - uids:
            for task in self._by_uid.pop(uid).tasks:
                task.cancel()

    async def close(self) -> None:
        """End what runs beside the passes."""
        tasks = [task for memory in self._by_uid.values() for task in memory.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
