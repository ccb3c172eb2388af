"""Who may what: every right is asked of kube-apiserver, one for each verb, subresource, name and selector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from missioncontrol.api import resources as r
from tests.integration.apiserver.conftest import Obj
from tests.kubectl import Kubectl
from tests.servers import Facade, Proxy, grant
from tests.waiting import eventually

GV = "/apis/missioncontrol.io/v1alpha1"
Make = Callable[..., Obj]
MERGE = {"Content-Type": "application/merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def may(facade: Facade, user: str, namespace: str, verb: str, resource: str, name: str = "") -> bool:
    """Whether kube-apiserver has taken a right in, asked of itself."""
    plural, _, subresource = resource.partition("/")
    attributes = {
        "namespace": namespace, "verb": verb, "group": "missioncontrol.io", "version": "v1alpha1",
        "resource": plural, "subresource": subresource, "name": name,
    }  # fmt: skip
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes},
    }
    with facade.admin as admin:
        status: Obj = admin.request("POST", r.SUBJECT_ACCESS_REVIEWS.path(None), body)["status"]
    return bool(status["allowed"])


async def granted(
    facade: Facade, namespace: str, user: str, resource: str, verb: str, name: str = ""
) -> None:
    def give() -> None:
        grant(facade, namespace, user, (resource, verb))
        first = verb.partition(",")[0]
        if name:
            path = r.ROLES.path(namespace, user)
            with facade.admin as admin:
                role = admin.get(path)
                role["rules"][0]["resourceNames"] = [name]
                admin.request("PUT", path, role)
        eventually(
            lambda: may(facade, user, namespace, first, resource, name), f"{user} may {verb} {resource}"
        )

    await asyncio.to_thread(give)


OPERATION = {"apiVersion": "missioncontrol.io/v1alpha1", "kind": "RollingRestart"}


@pytest.mark.parametrize(
    ("method", "path", "verb", "resource"),
    [
        ("GET", "missioncontrolclusters", "list", "missioncontrolclusters"),
        ("GET", "missioncontrolclusters?watch=1&timeoutSeconds=1", "watch", "missioncontrolclusters"),
        ("GET", "missioncontrolclusters/x", "get", "missioncontrolclusters"),
        ("HEAD", "missioncontrolclusters/x", "get", "missioncontrolclusters"),
        ("POST", "missioncontrolclusters", "create", "missioncontrolclusters"),
        ("PUT", "missioncontrolclusters/x", "update", "missioncontrolclusters"),
        ("PATCH", "missioncontrolclusters/x", "patch", "missioncontrolclusters"),
        ("DELETE", "missioncontrolclusters/x", "delete", "missioncontrolclusters"),
        ("DELETE", "missioncontrolclusters", "deletecollection", "missioncontrolclusters"),
        ("GET", "missioncontrolclusters/x/status", "get", "missioncontrolclusters/status"),
        ("PUT", "missioncontrolclusters/x/scale", "update", "missioncontrolclusters/scale"),
        ("PATCH", "missioncontrolclusters/x/scale", "patch", "missioncontrolclusters/scale"),
        (
            "POST",
            "missioncontrolclusters/x/rollingrestart",
            "create",
            "missioncontrolclusters/rollingrestart",
        ),
        ("POST", "rollingrestarts/x/cancel", "create", "rollingrestarts/cancel"),
        ("GET", "databasenodes", "list", "databasenodes"),
    ],
)
async def test_each_verb_is_a_right_of_its_own(
    facade: Facade, proxy: Proxy, namespace: str, method: str, path: str, verb: str, resource: str
) -> None:
    """Everybody without exactly it is refused in Kubernetes' words; with it alone one gets through."""
    url = f"{GV}/namespaces/{namespace}/{path}"
    key = f"{verb}-{resource.replace('/', '-')}-{method.lower()}"
    ask: dict[str, Any] = {"groups": "system:authenticated", "headers": MERGE}
    if method in ("POST", "PUT", "PATCH"):
        ask["data"] = b"{}"
    async with proxy.request(method, url, user=f"no-{key}", **ask) as answer:
        assert answer.status == 403
        if method != "HEAD":
            message = (await answer.json())["message"]
            assert (
                f'User "no-{key}" cannot {verb} resource "{resource}" in API group "missioncontrol.io" '
                in (message)
            )
    await granted(facade, namespace, key, resource, verb)
    async with proxy.request(method, url, user=key, **ask) as answer:
        text = await answer.text()
        assert answer.status not in (401, 403, 500), text
    # the right on a thing is not the right on what is below it, nor the other way round
    other = resource.split("/")[0] if "/" in resource else f"{resource}/status"
    if other != "databasenodes/status":
        assert not await asyncio.to_thread(may, facade, key, namespace, verb, other)


async def test_one_named_object(facade: Facade, proxy: Proxy, namespace: str, cluster: Make) -> None:
    base = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    for name in ("mine", "other"):
        assert (await proxy.json("POST", base, json=cluster(name)))[0] == 201
    who = {"user": "one-name", "groups": "system:authenticated"}
    await granted(facade, namespace, "one-name", "missioncontrolclusters", "list,get,watch", "mine")
    assert (await proxy.json("GET", f"{base}/mine", **who))[0] == 200
    assert (await proxy.json("GET", f"{base}/other", **who))[0] == 403
    assert (await proxy.json("GET", base, **who))[0] == 403
    status, listed = await proxy.json("GET", f"{base}?fieldSelector=metadata.name%3Dmine", **who)
    assert status == 200, listed
    assert [each["metadata"]["name"] for each in listed["items"]] == ["mine"]
    assert (await proxy.json("GET", f"{base}?fieldSelector=metadata.name%3Dother", **who))[0] == 403
    assert (await proxy.json("GET", f"{base}?fieldSelector=metadata.name!%3Dmine", **who))[0] == 403
    # what cannot be read selects nothing: refused as a list of everything
    assert (await proxy.json("GET", f"{base}?fieldSelector=%3D%3D", **who))[0] == 403


