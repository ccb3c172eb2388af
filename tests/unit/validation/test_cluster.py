"""What is wrong with a MissionControlCluster is told at once, each with its path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.validation.cluster import create_causes, update_causes
from tests.unit.validation.builders import DC, PLANES, C, a_cluster, changed

D = "cassandra.datacenters"
CLAIM_FIELD = f"{C}.storageConfig.cassandraDataVolumeClaimSpec"


def told(causes: Any) -> list[str]:
    return [str(cause) for cause in causes]


def test_a_good_cluster_has_no_causes() -> None:
    assert create_causes(a_cluster(), planes=PLANES) == []


def test_what_manifests_of_the_product_are_full_of_means_nothing() -> None:
    body = a_cluster(
        (f"{D}.0.networking", {}),
        (f"{D}.0.dseWorkloads", {}),
        (f"{D}.0.perNodeConfigMapRef", {"name": ""}),
        (f"{D}.0.stopped", False),
        (f"{D}.0.metadata.services", {"dcService": {}, "seedService": {}}),
        ("cassandra.superuserSecretRef", {"name": ""}),
        ("cassandra.managementApiAuth", {"insecure": {}}),
        ("auth", True),
        ("secretsProvider", "internal"),
        ("medusa", None),
    )
    body["spec"] |= {
        "createIssuer": False,
        "prefixDcs": False,
        "encryption": {"internodeEncryption": {"enabled": False}},
    }

    assert create_causes(body, planes=PLANES) == []


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(
            (f"{D}.0.size", 0),
            f"{DC}[0].size: Invalid value: 0: must be a whole number of at least 1",
            id="size 0",
        ),
        pytest.param(
            (f"{D}.0.size", 2),
            f"{DC}[0].size: Invalid value: 2: must be at least 3, one node for each of its 3 racks",
            id="fewer nodes than racks",
        ),
        pytest.param(
            (f"{D}.0.size", "-"),
            f"{DC}[0].size: Required value: the number of nodes of the datacenter",
            id="no size",
        ),
        pytest.param(
            (f"{D}.1.metadata.name", "dc1"),
            f'{DC}[1].metadata.name: Duplicate value: "dc1"',
            id="two datacenters of one name",
        ),
        pytest.param(
            (f"{D}.0.racks.1.name", "r1"),
            f'{DC}[0].racks[1].name: Duplicate value: "r1"',
            id="two racks of one name",
        ),
        pytest.param(
            (f"{D}.0.racks.1.name", "R1"),
            f'{DC}[0].racks[1].name: Duplicate value: "R1"',
            id="two racks of one StatefulSet",
        ),
        pytest.param(
            (f"{D}.0.racks.1.name", "r.2"),
            f'{DC}[0].racks[1].name: Invalid value: "r.2"',
            id="a dot in a rack's name",
        ),
        pytest.param(
            (f"{D}.0.metadata.name", "DC1"),
            f'{DC}[0].metadata.name: Invalid value: "DC1": must be lower case',
            id="an upper case datacenter",
        ),
        pytest.param(
            (f"{D}.0.k8sContext", ""),
            f"{DC}[0].k8sContext: Required value: names the DataPlane",
            id="no plane",
        ),
        pytest.param(
            (f"{D}.0.k8sContext", "mars"),
            f'{DC}[0].k8sContext: Not found: "mars": no such DataPlane; registered are: plane-1, plane-2',
            id="an unknown plane",
        ),
        pytest.param(
            ("cassandra.serverVersion", "5.0"),
            f'{C}.serverVersion: Invalid value: "5.0": must be a full version such as 5.0.4',
            id="half a version",
        ),
        pytest.param(
            (f"{D}.1.serverVersion", "five"), f'{DC}[1].serverVersion: Invalid value: "five"', id="no version"
        ),
        pytest.param(
            ("cassandra.serverVersion", "-"),
            f"{DC}[0].serverVersion: Required value",
            id="no version anywhere",
        ),
        pytest.param(
            ("cassandra.storageConfig", "-"),
            f"{DC}[0].storageConfig: Required value",
            id="no storage anywhere",
        ),
        pytest.param(
            ("cassandra.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage", "lots"),
            f"{C}.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage: Invalid",
            id="no quantity",
        ),
        pytest.param(
            ("cassandra.config", {"cassandraYaml": {"num_tokens": 8}}),
            f"{C}.config.cassandraYaml.num_tokens: Forbidden: a cluster over several",
            id="few tokens over two planes",
        ),
        pytest.param(
            ("cassandra.config", {"jvmOptions": {"heap_initial_size": "2Gi", "heap_max_size": "1Gi"}}),
            f"{C}.config.jvmOptions.heap_initial_size: Invalid value",
            id="a heap above its maximum",
        ),
        pytest.param(
            ("cassandra.resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}),
            f'{C}.resources.requests.cpu: Invalid value: "2": must not exceed the limit of 1500m',
            id="a request above its limit",
        ),
        pytest.param(
            (f"{D}.0.metadata.pods", {"labels": {"a b": "c"}}),
            f'{DC}[0].metadata.pods.labels[a b]: Invalid value: "a b"',
            id="a label that is none",
        ),
        pytest.param(
            (f"{D}.0.metadata.services", {"dcService": {"labels": {"cassandra.datastax.com/x": "y"}}}),
            f"{DC}[0].metadata.services.dcService.labels[cassandra.datastax.com/x]: Forbidden",
            id="a reserved label",
        ),
        pytest.param(
            (f"{D}.0.metadata.name", "d" * 45),
            f"{DC}[0].metadata.name: Invalid value",
            id="names too long together",
        ),
        pytest.param(
            (f"{D}.0.config", {"dseYaml": {"a": 1}}),
            f"{DC}[0].config.dseYaml: Forbidden: cassandra has no dse.yaml",
            id="dse.yaml of Cassandra",
        ),
        pytest.param(
            ("cassandra.dseWorkloads", {"graphEnabled": True}),
            f"{C}.dseWorkloads.graphEnabled: Forbidden: DSE workloads need",
            id="workloads of DSE in Cassandra",
        ),
        pytest.param(
            ("cassandra.softPodAntiAffinity", True),
            f"{DC}[0].resources.limits.memory: Forbidden: several nodes on one worker",
            id="shared workers without limits",
        ),
        pytest.param(
            (D, []), f"{DC}: Required value: a cluster needs at least one datacenter", id="no datacenter"
        ),
        pytest.param(
            ("cassandra.cdc", {"pulsarServiceUrl": "p"}),
            f"{C}.cdc: Forbidden: cdc belongs to a single datacenter",
            id="change data capture outside of a datacenter",
        ),
        pytest.param(
            ("cassandra.datacenterName", "x"),
            f"{C}.datacenterName: Forbidden: datacenterName belongs to a single datacenter",
            id="one name inside Cassandra for all datacenters",
        ),
        pytest.param(
            (f"{D}.1.datacenterName", "dc1"),
            f'{DC}[1].datacenterName: Duplicate value: "dc1"',
            id="two datacenters of one name inside Cassandra",
        ),
        pytest.param(
            ("externalDatacenters", ["old", "dc1"]),
            'spec.k8ssandra.externalDatacenters[1]: Invalid value: "dc1": is a datacenter of this cluster',
            id="a datacenter of the cluster among those outside of it",
        ),
        pytest.param(
            ("externalDatacenters", ["old", "old"]),
            'spec.k8ssandra.externalDatacenters[1]: Duplicate value: "old"',
            id="a datacenter outside of the cluster, twice",
        ),
        pytest.param(
            ("cassandra.additionalSeeds", ["10.0.0.1", "not an address"]),
            f'{C}.additionalSeeds[1]: Invalid value: "not an address"',
            id="a seed that is no address",
        ),
        pytest.param(
            ("cassandra.telemetry", {"mcac": {"enabled": True}, "prometheus": {"enabled": True}}),
            f"{C}.telemetry.mcac.enabled: Forbidden: ServiceMonitors",
            id="ServiceMonitors for the older collector",
        ),
        pytest.param(
            ("cassandra.telemetry", {"vector": {"enabled": True, "scrapeInterval": "soon"}}),
            f'{C}.telemetry.vector.scrapeInterval: Invalid value: "soon": must be a duration',
            id="an agent that reads metrics at no interval",
        ),
        pytest.param(
            ("cassandra.telemetry", {"vector": {"enabled": True}, "cassandra": {"endpoint": {"port": "80"}}}),
            f'{C}.telemetry.cassandra.endpoint.port: Invalid value: "80": must be a port from 1025',
            id="an agent that reads metrics from a port of the system",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_path(change: tuple[str, Any], cause: str) -> None:
    assert [each for each in told(create_causes(a_cluster(change), planes=PLANES)) if each.startswith(cause)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param(
            ("medusa", {"storageProperties": {"bucketName": "b"}}), "spec.k8ssandra.medusa", id="Medusa"
        ),
        pytest.param(("reaper", {"keyspace": "r"}), "spec.k8ssandra.reaper", id="Reaper"),
        pytest.param(
            (f"{D}.0.metadata.namespace", "elsewhere"), f"{DC}[0].metadata.namespace", id="another namespace"
        ),
    ],
)
def test_what_is_not_supported_yet_is_named_at_the_topmost_path(change: tuple[str, Any], field: str) -> None:
    (cause,) = create_causes(a_cluster(change), planes=PLANES)

    assert cause.field == field
    assert cause.message.endswith("is not supported yet")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    body = a_cluster(
        (f"{D}.0.size", 0),
        (f"{D}.1.k8sContext", "mars"),
        ("cassandra.serverVersion", "x"),
        ("reaper", {"a": 1}),
    )

    fields = {cause.field for cause in create_causes(body, planes=PLANES)}

    assert fields == {f"{DC}[0].size", f"{DC}[1].k8sContext", f"{C}.serverVersion", "spec.k8ssandra.reaper"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((f"{D}.0.size", 6), id="a size upward"),
        pytest.param(
            (f"{D}.2", {"metadata": {"name": "dc3"}, "k8sContext": "plane-1", "size": 3}),
            id="a datacenter more",
        ),
        pytest.param((f"{D}.1.size", 2), id="a size downward"),
        pytest.param((f"{D}.0.stopped", True), id="a datacenter stops"),
        pytest.param(("cassandra.serverVersion", "5.0.5"), id="another version"),
        pytest.param(("cassandra.config", {"cassandraYaml": {"concurrent_reads": 9}}), id="a configuration"),
        pytest.param((f"{D}.0.resources", {"requests": {"cpu": "1"}}), id="resources"),
        pytest.param((f"{D}.0.tolerations", [{"operator": "Exists"}]), id="tolerations"),
        pytest.param((f"{D}.0.metadata.labels", {"team": "a"}), id="labels of a datacenter"),
        pytest.param(
            ("cassandra.metadata", {"commonLabels": {"team": "a"}, "pods": {"labels": {"a": "b"}}}),
            id="labels of all",
        ),
        pytest.param(("auth", True), id="a default spelled out"),
        pytest.param((f"{D}.0.networking", {}), id="an empty object"),
        pytest.param(("cassandra.clusterName", "demo"), id="the cluster's own name spelled out"),
    ],
)
def test_what_may_change(change: tuple[str, Any]) -> None:
    assert update_causes(a_cluster(), a_cluster(change), planes=PLANES) == []


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(
            (f"{D}.0.size", 4),
            f"{DC}[0].size: Forbidden: 4 nodes cannot be spread evenly",
            id="a size that racks cannot share",
        ),
        pytest.param(
            ("cassandra.serverType", "dse"),
            f"{C}.serverType: Forbidden: serverType cannot change",
            id="another database",
        ),
        pytest.param(
            ("cassandra.superuserSecretRef", {"name": "other"}),
            f"{C}.superuserSecretRef: Forbidden: superuserSecretRef cannot change",
            id="another superuser",
        ),
        pytest.param(
            ("cassandra.config", {"cassandraYaml": {"num_tokens": 32}}),
            f"{C}.config.cassandraYaml.num_tokens: Forbidden: nodes keep the number of tokens",
            id="the number of tokens",
        ),
        pytest.param(
            ("cassandra.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage", "1Gi"),
            f"{CLAIM_FIELD}.resources.requests.storage: Forbidden: volumes cannot shrink from 2Gi to 1Gi",
            id="smaller volumes",
        ),
        pytest.param(
            ("cassandra.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage", "4Gi"),
            f"{CLAIM_FIELD}.resources.requests.storage: Forbidden: the claim of the data volumes cannot "
            "change; annotation cassandra.datastax.com/allow-storage-changes=true allows",
            id="larger volumes without leave",
        ),
        pytest.param(
            (
                f"{D}.0.storageConfig",
                {"additionalVolumes": [{"name": "x", "mountPath": "/x", "pvcSpec": {}}]},
            ),
            f"{DC}[0].storageConfig.additionalVolumes: Forbidden: adding or removing a volume (x) replaces",
            id="a claim more",
        ),
        pytest.param(
            (f"{D}.1", "-"),
            f"{DC}: Forbidden: removing a datacenter (dc2) is not supported yet",
            id="removing a datacenter",
        ),
        pytest.param(
            (f"{D}.1.metadata.name", "dcx"),
            f"{DC}[1].metadata.name: Forbidden: datacenters cannot be renamed",
            id="renaming a datacenter",
        ),
        pytest.param(
            (f"{D}.1.k8sContext", "plane-1"),
            f"{DC}[1].k8sContext: Forbidden: moving a datacenter to another data plane is not supported yet",
            id="moving a datacenter",
        ),
        pytest.param(
            (f"{D}.0.racks.2", "-"),
            f"{DC}[0].racks: Forbidden: racks cannot be removed: r3 holds replicas of every row",
            id="removing a rack",
        ),
        pytest.param(
            (f"{D}.0.racks.3", {"name": "r4"}),
            f"{DC}[0].size: Forbidden: 1 more rack needs at least 1 more node, as many as the others have: 4",
            id="adding a rack without nodes",
        ),
        pytest.param(
            (f"{D}.0.racks.0.name", "rx"),
            f"{DC}[0].racks[0].name: Forbidden: racks can neither be renamed",
            id="renaming a rack",
        ),
        pytest.param(
            ("cassandra.clusterName", "other"),
            f"{C}.clusterName: Forbidden: the name of the cluster cannot change",
            id="the cluster's name",
        ),
        pytest.param(
            ("auth", False),
            "spec.k8ssandra.auth: Forbidden: changing auth after creation is not supported yet",
            id="authentication",
        ),
    ],
)
def test_what_may_not_change(change: tuple[str, Any], cause: str) -> None:
    found = told(update_causes(a_cluster(), a_cluster(change), planes=PLANES))

    assert [each for each in found if each.startswith(cause)], found


def test_a_rack_comes_with_its_nodes() -> None:
    grown = a_cluster((f"{D}.0.racks.3", {"name": "r4"}), (f"{D}.0.size", 4))

    assert update_causes(a_cluster(), grown, planes=PLANES) == []


def test_an_annotation_allows_larger_volumes() -> None:
    path = "cassandra.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage"
    leave = {"annotations": {"cassandra.datastax.com/allow-storage-changes": "true"}}

    assert (
        update_causes(a_cluster(), a_cluster((path, "4Gi"), ("cassandra.metadata", leave)), planes=PLANES)
        == []
    )


def test_datacenters_keep_their_order() -> None:
    after = a_cluster()
    after["spec"]["k8ssandra"]["cassandra"]["datacenters"].reverse()

    assert "changing the order" in " ".join(told(update_causes(a_cluster(), after, planes=PLANES)))


def test_a_plane_that_is_gone_holds_no_other_change() -> None:
    assert update_causes(a_cluster(), a_cluster((f"{D}.0.size", 6)), planes=set()) == []


def test_a_spec_that_does_not_change_is_not_judged_again() -> None:
    bad = a_cluster(("reaper", {"a": 1}))
    labelled = changed(bad, "metadata.labels", {"a": "b"})

    assert update_causes(bad, labelled, planes=PLANES) == []


def test_nothing_holds_the_finalizers_of_a_cluster_that_is_deleted() -> None:
    leaving = changed(a_cluster((f"{D}.1", "-")), "metadata.deletionTimestamp", "2026-01-01T00:00:00Z")

    assert update_causes(a_cluster(), leaving, planes=PLANES) == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cassandra",
                    "datacenters",
                    "metadata",
                    "name",
                    "racks",
                    "size",
                    "config",
                    "cassandraYaml",
                    "num_tokens",
                    "jvmOptions",
                    "resources",
                    "requests",
                    "storageConfig",
                    "labels",
                    "services",
                    "pods",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON, _JSON)
def test_no_shape_of_input_makes_the_rules_stumble(old: Any, new: Any) -> None:
    before, after = ({"metadata": {"name": "x"}, "spec": {"k8ssandra": each}} for each in (old, new))

    create_causes(after, planes=PLANES)
    update_causes(before, after, planes=PLANES)
