"""get and list: the store's answer, translated."""

from __future__ import annotations

from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.context import Context
from apiserver.kinds import FACES, Served
from apiserver.negotiate import LIST
from apiserver.selectors import FieldTerm, format_fields, parse_fields, parse_labels
from apiserver.status import bad_request
from apiserver.storage import LIST_PARAMETERS
from apiserver.translate.objects import list_to_virtual, to_virtual
from apiserver.watchcache.entries import EntryReader, Selection, selection


async def get(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """One object, or its status (which is the whole object)."""
    stored = await context.store.read(
        call, served.face, object_path(call, served), call.pick(["resourceVersion"])
    )
    return respond.single(call, served, to_virtual(FACES, served.face, stored))


async def list_(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """A list, or a page of one: selectors, limit and continue are the store's work."""
    respond.accept(call, LIST)
    query = [*call.pick(LIST_PARAMETERS), *field_selector(call, served)]
    path = served.info.stored.path(call.info.namespace or None)
    stored = await context.store.read(call, served.face, path, query)
    return respond.many(call, served, list_to_virtual(FACES, served.face, stored))


def object_path(call: Call, served: Served) -> str:
    """The stored object's path, with the subresource ``status`` where the request has it."""
    info = call.info
    name = served.face.stored_name(info.name)
    return served.info.stored.path(
        info.namespace or None, name, "status" if info.subresource == "status" else None
    )


def field_selector(call: Call, served: Served) -> list[tuple[str, str]]:
    """The store's field selector: the user's, translated, and what tells this kind from others.

    A field that cannot be selected by is refused: ignored, it would select everything.
    """
    terms = _stored_terms(call, served)
    return [("fieldSelector", format_fields(terms))] if terms else []


def select(reader: EntryReader, call: Call, served: Served) -> Selection | None:
    """What the request is about, among cached objects; None when that cannot be told from the cache."""
    labels = parse_labels(call.query.get("labelSelector"))
    return selection(reader, call.info.namespace, _stored_terms(call, served), labels)


def _stored_terms(call: Call, served: Served) -> list[FieldTerm]:
    terms = [stored_term(served, term) for term in parse_fields(call.query.get("fieldSelector"))]
    return [*terms, *served.selection]


def stored_term(served: Served, term: FieldTerm) -> FieldTerm:
    if term.field not in served.selectable:
        raise bad_request(f"field label not supported: {term.field}")
    if term.field == "metadata.name":
        return FieldTerm(term.field, served.face.stored_name(term.value), term.equal)
    return FieldTerm(served.face.stored_field_path(term.field), term.value, term.equal)
