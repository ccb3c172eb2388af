"""Kubernetes' garbage collector as a client: owners inside and outside the group, in all three modes.

A stored operation is seen three times (stored, typed, in the view over all operations), with three UIDs.
The collector follows each face by itself and must neither delete what lives nor go round in circles.
"""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator

import pytest

from missioncontrol.api import resources as r
from missioncontrol.api.names import Finalizer
from missioncontrol.local.admin import AdminClient, AdminError
from tests.integration.extension.conftest import Make, Obj, Site, restart
from tests.servers import GV
from tests.waiting import eventually

CLUSTERS, RESTARTS, OPERATIONS = "missioncontrolclusters", "rollingrestarts", "operations"
HOLD = "example.com/hold"


@pytest.fixture(scope="module", autouse=True)
def no_complaints(site: Site) -> Iterator[None]:
    """Whatever happens here is nothing that a controller of Kubernetes has to complain about."""
    programs = ("kube-controller-manager", "kube-apiserver")
    sizes = {name: site.log_size(name) for name in programs}
    yield
    found = [line for name in programs for line in site.complaints(name, sizes[name])]
    assert not found, "\n".join(found[:5])


class World:
    """Objects of one namespace, by short names."""

    def __init__(self, admin: AdminClient, namespace: str) -> None:
        self.admin, self.namespace = admin, namespace

    def path(self, resource: str, name: str = "") -> str:
        base = f"/api/v1/namespaces/{self.namespace}" if resource == "configmaps" else self._ours
        return f"{base}/{resource}" + (f"/{name}" if name else "")

    @property
    def _ours(self) -> str:
        return f"{GV}/namespaces/{self.namespace}"

    def make(self, resource: str, body: Obj, *owners: Obj, hold: bool = False) -> Obj:
        metadata = {**body["metadata"], **({"ownerReferences": list(owners)} if owners else {})}
        if hold:
            metadata["finalizers"] = [HOLD]
        return self.admin.request("POST", self.path(resource), {**body, "metadata": metadata})

    def note(self, name: str, *owners: Obj, hold: bool = False) -> Obj:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        return self.make("configmaps", body, *owners, hold=hold)

    def get(self, resource: str, name: str) -> Obj | None:
        return self.admin.find(self.path(resource, name))

    def delete(self, resource: str, name: str, policy: str) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
        self.admin.request("DELETE", self.path(resource, name), options)

    def release(self, resource: str, name: str) -> None:
        patch = {"metadata": {"finalizers": None}}
        content_type = "application/merge-patch+json"
        self.admin.request("PATCH", self.path(resource, name), patch, content_type=content_type)

    def is_going(self, resource: str, name: str) -> bool:
        return "deletionTimestamp" in self.admin.get(self.path(resource, name))["metadata"]

    def finalizers(self, resource: str, name: str) -> list[str]:
        found: list[str] = self.admin.get(self.path(resource, name))["metadata"]["finalizers"]
        return found

    def gone(self, resource: str, name: str) -> bool:
        return self.get(resource, name) is None


def owned_by(owner: Obj, **changes: object) -> Obj:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    return reference | changes


@pytest.fixture
def world(site: Site, namespace: str) -> Iterator[World]:
    with site.admin as admin:
        yield World(admin, namespace)


def test_background_takes_dependents_of_every_kind(world: World, cluster: Make) -> None:
    outside = world.note("outside")
    demo = world.make(CLUSTERS, cluster(), owned_by(outside))
    inside = world.make(RESTARTS, restart(), owned_by(demo))
    world.note("notes", owned_by(inside))

    world.delete("configmaps", "outside", "Background")

    for resource, name in ((CLUSTERS, "demo"), (RESTARTS, "r1"), ("configmaps", "notes")):
        eventually(lambda r=resource, n=name: world.gone(r, n), f"{resource} {name} is collected")


def test_foreground_waits_for_what_blocks_in_the_group_and_outside(world: World, cluster: Make) -> None:
    demo = world.make(CLUSTERS, cluster())
    world.make(RESTARTS, restart(), owned_by(demo), hold=True)
    world.make(RESTARTS, restart("hurries-nobody"), owned_by(demo, blockOwnerDeletion=False))
    world.note("notes", owned_by(demo), hold=True)

    world.delete(CLUSTERS, "demo", "Foreground")

    for resource, name in ((RESTARTS, "r1"), ("configmaps", "notes")):
        eventually(lambda r=resource, n=name: world.is_going(r, n), f"{resource} {name} is to go")
    eventually(lambda: world.gone(RESTARTS, "hurries-nobody"), "what nobody holds is gone")
    assert world.finalizers(CLUSTERS, "demo") == ["foregroundDeletion"]
    stored = world.admin.get(r.STORED_CLUSTERS.path(world.namespace, "demo"))
    assert stored["metadata"]["finalizers"] == [Finalizer.STORED_FOREGROUND_DELETION]
    world.release(RESTARTS, "r1")
    eventually(lambda: world.gone(RESTARTS, "r1"), "the operation is gone")
    assert world.finalizers(CLUSTERS, "demo") == ["foregroundDeletion"]
    world.release("configmaps", "notes")
    eventually(lambda: world.gone(CLUSTERS, "demo"), "the cluster is gone")


