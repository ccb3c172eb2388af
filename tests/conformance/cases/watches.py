"""watch: where it begins, what it sends, how it ends."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import JSON_PATCH, METADATA, TABLE, Api
from tests.conformance.table import Area, case, rows

WATCH = Area.WATCH


def _mine(api: Api, *more: str) -> str:
    return "&".join([f"labelSelector=case%3D{api.token}", *more])


async def _history(api: Api) -> list[str]:
    """Objects that come, change and go; the versions on the way."""
    labels = {"case": api.token}
    first = await api.create("a", metadata={"labels": labels})
    second = await api.create("b", metadata={"labels": labels})
    third = await api.patch(api.kind.change(api.kind.values[0]))
    fourth = await api.patch({"metadata": {"labels": {"own": "x"}}}, "b")
    fifth = await api.patch({"status": {"phase": api.kind.phase}}, sub="status")
    await api.delete("b")
    await api.create("c", metadata={"labels": labels})
    return [each.rv for each in (first, second, third, fourth, fifth)]


@case(WATCH)
async def from_a_version(api: Api) -> None:
    versions = await _history(api)
    for number, version in enumerate(versions):
        await api.watch(_mine(api, f"resourceVersion={version}"), label=f"watch from {number}")
    for number, version in enumerate(versions[:2]):
        for accept in (TABLE, METADATA, "application/yaml", "text/html", "application/json;stream=watch"):
            headers = {"Accept": accept}
            await api.watch(
                _mine(api, f"resourceVersion={version}"), headers=headers, label=f"{accept} from {number}"
            )
    for include in ("None", "Object", "Wrong"):
        query = _mine(api, f"resourceVersion={versions[0]}", f"includeObject={include}")
        await api.watch(query, headers={"Accept": TABLE}, label=f"Table with {include}")


@case(WATCH)
async def from_the_beginning(api: Api) -> None:
    await _history(api)
    for version in ("", "0", "x", "-1"):
        for bookmarks in ("", "true"):
            query = [f"resourceVersion={version}"] if version else []
            query += [f"allowWatchBookmarks={bookmarks}"] if bookmarks else []
            await api.watch(_mine(api, *query))
    await api.watch(_mine(api), headers={"Accept": TABLE})
    await api.watch(_mine(api), headers={"Accept": METADATA})


@case(WATCH)
async def too_old(api: Api) -> None:
    await _history(api)
    await api.watch(_mine(api, "resourceVersion=1"))
    await api.watch(_mine(api, "resourceVersion=1"), headers={"Accept": TABLE})


@case(WATCH)
async def transitions_of_selections(api: Api) -> None:
    versions = await _history(api)
    start = f"resourceVersion={versions[0]}"
    await api.patch({"metadata": {"labels": {"own": "x"}}})
    await api.patch({"metadata": {"labels": {"own": "y"}}})
    await api.patch({"metadata": {"labels": {"own": None}}})
    await api.watch(f"labelSelector=case%3D{api.token},own%3Dx&{start}", label="own=x")
    await api.watch(f"labelSelector=case%3D{api.token},%21own&{start}", label="!own")
    await api.watch(
        f"labelSelector=case%3D{api.token},own%3Dx&{start}",
        headers={"Accept": TABLE},
        label="own=x as a Table",
    )
    await api.watch(f"fieldSelector=metadata.name%3D{api.name('b')}&{start}", label="one object")
    await api.watch(
        f"fieldSelector=metadata.name%21%3D{api.name('b')}&{_mine(api, start)}", label="not one object"
    )
    await api.watch(f"fieldSelector=status.phase%3D{api.kind.phase}&{_mine(api, start)}", label="running")
    await api.watch(
        f"fieldSelector={api.kind.selector}%3D{api.kind.selected}&{_mine(api, start)}", label="selected"
    )
    await api.watch("fieldSelector=spec.nope%3Dx", label="an unknown field")
    await api.watch("labelSelector=a%20b%20c", label="no selector")


@case(WATCH)
async def initial_events(api: Api) -> None:
    await api.create("a", metadata={"labels": {"case": api.token}})
    for send in ("true", "false", "maybe"):
        for match in ("", "NotOlderThan", "Exact"):
            for version in ("", "0"):
                for bookmarks in ("", "true"):
                    query = [f"sendInitialEvents={send}"]
                    query += [f"resourceVersionMatch={match}"] if match else []
                    query += [f"resourceVersion={version}"] if version else []
                    query += [f"allowWatchBookmarks={bookmarks}"] if bookmarks else []
                    if send != "true" and match == "NotOlderThan" and bookmarks:
                        continue  # whether a bookmark comes within the second is a matter of luck
                    await api.watch(_mine(api, *query))
    await api.watch(_mine(api, "resourceVersionMatch=NotOlderThan"))
    await api.watch(_mine(api, "resourceVersionMatch=Exact"))
    query = _mine(
        api, "sendInitialEvents=true", "resourceVersionMatch=NotOlderThan", "allowWatchBookmarks=true"
    )
    await api.watch(query, headers={"Accept": TABLE}, label="initial as Tables")
    await api.watch(query, headers={"Accept": METADATA}, label="initial as metadata")


@case(WATCH)
async def other_ways_to_watch(api: Api) -> None:
    await api.create("a", metadata={"labels": {"case": api.token}})
    base, path = api.arm.base, api.collection.removeprefix(api.arm.base)
    await api.send("GET", f"{base}/watch{path}", query=_mine(api, "timeoutSeconds=1"))
    await api.send("GET", f"{base}/watch{path}/{api.name('a')}", query="timeoutSeconds=1")
    await api.send("GET", api.at("a"), query="watch=true&timeoutSeconds=1")
    await api.send("GET", api.at("a", "status"), query="watch=true&timeoutSeconds=1")
    await api.send("GET", f"{base}/watch{path}", query="timeoutSeconds=x")
    await api.watch(_mine(api), label="continue")
    await api.watch(_mine(api, "limit=1"))
    await api.watch(_mine(api, "continue=x"))
    await api.send("GET", api.collection, query=_mine(api, "watch=1", "timeoutSeconds=1"))
    await api.send("GET", api.collection, query=_mine(api, "watch", "timeoutSeconds=1"))
    await api.send("GET", api.collection, query=_mine(api, "watch=true", "timeoutSeconds=x"))
    await api.send(
        "POST", api.collection, query=_mine(api, "watch=true", "timeoutSeconds=1"), body=api.sample("p")
    )
    await api.patch([], type=JSON_PATCH, query="watch=true")


@case(WATCH)
async def over_web_sockets(api: Api) -> None:
    versions = await _history(api)
    for number, version in enumerate(versions):
        await api.socket(_mine(api, f"resourceVersion={version}"), label=f"socket from {number}")
    for accept in (TABLE, METADATA):
        query = _mine(api, f"resourceVersion={versions[0]}")
        await api.socket(query, headers={"Accept": accept}, label=f"socket as {accept}")
    initial = ("sendInitialEvents=true", "resourceVersionMatch=NotOlderThan", "allowWatchBookmarks=true")
    await api.socket(_mine(api))
    await api.socket(_mine(api, *initial))
    await api.socket(_mine(api, "resourceVersion=1"))


_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def _handshake(watched: str = "watch=true&timeoutSeconds=1", **headers: str | None) -> Any:
    """A request for a WebSocket, with headers that are not as they should be; None leaves one out."""
    whole: dict[str, str | None] = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": _KEY,
        "Sec-WebSocket-Version": "13",
        "Origin": "https://x",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in whole.items() if value is not None}
    return lambda api: api.send("GET", api.collection, query=f"{_mine(api)}&{watched}", headers=sent)


rows(
    WATCH,
    "handshakes of WebSockets",
    {
        "no origin": _handshake(Origin=None),
        "a null origin": _handshake(Origin="null"),
        "an origin that is none": _handshake(Origin="x"),
        "an origin that is a path": _handshake(Origin="/x", **{"Sec-WebSocket-Version": "8"}),
        "no key": _handshake(**{"Sec-WebSocket-Key": None}),
        "no version": _handshake(**{"Sec-WebSocket-Version": None}),
        "an old version": _handshake(**{"Sec-WebSocket-Version": "8"}),
        "two subprotocols": _handshake(**{"Sec-WebSocket-Protocol": "one, two"}),
        "an unknown field": _handshake("watch=true&fieldSelector=nope%3Dx"),
        "an odd version": _handshake("watch=true&resourceVersion=x"),
        "YAML": _handshake(Accept="application/yaml"),
    },
)


@case(WATCH)
async def odd_watches(api: Api) -> None:
    await api.create("a", metadata={"labels": {"case": api.token}})
    for query in (
        "allowWatchBookmarks=x", "resourceVersion=0&resourceVersionMatch=NotOlderThan", "limit=5", "sendInitialEvents=",
        "resourceVersionMatch=", f"fieldSelector=metadata.name%3D{api.name('a')}", "fieldSelector=nope",
        "includeObject=Wrong", "resourceVersion=00",
    ):  # fmt: skip
        await api.watch(_mine(api, query), label=f"watch {query}")
    for accept in (
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        "application/vnd.kubernetes.protobuf,application/json",
        "application/cbor-seq,application/json",
        TABLE.replace("v=v1;", "v=v1beta1;"),
        "*/*",
    ):
        headers = {"Accept": accept}
        await api.watch(_mine(api, "resourceVersion=0"), headers=headers, label=f"watch as {accept}")
    query = f"watch=true&timeoutSeconds=1&resourceVersion=0&fieldSelector=metadata.name%3D{api.name('a')}"
    await api.send("GET", api.everywhere, query=query)
    await api.send("HEAD", api.collection, query=_mine(api, "watch=true", "timeoutSeconds=1"))
