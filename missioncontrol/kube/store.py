"""What an informer knows: the objects by name, indexes over them, and what their readers are told of changes.

The store also reads its own process's writes. `observe` puts a written object in at once; until the watch has
delivered that very resourceVersion, other events of the object are older than the write and are dropped. So a
reconcile never acts on a state older than its own last write, without comparing resourceVersions, which are
opaque.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, Literal, Protocol, TypeVar

from missioncontrol.kube.views import Meta

log = logging.getLogger(__name__)

RECENT = 4096
PENDING_SECONDS = 15.0
"""How long the event of a write may keep us waiting."""
AFTER_LIST_SECONDS = 1.0
"""The same for a write that was under way while everything was listed anew: the list may have shown it, or
even what came after it, and then there is no event of it to come."""
IN_FLIGHT_SECONDS = 10.0

Change = Literal["added", "updated", "deleted"]
Name = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


class HasMeta(Protocol):
    """What every view has."""

    @property
    def metadata(self) -> Meta:
        """The object's metadata."""
        ...


T = TypeVar("T", bound=HasMeta)
Handler = Callable[[Change, T | None, T | None], None]
IndexFunction = Callable[[T], Iterable[str]]


class Store(Generic[T]):
    """Objects of one resource in one cluster; handlers are called after the change is visible."""

    def __init__(self) -> None:
        self._objects: dict[Name, T] = {}
        self._index_functions: dict[str, IndexFunction[T]] = {}
        self._indexes: dict[str, dict[str, dict[Name, T]]] = {}
        self._handlers: list[Handler[T]] = []
        self._recent: OrderedDict[tuple[Name, str], None] = OrderedDict()
        self._pending: dict[Name, tuple[str, float, float]] = {}
        """Which version the watch has still to show, since when, and until when that is worth waiting for."""
        self._listed = False
        self._listed_again = float("-inf")

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, namespace: str, name: str) -> T | None:
        """The object, if it exists. Shared: not to be changed."""
        return self._objects.get((namespace, name))

    def all(self) -> list[T]:
        """All objects, in no order that means anything."""
        return list(self._objects.values())

    def by(self, index: str, key: str) -> list[T]:
        """The objects under a key of an index, sorted by namespace and name."""
        return [obj for _, obj in sorted(self._indexes[index].get(key, {}).items(), key=lambda item: item[0])]

    def add_index(self, name: str, function: IndexFunction[T]) -> None:
        """Keep an index: `function` gives the keys under which an object is found."""
        self._index_functions[name] = function
        index = self._indexes[name] = {}
        for place, obj in self._objects.items():
            _enter(index, function, place, obj)

    def add_handler(self, handler: Handler[T]) -> None:
        """Call `handler(change, old, new)` for every change; it gets an "added" for each object known
        already.
        """
        self._handlers.append(handler)
        for obj in self.all():
            handler("added", None, obj)

    # What the server says ----------------------------------------------------------------------------------

    def put(self, obj: T) -> None:
        """The watch says that the object is like this now."""
        place, version = _place(obj), obj.metadata.resource_version
        self._remember(place, version)
        if self._behind(place, version):
            return
        self._set(place, obj)

    def remove(self, meta: Meta) -> None:
        """The watch says that the object, whose last metadata this is, is gone."""
        place = meta.namespace, meta.name
        present = self._objects.get(place)
        if present is None:
            self._pending.pop(place, None)
            return
        if meta.uid and present.metadata.uid != meta.uid and place in self._pending:
            return  # the predecessor of what we have just created
        self._pending.pop(place, None)
        self._drop(place)

    def replace_all(self, objects: dict[Name, T], *, began: float) -> None:
        """A list, begun at that time of the monotonic clock, says that these objects exist and no others."""
        if self._listed:
            self._listed_again = time.monotonic()
        self._listed = True
        vanished = []
        for place, obj in objects.items():
            self._remember(place, obj.metadata.resource_version)
        for place in self._objects.keys() - objects.keys():
            if not self._written_after(place, began):
                vanished.append(place)
        for place in vanished:
            self._pending.pop(place, None)
            self._drop(place)
        for place, obj in objects.items():
            older = self._written_after(place, began)
            if older and self._pending[place][0] != obj.metadata.resource_version:
                continue
            self._pending.pop(place, None)
            self._set(place, obj)

    # What we wrote -----------------------------------------------------------------------------------------

    def observe(self, obj: T) -> None:
        """The server answered a write of ours with this object."""
        place, version = _place(obj), obj.metadata.resource_version
        present = self._objects.get(place)
        if (place, version) in self._recent or (present and present.metadata.resource_version == version):
            return
        now = time.monotonic()
        listed = now - self._listed_again < IN_FLIGHT_SECONDS
        self._pending[place] = (version, now, now + (AFTER_LIST_SECONDS if listed else PENDING_SECONDS))
        self._set(place, obj)

    def due(self) -> float | None:
        """When, on the monotonic clock, the next write of ours will have been missing for too long."""
        return min((due for _, _, due in self._pending.values()), default=None)

    def overdue(self, now: float | None = None) -> bool:
        """Whether a write of ours has been missing from the watch for so long that only a list helps."""
        due = self.due()
        return due is not None and due < (time.monotonic() if now is None else now)

    def _behind(self, place: Name, version: str) -> bool:
        expected = self._pending.get(place)
        if expected is None:
            return False
        if expected[0] != version:
            return True
        del self._pending[place]
        return False

    def _written_after(self, place: Name, moment: float) -> bool:
        expected = self._pending.get(place)
        return expected is not None and expected[1] > moment

    def _remember(self, place: Name, version: str) -> None:
        self._recent[place, version] = None
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    # Changes -----------------------------------------------------------------------------------------------

    def _set(self, place: Name, obj: T) -> None:
        old = self._objects.get(place)
        if old is not None and old.metadata.uid != obj.metadata.uid:
            self._drop(place)
            old = None
        if old is not None and old.metadata.resource_version == obj.metadata.resource_version:
            return
        self._objects[place] = obj
        for name, function in self._index_functions.items():
            if old is not None:
                _leave(self._indexes[name], function, place, old)
            _enter(self._indexes[name], function, place, obj)
        self._tell("added" if old is None else "updated", old, obj)

    def _drop(self, place: Name) -> None:
        old = self._objects.pop(place)
        for name, function in self._index_functions.items():
            _leave(self._indexes[name], function, place, old)
        self._tell("deleted", old, None)

    def _tell(self, change: Change, old: T | None, new: T | None) -> None:
        for handler in self._handlers:
            try:
                handler(change, old, new)
            except Exception:  # one reader's fault must not make the store lie to the others
                log.exception("a handler of object changes failed")


def _place(obj: HasMeta) -> Name:
    return obj.metadata.namespace, obj.metadata.name


def _enter(index: dict[str, dict[Name, T]], function: IndexFunction[T], place: Name, obj: T) -> None:
    for key in function(obj):
        index.setdefault(key, {})[place] = obj


def _leave(index: dict[str, dict[Name, T]], function: IndexFunction[T], place: Name, obj: T) -> None:
    for key in function(obj):
        entries = index.get(key)
        if entries is not None:
            entries.pop(place, None)
            if not entries:
                del index[key]
