"""When a cluster counts as away, since when, and when it is back."""

from __future__ import annotations

import asyncio

import pytest

from controllers.runtime import health as module
from controllers.runtime.health import Health, HealthProbe
from tests.unit.kube.scripted import answer, scripted, stall, status, watch
from tests.waiting import until

UP = answer(200, {"gitVersion": "v1.36.3"})
NEWER = answer(200, {"gitVersion": "v1.37.0"})
AWAY = answer(503, status(503, "Away", "no etcd"))
DENIED = answer(401, status(401, "Unauthorized", "no such token"))


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)


async def follow(*answers: object, changes: int) -> list[Health]:
    told: list[Health] = []
    async with scripted(*answers) as (client, _):  # type: ignore[arg-type]
        probe = HealthProbe(client, told.append)
        task = asyncio.create_task(probe.run())
        try:
            await until(lambda: len(told) >= changes)
            await asyncio.sleep(0.05)
        finally:
            # what goes on asking would keep the server from ending
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert len(told) == changes
    return told


async def test_one_failure_is_no_outage() -> None:
    (up,) = await follow(UP, AWAY, UP, changes=1)
    assert (up.available, up.version) == (True, "v1.36.3")


async def test_away_is_since_the_last_contact_and_back_is_told() -> None:
    up, away, back = await follow(UP, AWAY, AWAY, AWAY, UP, changes=3)
    assert (away.available, away.since, away.version) == (False, up.last_contact, "v1.36.3")
    assert "no etcd" in away.message
    assert back.available
    assert back.message == ""


async def test_silence_and_bad_credentials_are_away_with_the_reason() -> None:
    (silent,) = await follow(watch(then=stall), changes=1)
    assert silent.available is False
    assert "no answer" in silent.message
    (denied,) = await follow(DENIED, changes=1)
    assert "no such token" in denied.message


async def test_an_upgrade_is_told() -> None:
    _, newer = await follow(UP, NEWER, changes=2)
    assert newer.version == "v1.37.0"


async def test_a_cluster_that_answers_others_is_not_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(UP) as (client, server):
        probe = HealthProbe(client, lambda _: None)
        monkeypatch.setattr(module, "PROBE_SECONDS", 60.0)
        task = asyncio.create_task(probe.run())
        await until(lambda: probe.health.available)
        task.cancel()
        first = probe.health.last_contact
        await client.request("GET", "/api/v1/pods")
        task = asyncio.create_task(probe.run())
        await until(lambda: probe.health.last_contact != first)
        task.cancel()
        assert [each.path for each in server.requests] == ["/version", "/api/v1/pods"]
        # nobody has heard it for a while
        monkeypatch.setattr(module, "PROBE_SECONDS", 0.02)
        task = asyncio.create_task(probe.run())
        await until(lambda: len(server.requests) > 2)
        task.cancel()
        assert {each.path for each in server.requests[2:]} == {"/version"}


async def test_a_busy_cluster_is_asked_for_its_version_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERSION_SECONDS", 0.0)
    _, newer = await follow(UP, NEWER, changes=2)
    assert newer.version == "v1.37.0"
