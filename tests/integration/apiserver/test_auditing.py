"""The audit log and the metrics of requests that really came, through kube-apiserver and directly."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.apiserver.conftest import Obj
from tests.kubectl import Kubectl
from tests.servers import Facade, Proxy, another_replica, client_context
from tests.waiting import eventually

GV = "/apis/missioncontrol.io/v1alpha1"
Make = Callable[..., Obj]
JSON = {"Content-Type": "application/json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
ROUNDS = 100
"""Of requests in which everything has another name."""


async def test_writes_are_told_with_their_bodies(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    ids = {name: f"{name}-{uuid.uuid4()}" for name in ("create", "apply", "bad", "delete", "get", "list")}

    def who(name: str, **headers: str) -> Obj:
        return {"headers": {"Audit-ID": ids[name], "User-Agent": "tester/1", **headers}}

    document = {**cluster(), "metadata": {"generateName": "made-"}}
    status, made = await proxy.json("POST", path, json=document, **who("create"))
    assert status == 201
    name = made["metadata"]["name"]
    text = json.dumps({**cluster(), "metadata": {"name": name, "labels": {"a": "b"}}})
    url = f"{path}/{name}?fieldManager=x&force=true"
    assert (await proxy.json("PATCH", url, data=text, **who("apply", **APPLY)))[0] == 200
    assert (await proxy.json("POST", path, data=b"{", **who("bad", **JSON)))[0] == 400
    assert (await proxy.json("GET", f"{path}/{name}", **who("get")))[0] == 200
    assert (await proxy.json("GET", path, **who("list")))[0] == 200
    assert (await proxy.json("DELETE", f"{path}/{name}", **who("delete")))[0] == 200
    events = {each: await asyncio.to_thread(facade.audited, ids[each]) for each in ids}

    create = events["create"]
    assert (create["level"], create["verb"], create["userAgent"]) == ("RequestResponse", "create", "tester/1")
    assert create["objectRef"] == {
        "resource": "missioncontrolclusters", "namespace": namespace, "name": name,
        "apiGroup": "missioncontrol.io", "apiVersion": "v1alpha1",
        "uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"],
    }  # fmt: skip
    assert create["requestObject"]["metadata"] == {"generateName": "made-"}
    assert create["responseObject"]["metadata"]["name"] == name
    assert "managedFields" not in create["responseObject"]["metadata"]
    assert create["responseStatus"] == {"metadata": {}, "code": 201}
    assert create["user"]["username"] == "root"
    assert create["requestReceivedTimestamp"] <= create["stageTimestamp"]
    assert events["apply"]["verb"] == "patch"
    assert events["apply"]["requestObject"]["metadata"]["labels"] == {"a": "b"}
    assert events["bad"]["responseStatus"]["reason"] == "BadRequest"
    assert "requestObject" not in events["bad"]
    for each in ("get", "list"):
        assert events[each]["level"] == "Metadata"
        assert "responseObject" not in events[each]


async def test_a_watch_is_told_when_it_begins_and_when_it_ends(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    await proxy.json("POST", path, json=cluster())
    seen = facade.metric("apiserver_watch_events_total", resource="missioncontrolclusters")
    audit_id = str(uuid.uuid4())
    headers = {"Audit-ID": audit_id}
    async with proxy.request("GET", f"{path}?watch=1&timeoutSeconds=3", headers=headers) as answer:
        assert json.loads(await answer.content.readline())["type"] == "ADDED"
        began = await asyncio.to_thread(facade.audited, audit_id, "ResponseStarted")
        assert began["responseStatus"]["code"] == 200
        labels = {"verb": "WATCH", "resource": "missioncontrolclusters", "scope": "namespace"}
        assert await asyncio.to_thread(facade.metric, "apiserver_longrunning_requests", **labels) >= 1
        await answer.read()
    ended = await asyncio.to_thread(facade.audited, audit_id)
    assert ended["stageTimestamp"] > began["stageTimestamp"]
    assert (
        await asyncio.to_thread(
            facade.metric, "apiserver_watch_events_total", resource="missioncontrolclusters"
        )
        > seen
    )


async def test_no_token_is_ever_written(facade: Facade) -> None:
    with facade.admin as admin:
        token = admin.issue_token("default", "default", lifetime=600)
    audit_id = str(uuid.uuid4())
    connector = aiohttp.TCPConnector(ssl=client_context(facade, None))
    async with aiohttp.ClientSession(connector=connector) as session:
        for given in (token, "not-" + token):
            headers = {"Authorization": f"Bearer {given}", "Audit-ID": audit_id}
            async with session.get(f"{facade.url}{GV}/dataplanes", headers=headers) as answer:
                assert answer.status in (401, 403)
    await asyncio.to_thread(facade.audited, audit_id)
    secret = token.encode()[-60:]
    assert secret not in (facade.folder / "audit.log").read_bytes()
    assert secret not in facade.log.read_bytes()


def test_kubectl_and_kube_apiserver_under_one_id(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make
) -> None:
    """The id that kube-apiserver gave comes back to the client and is in our log."""
    done = kubectl("create", "-f", "-", "-v=8", stdin=cluster())
    uuids = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", done.stderr))

    def found() -> bool:
        events = [json.loads(line) for line in (facade.folder / "audit.log").read_bytes().splitlines()]
        return any(each["auditID"] in uuids and each["verb"] == "create" for each in events)

    assert uuids, done.stderr[-2000:]
    eventually(found, f"one of {uuids} is in the audit log")


async def test_a_policy_file_decides(facade: Facade, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        "- {level: None, users: [quiet]}\n"
        "- {level: Metadata, verbs: [list], resources: [{group: missioncontrol.io}]}\n"
    )
    replica = another_replica(facade, tmp_path, "--audit-policy-file", str(tmp_path / "policy.yaml"))
    await asyncio.to_thread(replica.start)
    try:
        connector = aiohttp.TCPConnector(ssl=client_context(replica, replica.plane.front_proxy_client))
        async with aiohttp.ClientSession(connector=connector) as session:
            front = Proxy(session, replica.url)
            for user in ("quiet", "loud"):
                await front.json("GET", f"{GV}/dataplanes", user=user, headers={"Audit-ID": f"list-{user}"})
                await front.json("GET", f"{GV}/dataplanes/x", user=user, headers={"Audit-ID": f"get-{user}"})
        await asyncio.to_thread(replica.audited, "list-loud", "RequestReceived")
    finally:
        # what is waiting is written at the end
        await asyncio.to_thread(replica.stop)
    events = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert {(each["auditID"], each["stage"]) for each in events} == {
        ("list-loud", "RequestReceived"),
        ("list-loud", "ResponseComplete"),
    }


async def test_the_metrics_that_dashboards_know(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    """Names, labels and buckets are those of kube-apiserver beside us."""
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    await proxy.json("POST", f"{path}?dryRun=All", json=cluster())
    await proxy.json("GET", path)
    await proxy.json_lines(f"{path}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dx")
    async with proxy.request("GET", "/metrics") as answer:
        ours = (await answer.read()).decode()
    with facade.admin as admin:
        admin.request("GET", f"/apis/storage.missioncontrol.io/v1alpha1/namespaces/{namespace}/datacenters")
        native = admin.request("GET", "/metrics", accept="text/plain")["message"]

    def shape(text: str, name: str) -> tuple[set[str], set[str]]:
        lines = [line for line in text.splitlines() if re.split("[{ ]", line)[0] in (name, f"{name}_bucket")]
        assert lines, name
        labels = {part.split("=")[0].strip(",") for part in lines[0].partition("{")[2].split('"')[:-1:2]}
        bounds = {str(float(line.partition('le="')[2].partition('"')[0])) for line in lines if 'le="' in line}
        return labels, bounds

    for name in (
        "apiserver_request_total", "apiserver_request_duration_seconds",
        "apiserver_request_sli_duration_seconds", "apiserver_response_sizes",
        "apiserver_longrunning_requests", "apiserver_current_inflight_requests",
        "apiserver_current_inqueue_requests", "apiserver_watch_events_total", "apiserver_watch_events_sizes",
        "apiserver_audit_event_total", "apiserver_client_certificate_expiration_seconds",
        "authentication_attempts", "authentication_duration_seconds", "authorization_attempts_total",
        "authorization_duration_seconds", "authenticated_user_requests", "rest_client_requests_total",
        "rest_client_request_duration_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_start_time_seconds", "process_open_fds",
    ):  # fmt: skip
        if "watch_events" in name and name not in ours:
            continue
        assert shape(ours, name) == shape(native, name), name
    for name in ("apiserver_delegated_authn_request_total", "apiserver_request_terminations_total"):
        assert f"# TYPE {name}" in ours
    wanted = {
        "verb": "POST", "resource": "missioncontrolclusters", "scope": "resource", "dry_run": "All",
        "component": "apiserver", "code": "201", "group": "missioncontrol.io", "version": "v1alpha1",
    }  # fmt: skip
    assert await asyncio.to_thread(facade.metric, "apiserver_request_total", **wanted) >= 1


async def test_clients_invent_no_series(facade: Facade, proxy: Proxy) -> None:
    def series() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{facade.probe}/metrics", timeout=10) as answer:
            return sum(line.startswith(b"apiserver_") for line in answer.read().splitlines())

    async def ask(number: int) -> None:
        for path in (
            f"{GV}/invented-{number}",
            f"{GV}/dataplanes/x/invented-{number}",
            f"/invented/{number}",
        ):
            async with proxy.request("GET", path) as answer:
                assert answer.status == 404
        await proxy.json("GET", f"{GV}/dataplanes/name-{number}", user=f"user-{number}")
        async with proxy.request("OPTIONS", f"{GV}/dataplanes") as answer:
            assert answer.status == 405

    await ask(0)
    before = await asyncio.to_thread(series)
    for number in range(1, ROUNDS + 1):
        await ask(number)
    # one for each would be as many; kube-apiserver asks for something meanwhile as well
    assert await asyncio.to_thread(series) - before < ROUNDS


async def test_the_access_log_says_who_asked_what(facade: Facade, tmp_path: Path) -> None:
    replica = another_replica(facade, tmp_path, "--access-log-share", "1")
    await asyncio.to_thread(replica.start)
    try:
        connector = aiohttp.TCPConnector(ssl=client_context(replica, replica.plane.front_proxy_client))
        async with aiohttp.ClientSession(connector=connector) as session:
            front = Proxy(session, replica.url)
            headers = {"User-Agent": "tester/1", "Audit-ID": "logged", "X-Forwarded-For": "10.0.0.9"}
            await front.json("GET", f"{GV}/dataplanes?limit=7", headers=headers)
    finally:
        await asyncio.to_thread(replica.stop)
    (line,) = [json.loads(each) for each in replica.log.read_text().splitlines() if "limit=7" in each]
    assert line == {
        **line,
        "logger": "apiserver.access",
        "message": f"GET {GV}/dataplanes?limit=7",
        "verb": "list",
        "code": 200,
        "user": "root",
        "userAgent": "tester/1",
        "source": "10.0.0.9",
        "auditID": "logged",
    }
    assert {"milliseconds", "waitedMilliseconds", "bytes"} <= set(line)


async def test_a_read_on_the_short_way_is_told_like_any_other(
    facade: Facade, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    """Bytes as kube-apiserver sends them; the event is the same as of a request with one header more."""
    path = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
    assert (await proxy.json("POST", path, json=cluster()))[0] == 201
    events = []
    for number, more in enumerate(("", "Connection: keep-alive\r\n")):
        head = (
            f"GET {path}/demo HTTP/1.1\r\nHost: apiserver.mission-control.svc\r\nUser-Agent: tester/2\r\n"
            f"Audit-Id: short-{number}\r\nX-Forwarded-For: 10.0.0.9\r\nX-Remote-User: root\r\n"
            f"X-Remote-Group: system:masters\r\n{more}\r\n"
        )
        context = client_context(facade, facade.plane.front_proxy_client)
        reader, writer = await asyncio.open_connection("127.0.0.1", facade.port, ssl=context)
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.transport.abort()
        event = await asyncio.to_thread(facade.audited, f"short-{number}")
        for key in ("requestReceivedTimestamp", "stageTimestamp", "auditID"):
            assert event.pop(key)
        events.append(event)
    assert events[0] == events[1]


@pytest.mark.parametrize("flag", ["--audit-policy-file"])
def test_a_policy_that_cannot_be_used_stops_the_start(facade: Facade, tmp_path: Path, flag: str) -> None:
    (tmp_path / "policy.yaml").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: X}]\n")
    replica = another_replica(facade, tmp_path, flag, str(tmp_path / "policy.yaml"))
    done = subprocess.run(replica.argv, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert done.returncode == 2
    assert "rules[0].level: 'X' is none of" in done.stderr
