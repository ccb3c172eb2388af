"""The informer against a real kube-apiserver."""

from __future__ import annotations

import asyncio
from typing import Any

from missioncontrol.api.resources import CONFIG_MAPS, SECRETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap, SecretMeta
from tests.waiting import until


def config_map(
    namespace: str, name: str, labels: dict[str, str] | None = None, **data: str
) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "labels": labels or {}}, "data": data}


async def test_it_lists_in_pages_then_follows_every_change(
    client: Client, namespace: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("missioncontrol.kube.informer.PAGE", 2)
    for name in "abc":
        await client.create(CONFIG_MAPS, config_map(namespace, name))
    informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace=namespace)
    informer.add_index("value", lambda obj: [obj.data["v"]] if "v" in obj.data else [])
    changes: list[tuple[str, str]] = []
    informer.add_handler(lambda change, old, new: changes.append((change, (new or old).metadata.name)))  # type: ignore[union-attr]
    running = asyncio.create_task(informer.run())
    assert await informer.wait_synced(5)
    assert sorted(changes) == [("added", "a"), ("added", "b"), ("added", "c")]
    await client.merge_patch(CONFIG_MAPS, "a", {"data": {"v": "7"}}, namespace=namespace)
    await until(lambda: informer.by("value", "7"))
    await client.delete(CONFIG_MAPS, "b", namespace=namespace)
    await until(lambda: informer.get(namespace, "b") is None)
    assert changes[3:] == [("updated", "a"), ("deleted", "b")]
    running.cancel()


async def test_a_cut_connection_is_resumed_without_missing_anything(client: Client, namespace: str) -> None:
    informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace=namespace)
    running = asyncio.create_task(informer.run())
    assert await informer.wait_synced(5)
    for number in range(20):
        informer.hurry()
        await client.create(CONFIG_MAPS, config_map(namespace, f"n{number}"))
    await until(lambda: len(informer) == 20)
    running.cancel()


async def test_secrets_can_be_watched_without_their_data(client: Client, namespace: str) -> None:
    informer = Informer(client, SECRETS, SecretMeta, namespace=namespace)
    running = asyncio.create_task(informer.run())
    assert await informer.wait_synced(5)
    body = {"metadata": {"namespace": namespace, "name": "s"}, "stringData": {"password": "secret"}}
    await client.create(SECRETS, body)
    await until(lambda: informer.get(namespace, "s"))
    path = SECRETS.path(namespace)
    answer = await client.request("GET", path, headers=informer._list_headers)
    assert b"PartialObjectMetadataList" in answer.body
    assert b'"data"' not in answer.body
    running.cancel()


async def test_a_write_is_read_back_at_once_and_older_events_do_not_undo_it(
    client: Client, namespace: str
) -> None:
    informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace=namespace, label_selector="mine=yes")
    client.on_written = lambda _, written: informer.observe(written)
    running = asyncio.create_task(informer.run())
    assert await informer.wait_synced(5)
    for number in range(30):
        body = config_map(namespace, "one", {"mine": "yes"}, n=str(number))
        await client.apply(CONFIG_MAPS, body, field_manager="x")
        seen = informer.get(namespace, "one")
        assert seen is not None
        assert seen.data == {"n": str(number)}
        if number % 3 == 0:
            await asyncio.sleep(0.01)
        seen = informer.get(namespace, "one")
        assert seen is not None
        assert seen.data == {"n": str(number)}
    await client.apply(CONFIG_MAPS, config_map(namespace, "other", {"mine": "no"}), field_manager="x")
    assert informer.get(namespace, "other") is None
    await until(lambda: not informer._store._pending)
    running.cancel()
