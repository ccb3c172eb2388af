"""Certificates in Secrets for connections on which both sides show one, and check the other's authority.

Names are not checked: the other side is called by addresses that no certificate knows beforehand.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

CA: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"


class UnusableCertificates(ValueError):
    """What a Secret holds cannot be used; the text says why."""


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
        raise UnusableCertificates(f"the certificates are not usable: {error}") from error
    return context


def check_pair(client: str, own: dict[str, bytes], server: str, theirs: dict[str, bytes]) -> None:
    """Whether the two Secrets fit each other: keys to certificates, and certificates to authorities."""
    for name, secret, other in ((client, own, theirs), (server, theirs, own)):
        chain = _certificates(name, CERTIFICATE, secret[CERTIFICATE])
        authorities = _certificates(name, CA, other[CA])
        try:
            key = load_pem_private_key(secret[KEY], password=None)
        except (ValueError, TypeError) as error:
            raise UnusableCertificates(
                f"{KEY} in the Secret {name} is no unencrypted private key in PEM: {error}"
            ) from error
        if key.public_key() != chain[0].public_key():
            raise UnusableCertificates(f"{KEY} and {CERTIFICATE} in the Secret {name} do not belong together")
        if not _trusted(chain, authorities):
            raise UnusableCertificates(
                f"{CERTIFICATE} in the Secret {name} is not signed by {CA} in the other Secret"
            )


def _certificates(name: str, key: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise UnusableCertificates(f"{key} in the Secret {name} holds no certificate in PEM") from error


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
