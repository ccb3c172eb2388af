"""Certificates for calls to management APIs, where a datacenter names Secrets with them.

Both sides show a certificate, and each is checked against the other's authority; names are not, since nodes
are called by addresses that no certificate knows beforehand. The Secrets are watched: a new certificate is
used from the next call on.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.secrets import IncompleteSecret, bytes_of, read_secret
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import SecretMeta

FIELD = "spec.managementApiAuth.manual"
CA, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"


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
        if not trusting:
            check_pair(
                names[0],
                {key: bytes_of(own, key) for key in (CA, CERTIFICATE, KEY)},
                names[1],
                {key: bytes_of(theirs, key) for key in (CA, CERTIFICATE, KEY)},
            )
        return client_context(bytes_of(own, CA), bytes_of(own, CERTIFICATE), bytes_of(own, KEY))


def client_context(ca: bytes, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A context that shows this certificate and trusts this authority."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=ca.decode("ascii"))
        context.check_hostname = False
        # the standard library reads a key from files only
        with tempfile.TemporaryDirectory(prefix="management-api-") as folder:
            cert_file, key_file = Path(folder, "tls.crt"), Path(folder, "tls.key")
            cert_file.write_bytes(certificate)
            key_file.touch(mode=0o600)
            key_file.write_bytes(key)
            context.load_cert_chain(cert_file, key_file)
    except (ssl.SSLError, ValueError) as error:
        raise IncompleteSecret(
            f"{FIELD}.clientSecretName: the certificates are not usable: {error}"
        ) from error
    return context


def check_pair(client: str, own: dict[str, bytes], server: str, theirs: dict[str, bytes]) -> None:
    """Whether the two Secrets fit each other: keys to certificates, and certificates to authorities."""
    for name, secret, other in ((client, own, theirs), (server, theirs, own)):
        chain = _certificates(name, CERTIFICATE, secret[CERTIFICATE])
        authorities = _certificates(name, CA, other[CA])
        try:
            key = load_pem_private_key(secret[KEY], password=None)
        except (ValueError, TypeError) as error:
            raise IncompleteSecret(
                f"{FIELD}: {KEY} in the Secret {name} is no unencrypted private key in PEM: {error}"
            ) from error
        if key.public_key() != chain[0].public_key():
            raise IncompleteSecret(
                f"{FIELD}: {KEY} and {CERTIFICATE} in the Secret {name} do not belong together"
            )
        if not _trusted(chain, authorities):
            raise IncompleteSecret(
                f"{FIELD}: {CERTIFICATE} in the Secret {name} is not signed by {CA} in the other Secret"
            )


def _certificates(name: str, key: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise IncompleteSecret(f"{FIELD}: {key} in the Secret {name} holds no certificate in PEM") from error


def _trusted(chain: list[x509.Certificate], authorities: list[x509.Certificate]) -> bool:
    """Whether some certificate of the chain, each signed by the next one, is signed by an authority."""
    for position, certificate in enumerate(chain):
        if any(certificate == each or _signed(certificate, each) for each in authorities):
            return True
        if position + 1 == len(chain) or not _signed(certificate, chain[position + 1]):
            return False
    return False


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
