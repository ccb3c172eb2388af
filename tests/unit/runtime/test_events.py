"""Events: within the API's limits, one series for what repeats, and never in the way."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controllers.runtime.events import ROOM, EventRecorder, cut
from missioncontrol.api.resources import NODES, PODS, STORED_CLUSTERS, STORED_OPERATIONS, Resource
from missioncontrol.kube.errors import Forbidden, NotFound
from missioncontrol.kube.views import Meta
from tests.waiting import until

POD = Meta(name="p", namespace="n", uid="u", resource_version="1")


class Recording:
    """A client that remembers, and fails when told to."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.patched: list[tuple[str, dict[str, Any]]] = []
        self.failing: Exception | None = None

    async def create(self, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        if self.failing:
            raise self.failing
        self.created.append(body)
        return body

    async def merge_patch(
        self, resource: Resource, name: str, patch: dict[str, Any], *, namespace: str
    ) -> dict[str, Any]:
        if self.failing:
            raise self.failing
        self.patched.append((name, patch))
        return patch


def recorder(client: Recording, dropped: list[int] | None = None) -> EventRecorder:
    lost = dropped if dropped is not None else []
    return EventRecorder(
        client,  # type: ignore[arg-type]
        controller="op", instance="op-1", dropped=lambda: lost.append(1),
    )  # fmt: skip


async def test_an_event_has_what_the_api_asks_for() -> None:
    client = Recording()
    events = recorder(client)
    running = asyncio.create_task(events.run())
    events.event(PODS, POD, reason="Started", note="it runs")
    events.event(NODES, Meta(name="node", uid="x"), reason="R" * 200, note="ö" * 2000, type="Warning")
    await until(lambda: len(client.created) == 2)
    running.cancel()
    first, second = client.created
    assert first["regarding"] == {
        "apiVersion": "v1", "kind": "Pod", "name": "p", "namespace": "n", "uid": "u", "resourceVersion": "1",
    }  # fmt: skip
    assert (first["metadata"]["namespace"], second["metadata"]["namespace"]) == ("n", "default")
    assert len(second["reason"].encode()) <= 128
    assert len(second["note"].encode()) <= 1024
    assert second["note"].endswith("…")


async def test_an_event_about_what_is_stored_is_about_what_people_see() -> None:
    client = Recording()
    events = recorder(client)
    running = asyncio.create_task(events.run())
    uid = "91aaaccd-23b4-48ec-8efa-c31e0cda8d83"
    events.event(STORED_CLUSTERS, Meta(name="demo", namespace="n", uid=uid), reason="Ready", note="is ready")
    operation = Meta(name="rollingrestart.r1", namespace="n", uid=uid)
    events.event(STORED_OPERATIONS, operation, reason="OperationStarted", note="restarts")
    await until(lambda: len(client.created) == 3)
    running.cancel()
    shown = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "namespace": "n",
        "uid": "91aaaccd-23b4-88ec-8efa-c31e0cda8d83",
    }
    assert [each["regarding"] for each in client.created] == [
        {**shown, "kind": "MissionControlCluster", "name": "demo"},
        {**shown, "kind": "RollingRestart", "name": "r1"},
        {
            **shown,
            "kind": "Operation",
            "name": "rollingrestart.r1",
            "uid": "91aaaccd-23b4-98ec-8efa-c31e0cda8d83",
        },
    ]
    assert len({each["metadata"]["name"] for each in client.created}) == 3


async def test_what_repeats_is_a_series_of_one_event() -> None:
    client = Recording()
    events = recorder(client)
    running = asyncio.create_task(events.run())
    for _ in range(50):
        events.event(PODS, POD, reason="Failed", note="again")
    await until(lambda: events._queue.empty())
    assert len(client.created) == 1
    assert [patch["series"]["count"] for _, patch in client.patched] == [2]
    client.failing = NotFound(404)
    next(iter(events._series.values())).written = 0.0
    events.event(PODS, POD, reason="Failed", note="again")
    await until(lambda: not events._series)
    running.cancel()


async def test_trouble_with_events_reaches_nobody() -> None:
    client, dropped = Recording(), []
    events = recorder(client, dropped)
    client.failing = Forbidden(403)
    for _ in range(ROOM + 200):
        events.event(PODS, POD, reason="Failed", note="again")
    assert len(dropped) == 200
    running = asyncio.create_task(events.run())
    await until(lambda: events._queue.empty())
    assert not running.done()
    running.cancel()


@given(text=st.text(max_size=50), limit=st.integers(3, 40))
def test_cutting_keeps_the_limit_in_bytes_and_whole_characters(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(short.encode()) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
