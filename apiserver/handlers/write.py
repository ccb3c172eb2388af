"""create, update, patch: bodies are translated; validation, apply and conflicts are the store's work."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from apiserver import body as bodies
from apiserver import patching, respond
from apiserver.authz import denied
from apiserver.call import Call
from apiserver.context import Context, attributes_of
from apiserver.handlers import collector, refusals
from apiserver.handlers.read import object_path
from apiserver.kinds import FACES, Served
from apiserver.negotiate import SINGLE
from apiserver.requestinfo import complaint
from apiserver.status import Failure, bad_request
from apiserver.storage import WRITE_PARAMETERS, Reply
from apiserver.translate import patches
from apiserver.translate.face import Obj
from apiserver.translate.objects import to_stored, to_virtual

GENERATED_FROM = 58
"""Characters of generateName that are used."""
GENERATE_ATTEMPTS = 8
PATCH_ATTEMPTS = 5
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"

BeforeCreate = Callable[[Context, Call, Served, Obj], Awaitable[None]]


async def create(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """POST to a collection."""
    respond.accept(call, SINGLE)
    body = await read_object(context, call, served)
    reply = await create_stored(context, call, served, to_stored(FACES, served.face, body))
    return _written(call, served, reply)


async def read_object(context: Context, call: Call, served: Served) -> Obj:
    """The body of a create or an update: an object of this kind, or a refusal."""
    data = await call.read_body()
    return await checked(context, call, served, await decoded(context, call, served, data), data)


async def decoded(context: Context, call: Call, served: Served, data: bytes) -> Any:
    """What a body says, keys given twice included; what cannot be read is refused as the store does."""
    try:
        bodies.object_type(call.headers.get("Content-Type"))
        return (await call.decode_object(data, keep=True)).value
    except Failure as problem:
        raise await refusals.of_body(context, call, served, data, problem) from problem


async def checked(context: Context, call: Call, served: Served, value: Any, data: bytes) -> Obj:
    """The body, if it is an object of this kind. The store cannot judge that: it knows the kind otherwise."""
    problem = refusals.mistaken(served, value)
    if problem is None:
        assert isinstance(value, dict)
        return value
    raise await refusals.of_object(context, call, served, value, data, problem)


async def create_stored(context: Context, call: Call, served: Served, stored: Obj) -> Reply:
    """Create an object that is already in its stored form."""
    path, query = served.info.stored.path(call.info.namespace or None), write_query(call)
    metadata = stored.get("metadata")
    base = metadata.get("generateName") if isinstance(metadata, dict) and not metadata.get("name") else None
    if not served.face.prefix or not isinstance(base, str) or not base:
        return await collector.write(context, call, served, "POST", path, body=stored, query=query)
    # the store would cut the name as if what it puts before were a part of it
    base = served.face.stored_name(str(served.face.virtual_name(base))[:GENERATED_FROM])
    for attempt in range(GENERATE_ATTEMPTS):
        name = base + "".join(secrets.choice(_LETTERS) for _ in range(5))
        named = {**stored, "metadata": {**stored["metadata"], "name": name}}
        try:
            return await collector.write(context, call, served, "POST", path, body=named, query=query)
        except Failure as refusal:
            if refusal.status.get("reason") != "AlreadyExists" or attempt == GENERATE_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def update(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PUT of an object or its status."""
    respond.accept(call, SINGLE)
    body = await read_object(context, call, served)
    _check_name(call, body)
    stored = to_stored(FACES, served.face, body)
    path = object_path(call, served)
    reply = await collector.write(context, call, served, "PUT", path, body=stored, query=write_query(call))
    return _written(call, served, reply)


def _check_name(call: Call, body: Obj) -> None:
    """A name in the path that is none never gets to the store, whose path it would be a part of."""
    url = call.info.name
    why = complaint(url)
    if not why:
        return
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if name and name != url:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({url})")
    raise bad_request(f'Name parameter invalid: "{url}": {why}')


