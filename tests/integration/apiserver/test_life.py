"""The life of the server: its store away or slow, new certificates, the end. Each test starts its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import aiohttp

from missioncontrol.api.resources import STORED_CLUSTERS
from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.integration.apiserver.conftest import Obj
from tests.integration.apiserver.relay import Relay
from tests.servers import Facade, Proxy, client_context
from tests.waiting import eventually

Make = Callable[..., Obj]
GV = "/apis/missioncontrol.io/v1alpha1"


async def test_the_store_away_is_said_at_once_and_recovers(
    front: Proxy, relay: Relay, namespace: str, cluster: Make
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    assert (await front.json("POST", path, json=cluster()))[0] == 201
    relay.cut()
    began = time.monotonic()
    for method, options in (("GET", {}), ("POST", {"json": cluster("other")})):
        async with front.request(method, path, **options) as answer:
            document = await answer.json()
            assert (answer.status, document["reason"]) == (503, "ServiceUnavailable")
    async with front.request("GET", path) as answer:
        assert answer.headers["Retry-After"] == "1"
    assert time.monotonic() - began < 5
    for fixed in (GV, "/apis", "/openapi/v2", "/openapi/v3", "/livez", "/readyz"):
        async with front.request("GET", fixed, user="system:kube-aggregator", groups="") as answer:
            assert answer.status == 200, fixed
    async with front.request("GET", path, user="eve", groups="system:authenticated") as answer:
        assert answer.status == 503
    relay.mend()
    async with asyncio.timeout(10):
        while (await front.json("GET", path))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_slow_store_costs_no_more_than_the_clients_time(
    front: Proxy, relay: Relay, namespace: str
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    assert (await front.json("GET", path))[0] == 200
    relay.stall()
    began = time.monotonic()
    status, document = await front.json("GET", f"{path}?timeout=1s")
    assert (status, document["reason"]) == (504, "Timeout")
    assert 0.9 < time.monotonic() - began < 3
    began = time.monotonic()
    assert (await front.json("GET", GV))[0] == 200
    assert time.monotonic() - began < 5
    relay.mend()
    assert (await front.json("GET", path))[0] == 200


async def test_a_watch_survives_a_break_behind_the_server(
    front: Proxy, relay: Relay, facade: Facade, namespace: str, cluster: Make
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    _, made = await front.json("POST", path, json=cluster())
    async with front.request("GET", f"{path}?watch=true&resourceVersion=0") as answer:
        event = json.loads(await answer.content.readline())
        assert (event["type"], event["object"]["metadata"]["uid"]) == ("ADDED", made["metadata"]["uid"])
        relay.cut()
        with facade.admin as admin:
            admin.request("DELETE", STORED_CLUSTERS.path(namespace, "demo"))
        relay.mend()
        async with asyncio.timeout(30):
            event = json.loads(await answer.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "demo")
    version = made["metadata"]["resourceVersion"]
    async with front.request("GET", f"{path}?watch=true&resourceVersion={version}") as answer:
        assert json.loads(await answer.content.readline())["type"] == "DELETED"


async def test_a_new_certificate_is_served_without_a_restart(server: Facade, front: Proxy) -> None:
    assert (await front.json("GET", GV))[0] == 200
    now = datetime.datetime.now(datetime.UTC)
    ca = new_ca("another", now=now, lifetime=datetime.timedelta(days=1))
    leaf = issue(
        ca,
        common_name="new",
        usages=[Usage.SERVER],
        ip_names=["127.0.0.1"],
        now=now,
        lifetime=datetime.timedelta(1),
    )
    folder = server.folder
    save(leaf, folder / "new.crt", folder / "new.key")
    os.replace(folder / "new.key", folder / "tls.key")
    os.replace(folder / "new.crt", folder / "tls.crt")
    context = ssl.create_default_context(cadata=ca.cert_pem.decode())
    async with asyncio.timeout(15), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{server.url}/livez", ssl=context) as answer:
                    assert answer.status == 200
                    break
            await asyncio.sleep(0.2)
    assert (await front.json("GET", GV))[0] == 200


async def test_the_end_lets_watches_finish(server: Facade, front: Proxy, namespace: str) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    async with front.request("GET", f"{path}?watch=true") as answer:
        server.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await answer.content.read() == b""
    await asyncio.to_thread(eventually, lambda: not server.is_running(), "the server has ended", timeout=10)
    log = server.log.read_text()
    assert "draining" in log
    assert "Traceback" not in log


async def test_too_many_at_once_are_sent_away(
    facade: Facade, server: Facade, relay: Relay, namespace: str
) -> None:
    await asyncio.to_thread(server.stop)
    server.argv += ["--max-requests-inflight", "2"]
    await asyncio.to_thread(server.start)
    connector = aiohttp.TCPConnector(ssl=client_context(server, server.plane.front_proxy_client))
    who = {"user": "eve", "groups": "system:authenticated"}
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters?timeout=5s"
    async with aiohttp.ClientSession(connector=connector) as session:
        front = Proxy(session, server.url)
        relay.stall()
        held = [asyncio.create_task(front.json("GET", path, **who)) for _ in range(2)]

        def both() -> bool:
            return server.metric("apiserver_current_inflight_requests", request_kind="readOnly") == 2

        await asyncio.to_thread(eventually, both, "both are in progress")
        async with front.request("GET", path, **who) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
            assert (await answer.json())["reason"] == "TooManyRequests"
        async with front.request("GET", GV, **who) as answer:
            assert answer.status == 200
        assert {status for status, _ in await asyncio.gather(*held)} == {504}
        relay.mend()


def probe(server: Facade, path: str) -> tuple[int, str]:
    """What the side door says."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.probe}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_the_end_is_announced_and_everything_begun_is_finished(
    server: Facade, relay: Relay, namespace: str, cluster: Make
) -> None:
    """Not ready at once, serving on for a while, then no new connections, but answers to what was asked."""
    await asyncio.to_thread(server.stop)
    server.argv += ["--shutdown-delay-duration", "2"]
    await asyncio.to_thread(server.start)
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    connector = aiohttp.TCPConnector(ssl=client_context(server, server.plane.front_proxy_client))
    async with aiohttp.ClientSession(connector=connector) as session:
        front = Proxy(session, server.url)
        assert (await front.json("POST", path, json=cluster()))[0] == 201
        watching = [
            asyncio.create_task(front.json_lines(f"{path}?watch=1&resourceVersion=0")) for _ in range(20)
        ]
        assert await asyncio.to_thread(probe, server, "/readyz/shutdown") == (200, "ok")
        server.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            while (await asyncio.to_thread(probe, server, "/readyz"))[0] != 500:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        _, text = await asyncio.to_thread(probe, server, "/readyz?verbose")
        assert "[-]shutdown failed" in text
        assert (await asyncio.to_thread(probe, server, "/livez"))[0] == 200
        async with front.request("GET", "/readyz?verbose") as answer:
            assert answer.status == 500
            assert "[+]ping ok\n" in (text := await answer.text())
            assert text.endswith("[-]shutdown failed: reason withheld\nreadyz check failed\n")
        # whoever still comes is served, and told to come back on another connection
        for _ in range(5):
            async with front.request("GET", path) as answer:
                assert answer.status == 200
                assert answer.headers["Connection"] == "close"
                assert len((await answer.json())["items"]) == 1
        relay.stall()
        slow = asyncio.create_task(front.json("GET", f"{path}?limit=1&resourceVersion=0&continue="))
        slower = asyncio.create_task(front.json("POST", path, json=cluster("last")))
        async with asyncio.timeout(20):
            while not all(task.done() for task in watching):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        relay.mend()
        assert (await slow)[0] == 200
        assert (await slower)[0] == 201
        for lines in [task.result() for task in watching]:
            assert [each["type"] for each in lines][:1] == ["ADDED"]
    await asyncio.to_thread(eventually, lambda: not server.is_running(), "the server has ended")
    log = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert not [line for line in log if line["level"] == "error"], log[-5:]


