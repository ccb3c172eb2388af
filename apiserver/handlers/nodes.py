"""DatabaseNodes: computed from the status of Datacenters at the moment somebody asks."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import orjson
from aiohttp import web

from apiserver import respond
from apiserver.call import Call
from apiserver.context import Context
from apiserver.kinds import Served
from apiserver.negotiate import LIST, SINGLE
from apiserver.selectors import LabelTerm, fields_match, labels_match, parse_fields, parse_labels
from apiserver.status import Failure, bad_request, not_found
from apiserver.translate.face import Obj
from missioncontrol.api.names import Label

_JUDGED = (
    *("resourceVersion", "resourceVersionMatch", "timeoutSeconds", "sendInitialEvents"),
    "allowWatchBookmarks",
)
"""What the store is asked as it was given, so that it refuses what it would refuse of any other kind."""


async def get(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """One node, by the name of its pod."""
    respond.accept(call, SINGLE)
    listed = await _datacenters(context, call, served)
    for node in nodes_of(served, listed):
        if node["metadata"]["name"] == call.info.name:
            return respond.single(call, served.info.columns, node)
    raise not_found(served.info.resource, call.info.name)


async def list_(context: Context, call: Call, served: Served) -> web.StreamResponse:
    """All nodes of a namespace or of all; always whole, which `limit` allows."""
    respond.accept(call, LIST)
    fields = parse_fields(call.query.get("fieldSelector"))
    labels = await _labels(context, call, served)
    _check_page(call)
    fields_match(fields, selectable({"metadata": {}, "spec": {}}))  # refuse unknown fields also on no nodes
    listed = await _datacenters(context, call, served)
    items = [
        node
        for node in nodes_of(served, listed)
        if fields_match(fields, selectable(node)) and labels_match(labels, node["metadata"]["labels"])
    ]
    resource = served.info.resource
    version = (listed.get("metadata") or {}).get("resourceVersion", "")
    document = {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": version},
        "items": items,
    }
    return respond.many(call, served.info.columns, document)


async def _labels(context: Context, call: Call, served: Served) -> list[LabelTerm]:
    """The label selector. What cannot be read as one the store refuses in its own words."""
    selector = call.query.get("labelSelector")
    try:
        return parse_labels(selector)
    except Failure:
        query = [("labelSelector", str(selector)), ("limit", "1")]
        path = served.info.stored.path(call.info.namespace or None)
        await context.store.read(call, served.face, path, query)
        raise


def _check_page(call: Call) -> None:
    """A limit may be ignored, but not one that is none; and no token was ever given."""
    limit = call.query.get("limit", "0")
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", limit, re.ASCII):
        raise bad_request(f"strconv.ParseInt: parsing {orjson.dumps(limit).decode()}: invalid syntax")
    if call.query.get("continue"):
        raise bad_request("invalid continue token: lists of this kind are never given in parts")


async def _datacenters(context: Context, call: Call, served: Served) -> Obj:
    path = served.info.stored.path(call.info.namespace or None)
    return await context.store.read(call, served.face, path, call.pick(_JUDGED))


def nodes_of(served: Served, datacenters: Obj) -> list[Obj]:
    """Every node of these Datacenters, by namespace and name."""
    nodes = [node for each in datacenters.get("items") or () for node in _nodes(served, each)]
    return sorted(nodes, key=lambda node: (node["metadata"]["namespace"], node["metadata"]["name"]))


def _nodes(served: Served, datacenter: Obj) -> Iterator[Obj]:
    metadata, spec = datacenter.get("metadata") or {}, datacenter.get("spec") or {}
    cluster, name = spec.get("clusterName", ""), spec.get("name", "")
    for entry in (datacenter.get("status") or {}).get("nodes") or ():
        plane = entry.get("dataPlane") or spec.get("dataPlane")
        yield {
            "apiVersion": served.info.resource.api_version,
            "kind": served.info.resource.kind,
            "metadata": {
                "name": entry.get("name", ""),
                "namespace": metadata.get("namespace", ""),
                "uid": _uid(metadata.get("uid", ""), entry.get("name", "")),
                "resourceVersion": metadata.get("resourceVersion", ""),
                "generation": 1,
                "creationTimestamp": entry.get("startedAt") or metadata.get("creationTimestamp"),
                "labels": {
                    Label.MC_CLUSTER_NAME: cluster,
                    Label.MC_DATACENTER: name,
                    **({Label.RACK: entry["rack"]} if entry.get("rack") else {}),
                },
            },
            "spec": _present(clusterName=cluster, datacenter=name, rack=entry.get("rack"), dataPlane=plane),
            "status": _present(
                **{member: entry.get(member) for member in ("hostID", "ip", "state", "ready", "startedAt")}
            ),
        }


def _present(**members: object) -> Obj:
    return {name: value for name, value in members.items() if value is not None}


def _uid(datacenter: str, node: str) -> str:
    """Stable for as long as the node belongs to this very datacenter."""
    try:
        return str(uuid.uuid5(uuid.UUID(datacenter), node))
    except ValueError:
        return ""


def selectable(node: Obj) -> dict[str, str]:
    """The fields that a field selector may name."""
    metadata, spec = node["metadata"], node["spec"]
    fields = {f"metadata.{member}": str(metadata.get(member, "")) for member in ("name", "namespace")}
    members = ("clusterName", "datacenter", "rack", "dataPlane")
    return fields | {f"spec.{member}": str(spec.get(member, "")) for member in members}
