"""What a pod asks for, what its seeds are, and which status it gets."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from missioncontrol.local.simulator import pod_status, pods
from missioncontrol.local.simulator.ring import Process, State
from missioncontrol.local.simulator.seeds import resolve
from missioncontrol.local.simulator.views import Claim, EndpointSlice, PersistentVolume, Pod
from missioncontrol.local.simulator.volumes import PROVISIONED_BY, PROVISIONER, deletable, grown, volume_for

URL = "http://127.0.0.1:1/pods/ns/a"
CONFIG = {
    "cluster-info": {
        "name": "My Cluster",
        "seeds": "mycluster-seed-service,mycluster-dc1-additional-seed-service",
    },
    "datacenter-info": {"name": "real-dc"},
    "cassandra-yaml": {"num_tokens": 4.0},
}


def pod_object(*, images: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    images = images or {"cassandra": "cassandra:5", "server-system-logger": "logger:1"}
    labels = {
        "cassandra.datastax.com/cluster": "MyCluster",
        "cassandra.datastax.com/datacenter": "dc1",
        "cassandra.datastax.com/rack": "r1",
        **metadata.pop("labels", {}),
    }
    return {
        "metadata": {
            "name": "a",
            "namespace": "ns",
            "uid": "u1",
            "generation": 1,
            "labels": labels,
            **metadata,
        },
        "spec": {
            "nodeName": "n1",
            "initContainers": [
                {
                    "name": "server-config-init",
                    "image": "config:1",
                    "env": [{"name": "CONFIG_FILE_DATA", "value": json.dumps(CONFIG)}],
                }
            ],
            "containers": [{"name": name, "image": image} for name, image in images.items()],
        },
    }


def view(found: dict[str, Any]) -> Pod:
    return msgspec.convert(found, Pod)


def process(**changes: Any) -> Process:
    values: dict[str, Any] = {
        "uid": "u1",
        "plane": "p1",
        "namespace": "ns",
        "pod": "a",
        "ip": "10.1.0.16",
        "host_ip": "10.1.255.1",
        "disk": "d",
        "cluster": "c",
        "datacenter": "dc",
        "rack": "r",
        "version": "5.0.4",
        "num_tokens": 16,
        "state": State.NOT_STARTED,
        "created_at": 1000.0,
        "ready_at": 0.0,
        "changed_at": 1000.0,
        **changes,
    }
    return Process(**values)


def applied(found: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    metadata = {**found["metadata"], **patch["metadata"]}
    status = dict(patch["status"])
    status["conditions"] = [{k: v for k, v in c.items() if v is not None} for c in status["conditions"]]
    return {**found, "metadata": metadata, "status": status}


def test_the_configuration_beats_the_labels() -> None:
    wanted = pods.describe(view(pod_object()))
    assert (wanted.cluster, wanted.datacenter, wanted.rack, wanted.num_tokens) == (
        "My Cluster",
        "real-dc",
        "r1",
        4,
    )


def test_without_a_configuration_the_labels_and_the_usual_services_are_taken() -> None:
    found = pod_object()
    found["spec"]["initContainers"] = []
    wanted = pods.describe(view(found))
    assert (wanted.cluster, wanted.datacenter, wanted.num_tokens) == ("MyCluster", "dc1", 16)
    assert wanted.seeds[1].endswith("-dc1-additional-seed-service")


def test_a_configuration_that_is_no_json_does_no_harm() -> None:
    found = pod_object()
    found["spec"]["initContainers"][0]["env"][0]["value"] = "{"
    assert pods.describe(view(found)).cluster == "MyCluster"


def test_seeds_are_the_labelled_pods_of_the_cluster_and_the_additional_addresses() -> None:
    seed = {"cassandra.datastax.com/seed-node": "true"}
    me = view(pod_object(labels=seed))
    siblings = [
        view({**pod_object(uid="u2", labels=seed), "status": {"podIP": "10.0.0.2"}}),
        view({**pod_object(uid="u3"), "status": {"podIP": "10.0.0.3"}}),
        view(
            {
                **pod_object(uid="u4", labels={**seed, "cassandra.datastax.com/cluster": "x"}),
                "status": {"podIP": "10.0.0.4"},
            }
        ),
    ]
    slices = [
        msgspec.convert(
            {
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address]}],
            },
            EndpointSlice,
        )
        for name, service, address in (
            ("a", "mycluster-dc1-additional-seed-service", "10.9.0.1"),
            ("b", "another-service", "10.9.0.2"),
        )
    ]
    found = resolve(me, siblings, slices)
    assert found.addresses == {"10.0.0.2"} | {"10.9.0.1"}
    assert not found.itself
    assert resolve(me, [*siblings, me], slices).itself


def test_a_new_pod_gets_its_whole_status_and_its_url_in_one_patch_and_then_none() -> None:
    found = pod_object()
    patch = pod_status.patch(view(found), process(), now=1000.5, management_url=URL)
    assert patch is not None
    assert patch["metadata"] == {"uid": "u1", "annotations": {"missioncontrol.io/management-api": URL}}
    assert patch["status"]["phase"] == "Running"
    assert [c["ready"] for c in patch["status"]["containerStatuses"]] == [False, True]
    again = view(applied(found, patch))
    assert pod_status.patch(again, process(), now=1000.9, management_url=URL) is None
    assert pod_status.patch(again, process(), now=1000.9, management_url=URL + "x") is not None


@pytest.mark.parametrize(
    ("says", "changes", "now", "ready"),
    [
        ("not started", {}, 1001.0, False),
        ("starting", {"state": State.STARTED, "ready_at": 1002.0}, 1001.0, False),
        ("started", {"state": State.STARTED, "ready_at": 1002.0}, 1002.0, True),
        ("drained", {"state": State.DRAINED, "ready_at": 1002.0}, 1003.0, False),
    ],
)
def test_the_pod_is_ready_when_cassandra_is(
    says: str, changes: dict[str, Any], now: float, ready: bool
) -> None:
    status = pod_status.status(view(pod_object()), process(**changes), now=now)
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert conditions["Ready"] == conditions["ContainersReady"] == str(ready), says


def test_a_node_whose_probe_fails_runs_and_is_not_ready() -> None:
    running = process(state=State.STARTED, ready_at=1002.0)
    status = pod_status.status(view(pod_object()), running, now=1010.0, probe_fails=True)
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "False"
    assert "running" in status["containerStatuses"][0]["state"]


def test_a_crash_shows_in_the_container() -> None:
    status = pod_status.status(view(pod_object()), process(restarts=2, crashed_at=1005.0), now=1006.0)
    cassandra = status["containerStatuses"][0]
    assert cassandra["restartCount"] == 2
    assert cassandra["lastState"]["terminated"]["exitCode"] == 1
    assert "running" in cassandra["state"]


@pytest.mark.parametrize(
    ("says", "images", "init", "states"),
    [
        ("its own image", {"cassandra": "x/broken:1", "other": "o"}, "config:1", ["ImagePullBackOff", ""]),
        ("an init image", {"cassandra": "c", "other": "o"}, "x/broken:1", ["PodInitializing"] * 2),
    ],
)
def test_an_image_that_cannot_be_pulled_holds_the_pod(
    says: str, images: dict[str, str], init: str, states: list[str]
) -> None:
    found = pod_object(images=images)
    found["spec"]["initContainers"][0]["image"] = init
    patch = pod_status.patch(view(found), process(), now=1001.0, management_url=URL)
    assert patch is not None
    assert patch["status"]["phase"] == "Pending"
    assert "annotations" not in patch["metadata"]
    reasons = [c["state"].get("waiting", {}).get("reason", "") for c in patch["status"]["containerStatuses"]]
    assert reasons == states, says
    assert pod_status.patch(view(applied(found, patch)), process(), now=1002.0, management_url=URL) is None


def claim(**changes: Any) -> Claim:
    found: dict[str, Any] = {
        "metadata": {
            "name": "data",
            "namespace": "ns",
            "uid": "c1",
            "annotations": {"volume.kubernetes.io/storage-provisioner": PROVISIONER},
        },
        "spec": {"storageClassName": "standard", "resources": {"requests": {"storage": "2Gi"}}},
        "status": {"phase": "Pending"},
    }
    for member, values in changes.items():
        found[member] = {**found[member], **values}
    return msgspec.convert(found, Claim)


def volume(phase: str = "Bound", by: str = PROVISIONER, policy: str = "Delete") -> PersistentVolume:
    found = {
        "metadata": {"name": "pvc-c1", "annotations": {PROVISIONED_BY: by}},
        "spec": {"persistentVolumeReclaimPolicy": policy},
        "status": {"phase": phase},
    }
    return msgspec.convert(found, PersistentVolume)


def test_a_claim_that_waits_for_us_gets_a_volume_of_its_size() -> None:
    body = volume_for(claim())
    assert body is not None
    assert body["metadata"]["name"] == "pvc-c1"
    assert body["spec"]["capacity"] == {"storage": "2Gi"}
    assert body["spec"]["claimRef"]["uid"] == "c1"
    assert volume_for(claim(spec={"volumeName": "pvc-c1"})) is None
    assert volume_for(claim(metadata={"annotations": {}})) is None


def test_only_a_bound_claim_of_ours_grows() -> None:
    bound = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    assert grown(claim(status=bound), volume()) == "2Gi"
    assert grown(claim(status={**bound, "capacity": {"storage": "2Gi"}}), volume()) is None
    assert grown(claim(status=bound), volume(by="somebody-else")) is None
    assert grown(claim(), None) is None


def test_only_released_volumes_of_ours_with_that_policy_are_deleted() -> None:
    assert deletable(volume("Released"))
    assert not deletable(volume("Bound"))
    assert not deletable(volume("Released", by="somebody-else"))
    assert not deletable(volume("Released", policy="Retain"))
