"""/scale of clusters and datacenters: an autoscaling/v1 Scale that reads and writes the cluster's sizes.

A datacenter's size is said in its cluster, so both write the cluster, and the resourceVersion of either
Scale is the cluster's. How nodes are spread is decided by the planner; that nothing changed in between
is ensured by writing only the version that was read.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from apiserver import body as bodies
from apiserver import patching, respond
from apiserver.call import Call
from apiserver.context import Context
from apiserver.handlers import scales
from apiserver.handlers.write import write_query
from apiserver.kinds import CLUSTERS, DATACENTERS, Served
from apiserver.negotiate import SINGLE
from apiserver.status import MODIFIED, Failure, bad_request, conflict, invalid, not_found
from apiserver.translate.face import Obj
from missioncontrol.api.columns import AGE, NAME, Column, text
from missioncontrol.api.emit import snapshot
from missioncontrol.api.resources import SCALES
from missioncontrol.planning.scale import Refusal, spread
from missioncontrol.validation.cluster import spec_view
from missioncontrol.validation.datacenters import DatacenterView

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Target:
    """What is scaled: the object that has the subresource, the stored cluster, and the datacenters meant."""

    served: Served
    owner: Obj
    cluster: Obj
    datacenters: tuple[DatacenterView, ...]

    @property
    def name(self) -> str:
        return str(self.owner["metadata"]["name"])

    @property
    def sizes(self) -> dict[str, int]:
        return {each.name: each.size or 0 for each in self.datacenters}

    @property
    def version(self) -> str:
        return str(self.cluster["metadata"]["resourceVersion"])


async def get(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """The Scale."""
    return _shown(call, await _gather(context, call, served))


async def update(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PUT of a Scale, as autoscalers and `kubectl scale --current-replicas` send it."""
    respond.accept(call, SINGLE)
    scales.check_options(call, "UpdateOptions")
    body = (await call.read_object()).value
    scales.check_type(body)
    scales.check_place(call, body)
    call.judge_fields(scales.unknown(body))
    return await _change(context, call, served, lambda _: body)


