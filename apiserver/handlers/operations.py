"""What operations can beyond other kinds: a plan before they exist, a cluster's subresource, cancel.

The planner works from what is stored. It refuses an operation on something that does not exist before
anything is written, and its plan is the answer to a dry run.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from apiserver import body as bodies
from apiserver import respond
from apiserver.call import Call, warning
from apiserver.context import Context, attributes_of
from apiserver.handlers import refusals, write
from apiserver.kinds import CLUSTERS, DATACENTERS, FACES, OPERATIONS, SERVED, Served, typed_operation
from apiserver.negotiate import SINGLE
from apiserver.selectors import FieldTerm, format_fields
from apiserver.status import Failure, bad_request, conflict, invalid, not_found
from apiserver.storage import Reply
from apiserver.translate.face import Obj
from apiserver.translate.objects import to_stored, to_virtual
from missioncontrol.api.names import Annotation
from missioncontrol.api.registry import OPERATIONS_BY_SINGULAR, StoredAs
from missioncontrol.planning import catalog
from missioncontrol.planning.plans import FINISHED, Plan, Refusal

log = logging.getLogger(__name__)

ATTEMPTS = 5


async def create(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """POST of an operation."""
    respond.accept(call, SINGLE)
    body = await write.read_object(context, call, served)
    return await _create(context, call, served, to_stored(FACES, served.face, body))


async def create_for_cluster(context: Context, call: Call, _: Served) -> web.StreamResponse:
    """POST to the operation's subresource of a cluster; the body may leave out what the path says."""
    respond.accept(call, SINGLE)
    served = SERVED[OPERATIONS_BY_SINGULAR[call.info.subresource].resource.plural]
    data = await call.read_body()
    given = await write.decoded(context, call, served, data) if data.strip() else {}
    body = await write.checked(context, call, served, _completed(served, call.info.name, given), data)
    spec, metadata = body.get("spec"), body.get("metadata")
    name = spec.get("clusterName") if isinstance(spec, dict) else None
    if isinstance(name, str) and name != call.info.name:  # what is no name the store refuses
        cause = {
            "reason": "FieldValueInvalid",
            "field": "spec.clusterName",
            "message": f'Invalid value: "{name}": must be {call.info.name}, as in the path of the request',
        }
        own = metadata.get("name") if isinstance(metadata, dict) else ""
        raise invalid(served.info.resource, str(own or ""), [cause])
    return await _create(context, call, served, to_stored(FACES, served.face, body), by_path=True)


def _completed(served: Served, cluster: str, given: Any) -> Any:
    """Fill in what is left out; what is malformed stays, to be refused as in any other create."""
    if not isinstance(given, dict):
        return given
    resource = served.info.resource
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **given}
    metadata, spec = ({} if body.get(each) is None else body[each] for each in ("metadata", "spec"))
    if isinstance(metadata, dict) and not metadata.get("name") and not metadata.get("generateName"):
        metadata = {**metadata, "generateName": f"{cluster}-"}
    if isinstance(spec, dict) and spec.get("clusterName") is None:
        spec = {**spec, "clusterName": cluster}
    return {**body, "metadata": metadata, "spec": spec}