async def test_a_second_signal_ends_it_at_once(server: Facade, front: Proxy, namespace: str) -> None:
    await asyncio.to_thread(server.stop)
    server.argv += ["--shutdown-delay-duration", "30"]
    await asyncio.to_thread(server.start)
    server.send_signal(signal.SIGTERM)
    await asyncio.to_thread(eventually, lambda: probe(server, "/readyz")[0] == 500, "it is shutting down")
    server.send_signal(signal.SIGTERM)
    await asyncio.to_thread(eventually, lambda: not server.is_running(), "the server has ended", timeout=10)


async def test_certificates_change_under_load_and_nobody_notices(server: Facade) -> None:
    """Two new ones, while connections are opened and requests made all the time."""
    now = datetime.datetime.now(datetime.UTC)
    ca = new_ca("rotating", now=now, lifetime=datetime.timedelta(days=1))
    trust = client_context(server, server.plane.front_proxy_client)
    trust.load_verify_locations(cadata=ca.cert_pem.decode())
    stop, served = asyncio.Event(), 0
    failures: list[Exception] = []

    async def load(*, keep: bool) -> None:
        nonlocal served
        connector = aiohttp.TCPConnector(ssl=trust, force_close=not keep)
        async with aiohttp.ClientSession(connector=connector) as session:
            while not stop.is_set():
                try:
                    async with session.get(f"{server.url}/livez") as answer:
                        assert await answer.text() == "ok"
                        served += 1
                except (aiohttp.ClientError, OSError) as error:
                    failures.append(error)

    async def presented() -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return der

    tasks = [asyncio.create_task(load(keep=number == 0)) for number in range(4)]
    for round_ in range(1, 3):
        leaf = issue(
            ca, common_name=f"round {round_}", usages=[Usage.SERVER], ip_names=["127.0.0.1"], now=now,
            lifetime=datetime.timedelta(hours=1),
        )  # fmt: skip
        save(leaf, server.folder / "tls.crt", server.folder / "tls.key")
        der = ssl.PEM_cert_to_DER_cert(leaf.cert_pem.decode())
        async with asyncio.timeout(20):
            while await presented() != der:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*tasks)
    assert not failures
    assert served > 50


async def test_it_is_ready_soon_and_costs_nothing_when_nobody_asks(server: Facade, front: Proxy) -> None:
    """The times are bounds for a busy machine; docs/performance.md has those of a quiet one."""
    await asyncio.to_thread(server.stop)
    began = time.monotonic()
    await asyncio.to_thread(server.start)
    assert time.monotonic() - began < 20
    assert (await front.json("GET", GV))[0] == 200
    stat = Path(f"/proc/{server.pid}/stat")

    def used() -> int:
        fields = stat.read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    await asyncio.sleep(0.5)
    before = used()
    await asyncio.sleep(2)
    # ticks of 10 ms: under five in a hundred of one processor, where zero is meant
    assert used() - before <= 10
