"""Volumes grow under running pods; what cannot grow is refused with what to do."""

from __future__ import annotations

from typing import Any

from missioncontrol.api.resources import CASSANDRA_DATACENTERS, PERSISTENT_VOLUME_CLAIMS
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.waiting import eventually


def storage(size: str, name: str = "standard") -> dict[str, Any]:
    return {
        "cassandraDataVolumeClaimSpec": {
            "storageClassName": name,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
        }
    }


def invalid(plane: Plane) -> dict[str, str]:
    found = plane.get(CASSANDRA_DATACENTERS, "dc1")["status"]["conditions"]
    return next((each for each in found if each["type"] == "Valid" and each["status"] == "False"), {})


def test_volumes_grow_and_no_pod_restarts(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(size=4, racks=[{"name": "rack1"}, {"name": "rack2"}])
    plane.wait_settled()
    pods = {name: pod["metadata"]["uid"] for name, pod in plane.pods().items()}
    sets = {name: each["metadata"]["uid"] for name, each in plane.statefulsets().items()}
    plane.patch_datacenter({"spec": {"storageConfig": storage("5Gi")}})
    said = eventually(lambda: invalid(plane), "the annotation is asked for")
    assert "cassandra.datastax.com/allow-storage-changes" in said["message"]
    plane.patch_datacenter(
        {"metadata": {"annotations": {"cassandra.datastax.com/allow-storage-changes": "true"}}}
    )
    plane.wait_settled()
    claims = plane.list(PERSISTENT_VOLUME_CLAIMS)
    assert {each["status"]["capacity"]["storage"] for each in claims} == {"5Gi"}
    after = plane.statefulsets()
    assert all(after[name]["metadata"]["uid"] != uid for name, uid in sets.items())
    for each in after.values():
        [template] = each["spec"]["volumeClaimTemplates"]
        assert template["spec"]["resources"]["requests"]["storage"] == "5Gi"
    assert {name: pod["metadata"]["uid"] for name, pod in plane.pods().items()} == pods
    assert plane.conditions(CASSANDRA_DATACENTERS, "dc1")["ResizingVolumes"] == "False"
    assert plane.history("restart") == []
    plane.patch_datacenter({"spec": {"storageConfig": storage("3Gi")}})
    said = eventually(lambda: invalid(plane), "shrinking is refused")
    assert said["reason"] == "shrinkingDataVolumeNotSupported"


def test_a_class_whose_volumes_cannot_grow_is_named(operator: OperatorProcess, plane: Plane) -> None:
    allow = {"cassandra.datastax.com/allow-storage-changes": "true"}
    plane.create_datacenter(
        size=1, racks=[{"name": "rack1"}], storageConfig=storage("2Gi", "no-expand"), annotations=allow
    )
    plane.wait_settled()
    plane.patch_datacenter({"spec": {"storageConfig": storage("5Gi", "no-expand")}})
    said = eventually(lambda: invalid(plane), "the class is named")
    assert said["reason"] == "storageClassDoesNotSupportExpansion"
    assert "the StorageClass no-expand" in said["message"]
    plane.patch_datacenter({"spec": {"storageConfig": storage("2Gi", "no-expand")}})
    plane.wait_settled()
    assert invalid(plane) == {}


def test_a_volume_comes_and_goes_and_pods_follow_one_by_one(operator: OperatorProcess, plane: Plane) -> None:
    allow = {"cassandra.datastax.com/allow-storage-changes": "true"}
    plane.create_datacenter(size=2, racks=[{"name": "rack1"}], annotations=allow)
    plane.wait_settled()
    more = {
        "name": "logs",
        "mountPath": "/logs",
        "pvcSpec": storage("1Gi")["cassandraDataVolumeClaimSpec"],
    }
    plane.patch_datacenter({"spec": {"storageConfig": {"additionalVolumes": [more]}}})
    plane.wait_settled(timeout=90)
    names = ["demo-dc1-rack1-sts-0", "demo-dc1-rack1-sts-1"]
    assert [each["pod"] for each in plane.history("restart")] == names
    claims = {each["metadata"]["name"] for each in plane.list(PERSISTENT_VOLUME_CLAIMS)}
    assert {f"logs-{name}" for name in names} < claims
    for pod in plane.pods().values():
        assert "logs" in {each["name"] for each in pod["spec"]["volumes"]}
    [found] = plane.statefulsets().values()
    assert found["spec"]["updateStrategy"]["rollingUpdate"]["partition"] == 0
    plane.patch_datacenter({"spec": {"storageConfig": {"additionalVolumes": None}}})
    plane.wait_settled(timeout=90)
    assert [each["pod"] for each in plane.history("restart")] == names * 2
    assert {each["metadata"]["name"] for each in plane.list(PERSISTENT_VOLUME_CLAIMS)} == claims
