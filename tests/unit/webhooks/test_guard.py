"""Who may write at all."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.api.names import Annotation, Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    K8SSANDRA_CLUSTERS,
    STORED_CLUSTERS,
    STORED_DATACENTERS,
    STORED_OPERATIONS,
    Resource,
)
from tests.unit.webhooks.builders import IDENTITIES, OURS, a_request
from webhooks.guard import Passage, guard_data_plane, guard_storage
from webhooks.review import Verdict

GC = "system:serviceaccount:kube-system:generic-garbage-collector"
NAMESPACES = "system:serviceaccount:kube-system:namespace-controller"
GLASS = {"metadata": {"name": "x", "annotations": {Annotation.BREAK_GLASS: "the operator is down"}}}
PLAIN: dict[str, Any] = {"metadata": {"name": "x"}}
BLANK = {"metadata": {"name": "x", "annotations": {Annotation.BREAK_GLASS: "  "}}}


@pytest.mark.parametrize(
    ("resource", "operation", "user", "passes"),
    [
        pytest.param(STORED_CLUSTERS, "CREATE", f"{OURS}apiserver", True, id="our API server"),
        pytest.param(STORED_OPERATIONS, "UPDATE", f"{OURS}mission-control-operator", True, id="our operator"),
        pytest.param(
            STORED_DATACENTERS,
            "CREATE",
            f"{OURS}mission-control-operator",
            True,
            id="observations by the operator",
        ),
        pytest.param(
            STORED_DATACENTERS, "CREATE", f"{OURS}apiserver", False, id="observations by the API server"
        ),
        pytest.param(STORED_CLUSTERS, "DELETE", GC, True, id="the garbage collector"),
        pytest.param(STORED_DATACENTERS, "DELETE", NAMESPACES, True, id="the namespace controller"),
        pytest.param(STORED_CLUSTERS, "CREATE", "alice", False, id="a person"),
        pytest.param(STORED_CLUSTERS, "DELETE", "kubernetes-admin", False, id="an administrator"),
        pytest.param(STORED_CLUSTERS, "CREATE", f"{OURS}webhooks", False, id="another of our components"),
        pytest.param(
            STORED_CLUSTERS,
            "CREATE",
            "system:serviceaccount:default:apiserver",
            False,
            id="a namesake elsewhere",
        ),
    ],
)
def test_the_storage_group(resource: Resource, operation: str, user: str, passes: bool) -> None:
    body = {"old": PLAIN} if operation == "DELETE" else {"new": PLAIN}

    passage = guard_storage(a_request(resource, operation, user=user, **body), IDENTITIES)

    assert isinstance(passage, Passage) is passes


def test_a_person_is_told_where_to_go_instead() -> None:
    verdict = guard_storage(a_request(new=PLAIN), IDENTITIES)

    assert isinstance(verdict, Verdict)
    assert verdict.code == 403
    assert "use missioncontrolclusters.missioncontrol.io" in verdict.message
    assert Annotation.BREAK_GLASS in verdict.message


@pytest.mark.parametrize(
    ("operation", "new", "old", "passes"),
    [
        pytest.param("CREATE", GLASS, None, True, id="a reason at creation"),
        pytest.param("UPDATE", GLASS, PLAIN, True, id="a reason with the change"),
        pytest.param("UPDATE", PLAIN, GLASS, False, id="a reason that is taken away"),
        pytest.param("DELETE", None, GLASS, True, id="a reason before a deletion"),
        pytest.param("DELETE", None, PLAIN, False, id="a deletion without a reason"),
        pytest.param("CREATE", BLANK, None, False, id="blanks are no reason"),
    ],
)
def test_breaking_the_glass_needs_a_reason_and_warns(
    operation: str, new: dict[str, Any] | None, old: dict[str, Any] | None, passes: bool
) -> None:
    passage = guard_storage(a_request(STORED_CLUSTERS, operation, new=new, old=old), IDENTITIES)

    assert isinstance(passage, Passage) is passes
    if isinstance(passage, Passage):
        assert "the operator is down" in passage.warnings[0]


OWNED = {
    "metadata": {
        "name": "dc1",
        "labels": {
            Label.CONTROL_PLANE: "cp",
            Label.MC_CLUSTER_NAME: "demo",
            Label.MC_CLUSTER_NAMESPACE: "ns",
        },
    },
    "spec": {"size": 3},
}
FINALIZED = {**OWNED, "metadata": {**OWNED["metadata"], "finalizers": ["x"]}}
GROWN = {**OWNED, "spec": {"size": 6}}
FREED = {"metadata": {"name": "dc1"}, "spec": {"size": 3}}


@pytest.mark.parametrize(
    ("resource", "operation", "user", "old", "new", "passes"),
    [
        pytest.param(
            K8SSANDRA_CLUSTERS, "UPDATE", "alice", FREED, {**FREED, "spec": {}}, True, id="what nobody owns"
        ),
        pytest.param(
            K8SSANDRA_CLUSTERS, "UPDATE", "alice", OWNED, GROWN, False, id="a person changes what is owned"
        ),
        pytest.param(
            K8SSANDRA_CLUSTERS, "UPDATE", "alice", OWNED, FREED, False, id="a person takes the labels off"
        ),
        pytest.param(
            K8SSANDRA_CLUSTERS, "CREATE", "alice", None, OWNED, False, id="a person forges the labels"
        ),
        pytest.param(K8SSANDRA_CLUSTERS, "DELETE", "alice", OWNED, None, False, id="a person deletes"),
        pytest.param(
            K8SSANDRA_CLUSTERS,
            "CREATE",
            f"{OURS}mission-control-operator",
            None,
            OWNED,
            True,
            id="the control plane",
        ),
        pytest.param(
            CASSANDRA_DATACENTERS,
            "CREATE",
            f"{OURS}k8ssandra-operator",
            None,
            OWNED,
            True,
            id="k8ssandra-operator",
        ),
        pytest.param(
            CASSANDRA_DATACENTERS,
            "UPDATE",
            f"{OURS}cass-operator",
            OWNED,
            FINALIZED,
            True,
            id="cass-operator and metadata",
        ),
        pytest.param(
            CASSANDRA_DATACENTERS,
            "UPDATE",
            f"{OURS}cass-operator",
            OWNED,
            GROWN,
            False,
            id="cass-operator and a spec",
        ),
        pytest.param(
            CASSANDRA_DATACENTERS,
            "UPDATE",
            f"{OURS}cass-operator",
            OWNED,
            FREED,
            False,
            id="cass-operator and labels",
        ),
        pytest.param(
            CASSANDRA_DATACENTERS,
            "DELETE",
            f"{OURS}cass-operator",
            OWNED,
            None,
            False,
            id="cass-operator deletes",
        ),
        pytest.param(
            CASSANDRA_TASKS,
            "DELETE",
            f"{OURS}cass-operator",
            OWNED,
            None,
            True,
            id="cass-operator ends a task",
        ),
        pytest.param(CASSANDRA_TASKS, "DELETE", GC, OWNED, None, True, id="the garbage collector"),
    ],
)
def test_what_a_control_plane_owns(
    resource: Resource, operation: str, user: str, old: Any, new: Any, passes: bool
) -> None:
    request = a_request(resource, operation, user=user, old=old, new=new)

    passage = guard_data_plane(request, IDENTITIES)

    assert isinstance(passage, Passage) is passes
    if isinstance(passage, Verdict):
        assert "MissionControlCluster ns/demo of control plane cp" in passage.message