async def patch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PATCH of a Scale, as `kubectl scale` sends it."""
    kind = bodies.patch_type(call.headers.get("Content-Type"))
    respond.accept(call, SINGLE)
    scales.check_options(call, "PatchOptions", applies=kind == bodies.APPLY)
    data = await call.read_body()
    decode, code = (bodies.decode_yaml, 400) if kind == bodies.APPLY else (bodies.decode_json, 422)
    decoded = await bodies.decoded(decode, data)
    value = call.checked(decoded, code=code).value
    if kind == bodies.APPLY:
        scales.check_applied(value)
    if kind == bodies.MERGE_PATCH and not isinstance(value, dict):
        raise bad_request("the body of a merge patch must be an object")

    def patched(scale: Obj) -> Any:
        if kind == bodies.JSON_PATCH:
            wanted = patching.json_patch(scale, value)
        else:
            # an apply of the one field that there is; its resourceVersion is a precondition, as PUT's
            base = scale if "resourceVersion" in scales.metadata_of(value) else _without_version(scale)
            wanted = patching.merge(base, value)
        try:
            scales.check_type(wanted)
            call.judge_fields(scales.unknown(wanted))
        except Failure as problem:
            raise scales.unfit(wanted, problem) from problem
        scales.check_place(call, wanted)
        return wanted

    return await _change(context, call, served, patched)


def _without_version(scale: Obj) -> Obj:
    metadata = {key: value for key, value in scale["metadata"].items() if key != "resourceVersion"}
    return {**scale, "metadata": metadata}


async def _change(context: Context, call: Call, served: Served, make: Any) -> web.StreamResponse:
    """Read, decide, write the version that was read; again where somebody was faster."""
    for attempt in range(ATTEMPTS):
        target = await _gather(context, call, served)
        wanted = make(scale_of(target))
        replicas, pinned = _asked(target, wanted)
        outcome = spread(target.sizes, {d.name: len(d.rack_names) for d in target.datacenters}, replicas)
        if isinstance(outcome, Refusal):
            raise _refused(target, replicas, outcome)
        if dict(outcome.sizes) == target.sizes:
            return _shown(call, target)
        try:
            cluster = await _write(context, call, target, outcome.sizes)
        except Failure as failure:
            if failure.code != 409 or pinned or attempt == ATTEMPTS - 1:
                raise
            continue
        return _shown(call, _target(served, _owner_after(target, cluster), cluster))
    raise AssertionError("unreachable")


async def _gather(context: Context, call: Call, served: Served) -> Target:
    namespace, face = call.info.namespace, served.face
    owner = await context.store.read(call, face, served.info.stored.path(namespace, call.info.name))
    if served is not DATACENTERS:
        return _target(served, owner, owner)
    cluster_name = str((owner.get("spec") or {}).get("clusterName") or "")
    path = CLUSTERS.info.stored.path(namespace, cluster_name)
    target = _target(served, owner, await context.store.read(call, CLUSTERS.face, path))
    if not target.datacenters:
        raise not_found(served.info.resource, call.info.name)
    return target


def _target(served: Served, owner: Obj, cluster: Obj) -> Target:
    datacenters = tuple(spec_view(cluster).datacenters)
    if served is DATACENTERS:
        name = (owner.get("spec") or {}).get("name")
        datacenters = tuple(each for each in datacenters if each.name == name)
    return Target(served, owner, cluster, datacenters)


def _owner_after(target: Target, cluster: Obj) -> Obj:
    return cluster if target.owner is target.cluster else target.owner


def scale_of(target: Target) -> Obj:
    """The Scale as it is now."""
    metadata, status = target.owner["metadata"], target.owner.get("status") or {}
    shown: Obj = {
        "name": target.name,
        "namespace": metadata.get("namespace", ""),
        "uid": target.served.face.swap_uid(metadata.get("uid", "")),
        "resourceVersion": target.version,
        "creationTimestamp": metadata.get("creationTimestamp"),
    }
    selector = status.get("selector")
    return {
        "kind": "Scale",
        "apiVersion": SCALES.api_version,
        "metadata": shown,
        "spec": {"replicas": sum(target.sizes.values())},
        "status": {"replicas": status.get("replicas") or 0, **({"selector": selector} if selector else {})},
    }


def _asked(target: Target, wanted: Obj) -> tuple[int, bool]:
    """The number asked for, and whether the caller insists on the version that it has seen."""
    metadata, resource = scales.metadata_of(wanted), target.served.info.resource
    version = metadata.get("resourceVersion")
    if version and version != target.version:
        raise conflict(resource, target.name, MODIFIED)
    uid, present = metadata.get("uid"), scale_of(target)["metadata"]["uid"]
    if uid and uid != present:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {present}"
        raise conflict(resource, target.name, why)
    replicas = int((wanted.get("spec") or {}).get("replicas", 0))
    if replicas < 0:
        cause = {
            "reason": "FieldValueInvalid",
            "field": ".spec.replicas",
            "message": f"Invalid value: {replicas}: should be a non-negative integer",
        }
        raise invalid(resource, target.name, [cause])
    return replicas, bool(version)


@functools.cache
def _columns() -> tuple[Column, ...]:
    """The columns of a Scale, as kube-apiserver has them for custom resources."""
    metadata = snapshot.load()["meta"][f"{snapshot.META_PREFIX}ObjectMeta"]
    age = replace(AGE, description=metadata["properties"]["creationTimestamp"]["description"])
    return (
        NAME,
        Column("Desired", "integer", "Number of desired replicas", 0, text("spec", "replicas")),
        Column("Available", "integer", "Number of actual replicas", 0, text("status", "replicas")),
        age,
    )


def _shown(call: Call, target: Target) -> web.StreamResponse:
    return respond.single(call, _columns(), scale_of(target))


def _refused(target: Target, replicas: int, refusal: Refusal) -> Failure:
    cause = {
        "reason": "FieldValueInvalid",
        "field": "spec.replicas",
        "message": f"Invalid value: {replicas}: {refusal.message}",
    }
    return invalid(SCALES, target.name, [cause])


async def _write(context: Context, call: Call, target: Target, sizes: Mapping[str, int]) -> Obj:
    changes: list[Obj] = [{"op": "replace", "path": "/metadata/resourceVersion", "value": target.version}]
    for datacenter in target.datacenters:
        if sizes[datacenter.name] != datacenter.size:
            pointer = f"/spec/k8ssandra/cassandra/datacenters/{datacenter.index}/size"
            changes.append({"op": "add", "path": pointer, "value": sizes[datacenter.name]})
    name = target.cluster["metadata"]["name"]
    reply = await context.store.write(
        call,
        CLUSTERS.face,
        "PATCH",
        CLUSTERS.info.stored.path(call.info.namespace, name),
        body=changes,
        query=write_query(call),
        content_type=bodies.JSON_PATCH,
    )
    return reply.body
