"""Server-side apply, and who owns which field after every kind of write."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.api import APPLY, JSON_PATCH, Api
from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART
from tests.conformance.table import Area, case, rows

APPLIES = Area.APPLY


def _spec(api: Api, value: Any) -> dict[str, Any]:
    """What an apply says of the one field that may change, with what an operation must say."""
    spec: dict[str, Any] = api.kind.change(value)["spec"]
    return {"clusterName": api.name("c"), "racks": ["r1"], **spec} if api.kind is RESTART else spec


@case(APPLIES)
async def create_and_share_and_conflict(api: Api) -> None:
    first, second = api.kind.values
    await api.apply(api.sample(), manager="one")
    await api.apply(api.sample(), manager="one", label="the same again")
    await api.apply(api.identity(spec=_spec(api, first)), manager="two", label="a conflict")
    await api.apply(api.identity(spec=_spec(api, first)), manager="two", query="force=true")
    await api.apply(api.sample(), manager="one", label="the other way")
    await api.apply(api.identity(spec=_spec(api, first)), manager="three", label="the same value")
    await api.patch(api.kind.change(second), query="fieldManager=patcher")
    await api.apply(api.identity(spec=_spec(api, first)), manager="two", label="a conflict with an update")
    await api.patch(api.kind.change(first), query="fieldManager=patcher", label="back")
    await api.apply(api.identity(spec=_spec(api, first)), manager="two", label="no conflict any more")
    await api.get("a")


@case(APPLIES)
async def a_spec_is_empty_or_lost(api: Api) -> None:
    first, second = api.kind.values
    await api.apply(api.identity(spec={}), manager="one", label="an empty spec of nothing")
    await api.apply(api.identity(spec={}), manager="one", query="dryRun=All", label="only tried")
    await api.create("a")
    await api.apply(api.identity(spec={}), manager="empty")
    found = await api.apply(api.identity(spec={}), manager="empty", label="the same again")
    await api.put(found.body, query="fieldManager=writer", label="written back as it is")
    await api.apply(api.identity(**api.kind.change(first)), manager="one", query="force=true")
    await api.apply(api.identity(**api.kind.change(second)), manager="two", query="force=true")
    await api.get("a")
    await api.apply(api.identity(spec={}), manager="two", label="nothing of it any more")
    await api.apply(api.identity(**api.kind.change(first)), manager="empty", query="force=true")
    await api.apply(api.identity(), manager="empty")
    await api.get("a")


@case(APPLIES)
async def fields_are_removed_with_their_owner(api: Api) -> None:
    labels = {"metadata": {"labels": {"x": "1", "y": "2"}, "annotations": {"z": "3"}}}
    await api.apply(api.sample(**labels), manager="one")
    await api.apply(api.identity(metadata={"name": api.name("a"), "labels": {"y": "2"}}), manager="two")
    await api.apply(api.sample(), manager="one")
    await api.apply(api.identity(), manager="two")
    await api.apply(api.identity(), manager="one")
    await api.get("a")


@case(APPLIES, kinds=(DATA_PLANE, RESTART))
async def items_of_a_set(api: Api) -> None:
    field = "allowedNamespaces" if api.kind is DATA_PLANE else "racks"
    base = api.kind.spec(api.token)
    await api.apply(api.identity(spec={**base, field: ["r1", "r2"]}), manager="one")
    await api.apply(api.identity(spec={**base, field: ["r2", "r3"]}), manager="two")
    await api.apply(api.identity(spec={**base, field: ["r1", "r1"]}), manager="one", label="twice the same")
    await api.apply(api.identity(spec={**base, field: ["r1"]}), manager="one")
    await api.patch([{"op": "add", "path": f"/spec/{field}/-", "value": "r1"}], type=JSON_PATCH)
    await api.patch([{"op": "test", "path": f"/spec/{field}/0", "value": "r1"}], type=JSON_PATCH)
    await api.patch([{"op": "remove", "path": f"/spec/{field}/9"}], type=JSON_PATCH)
    await api.get("a")


@case(APPLIES)
async def items_of_a_map_list(api: Api) -> None:
    await api.create("a")
    now = "2026-01-01T00:00:00Z"

    def condition(kind: str, status: str = "True") -> dict[str, Any]:
        return {"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": now}

    async def applied(manager: str, *conditions: dict[str, Any], **options: Any) -> None:
        body = api.identity(status={"conditions": list(conditions)})
        await api.apply(body, sub="status", manager=manager, **options)

    await applied("one", condition("Ready"))
    await applied("two", condition("Progressing"))
    await applied("two", condition("Ready", "False"))
    await applied("two", condition("Ready", "False"), query="force=true")
    await applied("one")
    await applied("two", condition("Ready"), condition("Ready"), label="twice the same")
    await api.get("a")


@case(APPLIES)
async def status_and_spec_are_applied_apart(api: Api) -> None:
    await api.apply(api.sample(status={"message": "x"}), manager="one")
    await api.apply(api.identity(status={"message": "y"}), manager="one", sub="status")
    await api.apply(api.identity(status={"message": "z"}), manager="two", sub="status")
    await api.apply(api.sample(status={"message": "z"}), manager="one", sub="status", query="force=true")
    await api.apply(api.identity(status={"nope": 1}), manager="one", sub="status")
    await api.apply(
        api.identity(status={"nope": 1}), manager="one", sub="status", query="fieldValidation=Strict"
    )
    await api.apply(api.identity(status={"message": "y"}), "none", manager="one", sub="status")
    await api.get("a")


def _yaml(api: Api, *, name: str = "a", more: str = "") -> str:
    return (
        f"apiVersion: {api.group_version}\nkind: {api.kind.name}\n"
        f"metadata:\n  name: {api.name(name)}\n  labels:\n    x: one\n{more}"
        f"spec: {json.dumps(api.kind.spec(api.token))}\n"
    )


rows(
    APPLIES,
    "refused applies",
    {
        "no manager": lambda api: api.send("PATCH", api.at("a"), body=api.sample(), type=APPLY),
        "an empty manager": lambda api: api.apply(api.sample(), manager=""),
        "a long manager": lambda api: api.apply(api.sample(), manager="m" * 129),
        "force is no boolean": lambda api: api.apply(api.sample(), query="force=maybe"),
        "managedFields": lambda api: api.apply(
            api.sample(metadata={"managedFields": [{"manager": "x", "operation": "Apply"}]})
        ),
        "empty managedFields": lambda api: api.apply(api.sample(metadata={"managedFields": []})),
        "managedFields of null": lambda api: api.apply({**api.sample(), "metadata": {"name": api.name("a"), "managedFields": None}}),
        "another apiVersion": lambda api: api.apply(api.sample(apiVersion="other/v1")),
        "another version": lambda api: api.apply(api.sample(apiVersion=f"{api.arm.group}/v9")),
        "another kind": lambda api: api.apply(api.sample(kind="Other")),
        "no kind": lambda api: api.apply(api.sample(kind=None)),
        "no apiVersion": lambda api: api.apply(api.sample(apiVersion=None)),
        "nothing": lambda api: api.apply({}),
        "an empty body": lambda api: api.apply(b""),
        "text": lambda api: api.apply("x"),
        "a list": lambda api: api.apply([]),
        "null": lambda api: api.apply("null"),
        "no YAML": lambda api: api.apply("a: ["),
        "another name": lambda api: api.apply(api.sample("b")),
        "another namespace": lambda api: api.apply(api.sample(metadata={"namespace": "other"})),
        "no name": lambda api: api.apply(api.sample(metadata={"name": None})),
        "an invalid name": lambda api: api.send(
            "PATCH", f"{api.collection}/UPPER", query="fieldManager=m", type=APPLY,
            body=api.sample(metadata={"name": "UPPER"}),
        ),
        "generateName": lambda api: api.apply(api.sample("g", metadata={"generateName": "x-"}), "g"),
        "a uid, of none": lambda api: api.apply(
            api.sample("b", metadata={"uid": "11111111-2222-4333-8444-555555555555"}), "b"
        ),
        "another uid": lambda api: api.apply(
            api.sample(metadata={"uid": "11111111-2222-4333-8444-555555555555"})
        ),
        "an old version": lambda api: api.apply(api.sample(metadata={"resourceVersion": "1"})),
        "an old version, of none": lambda api: api.apply(
            api.sample("b", metadata={"resourceVersion": "1"}), "b"
        ),
        "a creation time": lambda api: api.apply(
            api.sample(metadata={"creationTimestamp": "2001-01-01T00:00:00Z"})
        ),
        "a wrong type": lambda api: api.apply(api.identity(spec=_spec(api, api.kind.wrong))),
        "a list for an object": lambda api: api.apply(api.identity(spec=[])),
        "null for a field": lambda api: api.apply(api.identity(spec=_spec(api, None))),
        "an unknown field": lambda api: api.apply(api.sample("u", nope=1), "u"),
        "an unknown field of spec": lambda api: api.apply(
            api.sample("v", spec={**api.kind.spec(api.token), "nope": 1}), "v"
        ),
        "unknown, strictly": lambda api: api.apply(
            api.sample("w", spec={**api.kind.spec(api.token), "nope": 1}), "w", query="fieldValidation=Strict"
        ),
        "unknown, ignoring": lambda api: api.apply(
            api.sample("w", spec={**api.kind.spec(api.token), "nope": 1}), "w", query="fieldValidation=Ignore"
        ),
        "an unknown field of metadata": lambda api: api.apply(
            api.sample(metadata={"nope": 1}), query="fieldValidation=Strict"
        ),
        "YAML": lambda api: api.apply(_yaml(api, name="y"), "y"),
        "a repeated key": lambda api: api.apply(_yaml(api, name="z", more="    x: two\n"), "z"),
        "a repeated key, strictly": lambda api: api.apply(
            _yaml(api, name="z", more="    x: two\n"), "z", query="fieldValidation=Strict"
        ),
        "a repeated key, ignoring": lambda api: api.apply(
            _yaml(api, name="zz", more="    x: two\n"), "zz", query="fieldValidation=Ignore"
        ),
        "force for others": lambda api: api.patch({}, query="force=true"),
    },
)  # fmt: skip


@case(APPLIES)
async def from_client_side_to_server_side(api: Api) -> None:
    """What kubectl does to an object of `kubectl apply`, and after `kubectl edit`."""
    last = json.dumps(api.sample())
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": last}
    manager = "fieldManager=kubectl-client-side-apply"
    await api.post(api.sample(metadata={"annotations": annotations, "labels": {"x": "1"}}), manager)
    await api.patch(api.kind.change(api.kind.values[0]), query="fieldManager=kubectl-edit")
    await api.apply(api.sample(), manager="kubectl")
    await api.apply(api.sample(), manager="kubectl", query="force=true")
    await api.apply(api.sample(metadata={"annotations": annotations}), manager="kubectl-last-applied")
    await api.apply(api.sample(), manager="kubectl")
    await api.get("a")


@case(APPLIES)
async def managed_fields_are_written_by_hand(api: Api) -> None:
    made = await api.create("a")
    entries = made.body["metadata"]["managedFields"]
    moved = [{**each, "manager": "moved"} for each in entries]
    await api.patch({"metadata": {"managedFields": moved}})
    await api.apply(api.sample(), manager="moved")
    await api.patch({"metadata": {"managedFields": [{}]}})
    await api.apply(api.sample(), manager="after")
    await api.patch({"metadata": {"managedFields": []}})
    await api.patch({"metadata": {"managedFields": None}})
    await api.patch({"metadata": {"managedFields": [{"manager": "x"}]}})
    await api.patch({"metadata": {"managedFields": [{**entries[0], "fieldsType": "V9"}]}})
    await api.patch({"metadata": {"managedFields": [{**entries[0], "fieldsV1": {"odd": 1}}]}})
    await api.patch([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}], type=JSON_PATCH)
    await api.patch(
        [{"op": "replace", "path": "/metadata/managedFields/0/manager", "value": "x"}], type=JSON_PATCH
    )
    await api.patch(api.kind.change(api.kind.values[0]))
    whole = await api.get("a")
    await api.put(whole.body)


@case(APPLIES)
async def many_managers(api: Api) -> None:
    await api.create("a")
    for number in range(12):
        await api.patch({"metadata": {"labels": {f"l{number}": "x"}}}, query=f"fieldManager=m{number:02d}")


@case(APPLIES, kinds=(CLUSTER,))
async def atomic_and_nested_lists(api: Api) -> None:
    await api.apply(api.sample(), manager="one")
    spec = api.kind.spec(api.token)
    cassandra = spec["k8ssandra"]["cassandra"]
    larger = [{**each, "size": 6} for each in cassandra["datacenters"]]
    body = api.identity(spec={"k8ssandra": {"cassandra": {"datacenters": larger}}})
    await api.apply(body, manager="two")
    await api.apply(body, manager="two", query="force=true")
    await api.get("a")


@case(APPLIES)
async def no_write_no_version(api: Api) -> None:
    made = await api.create("a")
    await api.put(made.body)
    await api.patch({})
    await api.patch({}, query="fieldManager=another")
    await api.patch([], type=JSON_PATCH)
    await api.patch({"metadata": {"labels": None}})
    await api.apply(api.sample(), manager="one")
    await api.apply(api.sample(), manager="one")
    await api.patch({"status": {}}, sub="status")
    await api.patch({"status": {"message": "x"}}, sub="status")
    await api.patch({"status": {"message": "x"}}, sub="status")
    await api.get("a")
