"""Who may write at all."""

from __future__ import annotations

import datetime
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
from webhooks.glass import Record, annotation_patch, record_of, stamped
from webhooks.guard import Passage, guard_data_plane, guard_storage
from webhooks.review import Verdict

GC = "system:serviceaccount:kube-system:generic-garbage-collector"
NAMESPACES = "system:serviceaccount:kube-system:namespace-controller"
NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def glass(by: str = "alice", minutes: float = 0) -> dict[str, Any]:
    """An object on which somebody broke the glass some minutes ago."""
    record = Record(by, NOW - datetime.timedelta(minutes=minutes), "the operator is down")
    return {"metadata": {"name": "x", "annotations": {Annotation.GLASS_BROKEN: record.as_text()}}}


PLAIN: dict[str, Any] = {"metadata": {"name": "x"}}
REASON = {"metadata": {"name": "x", "annotations": {Annotation.BREAK_GLASS: "the operator is down"}}}
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

    passage = guard_storage(a_request(resource, operation, user=user, **body), IDENTITIES, NOW)

    assert isinstance(passage, Passage) is passes


def test_a_person_is_told_where_to_go_instead() -> None:
    verdict = guard_storage(a_request(new=PLAIN), IDENTITIES, NOW)

    assert isinstance(verdict, Verdict)
    assert verdict.code == 403
    assert "use missioncontrolclusters.missioncontrol.io" in verdict.message
    assert Annotation.BREAK_GLASS in verdict.message


@pytest.mark.parametrize(
    ("operation", "sub", "new", "old", "passes"),
    [
        pytest.param("CREATE", "", glass(), None, True, id="recorded with the creation"),
        pytest.param("UPDATE", "", glass(), PLAIN, True, id="recorded with the change"),
        pytest.param("UPDATE", "", glass(), glass(minutes=5), True, id="recorded once more"),
        pytest.param("UPDATE", "", glass(), glass(), False, id="recorded at another write"),
        pytest.param("UPDATE", "", glass("bob"), PLAIN, False, id="recorded for somebody else"),
        pytest.param("UPDATE", "", glass(minutes=5), PLAIN, False, id="an old record brought along"),
        pytest.param("UPDATE", "", REASON, REASON, False, id="a reason that was there before"),
        pytest.param("DELETE", "", None, glass(minutes=5), True, id="a record before a deletion"),
        pytest.param("DELETE", "", None, glass("bob"), False, id="somebody else's record before a deletion"),
        pytest.param("DELETE", "", None, glass(minutes=20), False, id="a record that is too old"),
        pytest.param("DELETE", "", None, REASON, False, id="a reason without a record"),
        pytest.param("DELETE", "", None, PLAIN, False, id="a deletion without a record"),
        pytest.param("UPDATE", "status", glass(), glass(minutes=5), True, id="a status soon after"),
        pytest.param("UPDATE", "status", glass(), PLAIN, False, id="a status that says so itself"),
    ],
)
def test_breaking_the_glass_needs_a_record_and_warns(
    operation: str, sub: str, new: dict[str, Any] | None, old: dict[str, Any] | None, passes: bool
) -> None:
    request = a_request(STORED_CLUSTERS, operation, new=new, old=old, sub=sub)
    passage = guard_storage(request, IDENTITIES, NOW)

    assert isinstance(passage, Passage) is passes
    if isinstance(passage, Passage):
        assert "the operator is down" in passage.warnings[0]


BROKEN = glass()["metadata"]["annotations"][Annotation.GLASS_BROKEN]


@pytest.mark.parametrize(
    ("person", "new", "old", "wanted", "unwanted"),
    [
        pytest.param(True, REASON, None, True, True, id="a reason becomes a record"),
        pytest.param(True, REASON, REASON, False, False, id="one that was there does not"),
        pytest.param(True, BLANK, PLAIN, False, False, id="nor do blanks"),
        pytest.param(False, REASON, PLAIN, False, False, id="nor does what a component writes"),
        pytest.param(True, glass(), PLAIN, False, False, id="called again it finds its own work"),
    ],
)
def test_what_becomes_of_a_reason(
    person: bool, new: dict[str, Any], old: dict[str, Any] | None, wanted: bool, unwanted: bool
) -> None:
    to_set, to_remove = stamped(a_request(new=new, old=old), NOW, person=person)

    assert to_set == ({Annotation.GLASS_BROKEN: BROKEN} if wanted else {})
    assert to_remove == ([Annotation.BREAK_GLASS] if unwanted else [])


@pytest.mark.parametrize(
    ("person", "new", "old", "after"),
    [
        pytest.param(True, PLAIN, glass("bob"), "bob", id="who does not know of it cannot lose it"),
        pytest.param(False, PLAIN, glass("bob"), "bob", id="nor can a component"),
        pytest.param(True, glass("carol"), glass("bob"), "bob", id="it cannot be forged for another"),
        pytest.param(False, glass("carol"), PLAIN, None, id="it cannot be made through our API"),
        pytest.param(True, glass(minutes=5), PLAIN, None, id="it cannot be made for the past"),
    ],
)
def test_a_record_stays_as_it_is(
    person: bool, new: dict[str, Any], old: dict[str, Any], after: str | None
) -> None:
    wanted, unwanted = stamped(a_request(new=new, old=old), NOW, person=person)

    annotations = {**(new["metadata"].get("annotations") or {}), **wanted}
    body = {"metadata": {"annotations": {k: v for k, v in annotations.items() if k not in unwanted}}}
    record = record_of(body)
    assert (record.by if record else None) == after


def test_the_patch_sets_and_takes_away() -> None:
    patch = annotation_patch(REASON, {Annotation.GLASS_BROKEN: "x"}, [Annotation.BREAK_GLASS, "absent"])

    assert [(each["op"], each["path"].rpartition("/")[2]) for each in patch] == [
        ("add", "missioncontrol.io~1glass-broken"),
        ("remove", "missioncontrol.io~1break-glass"),
    ]


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

    passage = guard_data_plane(request, IDENTITIES, NOW)

    assert isinstance(passage, Passage) is passes
    if isinstance(passage, Verdict):
        assert "MissionControlCluster ns/demo of control plane cp" in passage.message
