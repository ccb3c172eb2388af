"""get and list: from what is known here where that is as good as the store's answer, else that, translated.

Without a resourceVersion a read shows the latest there is: an object is read from the store, once for all who
wait for it; a list is proved current. With a version it is enough to have reached that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.context import Context
from apiserver.handlers.selecting import field_selector, select, stored_terms
from apiserver.kinds import FACES, Served
from apiserver.negotiate import LIST, SINGLE, Shape, takes_gzip
from apiserver.status import Late
from apiserver.storage import LIST_PARAMETERS
from apiserver.translate.face import Obj
from apiserver.translate.objects import list_to_virtual, to_virtual
from apiserver.watchcache import forms
from apiserver.watchcache.cache import WatchCache
from apiserver.watchcache.entries import Entry, Selection, key_of
from apiserver.watchcache.forms import Form
from apiserver.watchcache.mirror import Mirror
from apiserver.watchcache.proof import Proven, Unproven
from missioncontrol.kube.errors import KubeError, TransportError
from missioncontrol.kube.transport import Response


async def get(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """One object, or its status (which is the whole object)."""
    try:
        form = _form(call, served, SINGLE)
    except Late:
        return await _get_from_store(context, call, served)
    mirror = context.cache.mirror(served.info.stored)
    if call.info.subresource or mirror is None:
        return await _get_from_store(context, call, served)
    namespace, name = call.info.namespace, served.face.stored_name(call.info.name)
    version = call.query.get("resourceVersion", "")
    entry: Entry | Response | None
    if not version:
        try:
            reads = context.cache.objects(served.info.stored)
            entry = await asyncio.shield(reads.latest(namespace, name))
        except TransportError as error:
            raise context.store.no_answer(call, "GET", error) from error
    else:
        known = is_number(version) and int(version) <= mirror.position
        entry = mirror.get(namespace, name) if known else None
    if entry is None:
        return await _get_from_store(context, call, served)  # which also knows what to say of it
    if not isinstance(entry, Entry):
        raise context.store.refused(served.face, entry)
    return respond.body(call, forms.single(form, entry, datetime.now(UTC)))


async def _get_from_store(context: Context, call: Call, served: Served) -> web.StreamResponse:
    stored = await context.store.read(
        call, served.face, object_path(call, served), call.pick(["resourceVersion"])
    )
    return respond.single(call, served.info.columns, to_virtual(FACES, served.face, stored))


async def list_(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """A list, from what is known where that is as good as the store's own answer."""
    try:
        form = _form(call, served, LIST)
        mirror = context.cache.mirror(served.info.stored)
    except Late:
        mirror = None  # so the store is asked, and what it refuses is told instead
    terms = await stored_terms(context, call, served)
    # what only a watch may ask, or is no number: the store refuses it
    odd = call.pick(["timeoutSeconds", "sendInitialEvents"])
    odd = [(name, value) for name, value in odd if name != "timeoutSeconds" or not is_number(value)]
    selection = select(mirror.reader, call, terms) if mirror is not None and not odd else None
    if mirror is not None and selection is not None:
        found = known(call.query, mirror, selection) or await proven(
            context.cache, call.query, mirror, selection
        )
        if found is not None:
            gzip = takes_gzip(call.headers.get("Accept-Encoding", "")) and respond.is_plain_json(call)
            return respond.body(call, await listed(context.cache, form, selection, found, gzip=gzip))
    query = [*call.pick(LIST_PARAMETERS), *field_selector(terms), *odd]
    path = served.info.stored.path(call.info.namespace or None)
    stored = await context.store.read(call, served.face, path, query)
    if mirror is not None:
        await _count_remaining(context.cache, mirror, call, served, stored)
    return respond.many(call, served.info.columns, list_to_virtual(FACES, served.face, stored))


