"""What clients other than kubectl rely on, seen on the wire: as the front proxy, directly to the server."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Callable

import aiohttp
import pytest
import yaml

from tests.integration.apiserver.conftest import Obj
from tests.servers import Facade, Proxy, client_context, grant

Make = Callable[..., Obj]
GV = "/apis/missioncontrol.io/v1alpha1"
STORED = "storage.missioncontrol.io/v1alpha1"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
PARTIAL = "application/json;as={};g=meta.k8s.io;v=v1"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def clusters(namespace: str, name: str = "") -> str:
    return f"{GV}/namespaces/{namespace}/missioncontrolclusters" + (f"/{name}" if name else "")


# --- discovery -----------------------------------------------------------------------------------------


async def test_discovery_in_all_forms(proxy: Proxy) -> None:
    both = f"{AGGREGATED.format('v2')},{AGGREGATED.format('v2beta1')}"
    async with proxy.request("GET", "/apis", headers={"Accept": both}) as answer:
        assert answer.headers["Content-Type"] == AGGREGATED.format("v2")
        etag, document = answer.headers["ETag"], await answer.json(content_type=None)
    assert document["items"][0]["versions"][0]["freshness"] == "Current"
    assert etag.startswith('"')
    async with proxy.request("GET", "/apis", headers={"Accept": both, "If-None-Match": etag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    async with proxy.request("GET", "/apis", headers={"Accept": AGGREGATED.format("v9")}) as answer:
        assert answer.status == 406
    _, groups = await proxy.json("GET", "/apis")
    assert groups["kind"] == "APIGroupList"
    _, resources = await proxy.json("GET", GV)
    assert {"missioncontrolclusters/scale", "operations/cancel"} <= {
        each["name"] for each in resources["resources"]
    }


async def test_openapi_is_there_for_a_user_without_groups(proxy: Proxy) -> None:
    for path in ("/openapi/v2", "/openapi/v3", f"/openapi/v3{GV}?hash=wrong"):
        async with proxy.request("GET", path, user="system:aggregator", groups="") as answer:
            assert answer.status == 200, path
            assert answer.headers["ETag"]


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_without_credentials(facade: Facade, path: str) -> None:
    connector = aiohttp.TCPConnector(ssl=client_context(facade, None))
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(facade.url + path) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        async with session.get(f"{facade.url}{path}?verbose&exclude=ping") as answer:
            assert "[+]ping excluded: ok" in await answer.text()
        async with session.get(facade.url + GV) as answer:
            assert answer.status == 403
            assert (await answer.json())["reason"] == "Forbidden"


async def test_version_and_metrics(proxy: Proxy) -> None:
    _, version = await proxy.json("GET", "/version")
    assert version["gitVersion"].startswith("v")
    await proxy.json("GET", f"{GV}/dataplanes")
    async with proxy.request("GET", "/metrics") as answer:
        text = await answer.text()
    assert "apiserver_request_total{" in text
    assert 'resource="dataplanes"' in text
    async with proxy.request("GET", "/metrics", user="eve", groups="system:authenticated") as answer:
        assert answer.status == 403


# --- identity ------------------------------------------------------------------------------------------


async def test_only_the_front_proxy_speaks_for_others(facade: Facade, namespace: str) -> None:
    """The same headers with a client's certificate count for nothing."""
    spoof = {"X-Remote-User": "root", "X-Remote-Group": "system:masters"}
    pair = facade.plane.client("eve", user="eve")
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context(facade, pair))) as session,
        session.get(facade.url + clusters(namespace), headers=spoof) as answer,
    ):
        assert answer.status == 403
        assert 'User "eve" cannot list' in (await answer.json())["message"]
    connector = aiohttp.TCPConnector(ssl=client_context(facade, None))
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(facade.url + clusters(namespace), headers=spoof) as answer:
            assert answer.status == 403
            assert "system:anonymous" in (await answer.json())["message"]
        async with session.get(facade.url + GV, headers={"Authorization": "Bearer nonsense"}) as answer:
            assert answer.status == 401
            assert (await answer.json())["reason"] == "Unauthorized"


