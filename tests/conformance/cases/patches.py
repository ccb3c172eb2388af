"""Patches of everything that an object has, whether it may be patched or not."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.api import JSON_PATCH, Api
from tests.conformance.table import Area, case

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "n", "uid": "u1"}


async def _made(api: Api) -> dict[str, Any]:
    made = await api.create(
        "a",
        metadata={
            "labels": {"x": "1"},
            "annotations": {"y": "2"},
            "finalizers": ["example.com/a"],
            "ownerReferences": [OWNER],
        },
    )
    body: dict[str, Any] = made.body
    return body


@case(Area.WRITES)
async def tests_of_all_members(api: Api) -> None:
    body = await _made(api)
    metadata = body["metadata"]
    for number, (path, value) in enumerate((
        ("/metadata/uid", metadata["uid"]), ("/metadata/uid", "x"), ("/metadata/name", metadata["name"]),
        ("/apiVersion", body["apiVersion"]), ("/kind", body["kind"]), ("/kind", "Other"), ("/spec", body["spec"]),
        ("/spec", {}), ("/metadata/labels", {"x": "1"}), ("/metadata/finalizers", ["example.com/a"]),
        ("/metadata/finalizers/0", "example.com/a"), ("/metadata/ownerReferences/0/name", "n"),
        ("/metadata/ownerReferences", [OWNER]), ("/metadata/ownerReferences/0/uid", "u1"),
        ("/metadata/resourceVersion", metadata["resourceVersion"]), ("/metadata/generation", 1), ("/status", None),
        ("/metadata", metadata), ("", body), ("/metadata/managedFields/0/manager", "conformance"),
        ("/metadata/creationTimestamp", metadata["creationTimestamp"]), ("/metadata/labels/none", None),
        ("/metadata/none/none", None),
    )):  # fmt: skip
        operation = {"op": "test", "path": path, "value": value}
        await api.patch([operation], type=JSON_PATCH, label=f"{number} {path}")


@case(Area.WRITES)
async def operations_on_all_members(api: Api) -> None:
    body = await _made(api)
    for number, operation in enumerate((
        {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/n"},
        {"op": "move", "from": "/metadata/labels/x", "path": "/metadata/annotations/x"},
        {"op": "copy", "from": "/metadata/uid", "path": "/metadata/annotations/uid"},
        {"op": "copy", "from": "/kind", "path": "/metadata/annotations/kind"},
        {"op": "copy", "from": "/spec", "path": "/status"},
        {"op": "move", "from": "/spec", "path": "/metadata/annotations/z"},
        {"op": "remove", "path": "/spec"}, {"op": "remove", "path": "/metadata"}, {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": 5}, {"op": "replace", "path": "", "value": {}},
        {"op": "replace", "path": "/spec", "value": body["spec"]}, {"op": "replace", "path": "/spec", "value": None},
        {"op": "add", "path": "/spec/nope", "value": 1}, {"op": "replace", "path": "/kind", "value": "X"},
        {"op": "replace", "path": "/apiVersion", "value": "v1"}, {"op": "remove", "path": "/metadata/uid"},
        {"op": "replace", "path": "/metadata/name", "value": "z"}, {"op": "remove", "path": "/metadata/name"},
        {"op": "replace", "path": "/metadata/namespace", "value": "z"}, {"op": "remove", "path": "/kind"},
        {"op": "replace", "path": "/metadata/uid", "value": "z"}, {"op": "remove", "path": "/apiVersion"},
        {"op": "remove", "path": "/metadata/resourceVersion"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "replace", "path": "/metadata/ownerReferences/0/uid", "value": "u2"},
        {"op": "add", "path": "/metadata/ownerReferences/-", "value": {**OWNER, "name": "m", "uid": "u3"}},
        {"op": "remove", "path": "/metadata/ownerReferences/0"},
        {"op": "replace", "path": "/metadata/finalizers", "value": ["example.com/b"]},
        {"op": "remove", "path": "/metadata/finalizers/0"}, {"op": "remove", "path": "/metadata/finalizers"},
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
        {"op": "add", "path": "/metadata/labels/~", "value": "c"},
        {"op": "add", "path": "metadata/labels/q", "value": "c"}, {"op": "add", "path": "/metadata/labels/q"},
        {"op": "nope", "path": "/metadata/labels/q"}, {"path": "/metadata/labels/q"}, 5, None, "x",
    )):  # fmt: skip
        label = f"{number} {operation if not isinstance(operation, dict) else operation.get('path')}"
        await api.patch([operation], type=JSON_PATCH, label=label)
    for path, value in (("/status/message", "x"), ("/status", {"message": "x"}), ("/spec/x", "x"), ("/metadata/labels/s", "x")):  # fmt: skip
        operation = {"op": "add", "path": path, "value": value}
        await api.patch([operation], sub="status", type=JSON_PATCH, label=f"status {path}")
    await api.get("a")


@case(Area.WRITES)
async def merges_of_all_members(api: Api) -> None:
    made = await api.create("a")
    for number, patch in enumerate((
        {"kind": "X"}, {"kind": None}, {"apiVersion": "v1"}, {"apiVersion": None}, {"metadata": None},
        {"metadata": {"name": None}}, {"metadata": {"name": "x"}}, {"metadata": {"namespace": "x"}},
        {"metadata": {"uid": "x"}}, {"metadata": {"uid": None}}, {"metadata": {"uid": made.uid}},
        {"metadata": {"resourceVersion": None}}, {"metadata": {"resourceVersion": ""}},
        {"metadata": {"resourceVersion": 5}}, {"metadata": {"generation": 99}},
        {"metadata": {"creationTimestamp": None}}, {"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}},
        {"metadata": {"labels": 5}}, {"metadata": 5}, {"spec": None}, {"spec": {}}, {"status": {"message": "x"}},
        {"odd": 1}, 5, [], "x", None, {"metadata": {"managedFields": None}}, {"metadata": {"generateName": "x-"}},
        {"metadata": {"selfLink": "x"}}, {"metadata": {"ownerReferences": [{**OWNER, "controller": True}]}},
        {"metadata": {"ownerReferences": None}},
    )):  # fmt: skip
        for query in ("fieldValidation=Strict", "dryRun=All"):
            await api.patch(json.dumps(patch), query=query, label=f"{number} {query}")
    await api.get("a")