async def _count_remaining(cache: WatchCache, mirror: Mirror, call: Call, served: Served, page: Obj) -> None:
    """Say how many follow a page, which the store does not when it is asked for one kind among others."""
    if not served.selection or not page["metadata"].get("continue") or not page.get("items"):
        return
    if call.query.get("labelSelector") or call.query.get("fieldSelector"):
        return
    metadata = page["items"][-1]["metadata"]
    last = key_of(metadata.get("namespace", ""), metadata["name"])
    selected = select(mirror.reader, call, list(served.selection))
    if selected is None:
        return
    # what is known may be a moment behind a first page; those that follow are of the past
    current = None if call.query.get("continue") else await _current(cache, mirror, selected)
    entries = mirror.select(selected) if current is None else current.entries
    page["metadata"]["remainingItemCount"] = sum(each.key > last for each in entries)


def known(query: Mapping[str, str], mirror: Mirror, selection: Selection) -> Proven | None:
    """The selected objects, where what is known is what was asked for: any state, or one not older."""
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if match not in ("", "NotOlderThan") or not is_number(version) or query.get("continue"):
        return None
    limit = query.get("limit", "0")
    if not is_number(limit):
        return None
    # a limit with a version is a page of the past; with "any" it may be ignored
    if int(version) > mirror.position or (int(version) and int(limit)):
        return None
    return Proven(mirror.position, mirror.changes, mirror.select(selection))


async def proven(
    cache: WatchCache, query: Mapping[str, str], mirror: Mirror, selection: Selection
) -> Proven | None:
    """The selected objects as they are now, or None where the store has to answer: pages, exact and odd
    versions.
    """
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    limit = query.get("limit", "0")
    if query.get("continue") or not is_number(limit):
        return None
    if version and (match not in ("", "NotOlderThan") or not is_number(version) or int(limit)):
        return None
    if not version and (match or _exceeds(mirror, selection, int(limit))):
        return None
    current = await _current(cache, mirror, selection)
    if current is None or (version and current.version < int(version)):
        return None
    if not int(limit) or len(current.entries) < int(limit):
        return current
    # a page that is just full has a next one as long as anything follows, whether it is selected or not
    chosen = query.get("labelSelector") or query.get("fieldSelector")
    return None if chosen or len(current.entries) > int(limit) else current


async def _current(cache: WatchCache, mirror: Mirror, selection: Selection) -> Proven | None:
    """The selected objects as they are now, or None where that cannot be told."""
    try:
        current = await asyncio.shield(cache.prover(mirror.resource).current(selection.namespace))
    except (KubeError, Unproven):
        return None
    if selection.narrows:
        return replace(current, entries=[entry for entry in current.entries if selection.matches(entry)])
    return current


def _exceeds(mirror: Mirror, selection: Selection, limit: int) -> bool:
    """Whether there is more than one page: the next ones are the store's, and so is the first."""
    return bool(limit) and len(mirror.keys(selection.namespace)) > limit < len(mirror.select(selection))


async def listed(cache: WatchCache, form: Form, selection: Selection, found: Proven, *, gzip: bool) -> bytes:
    """The body of a list."""
    now = datetime.now(UTC)
    key = (form, selection, found.changes, found.version, gzip, int(now.timestamp()) if form.is_table else 0)
    return await cache.bodies.find(key, form, found.entries, found.version, now, gzip=gzip)


def _form(call: Call, served: Served, shapes: frozenset[Shape]) -> Form:
    return forms.form(
        served.info.resource.plural, respond.accept(call, shapes), call.query.get("includeObject")
    )


def is_number(text: str) -> bool:
    """Whether a text is what kube-apiserver takes for a version or a limit without a word.

    Of longer ones some are too large: the store knows which. "00" is no "any" to it.
    """
    return text.isascii() and text.isdigit() and len(text) < 19 and (text == "0" or text[0] != "0")


def object_path(call: Call, served: Served) -> str:
    """The stored object's path, with the subresource ``status`` where the request has it."""
    info = call.info
    name = served.face.stored_name(info.name)
    return served.info.stored.path(
        info.namespace or None, name, "status" if info.subresource == "status" else None
    )
