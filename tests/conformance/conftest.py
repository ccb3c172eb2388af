"""One kube-apiserver with the façade and native definitions of the same shape, started once."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.conformance.kinds import native_crds
from tests.conformance.runner import Outcome, run_all
from tests.integration.apiserver.conftest import Facade, serving, until


@pytest.fixture(scope="session")
def facade(
    binaries: Programs, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Facade]:
    with serving(control_plane, binaries, tmp_path_factory.mktemp("apiserver")) as server:
        with control_plane.admin_client() as admin:
            for document in native_crds():
                path = (
                    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{document['metadata']['name']}"
                )
                admin.apply(path, document)
                until(lambda path=path: _established(admin, path), f"{path} established")
                until(lambda document=document: _followed(admin, document), f"{path} is followed")
        forget_the_past(control_plane)
        yield server
    trouble = [line for line in server.log.read_text().splitlines() if '"level":"error"' in line]
    assert not trouble, "\n".join(trouble[:5])


def _established(admin: AdminClient, path: str) -> bool:
    conditions: list[dict[str, Any]] = admin.get(path).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _followed(admin: AdminClient, document: dict[str, Any]) -> bool:
    """Whether kube-apiserver keeps the kind's last events: until then watches from a version are refused."""
    spec = document["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    version = admin.get(path)["metadata"]["resourceVersion"]
    return admin.get(f"{path}?watch=true&timeoutSeconds=1&resourceVersion={version}").get("type") != "ERROR"


def forget_the_past(plane: ControlPlane) -> None:
    """Have etcd forget what was before now, as it does every five minutes, so that old tokens are expired."""
    pki = plane.directory / "pki"
    context = ssl.create_default_context(cafile=str(pki / "etcd-ca.crt"))
    context.load_cert_chain(pki / "etcd-client.crt", pki / "etcd-client.key")

    def ask(path: str, body: dict[str, Any]) -> Any:
        url = f"https://127.0.0.1:{plane.ports.etcd}/v3/kv/{path}"
        with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10, context=context) as answer:
            return json.load(answer)

    now = ask("range", {"key": base64.b64encode(b"none").decode()})["header"]["revision"]
    ask("compaction", {"revision": now, "physical": True})


@pytest.fixture(scope="session")
def outcomes(facade: Facade, request: pytest.FixtureRequest) -> dict[str, Outcome]:
    """Every chosen case, run at once: the tests only look at what came out."""
    chosen = [each.callspec.params["case"] for each in request.session.items if _has_case(each)]  # type: ignore[attr-defined]
    return asyncio.run(run_all(facade, chosen))


def _has_case(item: pytest.Item) -> bool:
    return "case" in getattr(getattr(item, "callspec", None), "params", {})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from tests.conformance.runner import SUMMARY

    if SUMMARY:
        terminalreporter.section("conformance")
        for line in SUMMARY:
            terminalreporter.write_line(line)
