"""One noisy user costs nobody else anything worth noticing; and our own way to the store is never blocked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from missioncontrol.api import resources as r
from tests.integration.apiserver.conftest import Obj
from tests.integration.apiserver.relay import Relay
from tests.servers import Facade, Proxy, client_context, grant
from tests.waiting import eventually

GV = "/apis/missioncontrol.io/v1alpha1"
Make = Callable[..., Obj]
ROOT = Path(__file__).resolve().parents[3]
USERS = {"groups": "system:authenticated"}


@pytest.fixture
def readers(facade: Facade, namespace: str) -> tuple[str, str]:
    for user in ("noisy", "quiet"):
        grant(facade, namespace, user, ("missioncontrolclusters", "get,list"))
    return "noisy", "quiet"


async def test_a_noisy_user_slows_nobody(
    facade: Facade, namespace: str, cluster: Make, readers: tuple[str, str]
) -> None:
    """64 lists at a time by one user, single reads by another: the share of the first is bounded."""
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    connector = aiohttp.TCPConnector(ssl=client_context(facade, facade.plane.front_proxy_client), limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        front = Proxy(session, facade.url)
        template = cluster()
        template["metadata"]["annotations"] = {"note": "x" * 4000}
        for start in range(0, 150, 15):
            made = [
                front.json(
                    "POST", path, json={**template, "metadata": {**template["metadata"], "name": f"c-{n}"}}
                )
                for n in range(start, start + 15)
            ]
            assert {status for status, _ in await asyncio.gather(*made)} == {201}
        async with asyncio.timeout(30):
            while (await front.json("GET", f"{path}/c-1", user="quiet", **USERS))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

        async def gets(count: int) -> list[float]:
            times = []
            for number in range(count):
                began = time.monotonic()
                status, _ = await front.json("GET", f"{path}/c-{number}", user="quiet", **USERS)
                times.append(time.monotonic() - began)
                assert status == 200
            return times

        await gets(10)
        alone = statistics.median(await gets(40))
        client = facade.plane.front_proxy_client
        noise = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.apiserver.noise", "127.0.0.1", str(facade.port),
            str(client.cert), str(client.key), "64", "noisy", path,
            cwd=ROOT,
        )  # fmt: skip
        lists = {"verb": "LIST", "resource": "missioncontrolclusters"}
        try:
            began = await asyncio.to_thread(facade.metric, "apiserver_request_total", **lists)
            async with asyncio.timeout(60):
                while (  # noqa: ASYNC110
                    await asyncio.to_thread(facade.metric, "apiserver_request_total", **lists) < began + 70
                ):
                    await asyncio.sleep(0.1)
            began = await asyncio.to_thread(facade.metric, "apiserver_request_total", **lists)
            since = time.monotonic()
            noisy: list[float] = []
            waiting = 0.0
            for _ in range(8):
                noisy += await gets(5)
                # how many of the 64 wait at one moment depends on how fast the noise takes its answers in
                waiting = max(
                    waiting,
                    await asyncio.to_thread(
                        facade.metric, "apiserver_current_inqueue_requests", request_kind="readOnly"
                    ),
                )
            served = await asyncio.to_thread(facade.metric, "apiserver_request_total", **lists) - began
            took = time.monotonic() - since
        finally:
            noise.kill()
            await noise.wait()
    each, worst = statistics.median(noisy), max(noisy)
    print(f"a GET alone {alone * 1000:.1f} ms; beside 64 lists {each * 1000:.1f} ms, at worst {worst:.3f} s")
    print(f"{waiting:g} lists waiting, {served:g} served in {took:.1f} s")
    assert waiting > 0, "what one user wants too much of waits in a queue of that user's own"
    assert served > 0, "and the noisy user is served too"
    # served in the order of their coming, a GET would have waited as long as 64 lists take, on any machine
    assert each < 64 * took / served / 4


async def test_whoever_waits_is_served_when_there_is_room(
    server: Facade, relay: Relay, namespace: str, tmp_path: Path
) -> None:
    """Every seat is taken by one user's requests to a store that does not answer; another's is next."""
    await asyncio.to_thread(server.stop)
    server.argv += ["--max-requests-inflight", "4"]
    await asyncio.to_thread(server.start)
    connector = aiohttp.TCPConnector(ssl=client_context(server, server.plane.front_proxy_client))
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters?limit=1&timeout=40s"
    async with aiohttp.ClientSession(connector=connector) as session:
        front = Proxy(session, server.url)
        await front.json("GET", path, user="first", **USERS)
        relay.stall()
        noisy = [asyncio.create_task(front.json("GET", path, user="noisy", **USERS)) for _ in range(12)]
        async with asyncio.timeout(30):
            while (  # noqa: ASYNC110
                await asyncio.to_thread(
                    server.metric, "apiserver_current_inflight_requests", request_kind="readOnly"
                )
                < 4
            ):
                await asyncio.sleep(0.05)
        quiet = asyncio.create_task(front.json("GET", path, user="quiet", **USERS))
        await asyncio.sleep(0.2)
        relay.mend()
        assert (await quiet)[0] == 403
        statuses = [status for status, _ in await asyncio.gather(*noisy)]
    assert set(statuses) <= {403, 429}
    assert statuses.count(403) >= 4


async def test_users_that_fill_kube_apiserver_do_not_block_us(
    facade: Facade, relay: Relay, namespace: str, tmp_path: Path
) -> None:
    """ServiceAccounts of users share a priority level; their requests to us wait inside kube-apiserver.

    With a level as small as one seat, taken by a request to us that waits, ours still get through.
    """
    level, schema = "test-one-seat", "test-users"
    rules = {
        "subjects": [{"kind": "Group", "group": {"name": f"system:serviceaccounts:{namespace}"}}],
        "resourceRules": [
            {
                "apiGroups": ["*"],
                "resources": ["*"],
                "verbs": ["*"],
                "namespaces": ["*"],
                "clusterScope": True,
            }
        ],
    }
    documents = {
        r.PRIORITY_LEVEL_CONFIGURATIONS.path(None, level): {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration",
            "metadata": {"name": level},
            "spec": {"type": "Limited", "limited": {
                "nominalConcurrencyShares": 1, "lendablePercent": 0, "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Queue", "queuing": {
                    "queues": 8, "handSize": 2, "queueLengthLimit": 50}}}},
        },
        r.FLOW_SCHEMAS.path(None, schema): {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
            "metadata": {"name": schema},
            "spec": {
                "priorityLevelConfiguration": {"name": level}, "matchingPrecedence": 800,
                "distinguisherMethod": {"type": "ByUser"}, "rules": [rules]},
        },
    }  # fmt: skip
    with facade.admin as admin:
        for path, document in documents.items():
            admin.apply(path, document)
        token = admin.issue_token(namespace, "default", lifetime=600)
    user = f"system:serviceaccount:{namespace}:default"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "view"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }  # fmt: skip
    with facade.admin as admin:
        admin.apply(r.ROLE_BINDINGS.path(namespace, "view"), binding)
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    context = ssl.create_default_context(cafile=str(facade.plane.client_ca.cert))
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0), headers=headers
        ) as session:

            async def through(query: str = "") -> int:
                async with session.get(f"{facade.plane.server}{path}{query}") as answer:
                    await answer.read()
                    return answer.status

            async with asyncio.timeout(30):
                while await through() != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            await asyncio.to_thread(
                eventually, lambda: _level_is_small(facade, level), "the level has few seats"
            )
            # every one of these waits in us for a store that it must not be in the way of
            began = time.monotonic()
            statuses = await asyncio.gather(*(through(f"?limit={number}") for number in range(1, 60)))
            assert set(statuses) == {200}, user
            assert time.monotonic() - began < 30
            assert _executed(facade, level) > 30
            assert _executed(facade, "missioncontrol") > 30
    finally:
        with facade.admin as admin, contextlib.suppress(Exception):
            for each in reversed(list(documents)):
                admin.request("DELETE", each)


def _samples(facade: Facade, name: str, level: str) -> float:
    with facade.admin as admin:
        text = admin.request("GET", "/metrics", accept="text/plain")["message"]
    lines = [
        line for line in text.splitlines()
        if line.startswith(f"{name}{{") and f'priority_level="{level}"' in line
    ]  # fmt: skip
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def _level_is_small(facade: Facade, level: str) -> bool:
    return 0 < _samples(facade, "apiserver_flowcontrol_nominal_limit_seats", level) <= 3


def _executed(facade: Facade, level: str) -> float:
    return _samples(facade, "apiserver_flowcontrol_dispatched_requests_total", level)
