"""The client against a real kube-apiserver: every verb, and the types of its errors."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from missioncontrol.api.resources import CONFIG_MAPS, NAMESPACES, PODS
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    LeaseLost,
    NotFound,
    Unauthorized,
)


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


async def test_an_object_is_created_read_changed_and_deleted(client: Client, namespace: str) -> None:
    made = await client.create(CONFIG_MAPS, config_map(namespace, "one", a="1"))
    assert (await client.get(CONFIG_MAPS, "one", namespace=namespace))["data"] == {"a": "1"}
    await client.replace(CONFIG_MAPS, {**made, "data": {"a": "2"}})
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, {**made, "data": {"a": "3"}})
    patched = await client.merge_patch(
        CONFIG_MAPS, "one", {"data": {"b": "x", "a": None}}, namespace=namespace
    )
    assert patched["data"] == {"b": "x"}
    steps = [
        {"op": "test", "path": "/data/b", "value": "x"},
        {"op": "replace", "path": "/data/b", "value": "y"},
    ]
    assert (await client.json_patch(CONFIG_MAPS, "one", steps, namespace=namespace))["data"] == {"b": "y"}
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, "one", namespace=namespace, uid="another")
    await client.delete(CONFIG_MAPS, "one", namespace=namespace, uid=made["metadata"]["uid"])
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "one", namespace=namespace)


async def test_a_name_that_is_taken_and_a_spec_that_breaks_rules_have_types(
    client: Client, namespace: str
) -> None:
    await client.create(CONFIG_MAPS, config_map(namespace, "one"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIG_MAPS, config_map(namespace, "one"))
    with pytest.raises(Invalid) as refused:
        await client.create(
            PODS, {"metadata": {"namespace": namespace, "name": "p"}, "spec": {"containers": []}}
        )
    assert refused.value.causes[0]["field"] == "spec.containers"


async def test_server_side_apply_owns_fields_and_is_fenced_by_a_resource_version(
    client: Client, namespace: str
) -> None:
    first = await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="1", b="1"), field_manager="x")
    await client.merge_patch(CONFIG_MAPS, "one", {"data": {"c": "other"}}, namespace=namespace)
    second = await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="2"), field_manager="x")
    assert second["data"] == {"a": "2", "c": "other"}
    stale = config_map(namespace, "one", a="3")
    stale["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await client.apply(CONFIG_MAPS, stale, field_manager="x")
    with pytest.raises(Conflict) as refused:
        await client.apply(CONFIG_MAPS, config_map(namespace, "one", a="9"), field_manager="y", force=False)
    assert refused.value.causes[0]["field"] == ".data.a"


async def test_a_dry_run_changes_nothing_and_is_not_told(client: Client, namespace: str) -> None:
    told: list[str] = []
    client.on_written = lambda resource, written: told.append(written["metadata"]["name"])
    await client.create(CONFIG_MAPS, config_map(namespace, "one"), dry_run=True)
    await client.apply(CONFIG_MAPS, config_map(namespace, "two"), field_manager="x", dry_run=True)
    assert await client.list(CONFIG_MAPS, namespace=namespace) == []
    await client.create(CONFIG_MAPS, config_map(namespace, "three"))
    assert told == ["three"]


async def test_a_list_is_read_in_pages_and_its_items_know_what_they_are(
    client: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.kube.client.PAGE", 2)
    for name in "abcde":
        await client.create(CONFIG_MAPS, config_map(namespace, name))
    items = await client.list(CONFIG_MAPS, namespace=namespace)
    assert [(i["apiVersion"], i["kind"], i["metadata"]["name"]) for i in items] == [
        ("v1", "ConfigMap", name) for name in "abcde"
    ]
    chosen = await client.list(CONFIG_MAPS, namespace=namespace, field_selector="metadata.name=c")
    assert [i["metadata"]["name"] for i in chosen] == ["c"]


async def test_nobody_in_particular_is_unauthorized_or_forbidden(config: ClusterConfig) -> None:
    nobody = dataclasses.replace(config, client_cert=None, client_key=None, token="wrong")
    async with Client(nobody, user_agent="test") as client:
        with pytest.raises((Unauthorized, Forbidden)):
            await client.get(NAMESPACES, "default")


async def test_the_guard_stops_writes_and_lets_reads_pass(client: Client, namespace: str) -> None:
    def refuse() -> None:
        raise LeaseLost("not the leader")

    await client.create(CONFIG_MAPS, config_map(namespace, "one"))
    client.guard = refuse
    await client.get(CONFIG_MAPS, "one", namespace=namespace)
    with pytest.raises(LeaseLost):
        await client.delete(CONFIG_MAPS, "one", namespace=namespace)
    with pytest.raises(LeaseLost):
        await client.create(CONFIG_MAPS, config_map(namespace, "two"))
    client.guard = None
    assert len(await client.list(CONFIG_MAPS, namespace=namespace)) == 1
