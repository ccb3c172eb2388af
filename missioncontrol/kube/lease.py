"""Leadership by a coordination.k8s.io Lease that stops its own work before another can begin it.

All reckoning is by a clock that cannot be set and that goes on while the process or the machine is stopped.
The leader counts its time from before it sent the last successful renewal, and ends `duration -
renew_deadline` seconds before anybody else may take over; `held` says so at any moment, also to a process
that has just been woken after a long stop and has not run one line of its loop yet (see Transport.guard).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from missioncontrol.api.resources import LEASES
from missioncontrol.kube.errors import AlreadyExists, Conflict, KubeError, LeaseLost, NotFound

if TYPE_CHECKING:
    from missioncontrol.kube.client import Client

log = logging.getLogger(__name__)

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds that also count while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Another's claim, and when we first saw it in this form."""

    claim: tuple[Any, ...]
    at: float


class Lease:
    """One candidate. The client should be its own, not one guarded by this lease, with a timeout well below
    `renew_deadline`."""

    def __init__(
        self,
        client: Client,
        name: str,
        namespace: str,
        identity: str,
        *,
        duration: float = 15,
        renew_deadline: float = 10,
        retry: float = 2,
    ) -> None:
        if not retry < renew_deadline < duration:
            raise ValueError("a lease needs retry < renew_deadline < duration")
        self.name, self.namespace, self.identity = name, namespace, identity
        self._client = client
        self._duration, self._renew_deadline, self._retry = duration, renew_deadline, retry
        self._renewed_at: float | None = None
        self._lease: dict[str, Any] = {}
        self._seen: _Seen | None = None

    def held(self) -> bool:
        """Whether this process is the leader, beyond doubt, at this very moment."""
        return self._renewed_at is not None and clock() < self._renewed_at + self._renew_deadline

    def check(self) -> None:
        """Raise LeaseLost unless the lease is held; what Client.guard is set to."""
        if not self.held():
            raise LeaseLost(f"{self.identity} does not hold the lease {self.namespace}/{self.name}")

    async def run(self, body: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, run `body` while it is held, release it.

        Returns or raises what `body` does. When the lease cannot be kept, `body` is cancelled and, once it
        has ended, LeaseLost raised; the caller may then run again.
        """
        await self._acquire()
        log.info("leading: %s holds the lease %s/%s", self.identity, self.namespace, self.name)
        work = asyncio.ensure_future(body())
        keeper = asyncio.ensure_future(self._keep())
        try:
            await asyncio.wait((work, keeper), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._renewed_at = None
                log.warning(
                    "no longer leading: the lease %s/%s was not renewed in time", self.namespace, self.name
                )
        finally:
            # Also when run itself is cancelled: first the work ends, and only then another may begin. The
            # lease is renewed until then.
            await _end(work)
            await _end(keeper)
            await self._release()
        if work.cancelled():
            raise LeaseLost(f"the lease {self.namespace}/{self.name} was lost")
        work.result()

    async def _acquire(self) -> None:
        failing = ""
        while True:
            try:
                if await self._try_acquire():
                    return
                failing = ""
            except KubeError as error:
                if str(error) != failing:
                    failing = str(error)
                    log.warning("the lease %s/%s cannot be reached: %s", self.namespace, self.name, error)
            await asyncio.sleep(self._retry * (0.8 + random.random() * 0.4))

    async def _try_acquire(self) -> bool:
        began = clock()
        try:
            current = await self._client.get(LEASES, self.name, namespace=self.namespace)
        except NotFound:
            body = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": self._claim(transitions=0),
            }
            return await self._send(self._client.create(LEASES, body), began)
        spec = current.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder and holder != self.identity and not self._lapsed(spec):
            return False
        spec = self._claim(transitions=int(spec.get("leaseTransitions") or 0) + 1)
        return await self._send(self._client.replace(LEASES, {**current, "spec": spec}), began)

    def _lapsed(self, spec: dict[str, Any]) -> bool:
        """Whether the holder's claim has stood unchanged for its whole duration under our eyes: the times
        written in it come from another clock and are not believed.
        """
        claim = (spec.get("holderIdentity"), spec.get("acquireTime"), spec.get("renewTime"))
        if self._seen is None or self._seen.claim != claim:
            self._seen = _Seen(claim, clock())
            return False
        return clock() > self._seen.at + float(spec.get("leaseDurationSeconds") or self._duration)

    async def _keep(self) -> None:
        """Renew until it is no longer safe to go on; returns then."""
        while True:
            await asyncio.sleep(self._retry * (0.9 + random.random() * 0.1))
            if not self.held():
                return
            assert self._renewed_at is not None
            try:
                async with asyncio.timeout(self._renewed_at + self._renew_deadline - clock()):
                    if not await self._renew():
                        return
            except TimeoutError:
                return
            except KubeError as error:
                log.warning("renewing the lease %s/%s failed: %s", self.namespace, self.name, error)

    async def _renew(self) -> bool:
        began = clock()
        spec = {**self._lease["spec"], "renewTime": _micro_time()}
        try:
            renewed = await self._client.replace(LEASES, {**self._lease, "spec": spec})
        except NotFound:
            return False  # somebody deleted it: another may have held it in between
        except Conflict:
            # Our own renewal whose answer was lost, or a change of labels; or another took over.
            self._lease = await self._client.get(LEASES, self.name, namespace=self.namespace)
            return bool((self._lease.get("spec") or {}).get("holderIdentity") == self.identity)
        if not self.held():
            return False
        self._lease, self._renewed_at = renewed, began
        return True

    async def _send(self, call: Awaitable[dict[str, Any]], began: float) -> bool:
        try:
            self._lease = await call
        except (Conflict, AlreadyExists):
            return False
        self._renewed_at, self._seen = began, None
        return True

    async def _release(self) -> None:
        """Let the next one begin at once. Only while the lease is surely ours."""
        if not self.held():
            self._renewed_at = None
            return
        try:
            if not await self._give_up():
                # A renewal of ours was still under way when its task was ended.
                self._lease = await self._client.get(LEASES, self.name, namespace=self.namespace)
                if (self._lease.get("spec") or {}).get("holderIdentity") == self.identity:
                    await self._give_up()
        except KubeError as error:
            log.info("the lease %s/%s could not be released: %s", self.namespace, self.name, error)
        finally:
            self._renewed_at = None

    async def _give_up(self) -> bool:
        freed = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time()}
        try:
            await self._client.replace(LEASES, {**self._lease, "spec": {**self._lease["spec"], **freed}})
        except Conflict:
            return False
        return True

    def _claim(self, *, transitions: int) -> dict[str, Any]:
        now = _micro_time()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._duration)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


async def _end(task: asyncio.Future[None]) -> None:
    """Cancel a task and wait for its end, however long and whatever it raises."""
    if not task.done():
        task.cancel()
    while not task.done():
        await asyncio.wait((task,))


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
