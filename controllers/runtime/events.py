"""Kubernetes Events about what controllers do: for people, never for programs, and never in the way.

`event` only puts a note into a bounded queue; what finds no room is dropped and counted. An event that
repeats within some minutes becomes a series on the first one. What people know under two names, as an
operation by its own kind and in the list over all, has its events under both: `kubectl describe` looks for
those of the very name that it is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from missioncontrol.api.faces import shown_as
from missioncontrol.api.resources import EVENTS
from missioncontrol.kube.errors import KubeError, NotFound

if TYPE_CHECKING:
    from missioncontrol.api.resources import Resource
    from missioncontrol.kube.client import Client
    from missioncontrol.kube.views import Meta

log = logging.getLogger(__name__)

ROOM = 10_000
"""A hundred datacenters that begin at once have more than a thousand events to tell, in a few seconds."""
SERIES_SECONDS = 360.0
SERIES_WRITE_SECONDS = 30.0
SERIES_KEPT = 2000
REASON_LIMIT = 128
NOTE_LIMIT = 1024

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class _Note:
    """About an object by what people know it by."""

    resource: Resource
    name: str
    namespace: str
    uid: str
    resource_version: str
    type: EventType
    reason: str
    note: str
    action: str
    at: datetime

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two events one series."""
        return self.uid, self.type, self.reason, self.action, self.note


@dataclass(slots=True)
class _Series:
    name: str
    count: int
    last: float
    written: float


class EventRecorder:
    """Writes events.k8s.io/v1 in the name of `controller`, from `run`."""

    def __init__(
        self, client: Client, *, controller: str, instance: str, dropped: Callable[[], None] | None = None
    ) -> None:
        self._client = client
        self._controller, self._instance = controller, cut(instance, 128)
        self._dropped = dropped or (lambda: None)
        self._queue: asyncio.Queue[_Note] = asyncio.Queue(ROOM)
        self._series: OrderedDict[tuple[str, ...], _Series] = OrderedDict()

    def event(
        self,
        resource: Resource,
        meta: Meta,
        *,
        reason: str,
        note: str,
        type: EventType = "Normal",
        action: str = "Reconcile",
    ) -> None:
        """Tell people about an object: `reason` is a constant in CamelCase, `note` a sentence. Never waits or
        raises.
        """
        short, text, now = cut(reason, REASON_LIMIT), cut(note, NOTE_LIMIT), datetime.now(UTC)
        for shown, name, uid in shown_as(resource, meta.name, meta.uid):
            entry = _Note(
                *(shown, name, meta.namespace, uid, meta.resource_version),
                *(type, short, text, cut(action, 128), now),
            )
            try:
                self._queue.put_nowait(entry)
            except asyncio.QueueFull:
                self._dropped()

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        while True:
            note = await self._queue.get()
            try:
                await self._write(note)
            except KubeError as error:
                self._dropped()
                log.debug("an event was not written: %s", error)

    async def _write(self, note: _Note) -> None:
        now = time.monotonic()
        series = self._series.get(note.identity)
        if series is not None and now - series.last < SERIES_SECONDS:
            series.count += 1
            series.last = now
            if now - series.written >= SERIES_WRITE_SECONDS or series.count == 2:
                series.written = now
                await self._write_series(note, series)
            return
        name = f"{note.name[:200].rstrip('.-')}.{time.time_ns():x}"
        self._series[note.identity] = _Series(name, 1, now, now)
        self._series.move_to_end(note.identity)
        if len(self._series) > SERIES_KEPT:
            self._series.popitem(last=False)
        await self._client.create(EVENTS, self._render(note, name))

    async def _write_series(self, note: _Note, series: _Series) -> None:
        patch = {"series": {"count": series.count, "lastObservedTime": _micro_time(note.at)}}
        try:
            await self._client.merge_patch(EVENTS, series.name, patch, namespace=_namespace(note))
        except NotFound:
            self._series.pop(note.identity, None)  # its hour is over; the next one begins anew

    def _render(self, note: _Note, name: str) -> dict[str, Any]:
        regarding = {
            "apiVersion": note.resource.api_version,
            "kind": note.resource.kind,
            "name": note.name,
            "namespace": note.namespace,
            "uid": note.uid,
            "resourceVersion": note.resource_version,
        }
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": _namespace(note)},
            "eventTime": _micro_time(note.at),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "action": note.action,
            "reason": note.reason,
            "regarding": {key: value for key, value in regarding.items() if value},
            "note": note.note,
            "type": note.type,
        }


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` bytes, ending with … where something is missing."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - len("…".encode())].decode(errors="ignore") + "…"


def _namespace(note: _Note) -> str:
    return note.namespace or "default"


def _micro_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
