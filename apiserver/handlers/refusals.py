"""Bodies that are no objects: the store is asked to refuse them, so that it is done in its words.

What cannot be read or translated here, kube-apiserver cannot read either, and says so better than we could:
with the place, the excerpt, the very code that a client of any other resource would see. It is asked with a
dry run, so that nothing can come of it if it should see more in the bytes than we do.
"""

from __future__ import annotations

from typing import Any

from apiserver.body import APPLY, ASIDE
from apiserver.call import Call
from apiserver.context import Context
from apiserver.handlers.read import object_path
from apiserver.kinds import FACES, GROUP, Served
from apiserver.requestinfo import complaint
from apiserver.status import Failure, bad_request, invalid
from apiserver.storage import WRITE_PARAMETERS
from apiserver.translate.objects import to_stored

_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


async def of_body(
    context: Context,
    call: Call,
    served: Served,
    body: Any,
    problem: Failure,
    *,
    content_type: str | None = None,
) -> Failure:
    """The store's refusal of this body; or the problem as it was found here."""
    content_type = content_type or call.headers.get("Content-Type") or "application/json"
    if isinstance(body, bytes) and (_hurts(problem, body) or "protobuf" in content_type.lower()):
        return problem  # at protobuf for a custom resource kube-apiserver breaks off, without an answer
    method = _METHODS[call.info.verb]
    if method == "POST":
        path = served.info.stored.path(call.info.namespace or None)
    elif complaint(call.info.name):
        return problem  # it would lead elsewhere
    else:
        path = object_path(call, served)
    query = call.pick([*WRITE_PARAMETERS, "fieldManager", "force"])
    if not call.dry_run:  # what was asked for is quoted when it is refused
        query.append(("dryRun", "All"))
    kept = len(call.warnings)
    try:
        await context.store.write(
            call,
            served.face,
            method,
            path,
            body=body,
            query=query,
            content_type=content_type,
        )
    except Failure as refusal:
        return refusal
    del call.warnings[kept:]
    return problem


def _hurts(problem: Failure, body: bytes) -> bool:
    """What was made to hurt this server shall not hurt the store instead."""
    return problem.code == 413 or len(body) > ASIDE


async def of_deletion(context: Context, call: Call, served: Served, body: bytes, problem: Failure) -> Failure:
    """The store's refusal of options that cannot be read; it is asked to delete what no object is called."""
    path = served.info.stored.path(call.info.namespace or None, "-")
    if _hurts(problem, body):
        return problem
    query = call.pick(["gracePeriodSeconds", "orphanDependents", "propagationPolicy", "dryRun"])
    try:
        await context.store.write(
            call,
            served.face,
            "DELETE",
            path,
            body=body,
            query=query,
            content_type=call.headers.get("Content-Type") or "application/json",
        )
    except Failure as refusal:
        return problem if refusal.code == 404 else refusal
    return problem


def mistaken(served: Served, value: Any, *, partial: bool = False) -> Failure | None:
    """What is wrong with the kind of an object, if anything is. A partial one may leave it out."""
    resource = served.info.resource
    if not isinstance(value, dict):
        return bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    given, kind = value.get("apiVersion"), value.get("kind")
    if partial:
        given, kind = given or resource.api_version, kind or resource.kind
    if given != resource.api_version:
        return bad_request(
            f"the API version in the data ({given}) does not match the expected "
            f"API version ({resource.api_version})"
        )
    if kind != resource.kind:
        metadata = value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        cause = {
            "reason": "FieldValueInvalid",
            "field": "kind",
            "message": f'Invalid value: "{kind}": must be {resource.kind}',
        }
        return invalid(resource, str(name or ""), [cause], kind=str(kind))
    return None


async def of_object(
    context: Context, call: Call, served: Served, value: Any, data: bytes, problem: Failure
) -> Failure:
    """The store's refusal of an object of another kind than its place has."""
    stored = served.info.stored
    apply = APPLY if call.info.verb == "patch" else None
    if not isinstance(value, dict):
        return await of_body(context, call, served, data, problem, content_type=apply)
    given, kind = value.get("apiVersion"), value.get("kind")
    known = (given, kind) == (served.info.resource.api_version, served.info.resource.kind)
    if known or given == stored.api_version or kind == stored.kind != served.info.resource.kind:
        return problem  # the store would find nothing wrong with it
    if not (given and kind and isinstance(given, str) and isinstance(kind, str)):
        return await of_body(context, call, served, data, problem, content_type=apply)
    translated = to_stored(FACES, served.face, value)
    group, slash, version = given.partition("/")
    if group == GROUP and given != served.info.resource.api_version:
        translated["apiVersion"] = f"{stored.group}{slash}{version}"
        translated["kind"] = stored.kind if kind == served.info.resource.kind else kind
    return await of_body(context, call, served, translated, problem, content_type=apply or "application/json")
