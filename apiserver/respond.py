"""From objects to responses: the negotiated shape, indentation, compression, warnings."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from apiserver import deep, negotiate
from apiserver.call import Call
from apiserver.negotiate import Accepted, Shape
from apiserver.status import Failure
from apiserver.table import include_object, partial, partial_list, table
from apiserver.translate.face import Obj
from apiserver.watchcache.bodies import is_compressed
from apiserver.yamltext import to_yaml
from missioncontrol.api.columns import Column

Columns = tuple[Column, ...]

GZIP_FROM = 128 * 1024
_NO_CACHE = "no-cache, private"


def single(call: Call, columns: Columns, item: Obj, *, status: int = 200) -> web.Response:
    """One object in the shape that the client takes; the columns are those of its Table."""
    accepted = accept(call, negotiate.SINGLE)
    if accepted.shape is Shape.TABLE:
        item = as_table(call, columns, accepted, [item], item.get("metadata") or {})
    elif accepted.shape is Shape.METADATA:
        item = partial(item, accepted)
    return encoded(call, item, status=status, accepted=accepted)


def many(call: Call, columns: Columns, listed: Obj) -> web.Response:
    """A list in the shape that the client takes."""
    accepted = accept(call, negotiate.LIST)
    metadata = listed.get("metadata") or {}
    if accepted.shape is Shape.TABLE:
        listed = as_table(call, columns, accepted, listed["items"], metadata)
    elif accepted.shape is Shape.METADATA_LIST:
        listed = partial_list(listed["items"], metadata, accepted)
    return encoded(call, listed, accepted=accepted)


def accept(call: Call, shapes: frozenset[Shape]) -> Accepted:
    """What the request's Accept header asks for among these shapes."""
    return negotiate.accept(call.headers.get("Accept", ""), shapes)


def accept_stream(call: Call) -> Accepted:
    """What the Accept header of a watch asks for."""
    return negotiate.accept_stream(call.headers.get("Accept", ""))


def as_table(
    call: Call,
    columns: Columns,
    accepted: Accepted,
    items: list[Obj],
    metadata: Obj,
    *,
    definitions: bool = True,
) -> Obj:
    """The Table of some objects of a kind."""
    return table(
        columns,
        items,
        accepted=accepted,
        include=include_object(call.query.get("includeObject")),
        now=datetime.now(UTC),
        metadata=metadata,
        definitions=definitions,
    )


def status(call: Call, document: Obj, *, status: int) -> web.Response:
    """A Status: it has no other shape, whatever was asked for."""
    accepted = accept(call, negotiate.SINGLE | negotiate.LIST)
    if accepted.shape is Shape.TABLE:
        include_object(call.query.get("includeObject"))
    return encoded(call, document, status=status, accepted=Accepted(yaml=accepted.yaml))


def encoded(
    call: Call,
    document: Any,
    *,
    status: int = 200,
    accepted: Accepted = negotiate.JSON,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """The bytes and headers of a document."""
    if accepted.yaml:
        data, content_type = to_yaml(document), "application/yaml"
    else:
        data = deep.dumps(document, orjson.OPT_INDENT_2 if _wants_pretty(call) else None)
        data, content_type = data + b"\n", "application/json"
    response = web.Response(body=data, status=status, headers=headers)
    response.headers["Content-Type"] = content_type
    finish(call, response)
    return response


def is_plain_json(call: Call) -> bool:
    """Whether JSON goes out as it is: not indented for a person, not turned into YAML."""
    return not _wants_pretty(call) and not accept(call, negotiate.LIST | negotiate.SINGLE).yaml


def _wants_pretty(call: Call) -> bool:
    return negotiate.wants_pretty(call.query.get("pretty"), call.headers.get("User-Agent", ""))


def body(call: Call, data: bytes) -> web.Response:
    """An answer that is encoded already, and maybe compressed."""
    if not is_plain_json(call):
        accepted = accept(call, negotiate.LIST | negotiate.SINGLE)
        return encoded(call, deep.loads(data), accepted=accepted)
    response = web.Response(body=data)
    response.headers["Content-Type"] = "application/json"
    if is_compressed(data):
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    finish(call, response)
    return response


def failed(call: Call, failure: Failure) -> web.Response:
    """An error. What cannot be negotiated is JSON."""
    try:
        accepted = accept(call, negotiate.PLAIN)
    except Failure:
        accepted = negotiate.JSON
    return encoded(call, failure.status, status=failure.code, accepted=accepted, headers=failure.headers)


def finish(call: Call, response: web.Response) -> None:
    """What all responses with a body have: caching, warnings, compression of large ones."""
    for name, value in caching(call).items():
        response.headers.setdefault(name, value)
    add_warnings(call, response)
    body = response.body
    if (
        isinstance(body, bytes)
        and "Content-Encoding" not in response.headers
        and len(body) >= GZIP_FROM
        and negotiate.takes_gzip(call.headers.get("Accept-Encoding", ""))
    ):
        compressor = zlib.compressobj(level=1, wbits=31)
        response.body = compressor.compress(body) + compressor.flush()
        response.headers["Content-Encoding"] = "gzip"
        response.headers.add("Vary", "Accept-Encoding")


def caching(call: Call) -> dict[str, str]:
    """The header that forbids caching, unless kube-apiserver asks for its client: it says so itself."""
    return {} if "X-Forwarded-Uri" in call.headers else {"Cache-Control": _NO_CACHE}


def add_warnings(call: Call, response: web.StreamResponse) -> None:
    """One header for each warning, each once."""
    for text in dict.fromkeys(call.warnings):
        response.headers.add("Warning", text)
