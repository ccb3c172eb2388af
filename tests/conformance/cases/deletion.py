"""delete and deletecollection: options, preconditions, policies, finalizers."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import JSON_PATCH, YAML, Api
from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.table import Area, case, rows

DELETE = Area.DELETE
UID = "11111111-2222-4333-8444-555555555555"


def _options(**members: Any) -> dict[str, Any]:
    return {"kind": "DeleteOptions", "apiVersion": "v1", **members}


@case(DELETE)
async def delete(api: Api) -> None:
    await api.create("a")
    await api.delete("a")
    await api.delete("a")
    await api.get("a")


@case(DELETE)
async def preconditions(api: Api) -> None:
    made = await api.create("a")
    await api.delete("a", body=_options(preconditions={"uid": UID}))
    await api.delete("a", body=_options(preconditions={"resourceVersion": "1"}))
    await api.delete("a", body=_options(preconditions={"uid": UID, "resourceVersion": "1"}))
    await api.delete("a", body=_options(preconditions={"uid": made.uid, "resourceVersion": "1"}))
    await api.delete("a", body=_options(preconditions={"uid": 5}))
    await api.delete("a", body=_options(preconditions="x"))
    await api.delete("a", body=_options(preconditions={"uid": made.uid, "resourceVersion": made.rv}))
    await api.get("a")


@case(DELETE)
async def preconditions_with_policies(api: Api) -> None:
    made = await api.create("a")
    for policy in ("Foreground", "Orphan"):
        await api.delete("a", body=_options(propagationPolicy=policy, preconditions={"uid": UID}))
        await api.delete("a", body=_options(propagationPolicy=policy, preconditions={"resourceVersion": "1"}))
    await api.delete("a", body=_options(propagationPolicy="Foreground", preconditions={"uid": made.uid}))
    await api.get("a")


rows(
    DELETE,
    "refused deletes",
    {
        "an unknown policy": lambda api: api.delete(body=_options(propagationPolicy="Later")),
        "an unknown policy in the query": lambda api: api.delete(query="propagationPolicy=Later"),
        "both": lambda api: api.delete(body=_options(propagationPolicy="Orphan", orphanDependents=True)),
        "both in the query": lambda api: api.delete(query="propagationPolicy=Orphan&orphanDependents=true"),
        "orphanDependents of text": lambda api: api.delete(body=_options(orphanDependents="x")),
        "orphanDependents of text in the query": lambda api: api.delete(query="orphanDependents=maybe"),
        "a bad grace period": lambda api: api.delete(body=_options(gracePeriodSeconds="x")),
        "a bad grace period in the query": lambda api: api.delete(query="gracePeriodSeconds=x"),
        "bad dryRun": lambda api: api.delete(body=_options(dryRun=["Some"])),
        "bad dryRun in the query": lambda api: api.delete(query="dryRun=Some"),
        "dryRun of text": lambda api: api.delete(body=_options(dryRun="All")),
        "another kind": lambda api: api.delete(body={"kind": "Pod", "apiVersion": "v1"}),
        "another apiVersion": lambda api: api.delete(body={"kind": "DeleteOptions", "apiVersion": "apps/v1"}),
        "its own apiVersion": lambda api: api.delete(
            body={"kind": "DeleteOptions", "apiVersion": api.group_version, "dryRun": ["All"]}
        ),
        "of meta.k8s.io": lambda api: api.delete(
            body={"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]}
        ),
        "no kind": lambda api: api.delete(body={"dryRun": ["All"]}),
        "an empty object": lambda api: api.delete("none", body={}),
        "unknown fields": lambda api: api.delete(body=_options(dryRun=["All"], odd=1)),
        "unknown fields, strictly": lambda api: api.delete(
            body=_options(dryRun=["All"], odd=1), query="fieldValidation=Strict"
        ),
        "a list": lambda api: api.delete(body=[]),
        "text": lambda api: api.delete(body='"x"'),
        "null": lambda api: api.delete("none", body="null"),
        "no JSON": lambda api: api.delete(body="{"),
        "another type": lambda api: api.delete(body="x", type="text/plain"),
        "YAML": lambda api: api.delete(body="dryRun: [All]\n", type=YAML),
        "no type": lambda api: api.delete(body=_options(dryRun=["All"]), type=None),
        "the query beside a body": lambda api: api.delete(
            body=_options(dryRun=["All"]), query="propagationPolicy=Later"
        ),
        "dryRun": lambda api: api.delete(query="dryRun=All"),
        "dryRun in the foreground": lambda api: api.delete(query="dryRun=All&propagationPolicy=Foreground"),
        "dryRun with orphans": lambda api: api.delete(query="dryRun=All&propagationPolicy=Orphan"),
        "what is not there": lambda api: api.delete("none"),
        "what is not there, in the foreground": lambda api: api.delete("none", query="propagationPolicy=Foreground"),
        "still there": lambda api: api.get("a"),
    },
)  # fmt: skip


def _policy_case(label: str, **options: Any) -> None:
    async def run(api: Api) -> None:
        await api.create("a")
        await api.delete("a", body=_options(**options))
        await api.get("a")
        await api.delete("a", body=_options(**options))
        await api.patch({"metadata": {"finalizers": None}})
        await api.get("a")

    run.__name__ = f"policy {label}"
    case(DELETE)(run)


_policy_case("background", propagationPolicy="Background")
_policy_case("foreground", propagationPolicy="Foreground")
_policy_case("orphan", propagationPolicy="Orphan")
_policy_case("orphanDependents", orphanDependents=True)
_policy_case("no orphanDependents", orphanDependents=False)
_policy_case("grace", gracePeriodSeconds=30)
_policy_case("no grace", gracePeriodSeconds=0)
_policy_case("negative grace", gracePeriodSeconds=-5)


@case(DELETE)
async def policies_after_each_other(api: Api) -> None:
    await api.create("a", metadata={"finalizers": ["example.com/x"]})
    for policy in ("Foreground", "Orphan", "Background", "Foreground"):
        await api.delete("a", body=_options(propagationPolicy=policy))
    await api.get("a")
    await api.patch({"metadata": {"finalizers": None}})
    await api.get("a")


@case(DELETE)
async def finalizers_of_the_collector(api: Api) -> None:
    await api.create("a", metadata={"finalizers": ["foregroundDeletion"]})
    await api.delete("a", body=_options(propagationPolicy="Background"))
    await api.create("b", metadata={"finalizers": ["orphan", "example.com/x"]})
    await api.apply(api.identity("b", metadata={"name": api.name("b"), "finalizers": ["orphan"]}), "b")
    await api.delete("b")
    await api.get("b")
    await api.patch({"metadata": {"finalizers": None}}, "b")
    await api.get("a")


@case(DELETE)
async def both_finalizers_of_the_collector(api: Api) -> None:
    """An object may have one of them, however the other one comes to it."""
    both = ["orphan", "foregroundDeletion"]
    await api.create("a")
    for query, sub in (("", ""), ("dryRun=All", ""), ("", "status")):
        await api.patch({"metadata": {"finalizers": both}}, query=query, sub=sub)
    await api.patch({"metadata": {"finalizers": [*both, "example.com/x"], "labels": {"a b": "c"}}})
    await api.patch({"metadata": {"finalizers": both, "resourceVersion": "1"}})
    await api.patch({"metadata": {"finalizers": both}}, "none")
    await api.patch({"metadata": {"finalizers": ["orphan"]}})
    for query in ("", "force=true", "dryRun=All"):
        await api.apply(
            api.identity("a", metadata={"name": api.name("a"), "finalizers": both[1:]}), query=query
        )
    for path, value in (
        ("/metadata/finalizers/-", both[1]),
        ("/metadata/finalizers/0", both[1]),
        ("/metadata/finalizers", both),
        ("/metadata", {"name": api.name("a"), "finalizers": both}),
    ):
        await api.patch([{"op": "add", "path": path, "value": value}], type=JSON_PATCH)
    replaced = [
        {"op": "replace", "path": "/metadata/finalizers/0", "value": "example.com/x"},
        {"op": "add", "path": "/metadata/finalizers/-", "value": both[1]},
    ]
    await api.patch(replaced, type=JSON_PATCH)
    found = await api.get("a")
    await api.put({**found.body, "metadata": {**found.body["metadata"], "finalizers": both}})
    await api.patch({"metadata": {"finalizers": ["example.com/y", "orphan", "orphan"]}})
    await api.create("b", metadata={"finalizers": both})
    await api.create("b", metadata={"finalizers": [*both, "odd"], "labels": {"a b": "c"}})
    await api.apply(api.sample("b", metadata={"finalizers": both}), "b")
    await api.apply(api.sample("b", metadata={"finalizers": both[:1]}), "b")
    await api.apply(api.identity("b", metadata={"name": api.name("b"), "finalizers": both[1:]}), "b", "two")
    await api.get("b")
    await api.delete("b")
    await api.patch({"metadata": {"finalizers": both}}, "b")
    await api.patch({"metadata": {"finalizers": ["example.com/new", "orphan"]}}, "b")


async def _three(api: Api, **metadata: Any) -> None:
    for short in ("a", "b", "c"):
        labels = {"case": api.token, "own": short}
        await api.create(short, metadata={"labels": labels, **metadata})


async def _collection(api: Api, query: str, body: Any = None, **options: Any) -> None:
    text = f"labelSelector=case%3D{api.token}" + (f"&{query}" if query else "")
    await api.send("DELETE", api.collection, query=text, body=body, **options)


@case(DELETE)
async def a_collection(api: Api) -> None:
    await _three(api)
    await _collection(api, "dryRun=All")
    await _collection(api, "", _options(dryRun=["All"]))
    await api.send("DELETE", api.collection, query=f"labelSelector=case%3D{api.token},own%3Da")
    await api.send("DELETE", api.collection, query=f"labelSelector=case%3D{api.token}&limit=1")
    await api.list(f"labelSelector=case%3D{api.token}")
    await _collection(api, "", _options(propagationPolicy="Background"))
    await _collection(api, "")
    await api.list(f"labelSelector=case%3D{api.token}")


@case(DELETE)
async def a_collection_with_finalizers(api: Api) -> None:
    await _three(api, finalizers=["example.com/x"])
    await _collection(api, "", _options(propagationPolicy="Foreground"))
    await _collection(api, "", _options(propagationPolicy="Orphan"))
    await _collection(api, "")
    await api.list(f"labelSelector=case%3D{api.token}")
    for short in ("a", "b", "c"):
        await api.patch({"metadata": {"finalizers": None}}, short)
    await api.list(f"labelSelector=case%3D{api.token}")


@case(DELETE)
async def a_collection_by_fields(api: Api) -> None:
    await _three(api)
    await _collection(api, f"fieldSelector=metadata.name%3D{api.name('b')}")
    await _collection(api, "fieldSelector=spec.nope%3Dx")
    await _collection(api, "fieldSelector=nonsense")
    await _collection(api, f"fieldSelector={api.kind.selector}%3Dnothing")
    await api.send("DELETE", api.collection, query="labelSelector=a%20b%20c")
    await _collection(api, "propagationPolicy=Later")
    await _collection(api, "dryRun=Some")
    await _collection(api, "resourceVersion=x")
    await _collection(api, "limit=x")
    await _collection(api, "", "{")
    await _collection(api, "", [])
    await _collection(api, "", _options(preconditions={"uid": UID}))
    await _collection(api, "", headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    await api.list(f"labelSelector=case%3D{api.token}")


@case(DELETE)
async def odd_options(api: Api) -> None:
    await api.create("a", metadata={"labels": {"case": api.token}})
    for body in (
        "{", "[]", "null", '""', '{"kind":"Other"}', '{"apiVersion":"v1"}', '{"kind":"DeleteOptions"}',
        '{"kind":"DeleteOptions","apiVersion":"v2"}', '{"gracePeriodSeconds":-1}', '{"gracePeriodSeconds":"x"}',
        '{"nope":1}', '{"dryRun":"All"}', '{"preconditions":{"nope":1}}',
    ):  # fmt: skip
        await api.send("DELETE", api.at("none"), body=body, label=f"none, {body}")
        query = "labelSelector=case%3Dnobody&dryRun=All"
        await api.send("DELETE", api.collection, body=body, query=query, label=f"collection, {body}")
    mine = f"labelSelector=case%3D{api.token}&dryRun=All"
    for query in (
        "limit=1", "fieldSelector=nope%3Dx", "continue=x", "resourceVersion=x", "resourceVersion=0",
        "timeoutSeconds=x", "timeoutSeconds=1", "limit=x", "watch=true", "resourceVersionMatch=Exact",
        f"fieldSelector=metadata.name%3D{api.name('a')}", f"uid={UID}",
    ):  # fmt: skip
        if query == "limit=1" and not api.kind.namespaced:
            continue  # whether there are more depends on other cases
        await api.send("DELETE", api.collection, query=f"{mine}&{query}")
    await api.send("DELETE", api.collection, query="labelSelector=a%20b")


@case(DELETE)
async def preconditions_in_the_query(api: Api) -> None:
    made = await api.create("a", metadata={"labels": {"case": api.token}})
    await api.delete("a", f"uid={UID}")
    await api.delete("a", "resourceVersion=1")
    await api.delete("a", "resourceVersion=0")
    await api.delete("a", f"uid={UID}&resourceVersion=1&propagationPolicy=Foreground")
    await api.delete("a", f"uid={UID}", body=_options(dryRun=["All"]), label="options make the query mute")
    await api.delete("a", f"uid={made.uid}&resourceVersion={made.rv}", label="its own")
    await api.get("a")


@case(DELETE)
async def parameters_of_collections(api: Api) -> None:
    await _three(api)
    for query in (
        "sendInitialEvents=true", "resourceVersionMatch=Exact", "continue=x", "timeoutSeconds=x", "dryRun=All",
        "fieldSelector=odd%3Dx", "propagationPolicy=Nope", "limit=x", "resourceVersion=x",
    ):  # fmt: skip
        await _collection(api, query)
    await _collection(api, f"fieldSelector=metadata.name%3D{api.name('a')}")
    await api.list(f"labelSelector=case%3D{api.token}")


@case(DELETE, kinds=(CLUSTER, RESTART))
async def collections_of_another_time(api: Api) -> None:
    """A version in the query says of when the list is, and without a body is every object's condition."""
    for policy in ("Orphan", "Foreground", "Background"):
        await _three(api, finalizers=["example.com/x"])
        listed = await api.list(f"labelSelector=case%3D{api.token}", record=False)
        then = listed.body["metadata"]["resourceVersion"]
        await api.create("d", metadata={"labels": {"case": api.token}})
        await _collection(api, f"resourceVersion=1&propagationPolicy={policy}")
        await _collection(api, "resourceVersion=1", _options(propagationPolicy=policy))
        for match in ("", "&resourceVersionMatch=Exact", "&resourceVersionMatch=NotOlderThan"):
            label = f"of then, {policy}{match}"
            await _collection(
                api, f"resourceVersion={then}{match}&limit=2", _options(propagationPolicy=policy), label=label
            )
        await _collection(
            api, f"resourceVersion={then}", _options(propagationPolicy=policy), label=f"all of then, {policy}"
        )
        await api.list(f"labelSelector=case%3D{api.token}")
        for short in ("a", "b", "c", "d"):
            await api.patch({"metadata": {"finalizers": None}}, short)
            await api.delete(short)
