"""A CassandraDatacenter as the operator thinks of it: its spec, and the names and numbers that follow.

Immutable and without I/O: rendering and deciding start from this value alone. Names are upstream's, so that
objects which an upstream operator made are found again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from missioncontrol.api import names
from missioncontrol.api.cassandra import CassandraDatacenterSpec, CassandraDatacenterStatus, Rack
from missioncontrol.api.names import Annotation, Label, LabelValue
from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from missioncontrol.kube.views import Meta, Object

CASSANDRA_CONTAINER = "cassandra"
MANAGEMENT_PORT_NAME = "mgmt-api-http"
DEFAULT_MANAGEMENT_PORT = 8080
LEGACY_KEYSTORE = "/etc/encryption/node-keystore.jks"
_NUMBER = r"(0|[1-9]\d*)"
_SEMANTIC_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


@dataclass(frozen=True, slots=True)
class RackPlan:
    """One rack: what it is called everywhere, and its share of nodes and seeds."""

    rack: Rack
    statefulset: str
    nodes: int
    seeds: int

    @property
    def name(self) -> str:
        return self.rack.name

    @property
    def label(self) -> str:
        """The rack as the value of a label."""
        return names.clean_label_value(self.rack.name)


class Recreating(msgspec.Struct, frozen=True):
    """A StatefulSet that is deleted, and what is to be made in its place."""

    uid: str = ""
    body: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.body.get("metadata", {}).get("name", ""))


@dataclass(frozen=True)
class Datacenter:
    """One CassandraDatacenter."""

    metadata: Meta
    spec: CassandraDatacenterSpec
    status: CassandraDatacenterStatus

    @classmethod
    def of(cls, view: Object, known: Datacenter | None = None) -> Datacenter:
        """Parse the stored object; pydantic's ValidationError names what is wrong with it.

        `known` is the same one as it was seen before: what has not changed since is not parsed again.
        """
        if known is not None and known.metadata is view.metadata:
            return known
        same = known is not None and known.metadata.generation == view.metadata.generation
        return cls(
            metadata=view.metadata,
            spec=known.spec
            if known is not None and same
            else CassandraDatacenterSpec.model_validate(view.spec),
            status=CassandraDatacenterStatus.model_validate(view.status),
        )

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @cached_property
    def resource_name(self) -> str:
        """The part of object names that stands for this datacenter; never changes once it was ready."""
        return names.cleanup_for_kubernetes(self.status.datacenter_name or self.name)

    @property
    def cassandra_name(self) -> str:
        """The name of the datacenter inside Cassandra."""
        return self.spec.datacenter_name or self.name

    @cached_property
    def racks(self) -> tuple[Rack, ...]:
        return tuple(self.spec.racks) or (Rack(name=names.DEFAULT_RACK),)

    @cached_property
    def plan(self) -> tuple[RackPlan, ...]:
        """The racks in their order with their shares of `spec.size`."""
        shares = names.split_racks(self.spec.size, len(self.racks))
        seeds = names.seeds_by_rack(self.spec.size, len(self.racks))
        return tuple(
            RackPlan(rack=rack, statefulset=self.statefulset_name(rack.name), nodes=share, seeds=seed)
            for rack, share, seed in zip(self.racks, shares, seeds, strict=True)
        )

    def statefulset_name(self, rack: str) -> str:
        return names.statefulset_name(self.spec.cluster_name, self.resource_name, rack)

    # --- labels --------------------------------------------------------------------------------

    @cached_property
    def cluster_labels(self) -> dict[str, str]:
        return {Label.CLUSTER: names.clean_label_value(self.spec.cluster_name)}

    @cached_property
    def datacenter_labels(self) -> dict[str, str]:
        return {**self.cluster_labels, Label.DATACENTER: names.clean_label_value(self.name)}

    def rack_labels(self, rack: str) -> dict[str, str]:
        return {**self.datacenter_labels, Label.RACK: names.clean_label_value(rack)}

    @cached_property
    def operator_labels(self) -> dict[str, str]:
        """What every object carries. A user's labels may replace these, but not those that name the owner."""
        own = {
            Label.APP_MANAGED_BY: LabelValue.CASS_OPERATOR,
            Label.APP_NAME: LabelValue.CASSANDRA,
            Label.APP_INSTANCE: f"cassandra-{names.clean_label_value(self.spec.cluster_name)}",
            Label.APP_VERSION: self.spec.server_version,
            Label.APP_CREATED_BY: LabelValue.CASS_OPERATOR,
        }
        extra = self.spec.additional_labels or {}
        return {**own, **{key: names.clean_label_value(value) for key, value in extra.items()}}

    def labels(self, identity: dict[str, str]) -> dict[str, str]:
        """The labels of an object: the operator's and the user's, then those that say whose it is."""
        return {**self.operator_labels, **identity}

    @property
    def annotations(self) -> dict[str, str]:
        """The user's annotations for every object."""
        return dict(self.spec.additional_annotations or {})

    def annotated(self, key: str, value: str | None = None) -> bool:
        """Whether the datacenter carries an annotation (with that value, if one is given)."""
        found = self.metadata.annotations.get(key)
        return found is not None if value is None else found == value

    # --- names of objects ----------------------------------------------------------------------

    @property
    def seed_service(self) -> str:
        return names.seed_service_name(self.spec.cluster_name)

    @property
    def service(self) -> str:
        return names.datacenter_service_name(self.spec.cluster_name, self.resource_name)

    @property
    def all_pods_service(self) -> str:
        return names.all_pods_service_name(self.spec.cluster_name, self.resource_name)

    @property
    def additional_seed_service(self) -> str:
        return names.additional_seed_service_name(self.spec.cluster_name, self.resource_name)

    @property
    def node_port_service(self) -> str:
        return names.node_port_service_name(self.spec.cluster_name, self.resource_name)

    @property
    def pod_disruption_budget(self) -> str:
        return names.pod_disruption_budget_name(self.name)

    @property
    def superuser_secret(self) -> str:
        return self.spec.superuser_secret_name or names.superuser_secret_name(self.spec.cluster_name)

    @property
    def ca_secret(self) -> str:
        """The Secret of the CA behind the key store that older operators made."""
        return f"{self.name}-ca-keystore"

    @property
    def keystore_secret(self) -> str:
        """The Secret that pods mount that key store from."""
        return f"{self.resource_name}-keystore"

    @property
    def keystore_secrets(self) -> tuple[str, ...]:
        """Both, where the configuration names that key store."""
        return (self.ca_secret, self.keystore_secret) if self.has_legacy_keystore else ()

    @property
    def merged_config_secret(self) -> str:
        """The Secret that holds the whole configuration, where the user's part comes from a Secret."""
        return f"{names.cleanup_for_kubernetes(self.spec.cluster_name)}-{self.resource_name}-config"

    @property
    def used_secrets(self) -> frozenset[str]:
        """Every Secret that the spec names or that is made for it: those whose changes wake the operator."""
        auth = self.spec.management_api_auth
        manual = auth.manual if auth is not None else None
        return frozenset(
            (
                self.superuser_secret,
                *(user.secret_name for user in self.spec.users),
                *((self.spec.config_secret, self.merged_config_secret) if self.spec.config_secret else ()),
                *((manual.client_secret_name, manual.server_secret_name) if manual is not None else ()),
                *self.keystore_secrets,
            )
        )

    @property
    def config_hash(self) -> str:
        """Says which configuration is in that Secret; empty until it is made."""
        return self.metadata.annotations.get(Annotation.CONFIG_HASH, "")

    @cached_property
    def recreating(self) -> Recreating | None:
        """The StatefulSet that is being made again, as long as that is not known to be over."""
        written = self.metadata.annotations.get(Annotation.RECREATING)
        if not written:
            return None
        try:
            return msgspec.json.decode(written, type=Recreating)
        except msgspec.MsgspecError:
            return Recreating()

    @property
    def owner_reference(self) -> dict[str, object]:
        """The reference by which Kubernetes deletes what belongs to this datacenter."""
        return {
            "apiVersion": CASSANDRA_DATACENTERS.api_version,
            "kind": CASSANDRA_DATACENTERS.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    # --- what kind of server -------------------------------------------------------------------

    @property
    def is_dse(self) -> bool:
        return self.spec.server_type == "dse"

    @property
    def is_hcd(self) -> bool:
        return self.spec.server_type == "hcd"

    @property
    def has_thrift(self) -> bool:
        return self.is_dse or self.spec.server_version.startswith("3.")

    @cached_property
    def is_modern_cassandra(self) -> bool:
        """Whether this is Cassandra 4.1 or later. A pre-release comes before its release, as in semver."""
        found = _SEMANTIC_VERSION.fullmatch(self.spec.server_version)
        if self.spec.server_type != "cassandra" or found is None:
            return False
        numbers = tuple(int(part) for part in found.group(1, 2, 3))
        return numbers > (4, 1, 0) or (numbers == (4, 1, 0) and not found[4])

    @property
    def read_only_root(self) -> bool:
        """Whether containers run on a read-only root file system."""
        if self.spec.read_only_root_filesystem is not None:
            return self.spec.read_only_root_filesystem
        if self.spec.server_image:
            return False
        if self.is_dse:
            return self.spec.server_version.startswith(("6.8", "6.9"))
        return self.is_hcd or self.is_modern_cassandra

    @property
    def uses_client_builder(self) -> bool:
        """Whether k8ssandra-client builds the configuration, and not the older cass-config-builder."""
        if self.annotated(Annotation.USE_NEW_CONFIG_BUILDER, LabelValue.TRUE) or self.is_hcd:
            return True
        return self.is_modern_cassandra

    @property
    def has_manual_management_auth(self) -> bool:
        """Whether operator and nodes show each other certificates."""
        auth = self.spec.management_api_auth
        return bool(auth and auth.manual)

    @cached_property
    def logs_queries(self) -> bool:
        """Whether the nodes are to log every query."""
        yaml = (self.spec.config or {}).get("cassandra-yaml")
        wanted = isinstance(yaml, dict) and "full_query_logging_options" in yaml
        major = self.spec.server_version.partition(".")[0]
        return wanted and self.spec.server_type == "cassandra" and major.isdecimal() and int(major) >= 4

    @cached_property
    def has_legacy_keystore(self) -> bool:
        """Whether the configuration names the keystore that older operators made for each datacenter."""
        yaml = (self.spec.config or {}).get("cassandra-yaml")
        if not isinstance(yaml, dict):
            return False
        stores = [yaml.get("server_encryption_options"), yaml.get("client_encryption_options")]
        paths = [str(each.get("keystore") or "") for each in stores if isinstance(each, dict)]
        return any(path.strip() == LEGACY_KEYSTORE for path in paths)

    @property
    def native_port(self) -> int | None:
        """The node port of clients, if node ports are used for them."""
        ports = self.spec.networking.node_port if self.spec.networking else None
        return (ports.native_ssl or ports.native) if ports else None

    @property
    def internode_port(self) -> int | None:
        """The node port of internode traffic, if node ports are used for it."""
        ports = self.spec.networking.node_port if self.spec.networking else None
        return (ports.internode_ssl or ports.internode) if ports else None

    @property
    def uses_node_ports(self) -> bool:
        return bool(self.spec.networking and self.spec.networking.node_port)

    @property
    def uses_host_network(self) -> bool:
        return bool(self.spec.networking and self.spec.networking.host_network)

    @cached_property
    def management_port(self) -> int:
        """The port of the management API: 8080, unless the user's cassandra container says otherwise."""
        pod_spec = (self.spec.pod_template_spec or {}).get("spec") or {}
        for container in pod_spec.get("containers") or ():
            if container.get("name") != CASSANDRA_CONTAINER:
                continue
            for port in container.get("ports") or ():
                if port.get("name") == MANAGEMENT_PORT_NAME and port.get("containerPort"):
                    return int(port["containerPort"])
        return DEFAULT_MANAGEMENT_PORT