async def test_a_service_account_may_come_directly(facade: Facade, namespace: str) -> None:
    with facade.admin as admin:
        token = admin.issue_token(namespace, "default", lifetime=600)
    connector = aiohttp.TCPConnector(ssl=client_context(facade, None))
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        async with session.get(facade.url + GV) as answer:
            assert answer.status == 200
        async with session.get(facade.url + clusters(namespace)) as answer:
            assert f"system:serviceaccount:{namespace}:default" in (await answer.json())["message"]


# --- reading -------------------------------------------------------------------------------------------


async def test_shapes(proxy: Proxy, namespace: str, cluster: Make) -> None:
    await proxy.json("POST", clusters(namespace), json=cluster())
    lists, single = PARTIAL.format("PartialObjectMetadataList"), PARTIAL.format("PartialObjectMetadata")
    protobuf = f"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{lists}"
    _, listed = await proxy.json("GET", clusters(namespace), headers={"Accept": protobuf})
    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}
    _, one = await proxy.json("GET", clusters(namespace, "demo"), headers={"Accept": single})
    assert one["kind"] == "PartialObjectMetadata"
    status, _ = await proxy.json("GET", clusters(namespace, "demo"), headers={"Accept": lists})
    assert status == 406
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    for include, member in (
        ("None", None),
        ("Metadata", "PartialObjectMetadata"),
        ("Object", "MissionControlCluster"),
    ):
        path = f"{clusters(namespace)}?includeObject={include}"
        _, document = await proxy.json("GET", path, headers={"Accept": table})
        assert (document["rows"][0]["object"] or {}).get("kind") == member
    status, _ = await proxy.json("GET", f"{clusters(namespace)}?includeObject=x", headers={"Accept": table})
    assert status == 400
    async with proxy.request(
        "GET", clusters(namespace, "demo"), headers={"Accept": "application/yaml"}
    ) as answer:
        assert yaml.safe_load(await answer.text())["kind"] == "MissionControlCluster"
    async with proxy.request("GET", f"{clusters(namespace, 'demo')}?pretty=true") as answer:
        assert b'\n  "' in await answer.read()


