"""What is in a body that creates: odd JSON, odd metadata, odd types of bodies and parameters."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.conformance.api import MERGE, Api
from tests.conformance.table import Area, rows

VALIDATION = Area.VALIDATION
_CORE: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u1"}


def _metadata(**metadata: Any) -> Any:
    """A create with this in its metadata."""
    return lambda api: api.post(api.sample("m", metadata=metadata))


def _changed(**members: Any) -> Any:
    """A create with other members, even if they are nothing."""
    return lambda api: api.post({**api.sample("m"), **members})


def _text(annotation: bytes | str) -> Any:
    """A create whose JSON has these very bytes in an annotation."""
    data = annotation if isinstance(annotation, bytes) else annotation.encode()

    def request(api: Api) -> Any:
        whole = json.dumps(api.sample("t", metadata={"annotations": {"x": "HERE"}})).encode()
        return api.post(whole.replace(b"HERE", data), "dryRun=All")

    return request


def _typed(content_type: str) -> Any:
    return lambda api: api.post(api.sample("c"), "dryRun=All", type=content_type)


def _asked(query: str) -> Any:
    return lambda api: api.create("q", query)


rows(
    VALIDATION,
    "odd JSON",
    {
        "a float for an integer": _metadata(generation=1.0),
        "an exponent": lambda api: api.post(
            json.dumps(api.sample("e", metadata={"generation": 7})).replace("7", "1e2", 1)
        ),
        "beyond the plane": _text("\U0001f600 \u00e9 \u2028 <>&"),
        "escapes": _text("\\ud83d\\ude00 \\u00e9 \\u2028 \\u003c \\\\ud800"),
        "bytes that are no UTF-8": _text(b"\xe9 \xff\xfe"),
        "half a character": _text("\\ud800"),
        "the other half": _text("\\udc00 x"),
        "a null character": _text("a\\u0000b"),
        "two documents": lambda api: api.post(json.dumps(api.sample("t")) * 2),
        "something behind": lambda api: api.post(json.dumps(api.sample("t")) + "x"),
        "space behind": lambda api: api.post(json.dumps(api.sample("t")) + "  \n", "dryRun=All"),
        "a number": lambda api: api.post("5"),
        "true": lambda api: api.post("true"),
        "text": lambda api: api.post('"x"'),
        "spaces": lambda api: api.post("   "),
        "compressed": lambda api: api.send(
            "POST", api.collection, body=gzip.compress(b"{}", mtime=0), headers={"Content-Encoding": "gzip"}
        ),
    },
)
rows(
    VALIDATION,
    "odd members",
    {
        "no kind": lambda api: api.post(api.sample("m", kind=None)),
        "no apiVersion": lambda api: api.post(api.sample("m", apiVersion=None)),
        "a kind of no text": _changed(kind=5),
        "an apiVersion of no text": _changed(apiVersion=5),
        "no metadata": lambda api: api.post({k: v for k, v in api.sample().items() if k != "metadata"}),
        "metadata is null": _changed(metadata=None),
        "metadata is a list": _changed(metadata=[]),
        "metadata is text": _changed(metadata="x"),
        "no spec": lambda api: api.post(api.sample("m", spec=None)),
        "spec is null": _changed(spec=None),
        "status is text": lambda api: api.post({**api.sample("s"), "status": "x"}),
        "status is null": lambda api: api.post({**api.sample("n"), "status": None}),
    },
)
rows(
    VALIDATION,
    "odd metadata",
    {
        "a name of no text": _metadata(name=5),
        "an empty name": _metadata(name=""),
        "a long name": lambda api: api.post(api.sample("m", metadata={"name": f"{api.token}-{'x' * 220}"})),
        "a name that is too long": _metadata(name="x" * 254),
        "dots in a name": lambda api: api.post(api.sample("m", metadata={"name": f"{api.token}.a.b"})),
        "a slash in a name": _metadata(name="a/b"),
        "a percent in a name": _metadata(name="a%b"),
        "upper case in a name": _metadata(name="Abc"),
        "an underscore in a name": _metadata(name="a_b"),
        "generateName of no text": _metadata(name=None, generateName=5),
        "labels of numbers": _metadata(labels={"x": 5}),
        "a list of labels": _metadata(labels=[]),
        "labels that are null": lambda api: api.post(api.sample("l", metadata={"labels": {"x": None}})),
        "bad labels": _metadata(labels={"-x": "a", "y/z/w": "b", "": "c", "ok": "b a d"}),
        "bad annotations": _metadata(annotations={"-x": "a", "": "c"}),
        "annotations of numbers": _metadata(annotations={"x": 1}),
        "long annotations": _metadata(annotations={"x": "y" * 270_000}),
        "bad finalizers": _metadata(finalizers=["x", "a/b/c", ""]),
        "finalizers are text": _metadata(finalizers="x"),
        "the collector's finalizers": lambda api: api.post(
            api.sample("f", metadata={"finalizers": ["orphan"]})
        ),
        "both of them": _metadata(finalizers=["foregroundDeletion", "orphan"]),
        "a finalizer twice": lambda api: api.post(api.sample("g", metadata={"finalizers": ["a/b", "a/b"]})),
        "half an owner": _metadata(ownerReferences=[{k: v for k, v in _CORE.items() if k != "uid"}]),
        "an empty owner": _metadata(ownerReferences=[{}]),
        "owners are text": _metadata(ownerReferences="x"),
        "two controllers": _metadata(
            ownerReferences=[{**_CORE, "controller": True}, {**_CORE, "uid": "u2", "controller": True}]
        ),
        "an owner twice": lambda api: api.post(api.sample("o", metadata={"ownerReferences": [_CORE, _CORE]})),
        "an owner with more": lambda api: api.post(
            api.sample("p", metadata={"ownerReferences": [{**_CORE, "nope": 1}]})
        ),
        "an owner of no version": _metadata(ownerReferences=[{**_CORE, "apiVersion": "a/b/c"}]),
        "an owner that is an event": _metadata(ownerReferences=[{**_CORE, "kind": "Event"}]),
        "managedFields": lambda api: api.post(
            api.sample(
                "r",
                metadata={
                    "managedFields": [
                        {
                            "manager": "x",
                            "operation": "Update",
                            "apiVersion": "v1",
                            "fieldsType": "FieldsV1",
                            "fieldsV1": {"f:x": {}},
                        }
                    ]
                },
            )
        ),
        "bad managedFields": _metadata(managedFields=[{"manager": "x", "operation": "Odd"}]),
        "managedFields are text": _metadata(managedFields="x"),
        "a creation time that is none": _metadata(creationTimestamp="x"),
        "a deletion time that is none": _metadata(deletionTimestamp=5),
        "a uid of no text": _metadata(uid=5),
        "another namespace": _metadata(namespace="other"),
        "a namespace of no text": _metadata(namespace=5),
        "a version": _metadata(resourceVersion="5"),
        "a version that is none": _metadata(resourceVersion="x"),
    },
)
rows(
    VALIDATION,
    "odd parameters and types of bodies",
    {
        "dryRun twice": _asked("dryRun=All&dryRun=All"),
        "dryRun is empty": _asked("dryRun="),
        "dryRun is two things": _asked("dryRun=All&dryRun=Some"),
        "two managers": _asked("fieldManager=a&fieldManager=b&dryRun=All"),
        "a manager that cannot be printed": _asked("fieldManager=a%00b"),
        "a manager beyond ASCII": _asked("fieldManager=%C3%A9&dryRun=All"),
        "fieldValidation in other letters": _asked("fieldValidation=strict"),
        "fieldValidation twice": _asked("fieldValidation=Strict&fieldValidation=Warn&dryRun=All"),
        "fieldValidation is empty": _asked("fieldValidation=&dryRun=All"),
        "another charset": _typed("application/json; charset=latin1"),
        "nothing behind a semicolon": _typed("application/json;"),
        "text/plain": _typed("text/plain"),
        "CBOR": lambda api: api.post(b"\xa0", type="application/cbor"),
        "no type": _typed(""),
        "a patch": _typed(MERGE),
        "two types": _typed("application/json, application/yaml"),
        "a Table": _typed("application/json;as=Table"),
    },
)  # fmt: skip
