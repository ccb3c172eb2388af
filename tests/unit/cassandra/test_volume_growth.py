"""What may change about volumes, and in which order claims and StatefulSets follow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from controllers.cassandra.actions import GrowClaims, RecreateRack, RemoveAnnotation
from controllers.cassandra.decide import volumes
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.statefulset import statefulset, with_larger_claims
from controllers.cassandra.state import Observations, Snapshot
from missioncontrol.api.names import Annotation
from tests.unit.cassandra.builders import claim, datacenter, pod, rack_set, snapshot

PODS = [pod(rack) for rack in (1, 2, 3)]


def wanting(
    size: str,
    *,
    allowed: bool = True,
    expandable: bool = True,
    claims: str = "2Gi",
    resizing: bool = True,
    **more: Any,
) -> Snapshot:
    storage = {
        "cassandraDataVolumeClaimSpec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
        }
    }
    annotations = {"cassandra.datastax.com/allow-storage-changes": "true"} if allowed else {}
    status = {"conditions": [{"type": "ResizingVolumes", "status": "True" if resizing else "False"}]}
    dc = datacenter(storageConfig=storage, meta={"annotations": annotations}, status=status)
    seen = Observations(storage_classes={"standard": expandable})
    found = snapshot(PODS, of=dc, observed=seen, **more)
    made = [claim(each.name, size=claims) for each in PODS]
    return replace(found, claims={each.name: each for each in made})


REFUSED = [
    pytest.param({"size": "1Gi"}, "shrinkingDataVolumeNotSupported", "from 2Gi to 1Gi", id="smaller"),
    pytest.param(
        {"size": "4Gi", "allowed": False}, "InvalidSpec", "allow-storage-changes", id="without the annotation"
    ),
    pytest.param(
        {"size": "4Gi", "expandable": False},
        "storageClassDoesNotSupportExpansion",
        "StorageClass standard",
        id="a class that cannot",
    ),
]


@pytest.mark.parametrize(("wish", "reason", "words"), REFUSED)
def test_what_cannot_be_is_refused_with_its_field(wish: dict[str, Any], reason: str, words: str) -> None:
    found = volumes.objection(wanting(**wish))
    assert found is not None
    assert found.reason == reason
    assert words in found.sentence
    assert found.sentence.startswith(
        "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage: "
    )


@pytest.mark.parametrize("size", ["2Gi", "2048Mi", "4Gi"])
def test_the_same_and_more_are_accepted(size: str) -> None:
    assert volumes.objection(wanting(size)) is None


def test_it_is_said_first_then_claims_grow_then_the_statefulset_is_made_again_rack_by_rack() -> None:
    plan = volumes.grow(wanting("4Gi", resizing=False))
    assert plan is not None
    assert plan.store
    plan = volumes.grow(wanting("4Gi"))
    assert plan is not None
    [grow, _] = plan.actions
    assert isinstance(grow, GrowClaims)
    assert [(each.name, size) for each, size in grow.claims] == [("server-data-demo-dc1-r1-sts-0", "4Gi")]
    plan = volumes.grow(wanting("4Gi", claims="4Gi"))
    assert plan is not None
    assert plan.actions == (RecreateRack("demo-dc1-r1-sts", "uid-r1", {"server-data": "4Gi"}),)
    done = [rack_set(rack, storage={"server-data": "4Gi"}) for rack in (1, 2, 3)]
    assert volumes.grow(wanting("4Gi", claims="4Gi", sets=done)) is None


def test_what_was_written_down_of_a_statefulset_is_kept_until_it_is_made_again() -> None:
    def with_note(uid: str, **more: Any) -> Snapshot:
        base = wanting("4Gi", claims="4Gi", **more)
        note = json.dumps({"uid": uid, "body": {"metadata": {"name": "demo-dc1-r1-sts"}}})
        metadata = msgspec.structs.replace(
            base.datacenter.metadata, annotations={Annotation.RECREATING: note}
        )
        return replace(base, datacenter=replace(base.datacenter, metadata=metadata))

    assert volumes.recreated(wanting("4Gi")) is None
    assert volumes.recreated(with_note("uid-r1")) is None
    plan = volumes.recreated(with_note("of the one before"))
    assert plan is not None
    assert plan.actions == (RemoveAnnotation(Annotation.RECREATING),)
    done = [rack_set(rack, storage={"server-data": "4Gi"}) for rack in (1, 2, 3)]
    assert volumes.recreated(with_note("uid-r1", sets=done)) is not None


def test_a_volume_that_failed_to_grow_is_told_with_its_reason() -> None:
    base = wanting("4Gi", claims="4Gi")
    name = f"server-data-{PODS[0].name}"
    small = replace(base.claims[name], capacity="2Gi")
    plan = volumes.unfinished(replace(base, claims={**base.claims, name: small}))
    assert plan is not None
    assert plan.conditions == {}
    failed = replace(small, conditions={"ControllerResizeError": "quota exceeded"})
    plan = volumes.unfinished(replace(base, claims={**base.claims, name: failed}))
    assert plan is not None
    assert plan.conditions["Valid"][1] == "pvcResizeFailed"
    assert "quota exceeded" in plan.sentence


def test_a_statefulset_made_again_counts_as_current_only_if_nothing_else_differs() -> None:
    old = wanting("2Gi").datacenter
    new = wanting("4Gi").datacenter
    images = ImageConfig()
    live = statefulset(old, old.plan[0], images, replicas=1)
    desired = statefulset(new, new.plan[0], images, replicas=1)
    key = Annotation.RESOURCE_HASH
    made = with_larger_claims(live, desired, {"server-data": "4Gi"})
    assert made["metadata"]["annotations"][key] == desired["metadata"]["annotations"][key]
    assert made["spec"]["template"] == live["spec"]["template"]
    changed = {**live, "metadata": {**live["metadata"], "annotations": {key: "something else"}}}
    made = with_larger_claims(changed, desired, {"server-data": "4Gi"})
    assert made["metadata"]["annotations"][key] == "something else"