async def test_a_restart_through_the_cluster_and_as_itself_are_two_rights(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    assert (await proxy.json("POST", f"{base}/missioncontrolclusters", json=cluster()))[0] == 201
    through = f"{base}/missioncontrolclusters/demo/rollingrestart"
    typed = f"{base}/rollingrestarts"
    body = {**OPERATION, "metadata": {"generateName": "r-"}, "spec": {"clusterName": "demo"}}
    await granted(facade, namespace, "by-cluster", "missioncontrolclusters/rollingrestart", "create", "demo")
    await granted(facade, namespace, "by-kind", "rollingrestarts", "create")
    for user, good, bad in (("by-cluster", through, typed), ("by-kind", typed, through)):
        who = {"user": user, "groups": "system:authenticated", "json": body}
        assert (await proxy.json("POST", f"{bad}?dryRun=All", **who))[0] == 403
        status, made = await proxy.json("POST", f"{good}?dryRun=All", **who)
        assert status == 201, made
    elsewhere = f"{base}/missioncontrolclusters/other/rollingrestart"
    who = {"user": "by-cluster", "groups": "system:authenticated", "json": body}
    assert (await proxy.json("POST", elsewhere, **who))[0] == 403


async def test_an_apply_that_creates_needs_that_right_too(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    url = f"{GV}/namespaces/{namespace}/missioncontrolclusters/demo?fieldManager=x"
    await granted(facade, namespace, "patches-only", "missioncontrolclusters", "patch")
    who: dict[str, Any] = {"user": "patches-only", "groups": "system:authenticated"}
    body = json.dumps(cluster())
    status, refused = await proxy.json("PATCH", url, data=body, headers=APPLY, **who)
    assert status == 403
    assert "cannot create resource" in refused["message"]
    assert (await proxy.json("PATCH", url, data=body, headers=APPLY))[0] == 201
    assert (await proxy.json("PATCH", url + "&force=true", data=body, headers=APPLY, **who))[0] == 200


async def test_many_equal_questions_are_one(facade: Facade, proxy: Proxy, namespace: str) -> None:
    name, labels = "apiserver_delegated_authz_request_total", {"code": "201"}
    before = facade.metric(name, **labels)
    url = f"{GV}/namespaces/{namespace}/dataplanes/none"
    who = {"user": "asks-often", "groups": "system:authenticated"}
    answers = await asyncio.gather(*(proxy.json("GET", url, **who) for _ in range(40)))
    assert {status for status, _ in answers} == {403}
    asked = facade.metric(name, **labels) - before
    # Kubernetes' own controllers may ask something in the same moment
    assert 1 <= asked <= 10
    # what is selected is part of the question
    for selector in ("labelSelector=a%3Db", "labelSelector=a+in+(b,c)", "fieldSelector=metadata.name%3Dx"):
        await proxy.json("GET", f"{GV}/dataplanes?{selector}", **who)
    assert facade.metric(name, **labels) >= before + asked + 3


async def test_paths_that_are_no_resources(proxy: Proxy) -> None:
    who = {"user": "somebody", "groups": "system:authenticated"}
    for path, status in (
        ("/metrics", 403),
        ("/readyz/ping", 403),
        ("/readyz", 200),
        ("/version", 200),
        ("/openapi/v2", 200),
    ):
        async with proxy.request("GET", path, **who) as answer:
            data = await answer.read()
            assert answer.status == status, (path, data)
            if status == 403:
                expected = f'forbidden: User "somebody" cannot get path "{path}"'
                assert json.loads(data)["message"] == expected


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_kubernetes_own_roles_include_ours(
    facade: Facade, namespace: str, kubectl: Kubectl, role: str
) -> None:
    user = facade.user(f"one-who-may-{role}")
    kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user=one-who-may-{role}")

    def rights() -> dict[str, set[str]]:
        text = user("auth", "can-i", "--list", "--no-headers", f"--namespace={namespace}").stdout
        found: dict[str, set[str]] = {}
        for line in text.splitlines():
            words = line.split("[")
            found.setdefault(words[0].strip(), set()).update(words[-1].rstrip("]").split())
        return found

    def ours() -> dict[str, set[str]]:
        return {
            name.replace(".missioncontrol.io", ""): verbs
            for name, verbs in rights().items()
            if ".missioncontrol.io" in name and ".storage." not in name
        }

    listed = eventually(ours, f"{role} may something of ours")
    assert {"get", "list", "watch"} <= listed["missioncontrolclusters"]
    writes = role != "view"
    assert ("create" in listed["missioncontrolclusters"]) is writes
    assert ("patch" in listed.get("missioncontrolclusters/scale", set())) is writes
    assert ("create" in listed.get("missioncontrolclusters/rollingrestart", set())) is writes
    assert ("create" in listed.get("operations/cancel", set())) is writes
    # what lies in no namespace is not theirs to change, and the store is nobody's
    assert not {"create", "delete", "patch", "update"} & listed.get("dataplanes", set())
    assert not any(name.startswith("storage") or "storage." in name for name in rights())
