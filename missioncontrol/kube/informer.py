"""A live copy of one resource of one cluster: list, then watch, for as long as it takes.

It survives every outage by itself: a broken or silent watch is resumed at the last resourceVersion, an
expired one listed anew, with the difference told as changes. `run` ends only by cancellation.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic

import msgspec

from missioncontrol.kube import errors
from missioncontrol.kube.backoff import Backoff
from missioncontrol.kube.selectors import matches
from missioncontrol.kube.store import Handler, HasMeta, IndexFunction, Name, Store, T
from missioncontrol.kube.views import MetaView

if TYPE_CHECKING:
    from missioncontrol.api.resources import Resource
    from missioncontrol.kube.client import Client
    from missioncontrol.kube.stream import Stream

__all__ = ["Handler", "HasMeta", "Informer"]

log = logging.getLogger(__name__)

PAGE = 500
IDLE_SECONDS = 150.0
"""kube-apiserver sends a bookmark every minute or a little later: two of them missing is a connection that is
dead in a way that TCP does not notice."""
WATCH_SECONDS = (240, 480)
BATCH = 50
"""Objects decoded, or events handled, before others get the event loop."""
FAILURES_BEFORE_LIST = 3
STEADY_SECONDS = 5.0
LOOK_SECONDS = 0.1


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Broken(Exception):
    """What arrived on a watch is not an event."""


class Informer(Generic[T]):
    """Keeps views of type T. `last_contact` is when the server was last heard, `last_error` why not since."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        view: type[T],
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> None:
        self.client = client
        self.resource = resource
        self.namespace = namespace
        self.label_selector = label_selector
        self.field_selector = field_selector
        self.last_contact: datetime | None = None
        self.last_error = ""
        self.view = view
        self._decoder = msgspec.json.Decoder(view)
        self._store: Store[T] = Store()
        self._synced = asyncio.Event()
        self._version = ""
        self._stream: Stream | None = None
        self._hurry = asyncio.Event()
        self._progress = False
        self._look: asyncio.TimerHandle | None = None
        self._running = False
        self._list_headers = _accept(view, "PartialObjectMetadataList")
        self._watch_headers = _accept(view, "PartialObjectMetadata")

    # Reading -----------------------------------------------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether the first list is complete; what is read before is not the truth."""
        return self._synced.is_set()

    async def wait_synced(self, timeout: float | None = None) -> bool:
        """Wait for the first list; False when it did not come in time."""
        try:
            async with asyncio.timeout(timeout):
                await self._synced.wait()
        except TimeoutError:
            return False
        return True

    def __len__(self) -> int:
        return len(self._store)

    def get(self, namespace: str, name: str) -> T | None:
        """The object, if it exists (namespace "" for cluster-scoped ones). Shared: not to be changed."""
        return self._store.get(namespace, name)

    def all(self) -> list[T]:
        """All objects."""
        return self._store.all()

    def by(self, index: str, key: str) -> list[T]:
        """The objects under a key of an index, sorted by namespace and name."""
        return self._store.by(index, key)

    def add_index(self, name: str, function: IndexFunction[T]) -> None:
        """Keep an index: `function` gives the keys under which an object is found with `by`."""
        self._store.add_index(name, function)

    def add_handler(self, handler: Handler[T]) -> None:
        """Call `handler("added" | "updated" | "deleted", old, new)` for each change, and for what is known
        now.
        """
        self._store.add_handler(handler)

    # Writing and waking ------------------------------------------------------------------------------------

    def observe(self, written: dict[str, Any]) -> None:
        """Take in an object that the server gave back for a write, so that the next reader sees it."""
        if not self.synced:
            return
        try:
            obj = msgspec.convert(written, self.view)
        except msgspec.ValidationError as error:
            log.warning("a written object cannot be read as %s: %s", self.view.__name__, error)
            return
        meta = obj.metadata
        if self.namespace and meta.namespace != self.namespace:
            return
        known = self._store.get(meta.namespace, meta.name) is not None
        selected = None if self.field_selector else matches(self.label_selector, meta.labels)
        # Whether an object still matches, or begins to, is the server's answer where we cannot tell.
        if selected or (selected is None and known):
            self._store.observe(obj)
            self._look_later()

    def hurry(self) -> None:
        """The cluster is reachable (again): drop a connection that may be dead, and wait no longer."""
        self._hurry.set()
        if self._stream is not None:
            self._stream.abort()

    def _look_later(self) -> None:
        """See in time whether the watch has shown what we wrote: a quiet one would not make us look."""
        due = self._store.due()
        if self._running and self._look is None and due is not None:
            seconds = max(due - time.monotonic() + 0.05, LOOK_SECONDS)
            self._look = asyncio.get_running_loop().call_later(seconds, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        if self._store.overdue():
            self._version = ""
            if self._stream is not None:
                self._stream.abort()
        self._look_later()

    # Running -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """List and watch until cancelled."""
        self._running = True
        try:
            await self._go_on()
        finally:
            self._running = False
            if self._look is not None:
                self._look.cancel()
                self._look = None

    async def _go_on(self) -> None:
        backoff = Backoff()
        while True:
            began = time.monotonic()
            fresh = not self._version
            self._hurry.clear()
            self._progress = False
            failure = await self._once()
            lasted = time.monotonic() - began
            if self._progress or lasted > STEADY_SECONDS:
                backoff.reset()
            if isinstance(failure, errors.Expired) and not fresh:
                backoff.reset()  # the server is there, and a new list is all that is missing
            pause = backoff.next()
            if failure is not None:
                self._complain(failure)
            elif lasted > 1:
                pause = 0.0  # the server ended the watch, as it does every few minutes
            if isinstance(failure, errors.ApiError) and backoff.failures >= FAILURES_BEFORE_LIST:
                # A version that the server cannot serve without saying Expired (a restored etcd, for one).
                self._version = ""
            if await self._hurried(pause):
                backoff.reset()

    async def _once(self) -> Exception | None:
        """List if need be, then watch until something is wrong, or the server has had enough (None)."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
        except errors.Expired as error:
            self._version = ""
            return error
        except (errors.KubeError, _Broken, msgspec.MsgspecError) as error:
            return error
        return None

    def _complain(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        level = logging.DEBUG if text == self.last_error else logging.WARNING
        log.log(level, "watching %s is interrupted: %s", self.resource.group_resource, text)
        self.last_error = text

    async def _hurried(self, seconds: float) -> bool:
        """Wait that long, or until `hurry`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._hurry.wait()
        except TimeoutError:
            return False

    def _heard(self) -> None:
        self.last_contact = datetime.now(UTC)
        self.last_error = ""

    def _selectors(self) -> dict[str, str]:
        query = {}
        if self.label_selector:
            query["labelSelector"] = self.label_selector
        if self.field_selector:
            query["fieldSelector"] = self.field_selector
        return query

    async def _list(self) -> None:
        began = time.monotonic()
        query = {**self._selectors(), "limit": str(PAGE)}
        objects: dict[Name, T] = {}
        while True:
            response = await self.client.request(
                "GET", self.resource.path(self.namespace), query=query, headers=self._list_headers, timeout=30
            )
            try:
                page = msgspec.json.decode(response.raise_for_status().body, type=_Page)
            except errors.Expired:
                if "continue" not in query:
                    raise
                # The snapshot behind the continue token is compacted: once more, in one piece.
                objects.clear()
                query = self._selectors()
                continue
            self._heard()
            await self._decode(page.items or [], objects)
            if not page.metadata.continue_:
                break
            query["continue"] = page.metadata.continue_
        self._store.replace_all(objects, began=began)
        self._version = page.metadata.resource_version
        self._synced.set()

    async def _decode(self, items: list[msgspec.Raw], objects: dict[Name, T]) -> None:
        for number, raw in enumerate(items):
            obj = self._view_of(raw)
            if obj is None:
                meta = msgspec.json.decode(raw, type=MetaView).metadata
                obj = self._store.get(meta.namespace, meta.name)
            if obj is not None:
                objects[obj.metadata.namespace, obj.metadata.name] = obj
            if number % BATCH == BATCH - 1:
                await asyncio.sleep(0)

    def _view_of(self, raw: msgspec.Raw) -> T | None:
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError as error:
            # Somebody stored what the view does not expect. The others must not suffer for it; what was known
            # of this one stays.
            meta = msgspec.json.decode(raw, type=MetaView).metadata
            name = f"{meta.namespace}/{meta.name}"
            log.warning("%s %s cannot be read: %s", self.resource.group_resource, name, error)
            return None

    async def _watch(self) -> None:
        seconds = random.randint(*WATCH_SECONDS)
        query = {
            **self._selectors(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        path = self.resource.path(self.namespace)
        opened = self.client.stream(path, query=query, headers=self._watch_headers, idle_timeout=IDLE_SECONDS)
        async with opened as stream:
            await stream.raise_for_status()
            self._stream = stream
            try:
                self._heard()
                handled = 0
                async for line in stream.lines():
                    self._handle(msgspec.json.decode(line, type=_Event))
                    handled += 1
                    if handled % BATCH == 0:
                        await asyncio.sleep(0)
                    if self._store.overdue():
                        self._version = ""
                        return
            finally:
                self._stream = None

    def _handle(self, event: _Event) -> None:
        if event.type == "ERROR":
            raise errors.from_status(msgspec.json.decode(event.object, type=dict[str, Any]))
        self._heard()
        self._progress = True
        if event.type == "BOOKMARK":
            self._version = msgspec.json.decode(event.object, type=MetaView).metadata.resource_version
            return
        if event.type not in ("ADDED", "MODIFIED", "DELETED"):
            raise _Broken(f"unknown watch event {event.type!r}")
        obj = self._view_of(event.object) if event.type != "DELETED" else None
        # of what goes, or cannot be read, its metadata is enough
        meta = obj.metadata if obj is not None else msgspec.json.decode(event.object, type=MetaView).metadata
        if event.type == "DELETED":
            self._store.remove(meta)
        elif obj is not None:
            self._store.put(obj)
        self._version = meta.resource_version


def _accept(view: type[Any], kind: str) -> dict[str, str]:
    """The headers of a request whose answer is to hold metadata only, where the view wants no more."""
    if not issubclass(view, MetaView):
        return {}
    return {"Accept": f"application/json;as={kind};g=meta.k8s.io;v=v1,application/json"}
