"""DataPlanes that join, change, are wrong and leave, while the operator runs and others stay Ready."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from missioncontrol.api.resources import K8SSANDRA_CLUSTERS, SECRETS, STORED_CLUSTERS, STORED_DATA_PLANES
from missioncontrol.local.ports import free_port
from tests.installing import credential
from tests.integration.missioncontrol.conftest import (
    OPERATOR,
    SYSTEM,
    Json,
    World,
    cluster_body,
    eventually,
)
from tests.processes import Program


def register(world: World, name: str, spec: dict[str, Any]) -> None:
    world.home.create(STORED_DATA_PLANES, {"metadata": {"name": name}, "spec": spec})


def told(world: World, name: str, reason: str, *, within: float = 20) -> str:
    found = eventually(lambda: (c := world.ready(name))["reason"] == reason and c, within=within)
    assert found["status"] == "False"
    stored = world.home.get(STORED_DATA_PLANES, name)
    assert stored["status"]["message"] == found["message"]
    return str(found["message"])


def test_a_plane_tells_its_version_and_when_it_was_heard_with_few_writes(
    world: World, operator: Program
) -> None:
    def look() -> Json:
        return world.home.get(STORED_DATA_PLANES, "data-plane-1")

    first = look()
    assert first["status"]["kubernetesVersion"].startswith("v1.")
    assert first["status"]["server"] == world.planes["data-plane-1"].plane.server
    versions = []

    def heard_again() -> str:
        found = look()
        versions.append(found["metadata"]["resourceVersion"])
        later = str(found["status"]["lastContactTime"])
        return later if later != first["status"]["lastContactTime"] else ""

    assert eventually(heard_again, within=25) > first["status"]["lastContactTime"]
    assert len(set(versions)) <= 3


def test_a_missing_secret_is_named_and_its_coming_is_noticed(world: World, operator: Program) -> None:
    register(world, "late", {"kubeconfigSecretRef": {"name": "late-kubeconfig"}})
    message = told(world, "late", "SecretNotFound")
    assert "spec.kubeconfigSecretRef.name" in message
    assert "late-kubeconfig" in message
    world.put_secret("late-kubeconfig", {"other": b"x"})
    eventually(lambda: "spec.kubeconfigSecretRef.key" in world.ready("late")["message"])
    world.put_secret("late-kubeconfig", {"kubeconfig": b"nonsense: ["})
    assert "kubeconfig" in told(world, "late", "KubeconfigInvalid")
    # now a good one: of a plane that is registered already
    content = credential(world.planes["data-plane-1"].plane, OPERATOR)
    world.put_secret("late-kubeconfig", {"kubeconfig": content})
    assert "data-plane-1" in told(world, "late", "NameTaken")
    world.home.delete(STORED_DATA_PLANES, "late")
    eventually(lambda: world.home.find(STORED_DATA_PLANES, "late") is None)
    world.home.delete(SECRETS, "late-kubeconfig", SYSTEM)
    assert world.ready("data-plane-1")["status"] == "True"


def _with(content: bytes, old: str, new: str) -> bytes:
    text = content.decode()
    assert old in text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("case", "reason", "words"),
    [
        ("exec", "KubeconfigInvalid", "exec"),
        ("file", "KubeconfigInvalid", "certificate-authority-data"),
        ("context", "KubeconfigInvalid", "spec.context"),
        ("nowhere", "Unreachable", "clusters[].cluster.server"),
        ("stranger", "Unauthorized", "kubeconfig"),
        ("powerless", "Forbidden", "missioncontrol:mission-control-operator-remote"),
        ("bare", "CustomResourcesMissing", "data plane's manifests"),
    ],
)
def test_a_bad_kubeconfig_is_told_with_field_and_remedy(
    world: World, operator: Program, case: str, reason: str, words: str
) -> None:
    plane = world.planes["data-plane-1"].plane
    good = credential(plane, OPERATOR)
    spec: dict[str, Any] = {"kubeconfigSecretRef": {"name": f"{case}-kubeconfig"}}
    content = good
    if case == "exec":
        content = _plugin(good)
    elif case == "file":
        content = _with(good, "certificate-authority-data", "certificate-authority")
    elif case == "context":
        spec["context"] = "elsewhere"
    elif case == "nowhere":
        content = _with(good, plane.server, f"https://127.0.0.1:{free_port()}")
    elif case == "stranger":
        content = plane.kubeconfig(token="not-a-token-of-this-plane")
    elif case == "powerless":
        content = plane.kubeconfig(client=plane.client("nobody", user="nobody"))
    elif case == "bare":
        content = world.home.plane.kubeconfig(client=world.home.plane.admin)
    world.put_secret(f"{case}-kubeconfig", {"kubeconfig": content})
    register(world, case, spec)
    try:
        assert words in told(world, case, reason)
        assert world.ready("data-plane-1")["status"] == "True"
    finally:
        world.home.delete(STORED_DATA_PLANES, case)
        eventually(lambda: world.home.find(STORED_DATA_PLANES, case) is None)


def _plugin(content: bytes) -> bytes:
    document = yaml.safe_load(content)
    document["users"][0]["user"] = {"exec": {"command": "touch", "args": ["/tmp/never"]}}
    return str(yaml.safe_dump(document)).encode()


def test_away_is_shown_in_time_and_back_at_once(world: World, operator: Program) -> None:
    played = world.planes["data-plane-2"]
    began = time.monotonic()
    played.plane.stop_component("kube-apiserver", kill=True)
    try:
        eventually(lambda: world.ready("data-plane-2")["status"] == "False", within=15)
        assert time.monotonic() - began < 15
        assert world.home.get(STORED_DATA_PLANES, "data-plane-2")["status"]["awaySince"]
    finally:
        played.plane.start_component("kube-apiserver")
        played.plane.wait_component("kube-apiserver")
    eventually(lambda: world.ready("data-plane-2")["status"] == "True", within=8)
    assert "awaySince" not in world.home.get(STORED_DATA_PLANES, "data-plane-2")["status"]


def test_a_plane_in_use_that_leads_to_another_cluster_is_left_alone(world: World, operator: Program) -> None:
    world.home.make_namespace("kept")
    world.home.create(STORED_CLUSTERS, cluster_body("kept", ("dc1", "data-plane-1", 1)), "kept")
    eventually(lambda: world.condition("kept", "kept", "Ready")["status"] == "True", within=30)
    other = world.planes["data-plane-2"]
    # as if somebody mixed up two Secrets
    world.home.delete(STORED_DATA_PLANES, "data-plane-2")
    eventually(lambda: world.home.find(STORED_DATA_PLANES, "data-plane-2") is None)
    world.register("data-plane-1", other.plane)
    told(world, "data-plane-1", "KubeconfigInvalid")
    eventually(lambda: world.condition("kept", "kept", "Ready")["status"] == "False")
    assert other.api.find(K8SSANDRA_CLUSTERS, "kept", "kept") is None
    world.register("data-plane-1", world.planes["data-plane-1"].plane)
    eventually(lambda: world.condition("kept", "kept", "Ready")["status"] == "True", within=20)
    world.home.delete(STORED_CLUSTERS, "kept", "kept")
    eventually(lambda: world.home.find(STORED_CLUSTERS, "kept", "kept") is None, within=20)
