"""K8ssandraClusters become CassandraDatacenters, in order, and leave nothing behind."""

from __future__ import annotations

import signal

from missioncontrol.api.names import Annotation, Finalizer, Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    EVENTS,
    K8SSANDRA_CLUSTERS,
    SECRETS,
)
from tests.integration.k8ssandra.conftest import CASS_FINALIZER, Json, Operator, Stage
from tests.unit.k8ssandra.builders import a_datacenter

TWO = a_datacenter("dc1", 2), a_datacenter("dc2", 1)
SLICE = "demo-demo-{}-additional-seed-service-ipv4"


def ready(status: Json) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))


async def built(stage: Stage) -> list[str]:
    """A cluster of two datacenters that is complete; the seeds of the first one."""
    await stage.create_cluster(*TWO)
    await stage.adopt("dc1")
    seeds = await stage.make_ready("dc1")
    await stage.adopt("dc2")
    await stage.make_ready("dc2")
    await stage.fill("dc2", source="dc1")
    await stage.until_status("demo", ready, "the cluster is ready")
    return seeds


async def test_datacenters_come_one_after_the_other(stage: Stage) -> None:
    await stage.create_cluster(*TWO)

    first = await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")
    waiting = await stage.until_status(
        "demo", lambda status: bool(status.get("datacenters")), "the first datacenter is told of"
    )
    assert await stage.find(CASSANDRA_DATACENTERS, "dc2") is None
    assert not ready(waiting)
    assert first["metadata"]["finalizers"] == [Finalizer.K8SSANDRA_CLUSTER]
    assert first["spec"]["superuserSecretName"] == "demo-superuser"

    seeds = await stage.make_ready("dc1")
    second = await stage.until_exists(CASSANDRA_DATACENTERS, "dc2")

    # its nodes must not begin before they know where the others are, and before logins are replicated
    assert (await stage.until_exists(ENDPOINT_SLICES, SLICE.format("dc2")))["endpoints"][0][
        "addresses"
    ] == seeds[:1]
    assert stage.ring.keyspaces["system_auth"] == {"class": "NetworkTopologyStrategy", "dc1": "2"}
    assert second["metadata"]["annotations"][Annotation.SKIP_USER_CREATION] == "true"


async def test_a_complete_cluster_says_so_and_comes_to_rest(stage: Stage, operator: Operator) -> None:
    await built(stage)

    cluster = await stage.until_exists(K8SSANDRA_CLUSTERS, "demo")
    status = cluster["status"]
    assert status["error"] == "None"
    assert status["observedGeneration"] == 1
    assert [(each["name"], each["readyReplicas"], each["replicas"]) for each in status["datacenters"]] == [
        ("dc1", 2, 2),
        ("dc2", 1, 1),
    ]
    assert stage.ring.keyspaces["system_traces"] == {
        "class": "NetworkTopologyStrategy",
        "dc1": "2",
        "dc2": "1",
    }
    secret = await stage.until_exists(SECRETS, "demo-superuser")
    assert set(secret["data"]) == {"username", "password"}

    async def versions() -> dict[str, str]:
        found = [*await stage.list(ENDPOINT_SLICES), *await stage.list(CASSANDRA_DATACENTERS)]
        found += [await stage.until_exists(K8SSANDRA_CLUSTERS, "demo")]
        return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in found}

    async def passed() -> bool:
        return operator.passes > passes and operator.idle

    passes, touched = operator.passes, {"metadata": {"annotations": {"touched": "true"}}}
    await stage.patch(CASSANDRA_DATACENTERS, "dc1", touched)
    before, calls = await versions(), len(stage.ring.calls)
    await stage.until(passed, "the operator has looked again")
    assert await versions() == before
    assert len(stage.ring.calls) == calls


async def test_growth_reaches_the_datacenter(stage: Stage) -> None:
    await built(stage)
    spec = (await stage.until_exists(K8SSANDRA_CLUSTERS, "demo"))["spec"]
    spec["cassandra"]["datacenters"][0]["size"] = 4

    await stage.patch(K8SSANDRA_CLUSTERS, "demo", {"spec": spec})

    async def grown() -> bool:
        found = await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")
        return bool(found["spec"]["size"] == 4 and CASS_FINALIZER in found["metadata"]["finalizers"])

    await stage.until(grown, "dc1 has 4 nodes wanted, and cass-operator's finalizer is untouched")
    await stage.make_ready("dc1")
    await stage.until_status("demo", lambda status: status.get("observedGeneration") == 2, "it is observed")


