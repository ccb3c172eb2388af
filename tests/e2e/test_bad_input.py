"""Bad input is refused at the API with every error and its field's path, and nothing of it is stored."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.e2e.conftest import Environment

GOOD: dict[str, Any] = {
    "apiVersion": "missioncontrol.io/v1alpha1",
    "kind": "MissionControlCluster",
    "metadata": {"name": "bad"},
    "spec": {
        "k8ssandra": {
            "cassandra": {
                "serverType": "cassandra",
                "serverVersion": "5.0.4",
                "storageConfig": {
                    "cassandraDataVolumeClaimSpec": {
                        "storageClassName": "standard",
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "2Gi"}},
                    }
                },
                "datacenters": [
                    {
                        "metadata": {"name": "dc1"},
                        "k8sContext": "data-plane-1",
                        "size": 3,
                        "racks": [{"name": "r1"}, {"name": "r2"}, {"name": "r3"}],
                    }
                ],
            }
        }
    },
}
DATACENTERS = "spec.k8ssandra.cassandra.datacenters"


def with_changes(*changes: tuple[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """The good cluster with values set at paths."""
    body = copy.deepcopy(GOOD)
    for path, value in changes:
        at: Any = body
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
    return body


CASSANDRA = ("spec", "k8ssandra", "cassandra")
DC = (*CASSANDRA, "datacenters", 0)
TWIN = GOOD["spec"]["k8ssandra"]["cassandra"]["datacenters"] * 2

REFUSED = [
    pytest.param(
        with_changes(((*DC, "sise"), 3)),
        ['"spec.k8ssandra.cassandra.datacenters[0].sise"'],
        id="an unknown field",
    ),
    pytest.param(with_changes(((*DC, "size"), "three")), [f"{DATACENTERS}[0].size"], id="a wrong type"),
    pytest.param(
        with_changes(((*DC, "k8sContext"), "nowhere")),
        [f"{DATACENTERS}[0].k8sContext", "nowhere"],
        id="an unknown plane",
    ),
    pytest.param(
        with_changes(((*DC, "k8sContext"), "")), [f"{DATACENTERS}[0].k8sContext"], id="no plane at all"
    ),
    pytest.param(
        with_changes(((*CASSANDRA, "datacenters"), TWIN)), ["dc1"], id="two datacenters of one name"
    ),
    pytest.param(
        with_changes(((*DC, "racks"), [{"name": "r1"}, {"name": "r1"}])),
        [f"{DATACENTERS}[0].racks[1].name"],
        id="two racks of one name",
    ),
    pytest.param(with_changes(((*DC, "size"), 0)), [f"{DATACENTERS}[0].size"], id="no nodes"),
    pytest.param(with_changes(((*DC, "size"), -3)), [f"{DATACENTERS}[0].size"], id="fewer nodes than none"),
    pytest.param(
        with_changes(((*CASSANDRA, "serverVersion"), "five")),
        ["spec.k8ssandra.cassandra.serverVersion"],
        id="a version that is none",
    ),
    pytest.param(
        with_changes((("spec", "k8ssandra", "reaper"), {"keyspace": "reaper_db"})),
        ["spec.k8ssandra.reaper", "not supported yet"],
        id="what is not supported yet",
    ),
    pytest.param(
        with_changes(((*DC, "size"), 2), ((*DC, "k8sContext"), "nowhere")),
        [f"{DATACENTERS}[0].size", f"{DATACENTERS}[0].k8sContext"],
        id="two faults are both told",
    ),
]


@pytest.mark.parametrize(("body", "told"), REFUSED)
def test_a_bad_cluster_is_refused_and_not_stored(
    environment: Environment, namespace: str, body: dict[str, Any], told: list[str]
) -> None:
    refused = environment.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(body), check=False)

    assert refused.code != 0
    for text in told:
        assert text in refused.text
    assert "storage.missioncontrol.io" not in refused.text
    assert environment.get("mcc", "-n", namespace)["items"] == []


def kubeconfig(server: str, user: dict[str, Any]) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
    )


BAD_SECRETS = [
    pytest.param(None, ["Secret"], id="a missing Secret"),
    pytest.param("no: kubeconfig", ["kubeconfig"], id="no kubeconfig"),
    pytest.param(
        kubeconfig(
            "https://127.0.0.1:1",
            {"exec": {"command": "id", "apiVersion": "client.authentication.k8s.io/v1"}},
        ),
        ["exec"],
        id="an exec plugin",
    ),
    pytest.param(kubeconfig("https://127.0.0.1:1", {"tokenFile": "/etc/passwd"}), ["tokenFile"], id="a file"),
    pytest.param(
        kubeconfig("https://127.0.0.1:1", {"token": "t"}),
        ["127.0.0.1:1"],
        id="an address where nobody answers",
    ),
]


@pytest.mark.parametrize(("content", "told"), BAD_SECRETS)
def test_a_bad_kubeconfig_is_named_in_a_condition(
    environment: Environment, content: str | None, told: list[str], request: pytest.FixtureRequest
) -> None:
    name = f"bad-{abs(hash(request.node.name)) % 10**8}"
    plane = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "DataPlane",
        "metadata": {"name": name},
        "spec": {"region": "nowhere", "kubeconfigSecretRef": {"name": name, "key": "kubeconfig"}},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "mission-control"},
        "stringData": {"kubeconfig": content},
    }
    try:
        if content is not None:
            environment.kubectl("create", "-f", "-", stdin=json.dumps(secret))
        created = environment.kubectl("create", "-f", "-", stdin=json.dumps(plane), check=False)
        if created.code == 0:
            environment.kubectl("wait", f"dp/{name}", "--for=condition=Ready=False", "--timeout=20s")
            conditions = environment.get("dp", name)["status"]["conditions"]
            message = next(c["message"] for c in conditions if c["type"] == "Ready")
        else:
            message = created.text
    finally:
        environment.kubectl("delete", "dp", name, "--ignore-not-found", "--timeout=30s")
        environment.kubectl("delete", "secret", name, "-n", "mission-control", "--ignore-not-found")

    for text in told:
        assert text in message
