"""Certificates that OpenSSL accepts, and those that must not be stored."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from missioncontrol.pki.ca import (
    Authority,
    CertificateError,
    Leaf,
    Usage,
    bundle,
    check,
    fingerprints,
    issue,
    new_ca,
    renew_at,
    signed_by,
)
from missioncontrol.pki.files import load_ca, load_leaf, save, write_private

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
CA = new_ca("Test CA", now=NOW, lifetime=timedelta(days=10))


def leaf(lifetime: timedelta = timedelta(days=1), ca: Authority = CA, now: datetime = NOW) -> Leaf:
    return issue(
        ca,
        common_name="server",
        dns_names=["a.example", "*.b.example"],
        ip_names=["127.0.0.1", "::1"],
        usages=[Usage.SERVER, Usage.CLIENT],
        now=now,
        lifetime=lifetime,
    )


def verify(pem: bytes, ca: bytes, name: x509.general_name.GeneralName) -> None:
    store = Store(x509.load_pem_x509_certificates(ca))
    verifier = PolicyBuilder().store(store).time(NOW + timedelta(hours=1)).build_server_verifier(name)  # type: ignore[arg-type]
    verifier.verify(x509.load_pem_x509_certificate(pem), [])


def test_a_leaf_is_valid_for_its_names_under_its_ca_only() -> None:
    pem = leaf().cert_pem
    verify(pem, CA.cert_pem, x509.DNSName("a.example"))
    verify(pem, CA.cert_pem, x509.DNSName("x.b.example"))
    other = new_ca("Test CA", now=NOW, lifetime=timedelta(days=10))
    with pytest.raises(VerificationError):
        verify(pem, other.cert_pem, x509.DNSName("a.example"))
    with pytest.raises(VerificationError):
        verify(pem, CA.cert_pem, x509.DNSName("c.example"))
    assert signed_by(pem, bundle(other, CA))
    assert not signed_by(pem, other.cert_pem)


def test_a_leaf_never_outlives_its_ca() -> None:
    assert leaf(timedelta(days=1000)).certificate.not_valid_after_utc == CA.certificate.not_valid_after_utc
    with pytest.raises(CertificateError, match="ended"):
        leaf(now=NOW + timedelta(days=11))


def test_a_kubernetes_user_has_a_name_and_groups() -> None:
    user = issue(
        CA,
        common_name="admin",
        organizations=["system:masters", "ops"],
        usages=["clientAuth"],
        now=NOW,
        lifetime=timedelta(days=1),
    )
    subject = user.certificate.subject
    groups = [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ["system:masters", "ops"]
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "admin"


def test_a_bundle_holds_each_ca_once_in_order() -> None:
    new = new_ca("New CA", now=NOW, lifetime=timedelta(days=10))
    both = bundle(CA, new, CA.cert_pem)
    assert fingerprints(both) == [CA.fingerprint, new.fingerprint]
    assert bundle(both, new) == both


def test_renewal_is_at_two_thirds_of_the_life() -> None:
    at = renew_at(leaf(timedelta(days=3)).cert_pem)
    assert timedelta(days=2) - timedelta(minutes=5) <= at - NOW <= timedelta(days=2)


@pytest.mark.parametrize(
    ("pair", "now", "reason"),
    [
        (leaf(), NOW + timedelta(days=2), "ended"),
        (leaf(), NOW - timedelta(days=1), "begins"),
        (Leaf(leaf().cert_pem, leaf().key_pem), NOW, "belong"),
        (Leaf(b"junk", leaf().key_pem), NOW, "PEM certificate"),
        (Leaf(leaf().cert_pem, b"junk"), NOW, "private key"),
        (Authority(*(lambda x: (x.cert_pem, x.key_pem))(leaf())), NOW, "not one of a CA"),
    ],
    ids=["expired", "not yet", "another's key", "no certificate", "no key", "no CA"],
)
def test_what_could_not_work_is_not_stored(
    pair: Leaf | Authority, now: datetime, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(CertificateError, match=reason):
        save(pair, tmp_path / "c", tmp_path / "k", now=now)
    assert list(tmp_path.iterdir()) == []


def test_files_are_private_and_come_back_the_same(tmp_path: Path) -> None:
    cert, key = tmp_path / "pki/ca.crt", tmp_path / "pki/ca.key"
    save(CA, cert, key, now=NOW)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (cert, key)} == {0o600}
    assert load_ca(cert, key, now=NOW) == CA
    with pytest.raises(CertificateError, match="ended"):
        load_ca(cert, key, now=NOW + timedelta(days=20))
    with pytest.raises(CertificateError, match="cannot be read"):
        load_leaf(tmp_path / "none", key)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    write_private(file, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_private(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_common_name_has_limits(name: str) -> None:
    with pytest.raises(CertificateError, match="common name"):
        new_ca(name, now=NOW, lifetime=timedelta(days=1))


def test_a_check_of_a_good_pair_says_nothing() -> None:
    check(CA, now=NOW)
    check(leaf(), now=NOW)
