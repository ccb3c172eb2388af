"""What a DataPlane tells: bad kubeconfigs by field and remedy, absence with its beginning, few writes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from controllers.missioncontrol.dataplanes.checks import Finding, Identity, judge, verify
from controllers.missioncontrol.dataplanes.credentials import Credentials, Problem, read_credentials
from controllers.missioncontrol.dataplanes.status import Observed, decide_status
from missioncontrol.api.names import Reason
from missioncontrol.api.resources import K8SSANDRA_CLUSTERS
from missioncontrol.kube.views import Meta, Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = "https://one:6443"
SPEC = {"kubeconfigSecretRef": {"name": "p", "key": "kubeconfig"}}
WELL = Finding(True, Reason.CONNECTED, "", cluster_id="id")


def kubeconfig(user: dict[str, Any] | None = None, **cluster: Any) -> bytes:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": SERVER, **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
    }
    return str(yaml.safe_dump(document)).encode()


def secret(content: bytes, key: str = "kubeconfig") -> Secret:
    return Secret(metadata=Meta(name="p"), data={key: base64.b64encode(content).decode()})


def read(content: Secret | None, **spec: Any) -> Credentials | Problem:
    return read_credentials({**SPEC, **spec}, content, namespace="mission-control")


def test_a_good_kubeconfig_connects_and_its_fingerprint_follows_content_and_context() -> None:
    one = read(secret(kubeconfig()))
    assert isinstance(one, Credentials)
    assert one.config.server == SERVER
    again, other = read(secret(kubeconfig())), read(secret(kubeconfig({"token": "u"})))
    named = read(secret(kubeconfig()), context="c")
    prints = [each.fingerprint for each in (one, again, other, named) if isinstance(each, Credentials)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.parametrize(
    ("content", "spec", "reason", "field", "words"),
    [
        (None, {}, "SecretNotFound", "spec.kubeconfigSecretRef.name", "no Secret p"),
        (secret(b"x", "other"), {}, "SecretNotFound", "spec.kubeconfigSecretRef.key", "its keys: other"),
        (secret(b"- a list"), {}, "KubeconfigInvalid", "data[kubeconfig]", "no kubeconfig"),
        (secret(kubeconfig()), {"context": "x"}, "KubeconfigInvalid", "spec.context", "there are: c"),
        (secret(kubeconfig({"exec": {}})), {}, "KubeconfigInvalid", "users[0].user.exec", "use token"),
        (secret(kubeconfig({"auth-provider": {}})), {}, "KubeconfigInvalid", "auth-provider", "use token"),
        (secret(kubeconfig({"tokenFile": "/x"})), {}, "KubeconfigInvalid", "tokenFile", "use token"),
        (
            secret(kubeconfig(**{"certificate-authority": "/etc/passwd"})),
            {},
            "KubeconfigInvalid",
            "certificate-authority",
            "certificate-authority-data",
        ),
        (Secret(data={"kubeconfig": "%"}), {}, "KubeconfigInvalid", "data[kubeconfig]", "base64"),
    ],
    ids=[
        "no secret",
        "no key",
        "no kubeconfig",
        "no context",
        "exec",
        "auth-provider",
        "token file",
        "CA file",
        "not base64",
    ],
)
def test_a_bad_kubeconfig_is_told_with_field_and_remedy(
    content: Secret | None, spec: dict[str, Any], reason: str, field: str, words: str
) -> None:
    problem = read(content, **spec)
    assert isinstance(problem, Problem)
    assert problem.reason == reason
    assert field in problem.message
    assert words in problem.message


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "Unauthorized"), (403, "Forbidden"), (404, "CustomResourcesMissing")],
)
def test_a_refused_list_is_a_finding(status: int, reason: str) -> None:
    finding = judge(K8SSANDRA_CLUSTERS, status, "no")
    assert finding is not None
    assert (finding.ok, finding.reason) == (False, reason)


def test_a_fault_that_may_pass_is_none() -> None:
    assert judge(K8SSANDRA_CLUSTERS, 503, "later") is None


def _identity(name: str, *, age: int = 0, cluster_id: str = "") -> Identity:
    return Identity(name, (NOW - timedelta(seconds=age), name), cluster_id)


def test_of_two_planes_for_one_cluster_the_older_stays() -> None:
    old, new = _identity("old", age=9), _identity("new")
    assert verify(WELL, old, [(new, WELL)]) == WELL
    refused = verify(WELL, new, [(old, WELL)])
    assert (refused.ok, refused.reason) == (False, "NameTaken")
    assert "DataPlane old" in refused.message
    assert verify(WELL, new, [(old, Finding(False, Reason.FORBIDDEN, "x"))]) == WELL


def test_a_plane_in_use_may_not_become_another_cluster() -> None:
    assert verify(WELL, _identity("p", cluster_id="id"), []) == WELL
    refused = verify(WELL, _identity("p", cluster_id="before"), [])
    assert (refused.ok, refused.reason) == (False, "KubeconfigInvalid")
    assert "another Kubernetes cluster" in refused.message


def well(**more: Any) -> Observed:
    given = {"available": True, "server": SERVER, "version": "v1.36.3", "finding": WELL, "last_contact": NOW}
    return Observed(**{**given, **more})


def told(observed: Observed, before: dict[str, Any] | None = None, *, now: datetime = NOW) -> dict[str, Any]:
    return decide_status(observed, before or {}, generation=1, now=now)


def ready(status: dict[str, Any]) -> tuple[str, str]:
    found = next(each for each in status["conditions"] if each["type"] == "Ready")
    return found["status"], found["reason"]


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (well(), ("True", "Connected")),
        (well(available=None, finding=None), ("Unknown", "Connecting")),
        (well(finding=None), ("Unknown", "Connecting")),
        (well(unsynced=["pods"]), ("Unknown", "Connecting")),
        (well(available=False, message="refused"), ("False", "Unreachable")),
        (
            well(available=False, message="CERTIFICATE_VERIFY_FAILED: certificate verify failed"),
            ("False", "CertificateUntrusted"),
        ),
        (well(available=False, finding=Finding(False, Reason.UNAUTHORIZED, "x")), ("False", "Unauthorized")),
        (well(finding=Finding(False, Reason.CRDS_MISSING, "x")), ("False", "CustomResourcesMissing")),
        (Observed(problem=Problem(Reason.SECRET_NOT_FOUND, "x")), ("False", "SecretNotFound")),
    ],
)
def test_ready_says_what_is_most_wrong(observed: Observed, expected: tuple[str, str]) -> None:
    assert ready(told(observed)) == expected


def test_absence_has_a_beginning_that_stays_and_ends() -> None:
    away = told(well(available=False, message="refused", away_since=NOW), told(well()))
    assert away["awaySince"] == "2026-01-01T00:00:00Z"
    assert away["kubernetesVersion"] == "v1.36.3"
    later = told(well(available=False, away_since=NOW + timedelta(hours=1)), away)
    assert later["awaySince"] == away["awaySince"]
    assert "awaySince" not in told(well(), later)


def test_contact_is_written_every_ten_seconds_or_with_a_change() -> None:
    first = told(well())
    soon = well(last_contact=NOW + timedelta(seconds=4))
    assert told(soon, first) == first
    late = well(last_contact=NOW + timedelta(seconds=10))
    assert told(late, first)["lastContactTime"] == "2026-01-01T00:00:10Z"
    changed = well(last_contact=NOW + timedelta(seconds=4), version="v1.37.0")
    assert told(changed, first)["lastContactTime"] == "2026-01-01T00:00:04Z"


def test_a_plane_in_use_says_who_uses_it() -> None:
    status = told(well(deleting=True, clusters=["store/demo"]))
    assert "store/demo" in status["message"]
    assert {each["type"]: each["status"] for each in status["conditions"]}["InUse"] == "True"
