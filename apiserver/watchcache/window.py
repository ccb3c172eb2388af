"""The last events of a stored resource, so that watches can begin a little in the past, on any replica.

Bounded by number and bytes. What is older is not lost: such a watch is passed on to the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from apiserver.watchcache.entries import Entry

ADDED, MODIFIED, DELETED, BOOKMARK = "ADDED", "MODIFIED", "DELETED", "BOOKMARK"


class Event:
    """Something that happened to one object: its state now (at DELETED: at its end), and the one before."""

    __slots__ = ("before", "encoded", "entry", "lines", "type", "version")

    def __init__(self, type_: str, entry: Entry, before: Entry | None) -> None:
        self.type = type_
        self.entry = entry
        self.before = before
        self.version = entry.version
        self.encoded: dict[str, bytes] = {}
        """The bytes of the event while it is handed out, by form and transition."""
        self.lines: dict[str, Line] = {}
        """The same by what watchers want to see: those who want the same share what is found out for one."""

    def seen_by(self, matches: Callable[[Entry], bool]) -> str:
        """What the event is for a watch that selects by `matches`: a type, or nothing."""
        was = self.before is not None and matches(self.before)
        is_ = self.type != DELETED and matches(self.entry)
        if is_:
            return MODIFIED if was else ADDED
        return DELETED if was else ""

    def handed_out(self) -> None:
        """Count what was told; from now on this is only kept for those who ask for the past."""
        for line in self.lines.values():
            if line.takers:
                line.sent(len(line.data), line.takers)
        self.encoded, self.lines = {}, {}


class Line:
    """What an event is to some watchers: bytes, or none, and how many took them."""

    __slots__ = ("data", "sent", "takers")

    def __init__(self, data: bytes, sent: Callable[[int, int], None]) -> None:
        self.data = data
        self.takers = 0
        self.sent = sent
        """To be told of the size and the number of takers."""


class Window:
    """Events in order. Every event after `since` is here."""

    def __init__(self, *, since: int, events: int, size: int) -> None:
        self.since = since
        self._events: deque[Event] = deque()
        self._limit, self._size_limit = events, size
        self._size = 0

    def add(self, event: Event) -> None:
        """Append an event; old ones leave."""
        self._events.append(event)
        self._size += _size(event)
        while len(self._events) > self._limit or (self._size > self._size_limit and len(self._events) > 1):
            gone = self._events.popleft()
            self._size -= _size(gone)
            self.since = gone.version

    def after(self, version: int) -> list[Event] | None:
        """The events after a version, or None when some of them are no longer known."""
        if version < self.since:
            return None
        found: list[Event] = []
        for event in reversed(self._events):
            if event.version <= version:
                break
            found.append(event)
        found.reverse()
        return found


def _size(event: Event) -> int:
    # both states are held: the one before is nobody else's any more
    return len(event.entry.raw) + (len(event.before.raw) if event.before is not None else 0)
