"""Which changes wake a datacenter, and what is made anew for a look at it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from controllers.cassandra.kept import Kept
from controllers.cassandra.state import Claim, PodState, RackSet
from controllers.cassandra.views import RackSetView
from missioncontrol.kube.views import Meta, MetaView, PersistentVolumeClaim, Pod

MADE = datetime(2026, 5, 4, tzinfo=UTC)


def claim(requested: str, capacity: str = "") -> PersistentVolumeClaim:
    status = {"capacity": {"storage": capacity}} if capacity else {}
    body = {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": requested}}}}
    return msgspec.convert({**body, "status": status}, PersistentVolumeClaim)


@pytest.mark.parametrize(
    ("before", "after", "wakes"),
    [
        pytest.param(claim("2Gi"), claim("2Gi", "2Gi"), False, id="a new claim gets its volume"),
        pytest.param(claim("2Gi", "2Gi"), claim("4Gi", "2Gi"), True, id="a claim is to grow"),
        pytest.param(claim("4Gi", "2Gi"), claim("4Gi", "4Gi"), True, id="a claim has grown"),
        pytest.param(
            claim("2Gi"), claim("2Gi", "5Gi"), True, id="a claim gets a larger volume than it asked"
        ),
    ],
)
def test_claims(before: PersistentVolumeClaim, after: PersistentVolumeClaim, wakes: bool) -> None:
    assert (Claim.essence(before) != Claim.essence(after)) is wakes


def pod(**status: Any) -> Pod:
    machine = status.pop("machine", "")
    body = {"metadata": {"name": "p-0", "uid": "u"}, "spec": {"nodeName": machine}, "status": status}
    return msgspec.convert(body, Pod)


def unplaced(message: str) -> dict[str, Any]:
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}


@pytest.mark.parametrize(
    ("before", "after", "wakes"),
    [
        pytest.param(pod(), pod(machine="m"), False, id="a pod gets its machine"),
        pytest.param(
            pod(conditions=[unplaced("full")]),
            pod(machine="m"),
            True,
            id="a pod that found no machine has one",
        ),
        pytest.param(pod(machine="m"), pod(machine="m", podIP="10.0.0.1"), True, id="a pod gets its address"),
    ],
)
def test_pods(before: Pod, after: Pod, wakes: bool) -> None:
    assert (PodState.essence(before) != PodState.essence(after)) is wakes


def rack(**status: Any) -> RackSetView:
    counts = {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, **status}
    body = {"metadata": {"name": "r", "generation": 1}, "spec": {"replicas": 3}, "status": counts}
    return msgspec.convert(body, RackSetView)


@pytest.mark.parametrize(
    ("before", "after", "wakes"),
    [
        pytest.param(rack(readyReplicas=1), rack(readyReplicas=2), False, id="another pod is ready"),
        pytest.param(rack(updatedReplicas=2), rack(), True, id="the last pod has the template"),
    ],
)
def test_racks(before: RackSetView, after: RackSetView, wakes: bool) -> None:
    assert (RackSet.essence(before) != RackSet.essence(after)) is wakes


def test_only_what_is_another_view_is_made_anew() -> None:
    made: list[str] = []

    def make(view: MetaView) -> str:
        made.append(view.metadata.resource_version)
        return f"{view.metadata.name}@{view.metadata.resource_version}"

    def view(name: str, version: str) -> MetaView:
        return MetaView(Meta(name=name, resource_version=version))

    one, two = view("one", "1"), view("two", "2")
    kept = Kept(make)
    assert kept.of([one, two]) == ["one@1", "two@2"]
    assert kept.of([two, one]) == ["two@2", "one@1"]
    assert kept.of([one, view("two", "3")]) == ["one@1", "two@3"]
    assert kept.of([one]) == ["one@1"]
    assert made == ["1", "2", "3"]
    assert kept.of([one, two]) == ["one@1", "two@2"]
    assert made == ["1", "2", "3", "2"]
