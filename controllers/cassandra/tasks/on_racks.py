"""Carries out restarts: of racks, pod by pod or all pods of a rack at once, and of single pods."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.state import PodState, Snapshot
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.restart import (
    Mark,
    RestartStep,
    RestartWish,
    decide_pod_restart,
    decide_restart,
)
from controllers.cassandra.tasks.scene import MANAGER, Scene
from controllers.runtime import Done, Outcome, RequeueAfter
from missioncontrol.api.control import PodTaskStatus
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import PODS, STATEFUL_SETS
from missioncontrol.kube.errors import NotFound

HEALTH_PAUSE = 1.0
"""Gossip cannot be watched."""
LONG_PAUSE = 60.0


async def step(scene: Scene) -> Outcome:
    """Bring a restart forward."""
    pod = scene.task.arguments.pod_name
    return await (_one_pod(scene, pod) if pod else _racks(scene))


async def _racks(scene: Scene) -> Outcome:
    args = scene.task.arguments
    wish = RestartWish(
        began=scene.task.status.start_time or "",
        rack=args.rack or "",
        fast=bool(args.fast),
        force=bool(args.force),
        cancelled=scene.task.cancelled,
    )
    snapshot = scene.snapshot()
    found = decide_restart(snapshot, wish, asked=False)
    if found.needs_gossip:
        snapshot = await scene.with_health(snapshot)
        found = decide_restart(snapshot, wish, asked=True)
    if found.mark is not None:
        await _mark(scene, found.mark, wish.began)
    await _delete(scene, found.delete)
    return await _told(scene, snapshot, found)


async def _one_pod(scene: Scene, name: str) -> Outcome:
    recorded = (scene.task.status.pod_statuses or {}).get(name)
    marked = (recorded.job_id or "") if recorded is not None else ""
    snapshot = scene.snapshot()

    def decide(asked: bool) -> RestartStep:
        return decide_pod_restart(snapshot, name, marked=marked, cancelled=scene.task.cancelled, asked=asked)

    found = decide(asked=False)
    if found.needs_gossip:
        snapshot = await scene.with_health(snapshot)
        found = decide(asked=True)
    if not found.sentence:
        # written down first: the pod that comes back under the same name must not be deleted as well
        pod = next(each for each in snapshot.pods if each.name == name)
        recorded = PodTaskStatus(status="RUNNING", job_id=pod.uid, start_time=timestamp(scene.now))
        found = RestartStep(f"restarting {name}", delete=(pod,))
        await scene.write(
            {
                **statuses.pod_states({name: recorded}),
                **statuses.running(scene.task, succeeded=0, failed=0, sentence=found.sentence, now=scene.now),
            }
        )
        await _delete(scene, found.delete)
        return RequeueAfter(LONG_PAUSE, found.sentence)
    await _delete(scene, found.delete)
    more: dict[str, Any] = {}
    if found.finished and recorded is not None:
        update = {"status": "COMPLETED", "completion_time": timestamp(scene.now)}
        more = statuses.pod_states({name: recorded.model_copy(update=update)})
    return await _told(scene, snapshot, found, more)


async def _told(
    scene: Scene, snapshot: Snapshot, found: RestartStep, more: dict[str, Any] | None = None
) -> Outcome:
    if found.finished:
        stopped = found.sentence if found.stopped else ""
        end = statuses.ended(scene.task, now=scene.now, succeeded=found.succeeded, stopped=stopped)
        await scene.end({**(more or {}), **end})
        return Done(found.sentence)
    going = statuses.running(
        scene.task, succeeded=found.succeeded, failed=0, sentence=found.sentence, now=scene.now
    )
    await scene.write(going)
    waits = found.mark is None and bool(snapshot.observed.gossip)
    return RequeueAfter(HEALTH_PAUSE if waits else LONG_PAUSE, found.sentence)


async def _mark(scene: Scene, mark: Mark, began: str) -> None:
    rack = mark.rack
    # a younger mark stays: it did for this rack what was asked for
    stamp = max(rack.restarted_at, began)
    spec: dict[str, Any] = {"template": {"metadata": {"annotations": {Annotation.RESTARTED_AT: stamp}}}}
    if mark.partition != rack.partition:
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": mark.partition}}
    written = await scene.tools.client.merge_patch(
        STATEFUL_SETS,
        rack.name,
        {"metadata": {"resourceVersion": rack.resource_version}, "spec": spec},
        namespace=scene.datacenter.namespace,
        field_manager=MANAGER,
    )
    scene.tools.caches.statefulsets.observe(written)


async def _delete(scene: Scene, pods: tuple[PodState, ...]) -> None:
    for pod in pods:
        if pod.deleting:
            continue
        try:
            await scene.tools.client.delete(PODS, pod.name, namespace=pod.namespace, uid=pod.uid)
        except NotFound:
            continue
