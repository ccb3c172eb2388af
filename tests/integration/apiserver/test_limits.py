"""What is no good request, what is too much, and what takes too long: always a Status, never a page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import aiohttp
import pytest

from tests.integration.apiserver.conftest import Obj
from tests.integration.apiserver.relay import Relay
from tests.kubectl import Kubectl
from tests.servers import Facade, Proxy, client_context

GV = "/apis/missioncontrol.io/v1alpha1"
HOST = b"Host: x\r\n"
MASTER = b"X-Remote-User: root\r\nX-Remote-Group: system:masters\r\n"
Make = Callable[..., Obj]


async def raw(facade: Facade, data: bytes, *, wait: float = 10) -> bytes:
    """Everything that comes back for these bytes, until the server closes."""
    context = client_context(facade, facade.plane.front_proxy_client)
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port, ssl=context)
    try:
        writer.write(data)
        async with asyncio.timeout(wait):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


def status_in(answer: bytes) -> Obj:
    """The Status of an answer, whose head must tell nothing about the server."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"server:" not in head.lower()
    assert b"application/json" in head
    document: Obj = json.loads(body)
    assert (document["kind"], document["status"]) == ("Status", "Failure")
    assert document["code"] == int(head.split(b" ")[1])
    return document


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="not HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", 400, id="bytes"),
        pytest.param(b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, id="a zero byte"),
        pytest.param(b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400, id="a version that is none"),
        pytest.param(b"GET / HTTP/1.1\r\nNo colon here\r\n\r\n", 400, id="a header that is none"),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 70_000 + b"\r\n\r\n", 431, id="a long header"
        ),
        pytest.param(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431, id="a long line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 3000 + b"\r\n", 431, id="too many headers"),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400, id="a length below zero"
        ),
        pytest.param(
            f"POST {GV}/dataplanes HTTP/1.1\r\n".encode()
            + HOST
            + MASTER
            + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
            400,
            id="a chunk that is none",
        ),
    ],
)
async def test_what_is_no_request(facade: Facade, data: bytes, code: int) -> None:
    assert status_in(await raw(facade, data))["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", f"{GV}/dataplanes/x/nonsense", 404, "NotFound"),
        ("OPTIONS", f"{GV}/dataplanes", 405, "MethodNotAllowed"),
        ("PUT", f"{GV}/dataplanes", 400, "BadRequest"),
        ("POST", "/version", 405, "MethodNotAllowed"),
        ("POST", GV, 405, "MethodNotAllowed"),
    ],
)
async def test_paths_and_methods_that_are_none(
    proxy: Proxy, method: str, path: str, code: int, reason: str
) -> None:
    async with proxy.request(method, path) as answer:
        document = await answer.json()
        assert (answer.status, document["reason"], document["kind"]) == (code, reason, "Status")
        assert "Server" not in answer.headers
        assert answer.headers["Audit-Id"]
        assert answer.headers["Cache-Control"] == "no-cache, private"
        if code == 405:
            assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/nothing", "/", f"{GV}/nonsense", "/apis/missioncontrol.io/v9/dataplanes"])
async def test_paths_that_are_none_are_told_as_by_kubernetes(proxy: Proxy, path: str) -> None:
    async with proxy.request("GET", path) as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_no_answer_tells_what_serves_it(proxy: Proxy, namespace: str) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    for each in ("/livez", GV, "/openapi/v3", path, f"{path}?watch=1&timeoutSeconds=1", f"{path}/none"):
        async with proxy.request("GET", each) as answer:
            assert "Server" not in answer.headers, each
            assert answer.headers["Audit-Id"], each
            await answer.read()


def test_kubectl_says_it_in_its_own_words(kubectl: Kubectl) -> None:
    stderr = kubectl.fails("get", "--raw", f"{GV}/nonsense")
    assert stderr == "Error from server (NotFound): the server could not find the requested resource\n"


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(facade: Facade) -> None:
    head = (
        f"POST {GV}/dataplanes HTTP/1.1\r\n".encode()
        + HOST
        + MASTER
        + b"Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"
    )
    document = status_in(await raw(facade, head, wait=20))
    assert (document["code"], document["reason"]) == (413, "RequestEntityTooLarge")


async def test_compressed_bodies_are_not_understood(proxy: Proxy) -> None:
    """As in kube-apiserver; so that nobody fills the memory with a few bytes."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with proxy.request("POST", f"{GV}/dataplanes", data=b"\x1f\x8b\x08", headers=headers) as answer:
        assert answer.status in (400, 415)


async def test_a_client_that_leaves_frees_its_place(
    front: Proxy, server: Facade, relay: Relay, namespace: str
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters?limit=1"
    assert (await front.json("GET", path))[0] == 200
    relay.stall()
    left = asyncio.create_task(front.json("GET", path, user="eve"))

    async def running(wanted: float) -> None:
        async with asyncio.timeout(10):
            while await asyncio.to_thread(inflight) != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def inflight() -> float:
        return server.metric("apiserver_current_inflight_requests", request_kind="readOnly")

    held = asyncio.create_task(
        front.json("GET", path, user="mallory", groups="system:authenticated", headers={"Audit-ID": "held"})
    )
    await running(1)
    held.cancel()
    await running(0)
    left.cancel()
    relay.mend()
    assert await asyncio.to_thread(server.metric, "apiserver_request_aborts_total") >= 1


async def test_reviews_that_cannot_be_made_say_so(
    server: Facade, front: Proxy, relay: Relay, namespace: str
) -> None:
    relay.cut()
    connector = aiohttp.TCPConnector(ssl=client_context(server, None))
    async with aiohttp.ClientSession(connector=connector) as session:
        headers = {"Authorization": "Bearer something"}
        async with session.get(f"{server.url}{GV}/dataplanes", headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert (await answer.json())["reason"] == "ServiceUnavailable"
    relay.mend()
