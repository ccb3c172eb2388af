"""delete and deletecollection, with propagation that the garbage collector carries out on what users see.

Kubernetes' propagation finalizers must not stand on the stored object: the collector would act on that
face as well, find none of the dependents there, and let the object go too soon. So they are stored under
other names, the stored object is deleted as in the background, and the collector finds the finalizers,
and removes them, on the virtual object.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aiohttp import web

from apiserver import body as bodies
from apiserver import respond
from apiserver.call import Call
from apiserver.context import Context, attributes_of
from apiserver.handlers import refusals
from apiserver.handlers.read import object_path
from apiserver.handlers.selecting import field_selector, stored_terms, told_first
from apiserver.kinds import FACES, Served, typed_operation
from apiserver.negotiate import LIST, SINGLE
from apiserver.status import Failure, bad_request, failure
from apiserver.storage import Query, Reply
from apiserver.translate import managed, statuses
from apiserver.translate import options as delete_options
from apiserver.translate.face import Obj
from apiserver.translate.objects import list_to_virtual, to_virtual
from missioncontrol.api.names import Finalizer
from missioncontrol.api.registry import StoredAs

ATTEMPTS = 5
PAGE = 10_000
"""Objects that kube-apiserver lists at a time to delete a collection."""
_POLICIES: dict[str, tuple[str, ...]] = {
    "Orphan": (Finalizer.STORED_ORPHAN,),
    "Foreground": (Finalizer.STORED_FOREGROUND_DELETION,),
    "Background": (),
}
_PROPAGATION = frozenset({Finalizer.STORED_ORPHAN, Finalizer.STORED_FOREGROUND_DELETION})


async def delete(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """DELETE of an object."""
    respond.accept(call, SINGLE)
    options = delete_options.to_stored(served.face, await _options(context, call, served))
    await _require_typed(context, call, served)
    reply = await _delete(context, call, served, object_path(call, served), options)
    if options.get("orphanDependents") is False and _finalizers(reply.body):
        # the one way of asking in which kube-apiserver tells that it is not over yet
        reply = replace(reply, status=202)
    return _deleted(call, served, reply)


async def deletecollection(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """DELETE of a collection: each object for itself where the policy needs more than one step."""
    respond.accept(call, LIST)
    terms = await stored_terms(context, call, served)
    try:
        given = await _options(context, call, served)
    except Failure as problem:
        raise await told_first(context, call, served, problem, codes=(400, 422)) from problem
    options = delete_options.to_stored(served.face, given)
    query = [
        *call.pick(["labelSelector", "resourceVersion", "resourceVersionMatch", "limit", "continue"]),
        *call.pick(["timeoutSeconds", "sendInitialEvents"]),
        *field_selector(terms),
    ]
    path = served.info.stored.path(call.info.namespace or None)
    policy = _policy(options)
    if policy in ("Orphan", "Foreground"):
        listed = await _listed(context, call, served, path, query)
        for item in listed["items"]:
            await _delete_item(context, call, served, item, options)
        return respond.many(call, served.info.columns, list_to_virtual(FACES, served.face, listed))
    reply = await context.store.write(
        call, served.face, "DELETE", path, body=_background(options), query=query
    )
    if policy == "Background" and not _is_dry(options):
        for item in reply.body.get("items") or ():
            if _PROPAGATION & set(_finalizers(item)):
                await _delete_item(context, call, served, item, options)
    if reply.body.get("kind") == "Status":
        return respond.status(call, statuses.to_virtual(FACES, served.face, reply.body), status=reply.status)
    return respond.many(call, served.info.columns, list_to_virtual(FACES, served.face, reply.body))


async def _listed(context: Context, call: Call, served: Served, path: str, query: Query) -> Obj:
    """What kube-apiserver lists to delete a collection: pages of its own where none were asked for, so that a
    version in the query says of when the list is.
    """
    limited = dict(query).get("limit") not in (None, "", "0")
    if not limited:
        query = [*_without(query, "limit"), ("limit", str(PAGE))]
    page = first = await context.store.read(call, served.face, path, query)
    items = list(page.get("items") or ())
    query = _without(query, "continue", "resourceVersion", "resourceVersionMatch")
    while not limited and (token := (page.get("metadata") or {}).get("continue")):
        page = await context.store.read(call, served.face, path, [*query, ("continue", token)])
        items += page.get("items") or ()
    return {**first, "items": items}


def _without(query: Query, *names: str) -> Query:
    return [each for each in query if each[0] not in names]


async def _require_typed(context: Context, call: Call, served: Served) -> None:
    """Through the view over all operations nobody gets further than through the kind itself."""
    if served.info.stored_as is not StoredAs.VIEW:
        return
    typed = typed_operation(call.info.name)
    if typed is not None:
        kind, name = typed
        await context.require(call, attributes_of(kind, "delete", namespace=call.info.namespace, name=name))


async def _delete_item(context: Context, call: Call, served: Served, item: Obj, options: Obj) -> None:
    metadata = item.get("metadata") or {}
    path = served.info.stored.path(metadata.get("namespace"), metadata.get("name"))
    try:
        await _delete(context, call, served, path, options)
    except Failure as refusal:
        if refusal.code != 404:
            raise


async def _delete(context: Context, call: Call, served: Served, path: str, options: Obj) -> Reply:
    """Delete one stored object under the policy that was asked for."""
    policy = _policy(options)
    if policy in ("Orphan", "Foreground"):
        return await _delete_with_finalizer(context, call, served, path, options, policy)
    reply = await context.store.write(call, served.face, "DELETE", path, body=_background(options))
    if policy == "Background" and _PROPAGATION & set(_finalizers(reply.body)) and not _is_dry(options):
        # this policy takes back what an earlier deletion had asked for
        patched = await _patch_finalizers(context, call, served, path, reply.body, _POLICIES["Background"])
        return patched if _finalizers(patched.body) else Reply(200, _gone(served, patched.body))
    return reply


def _gone(served: Served, stored: Obj) -> Obj:
    """What the store says of an object that was deleted at once."""
    metadata, resource = stored["metadata"], served.info.stored
    details = {
        "name": metadata["name"],
        "group": resource.group,
        "kind": resource.plural,
        "uid": metadata["uid"],
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def _as_deleted(stored: Obj) -> Obj:
    """How the object would look after a deletion that waits for its finalizers."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = stored["metadata"]
    generation = metadata.get("generation", 0) + 1
    deleted = {"deletionTimestamp": now, "deletionGracePeriodSeconds": 0, "generation": generation}
    return {**stored, "metadata": {**metadata, **deleted}}


