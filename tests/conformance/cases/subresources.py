"""/status and /scale."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import APPLY, JSON_PATCH, METADATA, STRATEGIC, TABLE, YAML, Api
from tests.conformance.kinds import CLUSTER
from tests.conformance.table import Area, case, rows

SUBRESOURCES = Area.SUBRESOURCES


@case(SUBRESOURCES)
async def status(api: Api) -> None:
    made = await api.create("a", status={"message": "not taken"})
    await api.get("a", sub="status")
    await api.put({**made.body, "status": {"message": "x"}}, sub="status")
    await api.put({**made.body, "status": {"message": "y"}}, sub="status", label="an old version")
    await api.patch({"status": {"message": "z"}, "spec": {"nope": 1}}, sub="status")
    await api.patch({"status": {"message": "z"}, **api.kind.change(api.kind.values[0])}, sub="status")
    await api.patch({"metadata": {"labels": {"x": "y"}, "finalizers": ["example.com/x"]}}, sub="status")
    await api.patch([{"op": "add", "path": "/status/message", "value": "p"}], sub="status", type=JSON_PATCH)
    await api.patch([{"op": "remove", "path": "/status"}], sub="status", type=JSON_PATCH)
    await api.patch({"status": None}, sub="status")
    await api.patch({"status": {"conditions": [{"type": "Ready"}]}}, sub="status")
    await api.patch({"status": {"conditions": "x"}}, sub="status")
    if api.kind is not CLUSTER:  # the native twin of the cluster has a scale, and says more
        await api.patch({"status": "x"}, sub="status")
    await api.get("a")


rows(
    SUBRESOURCES,
    "refused of status",
    {
        "of what is not there": lambda api: api.get("none", sub="status"),
        "PATCH of what is not there": lambda api: api.patch({}, "none", sub="status"),
        "PUT of what is not there": lambda api: api.put(api.sample("none"), "none", sub="status"),
        "PUT of another name": lambda api: api.put(api.sample("b"), sub="status"),
        "PUT without version": lambda api: api.put(api.sample(status={"message": "x"}), sub="status"),
        "PUT of another kind": lambda api: api.put(api.sample(kind="Other"), sub="status"),
        "POST": lambda api: api.send("POST", api.at("a", "status"), body=api.sample()),
        "DELETE": lambda api: api.send("DELETE", api.at("a", "status")),
        "strategic": lambda api: api.patch({}, sub="status", type=STRATEGIC),
        "no type": lambda api: api.patch({}, sub="status", type=None),
        "dryRun": lambda api: api.patch({"status": {"message": "x"}}, sub="status", query="dryRun=All"),
        "as a Table": lambda api: api.get("a", sub="status", headers={"Accept": TABLE}),
        "as metadata": lambda api: api.get("a", sub="status", headers={"Accept": METADATA}),
        "in YAML": lambda api: api.send("GET", api.at("a", "status"), headers={"Accept": "application/yaml"}),
        "with a resourceVersion": lambda api: api.get("a", sub="status", query="resourceVersion=0"),
        "watched": lambda api: api.get("a", sub="status", query="watch=true&timeoutSeconds=1"),
        "an unknown one": lambda api: api.get("a", sub="nope"),
        "POST to an unknown one": lambda api: api.send("POST", api.at("a", "nope"), body={}),
        "PUT to an unknown one": lambda api: api.put({}, sub="nope"),
        "PATCH of an unknown one": lambda api: api.patch({}, sub="nope"),
        "DELETE of an unknown one": lambda api: api.send("DELETE", api.at("a", "nope")),
        "one below": lambda api: api.get("a", sub="status/more"),
        "upper case": lambda api: api.get("a", sub="STATUS"),
        "a trailing slash": lambda api: api.get("a", sub="status/"),
        "of the collection": lambda api: api.send("GET", f"{api.collection}//status"),
        "proxy": lambda api: api.get("a", sub="proxy"),
        "log": lambda api: api.get("a", sub="log"),
    },
)


def _sized(api: Api, short: str = "a") -> dict[str, Any]:
    """A cluster of six nodes: the native twin says so in a field."""
    spec = api.kind.spec(api.token)
    if api.arm.is_native:
        spec["replicas"] = 6
    return api.sample(short, spec=spec)


def _scale(api: Api, replicas: Any, **metadata: Any) -> dict[str, Any]:
    metadata = {"name": api.name("a"), "namespace": api.token, **metadata}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "spec": {"replicas": replicas},
    }


async def _prepared(api: Api) -> None:
    await api.send("POST", api.collection, body=_sized(api), record=False)
    status = {"replicas": 5, "readyReplicas": 4, "selector": "a=b"}
    await api.send(
        "PATCH",
        api.at("a", "status"),
        body={"status": status},
        type="application/merge-patch+json",
        record=False,
    )


@case(SUBRESOURCES, kinds=(CLUSTER,))
async def scale(api: Api) -> None:
    await api.send("POST", api.collection, body=_sized(api), record=False)
    await api.get("a", sub="scale", label="without a status")
    await _prepared(api)
    now = await api.get("a", sub="scale")
    await api.put(_scale(api, 12, resourceVersion=now.rv), sub="scale")
    await api.put(_scale(api, 18, resourceVersion=now.rv), sub="scale", label="an old version")
    await api.put(_scale(api, 18), sub="scale", label="no version")
    await api.put(_scale(api, 18), sub="scale", label="the same")
    await api.patch({"spec": {"replicas": 24}}, sub="scale")
    await api.patch({"spec": {"replicas": 24}}, sub="scale")
    await api.patch([{"op": "replace", "path": "/spec/replicas", "value": 30}], sub="scale", type=JSON_PATCH)
    await api.patch([{"op": "test", "path": "/spec/replicas", "value": 1}], sub="scale", type=JSON_PATCH)
    await api.patch([{"op": "remove", "path": "/nope"}], sub="scale", type=JSON_PATCH)
    await api.apply(_scale(api, 30, namespace=None), sub="scale", manager="hpa")
    await api.apply(_scale(api, 36, namespace=None), sub="scale", manager="hpa", query="force=true")
    await api.patch({"spec": {"replicas": 42}}, sub="scale", query="dryRun=All")
    await api.get("a", sub="scale")


@case(SUBRESOURCES, kinds=(CLUSTER,))
async def unknown_fields_of_scales(api: Api) -> None:
    await _prepared(api)
    for number, how in enumerate(("Strict", "Warn", "Ignore")):
        query, sizes = f"fieldValidation={how}", range(12 + 24 * number, 100, 6)
        deep = _scale(api, sizes[0], nope=1)
        deep["spec"]["nope"] = 1
        await api.put(deep, sub="scale", query=query)
        await api.put({**_scale(api, sizes[1]), "nope": 1, "status": {"odd": 1}}, sub="scale", query=query)
        await api.patch({"spec": {"replicas": sizes[2], "nope": 1}}, sub="scale", query=query)
        patch = [
            {"op": "add", "path": "/nope", "value": 1},
            {"op": "replace", "path": "/spec/replicas", "value": sizes[3]},
        ]
        await api.patch(patch, sub="scale", type=JSON_PATCH, query=query)


@case(SUBRESOURCES, kinds=(CLUSTER,))
async def refused_scales(api: Api) -> None:
    await _prepared(api)
    await api.get("a", sub="scale")
    await api.get("none", sub="scale")
    await api.put(_scale(api, 6), "none", sub="scale", label="PUT of none under another name")
    await api.put(_scale(api, 6, name=api.name("none")), "none", sub="scale", label="PUT of none")
    await api.patch({"spec": {"replicas": 6}}, "none", sub="scale")
    await api.put({**_scale(api, 6), "kind": "Other"}, sub="scale", label="another kind")
    await api.put({**_scale(api, 6), "apiVersion": "autoscaling/v2"}, sub="scale", label="another apiVersion")
    await api.put(
        {**_scale(api, 6), "apiVersion": api.group_version}, sub="scale", label="the group's apiVersion"
    )
    await api.put(_sized(api), sub="scale", label="the object itself")
    await api.put({k: v for k, v in _scale(api, 6).items() if k != "kind"}, sub="scale", label="no kind")
    await api.put(
        {k: v for k, v in _scale(api, 6).items() if k != "apiVersion"}, sub="scale", label="no apiVersion"
    )
    await api.put({}, sub="scale", label="nothing")
    await api.put("{", sub="scale", label="no JSON")
    await api.put([], sub="scale", label="a list")
    await api.put(b"", sub="scale", label="empty")
    await api.put(_scale(api, 6, name="other"), sub="scale", label="another name")
    await api.put(_scale(api, 6, name=None), sub="scale", label="no name")
    await api.put(_scale(api, 6, namespace="other"), sub="scale", label="another namespace")
    await api.put(_scale(api, 6, namespace=None), sub="scale", label="no namespace")
    await api.put(
        _scale(api, 6, uid="11111111-2222-4333-8444-555555555555"), sub="scale", label="another uid"
    )
    await api.put(_scale(api, 6, resourceVersion="1"), sub="scale", label="an old version")
    await api.put(_scale(api, 6, resourceVersion="x"), sub="scale", label="no version")
    await api.put(_scale(api, "six"), sub="scale", label="text")
    await api.put(_scale(api, 6.5), sub="scale", label="a fraction")
    await api.put(_scale(api, -1), sub="scale", label="negative")
    await api.put(_scale(api, 2**33), sub="scale", label="huge")
    await api.put({**_scale(api, 6), "spec": "x"}, sub="scale", label="spec is text")
    await api.put(_scale(api, 6), sub="scale", type="text/plain", label="text/plain")
    await api.put(_scale(api, 6), sub="scale", query="dryRun=Some", label="bad dryRun")
    await api.put(_scale(api, 6), sub="scale", query=f"fieldManager={'m' * 129}", label="a long manager")
    await api.patch({"spec": {"replicas": "six"}}, sub="scale")
    await api.patch({"spec": {"replicas": -1}}, sub="scale")
    await api.patch({"spec": {"nope": 1}}, sub="scale")
    await api.patch({"spec": {"nope": 1}}, sub="scale", query="fieldValidation=Strict")
    await api.patch({"metadata": {"resourceVersion": "1"}}, sub="scale")
    now = await api.get("a", sub="scale")
    await api.patch({"metadata": {"resourceVersion": now.rv}, "spec": {"replicas": 6}}, sub="scale")
    await api.patch({"metadata": {"name": "other"}}, sub="scale")
    await api.patch({"kind": "Other"}, sub="scale")
    await api.patch({"apiVersion": "v1"}, sub="scale")
    await api.patch({"status": {"replicas": 1}}, sub="scale")
    await api.patch({}, sub="scale")
    await api.patch([], sub="scale")
    await api.patch("null", sub="scale")
    await api.patch("{", sub="scale")
    await api.patch({}, sub="scale", type=STRATEGIC)
    await api.patch({}, sub="scale", type="text/plain")
    await api.patch({"op": 1}, sub="scale", type=JSON_PATCH)
    await api.send("PATCH", api.at("a", "scale"), body=_scale(api, 6), type=APPLY, label="no manager")
    await api.apply({}, sub="scale", label="apply nothing")
    await api.apply({**_scale(api, 6), "kind": "Other"}, sub="scale", label="apply another kind")
    await api.apply(_scale(api, 6, name="other"), sub="scale", label="apply another name")
    await api.send("POST", api.at("a", "scale"), body=_scale(api, 6))
    await api.send("DELETE", api.at("a", "scale"))
    await api.get("a", sub="scale", headers={"Accept": "text/plain"})
    await api.get("a", sub="scale", query="resourceVersion=0")
    await api.get("a", sub="scale", query="pretty=true")
    await api.put(
        f"apiVersion: autoscaling/v1\nkind: Scale\nmetadata: {{name: {api.name('a')}}}\nspec: {{replicas: 6}}\n",
        sub="scale",
        type=YAML,
        label="YAML",
    )
    await api.get("a", sub="scale")


@case(SUBRESOURCES, kinds=(CLUSTER,))
async def shapes_of_scales(api: Api) -> None:
    await _prepared(api)
    for accept in (
        TABLE,
        METADATA,
        TABLE.replace("v=v1;", "v=v1beta1;"),
        f"{TABLE},application/json",
        "application/yaml",
    ):
        headers = {"Accept": accept}
        await api.get("a", sub="scale", headers=headers, label=f"scale as {accept}")
        await api.patch({"spec": {"replicas": 12}}, sub="scale", headers=headers, query="dryRun=All")
        await api.put(_scale(api, 12), sub="scale", headers=headers, query="dryRun=All")
    for include in ("None", "Object", "Wrong"):
        await api.get("a", f"includeObject={include}", sub="scale", headers={"Accept": TABLE})
    await api.get("none", sub="scale", headers={"Accept": TABLE})
