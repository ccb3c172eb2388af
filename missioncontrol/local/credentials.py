"""Certificates and kubeconfigs of a local control plane.

They are Kubernetes' own (client certificates carry groups, which the platform's certificates never do)
and live only in the environment's folder, so they are made here and not by `missioncontrol.pki`.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# An environment may be left for months and started again; nothing rotates these certificates.
_LIFETIME = datetime.timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path

    @property
    def exists(self) -> bool:
        return self.cert.is_file() and self.key.is_file()


def write_private(path: Path, data: bytes) -> Path:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
    return path


class CertificateFolder:
    """A folder of certificate authorities and what they issued; what is there already is kept."""

    def __init__(self, directory: Path, *, now: datetime.datetime) -> None:
        self._directory = directory
        self._now = now

    def pair(self, name: str) -> KeyPair:
        return KeyPair(cert=self._directory / f"{name}.crt", key=self._directory / f"{name}.key")

    def authority(self, name: str) -> KeyPair:
        pair = self.pair(name)
        if not pair.exists:
            key = ec.generate_private_key(ec.SECP256R1())
            builder = self._builder(_name(name), _name(name), key.public_key())
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
            _save(pair, builder.sign(key, hashes.SHA256()), key)
        return pair

    def leaf(
        self,
        name: str,
        *,
        authority: KeyPair,
        common_name: str,
        groups: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> KeyPair:
        """A certificate for clients, and for servers too if hosts are named."""
        pair = self.pair(name)
        if pair.exists:
            return pair
        issuer = x509.load_pem_x509_certificate(authority.cert.read_bytes())
        issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(common_name, groups), issuer.subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False
            )
        _save(pair, builder.sign(issuer_key, hashes.SHA256()), key)
        return pair

    def signing_key(self, name: str) -> Path:
        """A private key alone, as kube-apiserver signs ServiceAccount tokens with."""
        path = self._directory / f"{name}.key"
        if not path.is_file():
            write_private(path, _pem(ec.generate_private_key(ec.SECP256R1())))
        return path

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - datetime.timedelta(hours=1))
            .not_valid_after(self._now + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _name(common_name: str, groups: Sequence[str] = ()) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # SEC 1, not PKCS 8: kube-apiserver reads the keys of ServiceAccount tokens in this form only.
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _save(pair: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    # The key first: a folder that was left half-written then holds no certificate without its key.
    write_private(pair.key, _pem(key))
    write_private(pair.cert, certificate.public_bytes(serialization.Encoding.PEM))


def kubeconfig(
    *, server: str, ca: Path, name: str, client: KeyPair | None = None, token: str | None = None
) -> bytes:
    """A kubeconfig of one context, everything inline. JSON is YAML, and needs no library to write."""
    user: dict[str, str] = {}
    if client is not None:
        user["client-certificate-data"] = _base64(client.cert)
        user["client-key-data"] = _base64(client.key)
    if token is not None:
        user["token"] = token
    return dump_kubeconfig({name: (server, _base64(ca), user)}, current=name)


def dump_kubeconfig(contexts: dict[str, tuple[str, str, dict[str, str]]], *, current: str) -> bytes:
    """A kubeconfig with one cluster, user and context for each name: server, CA (base64), user."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": ca}}
            for name, (server, ca, _) in contexts.items()
        ],
        "users": [{"name": name, "user": user} for name, (_, _, user) in contexts.items()],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def certificate_user(client: KeyPair) -> dict[str, str]:
    return {"client-certificate-data": _base64(client.cert), "client-key-data": _base64(client.key)}


def base64_file(path: Path) -> str:
    return _base64(path)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
