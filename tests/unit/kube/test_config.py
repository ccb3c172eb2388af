"""Kubeconfigs, good and bad: each complaint names the field."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from missioncontrol.kube.config import KubeconfigError, from_kubeconfig, in_cluster
from missioncontrol.pki.ca import Usage, issue, new_ca

NOW = datetime.now(UTC)
CA = new_ca("test", now=NOW, lifetime=timedelta(days=1))
USER = issue(CA, common_name="me", usages=[Usage.CLIENT], now=NOW, lifetime=timedelta(hours=1))
OTHER = issue(CA, common_name="you", usages=[Usage.CLIENT], now=NOW, lifetime=timedelta(hours=1))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def kubeconfig(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "other", "cluster": {"server": "https://other"}},
            {
                "name": "c",
                "cluster": {
                    "server": "https://c:6443",
                    "certificate-authority-data": b64(CA.cert_pem),
                    **(cluster or {}),
                },
            },
        ],
        "users": [{"name": "u", "user": {"token": "t", **(user or {})}}],
    }


def load(document: Any, **options: Any) -> Any:
    return from_kubeconfig(yaml.safe_dump(document).encode(), **options)


def test_a_token_and_a_ca() -> None:
    config = load(kubeconfig(), only_inline=True)
    assert (config.server, config.token, config.ca) == ("https://c:6443", "t", CA.cert_pem)
    assert "token" not in repr(config).replace("token_file", "")


@pytest.mark.parametrize("kernel", ["memfd", "none"])
def test_a_client_certificate_leaves_no_file_behind(
    kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernel == "none":
        monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    user = {"client-certificate-data": b64(USER.cert_pem), "client-key-data": b64(USER.key_pem)}
    load(kubeconfig(user=user), only_inline=True).ssl_context()
    assert list(tmp_path.iterdir()) == []


def test_files_are_read_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(CA.cert_pem)
    document = kubeconfig(cluster={"certificate-authority": "ca.crt", "certificate-authority-data": None})
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(document))
    assert from_kubeconfig(file).ca == CA.cert_pem


def test_another_context_can_be_chosen() -> None:
    document = kubeconfig()
    document["contexts"].append({"name": "there", "context": {"cluster": "other", "user": "u"}})
    assert load(document, context="there").server == "https://other"


BAD: dict[str, tuple[Any, str]] = {
    "exec": (kubeconfig(user={"exec": {"command": "sh"}}), "users[0].user.exec"),
    "auth-provider": (kubeconfig(user={"auth-provider": {"name": "x"}}), "users[0].user.auth-provider"),
    "a key file": (
        kubeconfig(user={"client-certificate-data": b64(USER.cert_pem), "client-key": "/k"}),
        "users[0].user.client-key",
    ),
    "a token file": (kubeconfig(user={"tokenFile": "/etc/passwd"}), "users[0].user.tokenFile"),
    "a CA file": (
        kubeconfig(cluster={"certificate-authority-data": None, "certificate-authority": "/ca"}),
        "clusters[1].cluster.certificate-authority",
    ),
    "a password": (kubeconfig(user={"username": "x", "password": "y"}), "users[0].user.username"),
    "impersonation": (kubeconfig(user={"as": "admin"}), "users[0].user.as"),
    "plain http": (kubeconfig(cluster={"server": "http://c"}), "clusters[1].cluster.server"),
    "no server": (kubeconfig(cluster={"server": None}), "clusters[1].cluster.server"),
    "a server that is no URL": (kubeconfig(cluster={"server": "c:6443"}), "clusters[1].cluster.server"),
    "a port that is none": (kubeconfig(cluster={"server": "https://c:99999"}), "clusters[1].cluster.server"),
    "a password in the URL": (kubeconfig(cluster={"server": "https://a:b@c"}), "clusters[1].cluster.server"),
    "no verification": (
        kubeconfig(cluster={"insecure-skip-tls-verify": True}),
        "clusters[1].cluster.insecure-skip-tls-verify",
    ),
    "a proxy": (kubeconfig(cluster={"proxy-url": "http://p"}), "clusters[1].cluster.proxy-url"),
    "a CA that is not base64": (
        kubeconfig(cluster={"certificate-authority-data": "*"}),
        "clusters[1].cluster.certificate-authority-data",
    ),
    "a CA that is no certificate": (
        kubeconfig(cluster={"certificate-authority-data": b64(b"hello")}),
        "clusters[1].cluster.certificate-authority-data",
    ),
    "a certificate without its key": (
        kubeconfig(user={"client-certificate-data": b64(USER.cert_pem)}),
        "users[0].user.client-key-data",
    ),
    "another's key": (
        kubeconfig(
            user={"client-certificate-data": b64(USER.cert_pem), "client-key-data": b64(OTHER.key_pem)}
        ),
        "users[0].user.client-certificate-data",
    ),
    "a token of two lines": (kubeconfig(user={"token": "a\nb"}), "users[0].user.token"),
    "an unknown context": ({**kubeconfig(), "current-context": "gone"}, "contexts"),
    "no context": ({**kubeconfig(), "current-context": None}, "current-context"),
    "an unknown user": ({**kubeconfig(), "users": []}, "users"),
    "contexts that are no list": ({**kubeconfig(), "contexts": "x"}, "contexts"),
    "a cluster that is no mapping": (
        {**kubeconfig(), "clusters": [{"name": "c", "cluster": 7}]},
        "clusters[0].cluster",
    ),
    "another kind": ({**kubeconfig(), "kind": "Secret"}, "kind"),
    "a list": ([1, 2], ""),
    "a token that is a number": (kubeconfig(user={"token": 7}), "users[0].user.token"),
}


@pytest.mark.parametrize(("document", "field"), BAD.values(), ids=BAD.keys())
def test_it_is_refused_by_field(document: Any, field: str) -> None:
    with pytest.raises(KubeconfigError) as refused:
        load(document, only_inline=True)
    assert refused.value.field == field
    assert refused.value.message


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff", b"{", b"a: [", b"&a [*a, *a", b"x" * 2_000_000, b"[" * 100_000]
)
def test_what_is_no_kubeconfig_at_all_is_refused(raw: bytes) -> None:
    with pytest.raises(KubeconfigError):
        from_kubeconfig(raw, only_inline=True)


def test_a_pod_finds_its_own_cluster(tmp_path: Path) -> None:
    for name, text in {"ca.crt": CA.cert_pem.decode(), "namespace": "mission-control", "token": "t"}.items():
        (tmp_path / name).write_text(text)
    env = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    config = in_cluster(root=tmp_path, environ=env)
    assert config.server == "https://[fd00::1]:443"
    assert config.token_file == tmp_path / "token"
    with pytest.raises(KubeconfigError, match="--kubeconfig"):
        in_cluster(root=tmp_path, environ={})
