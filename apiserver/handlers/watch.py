"""watch: served from the one watch that this server keeps on each stored resource.

What that cannot answer (a version from before its window, parameters that the store has to judge) is passed
on to the store as a watch of its own.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from dataclasses import dataclass

from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.context import Context
from apiserver.handlers import relay, streams
from apiserver.handlers.read import is_number
from apiserver.handlers.relay import place_of
from apiserver.handlers.selecting import select, stored_terms
from apiserver.handlers.streams import Events
from apiserver.kinds import Served
from apiserver.status import Late
from apiserver.watchcache import forms
from apiserver.watchcache.entries import Entry, Selection
from apiserver.watchcache.mirror import Mirror, in_batches
from apiserver.watchcache.proof import Unproven
from apiserver.watchcache.watcher import Watcher
from apiserver.watchcache.window import Event
from missioncontrol.kube.errors import KubeError

DEFAULT_SECONDS = (1800, 3600)
LAST_BOOKMARK_SECONDS = 2.0
_ATTEMPTS = 3


async def watch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """Events until the time is over, the client leaves, or this server cannot tell what happens any more."""
    try:
        accepted = respond.accept_stream(call)
        form = forms.form(served.info.resource.plural, accepted, call.query.get("includeObject"))
    except Late:
        return await relay.watch(context, call, served)
    wanted = _wanted(call)
    mirror = context.cache.mirror(served.info.stored)
    terms = await stored_terms(context, call, served)
    selection = select(mirror.reader, call, terms) if mirror is not None else None
    if wanted is None or mirror is None or selection is None:
        return await relay.watch(context, call, served)
    begin = await _beginning(context, wanted, mirror, selection)
    if begin is None:
        return await relay.watch(context, call, served)
    if (head := streams.head(call)) is not None:
        return head
    watcher = Watcher(
        form,
        selection,
        after=begin.after,
        bookmarks=wanted.bookmarks,
        flusher=context.cache.flusher,
        framing=streams.framing_of(call),
        sent=functools.partial(context.watch_event, place_of(served)),
    )
    mirror.subscribers.add(watcher)  # with no turn of the loop since the beginning was found
    try:
        return await _stream(call, mirror, watcher, begin, wanted)
    finally:
        mirror.subscribers.discard(watcher)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the query asks for. No version: the latest; 0: any."""

    version: int | None
    initial: bool | None
    bookmarks: bool
    seconds: float


def _wanted(call: Call) -> _Wanted | None:
    """The parameters, or None for a combination that is the store's to judge, and to refuse in its words."""
    query = call.query
    version, initial, match = (
        query.get(name, "") for name in ("resourceVersion", "sendInitialEvents", "resourceVersionMatch")
    )
    seconds = query.get("timeoutSeconds", "")
    odd = "limit" in query or bool(query.get("continue")) or query.get("sendInitialEvents") == ""
    odd |= bool(version) and not is_number(version)
    odd |= "timeoutSeconds" in query and not is_number(seconds)
    odd |= (initial, match) not in (("", ""), ("true", "NotOlderThan"), ("1", "NotOlderThan"))
    if odd:
        return None
    lasting = float(seconds or 0) or random.uniform(*DEFAULT_SECONDS)
    return _Wanted(
        version=int(version) if version else None,
        # without a version kube-apiserver takes every watch for one that asks for the initial events
        initial=bool(initial) or version in ("", "0"),
        bookmarks=call.flag("allowWatchBookmarks"),
        seconds=lasting,
    )


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a stream begins with, and the version up to which that tells everything."""

    after: int
    present: list[Entry]
    events: list[Event]


async def _beginning(
    context: Context, wanted: _Wanted, mirror: Mirror, selection: Selection
) -> _Beginning | None:
    """None when the store has to be asked."""
    version = wanted.version
    if version and not wanted.initial:
        events = mirror.window.after(version)
        return None if events is None else _Beginning(max(version, mirror.position), [], events)
    if version is not None and version <= mirror.position:
        return _Beginning(mirror.position, mirror.select(selection), [])
    prover = context.cache.prover(mirror.resource)
    for _ in range(_ATTEMPTS):
        try:
            proven = await asyncio.shield(prover.current(selection.namespace))
        except (KubeError, Unproven):
            return None
        if version is not None and proven.version < version:
            return None
        if mirror.synced and proven.holds(mirror):
            return _Beginning(max(proven.version, mirror.position), mirror.select(selection), [])
    return None


async def _stream(
    call: Call, mirror: Mirror, watcher: Watcher, begin: _Beginning, wanted: _Wanted
) -> web.StreamResponse:
    deadline = time.monotonic() + wanted.seconds
    events = streams.opened(call)
    try:
        await events.begin()
        transport = call.request.transport
        if transport is None:
            return events.response
        events.on_leave(watcher.end)
        if not await _tell_beginning(events, watcher, begin, wanted):
            await events.end()  # with nothing from after the gap, or the client would take up its watch there
            return events.response
        watcher.go_live(transport)
        if wanted.bookmarks and not await _ended(watcher, deadline - LAST_BOOKMARK_SECONDS):
            watcher.bookmark(max(mirror.handed_out, begin.after))
        await _ended(watcher, deadline)
        watcher.flush()
        await events.end()
    except ConnectionError:
        pass  # the client has left, and needs no answer
    return events.response


async def _ended(watcher: Watcher, until: float) -> bool:
    """Wait for the end of the stream, but no longer than until then."""
    await asyncio.wait((watcher.ended,), timeout=max(0.0, until - time.monotonic()))
    return watcher.ended.done()


async def _tell_beginning(events: Events, watcher: Watcher, begin: _Beginning, wanted: _Wanted) -> bool:
    """The present objects or the events since, at the reader's pace; what happens meanwhile is put aside.

    False when the stream had to end before all was told.
    """
    for batch in in_batches(begin.present):
        await events.tell([watcher.present(entry) for entry in batch])
        await asyncio.sleep(0)
        if watcher.ended.done():
            return False
    told = [watcher.tell(event) for event in begin.events]
    if wanted.initial and wanted.bookmarks:
        told.append(watcher.mark(begin.after, ends_initial=True))
    await events.tell(told)
    return True
