"""From changes to reconciles: sources put keys into queues, workers take them out.

Each cluster has its own queue and workers, so that keys of a dark cluster, which time out one after the
other, delay no other's. A key is never in two workers at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from controllers.runtime.metrics import QueueStats
from controllers.runtime.outcome import HOME, Done, Key, Outcome, Reconcile, RequeueAfter, Terminal
from missioncontrol.kube.errors import Conflict, KubeError, LeaseLost
from missioncontrol.kube.informer import HasMeta, Informer
from missioncontrol.kube.workqueue import ShutDown, WorkQueue
from missioncontrol.serving import logs

if TYPE_CHECKING:
    from controllers.runtime.metrics import Metrics
    from missioncontrol.kube.store import Change

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 120.0
REMEMBERED = 10_000

T = TypeVar("T", bound=HasMeta)
Mapper = Callable[[T], Iterable[Key]]


class Controller:
    """One kind of work. `workers` reconcile at the same time for each cluster."""

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 4,
        timeout: float = RECONCILE_SECONDS,
        max_delay: float = 60.0,
        rest: float = 0.0,
    ) -> None:
        """`rest` is for how many seconds a key is left alone when it was reconciled: what changes meanwhile,
        our own writes above all, is seen in one look."""
        self.name = name
        self.workers = workers
        self._reconcile = reconcile
        self._timeout = timeout
        self._max_delay = max_delay
        self._rest = rest
        self._queues: dict[str, WorkQueue[Key]] = {}
        self._sources: list[tuple[str, Informer[Any], Mapper[Any]]] = []
        self._said: OrderedDict[Key, str] = OrderedDict()
        self._metrics: Metrics | None = None

    # Sources -----------------------------------------------------------------------------------------------

    def watch(
        self,
        informer: Informer[T],
        mapper: Mapper[T] | None = None,
        *,
        cluster: str = HOME,
        essence: Callable[[T], object] | None = None,
    ) -> None:
        """Reconcile the keys of each object that changes; by default the object itself, in `cluster`.

        `mapper` gets the object before and after a change, so that also those it no longer points to are
        reconciled. `cluster` is where the informer watches: when that cluster leaves, the source is dropped.
        `essence` is all that a reconcile reads of an object: an update that leaves it as it was is skipped.
        """
        to_keys: Mapper[T] = mapper or (lambda obj: [Key(cluster, obj.metadata.namespace, obj.metadata.name)])
        self._sources.append((cluster, informer, to_keys))

        def changed(_: Change, old: T | None, new: T | None) -> None:
            keys = dict.fromkeys(key for obj in (old, new) if obj is not None for key in to_keys(obj))
            if not keys:
                return
            if essence is not None and old is not None and new is not None and essence(old) == essence(new):
                return
            for key in keys:
                self.enqueue(key)

        informer.add_handler(changed)

    def enqueue(self, key: Key) -> None:
        """Reconcile a key soon. Keys of clusters that are not there are dropped: all are asked for when one
        joins.
        """
        queue = self._queues.get(key.cluster)
        if queue is not None:
            queue.add(key)

    def enqueue_after(self, key: Key, seconds: float) -> None:
        """Reconcile a key in some seconds, or earlier."""
        queue = self._queues.get(key.cluster)
        if queue is not None:
            queue.add_after(key, seconds)

    def enqueue_all(self, cluster: str | None = None) -> None:
        """Reconcile every key of every source, or those of one cluster."""
        for _, informer, to_keys in self._sources:
            for obj in informer.all():
                for key in to_keys(obj):
                    if cluster is None or key.cluster == cluster:
                        self.enqueue(key)

    # Clusters ----------------------------------------------------------------------------------------------

    def bind(self, metrics: Metrics) -> None:
        """Report to these metrics from now on."""
        self._metrics = metrics
        metrics.controller(self.name, workers=self.workers)

    def join(self, cluster: str) -> None:
        """Accept keys of a cluster; nothing is worked on before `work`."""
        if cluster not in self._queues:
            self._queues[cluster] = WorkQueue(max_delay=self._max_delay, rest=self._rest)
            if self._metrics is not None:
                self._metrics.queue(self.name, cluster)

    def leave(self, cluster: str) -> None:
        """Drop a cluster's queue and sources."""
        queue = self._queues.pop(cluster, None)
        if queue is not None:
            queue.shut_down()
        self._sources = [source for source in self._sources if source[0] != cluster]
        for key in [key for key in self._said if key.cluster == cluster]:
            del self._said[key]

    def queues(self) -> Iterable[QueueStats]:
        """The state of the queues, for metrics."""
        return [
            QueueStats(self.name, cluster, len(queue), queue.adds, queue.retries)
            for cluster, queue in list(self._queues.items())
        ]

    # Work --------------------------------------------------------------------------------------------------

    async def work(self, cluster: str) -> None:
        """Reconcile the cluster's keys until it leaves or `drain`; what is in work then is finished first."""
        queue = self._queues.get(cluster)
        if queue is None:
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(self._worker(queue))

    def drain(self) -> None:
        """Begin no further work, for good."""
        for queue in self._queues.values():
            queue.shut_down()

    async def _worker(self, queue: WorkQueue[Key]) -> None:
        worker = asyncio.current_task()
        # A reconcile that is cancelled may end with another error, of what it still wanted to do. Were the
        # cancellation lost with that, this would go on for ever, and nobody could lead again.
        while worker is not None and not worker.cancelling():
            try:
                key, waited = await queue.get()
            except ShutDown:
                return
            try:
                await self._process(queue, key, waited)
            finally:
                queue.done(key)

    async def _process(self, queue: WorkQueue[Key], key: Key, waited: float) -> None:
        began = time.monotonic()
        fields = {"controller": self.name, "cluster": key.cluster, "key": str(key)}
        with logs.context(**fields, reconcile_id=uuid.uuid4().hex[:12]):
            self._active(+1)
            try:
                result = await self._once(queue, key)
            finally:
                self._active(-1)
            self._count(key.cluster, result, waited, time.monotonic() - began)

    async def _once(self, queue: WorkQueue[Key], key: Key) -> str:
        """Reconcile and see to what follows. This is the one place where faults of reconcilers are caught."""
        try:
            async with asyncio.timeout(self._timeout):
                outcome = await self._reconcile(key)
        except LeaseLost as error:
            log.info("not done: %s", error)
            queue.add_rate_limited(key)
            return "error"
        except (KubeError, TimeoutError) as error:
            text = str(error) or f"not finished within {self._timeout:g} s"
            delay = queue.add_rate_limited(key)
            # A conflict is no failure: somebody was faster, and the next look will show what they did.
            level = logging.DEBUG if isinstance(error, Conflict) else logging.WARNING
            self._say(key, f"error: {text}", level, retry_in=round(delay, 3), failures=queue.failures(key))
            return "error"
        except Exception:
            delay = queue.add_rate_limited(key)
            if self._metrics is not None:
                self._metrics.panics.labels(self.name).inc()
            log.exception("the reconciler has a fault", extra={"retry_in": round(delay, 3)})
            self._said.pop(key, None)
            return "panic"
        return self._settle(queue, key, outcome)

    def _settle(self, queue: WorkQueue[Key], key: Key, outcome: Outcome) -> str:
        queue.forget(key)
        match outcome:
            case Done(message):
                self._say(key, message, logging.INFO)
                return "success"
            case RequeueAfter(seconds, message):
                queue.add_after(key, max(seconds, 0.001))
                self._say(key, message, logging.INFO)
                return "requeue_after"
            case Terminal(message):
                self._say(key, message, logging.WARNING)
                return "terminal"

    def _say(self, key: Key, message: str, level: int, **extra: Any) -> None:
        """Log what came out, once for as long as it stays the same."""
        if not message:
            self._said.pop(key, None)
            return
        if self._said.get(key) == message:
            log.debug(message, extra=extra)
            return
        self._said[key] = message
        self._said.move_to_end(key)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        log.log(level, message, extra=extra)

    def _active(self, change: int) -> None:
        if self._metrics is not None:
            self._metrics.active_workers.labels(self.name).inc(change)

    def _count(self, cluster: str, result: str, waited: float, took: float) -> None:
        metrics = self._metrics
        if metrics is None:
            return
        failed = result in ("error", "panic")
        metrics.reconciles.labels(self.name, "error" if failed else result).inc()
        metrics.seconds.labels(self.name).observe(took)
        if failed:
            metrics.errors.labels(self.name).inc()
        if result == "terminal":
            metrics.errors.labels(self.name).inc()
            metrics.terminal_errors.labels(self.name).inc()
        if cluster in self._queues:
            metrics.queue_seconds.labels(self.name, cluster).observe(waited)
            metrics.work_seconds.labels(self.name, cluster).observe(took)
