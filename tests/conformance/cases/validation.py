"""Strict, warning and ignoring validation of fields, and the rules that all metadata has."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.api import JSON_PATCH, YAML, Api
from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART, nested
from tests.conformance.table import Area, case, rows

VALIDATION = Area.VALIDATION


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    merged = dict(left)
    for key, value in right.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _unknown(api: Api, short: str) -> dict[str, Any]:
    """Unknown fields at the top, in metadata, in spec and inside it."""
    spec = _merged(api.kind.spec(api.token), {"nope": 1})
    spec = _merged(spec, nested(api.kind.parent, {"deep": {"x": 1}})) if api.kind.parent else spec
    return api.sample(short, metadata={"odd": 1, "labels": {"a": "b"}}, spec=spec, extra=True)


def _twice(api: Api, short: str) -> str:
    """Keys given twice at the top, in metadata and in spec, beside an unknown one."""
    sample = api.sample(short)
    spec = json.dumps(sample["spec"])[1:-1]
    return (
        f'{{"apiVersion": "{sample["apiVersion"]}", "kind": "Wrong", "kind": "{sample["kind"]}",'
        f'"metadata": {{"name": "x", "name": "{sample["metadata"]["name"]}", "labels": {{"a": "1", "a": "2"}}}},'
        f'"spec": {{{spec}, {spec}, "nope": 1}}}}'
    )


def _twice_yaml(api: Api, short: str) -> str:
    sample = api.sample(short)
    return (
        f"apiVersion: {sample['apiVersion']}\nkind: {sample['kind']}\nmetadata:\n"
        f"  name: {sample['metadata']['name']}\n  labels:\n    a: one\n    a: two\n"
        f"spec: {json.dumps(sample['spec'])}\nnope: 1\n"
    )


def _directives() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, directive in enumerate(
        ("", "fieldValidation=Ignore", "fieldValidation=Warn", "fieldValidation=Strict", "fieldValidation=")
    ):
        found |= {
            f"unknown, {directive}": lambda api, n=number, d=directive: api.post(_unknown(api, f"u{n}"), d),
            f"twice, {directive}": lambda api, n=number, d=directive: api.post(_twice(api, f"t{n}"), d),
            f"twice in YAML, {directive}": lambda api, n=number, d=directive: api.post(
                _twice_yaml(api, f"y{n}"), d, type=YAML
            ),
            f"unknown by PUT, {directive}": lambda api, d=directive: api.put(_unknown(api, "a"), query=d),
            f"unknown in status, {directive}": lambda api, d=directive: api.patch(
                {"status": {"nope": 1, "message": "x"}}, sub="status", query=d
            ),
            f"conditions, {directive}": lambda api, d=directive: api.patch(
                {"status": {"conditions": [{"type": "A", "odd": 1}]}}, sub="status", query=d
            ),
        }
    return found


def _yaml(api: Api, *, top: str = "", more: str = "", name: str = "y") -> str:
    return (
        f"apiVersion: {api.group_version}\nkind: {api.kind.name}\n{top}"
        f"metadata:\n  name: {api.name(name)}\n  labels:\n    a: one\n    a: two\n{more}"
        f"spec: {json.dumps(api.kind.spec(api.token))}\n"
    )


def _repeated() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for validation in ("Warn", "Strict", "Ignore"):
        query = f"fieldValidation={validation}&dryRun=All"
        for label, text in (
            ("at several places", {"more": "  annotations:\n    x: 'y'\n    x: z\n    q: w\n"}),
            ("three times", {"more": "  annotations:\n    x: y\n    x: z\n    x: w\n"}),
            ("at the top", {"top": "status: {}\nstatus: {}\n"}),
            ("beside an unknown field", {"top": "nope: 1\n"}),
            ("in one line", {"more": "  annotations: {x: 'y',\n    x: z}\n"}),
        ):
            found[f"{label}, {validation}"] = lambda api, text=text, query=query: api.post(
                _yaml(api, **text), query, type=YAML
            )
            found[f"{label}, {validation}, applied"] = lambda api, text=text, query=query: api.apply(
                _yaml(api, **text), "y", query=query
            )
        found[f"behind a comment, {validation}"] = lambda api, query=query: api.post(
            f"# a\n---\n{_yaml(api)}".replace("\n", "\r\n"), query, type=YAML
        )
        found[f"in JSON, {validation}"] = lambda api, query=query: api.post(
            json.dumps(api.sample("y")).replace('"kind"', '"kind": "x", "kind"'), query, type=YAML
        )
        found[f"replaced, {validation}"] = lambda api, query=query: api.put(
            _yaml(api, name="a"), query=query, type=YAML
        )
        found[f"in options, {validation}"] = lambda api, query=query: api.delete(
            body="dryRun: [All]\ndryRun: [All]\n", query=query, type=YAML
        )
    return found


rows(VALIDATION, "fields that YAML repeats", _repeated())
rows(VALIDATION, "unknown and repeated fields", _directives())


def _labels(**labels: str) -> Any:
    return lambda api: api.post(
        api.sample("b", metadata={"labels": labels}), "dryRun=All&fieldValidation=Strict"
    )


def _metadata(**metadata: Any) -> Any:
    return lambda api: api.post(api.sample("b", metadata=metadata), "dryRun=All")


def _owner(**members: Any) -> dict[str, Any]:
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "o",
        "uid": "11111111-2222-4333-8444-555555555555",
    }
    return {**owner, **members}


rows(
    VALIDATION,
    "metadata",
    {
        "a label's value": _labels(a="not valid!"),
        "a long label": _labels(a="x" * 64),
        "a label's key": _labels(**{"a b": "x"}),
        "a label's prefix": _labels(**{"A_B/c": "x"}),
        "two slashes": _labels(**{"a/b/c": "x"}),
        "an empty key": _labels(**{"": "x"}),
        "several": _labels(**{"a b": "not valid!", "c d": "x"}),
        "an annotation's key": _metadata(annotations={"a b": "x"}),
        "large annotations": _metadata(annotations={"a": "x" * 262_144}),
        "annotations of numbers": _metadata(annotations={"a": 1}),
        "a bare finalizer": _metadata(finalizers=["x"]),
        "a finalizer": _metadata(finalizers=["example.com/x"]),
        "kubernetes' finalizer": _metadata(finalizers=["kubernetes"]),
        "both of the collector's": _metadata(finalizers=["orphan", "foregroundDeletion"]),
        "an invalid finalizer": _metadata(finalizers=["a b/c"]),
        "an empty finalizer": _metadata(finalizers=[""]),
        "an owner": _metadata(ownerReferences=[_owner()]),
        "an owner twice": _metadata(ownerReferences=[_owner(), _owner()]),
        "an owner without uid": _metadata(ownerReferences=[_owner(uid="")]),
        "an owner without anything": _metadata(ownerReferences=[{}]),
        "an owner that is no object": _metadata(ownerReferences=["x"]),
        "an Event for an owner": _metadata(ownerReferences=[_owner(kind="Event")]),
        "an odd apiVersion": _metadata(ownerReferences=[_owner(apiVersion="a/b/c")]),
        "two controllers": _metadata(
            ownerReferences=[_owner(controller=True), _owner(name="p", uid="2", controller=True)]
        ),
        "a blocking owner": _metadata(ownerReferences=[_owner(blockOwnerDeletion=True, controller=False)]),
        "an unknown field of an owner": _metadata(ownerReferences=[_owner(odd=1)]),
        "a negative generation": _metadata(generation=-1),
        "a generation of text": _metadata(generation="x"),
        "a selfLink": _metadata(selfLink="/x"),
        "a grace period": _metadata(deletionGracePeriodSeconds=5),
        "a cluster name": _metadata(clusterName="x"),
        "null everywhere": _metadata(labels=None, annotations=None, finalizers=None),
        "a null label": _metadata(labels={"a": None}),
    },
)


@case(VALIDATION)
async def finalizers_of_what_ends(api: Api) -> None:
    await api.create("a", metadata={"finalizers": ["example.com/x", "example.com/y"]})
    await api.delete("a")
    await api.delete("a")
    await api.patch({"metadata": {"finalizers": ["example.com/x", "example.com/y", "example.com/z"]}})
    await api.patch({"metadata": {"labels": {"a": "b"}}})
    await api.patch(api.kind.change(api.kind.values[0]))
    await api.patch({"metadata": {"deletionTimestamp": None}})
    await api.create("a")
    await api.apply(api.sample())
    await api.patch({"metadata": {"finalizers": ["example.com/x"]}})
    await api.patch({"status": {"message": "x"}}, sub="status")
    await api.get("a")
    await api.patch({"metadata": {"finalizers": None}})
    await api.get("a")


rows(
    VALIDATION,
    "names",
    {
        name[:20] or "empty": lambda api, name=name: api.post(
            api.sample(metadata={"name": name}), "dryRun=All"
        )
        for name in ("", "a_b", "a/b", "a%b", ".", "..", "-a", "a-", ".a", "a.", "A", "a b", "\u00e9")
    }
    | {
        "longer than the longest name": lambda api: api.post(
            api.sample(metadata={"name": "x" * 254}), "dryRun=All"
        ),
        "the longest name": lambda api: api.post(api.sample(metadata={"name": "x" * 253}), "dryRun=All"),
    },
)
rows(
    VALIDATION,
    "rules of the schema",
    {
        "clusterName is empty": lambda api: api.post(api.sample("b", spec={"clusterName": ""})),
        "clusterName is missing": lambda api: api.post(api.sample("b", spec={"racks": ["r1"]})),
        "clusterName is a number": lambda api: api.post(api.sample("b", spec={"clusterName": 5})),
        "clusterName is null": lambda api: api.post(api.sample("b", spec={"clusterName": None})),
        "clusterName is long": lambda api: api.post(api.sample("b", spec={"clusterName": "x" * 254})),
        "racks are no list": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "racks": "x"})
        ),
        "racks of numbers": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "racks": [1, {}]})
        ),
        "racks twice the same": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "racks": ["r1", "r1"]})
        ),
        "too many racks": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "racks": [f"r{n}" for n in range(101)]})
        ),
        "onConflict": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "onConflict": "Maybe"})
        ),
        "a negative ttl": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "ttlSecondsAfterFinished": -1})
        ),
        "a huge ttl": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "ttlSecondsAfterFinished": 2**31})
        ),
        "a broken ttl": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "ttlSecondsAfterFinished": 1.5})
        ),
        "much at once": lambda api: api.post(
            api.sample("b", spec={"racks": "x", "onConflict": 5, "datacenters": [7], "nope": 1})
        ),
        "the store's own members": lambda api: api.post(
            api.sample("b1", spec={**api.kind.spec(api.token), "type": "Other", "rollingrestart": {"racks": ["r9"]}})
        ),
        "the store's own members, strictly": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "type": "Other", "rollingrestart": {"racks": ["r9"]}}),
            "fieldValidation=Strict",
        ),
        "racks are changed": lambda api: api.patch({"spec": {"racks": ["r2"]}}),
        "racks are taken away": lambda api: api.patch({"spec": {"racks": None}}),
        "clusterName is changed": lambda api: api.patch({"spec": {"clusterName": "other"}}),
        "everything is changed": lambda api: api.patch(
            {"spec": {"clusterName": "other", "racks": ["r3"], "onConflict": "Reject", "datacenters": ["x"]}}
        ),
        "type is added": lambda api: api.patch({"spec": {"type": "Other"}}),
        "the member is added": lambda api: api.patch({"spec": {"rollingrestart": {"racks": ["r9"]}}}),
        "spec is replaced by nothing": lambda api: api.patch({"spec": {"racks": None, "clusterName": None}}),
    },
    kinds=(RESTART,),
)  # fmt: skip
rows(
    VALIDATION,
    "rules of other schemas",
    {
        "a required one is missing": lambda api: api.post(api.sample("b", spec={"region": "x"})),
        "an empty name": lambda api: api.post(api.sample("b", spec={"kubeconfigSecretRef": {"name": ""}})),
        "a long region": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "region": "x" * 254})
        ),
        "a set with the same twice": lambda api: api.post(
            api.sample("b", spec={**api.kind.spec(api.token), "allowedNamespaces": ["x", "x"]})
        ),
        "null for a required one": lambda api: api.patch({"spec": {"kubeconfigSecretRef": None}}),
        "null for a defaulted one": lambda api: api.patch({"spec": {"kubeconfigSecretRef": {"key": None}}}),
        "null for a defaulted text": lambda api: api.patch({"spec": {"context": None}}),
        "a wrong type inside": lambda api: api.patch({"spec": {"kubeconfigSecretRef": {"key": 5}}}),
        "a wrong type for an object": lambda api: api.patch({"spec": {"kubeconfigSecretRef": "x"}}),
        "text for a list": lambda api: api.patch({"spec": {"allowedNamespaces": "x"}}),
    },
    kinds=(DATA_PLANE,),
)
rows(
    VALIDATION,
    "rules of large schemas",
    {
        "size is text": lambda api: api.patch(_datacenters(size="three")),
        "size is negative": lambda api: api.patch(_datacenters(size=-1)),
        "size is broken": lambda api: api.patch(_datacenters(size=1.5)),
        "size is null": lambda api: api.patch(_datacenters(size=None)),
        "an unknown field": lambda api: api.patch(_datacenters(nope=1)),
        "an unknown field, strictly": lambda api: api.patch(
            _datacenters(nope=1), query="fieldValidation=Strict"
        ),
        "no metadata": lambda api: api.patch(_datacenters(metadata=None)),
        "an enumeration": lambda api: api.patch(
            {"spec": {"k8ssandra": {"cassandra": {"serverType": "mysql"}}}}
        ),
        "null for everything": lambda api: api.patch({"spec": {"k8ssandra": None}}),
        "resources of pods": lambda api: api.patch(_datacenters(resources={"requests": {"cpu": "a lot"}})),
        "an odd quantity": lambda api: api.patch(_datacenters(resources={"requests": {"cpu": []}})),
        "tolerations of no form": lambda api: api.patch(_datacenters(tolerations="x")),
        "a pod's template": lambda api: api.patch(
            {"spec": {"k8ssandra": {"cassandra": {"podSecurityContext": {"runAsUser": "root"}}}}}
        ),
        "issuer": lambda api: api.patch(
            {"spec": {"encryption": {"internodeEncryption": {"enabled": "yes"}}}}
        ),
    },
    kinds=(CLUSTER,),
)


@case(VALIDATION)
async def a_status_that_is_no_object(api: Api) -> None:
    made = await api.create("a")
    await api.patch({"status": "x"}, sub="status")
    await api.patch([{"op": "add", "path": "/status", "value": [1]}], type=JSON_PATCH, sub="status")
    await api.put({**made.body, "status": 5}, sub="status", label="written whole")
    await api.get("a")


def _datacenters(**members: Any) -> dict[str, Any]:
    datacenter = {"metadata": {"name": "dc1"}, "size": 3, **members}
    return {"spec": {"k8ssandra": {"cassandra": {"datacenters": [datacenter]}}}}
