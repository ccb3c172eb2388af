"""Namespaces and quotas: Kubernetes' controllers count, limit and clear away what is ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from missioncontrol.local.admin import AdminClient, AdminError
from tests.integration.extension.conftest import Make, Obj, Site, restart
from tests.servers import GV, Proxy
from tests.waiting import eventually

CLUSTERS, RESTARTS = 100, 900
HELD = 20
HOLD = "example.com/hold"


@pytest.fixture(scope="module", autouse=True)
def no_complaints(site: Site) -> Iterator[None]:
    programs = ("kube-controller-manager", "kube-apiserver")
    sizes = {name: site.log_size(name) for name in programs}
    yield
    found = [line for name in programs for line in site.complaints(name, sizes[name])]
    assert not found, "\n".join(found[:5])


async def create_all(proxy: Proxy, namespace: str, bodies: list[Obj]) -> None:
    """Create through one replica or the other, a few at a time."""
    pending = iter(bodies)

    async def work() -> None:
        for body in pending:
            plural = f"{body['kind'].lower()}s"
            status, answer = await proxy.json("POST", f"{GV}/namespaces/{namespace}/{plural}", json=body)
            assert status == 201, answer

    await asyncio.gather(*(work() for _ in range(16)))


async def test_a_namespace_with_a_thousand_objects_goes(
    site: Site, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    clusters = [cluster(f"c{number}") for number in range(CLUSTERS)]
    restarts = [restart(f"r{number}", f"c{number % CLUSTERS}") for number in range(RESTARTS)]
    for body in (*clusters[: HELD // 2], *restarts[: HELD // 2]):
        body["metadata"]["finalizers"] = [HOLD]
    began = time.monotonic()
    await create_all(proxy, namespace, clusters)
    await create_all(proxy, namespace, restarts)
    created = time.monotonic()
    with site.admin as admin:
        path = f"/api/v1/namespaces/{namespace}"

        def condition(name: str) -> str:
            conditions = admin.get(path)["status"].get("conditions") or ()
            return next((each["message"] for each in conditions if each["type"] == name), "")

        def left(plural: str) -> list[str]:
            items = admin.get(f"{GV}/namespaces/{namespace}/{plural}")["items"]
            return [each["metadata"]["name"] for each in items]

        admin.request("DELETE", path)
        eventually(lambda: HOLD in condition("NamespaceFinalizersRemaining"), "it says what holds it")
        eventually(lambda: len(left("missioncontrolclusters")) == HELD // 2, "only what is held is left")
        eventually(lambda: len(left("rollingrestarts")) == HELD // 2, "only what is held is left")
        emptied = time.monotonic()
        status, answer = await proxy.json(
            "POST", f"{GV}/namespaces/{namespace}/rollingrestarts", json=restart("late", "c0")
        )
        assert (status, answer["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
        assert "storage" not in answer["message"]
        for plural in ("missioncontrolclusters", "rollingrestarts"):
            for name in left(plural):
                address = f"{GV}/namespaces/{namespace}/{plural}/{name}"
                patch = {"metadata": {"finalizers": None}}
                admin.request("PATCH", address, patch, content_type="application/merge-patch+json")
        eventually(lambda: admin.find(path) is None, "the namespace is gone", timeout=90)
    gone = time.monotonic()
    print(
        f"created in {created - began:.1f} s, emptied in {emptied - created:.1f} s, then {gone - emptied:.1f}"
    )


def test_a_quota_counts_and_limits_our_kinds(site: Site, namespace: str, cluster: Make) -> None:
    counted = ("count/missioncontrolclusters.missioncontrol.io", "count/rollingrestarts.missioncontrol.io")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {counted[0]: "1", counted[1]: "2"}},
    }
    kubectl = site.kubectl("--namespace", namespace)
    with site.admin as admin:
        path = f"/api/v1/namespaces/{namespace}/resourcequotas/few"
        base = f"{GV}/namespaces/{namespace}"

        def used() -> list[str]:
            shown = admin.get(path).get("status", {}).get("used", {})
            return [shown.get(each) for each in counted]

        def restarts() -> int:
            return len(admin.get(f"{base}/rollingrestarts")["items"])

        admin.apply(path, quota)
        eventually(lambda: used() == ["0", "0"], "the quota controller counts")
        wait_for_webhooks(admin, namespace, cluster())
        assert used() == ["0", "0"], "a dry run is not charged"
        kubectl("create", "-f", "-", stdin=cluster())
        assert used() == ["1", "0"]
        for name, command in (("r1", ["create"]), ("r2", ["apply", "--server-side"])):
            kubectl(*command, "-f", "-", stdin=restart(name))
        third = kubectl.fails("create", "-f", "-", stdin=restart("r3"))
        assert third == (
            'Error from server (Forbidden): error when creating "STDIN": rollingrestarts.missioncontrol.io '
            f'"r3" is forbidden: exceeded quota: few, requested: {counted[1]}=1, used: {counted[1]}=2, '
            f"limited: {counted[1]}=2\n"
        )
        by_path = kubectl(
            "create", "--raw", f"{base}/missioncontrolclusters/demo/rollingrestart", "-f", "-",
            stdin="{}", check=False,
        )  # fmt: skip
        assert "exceeded quota: few" in by_path.stderr
        assert restarts() == 2
        kubectl("delete", "rollingrestart", "r1")
        eventually(lambda: used() == ["1", "1"], "what is deleted counts no more")
        kubectl("create", "-f", "-", stdin=restart("r3"))
        assert restarts() == 2


def wait_for_webhooks(admin: AdminClient, namespace: str, probe: Obj) -> None:
    """Until the webhooks have seen all quotas that there are: a last one, that allows nothing, works."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/gate"
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gate"}}
    admin.apply(path, {**body, "spec": {"hard": {"count/missioncontrolclusters.missioncontrol.io": "0"}}})
    clusters = f"{GV}/namespaces/{namespace}/missioncontrolclusters"

    def refused() -> bool:
        try:
            admin.request("POST", clusters, probe, query={"dryRun": "All"})
        except AdminError as error:
            return "exceeded quota: gate" in str(error)
        return False

    eventually(refused, "the webhooks know the quotas")
    admin.request("DELETE", path)
    eventually(lambda: not refused(), "the webhooks know that the last one is gone")


async def test_writers_at_the_same_moment_do_not_get_past_a_quota(
    site: Site, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    name = "count/rollingrestarts.missioncontrol.io"
    with site.admin as admin:
        path = f"/api/v1/namespaces/{namespace}/resourcequotas/few"
        body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
        admin.apply(path, {**body, "spec": {"hard": {name: "7"}}})
        await create_all(proxy, namespace, [cluster()])
        eventually(
            lambda: admin.get(path).get("status", {}).get("used", {}).get(name) == "0", "it is counted"
        )
        await asyncio.to_thread(wait_for_webhooks, admin, namespace, cluster("probe"))

        async def make(number: int) -> int:
            address = f"{GV}/namespaces/{namespace}/rollingrestarts"
            status: int = (await proxy.json("POST", address, json=restart(f"r{number}")))[0]
            return status

        answers = await asyncio.gather(*(make(number) for number in range(25)))
        assert sorted(answers) == [201] * 7 + [403] * 18
        assert len(admin.get(f"{GV}/namespaces/{namespace}/rollingrestarts")["items"]) == 7
