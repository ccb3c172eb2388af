"""A copy of one stored resource, kept by one watch, and the hub from which all watchers are served.

The copy is always a state that the store has had: events are applied in their order, and nothing else is
ever put in. When the store's watch breaks it is taken up where it was, so that nobody downstream notices;
only when the store no longer knows that place are all objects read anew, and every stream is ended, for
what happened in between cannot be told.
"""

from __future__ import annotations

import asyncio
import bisect
import logging
import random
import time
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from apiserver.watchcache.entries import Entry, EntryReader, Selection, key_of
from apiserver.watchcache.window import ADDED, BOOKMARK, DELETED, MODIFIED, Event, Window
from missioncontrol.api.resources import Resource
from missioncontrol.kube import errors
from missioncontrol.kube.backoff import Backoff
from missioncontrol.kube.client import Client
from missioncontrol.kube.stream import Stream

log = logging.getLogger(__name__)

PAGE = 500
LIST_SECONDS = 30.0
WATCH_SECONDS = (1800, 3600)
IDLE_SECONDS = 150.0
"""The store sends a bookmark each minute or a little later: when two are missing, the stream is dead."""
GAP_SECONDS = 15.0
"""How long watchers are kept while the store's watch is broken; then they are sent to other replicas."""
WINDOW_EVENTS = 10_000
WINDOW_BYTES = 8 << 20
AT_ONCE = 64
"""Objects that are encoded before others get their turn of the loop."""
TURN_SECONDS = 0.005
"""How long events are handed out before others get their turn. Longer turns make fewer, larger writes."""


