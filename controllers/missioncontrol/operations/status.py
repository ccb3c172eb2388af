"""The status of operations: phase, the conditions that `kubectl wait` understands, plan, progress, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controllers.missioncontrol.conditions import Verdict, merge
from controllers.missioncontrol.operations.decide import Progress
from controllers.missioncontrol.operations.model import Operation
from missioncontrol.api.names import Condition, OperationPhase, Reason
from missioncontrol.planning.plans import FINISHED, Plan

_OUTCOMES = {
    OperationPhase.COMPLETE: Condition.COMPLETE,
    OperationPhase.FAILED: Condition.FAILED,
    OperationPhase.CANCELLED: Condition.CANCELLED,
}


def waiting_status(operation: Operation, plan: Plan, waits: str, *, now: str) -> dict[str, Any]:
    """A planned operation whose turn has not come."""
    phase = OperationPhase.QUEUED if waits else OperationPhase.PENDING
    verdicts = [
        _planned(plan),
        Verdict(Condition.RUNNING, False, Reason.QUEUED if waits else Reason.PLANNED, waits or plan.message),
    ]
    message = f"waits: {waits}" if waits else plan.message
    return {**_base(operation, phase, message, verdicts, now=now), "plan": plan.as_dict()}


def admitted_status(
    operation: Operation, plan: Plan, entries: Sequence[Mapping[str, Any]], *, now: str
) -> dict[str, Any]:
    """An operation that may begin: from here on its plan stands."""
    verdicts = [_planned(plan), Verdict(Condition.RUNNING, True, Reason.RUNNING, plan.message)]
    status = _base(operation, OperationPhase.RUNNING, plan.message, verdicts, now=now)
    standing = {**plan.as_dict(), "blocking": []}
    return {**status, "plan": standing, "startTime": now, "datacenters": [dict(each) for each in entries]}


def running_status(operation: Operation, progress: Progress, *, now: str) -> dict[str, Any]:
    """An operation that runs, or has just ended."""
    ended = progress.phase in FINISHED
    verdicts = [Verdict(Condition.RUNNING, not ended, progress.reason, progress.message)]
    if ended:
        verdicts.append(Verdict(_OUTCOMES[progress.phase], True, progress.reason, progress.message))
    status = _base(operation, progress.phase, progress.message, verdicts, now=now)
    status["datacenters"] = [dict(each) for each in progress.datacenters]
    if ended:
        status["completionTime"] = now
    return status


def ended_status(
    operation: Operation,
    phase: OperationPhase,
    reason: Reason,
    message: str,
    *,
    now: str,
    planned: bool | None = None,
) -> dict[str, Any]:
    """An operation that ended without having touched anything, or that can touch nothing any more."""
    verdicts = [
        Verdict(Condition.RUNNING, False, reason, message),
        Verdict(_OUTCOMES[phase], True, reason, message),
    ]
    if planned is not None:
        verdicts.append(Verdict(Condition.PLANNED, planned, reason, message))
    return {**_base(operation, phase, message, verdicts, now=now), "completionTime": now}


def deleting_status(operation: Operation, message: str, *, now: str) -> dict[str, Any]:
    """An operation that is being deleted, with what it waits for."""
    verdict = Verdict(Condition.RUNNING, False, Reason.DELETING, message)
    phase = OperationPhase(operation.phase)
    return _base(operation, phase, message, [verdict], now=now)


def _base(
    operation: Operation, phase: OperationPhase, message: str, verdicts: Sequence[Verdict], *, now: str
) -> dict[str, Any]:
    generation = operation.meta.generation
    conditions = merge(operation.status.get("conditions") or (), verdicts, now=now, generation=generation)
    status = {
        **operation.status,
        "phase": str(phase),
        "message": message,
        "conditions": conditions,
        "observedGeneration": generation,
    }
    if operation.requested_by:
        status["requestedBy"] = operation.requested_by
    return status


def _planned(plan: Plan) -> Verdict:
    return Verdict(Condition.PLANNED, True, Reason.PLANNED, plan.message)
