"""Java's own format of key stores (JKS), for what reads no other.

Keys in it are hidden by a password rather than protected: whoever may read the file is to be trusted.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from missioncontrol.pki.ca import Leaf, parse_certificates

_MAGIC, _VERSION = 0xFEEDFEED, 2
_KEY, _TRUSTED = 1, 2
_WHITENER = b"Mighty Aphrodite"
# AlgorithmIdentifier of the protection of keys: 1.3.6.1.4.1.42.2.17.1.1, without parameters
_PROTECTION = bytes.fromhex("300e060a2b060104012a021101010500")
_DIGEST_SIZE = hashlib.sha1(usedforsecurity=False).digest_size


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands under one alias: a key with its chain, or a certificate that is trusted."""

    alias: str
    certificates: tuple[x509.Certificate, ...]
    key: bytes = b""
    """PKCS #8; empty for a certificate that is trusted."""


def key_entry(alias: str, leaf: Leaf, ca_pem: bytes) -> Entry:
    """A leaf with its key and its CA."""
    key = serialization.load_pem_private_key(leaf.key_pem, password=None).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Entry(alias, (*parse_certificates(leaf.cert_pem), *parse_certificates(ca_pem)), key)


def trusted_entry(alias: str, ca_pem: bytes) -> Entry:
    """A certificate whose leaves are trusted."""
    return Entry(alias, (parse_certificates(ca_pem)[0],))


def key_store(entries: Sequence[Entry], password: str, *, now: datetime, salt: bytes = b"") -> bytes:
    """The file; the password opens it and each key in it."""
    secret = password.encode("utf-16-be")
    body = struct.pack(">III", _MAGIC, _VERSION, len(entries))
    for entry in entries:
        body += _entry(entry, secret, int(now.timestamp() * 1000), salt or secrets.token_bytes(_DIGEST_SIZE))
    return body + _sha1(secret + _WHITENER + body)


def _entry(entry: Entry, secret: bytes, moment: int, salt: bytes) -> bytes:
    head = struct.pack(">I", _KEY if entry.key else _TRUSTED) + _text(entry.alias.lower())
    head += struct.pack(">Q", moment)
    certificates = [_certificate(each) for each in entry.certificates]
    if not entry.key:
        return head + certificates[0]
    return (
        head
        + _sized(_hidden(entry.key, secret, salt))
        + struct.pack(">I", len(certificates))
        + b"".join(certificates)
    )


def _hidden(key: bytes, secret: bytes, salt: bytes) -> bytes:
    """The key under a stream of digests that begins with the salt, and a digest to know it again by."""
    stream, last = b"", salt
    while len(stream) < len(key):
        last = _sha1(secret + last)
        stream += last
    hidden = bytes(a ^ b for a, b in zip(key, stream, strict=False))
    content = salt + hidden + _sha1(secret + key)
    return _der(0x30, _PROTECTION + _der(0x04, content))


def _certificate(certificate: x509.Certificate) -> bytes:
    return _text("X.509") + _sized(certificate.public_bytes(serialization.Encoding.DER))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _sized(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _sha1(content: bytes) -> bytes:
    return hashlib.sha1(content, usedforsecurity=False).digest()
