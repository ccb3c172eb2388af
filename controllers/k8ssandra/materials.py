"""What datacenters are made of besides the spec: ConfigMaps and Secrets that the user writes beside it.

All objects of these kinds are watched by their metadata alone; the content of the few that are named is read
when one has changed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.encryption import stores
from controllers.k8ssandra.tokens import node_config_of
from missioncontrol.api.resources import CONFIG_MAPS, SECRETS, Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import MetaView, SecretMeta
from missioncontrol.validation.values import at, mapping, sequence, text

Content = Mapping[str, str]

_NAMING: Final = (
    "clientEncryptionStores",
    "serverEncryptionStores",
    "managementApiAuth",
    "perNodeConfigMapRef",
)


@dataclass(frozen=True)
class Materials:
    """Contents by name; what is not there is missing."""

    config_maps: Mapping[str, Content] = field(default_factory=dict)
    secrets: Mapping[str, Content] = field(default_factory=dict)

    def missing(self, cluster: Cluster, datacenter: DatacenterSpec) -> str:
        """What has to be brought before the datacenter can be made or changed; empty when all is there."""
        config_map = node_config_of(datacenter)
        if config_map and config_map not in self.config_maps:
            return f"there is no ConfigMap {config_map} (perNodeConfigMapRef) in the namespace of the cluster"
        for store in stores(cluster, datacenter):
            needed = ((store.secret, store.key), (store.password_secret, store.password_key))
            for name, key in needed:
                of = f"of the {store.connections} {store.name}"
                if not name:
                    return f"spec.cassandra.{store.connections}EncryptionStores names no Secret {of}"
                if name not in self.secrets:
                    return f"there is no Secret {name} {of} in the namespace of the cluster"
                if key not in self.secrets[name]:
                    return f"the Secret {name} {of} lacks the key {key}"
        return ""


def names_of(cluster: Cluster) -> tuple[set[str], set[str]]:
    """The ConfigMaps and the Secrets that a cluster is made of."""
    if not _names_any(cluster):
        return set(), set()
    config_maps = {node_config_of(each) for each in cluster.datacenters} - {""}
    used = [store for each in cluster.datacenters for store in stores(cluster, each)]
    secrets = {client_secret(each) for each in cluster.datacenters} - {""}
    return config_maps, secrets.union(*((store.secret, store.password_secret) for store in used))


def _names_any(cluster: Cluster) -> bool:
    """Whether a cluster may name something; most do not, and are asked for every ConfigMap and Secret."""
    cassandra = cluster.cassandra
    bodies = (cassandra, *map(mapping, sequence(cassandra.get("datacenters"))))
    return any(each.get(field) for each in bodies for field in _NAMING)


def client_secret(datacenter: DatacenterSpec) -> str:
    """The Secret with the certificate that is shown to the management API of the nodes, or ""."""
    return text(at(datacenter.options, "managementApiAuth", "manual", "clientSecretName"))


class MaterialSource:
    """Reads contents, and remembers them by the version that was read."""

    def __init__(
        self, client: Client, config_maps: Informer[MetaView], secrets: Informer[SecretMeta]
    ) -> None:
        self._client = client
        self._config_maps = config_maps
        self._secrets = secrets
        self._known: dict[tuple[str, str, str], tuple[str, Content]] = {}

    async def of(self, cluster: Cluster) -> Materials:
        """The contents that a cluster names, as they are now."""
        config_maps, secrets = names_of(cluster)
        if not config_maps and not secrets:
            return Materials()
        return Materials(
            await self._read(CONFIG_MAPS, self._config_maps, cluster.namespace, config_maps),
            await self._read(SECRETS, self._secrets, cluster.namespace, secrets),
        )

    async def _read(
        self,
        resource: Resource,
        informer: Informer[MetaView] | Informer[SecretMeta],
        namespace: str,
        names: Iterable[str],
    ) -> dict[str, Content]:
        found: dict[str, Content] = {}
        for name in sorted(names):
            view = informer.get(namespace, name)
            key = resource.plural, namespace, name
            if view is None:
                self._known.pop(key, None)
                continue
            version, content = self._known.get(key, ("", {}))
            if version != view.metadata.resource_version:
                try:
                    body = await self._client.get(resource, name, namespace=namespace)
                except NotFound:
                    continue
                content = _content(resource, body)
                self._known[key] = (body["metadata"]["resourceVersion"], content)
            found[name] = content
        return found


def _content(resource: Resource, body: Mapping[str, Any]) -> Content:
    data: Mapping[str, str] = body.get("data") or {}
    if resource != SECRETS:
        return data
    return {key: _text(value) for key, value in data.items()}


def _text(encoded: str) -> str:
    """A value of a Secret; one that is no text, such as a key store, is never looked at."""
    try:
        return base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