async def _delete_with_finalizer(
    context: Context, call: Call, served: Served, path: str, options: Obj, policy: str
) -> Reply:
    for attempt in range(ATTEMPTS):
        stored = await context.store.read(call, served.face, path)
        metadata = stored.get("metadata") or {}
        _check_preconditions(served, metadata, options)
        try:
            if metadata.get("deletionTimestamp"):
                # nothing can be added any more, only the other policy's finalizer be taken back
                kept = tuple(each for each in _POLICIES[policy] if each in _finalizers(stored))
                return await _patch_finalizers(context, call, served, path, stored, kept, options=options)
            reply = await _patch_finalizers(
                context, call, served, path, stored, _POLICIES[policy], options=options
            )
            if _is_dry(options):
                return Reply(200, _as_deleted(reply.body))
            deletion = _background(options)
            if (options.get("preconditions") or {}).get("resourceVersion"):
                changed = (reply.body.get("metadata") or {}).get("resourceVersion")
                deletion["preconditions"] = {**options["preconditions"], "resourceVersion": changed}
            return await context.store.write(call, served.face, "DELETE", path, body=deletion)
        except Failure as refusal:
            own = (options.get("preconditions") or {}).get("resourceVersion")
            if refusal.code != 409 or own or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def _patch_finalizers(
    context: Context,
    call: Call,
    served: Served,
    path: str,
    stored: Obj,
    propagation: tuple[str, ...],
    *,
    options: Obj | None = None,
) -> Reply:
    """Give the object these propagation finalizers and no others, if it is still as it was read."""
    present = _finalizers(stored)
    wanted = [*(each for each in present if each not in _PROPAGATION), *propagation]
    if set(wanted) == set(present):
        return Reply(200, stored)
    version = (stored.get("metadata") or {}).get("resourceVersion")
    patch: Obj = {"metadata": {"resourceVersion": version, "finalizers": wanted or None}}
    query = [("dryRun", "All")] if options is not None and _is_dry(options) else []
    query.append(("fieldManager", managed.DELETION))
    return await context.store.write(
        call, served.face, "PATCH", path, body=patch, query=query, content_type=bodies.MERGE_PATCH
    )


