"""What an operation does next and what it tells: a pure function of what is stored here and in the planes.

The operation in the control plane first records that it runs, then its tasks are made, one after the other;
so whoever finds a record that it runs, and a task or none, knows what to do without having been there
before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controllers.missioncontrol.operations.model import MOST_FAILURES, Operation, PlaneTasks, Task, Unit
from controllers.missioncontrol.operations.switches import Switch
from missioncontrol.api.names import OperationPhase, Reason

_NO_SWITCHES: Mapping[str, Switch] = {}
_ENDED = (OperationPhase.COMPLETE, OperationPhase.FAILED, OperationPhase.CANCELLED)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running operation is, and what its planes are to do now."""

    phase: OperationPhase
    reason: Reason
    message: str
    datacenters: tuple[Mapping[str, Any], ...]
    start: Unit | None = None
    cancel: tuple[Unit, ...] = field(default_factory=tuple)


def advance(
    operation: Operation,
    units: Sequence[Unit],
    planes: Mapping[str, PlaneTasks],
    totals: Mapping[str, int],
    switches: Mapping[str, Switch] = _NO_SWITCHES,
) -> Progress:
    """The state of an operation that was admitted; ``totals`` are the planned nodes by datacenter.

    ``switches`` is how far datacenters are that no task works on, but a field of the cluster's spec.
    """
    states = [
        _switched(operation, unit, switches[unit.datacenter])
        if unit.datacenter in switches
        else _state(operation, unit, units, planes)
        for unit in units
    ]
    entries = _entries(operation, units, states, planes, totals)
    failed = next((state for state in states if state.phase is OperationPhase.FAILED), None)
    active = [state for state in states if state.phase is OperationPhase.RUNNING]
    cancel = tuple(
        state.unit
        for state in active
        if operation.cancelled and state.task is not None and not state.task.cancel_asked
    )

    def told(phase: OperationPhase, reason: Reason, message: str, start: Unit | None = None) -> Progress:
        final = tuple(_closed(each) for each in entries) if phase in _ENDED else entries
        return Progress(phase, reason, message, final, start, cancel)

    if all(state.phase is OperationPhase.COMPLETE for state in states):
        done = sum(int(each.get("succeeded") or 0) for each in entries)
        return told(OperationPhase.COMPLETE, Reason.COMPLETED, f"{_nodes(done)} {operation.done}")
    if active:
        text = "; ".join(state.message for state in active)
        stopping = "is stopping: " if operation.cancelled else ""
        return told(OperationPhase.RUNNING, Reason.RUNNING, stopping + text)
    if failed is not None:
        return told(OperationPhase.FAILED, Reason.FAILED, failed.message)
    if operation.cancelled or any(state.phase is OperationPhase.CANCELLED for state in states):
        left = [state.unit for state in states if state.phase is not OperationPhase.COMPLETE]
        text = f"was cancelled: {', '.join(_title(unit) for unit in left)} not finished"
        return told(OperationPhase.CANCELLED, Reason.CANCELLED, text)
    following = next(state for state in states if state.phase is OperationPhase.PENDING)
    absence = planes[following.unit.plane].absence
    if absence:
        return told(OperationPhase.RUNNING, Reason.WAITING, f"{_title(following.unit)} waits: {absence}")
    text = f"{_title(following.unit)} is about to begin in the data plane {following.unit.plane}"
    return told(OperationPhase.RUNNING, Reason.RUNNING, text, following.unit)


def _switched(operation: Operation, unit: Unit, switch: Switch) -> _State:
    """The state of a datacenter that is stopped or started."""
    recorded = operation.recorded(unit.datacenter)
    phase, title = recorded.get("phase"), _title(unit)
    if phase in _ENDED:
        return _State(unit, None, OperationPhase(str(phase)), str(recorded.get("message") or ""))
    if switch.done:
        return _State(unit, None, OperationPhase.COMPLETE, f"{title} is {operation.done}")
    if switch.asked:
        told = f": {switch.message}" if switch.message else ""
        return _State(unit, None, OperationPhase.RUNNING, f"{title} is asked for{told}")
    if phase == OperationPhase.RUNNING:
        text = f"{title}: somebody has set its field stopped to another value meanwhile"
        return _State(unit, None, OperationPhase.FAILED, text)
    return _State(unit, None, OperationPhase.PENDING)


@dataclass(frozen=True, slots=True)
class _State:
    unit: Unit
    task: Task | None
    phase: OperationPhase
    message: str = ""


