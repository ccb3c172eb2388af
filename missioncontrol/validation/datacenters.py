"""The datacenters of a K8ssandraClusterSpec as operators will see them: cluster level merged in, with paths.

Both a MissionControlCluster (under `spec.k8ssandra`) and a K8ssandraCluster (under `spec`) carry this spec;
the rules on it are written once against this view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from missioncontrol.validation.values import at, integer, mapping, sequence, text


@dataclass(frozen=True, slots=True)
class Effective:
    """A value and the field that it comes from."""

    value: Any
    field: str


@dataclass(frozen=True, slots=True)
class DatacenterView:
    """One entry of `cassandra.datacenters`, with the values that apply to it."""

    index: int
    field: str
    body: Mapping[str, Any]
    cassandra: Mapping[str, Any]
    cassandra_field: str

    @property
    def name(self) -> str:
        return text(at(self.body, "metadata", "name"))

    @property
    def ring_name(self) -> str:
        """The name inside Cassandra."""
        return text(self.body.get("datacenterName")) or self.name

    @property
    def context(self) -> str:
        return text(self.body.get("k8sContext"))

    @property
    def size(self) -> int | None:
        return integer(self.body.get("size"))

    @property
    def racks(self) -> Effective:
        return self.effective("racks")

    @property
    def rack_names(self) -> list[str]:
        return [text(mapping(rack).get("name")) for rack in sequence(self.racks.value)] or ["default"]

    def effective(self, *keys: str) -> Effective:
        """The value that applies: the datacenter's own where it gives one, else the cluster's."""
        own = at(self.body, *keys)
        path = ".".join(keys)
        if own not in (None, "", [], {}):
            return Effective(own, f"{self.field}.{path}")
        return Effective(at(self.cassandra, *keys), f"{self.cassandra_field}.{path}")

    def num_tokens(self) -> Effective:
        """Tokens of each node: datacenter, else cluster, else what the server version has by default."""
        given = self.effective("config", "cassandraYaml", "num_tokens")
        if integer(given.value) is not None:
            return given
        version = text(self.effective("serverVersion").value)
        kind = text(self.cassandra.get("serverType")) or "cassandra"
        old = kind == "cassandra" and version.startswith("3.")
        return Effective(256 if old else 16, given.field)

    def annotations(self) -> Mapping[str, Any]:
        """The annotations that its CassandraDatacenter gets."""
        both = (at(each, "metadata", "annotations") for each in (self.cassandra, self.body))
        return {key: value for annotations in both for key, value in mapping(annotations).items()}


@dataclass(frozen=True, slots=True)
class SpecView:
    """A K8ssandraClusterSpec at the path where it stands."""

    body: Mapping[str, Any]
    field: str
    object_name: str
    namespace: str = ""

    @property
    def cassandra(self) -> Mapping[str, Any]:
        return mapping(self.body.get("cassandra"))

    @property
    def cassandra_field(self) -> str:
        return f"{self.field}.cassandra"

    @property
    def cluster_name(self) -> str:
        return text(self.cassandra.get("clusterName")) or self.object_name

    @property
    def server_type(self) -> str:
        return text(self.cassandra.get("serverType")) or "cassandra"

    @property
    def datacenters(self) -> list[DatacenterView]:
        return [
            DatacenterView(
                index=index,
                field=f"{self.cassandra_field}.datacenters[{index}]",
                body=mapping(body),
                cassandra=self.cassandra,
                cassandra_field=self.cassandra_field,
            )
            for index, body in enumerate(sequence(self.cassandra.get("datacenters")))
        ]