async def test_a_datacenter_of_somebody_else_is_reported_and_left_alone(stage: Stage) -> None:
    theirs = {"clusterName": "theirs", "serverType": "cassandra", "serverVersion": "4.1.0", "size": 1}
    await stage.create(
        CASSANDRA_DATACENTERS, {"metadata": {"name": "dc1"}, "spec": {**theirs, "storageConfig": {}}}
    )
    await stage.create_cluster(*TWO)

    status = await stage.until_status(
        "demo", lambda status: status.get("error", "None") != "None", "the conflict is reported"
    )

    assert "CassandraDatacenter dc1 exists already" in status["error"]
    untouched = await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")
    assert untouched["spec"]["clusterName"] == "theirs"
    assert "labels" not in untouched["metadata"]

    async def told() -> bool:
        return any("exists already" in each.get("note", "") for each in await stage.list(EVENTS))

    await stage.until(told, "an event tells of it")
    await stage.client.delete(CASSANDRA_DATACENTERS, "dc1", namespace=stage.namespace)

    async def ours() -> bool:
        found = await stage.find(CASSANDRA_DATACENTERS, "dc1")
        return bool(found and found["spec"]["clusterName"] == "demo")

    await stage.until(ours, "once the name is free, the datacenter is made")


async def test_what_is_not_supported_ends_in_a_sentence(stage: Stage) -> None:
    await stage.create_cluster(a_datacenter("dc1", k8sContext="east"))

    status = await stage.until_status("demo", lambda status: "error" in status, "the error is told")

    assert "spec.cassandra.datacenters[0].k8sContext" in status["error"]
    assert await stage.list(CASSANDRA_DATACENTERS) == []


async def test_a_secret_that_is_there_is_used_as_it_is(stage: Stage) -> None:
    data = {"username": "YWxpY2U=", "password": "c2VjcmV0"}
    await stage.create(SECRETS, {"metadata": {"name": "demo-superuser"}, "data": data})

    await stage.create_cluster(*TWO)
    await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")

    assert (await stage.until_exists(SECRETS, "demo-superuser"))["data"] == data


async def test_a_control_plane_brings_the_secret(stage: Stage) -> None:
    labels = {
        Label.CONTROL_PLANE: "cp",
        Label.MC_CLUSTER_NAME: "demo",
        Label.MC_CLUSTER_NAMESPACE: stage.namespace,
    }
    await stage.create_cluster(a_datacenter("dc1"), labels=labels)

    def waits(status: Json) -> bool:
        return any(
            "waiting for the Secret" in each.get("message", "") for each in status.get("conditions", [])
        )

    await stage.until_status("demo", waits, "it waits for the Secret")
    assert await stage.list(CASSANDRA_DATACENTERS) == []
    await stage.create(SECRETS, {"metadata": {"name": "demo-superuser"}, "data": {}})
    made = await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")

    assert labels.items() <= made["metadata"]["labels"].items()


async def test_everything_goes_with_the_cluster(stage: Stage) -> None:
    await built(stage)

    await stage.client.delete(K8SSANDRA_CLUSTERS, "demo", namespace=stage.namespace)
    await stage.finish_deletion("dc1")
    await stage.finish_deletion("dc2")
    await stage.until_gone(K8SSANDRA_CLUSTERS, "demo")

    for resource in (CASSANDRA_DATACENTERS, ENDPOINT_SLICES, CONFIG_MAPS, SECRETS):
        left = [each["metadata"]["name"] for each in await stage.list(resource)]
        assert left == [], resource.plural


async def test_a_killed_operator_continues_where_it_was(stage: Stage, operator: Operator) -> None:
    await stage.create_cluster(*TWO)
    await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")
    operator.stop(signal.SIGKILL)
    seeds = await stage.make_ready("dc1")
    operator.start()

    await stage.until_exists(CASSANDRA_DATACENTERS, "dc2")
    found = await stage.until_exists(ENDPOINT_SLICES, SLICE.format("dc2"))
    assert found["endpoints"][0]["addresses"] == seeds[:1]
