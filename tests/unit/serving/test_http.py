"""Probes and metrics over plain HTTP."""

from __future__ import annotations

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from missioncontrol.serving.http import ProbeServer, parse_address


async def test_readiness_follows_the_checks_and_liveness_does_not() -> None:
    missing: list[str] = ["waiting for pods"]
    registry = CollectorRegistry()
    Counter("things", "Things", registry=registry).inc()
    checks = {"caches": lambda: missing[0] if missing else None}
    async with (
        ProbeServer("127.0.0.1:0", registry=registry, ready=checks) as server,
        aiohttp.ClientSession(server.url) as session,
    ):

        async def get(path: str) -> tuple[int, str]:
            async with session.get(path) as answer:
                return answer.status, await answer.text()

        assert await get("/readyz") == (
            500,
            "[+]ping ok\n[-]caches failed: waiting for pods\nreadyz check failed\n",
        )
        assert (await get("/healthz"))[0] == 200
        missing.clear()
        assert await get("/readyz") == (200, "ok")
        assert await get("/readyz?verbose&exclude=caches") == (
            200,
            "[+]ping ok\n[+]caches excluded: ok\nreadyz check passed\n",
        )
        assert await get("/readyz/caches") == (200, "ok")
        assert (await get("/readyz/nothing"))[0] == 404
        assert (await get("/livez"))[0] == 200
        assert "things_total 1.0" in (await get("/metrics"))[1]
        assert (await get("/other"))[0] == 404


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), (":8080", ("0.0.0.0", 8080))],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:70000", "host:-1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)
