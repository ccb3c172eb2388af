"""Attempts to get further than one's rights: each must fail, and tell nothing that is not theirs to know."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from missioncontrol.api import resources as r
from missioncontrol.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane
from tests.integration.extension.conftest import Make, Obj, Site, restart
from tests.servers import GROUP, GV, Proxy
from tests.waiting import eventually

USER = "system:authenticated"
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
SECRET = "do-not-tell"


@pytest.fixture
def admin(site: Site) -> Iterator[AdminClient]:
    with site.admin as client:
        yield client


@pytest.fixture
def grant(admin: AdminClient) -> Callable[..., None]:
    """Rights in one namespace: rules as (resources, verbs, names)."""

    def give(namespace: str, user: str, *rules: tuple[str, ...]) -> None:
        made = [
            {
                "apiGroups": [GROUP],
                "resources": rule[0].split(","),
                "verbs": rule[1].split(","),
                **({"resourceNames": list(rule[2:])} if rule[2:] else {}),
            }
            for rule in rules
        ]
        name = {"name": user, "namespace": namespace}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": name}
        admin.apply(r.ROLES.path(namespace, user), {**role, "rules": made})
        binding = {**role, "kind": "RoleBinding"} | {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
        }
        admin.apply(r.ROLE_BINDINGS.path(namespace, user), binding)

    return give


@pytest.fixture
def user(request: pytest.FixtureRequest, namespace: str) -> str:
    """A user of this test alone, so that no right and no cached answer of another test is theirs."""
    return f"user-{namespace[-24:].strip('-')}"


@pytest.fixture
def neighbour(
    site: Site, admin: AdminClient, make_namespace: Callable[[ControlPlane], str], cluster: Make
) -> str:
    """Another namespace, with things that must not be told."""
    namespace = make_namespace(site.plane)
    body = cluster("theirs")
    body["metadata"]["labels"] = {"secret": SECRET}
    admin.request("POST", f"{GV}/namespaces/{namespace}/missioncontrolclusters", body)
    for number in range(3):
        operation = restart(f"r{number}", "theirs")
        operation["metadata"]["labels"] = {"secret": SECRET}
        admin.request("POST", f"{GV}/namespaces/{namespace}/rollingrestarts", operation)
    return namespace


async def allowed(proxy: Proxy, user: str, path: str) -> None:
    """Until the right that was just given is known everywhere."""
    async with asyncio.timeout(60):
        while (await proxy.json("GET", path, user=user, groups=USER))[0] == 403:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


# Who one is ------------------------------------------------------------------------------------------------


async def test_identities_are_not_to_be_had_for_the_asking(site: Site, namespace: str) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    root = {
        "X-Remote-User": "root",
        "X-Remote-Group": "system:masters",
        "X-Remote-Extra-Missioncontrol.io%2Frequester": '{"username":"root"}',
    }
    eve = site.plane.client("eve", user="eve")
    ca = str(site.folder / "ca.crt")
    for name, pair, headers, code in (
        ("no certificate", None, root, 403),
        ("a user's certificate", eve, root, 403),
        ("impersonation", eve, {"Impersonate-User": "root", "Impersonate-Group": "system:masters"}, 403),
        ("the right proxy and nobody behind it", site.plane.front_proxy_client, {"X-Remote-User": ""}, 401),
        ("groups of another spelling", site.plane.front_proxy_client,
         {"X-Remote-User": "eve", "X_Remote_Group": "system:masters"}, 403),
        ("a second user", site.plane.front_proxy_client,
         {"X-Remote-User": "eve", "X-Remote-Group": "a, system:masters"}, 403),
    ):  # fmt: skip
        context = ssl.create_default_context(cafile=ca)
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            try:
                async with session.get(site.url + path, headers=headers) as answer:
                    document = await answer.json()
                    assert (answer.status, document["kind"]) == (code, "Status"), name
                    assert code == 401 or f'User "{"eve" if pair else "system:anonymous"}" cannot' in str(
                        document["message"]
                    ), name
            except aiohttp.ClientError:
                assert pair is eve, name  # a certificate that is not the proxy's may be refused by TLS
    context = ssl.create_default_context(cafile=str(site.plane.ca_file))
    context.load_cert_chain(eve.cert, eve.key)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(site.plane.server + path, headers=root) as answer,
    ):
        assert answer.status == 403
        assert 'User "eve" cannot list' in (await answer.json())["message"]


async def test_who_asked_is_what_authentication_says(
    admin: AdminClient, proxy: Proxy, namespace: str, user: str, grant: Callable[..., None], cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    admin.request("POST", f"{base}/missioncontrolclusters", cluster())
    grant(namespace, user, ("rollingrestarts", "create,get,patch"))
    await allowed(proxy, user, f"{base}/rollingrestarts/x")
    body = restart()
    body["metadata"]["annotations"] = {"missioncontrol.io/requested-by": "kubernetes-admin"}
    body["status"] = {"requestedBy": "kubernetes-admin"}
    headers = {
        "X-Remote-Extra-Missioncontrol.io%2Frequester": '{"username":"root","groups":["system:masters"]}'
    }
    status, made = await proxy.json(
        "POST", f"{base}/rollingrestarts", user=user, groups=USER, headers=headers, json=body
    )
    assert status == 201, made
    assert made["metadata"]["annotations"]["missioncontrol.io/requested-by"] == user
    assert made["status"]["requestedBy"] == user
    forged = {"metadata": {"annotations": {"missioncontrol.io/requested-by": "root"}}}
    status, _ = await proxy.json(
        "PATCH", f"{base}/rollingrestarts/r1", user=user, groups=USER, json=forged, headers=MERGE
    )
    assert status == 422


# Where things are ------------------------------------------------------------------------------------------


async def test_names_lead_nowhere_else(
    proxy: Proxy, namespace: str, neighbour: str, user: str, grant: Callable[..., None]
) -> None:
    every = "get,list,watch,create,update,patch,delete,deletecollection"
    grant(namespace, user, ("*", every))
    base = f"{GV}/namespaces/{namespace}"
    await allowed(proxy, user, f"{base}/missioncontrolclusters")
    there = f"namespaces/{neighbour}"
    storage = f"/apis/storage.{GROUP}/v1alpha1/{there}"
    places = [
        f"{base}/missioncontrolclusters/{quote(name, safe='')}"
        for name in (
            f"../../{neighbour}/missioncontrolclusters/theirs",
            f"../../../{there}/missioncontrolclusters/theirs",
            f"..{storage}/missioncontrolclusters/theirs", "..", ".", "theirs?x=", "theirs#",
            "theirs/../theirs",
            "..%2f..%2ftheirs", "theirs%00", "\\..\\theirs", "；", "-" * 300,
        )
    ]  # fmt: skip
    places += [
        f"{GV}/namespaces/{quote(f'{namespace}/../{neighbour}', safe='')}/missioncontrolclusters/theirs",
        f"{GV}/namespaces/{quote(f'../{there}', safe='')}/missioncontrolclusters",
        f"{base}/../{neighbour}/missioncontrolclusters/theirs",
        f"{base}/%2e%2e/{neighbour}/missioncontrolclusters/theirs",
        f"{base}/rollingrestarts/{quote(f'../../{neighbour}/operations/rollingrestart.r0', safe='')}",
        f"{base}/operations/{quote(f'../../{neighbour}/operations/rollingrestart.r0', safe='')}",
        f"{base}/datacenters/{quote(f'../../{neighbour}/missioncontrolclusters/theirs', safe='')}/scale",
        f"{GV}/missioncontrolclusters/theirs",
        f"{GV}/namespaces/{neighbour}/missioncontrolclusters/theirs",
        f"{GV}/watch/namespaces/{neighbour}/missioncontrolclusters?timeoutSeconds=1",
        f"{GV}/{there}/missioncontrolclusters?watch=1&timeoutSeconds=1",
        f"{GV}/rollingrestarts", f"{GV}/operations?watch=true", f"{GV}/missioncontrolclusters?limit=1",
        storage, f"{storage}/missioncontrolclusters",
    ]  # fmt: skip
    for place in places:
        for method in ("GET", "DELETE", "PATCH"):
            options: Obj = {"data": b"{}", "headers": MERGE} if method == "PATCH" else {}
            answer = await raw(proxy, method, place, user, **options)
            assert 400 <= answer[0] < 500, (method, place, answer)
            assert SECRET.encode() not in answer[1], (method, place)
    status, left = await proxy.json("GET", f"{GV}/{there}/rollingrestarts")
    assert (status, len(left["items"])) == (200, 3)


async def raw(proxy: Proxy, method: str, path: str, user: str, **options: Any) -> tuple[int, bytes]:
    """A request whose path is sent exactly as it is."""
    headers = {"X-Remote-User": user, "X-Remote-Group": USER, **options.pop("headers", {})}
    url = URL(proxy._url + path, encoded=True)
    async with proxy._session.request(method, url, headers=headers, **options) as answer:
        return answer.status, await answer.read()


async def test_tokens_and_versions_of_others_open_nothing(
    admin: AdminClient, proxy: Proxy, namespace: str, neighbour: str, user: str, grant: Callable[..., None],
    cluster: Make,
) -> None:  # fmt: skip
    base, there = f"{GV}/namespaces/{namespace}", f"{GV}/namespaces/{neighbour}"
    admin.request("POST", f"{base}/missioncontrolclusters", cluster())
    grant(namespace, user, ("rollingrestarts,operations,missioncontrolclusters", "get,list,watch"))
    await allowed(proxy, user, f"{base}/rollingrestarts")
    _, page = await proxy.json("GET", f"{there}/rollingrestarts?limit=1")
    _, everywhere = await proxy.json("GET", f"{GV}/rollingrestarts?limit=1")
    version = page["metadata"]["resourceVersion"]
    forged = [
        {"v": "meta.k8s.io/v1", "rv": int(version), "start": start}
        for start in (f"../{neighbour}/", f"{neighbour}/a", "../../../secrets/kube-system/", "", "\0")
    ]
    tokens = [page["metadata"]["continue"], everywhere["metadata"].get("continue") or "x", "x", "AAAA"]
    tokens += [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in forged]
    for token in tokens:
        for plural in ("rollingrestarts", "operations", "missioncontrolclusters"):
            status, answer = await proxy.json(
                "GET", f"{base}/{plural}?limit=5&continue={quote(token)}", user=user, groups=USER
            )
            assert status in (200, 400, 410), (token, answer)
            assert SECRET not in json.dumps(answer)
            assert {each["metadata"]["namespace"] for each in answer.get("items", ())} <= {namespace}
    for query in ("resourceVersion=1", f"resourceVersion={version}&resourceVersionMatch=Exact",
                  "resourceVersion=0", "watch=true&timeoutSeconds=1&resourceVersion=0"):  # fmt: skip
        status, body = await raw(proxy, "GET", f"{base}/rollingrestarts?{query}", user)
        assert status in (200, 410)
        assert SECRET.encode() not in body


async def test_what_one_may_not_see_might_as_well_not_be_there(
    proxy: Proxy, neighbour: str, user: str
) -> None:
    there = f"{GV}/namespaces/{neighbour}"
    patch = {"metadata": {"labels": {"x": "y"}}}
    for plural, name, absent in (
        ("missioncontrolclusters", "theirs", "nobody"),
        ("rollingrestarts", "r0", "rx"),
        ("operations", "rollingrestart.r0", "rollingrestart.rx"),
    ):
        for method, suffix, options in (
            ("GET", "", {}), ("GET", "?resourceVersion=1", {}), ("DELETE", "", {}),
            ("DELETE", "", {"json": {"preconditions": {"uid": "x"}}}), ("GET", "/scale", {}),
            ("GET", "/status", {}), ("POST", "/cancel", {}), ("POST", "/rollingrestart", {"json": {}}),
            ("PATCH", "", {"json": patch, "headers": MERGE}),
            ("PATCH", "?fieldManager=x", {"json": patch, "headers": APPLY}),
        ):  # fmt: skip
            answers = []
            for each in (name, absent):
                status, body = await raw(
                    proxy, method, f"{there}/{plural}/{each}{suffix}", user, **copy.deepcopy(options)
                )
                answers.append((status, body.replace(each.encode(), b"NAME")))
            assert answers[0] == answers[1], (method, plural, suffix)
            assert answers[0][0] in (403, 404, 405), answers


# What one may do -------------------------------------------------------------------------------------------


async def test_a_right_on_one_thing_is_a_right_on_that_alone(
    admin: AdminClient, proxy: Proxy, namespace: str, user: str, grant: Callable[..., None], cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    for name in ("mine", "other"):
        admin.request("POST", f"{base}/missioncontrolclusters", cluster(name))
    admin.request("POST", f"{base}/rollingrestarts", restart("r1", "mine"))
    grant(
        namespace,
        user,
        ("missioncontrolclusters", "get,list,watch,update,patch,delete", "mine"),
        ("missioncontrolclusters/rollingrestart", "create", "mine"),
        ("operations", "get,list,delete"),
        ("operations/cancel", "create"),
    )
    clusters = f"{base}/missioncontrolclusters"
    await allowed(proxy, user, f"{clusters}/mine")

    async def may(method: str, path: str, **options: Any) -> int:
        status, body = await raw(proxy, method, f"{base}/{path}", user, **options)
        assert status != 403 or json.loads(body)["reason"] == "Forbidden"
        return status

    mine = "missioncontrolclusters?fieldSelector=metadata.name%3D"
    assert await may("GET", f"{mine}mine") == 200
    for selector in (
        f"{mine}other",
        "missioncontrolclusters",
        "missioncontrolclusters?fieldSelector=metadata.name!%3Dother",
        "missioncontrolclusters?fieldSelector=&fieldSelector=metadata.name%3Dmine",
        f"{mine}other&watch=true",
        "missioncontrolclusters?labelSelector=x&watch=true",
    ):
        assert await may("GET", selector) == 403, selector
    # the terms are put in order before the name is read, as in kube-apiserver; nothing has both names
    status, body = await raw(proxy, "GET", f"{base}/{mine}other,metadata.name%3Dmine", user)
    assert (status, json.loads(body)["items"]) == (200, [])
    status, body = await raw(proxy, "GET", f"{base}/{mine}mine&fieldSelector=metadata.name%3Dother", user)
    assert (status, [each["metadata"]["name"] for each in json.loads(body)["items"]]) == (200, ["mine"])
    for method, path, options in (
        ("GET", "missioncontrolclusters/mine/scale", {}),
        (
            "PATCH",
            "missioncontrolclusters/mine/scale",
            {"data": b'{"spec":{"replicas":9}}', "headers": MERGE},
        ),
        ("GET", "missioncontrolclusters/mine/status", {}),
        ("PATCH", "missioncontrolclusters/mine/status", {"data": b'{"status":{}}', "headers": MERGE}),
        ("POST", "missioncontrolclusters", {"json": cluster("new")}),
        ("POST", "missioncontrolclusters/other/rollingrestart", {"json": {}}),
        ("POST", "rollingrestarts", {"json": restart("r2", "mine")}),
        ("GET", "rollingrestarts/r1", {}),
        ("DELETE", "rollingrestarts/r1", {}),
        ("DELETE", "operations/rollingrestart.r1", {}),
        ("POST", "operations/rollingrestart.r1/cancel", {}),
        ("POST", "rollingrestarts/r1/cancel", {}),
        ("PATCH", "missioncontrolclusters/new?fieldManager=x", {"json": cluster("new"), "headers": APPLY}),
        ("DELETE", "missioncontrolclusters", {}),
        ("GET", "datacenters/mine.dc1/scale", {}),
        ("GET", "databasenodes", {}),
    ):
        assert await may(method, path, **options) == 403, (method, path)
    elsewhere = {"spec": {"clusterName": "other"}}
    assert await may("POST", "missioncontrolclusters/mine/rollingrestart", json=elsewhere) == 422
    assert await may("POST", "missioncontrolclusters/mine/rollingrestart", json={"spec": {}}) == 201
    for odd in ("missioncontrolclusters/mine/scale/x",
                "MissionControlClusters/mine", "missioncontrolclusters/mine/rollingrestart/x"):  # fmt: skip
        assert await may("GET", odd) in (403, 404), odd


async def test_a_dry_run_leaves_nothing_and_tells_no_plan_to_strangers(
    admin: AdminClient, proxy: Proxy, namespace: str, user: str, grant: Callable[..., None], cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    admin.request("POST", f"{base}/missioncontrolclusters", cluster())
    admin.request("POST", f"{base}/rollingrestarts", restart("r1"))
    grant(namespace, user, ("rollingrestarts", "create,get,patch"))
    await allowed(proxy, user, f"{base}/rollingrestarts/x")
    before = everything(admin, namespace)

    generated = restart()
    generated["metadata"] = {"generateName": "secret-"}
    for body in (restart("r2"), generated):
        async with proxy.request(
            "POST", f"{base}/rollingrestarts?dryRun=All", user=user, groups=USER, json=body
        ) as answer:
            document = json.loads(await answer.read())
            assert answer.status == 201, document
            assert "plan" not in document.get("status", {})
            assert any("the plan is not shown" in each for each in answer.headers.getall("Warning"))
    impossible = restart("r3", datacenters=["dc9"])
    for query in ("", "?dryRun=All"):
        status, refusal = await proxy.json(
            "POST", f"{base}/rollingrestarts{query}", user=user, groups=USER, json=impossible
        )
        assert (status, refusal["details"]["causes"]) == (
            422,
            [{"reason": "FieldValueNotFound", "field": "spec.datacenters[0]", "message": "Not found"}],
        )
        assert "dc1" not in json.dumps(refusal)
    _, refusal = await proxy.json("POST", f"{base}/rollingrestarts", json=impossible)
    assert "dc1, dc2" in refusal["message"]
    replicas = b'{"spec":{"replicas":12}}'
    for method, path, options in (
        ("POST", "missioncontrolclusters?dryRun=All", {"json": cluster("new")}),
        ("POST", "missioncontrolclusters/demo/rollingrestart?dryRun=All", {"json": {}}),
        ("PATCH", "missioncontrolclusters/demo/scale?dryRun=All", {"data": replicas, "headers": MERGE}),
        ("PATCH", "missioncontrolclusters/demo?dryRun=All",
         {"json": {"metadata": {"labels": {"x": "y"}}}, "headers": MERGE}),
        ("PATCH", "missioncontrolclusters/new?dryRun=All&fieldManager=x",
         {"json": cluster("new"), "headers": APPLY}),
        ("POST", "rollingrestarts/r1/cancel?dryRun=All", {}),
        ("POST", "operations/rollingrestart.r1/cancel?dryRun=All", {}),
        ("DELETE", "missioncontrolclusters/demo?dryRun=All&propagationPolicy=Foreground", {}),
        ("DELETE", "operations/rollingrestart.r1?dryRun=All", {}),
        ("DELETE", "missioncontrolclusters?dryRun=All", {}),
        ("DELETE", "rollingrestarts", {"json": {"dryRun": ["All"], "propagationPolicy": "Orphan"}}),
    ):  # fmt: skip
        status, answer = await proxy.json(method, f"{base}/{path}", **options)
        assert status in (200, 201), (method, path, answer)
    assert everything(admin, namespace) == before


def everything(admin: AdminClient, namespace: str) -> list[Any]:
    """All that is stored of us in a namespace, and every event there."""
    paths = [each.path(namespace) for each in (r.STORED_CLUSTERS, r.STORED_OPERATIONS, r.STORED_DATACENTERS)]
    return [admin.get(path)["items"] for path in (*paths, f"/api/v1/namespaces/{namespace}/events")]


async def test_planes_are_used_by_those_who_may(
    admin: AdminClient, proxy: Proxy, namespace: str, user: str, grant: Callable[..., None], cluster: Make
) -> None:
    grant(namespace, user, ("*", "*"))
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": user}}
    rules = [{"apiGroups": [GROUP], "resources": ["dataplanes"], "verbs": ["use"],
              "resourceNames": ["data-plane-1"]}]  # fmt: skip
    admin.apply(CLUSTER_ROLES.path(None, user), {**role, "rules": rules})
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
    binding = {**role, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": subjects}
    admin.apply(CLUSTER_ROLE_BINDINGS.path(None, user), binding)
    clusters = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    await allowed(proxy, user, clusters)
    both, one = cluster("both"), cluster("one")
    datacenters = one["spec"]["k8ssandra"]["cassandra"]["datacenters"]
    second = datacenters.pop()
    grown = copy.deepcopy(one)
    grown["spec"]["k8ssandra"]["cassandra"]["datacenters"].append(second)
    who: Obj = {"user": user, "groups": USER}

    def created() -> bool:
        return admin.find(f"{clusters}/one") is not None

    status, answer = await proxy.json("POST", clusters, json=one, **who)
    assert (status, created()) == (201, True), answer
    pointer = "/spec/k8ssandra/cassandra/datacenters"
    for method, path, options in (
        ("POST", clusters, {"json": both}),
        ("POST", f"{clusters}?dryRun=All", {"json": both}),
        ("PATCH", f"{clusters}/both?fieldManager=x", {"json": both, "headers": APPLY}),
        ("PATCH", f"{clusters}/one?fieldManager=x&force=true", {"json": grown, "headers": APPLY}),
        ("PUT", f"{clusters}/one", {"json": {**answer, "spec": grown["spec"]}}),
        ("PATCH", f"{clusters}/one", {"json": {"spec": grown["spec"]}, "headers": MERGE}),
        ("PATCH", f"{clusters}/one", {"json": [{"op": "add", "path": f"{pointer}/-", "value": second}],
                                      "headers": JSON_PATCH}),
        ("PATCH", f"{clusters}/one", {
            "json": [{"op": "replace", "path": f"{pointer}/0/k8sContext", "value": "data-plane-2"}],
            "headers": JSON_PATCH}),
    ):  # fmt: skip
        status, refusal = await proxy.json(method, path, **options, **who)
        # what a rule forbids to everybody may be said first
        assert status in (403, 422), (method, path, refusal)
        assert status == 422 or 'the right is the verb "use"' in refusal["message"]
    assert admin.get(f"{clusters}/one")["spec"] == answer["spec"]
    assert admin.find(f"{clusters}/both") is None


async def test_nothing_of_another_kind_is_made_by_a_patch(
    admin: AdminClient, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    admin.request("POST", f"{base}/missioncontrolclusters", cluster())
    made = admin.request("POST", f"{base}/rollingrestarts", restart("r1"))
    stored_path = r.STORED_OPERATIONS.path(namespace, "rollingrestart.r1")
    before = admin.get(stored_path)
    renamed = {**before, "metadata": {**before["metadata"], "name": "backup.r1"}}
    for patch in (
        [{"op": "replace", "path": "", "value": renamed}],
        [{"op": "replace", "path": "/metadata/name", "value": "r2"}],
        [{"op": "replace", "path": "/metadata/namespace", "value": "default"}],
        [{"op": "replace", "path": "/spec/type", "value": "Backup"}],
        [{"op": "add", "path": "/spec/type", "value": "Backup"}],
        [{"op": "replace", "path": "/kind", "value": "Secret"}],
        [{"op": "replace", "path": "/metadata/uid", "value": before["metadata"]["uid"]}],
        [{"op": "move", "from": "/spec", "path": "/status"}],
        [{"op": "replace", "path": "/metadata/annotations/missioncontrol.io~1requested-by", "value": "root"}],
    ):
        status, answer = await proxy.json(
            "PATCH", f"{base}/rollingrestarts/r1", json=patch, headers=JSON_PATCH
        )
        uid = answer["metadata"].get("uid")
        assert 400 <= status < 500 or uid == made["metadata"]["uid"], (patch, status, answer)
        after = admin.get(stored_path)
        assert after["spec"] == before["spec"], patch
        assert after["metadata"]["annotations"] == before["metadata"]["annotations"], patch
    eventually(lambda: len(admin.get(f"{base}/operations")["items"]) == 1, "there is still one operation")
