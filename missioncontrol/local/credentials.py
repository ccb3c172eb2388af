"""Certificates and kubeconfigs of the environment's control planes, as files in its folder."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.files import load_ca, save, write_private

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
            self._make_folder()
            save(new_ca(name, now=self._now, lifetime=_LIFETIME), pair.cert, pair.key, now=self._now)
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
        leaf = issue(
            load_ca(authority.cert, authority.key, now=self._now),
            common_name=common_name,
            organizations=groups,
            usages=[Usage.CLIENT, Usage.SERVER] if hosts else [Usage.CLIENT],
            dns_names=[host for host in hosts if not _is_address(host)],
            ip_names=[host for host in hosts if _is_address(host)],
            now=self._now,
            lifetime=_LIFETIME,
        )
        self._make_folder()
        save(leaf, pair.cert, pair.key, now=self._now)
        return pair

    def signing_key(self, name: str) -> Path:
        """A private key alone, as kube-apiserver signs ServiceAccount tokens with."""
        path = self._directory / f"{name}.key"
        if not path.is_file():
            self._make_folder()
            key = ec.generate_private_key(ec.SECP256R1())
            # SEC 1, not PKCS 8: kube-apiserver reads these keys in that form only.
            form = serialization.PrivateFormat.TraditionalOpenSSL
            write_private(
                path, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            )
        return path

    def _make_folder(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


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
