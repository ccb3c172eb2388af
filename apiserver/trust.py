"""Whom kube-apiserver says to trust: its ConfigMap extension-apiserver-authentication, watched.

The CA of front proxies and the CA of clients are kept apart on purpose. In one store, any user with a
client certificate could claim to be a front proxy and thereby anybody.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap

log = logging.getLogger(__name__)

NAMESPACE = "kube-system"
NAME = "extension-apiserver-authentication"
TICK_SECONDS = 10
_USER_UID = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")
"""The attribute of a subject that carries the user's UID, since Kubernetes 1.33."""


@dataclass(frozen=True)
class Trust:
    """The content of the ConfigMap."""

    client_ca: tuple[bytes, ...] = ()
    """DER certificates."""
    proxy_ca: tuple[bytes, ...] = ()
    allowed_names: tuple[str, ...] = ()
    user_headers: tuple[str, ...] = ()
    group_headers: tuple[str, ...] = ()
    uid_headers: tuple[str, ...] = ()
    extra_prefixes: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # part of a key on every request, and many kilobytes long
        return hash((self.client_ca, self.proxy_ca, self.allowed_names, self.user_headers))

    @cached_property
    def headers_begin(self) -> frozenset[str]:
        """The first letters of the headers that name a user, to find them quickly among the others."""
        names = (*self.user_headers, *self.group_headers, *self.uid_headers, *self.extra_prefixes)
        return frozenset(name[:3] for name in names)

    @property
    def all_ca(self) -> tuple[bytes, ...]:
        """What the TLS handshake accepts; which of them it was is judged afterwards."""
        return tuple(dict.fromkeys((*self.client_ca, *self.proxy_ca)))


def parse(data: Mapping[str, str]) -> Trust:
    """Read the ConfigMap; a part that cannot be read is treated as absent, which trusts less, never more."""
    return Trust(
        client_ca=_certificates(data, "client-ca-file"),
        proxy_ca=_certificates(data, "requestheader-client-ca-file"),
        allowed_names=_names(data, "requestheader-allowed-names"),
        user_headers=_headers(data, "requestheader-username-headers"),
        group_headers=_headers(data, "requestheader-group-headers"),
        uid_headers=_headers(data, "requestheader-uid-headers"),
        extra_prefixes=_headers(data, "requestheader-extra-headers-prefix"),
    )


def _certificates(data: Mapping[str, str], key: str) -> tuple[bytes, ...]:
    text = data.get(key, "").strip()
    if not text:
        return ()
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        log.error("%s in ConfigMap %s/%s holds no readable certificates", key, NAMESPACE, NAME)
        return ()
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def _names(data: Mapping[str, str], key: str) -> tuple[str, ...]:
    text = data.get(key, "")
    if not text:
        return ()
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        log.error("%s in ConfigMap %s/%s is no list of names", key, NAMESPACE, NAME)
        # an unreadable list of allowed names must not become "everybody"
        return ("\0",) if key == "requestheader-allowed-names" else ()
    return tuple(names)


def _headers(data: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in _names(data, key))


class TrustSource:
    """Keeps the present Trust; `changed` is called when it becomes another one."""

    def __init__(self, client: Client) -> None:
        self.current = Trust()
        self.changed: Callable[[], None] = lambda: None
        self._informer: Informer[ConfigMap] = Informer(
            client, CONFIG_MAPS, ConfigMap, namespace=NAMESPACE, field_selector=f"metadata.name={NAME}"
        )
        self._informer.add_handler(self._handle)

    @property
    def synced(self) -> bool:
        return self._informer.synced

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._informer.run()

    def _handle(self, _kind: str, _old: ConfigMap | None, new: ConfigMap | None) -> None:
        trust = parse(new.data) if new is not None else Trust()
        if trust != self.current:
            self.current = trust
            log.info("the trust in client certificates and front proxies has changed")
            self.changed()


def is_front_proxy(trust: Trust, certificate: bytes, now: float) -> bool:
    """Whether a certificate (DER) is that of a front proxy: by its CA alone, its use and its name."""
    if not trust.proxy_ca or not _vouched(trust.proxy_ca, certificate, _tick(now)):
        return False
    return not trust.allowed_names or _subject(certificate).common_name in trust.allowed_names


def is_client(trust: Trust, certificate: bytes, now: float) -> bool:
    """Whether a presented certificate (DER) is that of a client of this cluster."""
    return bool(trust.client_ca) and _vouched(trust.client_ca, certificate, _tick(now))


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a client certificate names."""

    common_name: str
    organizations: tuple[str, ...]
    fingerprint: str
    uid: str = ""
    expires: float = 0.0
    """Seconds since the epoch."""


@lru_cache(maxsize=1024)
def _subject(certificate: bytes) -> Subject:
    loaded = x509.load_der_x509_certificate(certificate)
    name = loaded.subject
    uids = name.get_attributes_for_oid(_USER_UID)
    values = [str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return Subject(
        common_name=values[0] if values else "",
        organizations=tuple(
            str(each.value) for each in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        ),
        fingerprint=hashlib.sha256(certificate).hexdigest(),
        uid=str(uids[0].value) if uids else "",
        expires=loaded.not_valid_after_utc.timestamp(),
    )


subject_of = _subject


def _tick(now: float) -> int:
    # A verdict is remembered for some seconds, and given as of their end: expiry is never noticed late.
    return int(now // TICK_SECONDS) + 1


@lru_cache(maxsize=2048)
def _vouched(authorities: tuple[bytes, ...], certificate: bytes, tick: int) -> bool:
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        store = verification.Store([x509.load_der_x509_certificate(each) for each in authorities])
        verifier = (
            verification.PolicyBuilder()
            .store(store)
            .time(datetime.datetime.fromtimestamp(tick * TICK_SECONDS, datetime.UTC))
            .extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)
            .build_client_verifier()
        )
        verifier.verify(leaf, [])
    except (
        ValueError,
        verification.VerificationError,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        return False
    return True


def _require_client_use(_policy: object, _leaf: x509.Certificate, use: x509.ExtendedKeyUsage | None) -> None:
    if use is None or not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(
        use
    ):
        raise ValueError("the certificate is not for client authentication")


# Kubernetes' client certificates name their owner in the subject and have no alternative names, which
# the web's rules for certificates would refuse.
_CA_POLICY = verification.ExtensionPolicy.permit_all().require_present(
    x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
)
_LEAF_POLICY = verification.ExtensionPolicy.permit_all().may_be_present(
    x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _require_client_use
)
