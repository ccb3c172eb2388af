"""Upstream's rules for CassandraDatacenter: the same verdicts, each with a path."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from missioncontrol.validation.cassandra_datacenter import create_causes, update_causes, warnings
from tests.unit.validation.builders import CLAIM, changed

BASE: dict[str, Any] = {
    "metadata": {"name": "dc1"},
    "spec": {
        "clusterName": "demo",
        "serverType": "cassandra",
        "serverVersion": "5.0.4",
        "size": 3,
        "racks": [{"name": "r1"}, {"name": "r2"}, {"name": "r3"}],
        "storageConfig": {"cassandraDataVolumeClaimSpec": CLAIM},
    },
}
ANNOTATION = "metadata.annotations"
CLAIM_FIELD = "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage"


def recorded() -> list[Any]:
    folder = os.environ.get("GOLDENS")
    file = Path(folder or "/nonexistent") / "cass-webhook.yaml"
    if not file.is_file():
        skipped = pytest.mark.skip(reason="GOLDENS does not name the folder with recordings of upstream")
        return [pytest.param({}, marks=skipped, id="recordings")]
    cases = yaml.safe_load(file.read_text())
    # 422 is the schema's, not the webhook's
    return [pytest.param(case, id=case["name"]) for case in cases if case["code"] != 422]


def merged(base: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    out = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


@pytest.mark.parametrize("case", recorded())
def test_the_verdict_is_that_of_upstream(case: dict[str, Any]) -> None:
    given = case["input"]
    if case["operation"] == "create":
        body = {"metadata": {"name": "dc"}, "spec": given}
        causes, told = create_causes(body), warnings(body)
    else:
        spec = {"clusterName": "c", "serverType": "cassandra", "serverVersion": "5.0.4", **given["old"]}
        old: dict[str, Any] = {"metadata": {"name": "dc"}, "spec": spec}
        if "scaling up" in case["name"]:
            old["status"] = {"conditions": [{"type": "ScalingUp", "status": "True"}]}
        new = merged(copy.deepcopy(old), given["patch"])
        causes, told = update_causes(old, new), warnings(new)

    assert bool(causes) == (case["code"] == 403), [str(cause) for cause in causes]
    assert all(cause.field for cause in causes)
    assert bool(told) == bool(case["warnings"])


@pytest.mark.parametrize(
    ("path", "value", "cause"),
    [
        pytest.param(
            "spec.dseWorkloads",
            {"searchEnabled": True},
            "spec.dseWorkloads.searchEnabled: Forbidden",
            id="DSE workloads on Cassandra",
        ),
        pytest.param(
            "spec.config",
            "text",
            'spec.config: Invalid value: "text"',
            id="a configuration that is no object",
        ),
        pytest.param(
            "spec.config",
            {"jvm-options": {}},
            "spec.config.jvm-options: Forbidden: cassandra-5.0.4 has no",
            id="a file of Cassandra 3",
        ),
        pytest.param("spec.config", {"dse-yaml": {}}, "spec.config.dse-yaml: Forbidden", id="a file of DSE"),
        pytest.param(
            "spec.config",
            {"cassandra-yaml": None},
            "spec.config.cassandra-yaml: Invalid value: null: must be an object",
            id="settings that are nothing",
        ),
        pytest.param(
            "spec.config",
            {"cassandra-yaml": ["num_tokens"]},
            "spec.config.cassandra-yaml: Invalid value",
            id="settings in a list",
        ),
        pytest.param(
            "spec.maxUnavailable",
            "many",
            'spec.maxUnavailable: Invalid value: "many"',
            id="no number of unavailable nodes",
        ),
        pytest.param(
            "spec.allowMultipleNodesPerWorker",
            True,
            "spec.resources.requests.cpu: Forbidden",
            id="shared workers without requests",
        ),
        pytest.param(
            "spec.additionalServiceConfig",
            {"seedService": {"additionalLabels": {"cassandra.datastax.com/a": "b"}}},
            "spec.additionalServiceConfig.seedService.additionalLabels[cassandra.datastax.com/a]: Forbidden",
            id="a reserved label",
        ),
        pytest.param(
            ANNOTATION,
            {"cassandra.datastax.com/autoupdate-spec": "never"},
            "metadata.annotations[cassandra.datastax.com/autoupdate-spec]: Unsupported value",
            id="an unknown autoupdate",
        ),
        pytest.param(
            "spec.storageConfig.additionalVolumes",
            [{"name": "v", "mountPath": "/v"}],
            "spec.storageConfig.additionalVolumes[0]: Required value",
            id="a volume of nothing",
        ),
    ],
)
def test_rules_of_state(path: str, value: Any, cause: str) -> None:
    assert [each for each in map(str, create_causes(changed(BASE, path, value))) if each.startswith(cause)]


@pytest.mark.parametrize(
    ("path", "value", "cause"),
    [
        pytest.param(
            "spec.superuserSecretName",
            "s",
            "spec.superuserSecretName: Forbidden",
            id="the superuser's Secret",
        ),
        pytest.param("spec.datacenterName", "x", "spec.datacenterName: Forbidden", id="the name inside"),
        pytest.param(
            "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage",
            "1Gi",
            f"{CLAIM_FIELD}: Forbidden: volumes cannot shrink from 2Gi to 1Gi",
            id="smaller volumes",
        ),
        pytest.param("spec.racks.2", "-", "spec.racks: Forbidden: racks cannot be removed", id="a rack less"),
        pytest.param(
            "spec.racks.3",
            {"name": "r4"},
            "spec.racks: Forbidden: a rack can only be added together with nodes",
            id="a rack without nodes",
        ),
        pytest.param("spec.racks.0.zone", "z", "spec.racks[0].zone: Forbidden", id="another zone"),
    ],
)
def test_rules_of_change(path: str, value: Any, cause: str) -> None:
    found = [str(each) for each in update_causes(BASE, changed(BASE, path, value))]

    assert [each for each in found if each.startswith(cause)], found


def test_query_logging_that_is_named_is_wanted() -> None:
    old = changed(BASE, "spec.serverVersion", "3.11.10")
    named = changed(old, "spec.config", {"cassandra-yaml": {"full_query_logging_options": None}})

    assert "full query logging needs Cassandra 4.0" in str(create_causes(named)[0])


@pytest.mark.parametrize(
    ("member", "value", "cause"),
    [
        pytest.param("selector", {}, "selector: Forbidden", id="a selector that selects all volumes"),
        pytest.param("storageClassName", "", "storageClassName: Forbidden", id="no class is a class"),
        pytest.param(
            "resources", {}, "resources.requests.storage: Forbidden: volumes cannot shrink", id="no size"
        ),
        pytest.param("volumeName", "", "", id="no volume is no change"),
    ],
)
def test_what_is_empty_in_a_claim_may_mean_something(member: str, value: Any, cause: str) -> None:
    claim = "spec.storageConfig.cassandraDataVolumeClaimSpec"
    bare = changed(BASE, f"{claim}.storageClassName", None)
    allowed = changed(bare, ANNOTATION, {"cassandra.datastax.com/allow-storage-changes": "true"})
    found = [str(each) for each in update_causes(bare, changed(allowed, f"{claim}.{member}", value))]

    assert [each for each in found if each.startswith(f"{claim}.{cause}")] if cause else not found


def test_the_same_amount_in_other_words_is_no_change() -> None:
    path = "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage"

    assert update_causes(BASE, changed(BASE, path, "2048Mi")) == []


def test_volumes_may_grow_with_the_annotation_only() -> None:
    path = "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage"
    grown = changed(BASE, path, "4Gi")
    allowed = changed(grown, ANNOTATION, {"cassandra.datastax.com/allow-storage-changes": "true"})

    assert update_causes(BASE, grown)
    assert update_causes(BASE, allowed) == []


def test_a_rack_needs_as_many_nodes_as_the_smallest_of_the_others() -> None:
    more = changed(changed(BASE, "spec.size", 9), "spec.racks.3", {"name": "r4"})
    old = changed(BASE, "spec.size", 8)

    assert "at least 2, not by 1" in str(update_causes(old, more)[0])
    assert update_causes(old, changed(more, "spec.size", 10)) == []


def test_the_bypass_lets_every_change_pass() -> None:
    body = changed(
        changed(BASE, "spec.clusterName", "x"),
        ANNOTATION,
        {"cassandra.datastax.com/bypass-webhook-validations": "true"},
    )

    assert update_causes(BASE, body) == []