def _state(
    operation: Operation, unit: Unit, units: Sequence[Unit], planes: Mapping[str, PlaneTasks]
) -> _State:
    recorded = operation.recorded(unit.datacenter)
    phase = recorded.get("phase")
    if phase in _ENDED:
        return _State(unit, None, OperationPhase(str(phase)), str(recorded.get("message") or ""))
    plane = planes[unit.plane]
    task = plane.tasks.get(unit.task)
    if task is not None:
        return _seen(operation, unit, task, plane)
    if phase != OperationPhase.RUNNING:
        return _State(unit, None, OperationPhase.PENDING)
    if not plane.known:
        return _State(unit, None, OperationPhase.RUNNING, f"{_title(unit)}: {plane.absence}")
    siblings = [each for each in units if each.datacenter == unit.datacenter]
    later = siblings[siblings.index(unit) + 1 :]
    if any(each.task in plane.tasks for each in later):
        return _State(unit, None, OperationPhase.COMPLETE)
    if len(siblings) > 1:
        return _State(unit, None, OperationPhase.PENDING)
    where = f"in the data plane {unit.plane}"
    text = f"{_title(unit)}: its K8ssandraTask {unit.task} {where} was deleted by somebody"
    return _State(unit, None, OperationPhase.FAILED, text)


def _seen(operation: Operation, unit: Unit, task: Task, plane: PlaneTasks) -> _State:
    title = _title(unit)
    if task.finished and task.cancelled:
        return _State(
            unit,
            task,
            OperationPhase.CANCELLED,
            f"{title} was stopped with {_nodes(task.succeeded)} {operation.done}",
        )
    if task.finished and task.failed:
        said = "; ".join(f"{pod}: {why}" for pod, why in task.failed_nodes[:3]) or task.message
        detail = f": {said}" if said else ""
        return _State(unit, task, OperationPhase.FAILED, f"{title} failed on {_nodes(task.failures)}{detail}")
    if task.finished:
        return _State(
            unit, task, OperationPhase.COMPLETE, f"{title}: {_nodes(task.succeeded)} {operation.done}"
        )
    away = f"; {plane.absence}" if plane.absence else ""
    return _State(
        unit, task, OperationPhase.RUNNING, f"{title}: {_nodes(task.succeeded)} {operation.done}{away}"
    )


def _entries(
    operation: Operation,
    units: Sequence[Unit],
    states: Sequence[_State],
    planes: Mapping[str, PlaneTasks],
    totals: Mapping[str, int],
) -> tuple[Mapping[str, Any], ...]:
    """status.datacenters: one entry for each datacenter, over its units."""
    entries: list[Mapping[str, Any]] = []
    for name in dict.fromkeys(unit.datacenter for unit in units):
        recorded = operation.recorded(name)
        if recorded.get("phase") in _ENDED:
            entries.append(dict(recorded))
            continue
        mine = [state for state in states if state.unit.datacenter == name]
        seen = [state.task for state in mine if state.task is not None]
        phase = _joint([state.phase for state in mine])
        entry: dict[str, Any] = {
            "name": name,
            "dataPlane": mine[0].unit.plane,
            "total": totals.get(name, 0),
            # what was told once is not taken back, as when a plane forgets what it did
            "succeeded": max(_succeeded(mine, totals.get(name, 0)), int(recorded.get("succeeded") or 0)),
            "failed": max(sum(task.failures for task in seen), int(recorded.get("failed") or 0)),
            "phase": str(phase),
            "message": _entry_message(phase, mine, planes),
        }
        failures = [{"name": pod, "message": why} for task in seen for pod, why in task.failed_nodes]
        if failures or recorded.get("failures"):
            entry["failures"] = failures[:MOST_FAILURES] or recorded["failures"]
        entries.append(entry)
    return tuple(entries)


def _succeeded(states: Sequence[_State], total: int) -> int:
    """How many nodes are done: what the tasks say; of a datacenter without tasks all of them, at its end."""
    seen = [state.task for state in states if state.task is not None]
    if seen:
        return sum(task.succeeded for task in seen)
    untold = all(state.phase is OperationPhase.COMPLETE and not state.unit.task for state in states)
    return total if untold else 0


def _closed(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of an operation that ended: what never began will not."""
    if entry.get("phase") != OperationPhase.PENDING:
        return entry
    return {**entry, "phase": str(OperationPhase.CANCELLED), "message": "was not started"}


def _entry_message(phase: OperationPhase, states: Sequence[_State], planes: Mapping[str, PlaneTasks]) -> str:
    texts = [state.message for state in states if state.phase is phase and state.message]
    if texts:
        return texts[0]
    return planes[states[0].unit.plane].absence if phase is OperationPhase.PENDING else ""


def _joint(phases: Sequence[OperationPhase]) -> OperationPhase:
    for phase in (OperationPhase.FAILED, OperationPhase.CANCELLED, OperationPhase.RUNNING):
        if phase in phases:
            return phase
    if all(phase is OperationPhase.COMPLETE for phase in phases):
        return OperationPhase.COMPLETE
    return OperationPhase.RUNNING if OperationPhase.COMPLETE in phases else OperationPhase.PENDING


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _title(unit: Unit) -> str:
    if len(unit.pods) == 1:
        return f"{unit.datacenter} node {unit.pods[0]}"
    return f"{unit.datacenter} rack {unit.rack}" if unit.rack else unit.datacenter
