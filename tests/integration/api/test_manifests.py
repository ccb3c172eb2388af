"""What is installed in clusters: a real kube-apiserver takes all of it, and its parts fit together."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiserver.program import DRAIN_SECONDS
from missioncontrol.local.control_plane import ControlPlane, Programs

Obj = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]
PLANES = ("control-plane", "data-plane")


def kustomize(programs: Programs, folder: Path) -> str:
    done = subprocess.run(
        [programs.kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(text: str) -> list[Obj]:
    return [each for each in yaml.safe_load_all(text) if each]


@pytest.fixture(scope="module")
def built(binaries: Programs) -> dict[str, list[Obj]]:
    return {plane: documents(kustomize(binaries, ROOT / "manifests" / plane)) for plane in PLANES}


@pytest.mark.parametrize("plane", PLANES)
def test_kube_apiserver_takes_all_of_it(
    control_plane: ControlPlane, binaries: Programs, built: dict[str, list[Obj]], plane: str
) -> None:
    with control_plane.admin_client() as admin:
        # what lies in a namespace can only be judged where it exists
        admin.create_namespace("mission-control")
    done = subprocess.run(
        [
            binaries.kubectl, f"--kubeconfig={control_plane.admin_kubeconfig}",
            "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-",
        ],
        input=yaml.safe_dump_all(built[plane]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied (server dry run)") == len(built[plane])
    # other tests on this plane point a Service of the same name at a process of theirs
    warnings = [line for line in done.stderr.splitlines() if "externalName is ignored" not in line]
    assert warnings == []


@pytest.mark.parametrize("plane", PLANES)
def test_the_parts_fit_together(built: dict[str, list[Obj]], plane: str) -> None:
    by_kind: dict[str, dict[str, Obj]] = {}
    for each in built[plane]:
        by_kind.setdefault(each["kind"], {})[each["metadata"]["name"]] = each
    deployments = by_kind["Deployment"]
    servers = {"apiserver", "webhooks"} if plane == "control-plane" else {"webhooks"}
    assert servers < set(deployments)
    for name, deployment in deployments.items():
        template = deployment["spec"]["template"]
        pod, labels = template["spec"], template["metadata"]["labels"]
        assert deployment["spec"]["replicas"] >= 2
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert pod["serviceAccountName"] in by_kind["ServiceAccount"]
        for selector in (
            deployment["spec"]["selector"]["matchLabels"],
            by_kind["PodDisruptionBudget"][name]["spec"]["selector"]["matchLabels"],
            by_kind["NetworkPolicy"][name]["spec"]["podSelector"]["matchLabels"],
            *([by_kind["Service"][name]["spec"]["selector"]] if name in servers else []),
        ):
            assert selector.items() <= labels.items()
        ports = {port["name"] for each in pod["containers"] for port in each["ports"]}
        for each in pod["containers"]:
            assert each["securityContext"]["readOnlyRootFilesystem"] is True
            assert "cpu" not in each["resources"]["limits"]
            assert each["image"].rpartition(":")[2], "a tag"
            for probe in ("livenessProbe", "readinessProbe"):
                assert each[probe]["httpGet"]["port"] in ports
        if name in servers:
            assert by_kind["Service"][name]["spec"]["ports"][0]["targetPort"] in ports
            assert pod["volumes"][1]["secret"]["secretName"] == f"{name}-tls"
        assert {
            port["port"] for port in by_kind["NetworkPolicy"][name]["spec"]["ingress"][0]["ports"]
        } <= ports


@pytest.mark.parametrize("plane", PLANES)
def test_programs_know_the_flags_that_they_are_given(built: dict[str, list[Obj]], plane: str) -> None:
    """Parsed by the programs themselves, which stop only at the files that are not here."""
    for each in built[plane]:
        if each["kind"] != "Deployment":
            continue
        container = each["spec"]["template"]["spec"]["containers"][0]
        command = [sys.executable, *container["command"][1:], *container["args"]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
        assert done.returncode == 2, (shlex.join(command), done.stderr)
        assert any(text in done.stderr for text in ("tls.crt' does not exist", "not running in a pod")), (
            done.stderr
        )
        assert "No such option" not in done.stderr


def test_the_end_of_the_api_server_has_the_time_it_needs(built: dict[str, list[Obj]]) -> None:
    (deployment,) = [
        each
        for each in built["control-plane"]
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "apiserver"
    ]
    pod = deployment["spec"]["template"]["spec"]
    (delay,) = [arg for arg in pod["containers"][0]["args"] if arg.startswith("--shutdown-delay-duration")]
    needed = float(delay.partition("=")[2]) + DRAIN_SECONDS + 5
    assert pod["terminationGracePeriodSeconds"] >= needed


@pytest.mark.parametrize("plane", PLANES)
def test_certificates_from_cert_manager(
    binaries: Programs, built: dict[str, list[Obj]], tmp_path: Path, plane: str
) -> None:
    overlay = ROOT / "manifests" / "overlays" / "cert-manager" / plane
    found = documents(kustomize(binaries, overlay))
    secrets = {each["spec"]["secretName"] for each in found if each["kind"] == "Certificate"}
    mounted = {
        volume["secret"]["secretName"]
        for each in found
        if each["kind"] == "Deployment"
        for volume in each["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    assert mounted <= secrets
    names = {
        name
        for each in found
        if each["kind"] == "Certificate" and not each["spec"].get("isCA")
        for name in each["spec"]["dnsNames"]
    }
    trusting = [
        each
        for each in found
        if each["kind"] in ("APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    ]
    assert len(trusting) == (3 if plane == "control-plane" else 2)
    for each in trusting:
        source = each["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
        # kube-apiserver checks for exactly this name
        assert f"{source.rpartition('/')[2]}.mission-control.svc" in names
