"""Certificate authorities and leaf certificates: ECDSA P-256, made in a fraction of a millisecond.

All are values: an Authority or Leaf is PEM text with its parsed facts. What is about to be stored is parsed
again and refused when it could not work (key and certificate that do not belong together, expired, no CA).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATE = timedelta(minutes=5)
"""Clocks differ: a certificate begins a little before it is made."""
COMMON_NAME_LIMIT = 64


class CertificateError(ValueError):
    """A certificate or key that must not be used or stored; the text says why."""


class Usage(StrEnum):
    """What a leaf may be used for."""

    SERVER = "serverAuth"
    CLIENT = "clientAuth"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate (followed by its chain, if any) and its key, as PEM."""

    cert_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return parse_certificates(self.cert_pem)[0]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate."""
        return fingerprint(self.cert_pem)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and its key, as PEM."""

    cert_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The CA certificate."""
        return parse_certificates(self.cert_pem)[0]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate."""
        return fingerprint(self.cert_pem)


def new_ca(common_name: str, *, now: datetime, lifetime: timedelta) -> Authority:
    """A self-signed root that may sign leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, [])
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), now=now, lifetime=lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(_pem(certificate), _key_pem(key))


def issue(
    authority: Authority,
    *,
    common_name: str,
    usages: Sequence[Usage | str],
    now: datetime,
    lifetime: timedelta,
    dns_names: Sequence[str] = (),
    ip_names: Sequence[str] = (),
    organizations: Sequence[str] = (),
) -> Leaf:
    """A new key and its certificate, never outliving the CA. For a Kubernetes user `common_name` is the user
    and `organizations` are the groups.
    """
    if not usages:
        raise CertificateError("a certificate needs at least one usage")
    ca, ca_key = authority.certificate, _private_key(authority.key_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(now + lifetime, ca.not_valid_after_utc)
    if end <= now:
        raise CertificateError(
            f"the CA {ca.subject.rfc4514_string()} ended at {ca.not_valid_after_utc:%Y-%m-%d %H:%M}"
        )
    builder = (
        _builder(_name(common_name, organizations), ca.subject, key.public_key(), now=now, lifetime=end - now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_OIDS[Usage(usage)] for usage in usages]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_key_id(ca), critical=False)
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(name)) for name in ip_names]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Leaf(_pem(builder.sign(ca_key, hashes.SHA256())), _key_pem(key))


def bundle(*cas: Authority | bytes) -> bytes:
    """The CA certificates one after the other, each once, in the given order: what a peer trusts during a
    rotation.
    """
    seen: dict[str, bytes] = {}
    for ca in cas:
        for certificate in parse_certificates(ca if isinstance(ca, bytes) else ca.cert_pem):
            pem = _pem(certificate)
            seen.setdefault(fingerprint(pem), pem)
    return b"".join(seen.values())


def fingerprint(cert_pem: bytes) -> str:
    """The SHA-256 of the first certificate, in lower-case hex."""
    return parse_certificates(cert_pem)[0].fingerprint(hashes.SHA256()).hex()


def fingerprints(bundle_pem: bytes) -> list[str]:
    """The SHA-256 of every certificate of a bundle."""
    return [certificate.fingerprint(hashes.SHA256()).hex() for certificate in parse_certificates(bundle_pem)]


def renew_at(cert_pem: bytes) -> datetime:
    """When two thirds of the certificate's life are over."""
    certificate = parse_certificates(cert_pem)[0]
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return start + (end - start) * 2 / 3


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM text; CertificateError when there is none or one is broken."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError("this is no PEM certificate") from error


def check(pair: Leaf | Authority, *, now: datetime) -> None:
    """CertificateError unless the certificate is valid now and the key is its own; for an Authority also a
    CA.
    """
    certificate = pair.certificate
    if _spki(_private_key(pair.key_pem).public_key()) != _spki(certificate.public_key()):
        raise CertificateError("the key does not belong to the certificate")
    if certificate.not_valid_after_utc <= now:
        raise CertificateError(
            f"the certificate ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
        )
    if certificate.not_valid_before_utc > now:
        raise CertificateError(
            f"the certificate begins at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
        )
    if isinstance(pair, Authority) and not _is_ca(certificate):
        raise CertificateError("the certificate is not one of a CA")


def signed_by(cert_pem: bytes, ca_pem: bytes) -> bool:
    """Whether one of the CAs of a bundle signed the certificate."""
    certificate = parse_certificates(cert_pem)[0]
    for ca in parse_certificates(ca_pem):
        try:
            certificate.verify_directly_issued_by(ca)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


_OIDS = {Usage.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Usage.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    if not common_name or len(common_name) > COMMON_NAME_LIMIT:
        raise CertificateError(
            f"a common name has 1 to {COMMON_NAME_LIMIT} characters, not {len(common_name)}"
        )
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, value) for value in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    start = now.astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATE)
        .not_valid_after(start + lifetime)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_id(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public_key = ca.public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError("this is no PEM private key without a pass phrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError("the key is not an ECDSA key")
    return key


def _spki(public_key: object) -> bytes:
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise CertificateError("the key is not an ECDSA key")
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
