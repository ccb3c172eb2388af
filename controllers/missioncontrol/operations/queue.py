"""Who may work on a cluster: one operation at a time, in the order of their creation.

Only operations that neither take a node down nor keep it busy for long (Flush) run beside others.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from controllers.missioncontrol.operations.model import Operation
from missioncontrol.api.names import OperationPhase

_NEVER = datetime.max.replace(tzinfo=UTC)


def ahead(operation: Operation, others: Iterable[Operation]) -> list[Operation]:
    """The unfinished operations on the same cluster that come first: the running one, then the older ones."""
    if not operation.exclusive:
        return []
    rivals = [
        each
        for each in others
        if each.meta.uid != operation.meta.uid
        and each.cluster == operation.cluster
        and each.exclusive
        and not each.finished
        and (each.meta.deletion_timestamp is None or each.started)
        and _place(each) < _place(operation)
    ]
    return sorted(rivals, key=_place)


def _place(operation: Operation) -> tuple[int, datetime, str]:
    running = 0 if operation.phase == OperationPhase.RUNNING else 1
    return running, operation.meta.creation_timestamp or _NEVER, operation.meta.name