class _PageMetadata(msgspec.Struct, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    metadata: _PageMetadata
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Versioned(msgspec.Struct):
    metadata: _PageMetadata


class Subscriber(Protocol):
    """One who watches. None of these may wait or fail."""

    def offer(self, event: Event) -> None:
        """Something happened."""

    def bookmark(self, version: int) -> None:
        """Nothing else happened up to this version."""

    def end(self) -> None:
        """The stream cannot go on."""


class _Lost(Exception):
    """The store no longer tells what happened since the position of this copy."""


class Mirror:
    """The copy of one stored resource. Read it when it is `synced`."""

    def __init__(self, client: Client, resource: Resource, reader: EntryReader) -> None:
        self.resource = resource
        self.reader = reader
        self.entries: dict[str, Entry] = {}
        self.position = 0
        """The version that this copy has reached: every event up to it is applied."""
        self.handed_out = 0
        """The version up to which every subscriber has been told everything."""
        self.changes = 0
        """Counts states: as long as it is the same, so are the objects."""
        self.synced = False
        """Whether this copy may be shown: all objects are known, and events have arrived since."""
        self.connected = False
        """Whether events arrive now; if not, the copy may be behind without knowing."""
        self.window = Window(since=0, events=WINDOW_EVENTS, size=WINDOW_BYTES)
        self.subscribers: set[Subscriber] = set()
        self._client = client
        self._keys: list[str] = []
        self._listed = False
        self._advanced: asyncio.Future[None] | None = None
        self._stream: Stream | None = None
        self._distrusted = False
        self._gap: asyncio.TimerHandle | None = None
        self._complaint = ""
        self._turn_ends = 0.0

    # Reading -----------------------------------------------------------------------------------------------

    def get(self, namespace: str, name: str) -> Entry | None:
        """One object as it is known."""
        return self.entries.get(key_of(namespace, name))

    def select(self, selection: Selection) -> list[Entry]:
        """The selected objects in the store's order."""
        entries = self.entries
        found = [entries[key] for key in self.keys(selection.namespace)]
        return [entry for entry in found if selection.matches(entry)] if selection.narrows else found

    def keys(self, namespace: str) -> list[str]:
        """The places of the objects of a namespace, or of all."""
        if not namespace:
            return self._keys
        # "0" is what follows "/"
        first = bisect.bisect_left(self._keys, f"{namespace}/")
        return self._keys[first : bisect.bisect_left(self._keys, f"{namespace}0", lo=first)]

    def advanced(self) -> asyncio.Future[None]:
        """Done when anything has changed: the position, or the connection. Shared: to be shielded."""
        if self._advanced is None:
            self._advanced = asyncio.get_running_loop().create_future()
        return self._advanced

    def distrust(self) -> None:
        """The store contradicts this copy (its history is another one): read everything anew."""
        log.warning("what is known of %s is not what the store has", self.resource.group_resource)
        self.synced = False
        self._distrusted = True
        if self._stream is not None:
            self._stream.abort()

    # Following the store -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the copy until cancelled; the store may be away at any time, also at the start."""
        backoff = Backoff()
        try:
            while True:
                position = self.position
                try:
                    if not self._listed:
                        await self._list()
                    await self._watch()
                    pause = 0.05
                except _Lost:
                    self._forget()
                    pause = 0.05
                except (errors.KubeError, msgspec.MsgspecError, ValueError) as error:
                    self._complain(error)
                    if isinstance(error, errors.NotFound):
                        self._forget()  # the kind itself is gone, and with it all objects
                    if self.position != position:
                        backoff.reset()
                    pause = backoff.next()
                self._break()
                if self._distrusted:
                    self._distrusted = False
                    self._forget()
                await asyncio.sleep(pause)
        finally:
            if self._gap is not None:
                self._gap.cancel()

    def _complain(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        level = logging.DEBUG if text == self._complaint else logging.WARNING
        log.log(level, "the watch on %s is interrupted: %s", self.resource.group_resource, text)
        self._complaint = text

    def _break(self) -> None:
        self.connected = False
        if self._gap is None and self.subscribers:
            self._gap = asyncio.get_running_loop().call_later(GAP_SECONDS, self.end_streams)

    def _mend(self) -> None:
        # a copy that is not followed yet would be old, to those who do not mind its age, by seconds
        self.synced = self.connected = True
        self._complaint = ""
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        self._tell()

    def end_streams(self) -> None:
        """End every stream; clients take up their watch where it was, here or on another replica."""
        self._gap = None
        for subscriber in tuple(self.subscribers):
            subscriber.end()
        self.subscribers.clear()

    def _forget(self) -> None:
        self.synced = self._listed = False
        self.end_streams()

    async def _list(self) -> None:
        entries: dict[str, Entry] = {}
        query = {"limit": str(PAGE)}
        while True:
            response = await self._client.request(
                "GET", self.resource.path(), query=query, timeout=LIST_SECONDS
            )
            try:
                page = msgspec.json.decode(response.raise_for_status().body, type=_Page)
            except errors.Expired:
                if "continue" not in query:
                    raise
                entries.clear()
                query = {}  # the snapshot of the pages is compacted: once more, in one piece
                continue
            for number, raw in enumerate(page.items or ()):
                entry = self.reader.read(bytes(raw))
                entries[entry.key] = entry
                if number % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
            if not page.metadata.continue_:
                break
            query["continue"] = page.metadata.continue_
        self.end_streams()  # nobody should be left, and nobody may miss what happened meanwhile
        self.entries, self._keys = entries, sorted(entries)
        self.position = self.handed_out = int(page.metadata.resource_version)
        self.changes += 1
        self.window = Window(since=self.position, events=WINDOW_EVENTS, size=WINDOW_BYTES)
        self._listed = True
        self._tell()

    async def _watch(self) -> None:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(self.position),
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),
        }
        opened = self._client.stream(self.resource.path(), query=query, idle_timeout=IDLE_SECONDS)
        async with opened as stream:
            try:
                await stream.raise_for_status()
            except errors.Expired as error:
                raise _Lost from error
            self._stream = stream
            self._mend()
            try:
                async for line in stream.lines():
                    if time.monotonic() > self._turn_ends:
                        await asyncio.sleep(0)
                        self._turn_ends = time.monotonic() + TURN_SECONDS
                    await self._take(msgspec.json.decode(line, type=_Line))
            finally:
                self._stream = None

    async def _take(self, line: _Line) -> None:
        if line.type == "ERROR":
            status: dict[str, Any] = msgspec.json.decode(line.object)
            if status.get("code") == 410:
                raise _Lost
            raise errors.from_status(status)
        if line.type == BOOKMARK:
            bookmark = msgspec.json.decode(line.object, type=_Versioned)
            version = int(bookmark.metadata.resource_version)
            if version > self.position:
                self.position = self.handed_out = version
                self._tell()
            for subscriber in tuple(self.subscribers):
                subscriber.bookmark(self.position)
            return
        if line.type not in (ADDED, MODIFIED, DELETED):
            raise errors.TransportError(f"unknown watch event {line.type!r}")
        event = self._apply(line.type, self.reader.read(bytes(line.object)))
        if event is not None:
            await self._hand_out(event)

    def _apply(self, type_: str, entry: Entry) -> Event | None:
        if entry.version <= self.position:
            return None  # told already, before the watch was taken up again
        key = entry.key
        before = self.entries.get(key)
        if type_ == DELETED:
            if before is not None:
                del self.entries[key]
                del self._keys[bisect.bisect_left(self._keys, key)]
        else:
            self.entries[key] = entry
            if before is None:
                bisect.insort(self._keys, key)
        if before is not None:
            before.budget.release(before)
        event = Event(type_, entry, before)
        self.window.add(event)
        self.position = entry.version
        self.changes += 1
        self._tell()
        return event

    async def _hand_out(self, event: Event) -> None:
        for number, subscriber in enumerate(tuple(self.subscribers), 1):
            subscriber.offer(event)
            if number % AT_ONCE == 0 and time.monotonic() > self._turn_ends:
                await asyncio.sleep(0)
                self._turn_ends = time.monotonic() + TURN_SECONDS
        self.handed_out = event.version
        event.handed_out()

    def _tell(self) -> None:
        waiting, self._advanced = self._advanced, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def in_batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The entries in parts, between which others get their turn of the loop."""
    for first in range(0, len(entries), AT_ONCE):
        yield entries[first : first + AT_ONCE]
