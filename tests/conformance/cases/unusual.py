"""Requests that few clients make: parameters on verbs that hardly use them, objects that are missing, limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conformance.api import APPLY, JSON_PATCH, MERGE, TABLE, YAML, Api
from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.table import Area, case, rows

UID = "11111111-2222-4333-8444-555555555555"
Request = Callable[[Api], Any]


def _missing(api: Api, **metadata: Any) -> dict[str, Any]:
    return api.sample("none", metadata=metadata)


_PRECONDITIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a version": {"resourceVersion": "1"},
    "version zero": {"resourceVersion": "0"},
    "an empty version": {"resourceVersion": ""},
    "no number": {"resourceVersion": "x"},
    "a uid": {"uid": UID},
    "an empty uid": {"uid": ""},
    "a uid and a version": {"uid": UID, "resourceVersion": "1"},
    "a deletion": {"deletionTimestamp": "2020-01-01T00:00:00Z"},
    "a generation": {"generation": 7},
}
rows(
    Area.WRITES,
    "writes to what is missing",
    {
        f"{verb} with {name}": lambda api, verb=verb, metadata=metadata: _WRITES[verb](api, metadata)
        for verb in ("PUT", "PUT of a status", "merge", "JSON patch", "apply", "apply of a status")
        for name, metadata in _PRECONDITIONS.items()
    },
)
_WRITES: dict[str, Callable[[Api, dict[str, Any]], Any]] = {
    "PUT": lambda api, metadata: api.put(_missing(api, **metadata), "none", "dryRun=All"),
    "PUT of a status": lambda api, metadata: api.put(_missing(api, **metadata), "none", sub="status"),
    "merge": lambda api, metadata: api.patch({"metadata": metadata}, "none"),
    "JSON patch": lambda api, metadata: api.patch(
        [{"op": "add", "path": f"/metadata/{name}", "value": value} for name, value in metadata.items()],
        "none",
        type=JSON_PATCH,
    ),
    "apply": lambda api, metadata: api.apply(_missing(api, **metadata), "none", query="dryRun=All"),
    "apply of a status": lambda api, metadata: api.apply(_missing(api, **metadata), "none", sub="status"),
}


_ODD = (
    "dryRun=Some", "dryRun=All&dryRun=All", "dryRun=&dryRun=All", "dryRun=all", "dryRun=true",
    "fieldValidation=Loose", "fieldValidation=strict", f"fieldManager={'m' * 129}", f"fieldManager={'m' * 128}",
    "fieldManager=%07", "fieldManager=a%20b", "propagationPolicy=Later", "gracePeriodSeconds=x", "pretty=x",
    "force=maybe", "orphanDependents=x", "resourceVersion=x", "limit=x", "timeoutSeconds=x", "watch=x",
    "labelSelector=a%20b%20c", "fieldSelector=nope%3Dx", "continue=x", "resourceVersionMatch=Odd", "preconditions=x",
    "timeout=1", "timeout=%2B5s", "timeout=1h1m1s1ms", "timeout=5", "timeout=1d",
)  # fmt: skip
_VERBS: dict[str, Callable[[Api, str], Any]] = {
    "get": lambda api, query: api.get("a", query),
    "status": lambda api, query: api.get("a", query, sub="status"),
    "create": lambda api, query: api.post(api.sample("b"), query + "&dryRun=All"),
    "create twice": lambda api, query: api.post(api.sample("a"), query),
    "put": lambda api, query: api.put({}, "a", query),
    "merge": lambda api, query: api.patch({}, "a", query),
    "status patch": lambda api, query: api.patch({}, "a", query, sub="status"),
    "JSON patch": lambda api, query: api.patch([], "a", query, type=JSON_PATCH),
    "apply": lambda api, query: api.send(
        "PATCH", api.at("a"), body=api.identity("a"), query=query, type=APPLY
    ),
    "delete": lambda api, query: api.delete("a", query + "&dryRun=All"),
    "delete what is missing": lambda api, query: api.delete("none", query),
    "delete a collection": lambda api, query: api.send(
        "DELETE", api.collection, query=f"{query}&labelSelector=x%3D{api.token}&dryRun=All"
    ),
}
rows(
    Area.ERRORS,
    "parameters of all verbs",
    {
        f"{verb}, {query[:40]}": lambda api, verb=verb, query=query: _VERBS[verb](api, query)
        for verb in _VERBS
        for query in _ODD
    },
    kinds=(RESTART,),
)


def _typed(method: str, kind: str, place: str = "object") -> Request:
    """A write whose body is of a type that is odd, and would be fine otherwise."""

    def request(api: Api) -> Any:
        bodies = {"POST": api.sample("t"), "PUT": api.sample("a"), "PATCH": {}, "DELETE": {"dryRun": ["All"]}}
        query = "dryRun=All" + ("&fieldManager=x" if "apply" in kind else "")
        path = api.collection if method == "POST" or place == "collection" else api.at("a")
        if place == "collection":
            query += f"&labelSelector=x%3D{api.token}"
        return api.send(method, path, body=bodies[method], query=query, type=kind)

    return request


rows(
    Area.ERRORS,
    "types of bodies",
    {
        f"{method} of {kind}": _typed(method, kind)
        for method in ("POST", "PUT", "PATCH", "DELETE")
        for kind in (
            "application/json", "application/json;charset=UTF-8", 'application/json; charset="utf-8"',
            "application/json;q=1", "application/json ; charset=utf-8", "Application/Json", "application/yaml;charset=utf-8",
            "application/x-yaml", "text/yaml", "text/json", "application/merge-patch+json", "application/merge-patch+json;q=1",
            "APPLICATION/MERGE-PATCH+JSON", "application/merge-patch+json; charset=latin1", "application/merge-patch",
            "application/json-patch+json;charset=utf-8", "application/apply-patch+yaml; charset=utf-8",
            "application/strategic-merge-patch+json; charset=utf-8", "application/apply-patch+json", "*/*", "application/*",
            "application", "/", ";", " ", "application/json,application/json", "multipart/form-data; boundary=x",
            "application/cbor-seq",
        )
    },
    kinds=(RESTART,),
)  # fmt: skip


def _yaml(text: str, query: str = "", kind: str = YAML, short: str = "a") -> Request:
    return lambda api: api.delete(short, body=text.replace("TOKEN", api.token), query=query, type=kind)


rows(
    Area.DELETE,
    "options in YAML",
    {
        "dryRun": _yaml("kind: DeleteOptions\napiVersion: v1\ndryRun:\n- All\n"),
        "an unknown policy": _yaml("propagationPolicy: Later\n"),
        "a precondition": _yaml(f"preconditions:\n  uid: {UID}\n"),
        "a version": _yaml('preconditions:\n  resourceVersion: "1"\n'),
        "a version that is a number": _yaml("preconditions:\n  resourceVersion: 1\n"),
        "a comment alone": _yaml("# nothing\n", "dryRun=All"),
        "nothing": _yaml("", "dryRun=All"),
        "spaces": _yaml("  \n", "dryRun=All"),
        "a document mark": _yaml("---\ndryRun: [All]\n"),
        "two documents": _yaml("dryRun: [All]\n---\npropagationPolicy: Later\n"),
        "a tab": _yaml("dryRun:\n\t- All\n"),
        "a key twice": _yaml("dryRun: [All]\ndryRun: [All]\n"),
        "a key twice, strictly": _yaml("dryRun: [All]\ndryRun: [All]\n", "fieldValidation=Strict"),
        "an anchor": _yaml("x: &x [All]\ndryRun: *x\n"),
        "text": _yaml("All\n"),
        "a list": _yaml("- All\n"),
        "null": _yaml("null\n", "dryRun=All"),
        "a wrong kind": _yaml("kind: Pod\napiVersion: v1\n"),
        "JSON as YAML": _yaml('{"dryRun":["All"]}'),
        "YAML as JSON": _yaml("dryRun: [All]\n", kind="application/json"),
        "grace": _yaml("gracePeriodSeconds: -1\ndryRun: [All]\n"),
        "grace of a fraction": _yaml("gracePeriodSeconds: 1.5\ndryRun: [All]\n"),
        "grace that is too much": _yaml("gracePeriodSeconds: 9223372036854775808\ndryRun: [All]\n"),
        "yes for orphans": _yaml("orphanDependents: yes\ndryRun: [All]\n"),
        "both for orphans": _yaml("orphanDependents: true\npropagationPolicy: Orphan\n"),
        "no store reads": _yaml("ignoreStoreReadErrorWithClusterBreakingPotential: true\ndryRun: [All]\n"),
        "no store reads in the query": _yaml(
            "", "ignoreStoreReadErrorWithClusterBreakingPotential=true&dryRun=All"
        ),
        "no store reads, a word": _yaml("", "ignoreStoreReadErrorWithClusterBreakingPotential=x&dryRun=All"),
        "text/plain and no body": lambda api: api.send(
            "DELETE", api.at("a"), body=b"", query="dryRun=All", type="text/plain"
        ),
        "of a status": lambda api: api.send("DELETE", api.at("a", "status"), query="dryRun=All"),
        "still there": lambda api: api.get("a"),
    },
    kinds=(RESTART,),
)


@case(Area.DELETE)
async def options_of_collections(api: Api) -> None:
    made = await api.create("a", metadata={"labels": {"case": api.token}})
    await api.create("b", metadata={"labels": {"case": api.token}})
    mine = f"labelSelector=case%3D{api.token}"

    async def deleted(body: Any, query: str = "", **options: Any) -> None:
        text = f"{mine}&{query}" if query else mine
        await api.send("DELETE", api.collection, query=text, body=body, **options)

    await deleted({"preconditions": {"resourceVersion": "1"}})
    await deleted({"preconditions": {"uid": UID, "resourceVersion": "1"}}, label="both")
    await deleted({"preconditions": {"uid": ""}, "dryRun": ["All"]}, label="an empty uid")
    await deleted({"preconditions": {}, "dryRun": ["All"]}, label="no conditions")
    await deleted({"preconditions": {"resourceVersion": 1}}, label="a number")
    await deleted({"orphanDependents": True, "propagationPolicy": "Orphan"}, label="twice the same")
    await deleted(None, "orphanDependents=true&propagationPolicy=Orphan")
    await deleted(None, "gracePeriodSeconds=x")
    await deleted(None, "gracePeriodSeconds=-1&dryRun=All")
    await deleted("propagationPolicy: Later\n", type=YAML, label="YAML")
    await deleted("dryRun: [All]\n", type=YAML, label="YAML, dry")
    await deleted({"dryRun": ["All"]}, headers={"Accept": TABLE}, label="as a Table")
    await deleted({"dryRun": ["All"]}, headers={"Accept": "application/yaml"}, label="as YAML")
    await deleted({"dryRun": ["All"]}, "resourceVersion=0&resourceVersionMatch=NotOlderThan")
    await deleted({"dryRun": ["All"]}, "resourceVersionMatch=NotOlderThan")
    await deleted({"dryRun": ["All"]}, "resourceVersion=0&resourceVersionMatch=Exact")
    await deleted({"dryRun": ["All"]}, "resourceVersion=-1")
    await deleted({"dryRun": ["All"]}, f"resourceVersion={made.rv}", label="at a version")
    await deleted({"dryRun": ["All"]}, "limit=-1")
    await deleted({"dryRun": ["All"]}, "allowWatchBookmarks=true")
    await deleted({"dryRun": ["All"]}, f"fieldSelector=metadata.name!%3D{api.name('a')}")
    await deleted({"dryRun": ["All"]}, f"fieldSelector=metadata.namespace%3D{api.token}")
    await deleted({"dryRun": ["All"]}, "fieldSelector=metadata.namespace%3Dother")
    await deleted({}, f"fieldSelector=metadata.name%3D{api.name('b')}", label="one of them")
    await api.list(mine)
    await deleted({"preconditions": {"uid": made.uid}}, label="its own uid")
    await api.list(mine)


def _raw(query: str, headers: dict[str, str] | None = None) -> Request:
    """A watch with these parameters and no time-out but what they say."""
    return lambda api: api.send(
        "GET", api.collection, query=f"watch=true&labelSelector=case%3D{api.token}&{query}", headers=headers
    )


rows(
    Area.WATCH,
    "parameters of watches",
    {
        query: _raw(query)
        for query in (
            "timeoutSeconds=x", "timeoutSeconds=1.5", "timeoutSeconds=1s", "timeoutSeconds=%2B1",
            "timeoutSeconds=99999999999999999999", "timeoutSeconds=1&timeoutSeconds=x", "timeoutSeconds=01",
            "timeoutSeconds=1&limit=-1", "timeoutSeconds=1&limit=x", "timeoutSeconds=1&continue=x&resourceVersion=0",
            "timeoutSeconds=1&resourceVersionMatch=Odd", "timeoutSeconds=1&resourceVersion=x&resourceVersionMatch=Exact",
            "timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=x",
            "timeoutSeconds=1&sendInitialEvents=1", "timeoutSeconds=1&allowWatchBookmarks=1&resourceVersion=0",
            "timeoutSeconds=1&fieldSelector=metadata.name%3D", "timeoutSeconds=1&fieldSelector=metadata.name%3Da,metadata.name%3Db",
            "timeoutSeconds=1&fieldSelector=metadata.name%3DUPPER", "timeoutSeconds=1&dryRun=Some",
            "timeoutSeconds=1&fieldSelector=metadata.uid%3Dx", "timeoutSeconds=1&timeout=1s&resourceVersion=0",
            "timeoutSeconds=1&resourceVersion=0&resourceVersion=x", "timeoutSeconds=1&resourceVersion=-5",
            "timeoutSeconds=1&resourceVersion=18446744073709551616", "timeoutSeconds=1&resourceVersion=1.0",
            "timeoutSeconds=1&pretty=true&resourceVersion=0", "timeoutSeconds=1&includeObject=None",
        )
    }
    | {
        f"as {accept}": _raw("timeoutSeconds=1&resourceVersion=0", {"Accept": accept})
        for accept in (
            "application/json;stream=watch;q=0.5,application/yaml", "application/json;stream=other", "",
            f"{TABLE};q=0.9,application/json;q=0.1", "application/json;as=Table;v=v2;g=meta.k8s.io",
            "application/json;as=Table;v=v2;g=meta.k8s.io,application/json",
            "application/yaml;q=1,application/json;q=0.1", "text/html,*/*;q=0.1",
        )
    },
    kinds=(CLUSTER,),
)  # fmt: skip


rows(
    Area.READS,
    "parameters of lists",
    {
        query: lambda api, query=query: api.list(f"labelSelector=case%3D{api.token}&{query}")
        for query in (
            "limit=9223372036854775807", "limit=9223372036854775808", "limit=-9223372036854775809", "limit=1e3", "limit=0x10",
            "limit=1&limit=x", "limit=x&limit=1", "continue=%00", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi94XHUwMDAwIn0",
            "continue=eyJ2IjoieCIsInJ2IjoxLCJzdGFydCI6ImEifQ", "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTUsInN0YXJ0IjoiYSJ9",
            "continue=", "continue=x&resourceVersion=1", "continue=x&limit=-1", "resourceVersion=&resourceVersionMatch=NotOlderThan",
            "resourceVersion=0&resourceVersion=x", "resourceVersionMatch=", "resourceVersionMatch=notOlderThan",
            "sendInitialEvents=false", "sendInitialEvents=x", "timeoutSeconds=-1", "allowWatchBookmarks=x", "watch=false&watch=true&timeoutSeconds=1",
            "watch=TRUE&timeoutSeconds=1", "watch=t&timeoutSeconds=1", "watch=&timeoutSeconds=1", "watch=no&timeoutSeconds=1",
            "fieldSelector=a%3Db&labelSelector=x%20y%20z", "fieldSelector=metadata.name%3Da&limit=1&continue=x",
            "labelSelector=a&labelSelector=b%20c%20d", "fieldSelector=metadata.name%3Da%5C", "fieldSelector=%20", "fieldSelector=a,,b",
            "fieldSelector=metadata.name%3D%3D%3Da", "fieldSelector=metadata.name!", "includeObject=Odd", "dryRun=Some", "fieldManager=%07",
        )
    }
    | {
        f"as {accept[:60]}": lambda api, accept=accept: api.list(
            f"labelSelector=case%3D{api.token}", headers={"Accept": accept}
        )
        for accept in (
            "application/json;q=0.1,application/yaml;q=0.9", "application/json;q=0,application/yaml", "application/json;q=2",
            "application/json;q=x", "application/yaml;q=0.5,*/*", "*/*;q=0.1,application/yaml;q=0.2", "text/html,application/yaml;q=0.1,*/*;q=0.01",
            f"{TABLE};q=0.1,application/json;q=0.9", f"application/json;q=0.9,{TABLE};q=0.1", "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
            "application/json;as=Table;v=v1alpha1;g=meta.k8s.io", "application/json;v=v1;g=meta.k8s.io", "application/json;as=;v=v1;g=meta.k8s.io",
            "application/json;as=Table;v=v1;g=meta.k8s.io;as=PartialObjectMetadataList", "application/json; as=Table; v=v1; g=meta.k8s.io",
            'application/json;as="Table";v=v1;g=meta.k8s.io', "application/json;AS=Table;V=v1;G=meta.k8s.io", "application/json;as=table;v=v1;g=meta.k8s.io",
            "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", "application/yaml;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            "*/*;as=Table;v=v1;g=meta.k8s.io", "application/*;as=Table;v=v1;g=meta.k8s.io", ",", ";", "application/json;;", "a/b/c", "application/json " * 50,
            "application/json;profile=x", "application/json;indent=4",
        )
    },
    kinds=(CLUSTER,),
)  # fmt: skip


def _nowhere(api: Api) -> str:
    return f"{api.arm.base}/namespaces/{api.token}-none/{api.kind.plural}"


def _in_no_namespace(method: str, suffix: str = "", **options: Any) -> Request:
    def request(api: Api) -> Any:
        body = options.get("body")
        if body == "sample":
            body = api.sample("b")
        path = _nowhere(api) + (f"/{api.name('b')}{suffix}" if suffix is not None and suffix != "-" else "")
        return api.send(method, path, **{**options, "body": body})

    return request


rows(
    Area.ERRORS,
    "a namespace that is not there",
    {
        "get": _in_no_namespace("GET"),
        "get a status": _in_no_namespace("GET", "/status"),
        "list": _in_no_namespace("GET", "-"),
        "list as a Table": _in_no_namespace("GET", "-", headers={"Accept": TABLE}),
        "a page": _in_no_namespace("GET", "-", query="limit=1"),
        "list of any age": _in_no_namespace("GET", "-", query="resourceVersion=0"),
        "watch": _in_no_namespace("GET", "-", query="watch=true&timeoutSeconds=1"),
        "create": _in_no_namespace("POST", "-", body="sample"),
        "create without a name": _in_no_namespace("POST", "-", body={}),
        "create, dry": _in_no_namespace("POST", "-", body="sample", query="dryRun=All"),
        "create, refused": _in_no_namespace("POST", "-", body="sample", query="dryRun=Some"),
        "put": _in_no_namespace("PUT", body="sample"),
        "put a status": _in_no_namespace("PUT", "/status", body="sample"),
        "merge": _in_no_namespace("PATCH", body={}, type=MERGE),
        "JSON patch": _in_no_namespace("PATCH", body=[], type=JSON_PATCH),
        "apply": _in_no_namespace("PATCH", body="sample", type=APPLY, query="fieldManager=x"),
        "apply, dry": _in_no_namespace("PATCH", body="sample", type=APPLY, query="fieldManager=x&dryRun=All"),
        "delete": _in_no_namespace("DELETE"),
        "delete a collection": _in_no_namespace("DELETE", "-"),
    },
    kinds=(CLUSTER, RESTART),
)


rows(
    Area.ERRORS,
    "other methods and headers",
    {
        "HEAD of what is missing": lambda api: api.send("HEAD", api.at("none")),
        "HEAD with a bad selector": lambda api: api.send("HEAD", api.collection, query="fieldSelector=nope%3Dx"),
        "HEAD as a Table": lambda api: api.send("HEAD", api.at("a"), headers={"Accept": TABLE}),
        "HEAD of what is not accepted": lambda api: api.send("HEAD", api.at("a"), headers={"Accept": "text/html"}),
        "HEAD of a status": lambda api: api.send("HEAD", api.at("a", "status")),
        "HEAD of no resource": lambda api: api.send("HEAD", f"{api.arm.base}/nopes"),
        "HEAD of the group": lambda api: api.send("HEAD", api.arm.base),
        "OPTIONS of a browser": lambda api: api.send(
            "OPTIONS", api.at("a"), headers={"Origin": "https://x", "Access-Control-Request-Method": "PUT"}
        ),
        "OPTIONS of no resource": lambda api: api.send("OPTIONS", f"{api.arm.base}/nopes"),
        "POST to the list of resources": lambda api: api.send("POST", api.arm.base, body={}),
        "DELETE of the list of resources": lambda api: api.send("DELETE", api.arm.base),
        "OPTIONS of the list of resources": lambda api: api.send("OPTIONS", api.arm.base),
        "POST of a status": lambda api: api.send("POST", api.at("a", "status"), body={}),
        "DELETE of a scale": lambda api: api.send("DELETE", api.at("a", "scale")),
        "a subresource that is none": lambda api: api.send("GET", api.at("a", "nope")),
        "POST of one that is none": lambda api: api.send("POST", api.at("a", "nope"), body={}),
        "below a subresource": lambda api: api.send("GET", api.at("a", "status/x")),
        "below a subresource, PUT": lambda api: api.send("PUT", api.at("a", "status/x"), body={}),
        "a subresource of what is missing": lambda api: api.send("GET", api.at("none", "status")),
        "proxy": lambda api: api.send("GET", api.at("a", "proxy/x")),
        "finalize": lambda api: api.send("PUT", api.at("a", "finalize"), body={}),
        "an origin": lambda api: api.get("a", headers={"Origin": "https://x"}),
        "a cookie": lambda api: api.get("a", headers={"Cookie": "a=b"}),
        "conditions": lambda api: api.get("a", headers={"If-Match": '"x"', "If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"}),
        "a condition of a write": lambda api: api.patch({}, headers={"If-Match": '"x"'}),
        "a compressed body": lambda api: api.patch({}, headers={"Content-Encoding": "gzip"}),
        "an encoding of none": lambda api: api.patch({}, headers={"Content-Encoding": "nope"}),
        "languages": lambda api: api.get("none", headers={"Accept-Language": "de", "Accept-Charset": "latin1"}),
    },
)  # fmt: skip


@case(Area.ERRORS)
async def odd_paths_of_writes(api: Api) -> None:
    await api.create("a")
    sample = json.dumps(api.sample("b"))
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (
            f"{api.collection}/", f"{api.at('a')}/", f"{api.collection}//{api.name('a')}", f"{api.collection}/{api.name('a')}%2Fstatus",
            f"{api.collection}/a%20b", f"{api.collection}/..", f"{api.collection}/%2E", f"{api.collection}/{'n' * 254}",
            f"{api.collection}/UPPER", f"{api.collection}/%00", f"{api.collection}/a%2525", f"/{api.collection}",
        ):  # fmt: skip
            if method == "DELETE" and path.endswith("s/"):
                continue  # the whole collection
            options = {"type": MERGE} if method == "PATCH" else {}
            body = None if method == "DELETE" else "{}" if method == "PATCH" else sample
            await api.send(method, path, body=body, query="dryRun=All", **options)
