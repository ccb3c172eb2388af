"""The claim of the data volumes: fixed when the datacenter is made, but for more space where allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from missioncontrol.api.names import Annotation
from missioncontrol.validation.causes import Cause, forbidden
from missioncontrol.validation.values import at, is_empty, mapping, quantity

_SAME_WHEN_EMPTY: Final = ("accessModes", "volumeName")


def claim_causes(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    field: str,
    *,
    allowed: bool,
    what: str = "data volumes",
) -> Iterator[Cause]:
    """The claim of a StatefulSet is fixed; with the annotation (``allowed``) it may ask for more space."""
    sizes = [at(claim, "resources", "requests", "storage") for claim in (old, new)]
    amounts = [quantity(size) or 0 for size in sizes]
    if amounts[1] < amounts[0]:
        smaller = sizes[1] or "nothing"
        yield forbidden(
            f"{field}.resources.requests.storage", f"volumes cannot shrink from {sizes[0]} to {smaller}"
        )
        return
    for key in sorted({*old, *new}):
        if key == "resources":
            yield from _resource_causes(
                mapping(old.get(key)), mapping(new.get(key)), field, allowed=allowed, what=what
            )
        elif _said(key, old.get(key)) != _said(key, new.get(key)):
            yield forbidden(
                f"{field}.{key}", f"the claim of the {what} cannot change once the datacenter exists"
            )


def _said(key: str, value: Any) -> Any:
    """A value with its absence in other words made one; the class "" is one, and {} selects all volumes."""
    return None if key in _SAME_WHEN_EMPTY and is_empty(value) else value


def _resource_causes(
    old: Mapping[str, Any], new: Mapping[str, Any], field: str, *, allowed: bool, what: str
) -> Iterator[Cause]:
    for member in ("limits", "requests"):
        was, now = mapping(old.get(member)), mapping(new.get(member))
        for name in sorted({*was, *now}):
            amounts = [quantity(amount.get(name)) if name in amount else None for amount in (was, now)]
            if amounts[0] != amounts[1] and not (allowed and member == "requests"):
                hint = f"; annotation {Annotation.ALLOW_STORAGE_CHANGES}=true allows a greater request"
                yield forbidden(
                    f"{field}.resources.{member}.{name}",
                    f"the claim of the {what} cannot change{hint if member == 'requests' else ''}",
                )
