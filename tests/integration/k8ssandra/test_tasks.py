"""K8ssandraTasks become CassandraTasks, one datacenter after the other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import CASSANDRA_TASKS, K8SSANDRA_CLUSTERS, K8SSANDRA_TASKS
from tests.integration.k8ssandra.conftest import Json, Stage
from tests.unit.k8ssandra.builders import a_datacenter


async def a_task(stage: Stage, **spec: Any) -> Json:
    body = {"cluster": {"name": "demo"}, "template": {"jobs": [{"name": "j", "command": "restart"}]}, **spec}
    return await stage.create(K8SSANDRA_TASKS, {"metadata": {"name": "t"}, "spec": body})


async def finish(stage: Stage, name: str) -> None:
    """cass-operator has carried a task out."""
    await stage.until_exists(CASSANDRA_TASKS, name)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {
        "startTime": now,
        "completionTime": now,
        "succeeded": 1,
        "conditions": [
            {
                "type": "Complete",
                "status": "True",
                "reason": "Complete",
                "message": "",
                "lastTransitionTime": now,
            }
        ],
    }
    await stage.patch(CASSANDRA_TASKS, name, {"status": status}, status=True)


async def until_condition(stage: Stage, kind: str) -> Json:
    async def look() -> Json | None:
        found = await stage.until_exists(K8SSANDRA_TASKS, "t")
        told = found.get("status", {}).get("conditions", [])
        return found if any(each["type"] == kind and each["status"] == "True" for each in told) else None

    found = await stage.until(look, f"the task is {kind}")
    assert found is not None
    return found


async def with_cluster(stage: Stage) -> None:
    await stage.create_cluster(a_datacenter("dc1"), a_datacenter("dc2"))


async def test_the_listed_order_is_kept_and_the_sum_is_told(stage: Stage) -> None:
    await with_cluster(stage)
    await a_task(stage, datacenters=["dc2", "dc1"])

    first = await stage.until_exists(CASSANDRA_TASKS, "t-dc2")
    assert await stage.find(CASSANDRA_TASKS, "t-dc1") is None
    assert first["spec"]["jobs"][0]["command"] == "restart"
    await finish(stage, "t-dc2")
    await finish(stage, "t-dc1")
    task = await until_condition(stage, "Complete")

    assert task["status"]["succeeded"] == 2
    assert set(task["status"]["datacenters"]) == {"dc1", "dc2"}
    assert task["status"]["completionTime"]


async def test_cancelling_travels_down_and_begins_nothing_more(stage: Stage) -> None:
    await with_cluster(stage)
    await a_task(stage)
    await stage.until_exists(CASSANDRA_TASKS, "t-dc1")

    await stage.patch(K8SSANDRA_TASKS, "t", {"metadata": {"annotations": {Annotation.CANCEL: "true"}}})

    async def told() -> bool:
        found = await stage.until_exists(CASSANDRA_TASKS, "t-dc1")
        return found["metadata"].get("annotations", {}).get(Annotation.CANCEL) == "true"

    await stage.until(told, "the running part is told")
    await finish(stage, "t-dc1")
    await until_condition(stage, "Cancelled")
    assert await stage.find(CASSANDRA_TASKS, "t-dc2") is None


async def test_an_unknown_cluster_is_invalid(stage: Stage) -> None:
    await a_task(stage)

    task = await until_condition(stage, "Invalid")

    assert "no K8ssandraCluster demo" in task["status"]["conditions"][0]["message"]


async def test_deleting_a_task_ends_its_parts(stage: Stage) -> None:
    await with_cluster(stage)
    await a_task(stage)
    await stage.until_exists(CASSANDRA_TASKS, "t-dc1")

    await stage.client.delete(K8SSANDRA_TASKS, "t", namespace=stage.namespace)

    await stage.until_gone(K8SSANDRA_TASKS, "t")
    assert await stage.list(CASSANDRA_TASKS) == []


async def test_a_task_goes_when_its_time_is_over(stage: Stage) -> None:
    await with_cluster(stage)
    template = {"jobs": [{"name": "j", "command": "restart"}], "ttlSecondsAfterFinished": 1}
    await a_task(stage, datacenters=["dc1"], template=template)

    await finish(stage, "t-dc1")

    await stage.until_gone(K8SSANDRA_TASKS, "t")


async def test_a_cluster_takes_its_tasks_with_it(stage: Stage) -> None:
    await with_cluster(stage)
    await a_task(stage)
    await stage.until_exists(CASSANDRA_TASKS, "t-dc1")

    await stage.client.delete(K8SSANDRA_CLUSTERS, "demo", namespace=stage.namespace)

    await stage.until_gone(K8SSANDRA_CLUSTERS, "demo")
    assert await stage.list(K8SSANDRA_TASKS) == []
