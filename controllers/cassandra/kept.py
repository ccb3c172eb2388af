"""What was made of views, for the next look: of what belongs to a datacenter little has changed by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from missioncontrol.kube.informer import HasMeta

V = TypeVar("V", bound=HasMeta)
S = TypeVar("S")


class Kept(Generic[V, S]):
    """Makes something of views, anew only of those that are not the very same as the last time."""

    def __init__(self, make: Callable[[V], S]) -> None:
        self._make = make
        self._made: dict[str, tuple[V, S]] = {}

    def of(self, views: Iterable[V]) -> list[S]:
        """What is made of them, in their order; what is not among them is forgotten."""
        before, self._made = self._made, {}
        for view in views:
            name = view.metadata.name
            known = before.get(name)
            self._made[name] = known if known is not None and known[0] is view else (view, self._make(view))
        return [made for _, made in self._made.values()]
