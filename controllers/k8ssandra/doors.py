"""How the management API of a datacenter's nodes is reached: its port, and the certificate to show."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.hashing import fingerprint
from controllers.k8ssandra.management import PORT, ManagementApi, ManagementError
from controllers.k8ssandra.materials import Materials, client_secret
from missioncontrol.api.names import Label, clean_label_value
from missioncontrol.kube.views import Pod
from missioncontrol.pki.mutual import CA, CERTIFICATE, KEY, UnusableCertificates, client_context
from missioncontrol.validation.values import integer, mapping, sequence

_PORT_NAME: Final = "mgmt-api-http"


class Doors:
    """Clients for the nodes of all clusters; what was made of a Secret is kept while it stays the same."""

    def __init__(self, api: ManagementApi) -> None:
        self._api = api
        self._contexts: dict[tuple[str, str], tuple[str, ssl.SSLContext]] = {}

    def to(self, cluster: Cluster, pod: Pod, materials: Materials) -> ManagementApi:
        """The client for a node; a ManagementError says what is wrong with its Secret."""
        label = pod.metadata.labels.get(Label.DATACENTER)
        datacenter = next(
            (each for each in cluster.datacenters if clean_label_value(each.name) == label), None
        )
        if datacenter is None:
            return self._api
        api = self._api.on_port(management_port(datacenter))
        name = client_secret(datacenter)
        if not name:
            return api
        content = materials.secrets.get(name)
        if content is None:
            raise ManagementError(f"there is no Secret {name} (managementApiAuth.manual.clientSecretName)")
        return api.secured(self._context(cluster.namespace, name, content))

    def _context(self, namespace: str, name: str, content: Mapping[str, str]) -> ssl.SSLContext:
        digest = fingerprint(content)
        known = self._contexts.get((namespace, name))
        if known is None or known[0] != digest:
            ca, certificate, key = (content.get(each, "").encode() for each in (CA, CERTIFICATE, KEY))
            try:
                known = digest, client_context(ca, certificate, key)
            except UnusableCertificates as error:
                raise ManagementError(f"the Secret {name}: {error}") from error
            self._contexts[namespace, name] = known
        return known[1]


def management_port(datacenter: DatacenterSpec) -> int:
    """The port that the user gives the management API in the pods, or the usual one."""
    for container in map(mapping, sequence(datacenter.options.get("containers"))):
        for port in map(mapping, sequence(container.get("ports"))):
            if container.get("name") == "cassandra" and port.get("name") == _PORT_NAME:
                return integer(port.get("containerPort")) or PORT
    return PORT
