"""Paths, methods, parameters and headers that mean nothing, or something odd."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import Api
from tests.conformance.table import Area, rows

ERRORS = Area.ERRORS


def _at(suffix: str, method: str = "GET", **options: Any) -> Any:
    """A request to the group and version's path with something behind it."""
    return lambda api: api.send(method, f"{api.arm.base}{suffix.format(api=api, kind=api.kind)}", **options)


def _on(method: str, place: str, **options: Any) -> Any:
    def path(api: Api) -> str:
        return {"object": api.at("a"), "collection": api.collection, "everywhere": api.everywhere}[place]

    return lambda api: api.send(method, path(api), **options)


rows(
    ERRORS,
    "methods",
    {
        f"{method} on {place}": _on(
            method, place, **({"body": {}} if method in ("POST", "PUT", "PATCH") else {})
        )
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "TRACE", "PROPFIND", "get")
        for place in ("object", "collection")
    },
)
rows(
    ERRORS,
    "methods everywhere",
    {
        f"{method}": _on(method, "everywhere", **({"body": {}} if method in ("POST", "PUT", "PATCH") else {}))
        for method in ("HEAD", "OPTIONS", "PUT", "PATCH")
    },
)
rows(
    ERRORS,
    "paths",
    {
        "an unknown resource": _at("/nopes"),
        "an unknown resource in a namespace": _at("/namespaces/{api.token}/nopes"),
        "an object of an unknown resource": _at("/namespaces/{api.token}/nopes/x"),
        "POST to an unknown resource": _at("/namespaces/{api.token}/nopes", "POST", body={}),
        "DELETE of an unknown resource": _at("/nopes/x", "DELETE"),
        "WATCH of an unknown resource": _at("/nopes", query="watch=true&timeoutSeconds=1"),
        "upper case": _at("/{kind.name}"),
        "singular": _at("/namespaces/{api.token}/{kind.info.singular}"),
        "a kind": _at("/namespaces/{api.token}/{kind.name}/x"),
        "a namespace alone": _at("/namespaces/{api.token}"),
        "namespaces alone": _at("/namespaces"),
        "double slashes": lambda api: api.send("GET", api.collection.replace("/namespaces", "//namespaces") + "//"),
        "double slashes at first": lambda api: api.send("GET", "/" + api.collection),
        "double slashes before a name": lambda api: api.send("GET", f"{api.collection}//{api.name('a')}"),
        "a trailing slash": lambda api: api.send("GET", f"{api.collection}/"),
        "a trailing slash after a name": lambda api: api.send("GET", f"{api.at('a')}/"),
        "percents": lambda api: api.send("GET", api.at("a").replace(api.name("a"), api.name("%61"))),
        "percents in the resource": lambda api: api.send("GET", api.collection.replace(api.kind.plural[0], f"%{ord(api.kind.plural[0]):02x}", 1) if False else api.at("a").replace(api.kind.plural, f"%{ord(api.kind.plural[0]):02x}{api.kind.plural[1:]}")),
        "an encoded slash": lambda api: api.send("GET", f"{api.collection}/a%2Fb"),
        "an encoded slash for a subresource": lambda api: api.send("GET", f"{api.at('a')}%2Fstatus"),
        "encoded spaces": lambda api: api.send("GET", f"{api.collection}/a%20b"),
        "an encoded percent": lambda api: api.send("GET", f"{api.collection}/a%25b"),
        "a name of UTF-8": lambda api: api.send("GET", f"{api.collection}/%C3%A9"),
        "a dot": lambda api: api.send("GET", f"{api.collection}/."),
        "two dots": lambda api: api.send("GET", f"{api.collection}/.."),
        "encoded dots": lambda api: api.send("GET", f"{api.collection}/%2E%2E"),
        "a long name": lambda api: api.send("GET", f"{api.collection}/{'x' * 300}"),
        "upper case name": lambda api: api.send("GET", f"{api.collection}/UPPER"),
        "a semicolon": lambda api: api.send("GET", f"{api.collection};a=b"),
        "a colon": lambda api: api.send("GET", f"{api.at('a')}:x"),
        "a plus": lambda api: api.send("GET", f"{api.collection}/a+b"),
        "a name that is not there": lambda api: api.get("none"),
        "another namespace": _at("/namespaces/default/{kind.plural}/{api.token}-a"),
        "no such namespace": _at("/namespaces/{api.token}-none/{kind.plural}"),
        "an object without its namespace": _at("/{kind.plural}/{api.token}-a"),
        "PUT without its namespace": _at("/{kind.plural}/{api.token}-a", "PUT", body={}),
        "DELETE without its namespace": _at("/{kind.plural}/{api.token}-none", "DELETE"),
        "PATCH without its namespace": _at("/{kind.plural}/{api.token}-a", "PATCH", body={}, type="application/merge-patch+json"),
        "another version": lambda api: api.send("GET", f"/apis/{api.arm.group}/v9/{api.kind.plural}"),
    },
)  # fmt: skip
rows(
    ERRORS,
    "parameters",
    {
        "timeout is none": _on("GET", "collection", query="timeout=x"),
        "timeout is a number": _on("GET", "collection", query="timeout=5"),
        "timeout is negative": _on("GET", "collection", query="timeout=-5s"),
        "timeout is zero": _on("GET", "object", query="timeout=0s"),
        "timeout is empty": _on("GET", "object", query="timeout="),
        "timeout is short": _on("GET", "object", query="timeout=10s"),
        "timeout is long": _on("GET", "object", query="timeout=10h"),
        "timeout twice": _on("GET", "object", query="timeout=10s&timeout=x"),
        "timeout of a write": _on("PUT", "object", query="timeout=x", body={}),
        "timeout of a watch": _on("GET", "collection", query="watch=true&timeoutSeconds=1&timeout=x"),
        "unknown parameters": _on("GET", "object", query="nope=1"),
        "a broken query": _on("GET", "object", query="a=%zz"),
        "a query of semicolons": _on("GET", "object", query="a=1;b=2"),
        "pretty": _on("GET", "object", query="pretty"),
        "pretty true": _on("GET", "object", query="pretty=true"),
        "pretty 1": _on("GET", "object", query="pretty=1"),
        "pretty false": _on("GET", "object", query="pretty=false"),
        "pretty is none": _on("GET", "object", query="pretty=x"),
        "pretty by agent": _on("GET", "object", headers={"User-Agent": "curl/8"}),
        "an expectation": _on("GET", "object", headers={"X-Http-Method-Override": "DELETE"}),
        "of an error": lambda api: api.get("none", "pretty=true"),
        "a client that waits to be asked for the body": lambda api: api.post(
            api.sample("w"), "dryRun=All", headers={"Expect": "100-continue"}
        ),
        "a client that waits to be refused": lambda api: api.post("{", headers={"Expect": "100-continue"}),
    },
)
rows(
    ERRORS,
    "what may be accepted",
    {
        accept or "nothing": lambda api, accept=accept: api.get("a", headers={"Accept": accept})
        for accept in (
            "", "*/*", "application/*", "application/json", "application/yaml", "text/html", "text/*", "image/png",
            "application/xml, application/json;q=0.5", "application/json;q=0", "application/json;odd=1",
            "application/json;charset=utf-8", "application/json;pretty=1", "application/yaml;q=0.9,application/json;q=0.1",
            "application/json;stream=watch", "nonsense", "application/json;as=Nope;v=v1;g=meta.k8s.io",
            "application/json;as=Table;v=v9;g=meta.k8s.io", "application/json;as=Table;v=v1;g=other",
            "application/json;as=Table", "application/json;as=Table;g=meta.k8s.io;v=v1beta1",
            "application/yaml;as=Table;g=meta.k8s.io;v=v1", "APPLICATION/JSON", "application/cbor",
            "application/cbor,application/json", "application/vnd.kubernetes.protobuf,application/json",
            "application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io",
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "application/json;as=Nope;v=v1;g=meta.k8s.io,application/json",
        )
    },
)  # fmt: skip
rows(
    ERRORS,
    "errors in other forms",
    {
        accept: lambda api, accept=accept: api.get("none", headers={"Accept": accept})
        for accept in (
            "application/yaml", "text/html", "application/json;as=Table;v=v1;g=meta.k8s.io", "*/*",
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        )
    },
)  # fmt: skip
