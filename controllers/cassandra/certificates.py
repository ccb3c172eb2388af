"""Certificates for calls to management APIs, where a datacenter names Secrets with them.

Both sides show a certificate, and each is checked against the other's authority; names are not, since nodes
are called by addresses that no certificate knows beforehand. The Secrets are watched: a new certificate is
used from the next call on.
"""

from __future__ import annotations

import ssl

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.secrets import IncompleteSecret, bytes_of, read_secret
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import SecretMeta
from missioncontrol.pki.mutual import (
    CA,
    CERTIFICATE,
    KEY,
    UnusableCertificates,
    check_pair,
    client_context,
)

FIELD = "spec.managementApiAuth.manual"


class Certificates:
    """The TLS contexts of all datacenters that need one."""

    def __init__(self, client: Client, secrets: Informer[SecretMeta]) -> None:
        self._client = client
        self._secrets = secrets
        self._known: dict[str, tuple[tuple[str, ...], ssl.SSLContext]] = {}

    async def api(self, api: ManagementApi, datacenter: Datacenter) -> ManagementApi:
        """The client for a datacenter's nodes; IncompleteSecret says what is wrong with the Secrets."""
        auth = datacenter.spec.management_api_auth
        if auth is None or auth.manual is None:
            return api
        names = (auth.manual.client_secret_name, auth.manual.server_secret_name)
        source = (*names, str(auth.manual.skip_secret_validation), *self._versions(datacenter, names))
        known = self._known.get(datacenter.uid)
        if known is None or known[0] != source or "" in source[-2:]:
            known = (source, await self._context(datacenter, names, bool(auth.manual.skip_secret_validation)))
            self._known[datacenter.uid] = known
        return api.secured(known[1])

    def keep(self, uids: set[str]) -> None:
        """Forget datacenters that no longer exist."""
        self._known = {uid: known for uid, known in self._known.items() if uid in uids}

    def _versions(self, datacenter: Datacenter, names: tuple[str, str]) -> tuple[str, ...]:
        found = (self._secrets.get(datacenter.namespace, name) for name in names)
        return tuple(each.metadata.resource_version if each is not None else "" for each in found)

    async def _context(
        self, datacenter: Datacenter, names: tuple[str, str], trusting: bool
    ) -> ssl.SSLContext:
        own = await read_secret(self._client, datacenter, names[0], field=f"{FIELD}.clientSecretName")
        theirs = await read_secret(self._client, datacenter, names[1], field=f"{FIELD}.serverSecretName")
        try:
            if not trusting:
                check_pair(
                    names[0],
                    {key: bytes_of(own, key) for key in (CA, CERTIFICATE, KEY)},
                    names[1],
                    {key: bytes_of(theirs, key) for key in (CA, CERTIFICATE, KEY)},
                )
            return client_context(bytes_of(own, CA), bytes_of(own, CERTIFICATE), bytes_of(own, KEY))
        except UnusableCertificates as error:
            raise IncompleteSecret(f"{FIELD}: {error}") from error
