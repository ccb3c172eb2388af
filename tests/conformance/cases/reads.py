"""get and list: selectors, and parameters that lists do not have."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import TABLE, Api
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
