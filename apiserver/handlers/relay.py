"""A watch of the store's own for one client: its stream, translated line by line and sent on at once.

For what the shared watch cannot answer: versions from before its window, and parameters that the store is
to judge.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from apiserver import deep, respond
from apiserver.call import Call
from apiserver.context import Context
from apiserver.handlers import streams
from apiserver.handlers.selecting import field_selector, stored_terms
from apiserver.kinds import FACES, Served
from apiserver.negotiate import Accepted, Shape
from apiserver.selectors import FieldTerm
from apiserver.storage import WATCH_PARAMETERS
from apiserver.table import include_object, partial
from apiserver.translate.face import Obj
from apiserver.translate.watch import event_to_virtual
from missioncontrol.kube.errors import TransportError
from missioncontrol.kube.stream import Stream

log = logging.getLogger(__name__)

DEFAULT_SECONDS = (1800, 3600)


async def watch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """Events until the time is over, the client leaves, the store ends it or this server drains."""
    bookmarks = call.flag("allowWatchBookmarks")
    path = served.info.stored.path(call.info.namespace or None)
    terms = await stored_terms(context, call, served)
    async with context.store.watch(call, served.face, path, _query(call, terms)) as stream:
        accepted = respond.accept_stream(call)
        if accepted.shape is Shape.TABLE:
            include_object(call.query.get("includeObject"))
        if (head := streams.head(call)) is not None:
            return head
        events = streams.opened(call)
        encoder = _Encoder(call, served, accepted)
        place = place_of(served)
        try:
            await events.begin()
            events.on_leave(stream.abort)
            async with _ending(context, stream):
                async for line in stream.lines():
                    event = event_to_virtual(FACES, served.face, deep.loads(line))
                    if bookmarks or event.get("type") != "BOOKMARK":
                        data = encoder.encode(event)
                        context.watch_event(place, len(data), 1)
                        await events.tell([data])
        except TransportError as error:
            # the answer has begun: a clean end lets the client resume where it was
            log.debug("a watch ends early: %s", error)
        except ConnectionResetError:
            return events.response
    await events.end()
    return events.response


def place_of(served: Served) -> tuple[str, ...]:
    """How metrics name what is watched."""
    resource = served.info.resource
    return resource.group, resource.version, resource.plural


def _query(call: Call, terms: list[FieldTerm]) -> list[tuple[str, str]]:
    query = [
        (name, value)
        for name, value in (*call.pick(WATCH_PARAMETERS), *field_selector(terms))
        if name != "allowWatchBookmarks"
    ]
    # bookmarks are always asked for: without them a quiet watch and a dead connection look the same
    query += [("watch", "true"), ("allowWatchBookmarks", "true")]
    if "timeoutSeconds" not in call.query:
        query.append(("timeoutSeconds", str(random.randint(*DEFAULT_SECONDS))))
    return query


class _Encoder:
    """Events as bytes in the client's shape; a Table says its columns once."""

    def __init__(self, call: Call, served: Served, accepted: Accepted) -> None:
        self._call, self._served, self._accepted = call, served, accepted
        self._definitions = True

    def encode(self, event: Obj) -> bytes:
        item = event.get("object")
        if event.get("type") != "ERROR" and isinstance(item, dict):
            event = {**event, "object": self._shaped(item)}
        return deep.dumps(event, orjson.OPT_APPEND_NEWLINE)

    def _shaped(self, item: Obj) -> Obj:
        if self._accepted.shape is Shape.METADATA:
            return partial(item, self._accepted)
        if self._accepted.shape is not Shape.TABLE:
            return item
        definitions, self._definitions = self._definitions, False
        metadata = item.get("metadata") or {}
        return respond.as_table(
            self._call,
            self._served.info.columns,
            self._accepted,
            [item],
            {"resourceVersion": metadata.get("resourceVersion", "")},
            definitions=definitions,
        )


@asynccontextmanager
async def _ending(context: Context, stream: Stream) -> AsyncIterator[None]:
    """Cut the store's stream when the server drains, not all watches in the same moment."""

    async def cut() -> None:
        await context.draining.wait()
        await asyncio.sleep(random.random() * 2)
        stream.abort()

    cutter = asyncio.create_task(cut())
    try:
        yield
    finally:
        cutter.cancel()
