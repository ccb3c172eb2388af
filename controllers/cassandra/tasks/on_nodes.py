"""Carries out `replacenode`: has the datacenter give up nodes, one after the other, for new ones."""

from __future__ import annotations

from typing import Any

from controllers.cassandra.caches import BY_DATACENTER
from controllers.cassandra.state import PodState, RackSet
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.replacement import NodeFacts, decide_replacement
from controllers.cassandra.tasks.scene import MANAGER, Scene
from controllers.runtime import Done, Outcome, RequeueAfter
from missioncontrol.api.control import PodTaskStatus
from missioncontrol.api.names import Condition, clean_label_value, pod_name
from missioncontrol.api.resources import CASSANDRA_DATACENTERS

LONG_PAUSE = 60.0


async def step(scene: Scene) -> Outcome:
    """Bring a replacement forward."""
    task, now = scene.task, scene.now
    states = dict(task.status.pod_statuses or {})
    found = decide_replacement(_nodes(scene), states, cancelled=task.cancelled)
    if found.record is not None:
        states[found.record.name] = PodTaskStatus(
            status="RUNNING", job_id=found.record.identity, start_time=timestamp(now)
        )
    if found.done:
        update = {"status": "COMPLETED", "completion_time": timestamp(now)}
        states[found.done] = states[found.done].model_copy(update=update)
    succeeded = sum(1 for state in states.values() if state.status == "COMPLETED")
    shown = statuses.pod_states(states)
    if found.finished:
        stopped = found.sentence if found.stopped else ""
        await scene.end({**shown, **statuses.ended(task, now=now, succeeded=succeeded, stopped=stopped)})
        return Done(found.sentence)
    going = statuses.running(task, succeeded=succeeded, failed=0, sentence=found.sentence, now=now)
    await scene.write({**shown, **going})
    if found.ask:
        await _ask(scene, found.ask)
    again = found.record is not None or bool(found.done)
    return RequeueAfter(0.0 if again else LONG_PAUSE, found.sentence)


def _nodes(scene: Scene) -> list[NodeFacts]:
    """The pods to work on, also those that do not exist at this moment."""
    args, datacenter = scene.task.arguments, scene.datacenter
    pods = {pod.name: pod for pod in scene.pods()}
    names = [args.pod_name] if args.pod_name else _of_rack(scene, clean_label_value(args.rack or ""))
    members, asked = datacenter.status.node_statuses or {}, datacenter.status.node_replacements
    return [_facts(name, pods.get(name), members, asked=name in asked) for name in names]


def _facts(name: str, pod: PodState | None, members: Any, *, asked: bool) -> NodeFacts:
    known = members.get(name)
    identity = (known.host_id if known else "") or (pod.uid if pod else "")
    return NodeFacts(name, identity or "none", pod is not None and pod.started, asked)


def _of_rack(scene: Scene, rack: str) -> list[str]:
    views = scene.tools.caches.statefulsets.by(BY_DATACENTER, scene.task.datacenter)
    sets = sorted((RackSet.of(view) for view in views), key=lambda each: each.name)
    return [pod_name(each.name, n) for each in sets if each.rack == rack for n in range(each.replicas)]


async def _ask(scene: Scene, name: str) -> None:
    """Name the pod in the status of the datacenter, as upstream's task does: the spec stays as it is, so that
    nothing else of the datacenter is taken for changed."""
    view = scene.tools.caches.datacenters.get(scene.datacenter.namespace, scene.datacenter.name)
    if view is None:
        return
    status = scene.datacenter.status
    conditions = list(view.status.get("conditions") or ())
    current = next((each for each in conditions if each["type"] == Condition.REPLACING_NODES), None)
    if current is None or current["status"] != "True":
        begins = {
            "type": str(Condition.REPLACING_NODES),
            "status": "True",
            "reason": "",
            "message": "",
            "lastTransitionTime": timestamp(scene.now),
        }
        conditions = [each for each in conditions if each is not current] + [begins]
    patch = {"nodeReplacements": [*status.node_replacements, name], "conditions": conditions}
    written = await scene.tools.client.merge_patch(
        CASSANDRA_DATACENTERS,
        scene.datacenter.name,
        {"metadata": {"resourceVersion": view.metadata.resource_version}, "status": patch},
        namespace=scene.datacenter.namespace,
        subresource="status",
        field_manager=MANAGER,
    )
    scene.tools.caches.datacenters.observe(written)