async def test_large_lists_are_compressed(proxy: Proxy, namespace: str, cluster: Make) -> None:
    document = cluster()
    document["metadata"]["annotations"] = {"note": "x" * 150_000}
    await proxy.json("POST", clusters(namespace), json=document)
    async with proxy.request("GET", clusters(namespace), headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(await answer.read()))["items"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/apis/missioncontrol.io/v1alpha1/nonsense", 404, id="an unknown resource"),
        pytest.param("GET", "/apis/missioncontrol.io/v1", 404, id="an unknown version"),
        pytest.param("GET", f"{GV}/namespaces/x/dataplanes", 404, id="a namespace where there is none"),
        pytest.param("GET", f"{GV}/missioncontrolclusters/x", 404, id="no namespace where there must be one"),
        pytest.param("GET", f"{GV}/dataplanes/x/log", 404, id="an unknown subresource"),
        pytest.param("GET", f"{GV}/dataplanes/x/status/more", 404, id="something below a subresource"),
        pytest.param("PUT", f"{GV}/namespaces/x/operations/y", 405, id="a view is not written"),
        pytest.param(
            "POST", f"{GV}/namespaces/x/missioncontrolclusters/y/flush/z", 404, id="below an operation"
        ),
        pytest.param("POST", f"{GV}/namespaces/x/flushes/y/cancel/z", 404, id="below a cancellation"),
        pytest.param("GET", f"{GV}/namespaces/x/databasenodes?limit=x", 400, id="a bad limit of nodes"),
        pytest.param("GET", f"{GV}/namespaces/x/databasenodes?continue=x", 400, id="a token of nodes"),
        pytest.param("GET", f"{GV}/dataplanes?limit=", 400, id="an empty limit"),
        pytest.param("GET", f"{GV}/namespaces/x/databasenodes?watch=1", 405, id="a computed kind"),
        pytest.param("GET", f"{GV}/dataplanes?timeout=x", 400, id="a bad timeout"),
        pytest.param("GET", f"{GV}/dataplanes?labelSelector=%3D%3D", 400, id="a bad label selector"),
        pytest.param("GET", f"{GV}/dataplanes?limit=x", 400, id="a bad limit"),
        pytest.param("GET", f"{GV}/dataplanes?continue=x", 400, id="a bad token"),
        pytest.param("GET", f"{GV}/dataplanes?resourceVersion=x", 400, id="a bad version"),
        pytest.param("GET", f"{GV}/dataplanes?resourceVersion=99999999999", 504, id="a future version"),
        pytest.param("POST", f"{GV}/dataplanes", 415, id="a body of no type"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered(proxy: Proxy, method: str, path: str, status: int) -> None:
    async with proxy.request(method, path) as answer:
        text = await answer.text()
        assert answer.status == status, text
        assert "storage.missioncontrol" not in text
        if status != 404:
            assert json.loads(text)["code"] == status
        if status == 405:
            assert answer.headers["Allow"]


# --- watching ------------------------------------------------------------------------------------------


async def events(proxy: Proxy, path: str, count: int, **options: object) -> list[Obj]:
    found: list[Obj] = []
    async with asyncio.timeout(20), proxy.request("GET", path, **options) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            found.append(json.loads(line))
            if len(found) == count:
                break
    return found


async def test_a_watch_with_initial_events(proxy: Proxy, namespace: str, cluster: Make) -> None:
    await proxy.json("POST", clusters(namespace), json=cluster())
    query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    added, bookmark = await events(proxy, f"{clusters(namespace)}?{query}", 2)
    assert (added["type"], added["object"]["kind"]) == ("ADDED", "MissionControlCluster")
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["object"]["apiVersion"] == "missioncontrol.io/v1alpha1"
    status, refused = await proxy.json("GET", f"{clusters(namespace)}?watch=true&sendInitialEvents=true")
    assert status == 422, refused


async def test_a_watch_in_other_shapes_resumes_and_ends(proxy: Proxy, namespace: str, cluster: Make) -> None:
    _, listed = await proxy.json("GET", clusters(namespace))
    version = listed["metadata"]["resourceVersion"]
    _, made = await proxy.json("POST", clusters(namespace), json=cluster())
    body = {"metadata": {"labels": {"a": "b"}}}
    await proxy.json("PATCH", clusters(namespace, "demo"), data=json.dumps(body), headers=MERGE)
    path = f"{clusters(namespace)}?watch=1&resourceVersion={version}&timeoutSeconds=5"
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    first, second = await events(proxy, path, 2, headers=table)
    assert first["object"]["columnDefinitions"]
    assert second["object"]["columnDefinitions"] is None  # as kube-apiserver writes it
    assert len(second["object"]["rows"]) == 1
    partial = {"Accept": PARTIAL.format("PartialObjectMetadata")}
    (only, *_) = await events(proxy, path, 1, headers=partial)
    assert only["object"]["kind"] == "PartialObjectMetadata"
    version = made["metadata"]["resourceVersion"]
    after = f"{clusters(namespace)}?watch=1&resourceVersion={version}&labelSelector=a%3Db"
    (entered,) = await events(proxy, after, 1)
    assert entered["type"] == "ADDED"
    short = f"{clusters(namespace)}?watch=1&timeoutSeconds=1"
    assert [each["type"] for each in await events(proxy, short, 9)] == ["ADDED"]


async def test_a_version_that_is_too_old_is_an_event(proxy: Proxy, namespace: str) -> None:
    (event,) = await events(proxy, f"{clusters(namespace)}?watch=1&resourceVersion=1", 1)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


# --- writing -------------------------------------------------------------------------------------------


async def test_yaml_bodies_and_bodies_without_a_type(proxy: Proxy, namespace: str, cluster: Make) -> None:
    text = yaml.safe_dump(cluster("one"))
    status, _ = await proxy.json(
        "POST", clusters(namespace), data=text, headers={"Content-Type": "application/yaml"}
    )
    assert status == 201
    raw = json.dumps(cluster("two")).encode()
    options = {"data": raw, "skip_auto_headers": ["Content-Type"]}
    status, _ = await proxy.json("POST", clusters(namespace), **options)
    assert status == 201
    status, refused = await proxy.json(
        "POST", clusters(namespace), data=raw, headers={"Content-Type": "text/csv"}
    )
    assert (status, refused["reason"]) == (415, "UnsupportedMediaType")
    status, refused = await proxy.json(
        "POST",
        clusters(namespace),
        data=io.BytesIO(b" " * (3 * 1024 * 1024 + 1)),
        headers={"Content-Type": "application/json"},
    )
    assert (status, refused["reason"]) == (413, "RequestEntityTooLarge")
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    status, refused = await proxy.json("PATCH", clusters(namespace, "one"), data=b"{}", headers=strategic)
    assert status == 415


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        pytest.param({"apiVersion": STORED}, 400, "does not match", id="the store's group"),
        pytest.param({"kind": "Operation"}, 422, "must be MissionControlCluster", id="another kind"),
        pytest.param({"kind": None}, 400, "Kind", id="no kind"),
        pytest.param({"metadata": {"name": "Not_A_Name"}}, 422, "metadata.name", id="a bad name"),
        pytest.param({"metadata": {}}, 422, "name or generateName is required", id="no name"),
        pytest.param({"metadata": {"name": "x", "namespace": "other"}}, 400, "namespace", id="elsewhere"),
        pytest.param({"spec": None}, 422, "spec", id="no spec"),
        pytest.param({"metadata": "x"}, 400, "", id="metadata that is none"),
        pytest.param({"metadata": {"name": "x", "labels": {"a b": "c"}}}, 422, "labels", id="a bad label"),
    ],
)  # fmt: skip
async def test_bad_objects(
    proxy: Proxy, namespace: str, cluster: Make, change: Obj, status: int, text: str
) -> None:
    body = {key: value for key, value in (cluster() | change).items() if value is not None}
    code, answer = await proxy.json("POST", clusters(namespace), json=body)
    assert (code, answer["kind"]) == (status, "Status"), answer
    assert text in answer["message"]
    assert "storage." not in answer["message"] or "apiVersion" in change


