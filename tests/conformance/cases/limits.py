"""Names, labels and finalizers at their limits, and finalizers of what is being deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.api import JSON_PATCH, Api
from tests.conformance.table import Area, case, rows

Request = Callable[[Api], Any]


def _generated(base: str) -> Request:
    def request(api: Api) -> Any:
        text = base.replace("TOKEN", api.token)
        return api.post(api.sample(metadata={"name": None, "generateName": text}), "dryRun=All")

    return request


rows(
    Area.VALIDATION,
    "names that are generated",
    {
        f"{base[:20]!r} of {len(base)}": _generated(base)
        for base in (
            "-gen-", ".gen-", "TOKEN..gen-", "TOKEN.-gen-", "TOKEN-.gen-", "TOKEN_gen-", "TOKEN gen-", "TOKEN/gen-",
            "TOKEN%gen-", "TOKENé-gen-", "TOKEN-gen.", "TOKEN-gen" + "-" * 60, "Xgen-", "TOKEN\n-gen-", "TOKEN-" + "e" * 200 + "-gen-",
            "TOKEN-" + "e" * 245 + "-gen-", "TOKEN-" + "e" * 300 + "-gen-", "TOKEN-X" + "e" * 300 + "-gen-", "TOKEN-" + "e" * 45 + ".-gen",
        )
    },
)  # fmt: skip


rows(
    Area.VALIDATION,
    "a hyphen to generate from",
    {
        f"beside the name {name!r}": lambda api, name=name: api.post(
            api.sample(metadata={"name": name.replace("TOKEN", api.token), "generateName": "-"}), "dryRun=All"
        )
        for name in ("TOKEN-g", "-")
    },
)  # fmt: skip


def _labels(**metadata: Any) -> Request:
    return lambda api: api.post(api.sample("l", metadata=metadata), "dryRun=All")


_LONG = "a." * 126
rows(
    Area.VALIDATION,
    "limits of metadata",
    {
        "a label's key of 63": _labels(labels={"k" * 63: "v"}),
        "a label's key of 64": _labels(labels={"k" * 64: "v"}),
        "a label's value of 63": _labels(labels={"k": "v" * 63}),
        "a label's value of 64": _labels(labels={"k": "v" * 64}),
        "a prefix of 253": _labels(labels={f"{_LONG}a/k": "v"}),
        "a prefix of 254": _labels(labels={f"{_LONG}aa/k": "v"}),
        "an upper case prefix": _labels(labels={"A.b/k": "v"}),
        "an empty prefix": _labels(labels={"/k": "v"}),
        "an empty name": _labels(labels={"a/": "v"}),
        "an odd value": _labels(labels={"k": "-v", "l": "v-", "m": "v v", "n": "é", "o": "_", "p": ""}),
        "annotations of 256 KiB": _labels(annotations={"k": "v" * (256 * 1024 - 1)}),
        "annotations of one more": _labels(annotations={"k": "v" * (256 * 1024)}),
        "an annotation's key of 64": _labels(annotations={"k" * 64: "v"}),
        "an upper case annotation": _labels(annotations={"A.B/K": "v", "a_b": "v"}),
        "a finalizer of 317": _labels(finalizers=[f"{_LONG}a/{'k' * 63}"]),
        "a finalizer of 318": _labels(finalizers=[f"{_LONG}a/{'k' * 64}"]),
        "a finalizer without a prefix": _labels(finalizers=["finalizer"]),
        "a finalizer of Kubernetes": _labels(finalizers=["kubernetes"]),
        "finalizers of two kinds": _labels(finalizers=["kubernetes", "orphan", "example.com/x"]),
        "a fraction of a generation": _labels(generation=1.5),
        "a negative generation": _labels(generation=-1),
        "a grace": _labels(deletionGracePeriodSeconds=-1),
        "a grace of text": _labels(deletionGracePeriodSeconds="x"),
        "a selfLink of no text": _labels(selfLink=5),
        "labels of null": _labels(labels={"k": None, "l": "v"}),
        "annotations of null": _labels(annotations={"k": None}),
        "finalizers of null": _labels(finalizers=[None]),
        "an owner that is null": _labels(ownerReferences=[None]),
        "an owner of a number": _labels(ownerReferences=[5]),
        "a time without a zone": _labels(creationTimestamp="2020-01-01T00:00:00"),
        "a time of a number": _labels(creationTimestamp=5),
        "an empty time": _labels(creationTimestamp=""),
        "an unknown member": _labels(nope={"a": 1}),
        "a cluster": _labels(clusterName="x"),
        "managedFields with a name of another": _labels(
            managedFields=[{"manager": "m" * 129, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}]
        ),
        "managedFields of another type": _labels(
            managedFields=[{"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV9", "fieldsV1": {}}]
        ),
        "managedFields of odd fields": _labels(
            managedFields=[{"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"x:y": {}}}]
        ),
        "managedFields of a subresource": _labels(
            managedFields=[{"manager": "m", "operation": "Apply", "subresource": "s" * 300, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}]
        ),
    },
)  # fmt: skip


async def _ending(api: Api, short: str, *finalizers: str) -> None:
    await api.create(short, metadata={"finalizers": list(finalizers)})
    await api.delete(short)


@case(Area.DELETE)
async def changes_of_what_is_being_deleted(api: Api) -> None:
    """The other finalizer of the collector is both new and one too many, however it comes."""
    both = ["orphan", "foregroundDeletion"]
    for short, own, other in (("a", both[0], both[1]), ("b", both[1], both[0])):
        await _ending(api, short, own, "example.com/x")
        at = "/metadata/finalizers"
        for path, value in ((f"{at}/-", other), (at, both), (f"{at}/0", other), (f"{at}/-", "example.com/y")):
            await api.patch([{"op": "add", "path": path, "value": value}], short, type=JSON_PATCH)
        await api.patch([{"op": "replace", "path": f"{at}/1", "value": other}], short, type=JSON_PATCH)
        await api.patch(
            [{"op": "add", "path": f"{at}/-", "value": other}, {"op": "add", "path": "/metadata/labels", "value": {"a b": "c"}}],
            short,
            type=JSON_PATCH,
        )  # fmt: skip
        for added in ([other], both, [other, "example.com/z"], ["example.com/z"]):
            identity = api.identity(short, metadata={"name": api.name(short), "finalizers": added})
            await api.apply(identity, short)
            await api.apply(identity, short, query="dryRun=All&force=true")
            await api.apply(identity, short, sub="status")
            wrong = {"metadata": {"finalizers": added, "labels": {"a b": "c"}}, "status": {"phase": 5}}
            await api.patch(wrong, short, sub="status")
            await api.patch({"metadata": {"finalizers": added}}, short)
        found = await api.get(short)
        replaced = {**found.body, "metadata": {**found.body["metadata"], "finalizers": both}}
        await api.put(replaced, short)
        await api.patch({"metadata": {"finalizers": None}}, short)


@case(Area.APPLY)
async def finalizers_by_apply(api: Api) -> None:
    """What an apply no longer names goes, if nobody else owns it."""
    orphan, foreground = "orphan", "foregroundDeletion"

    async def applied(manager: str, *finalizers: str, query: str = "") -> None:
        identity = api.identity("a", metadata={"name": api.name("a"), "finalizers": list(finalizers)})
        await api.apply(identity, "a", manager, query)

    await api.apply(api.sample("a"), "a", "zero")
    await applied("one", orphan)
    await applied("one", foreground)
    await applied("two", orphan)
    await applied("two", foreground, "example.com/x")
    await applied("one")
    await applied("one", orphan)
    await applied("two", "example.com/x")
    await applied("one", orphan, orphan)
    await api.get("a")
    await api.delete("a")
    await applied("one", foreground)
    await applied("three", foreground)
    await applied("three", foreground, orphan)
    await applied("one")
    await applied("two")
    await api.get("a")
