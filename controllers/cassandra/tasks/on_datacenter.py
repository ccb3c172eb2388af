"""Carries out `refresh`: lets the datacenter take on what a newer operator renders differently, once."""

from __future__ import annotations

from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.scene import MANAGER, Scene
from controllers.runtime import Done, Outcome, RequeueAfter
from missioncontrol.api.names import Annotation, Condition
from missioncontrol.api.resources import CASSANDRA_DATACENTERS

ONCE, ALWAYS = "once", "always"
LONG_PAUSE = 60.0


async def refresh(scene: Scene) -> Outcome:
    """The datacenter's own reconciler removes the annotation when nothing is left to be done."""
    task = scene.task
    mode = scene.datacenter.metadata.annotations.get(Annotation.AUTOUPDATE_SPEC)
    asked = any(c.type == Condition.DATACENTER_UPDATED and c.status == "True" for c in task.status.conditions)
    if mode == ALWAYS or (asked and mode is None):
        await scene.end(statuses.ended(task, now=scene.now))
        return Done("the datacenter is refreshed")
    if task.cancelled and not asked:
        stopped = "cancelled before the datacenter was asked to refresh"
        await scene.end(statuses.ended(task, now=scene.now, stopped=stopped))
        return Done(stopped)
    if not asked:
        await _annotate(scene, ONCE)
        more = {Condition.DATACENTER_UPDATED: (True, "")}
        sentence = "waiting until the datacenter is refreshed"
        await scene.write(
            statuses.running(task, succeeded=0, failed=0, sentence=sentence, now=scene.now, more=more)
        )
        return RequeueAfter(LONG_PAUSE, sentence)
    if task.cancelled:
        await _annotate(scene, None)
        stopped = "cancelled; racks that were not refreshed by now stay as they are"
        await scene.end(statuses.ended(task, now=scene.now, stopped=stopped))
        return Done(stopped)
    return RequeueAfter(LONG_PAUSE, "waiting until the datacenter is refreshed")


async def _annotate(scene: Scene, value: str | None) -> None:
    if scene.datacenter.metadata.annotations.get(Annotation.AUTOUPDATE_SPEC) == value:
        return
    written = await scene.tools.client.merge_patch(
        CASSANDRA_DATACENTERS,
        scene.datacenter.name,
        {"metadata": {"annotations": {Annotation.AUTOUPDATE_SPEC: value}}},
        namespace=scene.datacenter.namespace,
        field_manager=MANAGER,
    )
    scene.tools.caches.datacenters.observe(written)
