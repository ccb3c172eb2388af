"""The reconciler of CassandraDatacenters: gather, decide, act, until nothing more can be done at once.

One pass may go round several times, since each step makes the next one possible: a node that became ready
is labelled, the seeds are told, and the next node starts, all within one wake-up. The status is written
once, at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import ValidationError

from controllers.cassandra.act import Actor
from controllers.cassandra.actions import Event, Plan
from controllers.cassandra.caches import Caches
from controllers.cassandra.certificates import Certificates
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.decide import decide
from controllers.cassandra.decide.health import fingerprint
from controllers.cassandra.decide.objects import NameTaken
from controllers.cassandra.gather import from_caches, with_answers, with_storage_classes
from controllers.cassandra.management import ManagementApi, ManagementError
from controllers.cassandra.memory import DatacenterMemory, Memories
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.secrets import IncompleteSecret
from controllers.cassandra.state import Snapshot
from controllers.cassandra.status import Done, LastWrite, next_status, only_words, patch, starts_nodes
from controllers.runtime import Done as Finished
from controllers.runtime import EventRecorder, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.names import Component, Condition, EventReason, Reason
from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import Invalid, NotFound
from missioncontrol.kube.views import Object

log = logging.getLogger(__name__)

Waker = Callable[[Key], None]

ROUNDS = 12
"""More than the longest chain of steps that follow each other at once."""
RETRY = 5.0
EVENTS = {
    Reason.NO_SPACE_TO_SCALE_DOWN: EventReason.RECONCILE_FAILED,
    Reason.SHRINKING_NOT_SUPPORTED: EventReason.INVALID_DATACENTER_SPEC,
    Reason.NO_EXPANSION: EventReason.INVALID_DATACENTER_SPEC,
    Reason.PVC_RESIZE_FAILED: EventReason.RESIZING_PVC_FAILED,
}
"""The event for a reason of a refusal, where upstream has one of its own."""


class DatacenterReconciler:
    """Reconciles one datacenter at a time for each key."""

    def __init__(
        self,
        *,
        client: Client,
        caches: Caches,
        api: ManagementApi,
        certificates: Certificates,
        memories: Memories,
        recorder: EventRecorder,
        wake: Waker,
        images: Callable[[], ImageConfig] = ImageConfig,
    ) -> None:
        self._client = client
        self._caches = caches
        self._api = api
        self._certificates = certificates
        self._memories = memories
        self._recorder = recorder
        self._wake = wake
        self._images = images

    async def reconcile(self, key: Key) -> Outcome:
        """Bring a datacenter one or several steps further."""
        view = self._caches.datacenters.get(key.namespace, key.name)
        if view is None:
            uids = {each.metadata.uid for each in self._caches.datacenters.all()}
            self._memories.keep(uids)
            self._certificates.keep(uids)
            return Finished()
        memory = self._memories.of(view.metadata.uid)
        plan = Plan("")
        held = 0.0
        for _ in range(ROUNDS):
            view = self._caches.datacenters.get(key.namespace, key.name)
            if view is None:
                return Finished()
            try:
                datacenter = Datacenter.of(view, memory.datacenter)
            except ValidationError as error:
                return await self._invalid(view, error)
            memory.datacenter = datacenter
            async with memory.lock:
                images = self._images()
                snapshot = from_caches(datacenter, self._caches, memory, images, _now())
                snapshot = await with_storage_classes(snapshot, self._client)
                try:
                    api = await self._certificates.api(self._api, datacenter)
                except IncompleteSecret as error:
                    if datacenter.metadata.deletion_timestamp is None:
                        return await self._locked_out(view, snapshot, error, memory)
                    api = self._api
                snapshot = await with_answers(snapshot, api, memory, _now())
                plan = decide(snapshot, _now())
                self._remember(memory, snapshot, plan)
                if plan.store:
                    await self._write_status(view, snapshot, plan, memory)
                    await self._carry_out(snapshot, plan, memory, key, api)
                    continue
                told = starts_nodes(plan)
                if told:
                    # a node is registered as a member before another one is told to start
                    held = await self._write_status(view, snapshot, plan, memory)
                decided, plan = plan, await self._carry_out(snapshot, plan, memory, key, api)
                told = told and plan is decided
            # conditions that lead to later decisions have to be stored before these are made
            if (not plan.again or plan.conditions) and not plan.done and not told:
                held = await self._write_status(view, snapshot, plan, memory)
            if not plan.again:
                break
        waits = [seconds for seconds in (plan.wait, held) if seconds]
        return RequeueAfter(min(waits), plan.sentence) if waits else Finished(plan.sentence)

    async def _carry_out(
        self,
        snapshot: Snapshot,
        plan: Plan,
        memory: DatacenterMemory,
        key: Key,
        api: ManagementApi,
    ) -> Plan:
        actor = Actor(
            snapshot.datacenter,
            client=self._client,
            api=api,
            memory=memory,
            images=self._images(),
            recorder=self._recorder,
            wake=lambda: self._wake(key),
        )
        actor.done = memory.done
        try:
            await actor.carry_out(plan)
        except (NameTaken, Invalid) as error:
            reason = Reason.NAME_TAKEN if isinstance(error, NameTaken) else Reason.INVALID_SPEC
            return self._stopped(snapshot, plan, str(error), reason)
        except (IncompleteSecret, ManagementError) as error:
            return self._stopped(snapshot, plan, str(error), None)
        except NotFound as error:
            if snapshot.datacenter.metadata.deletion_timestamp is not None:
                # what goes may be gone already, the datacenter itself above all
                return replace(plan, again=False, wait=RETRY, settled=False)
            return self._stopped(
                snapshot, plan, f"something that was expected is gone: {error.message}", None
            )
        return plan

    def _stopped(self, snapshot: Snapshot, plan: Plan, sentence: str, reason: Reason | None) -> Plan:
        """The plan could not be finished: say so, and try again later."""
        event = Event(EventReason.RECONCILE_FAILED, sentence, warning=True)
        self._note(snapshot.datacenter, event)
        conditions = {key: value for key, value in plan.conditions.items() if not plan.settled}
        if reason is not None:
            conditions[Condition.VALID] = (False, reason.value, sentence)
        return replace(
            plan, sentence=sentence, again=False, wait=RETRY, settled=False, done=False, conditions=conditions
        )

    def _remember(self, memory: DatacenterMemory, snapshot: Snapshot, plan: Plan) -> None:
        healthy = plan.conditions.get(Condition.HEALTHY)
        if healthy is not None:
            memory.healthy = fingerprint(snapshot) if healthy[0] else None

    async def _write_status(
        self, view: Object, snapshot: Snapshot, plan: Plan, memory: DatacenterMemory
    ) -> float:
        """Write what is different; if that can wait, it gives for how many seconds, and is not written."""
        now = _now()
        changed = patch(view.status, next_status(snapshot, plan, memory.done, now))
        if not changed:
            memory.done = Done()
            return 0.0
        last, words = memory.status_write, 0
        if last is not None and only_words(view.status, changed):
            words = last.words + 1
            if held := last.held_back(now):
                return held
        self._announce(snapshot, plan)
        current = self._caches.datacenters.get(view.metadata.namespace, view.metadata.name)
        version = (current or view).metadata.resource_version
        try:
            await self._client.merge_patch(
                CASSANDRA_DATACENTERS,
                view.metadata.name,
                {"metadata": {"resourceVersion": version}, "status": changed},
                namespace=view.metadata.namespace,
                subresource="status",
                field_manager=Component.CASS_OPERATOR.value,
            )
        except NotFound:
            log.info("the datacenter was deleted meanwhile")
        memory.done = Done()
        memory.status_write = LastWrite(now, words)
        return 0.0

    def _announce(self, snapshot: Snapshot, plan: Plan) -> None:
        """Events for what turned bad: a refused spec, lost health.

        While health is lost its sentence follows what goes on; only a pod that cannot run is another event.
        """
        failing = any(pod.failing for pod in snapshot.living)
        for kind, usual in (
            (Condition.VALID, EventReason.VALIDATION_FAILED),
            (Condition.HEALTHY, EventReason.UNHEALTHY_DATACENTER),
        ):
            now = plan.conditions.get(kind)
            reason = EVENTS.get(Reason(now[1]), usual) if now is not None and now[1] else usual
            before = next((c for c in snapshot.datacenter.status.conditions if c.type == kind), None)
            other = (before.message if before else None) != (now or ("", "", ""))[2]
            worse = other and (kind is Condition.VALID or failing)
            turned = before is None or before.status != "False" or worse
            if now is not None and not now[0] and turned:
                self._note(snapshot.datacenter, Event(reason, now[2], warning=True))

    def _note(self, datacenter: Datacenter, event: Event) -> None:
        self._recorder.event(
            CASSANDRA_DATACENTERS,
            datacenter.metadata,
            reason=event.reason,
            note=event.note,
            type="Warning" if event.warning else "Normal",
            action=event.reason,
        )

    async def _locked_out(
        self, view: Object, snapshot: Snapshot, error: IncompleteSecret, memory: DatacenterMemory
    ) -> Outcome:
        """The nodes cannot be asked: what the Secrets lack is said, and nothing is done meanwhile."""
        sentence = str(error)
        conditions = {Condition.VALID.value: (False, Reason.INVALID_SPEC.value, sentence)}
        await self._write_status(view, snapshot, Plan(sentence, conditions=conditions), memory)
        return RequeueAfter(RETRY, sentence)

    async def _invalid(self, view: Object, error: ValidationError) -> Outcome:
        """The stored object cannot be read: possible only where our schema and webhooks were not asked."""
        causes = [
            f"spec.{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()
        ]
        sentence = "; ".join(causes[:5])
        self._recorder.event(
            CASSANDRA_DATACENTERS,
            view.metadata,
            reason=EventReason.VALIDATION_FAILED,
            note=sentence,
            type="Warning",
            action=EventReason.VALIDATION_FAILED,
        )
        return Terminal(f"the object cannot be read: {sentence}")


def _now() -> datetime:
    return datetime.now(UTC)
