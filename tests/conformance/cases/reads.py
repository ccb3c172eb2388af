"""get and list: shapes, selectors, pages, versions."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.conformance.api import METADATA, METADATA_LIST, TABLE, Api
from tests.conformance.kinds import CLUSTER, RESTART
from tests.conformance.table import Area, case, rows

READS = Area.READS


async def _some(api: Api, count: int = 4) -> list[str]:
    """Objects with labels; their versions."""
    versions = []
    for number in range(count):
        labels = {"case": api.token, "own": f"o{number}", "half": str(number % 2)}
        made = await api.create(f"o{number}", metadata={"labels": labels})
        versions.append(made.rv)
    return versions


def _mine(api: Api, *more: str) -> str:
    return "&".join([f"labelSelector=case%3D{api.token}", *more])


@case(READS)
async def shapes_of_lists(api: Api) -> None:
    await _some(api)
    for accept in (
        TABLE,
        METADATA_LIST,
        METADATA,
        "application/yaml",
        f"{TABLE},application/json",
        "text/html",
    ):
        await api.list(_mine(api), headers={"Accept": accept}, label=f"list as {accept}")
        await api.list(_mine(api, "limit=2"), headers={"Accept": accept}, label=f"page as {accept}")
    for include in ("None", "Metadata", "Object", "Wrong", ""):
        await api.list(_mine(api, f"includeObject={include}"), headers={"Accept": TABLE})
        await api.get("o1", f"includeObject={include}", headers={"Accept": TABLE})
    await api.get("o1", headers={"Accept": METADATA})
    await api.list(_mine(api), headers={"Accept": TABLE.replace("v=v1;", "v=v1beta1;")})
    await api.list(_mine(api), headers={"Accept-Encoding": "gzip"})
    await api.list(_mine(api, "pretty=true"))


def _labels(selector: str) -> Any:
    return lambda api: api.list(f"labelSelector=case%3D{api.token},{selector}")


@case(READS)
async def label_selectors(api: Api) -> None:
    await _some(api)
    for selector in (
        "own", "%21own", "own%3Do1", "own%3D%3Do1", "own%21%3Do1", "own%20in%20%28o1,o2%29", "own%20notin%20%28o1%29",
        "own%20in%20%28%29", "own%20in%20o1", "nope", "%21nope", "half%3D1,own%21%3Do1", "half%3E0", "half%3C1", "half%20gt%200",
        "own%3D", "%3Do1", ",,", "own%3D%3D%3Do1", "own%20o1", "own%3Da%20b", "a%2Fb%2Fc", "own%20in%20%28o1", "own%20IN%20%28o1%29",
        "own%3D-x", "x%3D" + "y" * 64, "own%20in%20%28o1,%29", "%20own%20%3D%20o1%20", "own%20exists",
    ):  # fmt: skip
        await _labels(selector)(api)
    await api.list("labelSelector=")


@case(READS)
async def field_selectors(api: Api) -> None:
    await _some(api)
    for selector in (
        f"metadata.name%3D{api.name('o1')}", f"metadata.name%21%3D{api.name('o1')}", f"metadata.name%3D%3D{api.name('o1')}",
        f"metadata.name%3D{api.name('none')}", "metadata.name%3D", "metadata.name", f"metadata.namespace%3D{api.token}",
        "metadata.namespace%3Dother", f"metadata.namespace%21%3D{api.token}", "spec.nope%3Dx", "metadata.uid%3Dx", "nonsense",
        f"{api.kind.selector}%3D{api.kind.selected}", f"{api.kind.selector}%21%3D{api.kind.selected}", f"{api.kind.selector}%3Dother",
        f"metadata.name%3D{api.name('o1')},metadata.name%3D{api.name('o2')}", "%3D", ",", "metadata.name%3Da%5C,b", "metadata.name%3Da%3Db",
        "kind%3Dx", f"metadata.name%20%3D%20{api.name('o1')}",
    ):  # fmt: skip
        await api.list(f"labelSelector=case%3D{api.token}&fieldSelector={selector}")
    await api.list(f"fieldSelector=metadata.name%3D{api.name('o1')}")
    await api.patch({"status": {"phase": api.kind.phase}}, "o1", sub="status")
    await api.list(f"labelSelector=case%3D{api.token}&fieldSelector=status.phase%3D{api.kind.phase}")


@case(READS)
async def pages(api: Api) -> None:
    await _some(api)
    first = await api.list(_mine(api, "limit=1"))
    token = first.body["metadata"]["continue"]
    await api.delete("o2")
    await api.create("o25", metadata={"labels": {"case": api.token}})
    second = await api.list(_mine(api, "limit=1", f"continue={token}"))
    token = second.body["metadata"]["continue"]
    await api.list(_mine(api, f"continue={token}"))
    await api.list(_mine(api, f"continue={token}", "resourceVersion=0"))
    await api.list(_mine(api, f"continue={token}", "resourceVersion=5"))
    await api.list(_mine(api, f"continue={token}", "resourceVersionMatch=Exact"))
    await api.list(_mine(api, "continue=nonsense"))
    await api.list(_mine(api, "continue=e30"))
    await api.list(_mine(api, "limit=0"))
    await api.list(_mine(api, "limit=-1"))
    await api.list(_mine(api, "limit=x"))
    await api.list(_mine(api, "limit=100"))
    await api.list(_mine(api, "limit=2"), headers={"Accept": TABLE})


@case(READS)
async def versions(api: Api) -> None:
    made = await _some(api)
    for version in ("", "0", made[1], made[-1], "1", "x", "-1", "99999999999", "1.5", "01"):
        for match in ("", "Exact", "NotOlderThan", "Wrong"):
            for limit in ("", "2"):
                query = [f"resourceVersion={version}"] if version else []
                query += [f"resourceVersionMatch={match}"] if match else []
                query += [f"limit={limit}"] if limit else []
                if version == "99999999999" and match != "Exact":
                    continue  # waits for three seconds
                if limit and not api.kind.namespaced:
                    continue  # whether there are more depends on other cases
                await api.list(_mine(api, *query), label=f"list at {_symbol(version, made)} {match} {limit}")
    for version in ("", "0", made[1], "1", "x", "-1"):
        await api.get("o1", f"resourceVersion={version}", label=f"get at {_symbol(version, made)}")
    await api.get("none", "resourceVersion=0")


def _symbol(version: str, made: list[str]) -> str:
    return f"own {made.index(version)}" if version in made else version


@case(READS)
async def the_future(api: Api) -> None:
    await api.create("a")
    await api.list(_mine(api, "resourceVersion=99999999999"))
    await api.get("a", "resourceVersion=99999999999")


rows(
    READS,
    "odd reads",
    {
        "everywhere": lambda api: api.send(
            "GET", api.everywhere, query=f"fieldSelector=metadata.name%3D{api.name('a')}"
        ),
        "everywhere as a Table": lambda api: api.send(
            "GET",
            api.everywhere,
            query=f"fieldSelector=metadata.name%3D{api.name('a')}",
            headers={"Accept": TABLE},
        ),
        "timeoutSeconds": lambda api: api.list(_mine(api, "timeoutSeconds=1")),
        "bad timeoutSeconds": lambda api: api.list(_mine(api, "timeoutSeconds=x")),
        "bookmarks without a watch": lambda api: api.list(_mine(api, "allowWatchBookmarks=true")),
        "initial events without a watch": lambda api: api.list(_mine(api, "sendInitialEvents=true")),
        "watch is false": lambda api: api.list(_mine(api, "watch=false")),
        "watch is 0": lambda api: api.list(_mine(api, "watch=0")),
        "watch is none": lambda api: api.list(_mine(api, "watch=maybe&timeoutSeconds=1")),
        "a body": lambda api: api.send("GET", api.at("a"), body={"x": 1}),
        "If-None-Match": lambda api: api.get("a", headers={"If-None-Match": "*"}),
        "a range": lambda api: api.get("a", headers={"Range": "bytes=0-1"}),
    },
)


@case(READS, kinds=(CLUSTER, RESTART))
async def pages_without_selectors(api: Api) -> None:
    for short in "abc":
        await api.create(short)
    first = await api.list("limit=1")
    token = first.body["metadata"]["continue"]
    for accept in (TABLE, METADATA_LIST):
        await api.list("limit=1", headers={"Accept": accept}, label=f"page as {accept}")
    await api.list(f"limit=1&continue={token}")
    await api.list(f"limit=500&continue={token}")
    for query in ("", "&resourceVersionMatch=Exact", "&resourceVersionMatch=NotOlderThan"):
        await api.list(f"limit=2&resourceVersion={first.rv}{query}", label=f"page at its version {query}")
    await api.list("fieldSelector=metadata.name%21%3Dx&limit=1")
    await api.list("fieldSelector=&labelSelector=&limit=1")
    for limit in ("99999999999999999999", "", "1.5", "%2B1", "%201"):
        await api.list(f"limit={limit}")
    for version in ("%2B1", "00", "18446744073709551615", "18446744073709551616"):
        await api.list(f"resourceVersion={version}")
    await api.delete("b")
    await api.list(f"limit=1&continue={token}")


@case(READS)
async def compression(api: Api) -> None:
    large = api.sample("a", metadata={"annotations": {"x": "y" * 150_000}, "labels": {"case": api.token}})
    await api.send("POST", api.collection, body=large, record=False)
    for encoding in ("gzip", "deflate", "gzip;q=0", "identity", "br, gzip", "*"):
        headers = {"Accept-Encoding": encoding}
        await api.get("a", headers=headers, label=f"get with {encoding}")
        await api.list(_mine(api), headers=headers, label=f"list with {encoding}")
        await api.patch({}, headers=headers, label=f"patch with {encoding}")
    for accept in ("application/yaml", TABLE):
        headers = {"Accept-Encoding": "gzip", "Accept": accept}
        await api.get("a", headers=headers, label=f"compressed {accept}")


def _aged(token: str) -> str:
    """The token of a page, as if it had been given long ago."""
    content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return base64.urlsafe_b64encode(json.dumps({**content, "rv": 2}).encode()).decode().rstrip("=")


@case(READS)
async def expired_tokens(api: Api) -> None:
    """The tokens of pages are the store's: this is one of a version that it has forgotten."""
    await _some(api, 3)
    first = await api.list(_mine(api, "limit=1"))
    token = _aged(first.body["metadata"]["continue"])
    for accept in ("application/json", TABLE, "application/yaml"):
        headers = {"Accept": accept}
        await api.list(
            _mine(api, "limit=1", f"continue={token}"), headers=headers, label=f"expired as {accept}"
        )
    expired = await api.list(_mine(api, "limit=1", f"continue={token}"), label="expired")
    fresh = expired.body["metadata"]["continue"]
    await api.list(_mine(api, f"continue={fresh}"), label="the rest, inconsistent")
    page = await api.list(_mine(api, "limit=1", f"continue={fresh}"), label="a page, inconsistent")
    await api.list(_mine(api, f"continue={page.body['metadata']['continue']}"), label="from there on")
    await api.list(_mine(api, f"continue={fresh}", "resourceVersion=5"), label="with a version")
    await api.list(_mine(api, "resourceVersion=2", "resourceVersionMatch=Exact"), label="a forgotten version")
    await api.list(_mine(api, "resourceVersion=2", "limit=1"), label="a page of a forgotten version")
