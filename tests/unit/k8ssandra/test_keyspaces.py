"""System keyspaces get the replication that is wanted, with as few calls as possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.doors import Doors
from controllers.k8ssandra.keyspaces import SYSTEM_KEYSPACES, VERIFY_AGAIN_SECONDS, Keyspaces
from controllers.k8ssandra.management import ManagementApi, ManagementError
from controllers.k8ssandra.materials import Materials
from missioncontrol.api.names import Label, NodeState
from missioncontrol.kube.views import Condition, Meta, Pod, PodStatus
from tests.unit.k8ssandra.builders import NAMESPACE, a_cluster, a_spec


class Ring(ManagementApi):
    """A ring that answers as one node would."""

    def __init__(self, *datacenters: str) -> None:
        self.datacenters = set(datacenters)
        self.keyspaces: dict[str, dict[str, str]] = {
            name: {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"}
            for name in SYSTEM_KEYSPACES
        }
        self.versions = {"v1": ["10.0.0.1"], "UNREACHABLE": ["10.0.0.2"]}
        self.calls = 0
        self.failure = ""

    async def ring_datacenters(self, pod: Pod) -> set[str]:
        self.calls += 1
        if self.failure:
            raise ManagementError(self.failure)
        return self.datacenters

    async def schema_versions(self, pod: Pod) -> dict[str, list[str]]:
        self.calls += 1
        return self.versions

    async def replication(self, pod: Pod, keyspace: str) -> dict[str, str] | None:
        self.calls += 1
        return self.keyspaces.get(keyspace)

    async def alter_keyspace(self, pod: Pod, keyspace: str, factors: Mapping[str, int]) -> None:
        self.calls += 1
        told: dict[str, Any] = {name: str(factor) for name, factor in factors.items()}
        self.keyspaces[keyspace] = {"class": "NetworkTopologyStrategy", **told}


SERVING = Pod(
    metadata=Meta(name="p", namespace=NAMESPACE, labels={Label.NODE_STATE: NodeState.STARTED}),
    status=PodStatus(pod_ip="10.0.0.1", conditions=(Condition(type="Ready", status="True"),)),
)


async def test_keyspaces_are_altered_once_and_then_remembered() -> None:
    ring = Ring("dc1")
    keyspaces = Keyspaces(Doors(ring), clock=lambda: 0.0)

    assert await keyspaces.ensure(a_cluster(), {"dc1": 3}, [SERVING], Materials()) == ""
    assert ring.keyspaces["system_auth"] == {"class": "NetworkTopologyStrategy", "dc1": "3"}
    calls = ring.calls
    assert await keyspaces.ensure(a_cluster(), {"dc1": 3}, [SERVING], Materials()) == ""
    assert ring.calls == calls


async def test_what_was_verified_is_looked_at_again_after_a_while() -> None:
    ring, now = Ring("dc1"), [0.0]
    keyspaces = Keyspaces(Doors(ring), clock=lambda: now[0])
    await keyspaces.ensure(a_cluster(), {"dc1": 3}, [SERVING], Materials())
    ring.keyspaces["system_auth"] = {"class": "NetworkTopologyStrategy", "dc1": "1"}
    now[0] = VERIFY_AGAIN_SECONDS + 1

    await keyspaces.ensure(a_cluster(), {"dc1": 3}, [SERVING], Materials())

    assert ring.keyspaces["system_auth"]["dc1"] == "3"


async def test_a_datacenter_that_is_not_in_the_ring_is_waited_for() -> None:
    ring = Ring("dc1")

    waiting = await Keyspaces(Doors(ring)).ensure(a_cluster(), {"dc1": 3, "dc2": 3}, [SERVING], Materials())

    assert "dc2" in waiting
    assert ring.keyspaces["system_auth"] == {"class": "NetworkTopologyStrategy", "dc1": "3"}


async def test_nothing_is_altered_while_nodes_disagree_on_the_schema() -> None:
    ring = Ring("dc1")
    ring.versions = {"v1": ["10.0.0.1"], "v2": ["10.0.0.3"]}

    waiting = await Keyspaces(Doors(ring)).ensure(a_cluster(), {"dc1": 3}, [SERVING], Materials())

    assert "agree" in waiting
    assert "SimpleStrategy" in ring.keyspaces["system_auth"]["class"]


async def test_without_a_serving_node_or_an_answer_the_reason_is_told() -> None:
    ring = Ring("dc1")
    ring.failure = "node p does not answer"

    assert "no node is ready" in await Keyspaces(Doors(ring)).ensure(a_cluster(), {"dc1": 3}, [], Materials())
    assert "does not answer" in await Keyspaces(Doors(ring)).ensure(
        a_cluster(), {"dc1": 3}, [SERVING], Materials()
    )


def an_outside_cluster() -> Cluster:
    return a_cluster({**a_spec(), "externalDatacenters": ["old"]})


async def test_a_datacenter_outside_of_the_cluster_holds_nothing_up_while_the_ring_does_not_know_it() -> None:
    ring, cluster = Ring("dc1"), an_outside_cluster()
    keyspaces = Keyspaces(Doors(ring), clock=lambda: 0.0)

    assert await keyspaces.ensure(cluster, {"dc1": 3, "old": 3}, [SERVING], Materials()) == ""
    assert ring.keyspaces["system_auth"] == {"class": "NetworkTopologyStrategy", "dc1": "3"}
    assert keyspaces.absent_outside(cluster) == ["old"]

    ring.datacenters.add("old")
    assert await keyspaces.ensure(cluster, {"dc1": 3, "old": 3}, [SERVING], Materials()) == ""
    assert ring.keyspaces["system_auth"] == {"class": "NetworkTopologyStrategy", "dc1": "3", "old": "3"}
    assert keyspaces.absent_outside(cluster) == []


async def test_copies_outside_of_the_cluster_stay_while_nobody_answers_for_them() -> None:
    ring = Ring("dc1")
    there = {"class": "NetworkTopologyStrategy", "old": "3"}
    ring.keyspaces = {name: dict(there) for name in SYSTEM_KEYSPACES}

    await Keyspaces(Doors(ring)).ensure(an_outside_cluster(), {"dc1": 2, "old": 3}, [SERVING], Materials())

    assert ring.keyspaces["system_auth"] == {**there, "dc1": "2"}


async def test_nodes_that_want_a_certificate_are_not_called_without_one() -> None:
    auth = {"manual": {"clientSecretName": "mine", "serverSecretName": "theirs"}}
    cluster = a_cluster(a_spec(managementApiAuth=auth))
    pod = msgspec.structs.replace(
        SERVING,
        metadata=msgspec.structs.replace(
            SERVING.metadata, labels={**SERVING.metadata.labels, Label.DATACENTER: "dc1"}
        ),
    )
    ring = Ring("dc1")

    absent = await Keyspaces(Doors(ring)).ensure(cluster, {"dc1": 1}, [pod], Materials())
    broken = await Keyspaces(Doors(ring)).ensure(
        cluster, {"dc1": 1}, [pod], Materials(secrets={"mine": {"ca.crt": "x"}})
    )

    assert "there is no Secret mine" in absent
    assert "the Secret mine: the certificates are not usable" in broken
    assert ring.calls == 0