async def test_preconditions_name_the_uid_that_is_shown(proxy: Proxy, namespace: str, cluster: Make) -> None:
    _, made = await proxy.json("POST", clusters(namespace), json=cluster())
    uid, path = made["metadata"]["uid"], clusters(namespace, "demo")
    stored = uid[:14] + "4" + uid[15:]
    for policy in ("Background", "Foreground"):
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
        wrong = {**options, "preconditions": {"uid": stored}}
        status, refused = await proxy.json("DELETE", path, json=wrong)
        assert (status, refused["reason"]) == (409, "Conflict")
        assert f"UID in record ({uid})" in refused["message"]
    status, gone = await proxy.json("DELETE", path, json={**options, "preconditions": {"uid": uid}})
    assert (status, gone["kind"]) == (200, "MissionControlCluster")
    assert gone["metadata"]["finalizers"] == ["foregroundDeletion"]


async def test_propagation_policies_and_finalizers(proxy: Proxy, namespace: str, cluster: Make) -> None:
    document = cluster("held")
    document["metadata"]["finalizers"] = ["example.com/hold"]
    await proxy.json("POST", clusters(namespace), json=document)
    path = clusters(namespace, "held")
    status, answer = await proxy.json("DELETE", f"{path}?propagationPolicy=Nonsense")
    assert status == 422, answer
    status, answer = await proxy.json("DELETE", f"{path}?propagationPolicy=Orphan&orphanDependents=true")
    assert status == 422, answer
    status, answer = await proxy.json("DELETE", f"{path}?dryRun=All&propagationPolicy=Orphan")
    assert status == 200
    status, answer = await proxy.json("DELETE", path)
    assert answer["metadata"]["deletionTimestamp"]
    status, answer = await proxy.json("DELETE", path)
    assert (status, answer["metadata"]["finalizers"]) == (200, ["example.com/hold"])
    body = json.dumps({"metadata": {"finalizers": None}})
    status, answer = await proxy.json("PATCH", path, data=body, headers=MERGE)
    assert (status, answer["kind"]) == (200, "MissionControlCluster")
    status, answer = await proxy.json("GET", path)
    assert (status, answer["details"]["kind"]) == (404, "missioncontrolclusters")


