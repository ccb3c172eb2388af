"""/scale of clusters and datacenters: an autoscaling/v1 Scale that reads and writes the cluster's sizes.

A datacenter's size is said in its cluster, so both write the cluster, and the resourceVersion of either
Scale is the cluster's. How nodes are spread is decided by the planner; that nothing changed in between
is ensured by writing only the version that was read.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from apiserver import body as bodies
from apiserver import patching, respond
from apiserver.call import MANAGER_LIMIT, Call
from apiserver.context import Context
from apiserver.handlers.write import write_query
from apiserver.kinds import CLUSTERS, DATACENTERS, Served
from apiserver.negotiate import PLAIN
from apiserver.status import MODIFIED, Failure, bad_request, conflict, invalid, not_found
from apiserver.translate.face import Obj
from missioncontrol.api.emit import snapshot
from missioncontrol.api.resources import SCALES, Resource
from missioncontrol.planning.scale import Refusal, spread
from missioncontrol.validation.cluster import spec_view
from missioncontrol.validation.datacenters import DatacenterView

ATTEMPTS = 5
MAX_INT32 = 2**31 - 1


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
    return respond.plain(call, scale_of(await _gather(context, call, served)))


async def update(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PUT of a Scale, as autoscalers and `kubectl scale --current-replicas` send it."""
    respond.accept(call, PLAIN)
    _check_options(call, "UpdateOptions")
    body = (await call.read_object()).value
    call.judge_fields(_unknown(body))
    return await _change(context, call, served, lambda _: body)


async def patch(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """PATCH of a Scale, as `kubectl scale` sends it."""
    respond.accept(call, PLAIN)
    kind = bodies.patch_type(call.headers.get("Content-Type"))
    _check_options(call, "PatchOptions")
    data = await call.read_body()
    if kind == bodies.APPLY and not call.query.get("fieldManager"):
        cause = {
            "reason": "FieldValueRequired",
            "field": "fieldManager",
            "message": "Required value: is required for apply patch",
        }
        raise invalid(SCALES, call.info.name, [cause])
    decode, code = (bodies.decode_yaml, 400) if kind == bodies.APPLY else (bodies.decode_json, 422)
    decoded = await bodies.decoded(decode, data)
    value = call.checked(decoded, code=code).value

    def patched(scale: Obj) -> Any:
        if kind == bodies.JSON_PATCH:
            wanted = patching.json_patch(scale, value)
        else:
            # an apply of the one field that there is; its resourceVersion is a precondition, as PUT's
            base = scale if "resourceVersion" in _metadata(value) else _without_version(scale)
            wanted = patching.merge(base, value)
        call.judge_fields(_unknown(wanted), code=code)
        return wanted

    return await _change(context, call, served, patched)


@functools.cache
def _members() -> dict[str, frozenset[str]]:
    """What a Scale has, by the path of what has it."""
    metadata = snapshot.load()["meta"][f"{snapshot.META_PREFIX}ObjectMeta"]
    return {
        "": frozenset({"apiVersion", "kind", "metadata", "spec", "status"}),
        "metadata": frozenset(metadata["properties"]),
        "spec": frozenset({"replicas"}),
        "status": frozenset({"replicas", "selector"}),
    }


def _unknown(scale: Any) -> list[str]:
    """What is to be said of fields that no Scale has; the store never sees them."""
    if not isinstance(scale, dict) or scale.get("kind") not in (None, "", "Scale"):
        return []  # it is refused for that
    texts = []
    for place, known in _members().items():
        value = scale.get(place) if place else scale
        if isinstance(value, dict):
            names = (f"{place}.{name}" if place else name for name in value if name not in known)
            texts += [f'unknown field "{name}"' for name in names]
    return texts


def _check_options(call: Call, kind: str) -> None:
    """The parameters of the write: a change of nothing never reaches the store, which would check them."""
    dry, manager = call.query.getall("dryRun", []), call.query.get("fieldManager", "")
    causes = []
    if any(each not in ("All", "") for each in dry):
        shown = orjson.dumps(dry).decode()
        message = f'Unsupported value: {shown}: supported values: "All"'
        causes.append({"reason": "FieldValueNotSupported", "message": message, "field": "dryRun"})
    if len(manager.encode()) > MANAGER_LIMIT:
        message = f"Too long: may not be more than {MANAGER_LIMIT} bytes"
        causes.append({"reason": "FieldValueTooLong", "message": message, "field": "fieldManager"})
    if causes:
        raise invalid(Resource("meta.k8s.io", "v1", "", kind), "", causes)


def _metadata(value: Any) -> Mapping[str, Any]:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _without_version(scale: Obj) -> Obj:
    metadata = {key: value for key, value in scale["metadata"].items() if key != "resourceVersion"}
    return {**scale, "metadata": metadata}


async def _change(context: Context, call: Call, served: Served, make: Any) -> web.StreamResponse:
    """Read, decide, write the version that was read; again where somebody was faster."""
    for attempt in range(ATTEMPTS):
        target = await _gather(context, call, served)
        wanted = make(scale_of(target))
        replicas, pinned = _checked(target, wanted)
        outcome = spread(target.sizes, {d.name: len(d.rack_names) for d in target.datacenters}, replicas)
        if isinstance(outcome, Refusal):
            raise _refused(target, replicas, outcome)
        if dict(outcome.sizes) == target.sizes:
            return respond.plain(call, scale_of(target))
        try:
            cluster = await _write(context, call, target, outcome.sizes)
        except Failure as failure:
            if failure.code != 409 or pinned or attempt == ATTEMPTS - 1:
                raise
            continue
        return respond.plain(call, scale_of(_target(served, _owner_after(target, cluster), cluster)))
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


def _checked(target: Target, wanted: Any) -> tuple[int, bool]:
    """The number asked for, and whether the caller insists on the version that it has seen."""
    if not isinstance(wanted, dict) or wanted.get("kind") not in (None, "", "Scale"):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    if wanted.get("apiVersion") not in (None, "", SCALES.api_version):
        raise bad_request(
            f"the API version in the data ({wanted.get('apiVersion')}) does not match the expected "
            f"API version ({SCALES.api_version})"
        )
    metadata, resource = _metadata(wanted), target.served.info.resource
    if not metadata.get("name"):
        raise bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if metadata["name"] != target.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    if metadata.get("namespace") not in (None, "", target.owner["metadata"].get("namespace")):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    version = metadata.get("resourceVersion")
    if version and version != target.version:
        raise conflict(resource, target.name, MODIFIED)
    uid, present = metadata.get("uid"), scale_of(target)["metadata"]["uid"]
    if uid and uid != present:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {present}"
        raise conflict(resource, target.name, why)
    spec = wanted.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool) or abs(replicas) > MAX_INT32:
        raise bad_request("spec.replicas of a Scale must be an integer")
    return replicas, bool(version)


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
