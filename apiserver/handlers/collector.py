"""Writes that name the garbage collector's finalizers: an object may have one of them, never both.

The store cannot see that, for it knows them under other names, and whether a patch or an apply adds up to
both only the resulting object tells. So such a write is tried first, and then done to just what was tried.
"""

from __future__ import annotations

from typing import Any

import orjson

from apiserver import body as bodies
from apiserver import patching
from apiserver.call import Call
from apiserver.context import Context
from apiserver.kinds import FACES, Served
from apiserver.repeated import plain
from apiserver.status import Failure, invalid
from apiserver.storage import Query, Reply
from apiserver.translate import finalizers
from apiserver.translate.face import Obj
from apiserver.translate.objects import to_virtual
from missioncontrol.api.names import Finalizer

ATTEMPTS = 5
_STORED = frozenset({Finalizer.STORED_ORPHAN, Finalizer.STORED_FOREGROUND_DELETION})
_OF_METADATA = '299 - "metadata.'
_WHOLE = ("POST", "PUT")
"""Methods whose body says all that the object will be."""


async def write(
    context: Context,
    call: Call,
    served: Served,
    method: str,
    path: str,
    *,
    body: Any,
    query: Query,
    content_type: str = "application/json",
) -> Reply:
    """Write to the store, in the store's form, what may name these finalizers."""

    async def send(what: Any, *more: tuple[str, str]) -> Reply:
        parameters = [*query, *more]
        return await context.store.write(
            call, served.face, method, path, body=what, query=parameters, content_type=content_type
        )

    if not _names(body) or (method in _WHOLE and not _finalizers(body) >= _STORED):
        return await send(body)
    dry = any(name == "dryRun" for name, _ in query)
    for attempt in range(ATTEMPTS):
        warned = len(call.warnings)
        try:
            tried = await send(body, *(() if dry else (("dryRun", "All"),)))
        except Failure as refusal:
            if refusal.code != 422 or call.info.subresource:
                raise
            wanted = await _wanted(context, call, served, path, body, query, content_type)
            raise _with_ours(served, wanted, refusal) from refusal
        if _finalizers(tried.body) >= _STORED:
            # what is refused is not warned of, but for fields that are not known
            told = [each for each in call.warnings[warned:] if not each.startswith(_OF_METADATA)]
            call.warnings[warned:] = told
            raise invalid(served.info.resource, _name(served, tried.body), [_cause(served, tried.body)])
        if dry:
            return tried
        del call.warnings[warned:]
        pinned = _pinned(body, content_type, tried)
        try:
            return await send(pinned)
        except Failure as refusal:
            # a version of the client's own is the client's condition
            if refusal.code != 409 or pinned is body or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _names(body: Any) -> bool:
    """Whether one of them stands anywhere that matters; what is no document names nothing."""
    if isinstance(body, list):
        return any(_names_in(each.get("value")) for each in body if isinstance(each, dict))
    return bool(_STORED & _finalizers(body))


def _names_in(value: Any) -> bool:
    """Whether the value of a JSON patch is one, or holds it where an object has its finalizers."""
    if isinstance(value, str):
        return value in _STORED
    if isinstance(value, list):
        return any(isinstance(each, str) and each in _STORED for each in value)
    return bool(_STORED & (_finalizers(value) | _finalizers({"metadata": value})))


def _finalizers(item: Any) -> frozenset[str]:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict):
        return frozenset()
    # of keys given twice all count
    lists = [
        value for key, value in metadata.items() if plain(key) == "finalizers" and isinstance(value, list)
    ]
    return frozenset(each for value in lists for each in value if isinstance(each, str))


def _pinned(body: Any, content_type: str, tried: Reply) -> Any:
    """The write as one that only the object that was tried takes; as it is, where that is said already."""
    version = (tried.body.get("metadata") or {}).get("resourceVersion")
    if not version or tried.status == 201:
        return body
    if content_type == bodies.JSON_PATCH:
        return [*body, {"op": "add", "path": "/metadata/resourceVersion", "value": version}]
    metadata = body["metadata"]
    if metadata.get("resourceVersion"):
        return body
    return {**body, "metadata": {**metadata, "resourceVersion": version}}


async def _wanted(
    context: Context, call: Call, served: Served, path: str, body: Any, query: Query, content_type: str
) -> Any:
    """What would have come of a write that was refused, as far as finalizers go: a JSON patch and an apply
    say it only together with the object.
    """
    if content_type not in (bodies.JSON_PATCH, bodies.APPLY):
        return body
    try:
        stored = await context.store.read(call, served.face, path)
        if content_type == bodies.JSON_PATCH:
            return patching.json_patch(stored, body)
    except Failure:
        return body
    manager = next((value for name, value in query if name == "fieldManager"), "")
    return {"metadata": {"finalizers": finalizers.applied(stored["metadata"], body["metadata"], manager)}}


def _with_ours(served: Served, wanted: Any, refusal: Failure) -> Failure:
    """The store's refusal with this cause beside its own."""
    details = refusal.status.get("details") or {}
    causes, resource = details.get("causes"), served.info.resource
    # under another name than its kind's, the object was refused before it was looked at
    if not isinstance(causes, list) or details.get("kind") != resource.kind:
        return refusal
    if not _finalizers(wanted) >= _STORED:
        return refusal
    return invalid(resource, str(details.get("name") or ""), [*causes, _cause(served, wanted)])


def _name(served: Served, stored: Obj) -> str:
    return str(served.face.virtual_name(stored["metadata"].get("name") or ""))


def _cause(served: Served, stored: Obj) -> dict[str, str]:
    shown = to_virtual(FACES, served.face, {"metadata": {"finalizers": stored["metadata"]["finalizers"]}})
    finalizers = orjson.dumps(shown["metadata"]["finalizers"]).decode()
    return {
        "reason": "FieldValueInvalid",
        "field": "metadata.finalizers",
        "message": f"Invalid value: {finalizers}: finalizer orphan and foregroundDeletion cannot be both set",
    }
