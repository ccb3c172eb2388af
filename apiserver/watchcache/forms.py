"""How stored objects and events become the bytes that clients get: made once, used for everybody.

Of each object the metadata and the rest are known as bytes of their own (`pieces`), so that every form (the
whole object, metadata only, a row of a Table) is a matter of joining them. Cells that change with time alone,
such as the age, are the only thing made anew for each list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from apiserver.kinds import SERVED
from apiserver.negotiate import Accepted, Shape
from apiserver.table import definitions_of, include_object
from apiserver.watchcache import pieces as encoding
from apiserver.watchcache.entries import Entry
from apiserver.watchcache.pieces import Parts, Pieces, pieces_of, row_of
from apiserver.watchcache.window import BOOKMARK, DELETED, Event


@dataclass(frozen=True, slots=True)
class Form:
    """What a client takes: which kind, in which shape."""

    plural: str
    shape: Shape = Shape.OBJECT
    version: str = "v1"
    include: str = "Metadata"

    @property
    def is_table(self) -> bool:
        return self.shape is Shape.TABLE


def form(plural: str, accepted: Accepted, include: str | None) -> Form:
    """The form of an Accept header and the parameter includeObject."""
    if accepted.shape is Shape.TABLE:
        return Form(plural, Shape.TABLE, accepted.version, include_object(include))
    shape = Shape.METADATA if accepted.shape is Shape.METADATA_LIST else accepted.shape
    return Form(plural, shape, accepted.version if shape is Shape.METADATA else "v1")


@lru_cache(maxsize=256)
def _heads(plural: str, version: str) -> tuple[bytes, bytes]:
    resource = SERVED[plural].info.resource
    whole = orjson.dumps({"apiVersion": resource.api_version, "kind": resource.kind})[:-1] + b',"metadata":'
    partial = orjson.dumps({"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"})
    return whole, partial[:-1] + b',"metadata":'


def item(form: Form, entry: Entry, now: datetime) -> Parts:
    """One object, or one row of a Table."""
    return _item(form, _pieces(form, entry, now), now)


def _pieces(form: Form, entry: Entry, now: datetime) -> Pieces:
    return row_of(entry, form.plural, now) if form.is_table else pieces_of(entry, form.plural)


def _item(form: Form, pieces: Pieces, now: datetime) -> Parts:
    whole, partial = _heads(form.plural, form.version)
    if form.shape is Shape.OBJECT:
        return [whole, pieces.metadata, *pieces.rest, b"}"]
    if form.shape is Shape.METADATA:
        return [partial, pieces.metadata, b"}"]
    cells = pieces.cells or encoding.cells_of(pieces, form.plural, now)
    row: Parts = [b'{"cells":[', encoding.row(cells, now), b"]"]
    if form.include == "Object":
        row += [b',"object":', whole, pieces.metadata, *pieces.rest, b"}"]
    elif form.include == "Metadata":
        row += [b',"object":', partial, pieces.metadata, b"}"]
    else:
        row.append(b',"object":null')
    row.append(b"}")
    return row


def collection(form: Form, items: Iterable[Parts], version: int) -> Parts:
    """A list of items at a version."""
    # an empty token is what kube-apiserver says of whole lists, too; its other shapes leave it out
    token = {"continue": ""} if form.shape is Shape.OBJECT else {}
    metadata = orjson.dumps({**token, "resourceVersion": str(version)})
    parts: Parts = [_collection_head(form), metadata]
    parts.append(b',"rows":[' if form.is_table else b',"items":[')
    between = False
    for one in items:
        if between:
            parts.append(b",")
        between = True
        parts += one
    if not between and form.shape is Shape.METADATA:
        return [*parts[:-1], b',"items":null}\n']
    parts.append(b"]}\n")
    return parts


def _collection_head(form: Form) -> bytes:
    resource = SERVED[form.plural].info.resource
    if form.is_table:
        return _table_head(form, definitions=True)
    kind, api_version = f"{resource.kind}List", resource.api_version
    if form.shape is Shape.METADATA:
        kind, api_version = "PartialObjectMetadataList", f"meta.k8s.io/{form.version}"
    return orjson.dumps({"kind": kind, "apiVersion": api_version})[:-1] + b',"metadata":'


@lru_cache(maxsize=256)
def _table_head(form: Form, *, definitions: bool) -> bytes:
    columns = SERVED[form.plural].info.columns
    head = {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "columnDefinitions": definitions_of(columns) if definitions else None,
    }
    return orjson.dumps(head)[:-1] + b',"metadata":'


def single(form: Form, entry: Entry, now: datetime) -> bytes:
    """One object as an answer."""
    pieces = _pieces(form, entry, now)
    if not form.is_table:
        return b"".join((*_item(form, pieces, now), b"\n"))
    return b"".join((*_one_row(form, pieces, entry.version, now, definitions=True), b"\n"))


def _one_row(form: Form, pieces: Pieces, version: int, now: datetime, *, definitions: bool) -> Parts:
    metadata = orjson.dumps({"resourceVersion": str(version)})
    head = _table_head(form, definitions=definitions)
    return [head, metadata, b',"rows":[', *_item(form, pieces, now), b"]}"]


# Events --------------------------------------------------------------------------------------------------


def event(form: Form, event: Event, seen_as: str, now: datetime, *, definitions: bool = False) -> bytes:
    """One line of a watch. An object that leaves the selection is shown as it was, at the event's version."""
    if seen_as == DELETED and event.type != DELETED and event.before is not None:
        pieces = encoding.encoded(event.before.raw, form.plural, version=event.version)
    else:
        pieces = _pieces(form, event.entry, now)
    return _line(form, seen_as, pieces, event.version, now, definitions=definitions)


def added(form: Form, entry: Entry, now: datetime, *, definitions: bool = False) -> bytes:
    """The line that tells of an object that is there already."""
    return _line(form, "ADDED", _pieces(form, entry, now), entry.version, now, definitions=definitions)


def bookmark(form: Form, version: int, now: datetime, *, ends_initial: bool, definitions: bool) -> bytes:
    """The line that tells nothing but a version."""
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if ends_initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _line(form, BOOKMARK, Pieces(orjson.dumps(metadata)), version, now, definitions=definitions)


def _line(form: Form, type_: str, pieces: Pieces, version: int, now: datetime, *, definitions: bool) -> bytes:
    parts = (
        _one_row(form, pieces, version, now, definitions=definitions)
        if form.is_table
        else _item(form, pieces, now)
    )
    return b"".join((b'{"type":"', type_.encode(), b'","object":', *parts, b"}\n"))
