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

from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.conformance.kinds import native_crds, twin_crds
from tests.conformance.kubectl.stage import Twin
from tests.conformance.runner import Outcome, run_all
from tests.conformance.table import Area
from tests.installing import install
from tests.servers import Facade, serving
from tests.waiting import eventually


@pytest.fixture(scope="session")
def facade(
    binaries: Programs, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Facade]:
    with serving(control_plane, binaries, tmp_path_factory.mktemp("apiserver")) as server:
        with control_plane.admin_client() as admin:
            _define(admin, native_crds(), followed=3)
        forget_the_past(control_plane)
        yield server
    trouble = [line for line in server.log.read_text().splitlines() if '"level":"error"' in line]
    assert not trouble, "\n".join(trouble[:5])


@pytest.fixture(scope="session")
def twin(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """A kube-apiserver on which the whole group is custom resources: kubectl is told the same of both."""
    folder = tmp_path_factory.mktemp("twin")
    plane = ControlPlane(
        folder / "plane", programs=binaries, controllers=False, name="servers", die_with_parent=True
    )
    plane.start()
    try:
        with plane.admin_client() as admin:
            _define(admin, twin_crds())
        yield Twin(plane, folder)
    finally:
        plane.stop(kill=True)


def _define(admin: AdminClient, definitions: list[dict[str, Any]], *, followed: int = 1) -> None:
    """Make them, and wait until they can be used; the last of them also until it can be watched."""
    install(admin, *definitions)
    for document in definitions[-followed:]:
        name = document["metadata"]["name"]
        eventually(lambda document=document: _followed(admin, document), f"{name} is followed")


def _followed(admin: AdminClient, document: dict[str, Any]) -> bool:
    """Whether kube-apiserver keeps the kind's last events: until then watches from a version are refused."""
    spec = document["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    try:
        version = admin.get(path)["metadata"]["resourceVersion"]
        seen = admin.get(f"{path}?watch=true&timeoutSeconds=1&resourceVersion={version}")
    except AdminError:  # its storage is being made
        return False
    return seen.get("type") != "ERROR"


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
    with_kubectl = any(case.area is Area.KUBECTL for case in chosen)
    twin: Twin | None = request.getfixturevalue("twin") if with_kubectl else None
    return asyncio.run(run_all(facade, chosen, twin))


def _has_case(item: pytest.Item) -> bool:
    return "case" in getattr(getattr(item, "callspec", None), "params", {})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from tests.conformance.runner import SUMMARY

    if SUMMARY:
        terminalreporter.section("conformance")
        for line in SUMMARY:
            terminalreporter.write_line(line)
