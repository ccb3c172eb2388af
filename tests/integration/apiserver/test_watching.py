"""Watches on the wire: beginnings, transitions, shapes, and what a watcher can rely on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.integration.apiserver.conftest import Obj
from tests.servers import Facade, Proxy

Make = Callable[..., Obj]
GV = "/apis/missioncontrol.io/v1alpha1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class Watch:
    """A watch whose events are read with a deadline."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def next(self) -> Obj:
        async with asyncio.timeout(30):
            line = await self._answer.content.readline()
        assert line, "the watch has ended"
        event: Obj = json.loads(line)
        return event

    async def seen(self) -> tuple[str, str]:
        event = await self.next()
        return event["type"], event["object"]["metadata"].get("name", "")

    async def rest(self) -> bytes:
        async with asyncio.timeout(30):
            data: bytes = await self._answer.content.read()
        return data


@contextlib.asynccontextmanager
async def watching(proxy: Proxy, path: str, accept: str = "", **query: str) -> AsyncIterator[Watch]:
    parameters = {"watch": "true", **query}
    headers = {"Accept": accept} if accept else {}
    async with proxy.request("GET", path, params=parameters, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield Watch(answer)


def clusters(namespace: str) -> str:
    return f"{GV}/namespaces/{namespace}/missioncontrolclusters"


async def label(proxy: Proxy, path: str, **labels: str | None) -> Obj:
    headers = {"Content-Type": "application/merge-patch+json"}
    status, changed = await proxy.json(
        "PATCH", path, data=json.dumps({"metadata": {"labels": labels}}), headers=headers
    )
    assert status == 200, changed
    result: Obj = changed
    return result


async def test_a_stream_is_present_and_then_what_happens(proxy: Proxy, namespace: str, cluster: Make) -> None:
    path = clusters(namespace)
    for name in ("a", "b"):
        assert (await proxy.json("POST", path, json=cluster(name)))[0] == 201
    async with watching(proxy, path) as latest:
        assert [await latest.seen(), await latest.seen()] == [("ADDED", "a"), ("ADDED", "b")]
        changed = await label(proxy, f"{path}/a", tier="gold")
        event = await latest.next()
        assert event == {"type": "MODIFIED", "object": changed}
        await proxy.json("DELETE", f"{path}/b")
        deleted = await latest.next()
        assert deleted["type"] == "DELETED"
        version = int(deleted["object"]["metadata"]["resourceVersion"])
        assert version > int(changed["metadata"]["resourceVersion"])
    async with watching(proxy, path, resourceVersion=changed["metadata"]["resourceVersion"]) as resumed:
        assert await resumed.next() == deleted


async def test_selectors_make_transitions(proxy: Proxy, namespace: str, cluster: Make) -> None:
    path = clusters(namespace)
    status, listed = await proxy.json("GET", path)
    assert status == 200
    version = listed["metadata"]["resourceVersion"]
    async with watching(proxy, path, labelSelector="tier=gold", resourceVersion=version) as gold:
        await proxy.json("POST", path, json=cluster("a"))
        entered = await label(proxy, f"{path}/a", tier="gold")
        assert await gold.next() == {"type": "ADDED", "object": entered}
        inside = await label(proxy, f"{path}/a", tier="gold", more="x")
        assert await gold.next() == {"type": "MODIFIED", "object": inside}
        left = await label(proxy, f"{path}/a", tier=None)
        event = await gold.next()
        assert event["type"] == "DELETED"
        # as it was when it was last selected, at the version at which it left
        assert event["object"]["metadata"]["labels"] == {"tier": "gold", "more": "x"}
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
        await proxy.json("DELETE", f"{path}/a")
        await proxy.json("POST", path, json=cluster("b"))
        await label(proxy, f"{path}/b", tier="gold")
        assert await gold.seen() == ("ADDED", "b")
    async with watching(proxy, path, fieldSelector="metadata.name=b", resourceVersion=version) as one:
        assert await one.seen() == ("ADDED", "b")
        assert await one.seen() == ("MODIFIED", "b")


async def test_initial_events_end_with_a_bookmark(proxy: Proxy, namespace: str, cluster: Make) -> None:
    path = clusters(namespace)
    await proxy.json("POST", path, json=cluster("a"))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    _, listed = await proxy.json("GET", path)
    version = listed["metadata"]["resourceVersion"]
    for extra in ({}, {"resourceVersion": "0"}, {"resourceVersion": version}):
        async with watching(proxy, path, **query, **extra) as stream:
            assert await stream.seen() == ("ADDED", "a")
            event = await stream.next()
            assert event["type"] == "BOOKMARK"
            metadata = event["object"]["metadata"]
            assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
            if "resourceVersion" in extra:
                assert int(metadata["resourceVersion"]) >= int(extra["resourceVersion"])
    status, refused = await proxy.json("GET", f"{path}?watch=true&sendInitialEvents=true")
    assert (status, refused["reason"]) == (422, "Invalid")


async def test_shapes_of_events(proxy: Proxy, namespace: str, cluster: Make) -> None:
    path = clusters(namespace)
    await proxy.json("POST", path, json=cluster("a"))
    async with watching(proxy, path, TABLE) as tables, watching(proxy, path, METADATA) as metadata:
        first, slim = (await tables.next())["object"], (await metadata.next())["object"]
        assert first["columnDefinitions"][0]["name"] == "Name"
        assert first["rows"][0]["cells"][0] == "a"
        assert first["rows"][0]["object"]["metadata"]["name"] == "a"
        assert (slim["kind"], set(slim)) == ("PartialObjectMetadata", {"kind", "apiVersion", "metadata"})
        await label(proxy, f"{path}/a", tier="gold")
        second, slim = (await tables.next())["object"], (await metadata.next())["object"]
        assert not second["columnDefinitions"]
        assert slim["metadata"]["labels"] == {"tier": "gold"}


async def test_operations_are_seen_through_both_of_their_kinds(
    proxy: Proxy, namespace: str, cluster: Make, stored_datacenters: Callable[[str], None]
) -> None:
    await proxy.json("POST", clusters(namespace), json=cluster())
    await asyncio.to_thread(stored_datacenters, "demo")
    typed, view = (f"{GV}/namespaces/{namespace}/{plural}" for plural in ("rollingrestarts", "operations"))
    async with watching(proxy, typed) as restarts, watching(proxy, view) as operations:
        body = {
            "apiVersion": "missioncontrol.io/v1alpha1",
            "kind": "RollingRestart",
            "metadata": {"name": "r1"},
            "spec": {"clusterName": "demo"},
        }
        status, made = await proxy.json("POST", typed, json=body)
        assert status == 201, made
        assert await restarts.next() == {"type": "ADDED", "object": made}
        event = await operations.next()
        _, seen = await proxy.json("GET", f"{view}/rollingrestart.r1")
        assert event == {"type": "ADDED", "object": seen}


async def test_time_runs_out_with_a_bookmark(proxy: Proxy, namespace: str) -> None:
    path = clusters(namespace)
    _, listed = await proxy.json("GET", path)
    version = listed["metadata"]["resourceVersion"]
    query = {"resourceVersion": version, "timeoutSeconds": "3"}
    async with watching(proxy, path, **query, allowWatchBookmarks="true") as stream:
        event = await stream.next()
        assert (event["type"], event["object"]["kind"]) == ("BOOKMARK", "MissionControlCluster")
        assert int(event["object"]["metadata"]["resourceVersion"]) >= int(version)
        # one of the store's own may follow
        assert {json.loads(line)["type"] for line in (await stream.rest()).splitlines()} <= {"BOOKMARK"}
    async with watching(proxy, path, **{**query, "timeoutSeconds": "1"}) as stream:
        assert await stream.rest() == b""


async def test_one_who_does_not_read_is_cut_and_holds_up_nobody(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    path = clusters(namespace)
    _, made = await proxy.json("POST", path, json=cluster("a"))
    version = made["metadata"]["resourceVersion"]
    filler = "x" * 200_000
    async with (
        watching(proxy, path, resourceVersion=version) as slow,
        watching(proxy, path, METADATA, resourceVersion=version, labelSelector="!none") as other,
    ):
        slow._answer.content._protocol.pause_reading()
        for number in range(80):
            annotations = {"filler": filler, "number": str(number)}
            body = json.dumps({"metadata": {"annotations": annotations}})
            headers = {"Content-Type": "application/merge-patch+json"}
            status, _ = await proxy.json("PATCH", f"{path}/a", data=body, headers=headers)
            assert status == 200
            event = await other.next()
            assert event["object"]["metadata"]["annotations"]["number"] == str(number)
            if "does not keep up" in facade.log.read_text():
                break
        else:
            raise AssertionError("a watcher that does not read was never cut")
