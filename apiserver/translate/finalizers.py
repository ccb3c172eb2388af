"""The names that finalizers are stored under, and what an apply makes of a list of them.

Those of the garbage collector must not be seen by it on a stored object. So they are stored under names of
ours; and whoever gives an object a finalizer of just such a name has it stored under a longer one.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from missioncontrol.api.names import Finalizer

Obj = dict[str, Any]

_STORED: Final = {
    Finalizer.ORPHAN: Finalizer.STORED_ORPHAN,
    Finalizer.FOREGROUND_DELETION: Finalizer.STORED_FOREGROUND_DELETION,
}
_VIRTUAL: Final = {stored: virtual for virtual, stored in _STORED.items()}
_OURS: Final = "|".join(re.escape(stored) for stored in _VIRTUAL)
_LONGER: Final = "-of-user"
_TAKEN: Final = re.compile(rf"(?:{_OURS})(?:{_LONGER})*")
IN_TEXT: Final = re.compile(rf'(?<=")(?:{_OURS})(?:{_LONGER})*(?=\\?")')
"""A stored name, quoted in a sentence."""


def stored(finalizer: Any) -> Any:
    """The name a finalizer is stored under."""
    if not isinstance(finalizer, str):
        return finalizer
    if _TAKEN.fullmatch(finalizer):
        return finalizer + _LONGER
    return _STORED.get(finalizer, finalizer)


def virtual(finalizer: Any) -> Any:
    """The name users and the garbage collector know a finalizer by."""
    if not isinstance(finalizer, str):
        return finalizer
    if finalizer.endswith(_LONGER) and _TAKEN.fullmatch(finalizer):
        return finalizer.removesuffix(_LONGER)
    return _VIRTUAL.get(finalizer, finalizer)


def applied(now: Obj, wanted: Obj, manager: str) -> list[Any]:
    """The finalizers of an object of this metadata after an apply: those it names, in its order, and between
    them those that somebody else owns.
    """
    named = list(dict.fromkeys(wanted.get("finalizers") or ()))
    given_up = _owned(now, manager, own=True) - _owned(now, manager, own=False) - set(named)
    there = [each for each in now.get("finalizers") or () if each not in given_up]
    return _merged(there, named)


def _merged(there: list[Any], named: list[Any]) -> list[Any]:
    """As Kubernetes merges lists that are sets: what only the object has keeps its place before what it
    shares with the apply.
    """
    shared = [each for each in named if each in there]
    merged: list[Any] = []
    left, right = list(there), list(named)
    while left or right:
        if left and left[0] not in named:
            merged.append(left.pop(0))
        elif left and (left[0] in merged or (right and left[0] != shared[0])):
            left.pop(0)  # its place is where the apply has it
        else:
            merged.append(right.pop(0))
            if shared and shared[0] == merged[-1]:
                shared.pop(0)
    return merged


def _owned(metadata: Obj, manager: str, *, own: bool) -> set[str]:
    """Finalizers that a manager owns by applying, or that anybody else does."""
    found: set[str] = set()
    for entry in metadata.get("managedFields") or ():
        is_own = (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (
            manager,
            "Apply",
            "",
        )
        if is_own is own:
            fields = entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:finalizers", {})
            found |= {json.loads(key[2:]) for key in fields if key.startswith("v:")}
    return found
