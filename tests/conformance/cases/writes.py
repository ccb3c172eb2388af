"""create, update and patch, with everything that can be wrong with them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.conformance.api import APPLY, JSON, JSON_PATCH, MERGE, STRATEGIC, YAML, Api
from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART
from tests.conformance.table import Area, case, rows

WRITES = Area.WRITES
NAMESPACED = (CLUSTER, RESTART)
PUT_ABLE = (CLUSTER, DATA_PLANE, RESTART)


@case(WRITES)
async def create_and_create_again(api: Api) -> None:
    await api.create("a")
    await api.create("a")
    await api.create("a", "dryRun=All")
    await api.get("a")


@case(WRITES)
async def generate_a_name(api: Api) -> None:
    for prefix in ("gen-", "x" * 48 + "-gen" + "y" * 20):
        name = f"{api.token}-{prefix}"
        made = await api.post(
            api.sample(metadata={"name": None, "generateName": name}), label=f"create {prefix}"
        )
        assert made.status == 201
    await api.post(api.sample(metadata={"name": None, "generateName": "UPPER-gen-"}))
    await api.post(api.sample("b", metadata={"generateName": f"{api.token}-gen-"}))


def _with(document: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**document, "metadata": {**document["metadata"], **metadata}}


@case(WRITES, kinds=PUT_ABLE)
async def replace(api: Api) -> None:
    first, (new, newer) = await api.create("a"), api.kind.values
    await api.put(first.body, label="the same")
    second = await api.get("a")
    changed = _changed(api, second.body, new)
    third = await api.put(changed, label="changed")
    await api.put(_changed(api, changed, newer), label="an old version")
    await api.put(_with(_changed(api, third.body, newer), resourceVersion=None), label="no version")
    await api.put(_with(_changed(api, third.body, new), resourceVersion=""), label="an empty version")
    await api.put(_with(_changed(api, third.body, new), resourceVersion="abc"), label="no number")
    await api.put(_with(_changed(api, third.body, new), resourceVersion="0"), label="version zero")
    last = await api.get("a")
    await api.put(_with(last.body, uid="11111111-2222-4333-8444-555555555555"), label="another uid")
    await api.put(_with(last.body, uid=None), label="no uid")
    await api.put(_with(last.body, name=api.name("b")), label="another name")
    await api.put(_with(last.body, name=None), label="no name")
    await api.put(_with(last.body, namespace="elsewhere"), label="another namespace")
    await api.put(_with(last.body, namespace=None), label="no namespace")
    await api.put(
        _with(last.body, creationTimestamp="2001-01-01T00:00:00Z", generation=77), label="system fields"
    )
    await api.put({**last.body, "kind": "Wrong"}, label="another kind")
    await api.put({**last.body, "apiVersion": "wrong.io/v1"}, label="another version of the API")
    await api.put({**last.body, "apiVersion": None}, label="no version of the API")
    await api.put({**last.body, "status": {"message": "ignored"}}, label="a status")
    await api.put({**last.body, "spec": None}, label="no spec")
    await api.put(last.body, "b", label="an object that is not there")
    await api.put(
        _with(last.body, resourceVersion=None, uid=None, name=api.name("b")),
        "b",
        label="not there, no version",
    )
    await api.get("a")


def _changed(api: Api, document: dict[str, Any], value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    place = copy["spec"]
    for part in api.kind.field[:-1]:
        place = place[part]
    place[api.kind.field[-1]] = value
    return copy


rows(
    WRITES,
    "refused creates",
    {
        "wrong apiVersion": lambda api: api.post(api.sample("b", apiVersion="wrong.io/v1")),
        "another version of the group": lambda api: api.post(
            api.sample("b", apiVersion=f"{api.arm.group}/v9")
        ),
        "apiVersion of two slashes": lambda api: api.post(api.sample("b", apiVersion="a/b/c")),
        "apiVersion is a number": lambda api: api.post(api.sample("b", apiVersion=1)),
        "wrong kind": lambda api: api.post(api.sample("b", kind="Wrong")),
        "kind in lower case": lambda api: api.post(api.sample("b", kind=api.kind.name.lower())),
        "kind is a list": lambda api: api.post(api.sample("b", kind=["x"])),
        "a List": lambda api: api.post({**api.sample("b", kind=f"{api.kind.name}List"), "items": []}),
        "no kind": lambda api: api.post(api.sample("b", kind=None)),
        "empty kind": lambda api: api.post(api.sample("b", kind="")),
        "no apiVersion": lambda api: api.post(api.sample("b", apiVersion=None)),
        "empty apiVersion": lambda api: api.post(api.sample("b", apiVersion="")),
        "an empty object": lambda api: api.post({}),
        "no metadata": lambda api: api.post({k: v for k, v in api.sample("b").items() if k != "metadata"}),
        "metadata is null": lambda api: api.post({**api.sample("b"), "metadata": None}),
        "metadata is text": lambda api: api.post({**api.sample("b"), "metadata": "x"}),
        "metadata is a list": lambda api: api.post({**api.sample("b"), "metadata": []}),
        "no spec": lambda api: api.post({k: v for k, v in api.sample("b").items() if k != "spec"}),
        "spec is null": lambda api: api.post({**api.sample("b"), "spec": None}),
        "spec is empty": lambda api: api.post({**api.sample("b"), "spec": {}}),
        "status is text": lambda api: api.post({**api.sample("b"), "status": "x"}),
        "no name": lambda api: api.post(api.sample(metadata={"name": None})),
        "an empty name": lambda api: api.post(api.sample(metadata={"name": ""})),
        "name is a number": lambda api: api.post(api.sample(metadata={"name": 5})),
        "an invalid name": lambda api: api.post(api.sample(metadata={"name": "UPPER_case"})),
        "a name with a slash": lambda api: api.post(api.sample(metadata={"name": "a/b"})),
        "a name with a percent": lambda api: api.post(api.sample(metadata={"name": "a%b"})),
        "a name of dots": lambda api: api.post(api.sample(metadata={"name": ".."})),
        "a name of 300": lambda api: api.post(api.sample(metadata={"name": "n" * 300})),
        "a resourceVersion": lambda api: api.post(api.sample("b", metadata={"resourceVersion": "12"})),
        "a list for a body": lambda api: api.post([api.sample("b")]),
        "text for a body": lambda api: api.post('"x"'),
        "a number for a body": lambda api: api.post("7"),
        "null for a body": lambda api: api.post("null"),
        "an empty body": lambda api: api.post(b""),
        "spaces for a body": lambda api: api.post("   "),
        "no JSON": lambda api: api.post("{oops"),
        "cut JSON": lambda api: api.post('{"apiVersion": "x", "kind": '),
        "two documents": lambda api: api.post(json.dumps(api.sample("b")) * 2),
        "something after": lambda api: api.post(json.dumps(api.sample("b")) + " x"),
        "binary": lambda api: api.post(b"\x00\x01\x02"),
        "text/plain": lambda api: api.post(api.sample("b"), type="text/plain"),
        "a form": lambda api: api.post(api.sample("b"), type="application/x-www-form-urlencoded"),
        "strategic patch as type": lambda api: api.post(api.sample("b"), type=STRATEGIC),
        "cbor": lambda api: api.post(b"\xa0", type="application/cbor"),
        "an odd type": lambda api: api.post(api.sample("b"), type="json"),
        "an odd type again": lambda api: api.post(api.sample("b"), type="application/json; charset"),
        "no YAML": lambda api: api.post("a: [", type=YAML),
        "tabs in YAML": lambda api: api.post("a:\n\tb: 1", type=YAML),
        "YAML of no object": lambda api: api.post("- 1", type=YAML),
        "bad dryRun": lambda api: api.post(api.sample("b"), "dryRun=Some"),
        "dryRun of two": lambda api: api.post(api.sample("b"), "dryRun=All&dryRun=Some"),
        "empty dryRun": lambda api: api.post(api.sample("bb"), "dryRun="),
        "bad fieldValidation": lambda api: api.post(api.sample("b"), "fieldValidation=Loose"),
        "fieldValidation in lower case": lambda api: api.post(api.sample("b"), "fieldValidation=strict"),
        "a long fieldManager": lambda api: api.post(api.sample("b"), f"fieldManager={'m' * 129}"),
        "an odd fieldManager": lambda api: api.post(api.sample("b"), "fieldManager=a%07b"),
        "bad pretty": lambda api: api.post(api.sample("c1"), "pretty=maybe&fieldValidation=Loose"),
        "managedFields of no form": lambda api: api.post(api.sample("b", metadata={"managedFields": "x"})),
        "labels of no form": lambda api: api.post(api.sample("b", metadata={"labels": ["x"]})),
        "labels of numbers": lambda api: api.post(api.sample("b", metadata={"labels": {"a": 1}})),
        "finalizers of no form": lambda api: api.post(api.sample("b", metadata={"finalizers": "x"})),
        "a time that is none": lambda api: api.post(
            api.sample("b", metadata={"creationTimestamp": "yesterday"})
        ),
    },
)
# the native twin of the cluster has a scale, and says more about a spec that is none
rows(
    WRITES,
    "specs that are none",
    {
        "created as text": lambda api: api.post({**api.sample("b"), "spec": "x"}),
        "created as a list": lambda api: api.post({**api.sample("b"), "spec": [1]}),
        "patched to text": lambda api: api.patch({"spec": "x"}),
        "applied as text": lambda api: api.apply({**api.sample("b"), "spec": "x"}, "b"),
    },
    kinds=(DATA_PLANE, RESTART),
)
rows(
    WRITES,
    "namespaces of creates",
    {
        "another namespace": lambda api: api.post(api.sample("b", metadata={"namespace": "other"})),
        "the same namespace": lambda api: api.post(api.sample("b", metadata={"namespace": api.token})),
        "no such namespace": lambda api: api.send(
            "POST", f"{api.arm.base}/namespaces/{api.token}-none/{api.kind.plural}", body=api.sample("b")
        ),
        "no such namespace, apply": lambda api: api.send(
            "PATCH",
            f"{api.arm.base}/namespaces/{api.token}-none/{api.kind.plural}/{api.name('b')}",
            query="fieldManager=m",
            body=api.sample("b"),
            type=APPLY,
        ),
        "an invalid namespace": lambda api: api.send(
            "POST", f"{api.arm.base}/namespaces/UPPER/{api.kind.plural}", body=api.sample("b")
        ),
        "everywhere": lambda api: api.send("POST", api.everywhere, body=api.sample("b")),
        "everywhere, with a namespace": lambda api: api.send(
            "POST", api.everywhere, body=api.sample("b", metadata={"namespace": api.token})
        ),
        "a body for another one": lambda api: api.send(
            "POST", f"{api.arm.base}/namespaces/default/{api.kind.plural}",
            body=api.sample("b", metadata={"namespace": api.token}),
        ),
    },
    kinds=NAMESPACED,
)  # fmt: skip


@case(WRITES, kinds=NAMESPACED)
async def a_namespace_that_ends(api: Api) -> None:
    await api.create("a")
    await api.quietly("DELETE", f"/api/v1/namespaces/{api.token}")
    await api.create("b")
    await api.create("b", "dryRun=All")
    await api.apply(api.sample("b"), "b")
    await api.patch(api.kind.change(api.kind.values[0]))
    await api.delete("a")


@case(WRITES, kinds=(DATA_PLANE,))
async def a_namespace_for_what_has_none(api: Api) -> None:
    await api.post(api.sample("b", metadata={"namespace": "default"}))
    await api.send("POST", f"{api.arm.base}/namespaces/default/{api.kind.plural}", body=api.sample("c"))
    await api.send("GET", f"{api.arm.base}/namespaces/default/{api.kind.plural}")


@case(WRITES)
async def bodies_of_other_kinds(api: Api) -> None:
    sample = api.sample("a")
    as_yaml = f"# a comment\n{json.dumps(sample)}\n"
    await api.post(as_yaml, type=YAML)
    await api.post(json.dumps(api.sample("b")), type=None, label="no content type")
    await api.post(api.sample("c"), type="application/json; charset=utf-8", label="a charset")
    await api.post(api.sample("d"), type="APPLICATION/JSON", label="upper case")
    flow = "---\napiVersion: {}\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n".format(
        sample["apiVersion"], sample["kind"], api.name("e"), json.dumps(sample["spec"])
    )
    await api.post(flow, type=YAML, label="a document marker")
    await api.post(flow + "---\nsecond: document\n", type=YAML, label="two documents")
    await api.put(flow.replace("{{", "{"), "e", type=YAML, label="replace without a version")
    await api.post("\ufeff" + json.dumps(api.sample("f")), label="a byte order mark")


@case(WRITES, kinds=(DATA_PLANE,))
async def large_bodies(api: Api) -> None:
    await api.create("a")
    for size in (1_300_000, 3_000_000, 3_200_000):
        large = api.sample("b", metadata={"annotations": {"x": "y" * size}})
        await api.post(large, label=f"create of {size}")
        await api.patch({"metadata": {"annotations": {"x": "y" * size}}}, label=f"merge patch of {size}")
        await api.apply(large, "b", label=f"apply of {size}")
    many = [{"op": "test", "path": "/kind", "value": api.kind.name}] * 10_001
    await api.patch(many, type=JSON_PATCH, label="10001 operations")
    await api.patch(many[:10_000], type=JSON_PATCH, label="10000 operations")


def _tested(api: Api, *operations: Any) -> Any:
    return api.patch(list(operations), type=JSON_PATCH)


rows(
    WRITES,
    "JSON patches",
    {
        "test holds": lambda api: _tested(api, {"op": "test", "path": "/kind", "value": api.kind.name}),
        "test of apiVersion": lambda api: _tested(
            api, {"op": "test", "path": "/apiVersion", "value": api.group_version}
        ),
        "test of the name": lambda api: _tested(
            api, {"op": "test", "path": "/metadata/name", "value": api.name("a")}
        ),
        "test of a whole object": lambda api: _tested(api, {"op": "test", "path": "/spec", "value": {}}),
        "test fails": lambda api: _tested(api, {"op": "test", "path": "/metadata/name", "value": "x"}),
        "test fails in spec": lambda api: _tested(
            api, {"op": "test", "path": api.kind.pointer, "value": "x"}
        ),
        "test of what is missing": lambda api: _tested(api, {"op": "test", "path": "/spec/nope", "value": 1}),
        "test of null": lambda api: _tested(api, {"op": "test", "path": "/spec/nope", "value": None}),
        "replace": lambda api: _tested(
            api, {"op": "replace", "path": api.kind.pointer, "value": api.kind.values[0]}
        ),
        "add": lambda api: _tested(api, {"op": "add", "path": api.kind.pointer, "value": api.kind.values[1]}),
        "add a label": lambda api: _tested(
            api, {"op": "add", "path": "/metadata/labels", "value": {"a/b": "x"}}
        ),
        "an escaped label": lambda api: _tested(
            api, {"op": "add", "path": "/metadata/labels/c~1d", "value": "y"}
        ),
        "copy": lambda api: _tested(
            api, {"op": "copy", "from": "/metadata/labels/c~1d", "path": "/metadata/labels/e"}
        ),
        "move": lambda api: _tested(
            api, {"op": "move", "from": "/metadata/labels/e", "path": "/metadata/labels/f"}
        ),
        "remove": lambda api: _tested(api, {"op": "remove", "path": "/metadata/labels/f"}),
        "remove what is missing": lambda api: _tested(api, {"op": "remove", "path": "/spec/nope"}),
        "remove from spec": lambda api: _tested(api, {"op": "remove", "path": "/spec/nope/deep"}),
        "replace what is missing": lambda api: _tested(
            api, {"op": "replace", "path": "/spec/nope", "value": 1}
        ),
        "add below what is missing": lambda api: _tested(
            api, {"op": "add", "path": "/spec/nope/deep", "value": 1}
        ),
        "an unknown field": lambda api: _tested(api, {"op": "add", "path": "/spec/nope", "value": 1}),
        "a wrong type": lambda api: _tested(
            api, {"op": "add", "path": api.kind.pointer, "value": api.kind.wrong}
        ),
        "the whole spec": lambda api: _tested(
            api, {"op": "replace", "path": "/spec", "value": api.kind.spec(api.token)}
        ),
        "the whole object": lambda api: _tested(api, {"op": "replace", "path": "", "value": api.sample()}),
        "remove the spec": lambda api: _tested(api, {"op": "remove", "path": "/spec"}),
        "remove the name": lambda api: _tested(api, {"op": "remove", "path": "/metadata/name"}),
        "change the name": lambda api: _tested(
            api, {"op": "replace", "path": "/metadata/name", "value": "other"}
        ),
        "change the kind": lambda api: _tested(api, {"op": "replace", "path": "/kind", "value": "Other"}),
        "change apiVersion": lambda api: _tested(
            api, {"op": "replace", "path": "/apiVersion", "value": "other/v1"}
        ),
        "status is ignored": lambda api: _tested(
            api, {"op": "add", "path": "/status", "value": {"message": "x"}}
        ),
        "an unknown operation": lambda api: _tested(api, {"op": "jump", "path": "/spec"}),
        "no operation": lambda api: _tested(api, {"path": "/spec"}),
        "no path": lambda api: _tested(api, {"op": "remove"}),
        "no value": lambda api: _tested(api, {"op": "add", "path": "/metadata/labels/z"}),
        "a path without slash": lambda api: _tested(api, {"op": "remove", "path": "spec"}),
        "a path of no text": lambda api: _tested(api, {"op": "remove", "path": 5}),
        "no from": lambda api: _tested(api, {"op": "copy", "path": "/metadata/labels/z"}),
        "an empty list": lambda api: _tested(api),
        "an object": lambda api: api.patch({"op": "remove"}, type=JSON_PATCH),
        "a list of texts": lambda api: api.patch(["x"], type=JSON_PATCH),
        "null": lambda api: api.patch("null", type=JSON_PATCH),
        "no JSON": lambda api: api.patch("[{", type=JSON_PATCH),
        "empty": lambda api: api.patch(b"", type=JSON_PATCH),
        "with an old version": lambda api: _tested(
            api, {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}
        ),
        "with the version as test": lambda api: _tested(
            api, {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
        ),
        "with another uid": lambda api: _tested(
            api, {"op": "replace", "path": "/metadata/uid", "value": "11111111-2222-4333-8444-555555555555"}
        ),
        "of what is not there": lambda api: api.patch([], "none", type=JSON_PATCH),
        "with force": lambda api: api.patch([], type=JSON_PATCH, query="force=true"),
        "strictly": lambda api: api.patch(
            [{"op": "add", "path": "/spec/nope", "value": 1}], type=JSON_PATCH, query="fieldValidation=Strict"
        ),
        "ignoring": lambda api: api.patch(
            [{"op": "add", "path": "/spec/nope", "value": 1}], type=JSON_PATCH, query="fieldValidation=Ignore"
        ),
    },
)
rows(
    WRITES,
    "merge patches",
    {
        "nothing": lambda api: api.patch({}),
        "a change": lambda api: api.patch(api.kind.change(api.kind.values[0])),
        "the same again": lambda api: api.patch(api.kind.change(api.kind.values[0])),
        "labels": lambda api: api.patch({"metadata": {"labels": {"a": "b", "c": "d"}}}),
        "null for a label": lambda api: api.patch({"metadata": {"labels": {"a": None}}}),
        "null for all labels": lambda api: api.patch({"metadata": {"labels": None}}),
        "null for a field": lambda api: api.patch(api.kind.change(None)),
        "null for a missing field": lambda api: api.patch({"spec": {"nope": None}}),
        "null for spec": lambda api: api.patch({"spec": None}),
        "a wrong type": lambda api: api.patch(api.kind.change(api.kind.wrong)),
        "an unknown field": lambda api: api.patch({"spec": {"nope": 1}}),
        "an unknown field at the top": lambda api: api.patch({"nope": 1}),
        "an unknown field of metadata": lambda api: api.patch({"metadata": {"nope": 1}}),
        "strictly": lambda api: api.patch({"spec": {"nope": 1}}, query="fieldValidation=Strict"),
        "strictly, three places": lambda api: api.patch(
            {"spec": {"nope": 1}, "metadata": {"nope": 1}, "nope": 2}, query="fieldValidation=Strict"
        ),
        "ignoring": lambda api: api.patch({"spec": {"nope": 1}}, query="fieldValidation=Ignore"),
        "twice the same key": lambda api: api.patch('{"metadata":{"labels":{"x":"1","x":"2"}}}'),
        "twice, strictly": lambda api: api.patch(
            '{"metadata":{"labels":{"x":"1","x":"2"}}}', query="fieldValidation=Strict"
        ),
        "twice, ignoring": lambda api: api.patch(
            '{"metadata":{"labels":{"x":"1","x":"3"}}}', query="fieldValidation=Ignore"
        ),
        "an old version": lambda api: api.patch({"metadata": {"resourceVersion": "1"}}),
        "a version that is none": lambda api: api.patch({"metadata": {"resourceVersion": "x"}}),
        "another uid": lambda api: api.patch({"metadata": {"uid": "11111111-2222-4333-8444-555555555555"}}),
        "another name": lambda api: api.patch({"metadata": {"name": "other"}}),
        "another namespace": lambda api: api.patch({"metadata": {"namespace": "other"}}),
        "another kind": lambda api: api.patch({"kind": "Other"}),
        "another apiVersion": lambda api: api.patch({"apiVersion": "other/v1"}),
        "its own kind": lambda api: api.patch({"kind": api.kind.name, "apiVersion": api.group_version}),
        "a status": lambda api: api.patch({"status": {"message": "x"}}),
        "a creation time": lambda api: api.patch({"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}}),
        "a generation": lambda api: api.patch({"metadata": {"generation": 99}}),
        "a deletion time": lambda api: api.patch({"metadata": {"deletionTimestamp": "2001-01-01T00:00:00Z"}}),
        "a list": lambda api: api.patch([]),
        "text": lambda api: api.patch('"x"'),
        "null": lambda api: api.patch("null"),
        "no JSON": lambda api: api.patch("{"),
        "empty": lambda api: api.patch(b""),
        "metadata is text": lambda api: api.patch({"metadata": "x"}),
        "of what is not there": lambda api: api.patch({}, "none"),
        "with force": lambda api: api.patch({}, query="force=true"),
        "force is no boolean": lambda api: api.patch({}, query="force=maybe"),
        "bad dryRun": lambda api: api.patch({}, query="dryRun=Some"),
        "dryRun": lambda api: api.patch(api.kind.change(api.kind.values[1]), query="dryRun=All"),
        "bad fieldValidation": lambda api: api.patch({}, query="fieldValidation=Loose"),
        "strategic": lambda api: api.patch({}, type=STRATEGIC),
        "JSON for a type": lambda api: api.patch({}, type=JSON),
        "no type": lambda api: api.patch({}, type=None),
        "an unknown type": lambda api: api.patch({}, type="text/plain"),
        "a charset": lambda api: api.patch({}, type=f"{MERGE}; charset=utf-8"),
        "on the collection": lambda api: api.send("PATCH", api.collection, body={}, type=MERGE),
    },
)


@case(WRITES)
async def a_merge_patch_with_the_version(api: Api) -> None:
    made = await api.create("a")
    value, other = api.kind.values
    await api.patch({**api.kind.change(value), "metadata": {"resourceVersion": made.rv, "uid": made.uid}})
    await api.patch({**api.kind.change(other), "metadata": {"resourceVersion": made.rv}})
    await api.patch({**api.kind.change(other), "metadata": {"resourceVersion": ""}})
    await api.get("a")


@case(WRITES)
async def patches_at_the_same_time(api: Api) -> None:
    await api.create("a")
    quiet = [
        api.send(
            "PATCH", api.at("a"), body={"metadata": {"labels": {f"l{n}": "x"}}}, type=MERGE, record=False
        )
        for n in range(8)
    ]
    answers = await asyncio.gather(*quiet)
    assert {each.status for each in answers} <= {200, 409}
    done = await api.send("GET", api.at("a"), record=False)
    assert sum(each.status == 200 for each in answers) == len(done.body["metadata"]["labels"])


@case(WRITES)
async def dry_runs(api: Api) -> None:
    await api.create("a", "dryRun=All", metadata={"labels": {"x": "y"}})
    await api.get("a")
    made = await api.create("b")
    await api.put(_changed(api, made.body, api.kind.values[0]), "b", "dryRun=All")
    await api.patch(api.kind.change(api.kind.values[0]), "b", "dryRun=All")
    await api.apply(api.sample("b"), "b", query="dryRun=All&force=true")
    await api.apply(api.sample("c"), "c", query="dryRun=All")
    await api.delete("b", "dryRun=All")
    await api.delete("b", body={"dryRun": ["All"]})
    await api.delete("b", body={"dryRun": ["Some"]})
    await api.get("b")
    await api.get("c")


@case(WRITES)
async def representations_of_writes(api: Api) -> None:
    for accept in (
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
    ):
        headers = {"Accept": accept}
        await api.post(api.sample("a"), "dryRun=All", headers=headers, label=f"create as {accept}")
    await api.create("a")
    await api.patch({}, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    await api.post(api.sample("a"), headers={"Accept": "application/yaml"}, label="conflict as YAML")
    await api.delete("a", headers={"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"})


@case(WRITES)
async def who_wrote(api: Api) -> None:
    await api.post(api.sample("a"), headers={"User-Agent": "kubectl-x/1.2 (linux)"})
    await api.post(api.sample("b"), headers={"User-Agent": "/odd"})
    await api.post(api.sample("c"), headers={"User-Agent": "x" * 200})
    await api.post(api.sample("d"), "fieldManager=given")
    await api.post(api.sample("e"), "fieldManager=")


@case(WRITES)
async def metadata_that_never_changes(api: Api) -> None:
    made = await api.create("a", metadata={"labels": {"x": "y"}})
    for change in (
        {"uid": "11111111-2222-4333-8444-555555555555"},
        {"creationTimestamp": None},
        {"selfLink": "/x"},
        {"generateName": "x-"},
        {"deletionGracePeriodSeconds": 5},
        {"generation": 0},
    ):
        await api.patch({"metadata": change})
    await api.get("a")
    odd = {"uid": made.uid, "generation": 5, "creationTimestamp": "2001-01-01T00:00:00Z", "selfLink": "/x"}
    await api.post(api.sample("b", metadata={**odd, "deletionTimestamp": "2001-01-01T00:00:00Z"}))


@case(WRITES)
async def generation_counts_the_spec(api: Api) -> None:
    await api.create("a")
    await api.patch({"metadata": {"labels": {"x": "y"}}})
    await api.patch(api.kind.change(api.kind.values[0]))
    await api.patch({"status": {"message": "x"}}, sub="status")
    await api.patch(api.kind.change(api.kind.values[0]))
    await api.get("a")


def _owner(api: Api, short: str = "a", **members: Any) -> dict[str, Any]:
    uid = next(each.uid for each in api.exchanges if each.label.startswith(f"create {short}"))
    return {
        "apiVersion": api.group_version,
        "kind": api.kind.name,
        "name": api.name(short),
        "uid": uid,
        **members,
    }


@case(WRITES)
async def json_patches_that_move_what_is_stored_otherwise(api: Api) -> None:
    metadata = {"annotations": {"x": "y"}, "finalizers": ["example.com/x"], "labels": {"l": "m"}}
    await api.create("a", metadata=metadata)
    to = "/metadata/annotations/x"
    for place in ("/metadata/uid", "/metadata/name", "/kind", "/apiVersion", "/metadata/labels/l"):
        await _tested(api, {"op": "copy", "from": place, "path": to})
    await _tested(api, {"op": "add", "path": "/metadata/finalizers/-", "value": "orphan"})
    await _tested(api, {"op": "test", "path": "/metadata/finalizers/1", "value": "orphan"})
    await _tested(api, {"op": "copy", "from": "/metadata/finalizers/1", "path": to})
    await _tested(api, {"op": "add", "path": "/metadata/finalizers/-", "value": "foregroundDeletion"})
    await _tested(api, {"op": "move", "from": "/metadata/finalizers/1", "path": to})
    await _tested(api, {"op": "move", "from": "/metadata/name", "path": to})
    await _tested(api, {"op": "copy", "from": "/metadata/nope", "path": to})
    old = {"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}
    await _tested(api, old, {"op": "copy", "from": "/kind", "path": to})
    await _tested(api, {"op": "copy", "from": "/apiVersion", "path": to}, {"op": "jump", "path": "/x"})
    await api.get("a")


@case(WRITES)
async def json_patches_of_owners(api: Api) -> None:
    await api.create("a")
    owner = _owner(api, blockOwnerDeletion=True)
    await api.post(api.sample("b", metadata={"ownerReferences": [owner, _CONFIG_MAP]}))

    async def patched(*operations: Any) -> None:
        await api.patch(list(operations), "b", type=JSON_PATCH)

    at = "/metadata/ownerReferences"
    await patched(
        *({"op": "test", "path": f"{at}/0/{name}", "value": value} for name, value in owner.items())
    )
    await patched({"op": "test", "path": f"{at}/0", "value": owner})
    await patched({"op": "test", "path": f"{at}/0/uid", "value": "x"})
    await patched({"op": "replace", "path": f"{at}/0/blockOwnerDeletion", "value": False})
    await patched({"op": "replace", "path": f"{at}/1/name", "value": "other"})
    await patched({"op": "add", "path": f"{at}/1/controller", "value": True})
    await patched({"op": "remove", "path": f"{at}/1/uid"})
    await patched({"op": "remove", "path": f"{at}/1"})
    await patched({"op": "replace", "path": f"{at}/0/uid", "value": "x"})
    await api.get("b")


_CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "x",
    "uid": "22222222-2222-4333-8444-555555555555",
}
rows(
    WRITES,
    "patches that are hardly any",
    {
        "bytes that are no UTF-8": lambda api: api.patch(b'{"metadata":{"annotations":{"x":"\xe9"}}}'),
        "half a character": lambda api: api.patch('{"metadata":{"annotations":{"y":"\\ud800 \\ud83d\\ude00"}}}'),
        "half a character in JSON patch": lambda api: api.patch(
            '[{"op":"add","path":"/metadata/annotations/z","value":"\\udc00"}]', type=JSON_PATCH
        ),
        "apply of no UTF-8": lambda api: api.apply(
            json.dumps(api.sample("u", metadata={"annotations": {"x": "HERE"}})).encode().replace(b"HERE", b"\xe9"), "u"
        ),
        "apply of half a character": lambda api: api.apply(
            json.dumps(api.sample("u", metadata={"annotations": {"x": "HERE"}})).replace("HERE", "\\ud800"), "u"
        ),
        "deep": lambda api: api.patch('{"metadata":{"annotations":' + '{"a":' * 200 + "1" + "}" * 200 + "}}"),
        "a number beyond numbers": lambda api: api.patch('{"metadata":{"generation":1e400}}'),
        "an integer beyond integers": lambda api: api.patch('{"metadata":{"generation":99999999999999999999}}'),
        "a key twice in an operation": lambda api: api.patch(
            '[{"op":"add","op":"remove","path":"/metadata/labels"}]', type=JSON_PATCH
        ),
        "more keys in an operation": lambda api: _tested(
            api, {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}, "odd": 1}
        ),
        "an operation in upper case": lambda api: _tested(api, {"op": "ADD", "path": "/metadata/labels", "value": {}}),
        "an unknown escape": lambda api: _tested(api, {"op": "add", "path": "/metadata/labels/a~2b", "value": "z"}),
        "two escapes": lambda api: _tested(api, {"op": "add", "path": "/metadata/labels/a~01b", "value": "z"}),
        "behind an object": lambda api: _tested(api, {"op": "add", "path": "/spec/-", "value": "z"}),
        "apply in JSON": lambda api: api.send(
            "PATCH", api.at("a"), body=api.sample(), query="fieldManager=x", type="application/apply-patch+json"
        ),
        "apply in CBOR": lambda api: api.send(
            "PATCH", api.at("a"), body=api.sample(), query="fieldManager=x", type="application/apply-patch+cbor"
        ),
        "force is empty": lambda api: api.apply(api.sample(), query="force="),
        "force is 1": lambda api: api.apply(api.sample(), query="force=1"),
    },
)  # fmt: skip