def test_an_owner_outside_waits_for_a_cluster_and_what_it_owns(world: World, cluster: Make) -> None:
    outside = world.note("outside")
    demo = world.make(CLUSTERS, cluster(), owned_by(outside))
    world.make(RESTARTS, restart(), owned_by(demo), hold=True)
    world.note("notes", owned_by(demo))

    world.delete("configmaps", "outside", "Foreground")

    eventually(lambda: world.is_going(RESTARTS, "r1"), "the operation is to go")
    eventually(lambda: world.gone("configmaps", "notes"), "what nobody holds is gone")
    assert world.finalizers(CLUSTERS, "demo") == ["foregroundDeletion"]
    assert world.finalizers("configmaps", "outside") == ["foregroundDeletion"]
    world.release(RESTARTS, "r1")
    for resource, name in ((RESTARTS, "r1"), (CLUSTERS, "demo"), ("configmaps", "outside")):
        eventually(lambda r=resource, n=name: world.gone(r, n), f"{resource} {name} is collected")


def test_orphans_live_on_without_owners(world: World, cluster: Make) -> None:
    outside = world.note("outside")
    demo = world.make(CLUSTERS, cluster(), owned_by(outside))
    world.make(RESTARTS, restart(), owned_by(demo), owned_by(world.note("keeper"), blockOwnerDeletion=False))
    world.note("notes", owned_by(demo))

    world.delete("configmaps", "outside", "Orphan")
    eventually(lambda: world.gone("configmaps", "outside"), "the owner outside is gone")
    assert "ownerReferences" not in world.admin.get(world.path(CLUSTERS, "demo"))["metadata"]
    world.delete(CLUSTERS, "demo", "Orphan")
    eventually(lambda: world.gone(CLUSTERS, "demo"), "the cluster is gone")

    left = world.admin.get(world.path(RESTARTS, "r1"))["metadata"]["ownerReferences"]
    assert [each["name"] for each in left] == ["keeper"]
    assert "ownerReferences" not in world.admin.get(world.path("configmaps", "notes"))["metadata"]


def test_owners_that_never_were_take_their_dependents_along(world: World, cluster: Make) -> None:
    demo = world.make(CLUSTERS, cluster())
    nowhere = "11111111-2222-4333-8444-555555555555"
    stored = world.admin.get(r.STORED_CLUSTERS.path(world.namespace, "demo"))["metadata"]["uid"]
    missing = owned_by(demo, name="never", uid=nowhere)
    cases = {
        "wrong-uid": owned_by(demo, uid=nowhere),
        "uid-of-what-is-stored": owned_by(demo, uid=stored),
        "missing": missing,
        "missing-config-map": {**missing, "apiVersion": "v1", "kind": "ConfigMap"},
    }
    for name, owner in cases.items():
        world.note(f"note-{name}", owner)
        world.make(RESTARTS, restart(name), owner)
    world.make(RESTARTS, restart("one-owner-lives"), missing, owned_by(demo, blockOwnerDeletion=False))

    for name in cases:
        eventually(lambda name=name: world.gone("configmaps", f"note-{name}"), f"note-{name} is collected")
        eventually(lambda name=name: world.gone(RESTARTS, name), f"the operation {name} is collected")
    assert world.get(CLUSTERS, "demo") is not None

    def owners() -> list[str]:
        metadata = world.admin.get(world.path(RESTARTS, "one-owner-lives"))["metadata"]
        return [each["name"] for each in metadata["ownerReferences"]]

    eventually(lambda: owners() == ["demo"], "the owner that never was is taken off")


def test_an_owner_may_be_named_by_any_of_its_faces(world: World, cluster: Make) -> None:
    demo = world.make(CLUSTERS, cluster())
    typed = world.make(RESTARTS, restart(), owned_by(demo))
    view = world.admin.get(world.path(OPERATIONS, "rollingrestart.r1"))
    stored = world.admin.get(r.STORED_OPERATIONS.path(world.namespace, "rollingrestart.r1"))
    for name, owner in (("typed", typed), ("view", view), ("stored", stored)):
        world.note(f"of-{name}", owned_by(owner))
    canary = owned_by(demo, uid="11111111-2222-4333-8444-555555555555")
    world.note("canary", canary)
    eventually(lambda: world.gone("configmaps", "canary"), "the collector has been here")
    assert all(world.get("configmaps", f"of-{name}") for name in ("typed", "view", "stored"))

    world.delete(OPERATIONS, "rollingrestart.r1", "Background")

    for name in ("typed", "view", "stored"):
        eventually(
            lambda name=name: world.gone("configmaps", f"of-{name}"), f"what the {name} one owned is gone"
        )
    assert world.get(CLUSTERS, "demo") is not None