async def patch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PATCH; an apply that would create the operation is planned like a create."""
    reply = await write.patch_stored(context, call, served, before_create=_refuse_impossible)
    virtual = to_virtual(FACES, served.face, reply.body)
    if reply.status == 201 and call.dry_run:
        virtual = await _with_plan(context, call, served, virtual, reply.body)
    return respond.single(call, served.info.columns, virtual, status=reply.status)


async def _create(
    context: Context, call: Call, served: Served, stored: Obj, *, by_path: bool = False
) -> web.StreamResponse:
    try:
        await _refuse_impossible(context, call, served, stored, by_path=by_path)
    except Failure as refusal:
        target = str((stored.get("spec") or {}).get("clusterName") or "")
        if not await context.may(
            call, attributes_of(CLUSTERS, "get", namespace=call.info.namespace, name=target)
        ):
            raise  # the store's words would tell what the cluster is like
        if refusal.code == 404:
            raise  # the path leads nowhere, whatever the body says
        # what any resource would refuse comes first: a namespace that is missing, a name that is none
        raise await refusals.of_body(
            context, call, served, stored, refusal, content_type="application/json"
        ) from refusal
    reply: Reply = await write.create_stored(context, call, served, stored)
    virtual = to_virtual(FACES, served.face, reply.body)
    if call.dry_run:
        virtual = await _with_plan(context, call, served, virtual, reply.body)
    return respond.single(call, served.info.columns, virtual, status=reply.status)


async def _refuse_impossible(
    context: Context, call: Call, served: Served, stored: Obj, *, by_path: bool = False
) -> None:
    """422 for what the planner refuses; a spec that breaks the schema is left to the store."""
    if not _is_readable(served, stored):
        return
    situation = await _gather(context, call, stored["spec"])
    if situation.cluster is None and by_path:
        raise not_found(CLUSTERS.info.resource, call.info.name)
    outcome = _plan(served, stored["spec"], situation)
    if isinstance(outcome, Refusal):
        face = served.face
        # why it is impossible tells what the cluster is like, and not everybody may know
        may_know = await _may_read(context, call, str(stored["spec"]["clusterName"]), "the reason")
        causes = [
            {
                "reason": cause.reason.value,
                "field": face.field_path(cause.field),
                "message": face.text(cause.message) if may_know else cause.message.partition(":")[0],
            }
            for cause in outcome.causes
        ]
        metadata = stored.get("metadata") or {}
        raise invalid(served.info.resource, face.virtual_name(metadata.get("name") or ""), causes)


def _is_readable(served: Served, stored: Obj) -> bool:
    """Whether the spec has the types that a planner expects."""
    spec = stored.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("clusterName"), str) or not spec["clusterName"]:
        return False
    own = spec.get(served.face.argument)
    lists = [spec.get("datacenters"), *(own.values() if isinstance(own, dict) else ())]
    return (
        isinstance(own, dict)
        and all(
            value is None or not isinstance(value, list) or all(isinstance(each, str) for each in value)
            for value in lists
        )
        and isinstance(spec.get("datacenters") or [], list)
    )


@dataclass(frozen=True, slots=True)
class Situation:
    """What a planner is told."""

    cluster: Obj | None
    datacenters: Sequence[Obj]
    others: Sequence[Obj] = ()


async def _gather(context: Context, call: Call, spec: Obj, *, with_others: bool = False) -> Situation:
    name = str(spec.get("clusterName") or "")
    of_cluster = FieldTerm("spec.clusterName", name)
    cluster, datacenters, others = await asyncio.gather(
        _read_or_none(context, call, CLUSTERS, name),
        _list(context, call, DATACENTERS, of_cluster),
        _list(context, call, OPERATIONS, of_cluster) if with_others else _nothing(),
    )
    return Situation(cluster, datacenters, others)


async def _nothing() -> list[Obj]:
    return []


async def _read_or_none(context: Context, call: Call, served: Served, name: str) -> Obj | None:
    try:
        path = served.info.stored.path(call.info.namespace, name)
        return await context.store.read(call, served.face, path)
    except Failure as failure:
        if failure.code != 404:
            raise
        return None


async def _list(context: Context, call: Call, served: Served, term: FieldTerm) -> list[Obj]:
    path = served.info.stored.path(call.info.namespace)
    listed = await context.store.read(call, served.face, path, [("fieldSelector", format_fields([term]))])
    items: list[Obj] = listed.get("items") or []
    return items


def _plan(served: Served, spec: Obj, situation: Situation) -> Plan | Refusal:
    typed = {**spec, "type": served.info.resource.kind}
    return catalog.plan(typed, situation.cluster, situation.datacenters, others=situation.others)


async def _may_read(context: Context, call: Call, cluster: str, what: str) -> bool:
    """Whether the caller may read the cluster; if not, a warning says that something is not shown."""
    attributes = attributes_of(CLUSTERS, "get", namespace=call.info.namespace, name=cluster)
    allowed = await context.may(call, attributes)
    if not allowed:
        call.warnings.append(
            warning(f"{what} is not shown: you may not read missioncontrolcluster {cluster}")
        )
    return allowed


async def _with_plan(context: Context, call: Call, served: Served, virtual: Obj, stored: Obj) -> Obj:
    """The answer to a dry run: the object with the plan in its status, for whoever may read the cluster."""
    spec = stored.get("spec") or {}
    if not await _may_read(context, call, str(spec.get("clusterName") or ""), "the plan"):
        return virtual
    outcome = _plan(served, spec, await _gather(context, call, spec, with_others=True))
    if isinstance(outcome, Refusal):
        return virtual
    status = virtual.get("status") or {}
    return {**virtual, "status": {**status, "plan": outcome.as_dict()}}


async def cancel(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """POST to /cancel: ask the operation to stop at its next safe point. Asking twice is no error."""
    respond.accept(call, SINGLE)
    data = await call.read_body()
    if data.strip() and not isinstance((await call.decode_object(data)).value, dict | None):
        raise bad_request("the body of a cancellation must be an object, or nothing")
    await _require_typed(context, call, served)
    path = served.info.stored.path(call.info.namespace, served.face.stored_name(call.info.name))
    for attempt in range(ATTEMPTS):
        stored = await context.store.read(call, served.face, path)
        phase = (stored.get("status") or {}).get("phase")
        if phase in FINISHED:
            why = f"it has ended already (its phase is {phase}), so there is nothing to cancel"
            raise conflict(served.info.resource, call.info.name, why)
        metadata = stored["metadata"]
        if Annotation.CANCEL in (metadata.get("annotations") or {}):
            return respond.single(call, served.info.columns, to_virtual(FACES, served.face, stored))
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # the version that was read: an operation that ends in this moment is not to be cancelled
        patch = {
            "metadata": {
                "resourceVersion": metadata["resourceVersion"],
                "annotations": {Annotation.CANCEL: now},
            }
        }
        try:
            reply = await context.store.write(
                call,
                served.face,
                "PATCH",
                path,
                body=patch,
                query=write.write_query(call),
                content_type=bodies.MERGE_PATCH,
            )
        except Failure as failure:
            if failure.code != 409 or attempt == ATTEMPTS - 1:
                raise
            continue
        return respond.single(call, served.info.columns, to_virtual(FACES, served.face, reply.body))
    raise AssertionError("unreachable")


async def _require_typed(context: Context, call: Call, served: Served) -> None:
    """Cancelling through the view over all operations needs the right on the typed kind as well."""
    typed = typed_operation(call.info.name) if served.info.stored_as is StoredAs.VIEW else None
    if typed is not None:
        kind, name = typed
        namespace = call.info.namespace
        await context.require(
            call, attributes_of(kind, "create", namespace=namespace, name=name, subresource="cancel")
        )