async def patch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PATCH of an object or its status, in any form but strategic merge."""
    reply = await patch_stored(context, call, served)
    return _written(call, served, reply)


async def patch_stored(
    context: Context, call: Call, served: Served, *, before_create: BeforeCreate | None = None
) -> Reply:
    """Send the translated patch to the store. ``before_create`` may refuse an apply that would create."""
    kind = bodies.patch_type(call.headers.get("Content-Type"))
    respond.accept(call, SINGLE)
    body = await _patch_body(context, call, served, kind)
    if isinstance(body, _Whole):
        return await _patch_whole(context, call, served, body.operations)
    apply = kind == bodies.APPLY
    if apply and not call.info.subresource:
        await _check_create(context, call, served, body, before_create)
    if apply and patches.is_bare(served.face, body):
        return await _apply_bare(context, call, served, body)
    return await _send_patch(context, call, served, kind, body)


async def _apply_bare(context: Context, call: Call, served: Served, body: Obj) -> Reply:
    """An empty spec claims no type. Where there is no object, it needs one to be refused for the rest."""
    warned = len(call.warnings)
    try:
        return await _send_patch(context, call, served, bodies.APPLY, body)
    except Failure as refusal:
        if refusal.code != 422:
            raise
    del call.warnings[warned:]
    return await _send_patch(context, call, served, bodies.APPLY, patches.with_type(served.face, body))


async def _send_patch(context: Context, call: Call, served: Served, kind: str, body: Any) -> Reply:
    query = write_query(call, apply=kind == bodies.APPLY) + call.pick(["force"])
    path = object_path(call, served)
    return await collector.write(
        context, call, served, "PATCH", path, body=body, query=query, content_type=kind
    )


@dataclass(frozen=True, slots=True)
class _Whole:
    """A JSON patch that has to be applied to the object as it is shown."""

    operations: list[Any]


async def _patch_whole(context: Context, call: Call, served: Served, operations: list[Any]) -> Reply:
    """Apply a JSON patch here, to what its author sees, and give the store the result; again where somebody
    was faster, as the store does it.
    """
    for attempt in range(PATCH_ATTEMPTS):
        stored = await context.store.read(call, served.face, object_path(call, served))
        shown = to_virtual(FACES, served.face, stored)
        try:
            wanted = patching.json_patch(shown, operations)
        except Failure as problem:
            if problem.code != 400:
                raise
            # what is no patch at all the store says best
            body = patches.json_to_stored(FACES, served.face, operations)
            return await _send_patch(context, call, served, bodies.JSON_PATCH, body)
        bodies.check_depth(wanted)
        whole = to_stored(FACES, served.face, wanted) if isinstance(wanted, dict) else wanted
        body = [{"op": "replace", "path": "", "value": whole}]
        try:
            return await _send_patch(context, call, served, bodies.JSON_PATCH, body)
        except Failure as refusal:
            # a version of the patch's own is its author's condition
            own = not isinstance(whole, dict) or _version(whole) != _version(stored)
            if refusal.code != 409 or own or attempt == PATCH_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _check_reach(operations: list[Any]) -> None:
    """What a JSON patch puts deep into an object must not make it deeper than objects may be."""
    for each in operations:
        path = each.get("path") if isinstance(each, dict) else None
        if isinstance(path, str) and each.get("op") in ("add", "replace"):
            bodies.check_depth(each.get("value"), below=path.count("/"))


def _version(item: Obj) -> Any:
    metadata = item.get("metadata")
    return metadata.get("resourceVersion") if isinstance(metadata, dict) else None


async def _patch_body(context: Context, call: Call, served: Served, kind: str) -> Any:
    data = await call.read_body()
    decode = bodies.decode_yaml if kind == bodies.APPLY else bodies.decode_json
    try:
        value = (await bodies.decoded(partial(decode, keep=True), data)).value
    except Failure as problem:
        raise await refusals.of_body(context, call, served, data, problem, content_type=kind) from problem
    if kind == bodies.APPLY:
        wrong = refusals.mistaken(served, value, partial=True)
        if wrong is not None:
            raise await refusals.of_object(context, call, served, value, data, wrong)
        return patches.apply_to_stored(FACES, served.face, value)
    if kind == bodies.MERGE_PATCH and isinstance(value, dict):
        return patches.merge_to_stored(FACES, served.face, value)
    if kind == bodies.JSON_PATCH and isinstance(value, list):
        _check_reach(value)
        if patches.needs_whole(value):
            return _Whole(value)
        return patches.json_to_stored(FACES, served.face, value)
    return data


async def _check_create(
    context: Context, call: Call, served: Served, body: Obj, before_create: BeforeCreate | None
) -> None:
    """An apply that would create the object needs the right to create, as well as that to patch."""
    info = call.info
    attributes = attributes_of(served, "create", namespace=info.namespace, name=info.name)
    decision = await context.authorizer.decide(call.user, attributes)
    if decision.allowed and before_create is None:
        return
    try:
        await context.store.read(call, served.face, object_path(call, served))
    except Failure as missing:
        if missing.code != 404:
            raise
        if not decision.allowed:
            raise denied(call.user, attributes, decision.reason) from missing
        if before_create is not None:
            try:
                await before_create(context, call, served, body)
            except Failure as refusal:
                raise await refusals.of_body(
                    context, call, served, body, refusal, content_type=bodies.APPLY
                ) from refusal


def write_query(call: Call, *, apply: bool = False) -> list[tuple[str, str]]:
    """The parameters of a write. The manager of an apply must be named by the client itself."""
    query = call.pick(WRITE_PARAMETERS)
    manager = call.query.get("fieldManager", "") if apply else call.field_manager()
    return [*query, ("fieldManager", manager)] if manager else query


def _written(call: Call, served: Served, reply: Reply) -> web.StreamResponse:
    return respond.single(
        call, served.info.columns, to_virtual(FACES, served.face, reply.body), status=reply.status
    )