def test_the_view_carries_out_policies_too(world: World, cluster: Make) -> None:
    world.make(CLUSTERS, cluster())
    typed = world.make(RESTARTS, restart())
    world.note("blocks", owned_by(typed), hold=True)

    world.delete(OPERATIONS, "rollingrestart.r1", "Foreground")

    eventually(lambda: world.is_going("configmaps", "blocks"), "what blocks is to go")
    assert world.get(OPERATIONS, "rollingrestart.r1") is not None
    world.release("configmaps", "blocks")
    eventually(lambda: world.gone(OPERATIONS, "rollingrestart.r1"), "the operation is gone")
    world.make(RESTARTS, restart("r2"))
    typed = world.admin.get(world.path(RESTARTS, "r2"))
    world.note("orphan", owned_by(typed))
    world.delete(OPERATIONS, "rollingrestart.r2", "Orphan")
    eventually(lambda: world.gone(RESTARTS, "r2"), "the operation is gone")
    assert "ownerReferences" not in world.admin.get(world.path("configmaps", "orphan"))["metadata"]


def test_a_collection_goes_in_the_foreground_and_leaves_orphans(world: World, cluster: Make) -> None:
    for number in range(6):
        demo = world.make(CLUSTERS, cluster(f"c{number}"))
        world.note(f"of-c{number}", owned_by(demo))
    path = world.path(CLUSTERS)
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}
    world.admin.request("DELETE", path, options, query={"fieldSelector": "metadata.name!=c0"})
    eventually(lambda: len(world.admin.get(path)["items"]) == 1, "all but one are gone")
    world.admin.request("DELETE", path, {**options, "propagationPolicy": "Foreground"})
    eventually(lambda: not world.admin.get(path)["items"], "the last one is gone")
    eventually(lambda: world.gone("configmaps", "of-c0"), "its dependent went before it")
    for number in range(1, 6):
        assert "ownerReferences" not in world.admin.get(world.path("configmaps", f"of-c{number}"))["metadata"]


def test_a_cluster_scoped_owner_and_one_in_another_namespace(
    world: World, site: Site, cluster: Make, make_namespace: object
) -> None:
    plane = world.admin.get(f"{GV}/dataplanes/data-plane-1")
    demo = world.make(CLUSTERS, cluster(), owned_by(plane))
    elsewhere = World(world.admin, make_namespace(site.plane))  # type: ignore[operator]
    elsewhere.note("stranger", owned_by(demo))

    eventually(lambda: elsewhere.gone("configmaps", "stranger"), "an owner in another namespace is none")
    assert world.get(CLUSTERS, "demo") is not None


def test_nothing_goes_round_in_circles(site: Site, world: World, cluster: Make) -> None:
    demo = world.make(CLUSTERS, cluster(), owned_by(world.note("outside")))
    world.make(RESTARTS, restart(), owned_by(demo))
    canary = owned_by(demo, uid="11111111-2222-4333-8444-555555555555")
    world.note("canary", canary)
    eventually(lambda: world.gone("configmaps", "canary"), "the collector has been here")
    before = _writes(site), world.get(CLUSTERS, "demo"), world.get(RESTARTS, "r1")

    time.sleep(1.5)

    assert (_writes(site), world.get(CLUSTERS, "demo"), world.get(RESTARTS, "r1")) == before


def _writes(site: Site) -> float:
    """How many writes the replicas have answered."""
    total = 0.0
    for each in site.replicas:
        with urllib.request.urlopen(f"http://127.0.0.1:{each.probe}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for line in text.splitlines():
            found = re.match(r'apiserver_request_total\{.*verb="(\w+)".*\} (\S+)', line)
            if found and found[1] not in ("GET", "LIST", "WATCH"):
                total += float(found[2])
    return total


def test_a_dependent_may_not_wait_for_ever_on_a_finalizer_of_nobody(world: World, cluster: Make) -> None:
    world.make(CLUSTERS, cluster(), hold=True)
    world.delete(CLUSTERS, "demo", "Foreground")
    eventually(
        lambda: world.finalizers(CLUSTERS, "demo") == [HOLD],
        "the collector has nothing to wait for, and only the user's finalizer is left",
    )
    with pytest.raises(AdminError, match="no new finalizers can be added"):
        world.admin.request(
            "PATCH",
            world.path(CLUSTERS, "demo"),
            {"metadata": {"finalizers": [HOLD, "example.com/late"]}},
            content_type="application/merge-patch+json",
        )
    world.release(CLUSTERS, "demo")
    assert world.gone(CLUSTERS, "demo")
