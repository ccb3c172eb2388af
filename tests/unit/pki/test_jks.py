"""Java's format of key stores, read by Java where there is one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from missioncontrol.pki.ca import Usage, issue, new_ca
from missioncontrol.pki.jks import key_entry, key_store, trusted_entry

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CA = new_ca("test", now=NOW, lifetime=timedelta(days=9))
LEAF = issue(CA, common_name="Node", usages=[Usage.SERVER], now=NOW, lifetime=timedelta(days=1))
ENTRIES = (key_entry("Node", LEAF, CA.cert_pem), trusted_entry("ca", CA.cert_pem))
PASSWORD = "secret"


def test_the_file_is_sealed_with_the_password() -> None:
    found = key_store(ENTRIES, PASSWORD, now=NOW)
    assert found[:12] == bytes.fromhex("feedfeed0000000200000002")
    words = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite"
    assert found[-20:] == hashlib.sha1(words + found[:-20], usedforsecurity=False).digest()
    assert key_store(ENTRIES, PASSWORD, now=NOW) != found, "the salt is another one each time"


def test_the_key_is_found_again_with_the_password() -> None:
    salt = bytes(range(20))
    found = key_store(ENTRIES[:1], PASSWORD, now=NOW, salt=salt)
    key = serialization.load_pem_private_key(LEAF.key_pem, password=None).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    begin = found.index(salt) + len(salt)
    secret, stream, last = PASSWORD.encode("utf-16-be"), b"", salt
    while len(stream) < len(key):
        last = hashlib.sha1(secret + last, usedforsecurity=False).digest()
        stream += last
    assert bytes(a ^ b for a, b in zip(found[begin : begin + len(key)], stream, strict=False)) == key
    assert b"\x00\x04node" in found, "Java looks for aliases in small letters"


@pytest.mark.skipif(shutil.which("keytool") is None, reason="there is no keytool of Java")
def test_java_reads_keys_and_certificates(tmp_path: Path) -> None:
    source, target = tmp_path / "node.jks", tmp_path / "node.p12"
    source.write_bytes(key_store(ENTRIES, PASSWORD, now=NOW))
    argv = ["keytool", "-importkeystore", "-noprompt", "-srcstoretype", "JKS", "-deststoretype", "PKCS12"]
    argv += ["-srckeystore", str(source), "-srcstorepass", PASSWORD]
    argv += ["-destkeystore", str(target), "-deststorepass", PASSWORD]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    key, certificate, others = pkcs12.load_key_and_certificates(target.read_bytes(), PASSWORD.encode())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == LEAF.certificate.public_key()
    assert certificate == LEAF.certificate
    assert CA.certificate in others
