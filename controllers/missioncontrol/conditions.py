"""Conditions: made by deciders without a clock, stamped with times when they are merged into a status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition as decided: everything but when it changed. ``status`` None stands for Unknown."""

    type: str
    status: bool | None
    reason: str
    message: str = ""

    @property
    def status_text(self) -> str:
        """True, False or Unknown, as Kubernetes spells them."""
        return "Unknown" if self.status is None else str(self.status)


def merge(
    existing: Iterable[Mapping[str, Any]],
    verdicts: Iterable[Verdict],
    *,
    now: str,
    generation: int | None = None,
) -> list[dict[str, Any]]:
    """The list of conditions with these verdicts in it; lastTransitionTime moves only when status does."""
    merged = {str(each.get("type")): dict(each) for each in existing}
    for verdict in verdicts:
        before = merged.get(verdict.type)
        unchanged = before is not None and before.get("status") == verdict.status_text
        since = before.get("lastTransitionTime") if unchanged and before else None
        entry: dict[str, Any] = {
            "type": str(verdict.type),
            "status": verdict.status_text,
            "reason": str(verdict.reason),
            "message": verdict.message,
            "lastTransitionTime": since or now,
        }
        if generation is not None:
            entry["observedGeneration"] = generation
        merged[verdict.type] = entry
    return list(merged.values())


def find(conditions: Iterable[Mapping[str, Any]], type_: str) -> Mapping[str, Any] | None:
    """The condition of this type."""
    return next((each for each in conditions if each.get("type") == type_), None)


def holds(conditions: Iterable[Mapping[str, Any]], type_: str) -> bool:
    """Whether the condition of this type is True."""
    found = find(conditions, type_)
    return found is not None and found.get("status") == "True"
