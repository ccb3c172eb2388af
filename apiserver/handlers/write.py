"""create, update, patch: bodies are translated; validation, apply and conflicts are the store's work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from apiserver import body as bodies
from apiserver import respond
from apiserver.authz import denied
from apiserver.call import Call
from apiserver.context import Context, attributes_of
from apiserver.handlers.read import object_path
from apiserver.kinds import FACES, Served
from apiserver.negotiate import SINGLE
from apiserver.status import Failure, bad_request, invalid
from apiserver.storage import WRITE_PARAMETERS, Reply
from apiserver.translate import patches
from apiserver.translate.face import Obj
from apiserver.translate.objects import to_stored, to_virtual

BeforeCreate = Callable[[Context, Call, Served, Obj], Awaitable[None]]


async def create(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """POST to a collection."""
    respond.accept(call, SINGLE)
    body = checked(served, (await call.read_object()).value)
    reply = await create_stored(context, call, served, to_stored(FACES, served.face, body))
    return _written(call, served, reply)


async def create_stored(context: Context, call: Call, served: Served, stored: Obj) -> Reply:
    """Create an object that is already in its stored form."""
    path = served.info.stored.path(call.info.namespace or None)
    return await context.store.write(call, served.face, "POST", path, body=stored, query=write_query(call))


async def update(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PUT of an object or its status."""
    respond.accept(call, SINGLE)
    body = checked(served, (await call.read_object()).value, name=call.info.name)
    stored = to_stored(FACES, served.face, body)
    path = object_path(call, served)
    reply = await context.store.write(call, served.face, "PUT", path, body=stored, query=write_query(call))
    return _written(call, served, reply)


async def patch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PATCH of an object or its status, in any form but strategic merge."""
    respond.accept(call, SINGLE)
    reply = await patch_stored(context, call, served)
    return _written(call, served, reply)


async def patch_stored(
    context: Context, call: Call, served: Served, *, before_create: BeforeCreate | None = None
) -> Reply:
    """Send the translated patch to the store. ``before_create`` may refuse an apply that would create."""
    kind = bodies.patch_type(call.headers.get("Content-Type"))
    body = await _patch_body(call, served, kind)
    apply = kind == bodies.APPLY
    if apply and not call.info.subresource:
        await _check_create(context, call, served, body, before_create)
    query = write_query(call, apply=apply) + call.pick(["force"])
    path = object_path(call, served)
    return await context.store.write(
        call, served.face, "PATCH", path, body=body, query=query, content_type=kind
    )


async def _patch_body(call: Call, served: Served, kind: str) -> Any:
    data = await call.read_body()
    if kind == bodies.APPLY:
        value = call.checked(await bodies.decoded(bodies.decode_yaml, data)).value
        return patches.apply_to_stored(FACES, served.face, _apply_checked(served, value))
    value = call.checked(await bodies.decoded(bodies.decode_json, data), code=422).value
    if kind == bodies.MERGE_PATCH:
        return patches.merge_to_stored(FACES, served.face, value) if isinstance(value, dict) else value
    return patches.json_to_stored(FACES, served.face, value) if isinstance(value, list) else value


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
    except Failure as failure:
        if failure.code != 404:
            raise
        if not decision.allowed:
            raise denied(call.user, attributes, decision.reason) from failure
        if before_create is not None:
            await before_create(context, call, served, body)


def write_query(call: Call, *, apply: bool = False) -> list[tuple[str, str]]:
    """The parameters of a write. The manager of an apply must be named by the client itself."""
    query = call.pick(WRITE_PARAMETERS)
    manager = call.query.get("fieldManager", "") if apply else call.field_manager()
    return [*query, ("fieldManager", manager)] if manager else query


def checked(served: Served, value: Any, *, name: str = "") -> Obj:
    """The body as an object of this kind. The store cannot judge that: it knows the kind by another name."""
    resource = served.info.resource
    if not isinstance(value, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    given, kind = value.get("apiVersion"), value.get("kind")
    if not kind or not isinstance(kind, str):
        raise bad_request("Object 'Kind' is missing in the body of the request")
    if not given or not isinstance(given, str):
        raise bad_request("Object 'apiVersion' is missing in the body of the request")
    if given != resource.api_version:
        raise bad_request(
            f"the API version in the data ({given}) does not match the expected "
            f"API version ({resource.api_version})"
        )
    if kind != resource.kind:
        metadata = value.get("metadata")
        own = metadata.get("name") if isinstance(metadata, dict) else ""
        cause = {
            "reason": "FieldValueInvalid",
            "field": "kind",
            "message": f'Invalid value: "{kind}": must be {resource.kind}',
        }
        raise invalid(resource, name or str(own or ""), [cause])
    return value


def _apply_checked(served: Served, value: Any) -> Obj:
    resource = served.info.resource
    if not isinstance(value, dict):
        raise bad_request("error decoding YAML: the patch must be an object")
    given = value.get("apiVersion")
    if given is not None and given != resource.api_version:
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {given}, "
            f"expected: {resource.api_version}"
        )
    if value.get("kind") not in (None, resource.kind):
        raise bad_request(
            f"the kind in the patch ({value['kind']}) does not match the expected one ({resource.kind})"
        )
    return value


def _written(call: Call, served: Served, reply: Reply) -> web.StreamResponse:
    return respond.single(call, served, to_virtual(FACES, served.face, reply.body), status=reply.status)
