"""The status that a kubelet would write for a pod, as a pure function of the pod and its process.

It compares with what the server has and yields one strategic merge patch, or nothing: every write is needed,
and repeating it after a crash changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from missioncontrol.api.names import Annotation
from missioncontrol.kube.views import ContainerState, ContainerStatus
from missioncontrol.local.simulator import pods
from missioncontrol.local.simulator.ring import Process
from missioncontrol.local.simulator.views import ContainerSpec, Pod

PULL_FAILED = "ImagePullBackOff"
WAITING_FOR_INIT = "PodInitializing"


def patch(
    pod: Pod, process: Process, *, now: float, management_url: str, probe_fails: bool = False
) -> dict[str, Any] | None:
    """What has to be written so that the server shows the truth; None when it does.

    `probe_fails` is for a node that runs, and whose readiness probe is not answered.
    """
    wanted = status(pod, process, now=now, probe_fails=probe_fails)
    annotate = (
        wanted["phase"] == "Running"
        and pods.is_cassandra(pod)
        and pod.metadata.annotations.get(Annotation.MANAGEMENT_API) != management_url
    )
    if _key_of(wanted) == _key(pod) and not annotate:
        return None
    metadata: dict[str, Any] = {"uid": pod.metadata.uid}
    if annotate:
        metadata["annotations"] = {Annotation.MANAGEMENT_API: management_url}
    return {"metadata": metadata, "status": wanted}


def status(pod: Pod, process: Process, *, now: float, probe_fails: bool = False) -> dict[str, Any]:
    spec = pod.spec
    initialized = not any(pods.broken(c.image) for c in spec.init_containers)
    init = _init_statuses(spec.init_containers, process)
    running = process.running(now) and not probe_fails
    containers = [_status(c, process, initialized=initialized, running=running) for c in spec.containers]
    ready = initialized and all(c["ready"] for c in containers)
    waiting = any("waiting" in c["state"] for c in containers)
    created = _time(process.created_at)
    changed = created
    if pods.is_cassandra(pod):
        changed = _time(now if probe_fails else process.ready_at if ready else process.changed_at)
    generation = pod.metadata.generation
    conditions = [
        _condition("PodReadyToStartContainers", True, created),
        _condition("Initialized", initialized, created, reason="ContainersNotInitialized"),
        _condition("Ready", ready, changed, reason="ContainersNotReady"),
        _condition("ContainersReady", ready, changed, reason="ContainersNotReady"),
    ]
    for condition in conditions:
        condition["observedGeneration"] = generation
    found: dict[str, Any] = {
        "observedGeneration": generation,
        "phase": "Pending" if waiting or not initialized else "Running",
        "conditions": conditions,
        "hostIP": process.host_ip,
        "hostIPs": [{"ip": process.host_ip}],
        "podIP": process.ip,
        "podIPs": [{"ip": process.ip}],
        "startTime": created,
        "containerStatuses": containers,
    }
    if init:
        found["initContainerStatuses"] = init
    return found


def _init_statuses(containers: Iterable[ContainerSpec], process: Process) -> list[dict[str, Any]]:
    created = _time(process.created_at)
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": created, "finishedAt": created}}
    found: list[dict[str, Any]] = []
    blocked = False
    for container in containers:
        if blocked:
            found.append(
                _container(container, process, {"waiting": {"reason": WAITING_FOR_INIT}}, ready=False)
            )
        elif pods.broken(container.image):
            blocked = True
            found.append(_container(container, process, _pull_failed(container.image), ready=False))
        elif container.restart_policy == "Always":
            found.append(_container(container, process, {"running": {"startedAt": created}}, ready=True))
        else:
            found.append(_container(container, process, done, ready=True, started=False))
    return found


def _status(
    container: ContainerSpec, process: Process, *, initialized: bool, running: bool
) -> dict[str, Any]:
    if not initialized:
        return _container(container, process, {"waiting": {"reason": WAITING_FOR_INIT}}, ready=False)
    if pods.broken(container.image):
        return _container(container, process, _pull_failed(container.image), ready=False)
    created = _time(process.created_at)
    if container.name != pods.CASSANDRA:
        return _container(container, process, {"running": {"startedAt": created}}, ready=True)
    began = _time(process.crashed_at) if process.crashed_at else created
    found = _container(container, process, {"running": {"startedAt": began}}, ready=running)
    found["restartCount"] = process.restarts
    if process.crashed_at:
        found["lastState"] = {
            "terminated": {"exitCode": 1, "reason": "Error", "startedAt": created, "finishedAt": began}
        }
    return found


def _container(
    container: ContainerSpec,
    process: Process,
    state: dict[str, Any],
    *,
    ready: bool,
    started: bool | None = None,
) -> dict[str, Any]:
    waiting = "waiting" in state
    seed = f"{process.uid}/{container.name}/{process.restarts}"
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "" if waiting else container.image,
        "containerID": "" if waiting else f"simulated://{hashlib.sha256(seed.encode()).hexdigest()}",
        "ready": ready,
        "started": not waiting if started is None else started,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }


def _pull_failed(image: str) -> dict[str, Any]:
    return {"waiting": {"reason": PULL_FAILED, "message": f'Back-off pulling image "{image}"'}}


def _condition(kind: str, holds: bool, since: str, *, reason: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": kind,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        "lastTransitionTime": since,
    }
    # A reason of an earlier state must go: in a merge patch only null removes it.
    found["reason"] = None if holds or not reason else reason
    return found


def _key_of(wanted: dict[str, Any]) -> tuple[object, ...]:
    """What has to be equal; times and ids follow from it."""
    return (
        wanted["observedGeneration"],
        wanted["phase"],
        wanted["podIP"],
        wanted["hostIP"],
        tuple(sorted((c["type"], c["status"]) for c in wanted["conditions"])),
        tuple(_container_key_of(c) for c in wanted["containerStatuses"]),
        tuple(_container_key_of(c) for c in wanted.get("initContainerStatuses", ())),
    )


def _key(pod: Pod) -> tuple[object, ...]:
    ours = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"}
    found = pod.status
    return (
        found.observed_generation,
        found.phase,
        found.pod_ip,
        found.host_ip,
        tuple(sorted((c.type, c.status) for c in found.conditions if c.type in ours)),
        tuple(_container_key(c) for c in found.container_statuses),
        tuple(_container_key(c) for c in found.init_container_statuses),
    )


def _container_key_of(found: dict[str, Any]) -> tuple[object, ...]:
    (state, detail), *_ = found["state"].items()
    reason = "" if state == "running" else str(detail.get("reason", ""))
    return found["name"], found["image"], found["ready"], found["restartCount"], state, reason


def _container_key(found: ContainerStatus) -> tuple[object, ...]:
    return found.name, found.image, found.ready, found.restart_count, *_state(found.state)


def _state(state: ContainerState) -> tuple[str, str]:
    if state.running is not None:
        return "running", ""
    if state.terminated is not None:
        return "terminated", state.terminated.reason
    return "waiting", state.waiting.reason if state.waiting is not None else ""


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
