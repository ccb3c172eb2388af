"""Models: documented to the last field, and tolerant readers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from missioncontrol.api.cassandra import CassandraDatacenterSpec
from missioncontrol.api.cluster import MissionControlClusterSpec
from missioncontrol.api.control import CassandraTaskSpec
from missioncontrol.api.emit.crds import UPSTREAM_KINDS
from missioncontrol.api.k8ssandra import K8ssandraClusterSpec, K8ssandraClusterStatus
from missioncontrol.api.model import KubeModel, to_camel
from missioncontrol.api.registry import KINDS


def _reachable(model: type[KubeModel], seen: set[type[KubeModel]]) -> Iterator[type[KubeModel]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for info in model.model_fields.values():
        for part in _classes(info.annotation):
            yield from _reachable(part, seen)


def _classes(annotation: object) -> Iterator[type[KubeModel]]:
    if isinstance(annotation, type) and issubclass(annotation, KubeModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _classes(argument)


def _all_models() -> list[type[KubeModel]]:
    seen: set[type[KubeModel]] = set()
    roots = [model for kind in (*KINDS, *UPSTREAM_KINDS) for model in (kind.spec, kind.status)]
    return [model for root in roots for model in _reachable(root, seen)]


@pytest.mark.parametrize("model", _all_models(), ids=lambda model: model.__name__)
def test_every_field_is_described(model: type[KubeModel]) -> None:
    assert model.__doc__
    assert model.__doc__ != KubeModel.__doc__
    undescribed = [name for name, info in model.model_fields.items() if not info.description]
    assert undescribed == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("server_version", "serverVersion", id="underscores become capitals"),
        pytest.param("k8ssandra", "k8ssandra", id="digits change nothing"),
        pytest.param("k8s_context", "k8sContext", id="not even before an underscore"),
    ],
)
def test_names_on_the_wire(name: str, expected: str) -> None:
    assert to_camel(name) == expected


def test_a_spec_is_read_and_written_under_the_names_on_the_wire() -> None:
    wire = {
        "clusterName": "demo",
        "size": 3,
        "serverType": "cassandra",
        "serverVersion": "5.0.4",
        "storageConfig": {"cassandraDataVolumeClaimSpec": {"storageClassName": "standard"}},
        "config": {"cassandra-yaml": {"num_tokens": 16}},
        "networking": {"nodePort": {"nativeSSL": 30001}},
    }
    spec = CassandraDatacenterSpec.model_validate(wire)
    assert spec.cluster_name == "demo"
    assert spec.networking is not None
    assert spec.networking.node_port is not None
    assert spec.networking.node_port.native_ssl == 30001
    assert spec.to_dict() == wire


def test_unknown_fields_and_explicit_nulls_are_ignored() -> None:
    spec = CassandraTaskSpec.model_validate({"jobs": None, "fromTheFuture": 1, "maxConcurrentPods": None})
    assert spec.jobs == []
    assert spec.to_dict() == {}


def test_what_is_not_set_is_not_written() -> None:
    wire = {"k8ssandra": {"cassandra": {"datacenters": [{"metadata": {"name": "dc1"}, "size": 3}]}}}
    spec = MissionControlClusterSpec.model_validate(wire)
    assert spec.k8ssandra.auth is True
    assert spec.to_dict() == wire


def test_defaults_of_upstream() -> None:
    spec = K8ssandraClusterSpec.model_validate(
        {"cassandra": {}, "reaper": {}, "medusa": {"storageProperties": {}}}
    )
    assert spec.secrets_provider == "internal"
    assert spec.cassandra is not None
    assert spec.cassandra.server_type == "cassandra"
    assert spec.reaper is not None
    assert (spec.reaper.deployment_mode, spec.reaper.keyspace) == ("PER_DC", "reaper_db")
    assert spec.medusa is not None
    assert spec.medusa.purge_backups is True


def test_the_map_that_upstream_writes_into_a_status_is_read_as_our_list() -> None:
    status = K8ssandraClusterStatus.model_validate(
        {"datacenters": {"dc1": {"contextName": "east", "cassandra": {"size": 3}}, "dc2": None}}
    )
    assert [datacenter.name for datacenter in status.datacenters] == ["dc1", "dc2"]
    assert status.datacenters[0].context_name == "east"