async def test_a_collection_is_deleted(proxy: Proxy, namespace: str, cluster: Make) -> None:
    for name in ("a", "b", "c"):
        document = cluster(name)
        document["metadata"]["labels"] = {"keep": "yes" if name == "c" else "no"}
        await proxy.json("POST", clusters(namespace), json=document)
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    status, _ = await proxy.json("DELETE", f"{clusters(namespace)}?labelSelector=keep%3Dno", json=options)
    assert status == 200
    _, left = await proxy.json("GET", clusters(namespace))
    assert [each["metadata"]["name"] for each in left["items"]] == ["c"]


async def test_who_wrote_is_told_by_the_user_agent(proxy: Proxy, namespace: str, cluster: Make) -> None:
    agent = {"User-Agent": "gitops/1.2 (linux)"}
    _, made = await proxy.json("POST", clusters(namespace), json=cluster(), headers=agent)
    assert made["metadata"]["managedFields"][0]["manager"] == "gitops"
    status, refused = await proxy.json(
        "PATCH", clusters(namespace, "demo"), data=json.dumps(cluster()), headers=APPLY
    )
    assert (status, "fieldManager" in refused["message"]) == (422, True)


async def test_apply_that_creates_needs_the_right_to_create(
    proxy: Proxy, facade: Facade, namespace: str, cluster: Make
) -> None:
    grant(facade, namespace, "patcher", ("missioncontrolclusters", "patch"))
    path = f"{clusters(namespace, 'demo')}?fieldManager=x"
    who = {"user": "patcher", "groups": "system:authenticated"}
    for _ in range(50):
        status, answer = await proxy.json("PATCH", path, data=json.dumps(cluster()), headers=APPLY, **who)
        if "cannot patch" not in answer["message"]:
            break
        await asyncio.sleep(0.3)
    assert (status, "cannot create" in answer["message"]) == (403, True)
    await proxy.json("POST", clusters(namespace), json=cluster())
    status, _ = await proxy.json(
        "PATCH", f"{path}&force=true", data=json.dumps(cluster()), headers=APPLY, **who
    )
    assert status == 200


async def test_status_and_spec_are_written_apart(proxy: Proxy, namespace: str, cluster: Make) -> None:
    document = cluster() | {"status": {"phase": "Ready"}}
    _, made = await proxy.json("POST", clusters(namespace), json=document)
    assert "status" not in made
    path = f"{clusters(namespace, 'demo')}/status"
    changed = {"spec": {"prefixDcs": True}, "status": {"phase": "Ready"}}
    _, after = await proxy.json("PATCH", path, data=json.dumps(changed), headers=MERGE)
    assert (after["status"]["phase"], "prefixDcs" in after["spec"]) == ("Ready", False)
    after["status"]["phase"] = "Degraded"
    status, after = await proxy.json("PUT", path, json=after)
    assert (status, after["status"]["phase"]) == (200, "Degraded")
    assert {each.get("subresource") for each in after["metadata"]["managedFields"]} == {None, "status"}
    _, read = await proxy.json("GET", path)
    assert read["kind"] == "MissionControlCluster"
    before = read["metadata"]["resourceVersion"]
    _, again = await proxy.json("PUT", clusters(namespace, "demo"), json=read)
    assert again["metadata"]["resourceVersion"] == before


async def test_a_client_that_waits_for_leave_to_send_gets_it(
    proxy: Proxy, namespace: str, cluster: Make
) -> None:
    status, _ = await proxy.json("POST", clusters(namespace), json=cluster(), expect100=True)
    assert status == 201
