"""The registry and the columns that kubectl shows."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from missioncontrol.api import columns as c
from missioncontrol.api.registry import BY_KIND, KINDS, OPERATION_KINDS, STORED, KindInfo, StoredAs

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def _cells(kind: str, obj: dict[str, Any]) -> dict[str, c.Cell]:
    return {column.name: column.value(obj, NOW) for column in BY_KIND[kind].columns}


def test_names_are_unique() -> None:
    names = [name for kind in KINDS for name in (kind.resource.plural, kind.singular, *kind.short_names)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
def test_an_entry_is_complete(kind: KindInfo) -> None:
    assert kind.stored in {stored.resource for stored in STORED}
    assert kind.columns[0] is c.NAME
    assert kind.verbs == tuple(sorted(kind.verbs))
    assert kind.is_operation == (kind.arguments is not None)
    if kind.stored_as is not StoredAs.COMPUTED:
        selectable = {
            path for stored in STORED if stored.resource == kind.stored for path in stored.selectable_fields
        }
        assert {f".{path}" for path in kind.field_selectors} <= selectable


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource.kind)
@pytest.mark.parametrize(
    "obj",
    [
        pytest.param({}, id="empty"),
        pytest.param({"metadata": {}, "spec": {}, "status": {}}, id="empty parts"),
        pytest.param({"metadata": {"name": "a"}, "spec": None, "status": {"conditions": None}}, id="nulls"),
        pytest.param({"spec": {"k8ssandra": {"cassandra": {"datacenters": [{}]}}}}, id="nameless datacenter"),
    ],
)
def test_columns_never_fail(kind: KindInfo, obj: dict[str, Any]) -> None:
    for column in kind.columns:
        assert isinstance(column.value(obj, NOW), str | int | float | bool | None)


def test_every_operation_is_a_subresource_of_the_cluster() -> None:
    cluster = BY_KIND["MissionControlCluster"]
    for operation in OPERATION_KINDS:
        subresource = cluster.subresource(operation.singular)
        assert subresource is not None
        assert subresource.creates_operation
        assert subresource.kind == operation.resource


def test_a_cluster_in_a_row() -> None:
    cluster = {
        "metadata": {"name": "demo", "creationTimestamp": "2026-01-01T11:54:57Z"},
        "spec": {
            "k8ssandra": {
                "cassandra": {
                    "serverVersion": "5.0.4",
                    "datacenters": [
                        {"metadata": {"name": "dc1"}, "size": 3},
                        {"metadata": {"name": "dc2"}, "size": 6, "serverVersion": "4.1.5"},
                    ],
                }
            }
        },
        "status": {"phase": "Updating", "readyReplicas": 5, "replicas": 6, "message": "one to go"},
    }
    assert _cells("MissionControlCluster", cluster) == {
        "Name": "demo",
        "Datacenters": "dc1,dc2",
        "Nodes": "5/6",
        "Version": "4.1.5,5.0.4",
        "Phase": "Updating",
        "Age": "5m3s",
        "Message": "one to go",
    }
    assert _cells("MissionControlCluster", {**cluster, "status": None})["Nodes"] == "0/9"


@pytest.mark.parametrize(
    ("status", "contact", "reason"),
    [
        pytest.param({"lastContactTime": "2026-01-01T11:59:55Z"}, "5s ago", "", id="it answered"),
        pytest.param(
            {
                "awaySince": "2026-01-01T11:57:00Z",
                "conditions": [{"type": "Ready", "status": "False", "reason": "Unreachable"}],
            },
            "away for 3m",
            "Unreachable",
            id="it is away",
        ),
        pytest.param({}, "never", "", id="it was never reached"),
    ],
)
def test_when_a_data_plane_answered(status: dict[str, Any], contact: str, reason: str) -> None:
    cells = _cells("DataPlane", {"status": status})
    assert (cells["Last contact"], cells["Reason"]) == (contact, reason)


def test_progress_of_an_operation() -> None:
    datacenters = [{"name": "dc1", "total": 3, "succeeded": 3}, {"name": "dc2", "total": 3, "succeeded": 1}]
    operation = {"spec": {"type": "RollingRestart"}, "status": {"datacenters": datacenters}}
    assert _cells("Operation", operation)["Progress"] == "4/6"
    assert _cells("Operation", operation)["Kind"] == "RollingRestart"
    assert _cells("Operation", operation)["Phase"] == "Pending"


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(seconds=120), "2m"),
        (timedelta(seconds=303), "5m3s"),
        (timedelta(minutes=10, seconds=5), "10m"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=3, minutes=5), "3h5m"),
        (timedelta(hours=9, minutes=5), "9h"),
        (timedelta(days=2, hours=4), "2d4h"),
        (timedelta(days=400), "400d"),
        (timedelta(days=800), "2y70d"),
    ],
    ids=str,
)
def test_durations_are_written_as_kubectl_writes_them(duration: timedelta, expected: str) -> None:
    assert c.human_duration(duration.total_seconds()) == expected


def test_servers_do_not_pay_for_the_emitter() -> None:
    code = (
        "import sys, missioncontrol.api.registry\n"
        "print(*(m for m in ('yaml', 'missioncontrol.api.emit') if m in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == ""
