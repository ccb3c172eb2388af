"""Encrypted connections with key stores that the user brings in Secrets: files, passwords, switches.

Where the configuration switches encryption on and the cluster names stores, they are mounted into Cassandra
and cassandra.yaml says where. A configuration without named stores is the user's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from missioncontrol.validation.values import at, mapping, text

Json = dict[str, Any]

CLIENT, SERVER = "client", "server"
STORES: Final = ("keystore", "truststore")
_FIELDS: Final = {CLIENT: "clientEncryptionStores", SERVER: "serverEncryptionStores"}
_OPTIONS: Final = {CLIENT: "client_encryption_options", SERVER: "server_encryption_options"}
_JMX: Final = (
    "-Dcom.sun.management.jmxremote.ssl.need.client.auth=true",
    "-Dcom.sun.management.jmxremote.ssl=true",
)


@dataclass(frozen=True, slots=True)
class Store:
    """A key or trust store of one kind of connections, and where it comes from."""

    connections: str
    name: str
    secret: str
    key: str
    password_secret: str
    password_key: str

    @property
    def volume(self) -> str:
        return f"{self.connections}-{self.name}"

    @property
    def folder(self) -> str:
        return f"/mnt/{self.volume}"

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}"


def stores(cluster: Cluster, datacenter: DatacenterSpec) -> list[Store]:
    """The stores that are mounted; with external Secrets, somebody else does that."""
    if cluster.external_secrets:
        return []
    return [
        _store(connections, name, mapping(cluster.cassandra.get(_FIELDS[connections])))
        for connections in (CLIENT, SERVER)
        if _wanted(cluster, datacenter, connections)
        for name in STORES
    ]


def yaml_defaults(used: list[Store], secrets: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """What cassandra.yaml has to say of the stores, where the user does not."""
    found: dict[str, dict[str, str]] = {}
    for store in used:
        section = found.setdefault(_OPTIONS[store.connections], {})
        section[store.name] = store.path
        section[f"{store.name}_password"] = password(store, secrets)
    return found


def jvm_options(
    cluster: Cluster,
    datacenter: DatacenterSpec,
    used: list[Store],
    secrets: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """JMX follows the connections of clients."""
    if not _wanted(cluster, datacenter, CLIENT):
        return []
    found: list[str] = []
    for store in used:
        if store.connections == CLIENT:
            java = "keyStore" if store.name == "keystore" else "trustStore"
            found.insert(0, f"-Djavax.net.ssl.{java}={store.path}")
    for store in used:
        if store.connections == CLIENT:
            java = "keyStore" if store.name == "keystore" else "trustStore"
            found.insert(0, f"-Djavax.net.ssl.{java}Password={password(store, secrets)}")
    return [*found, *_JMX]


def mounted(template: Json, used: list[Store]) -> Json:
    """A pod template with the stores in Cassandra's container."""
    if not used:
        return template
    spec = template["spec"]
    volumes = [
        {
            "name": store.volume,
            "secret": {"secretName": store.secret, "items": [{"key": store.key, "path": store.name}]},
        }
        for store in used
    ]
    mounts = [{"name": store.volume, "mountPath": store.folder} for store in used]
    containers = [
        {**each, "volumeMounts": [*each.get("volumeMounts", ()), *mounts]}
        if each.get("name") == "cassandra"
        else each
        for each in spec["containers"]
    ]
    return {
        **template,
        "spec": {**spec, "containers": containers, "volumes": [*spec.get("volumes", ()), *volumes]},
    }


def password(store: Store, secrets: Mapping[str, Mapping[str, str]]) -> str:
    return secrets.get(store.password_secret, {}).get(store.password_key, "")


def _wanted(cluster: Cluster, datacenter: DatacenterSpec, connections: str) -> bool:
    if not cluster.cassandra.get(_FIELDS[connections]):
        return False
    options = at(datacenter.options, "config", "cassandraYaml", _OPTIONS[connections])
    if connections == CLIENT:
        return at(options, "enabled") is True
    return at(options, "internode_encryption") not in (None, "none")


def _store(connections: str, name: str, given: Mapping[str, Any]) -> Store:
    reference = mapping(given.get(f"{name}SecretRef"))
    secret = text(reference.get("name"))
    own = mapping(given.get(f"{name}PasswordSecretRef"))
    return Store(
        connections,
        name,
        secret=secret,
        key=text(reference.get("key")) or name,
        password_secret=text(own.get("name")) or secret,
        password_key=text(own.get("key")) or f"{name}-password",
    )