_PRECONDITIONS = (
    ("uid", "UID", "deleted and then recreated"),
    ("resourceVersion", "ResourceVersion", "modified"),
)


def _check_preconditions(served: Served, metadata: Obj, options: Obj) -> None:
    """What the store would check at DELETE must hold before anything is changed; in its words."""
    given = options.get("preconditions") or {}
    face, resource = served.face, served.info.resource
    for member, label, happened in _PRECONDITIONS:
        wanted, present = given.get(member), metadata.get(member)
        if wanted and wanted != present:
            if member == "uid":
                wanted, present = face.swap_uid(wanted), face.swap_uid(present)
            name = face.virtual_name(metadata.get("name", ""))
            raise failure(
                409,
                f'Operation cannot be fulfilled on {resource.kind}.{resource.group} "{name}": '
                f"the {label} in the precondition ({wanted}) does not match "
                f"the {label} in record ({present}). The object might have been {happened}",
                details={"name": name, "group": resource.group, "kind": resource.kind},
            )


async def _options(context: Context, call: Call, served: Served) -> Obj:
    """DeleteOptions from the body or, only without one, from the query."""
    data = await call.read_body()
    try:
        return await _read_options(call, data)
    except Failure as problem:
        raise await refusals.of_deletion(context, call, served, data, problem) from problem


async def _read_options(call: Call, data: bytes) -> Obj:
    if data.strip():
        # fields are not judged here, whatever is asked
        decode = partial(bodies.decode_object, content_type=call.headers.get("Content-Type"))
        value = (await bodies.decoded(decode, data)).value
        if value is None:
            return {}
        if not isinstance(value, dict) or value.get("kind") not in (None, "DeleteOptions"):
            raise bad_request("the body of a DELETE must be DeleteOptions")
        return value
    options: Obj = {}
    query = call.query
    if "gracePeriodSeconds" in query:
        try:
            options["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
        except ValueError as error:
            raise bad_request("gracePeriodSeconds must be an integer") from error
    if "orphanDependents" in query:
        options["orphanDependents"] = call.flag("orphanDependents")
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    if "dryRun" in query:
        options["dryRun"] = query.getall("dryRun")
    preconditions = {member: query[member] for member, *_ in _PRECONDITIONS if query.get(member)}
    if preconditions:
        options["preconditions"] = preconditions
    return options


def _policy(options: Obj) -> str | None:
    """The policy that was asked for; None for none, and for what the store is to refuse."""
    policy, orphan = options.get("propagationPolicy"), options.get("orphanDependents")
    if options.get("dryRun") not in (None, []) and not _is_dry(options):
        return None
    if orphan is None:
        return policy if isinstance(policy, str) and policy in _POLICIES else None
    if policy is not None or not isinstance(orphan, bool):
        return None
    return "Orphan" if orphan else "Background"


def _background(options: Obj) -> Obj:
    """The same options for the stored object, whose dependents are nobody's business."""
    rest = {member: value for member, value in options.items() if member != "orphanDependents"}
    return {**rest, "propagationPolicy": "Background"} if _policy(options) else options


def _is_dry(options: Obj) -> bool:
    """Whether nothing is to be done; other values than this one the store refuses."""
    asked = options.get("dryRun")
    return isinstance(asked, list) and bool(asked) and all(each == "All" for each in asked)


def _finalizers(stored: Any) -> list[str]:
    finalizers = (stored.get("metadata") or {}).get("finalizers")
    return [each for each in finalizers if isinstance(each, str)] if isinstance(finalizers, list) else []


def _deleted(call: Call, served: Served, reply: Reply) -> web.StreamResponse:
    if reply.body.get("kind") == "Status":
        return respond.status(call, statuses.to_virtual(FACES, served.face, reply.body), status=reply.status)
    return respond.single(
        call, served.info.columns, to_virtual(FACES, served.face, reply.body), status=reply.status
    )
