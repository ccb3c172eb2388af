"""Who is believed: kube-apiserver's word for its users, certificates, tokens; and who is not.

What kube-apiserver itself answers to the same credentials is asked for, not typed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from missioncontrol.api import resources as r
from missioncontrol.local.credentials import KeyPair
from missioncontrol.pki.ca import Authority, Usage, issue, new_ca
from missioncontrol.pki.files import save
from tests.integration.apiserver.conftest import Obj
from tests.kubectl import Kubectl
from tests.servers import Facade, Proxy, client_context
from tests.waiting import eventually

GV = "/apis/missioncontrol.io/v1alpha1"
DAY = datetime.timedelta(days=1)
TRUST = r.CONFIG_MAPS.path("kube-system", "extension-apiserver-authentication")
Session = Callable[[KeyPair | None], Any]


def pair(
    folder: Path,
    authority: KeyPair | Authority,
    name: str,
    *,
    usage: Usage = Usage.CLIENT,
    age: datetime.timedelta = datetime.timedelta(0),
) -> KeyPair:
    """A certificate of somebody, made some time ago and good for a day from then."""
    if isinstance(authority, KeyPair):
        authority = Authority(authority.cert.read_bytes(), authority.key.read_bytes())
    now = datetime.datetime.now(datetime.UTC) - age
    leaf = issue(authority, common_name=name, usages=[usage], now=now, lifetime=DAY)
    place = Path(tempfile.mkdtemp(dir=folder))
    made = KeyPair(place / "tls.crt", place / "tls.key")
    save(leaf, made.cert, made.key, now=now)
    return made


@contextlib.asynccontextmanager
async def session(facade: Facade, client: KeyPair | None) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=client_context(facade, client))
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


async def answers(
    facade: Facade, client: KeyPair | None, headers: dict[str, str]
) -> tuple[tuple[int, str] | str, tuple[int, str]]:
    """Code and reason, or that the handshake fails: of our server and of kube-apiserver itself."""
    path = "/namespaces/default/missioncontrolclusters"
    ours: tuple[int, str] | str
    try:
        async with (
            session(facade, client) as opened,
            opened.get(f"{facade.url}{GV}{path}", headers=headers) as answer,
        ):
            assert "Server" not in answer.headers
            ours = answer.status, (await answer.json())["reason"]
    except (aiohttp.ClientError, ssl.SSLError, ConnectionError):
        ours = "handshake"
    context = ssl.create_default_context(cafile=str(facade.plane.client_ca.cert))
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    url = f"{facade.plane.server}/apis/storage.missioncontrol.io/v1alpha1{path}"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as opened,
        opened.get(url, headers=headers) as answer,
    ):
        return ours, (answer.status, (await answer.json())["reason"])


@pytest.mark.parametrize(
    "header", ["", "Basic YTpi", "Bearer", "Bearer  ", "Bearer nonsense", "bearer x y", "Digest x"]
)
async def test_without_a_certificate_as_kube_apiserver(facade: Facade, header: str) -> None:
    ours, native = await answers(facade, None, {"Authorization": header} if header else {})
    assert ours == native


SPOOF = {"X-Remote-User": "root", "X-Remote-Group": "system:masters", "X-Remote-Uid": "0"}


async def test_certificates_as_kube_apiserver(facade: Facade, tmp_path: Path) -> None:
    """Where the handshake already refuses, kube-apiserver would answer 401: nobody gets in either way."""
    clients = facade.plane.client_ca
    stranger = new_ca("stranger", now=datetime.datetime.now(datetime.UTC), lifetime=DAY)
    handshake = ("handshake", (401, "Unauthorized"))
    refused = ((401, "Unauthorized"), (401, "Unauthorized"))
    forbidden = ((403, "Forbidden"), (403, "Forbidden"))
    cases: dict[str, tuple[KeyPair, object]] = {
        "a client's, with headers that claim more": (pair(tmp_path, clients, "eve"), forbidden),
        "an expired one": (pair(tmp_path, clients, "late", age=2 * DAY), refused),
        "one for servers": (pair(tmp_path, clients, "srv", usage=Usage.SERVER), handshake),
        "one of another CA": (pair(tmp_path, stranger, "root"), handshake),
        "a proxy's by a client's CA": (pair(tmp_path, clients, "front-proxy-client"), forbidden),
        "another name by the proxy's CA": (
            pair(tmp_path, facade.plane.front_proxy_ca, "somebody"),
            refused,
        ),
        "the proxy's, long ago": (
            pair(tmp_path, facade.plane.front_proxy_ca, "front-proxy-client", age=2 * DAY),
            refused,
        ),
    }
    for name, (client, expected) in cases.items():
        if "proxy's" in name and "client's CA" not in name:
            # both trust this CA for front proxies only, and answer without asking kube-apiserver
            path = f"{facade.url}{GV}/dataplanes"
            async with session(facade, client) as opened, opened.get(path, headers=SPOOF) as answer:
                assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized"), name
            continue
        assert await answers(facade, client, SPOOF) == expected, name


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Impersonate-User": "nobody"}, id="a user"),
        pytest.param({"Impersonate-User": "system:anonymous"}, id="anonymous"),
        pytest.param({"Impersonate-User": "system:serviceaccount:default:none"}, id="a ServiceAccount"),
        pytest.param({"Impersonate-User": "nobody", "Impersonate-Group": "some"}, id="a group"),
        pytest.param({"Impersonate-User": "nobody", "Impersonate-Extra-Scopes": "x"}, id="an extra"),
        pytest.param({"Impersonate-Group": "system:masters"}, id="a group alone"),
        pytest.param({"Impersonate-Uid": "u"}, id="a uid alone"),
    ],
)
async def test_who_calls_directly_acts_for_others_as_in_kube_apiserver(
    facade: Facade, tmp_path: Path, headers: dict[str, str]
) -> None:
    ours, native = await answers(facade, facade.plane.admin, headers)
    assert ours == native
    stranger = pair(tmp_path, facade.plane.client_ca, "eve")
    ours, native = await answers(facade, stranger, headers)
    assert ours == native
    assert native[0] in (400, 403)


async def test_a_token_beside_a_certificate_that_is_not_good(facade: Facade, tmp_path: Path) -> None:
    """A good token is believed, and what the headers claim beside it is not."""
    with facade.admin as admin:
        token = admin.issue_token("default", "default", lifetime=600)
    late = pair(tmp_path, facade.plane.client_ca, "late", age=2 * DAY)
    headers = {"Authorization": f"Bearer {token}", **SPOOF}
    async with (
        session(facade, late) as opened,
        opened.get(f"{facade.url}{GV}/dataplanes", headers=headers) as answer,
    ):
        assert answer.status == 403
        message = (await answer.json())["message"]
    assert 'User "system:serviceaccount:default:default" cannot list' in message


async def test_a_token_is_reviewed_once(facade: Facade) -> None:
    with facade.admin as admin:
        token = admin.issue_token("default", "default", lifetime=600)
    before = facade.metric("apiserver_delegated_authn_request_total", code="201")
    async with session(facade, None) as opened:

        async def ask() -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with opened.get(f"{facade.url}{GV}", headers=headers) as answer:
                return answer.status

        assert set(await asyncio.gather(*(ask() for _ in range(30)))) == {200}
    assert facade.metric("apiserver_delegated_authn_request_total", code="201") == before + 1


async def test_everything_that_the_proxy_says_of_a_user(facade: Facade, proxy: Proxy) -> None:
    groups = [f"group-{number}-{'x' * 40}" for number in range(200)]
    headers = [
        ("X-Remote-User", "zoë"), ("X-Remote-Uid", "uid-7"),
        *(("X-Remote-Group", group) for group in groups),
        ("X-Remote-Extra-Acme.com%2Fproject", "a"), ("X-Remote-Extra-Acme.com%2Fproject", "b"),
        ("X-Remote-Extra-scopes", "s"), ("Audit-ID", "everything-of-a-user"),
    ]  # fmt: skip
    connector = aiohttp.TCPConnector(ssl=client_context(facade, facade.plane.front_proxy_client))
    async with (
        aiohttp.ClientSession(connector=connector) as opened,
        opened.get(f"{facade.url}{GV}/dataplanes", headers=headers) as answer,
    ):
        assert answer.status == 403
        assert answer.headers["Audit-Id"] == "everything-of-a-user"
        assert 'User "zoë" cannot list' in (await answer.json())["message"]
    event = await asyncio.to_thread(facade.audited, "everything-of-a-user")
    assert event["user"] == {
        "username": "zoë",
        "uid": "uid-7",
        "groups": [*groups, "system:authenticated"],
        "extra": {"acme.com/project": ["a", "b"], "scopes": ["s"]},
    }
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"


async def test_an_impersonated_user_arrives_whole(facade: Facade, kubectl: Kubectl) -> None:
    """Through kube-apiserver, under its Audit-ID."""
    flags = ("--as=alice", "--as-group=dev", "--as-group=ops", "--as-uid=42", "--as-user-extra=team.io/t=a")
    path = f"{GV}/namespaces/default/missioncontrolclusters"
    stderr = await asyncio.to_thread(kubectl.fails, "get", "--raw", path, *flags)
    # kube-apiserver itself refuses first; with the right it lets the request through
    assert 'User "alice" cannot list' in stderr
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "alice-views"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    }  # fmt: skip
    with facade.admin as admin:
        admin.apply(r.CLUSTER_ROLE_BINDINGS.path(None, "alice-views"), role)
    listed = await asyncio.to_thread(
        eventually,
        lambda: kubectl("get", "--raw", path, *flags, check=False).stdout,
        "alice may list",
    )
    assert json.loads(listed)["kind"] == "MissionControlClusterList"

    def listing() -> Obj | None:
        lines = (facade.folder / "audit.log").read_bytes().splitlines()
        events = [json.loads(line) for line in lines if b'"42"' in line]
        return next((event for event in events if event["verb"] == "list"), None)

    event = await asyncio.to_thread(eventually, listing, "alice's list is audited")
    assert event["user"]["username"] == "alice"
    assert event["user"]["uid"] == "42"
    assert set(event["user"]["groups"]) == {"dev", "ops", "system:authenticated"}
    assert event["user"]["extra"]["team.io/t"] == ["a"]


async def test_the_trust_of_kube_apiserver_rotates_under_load(facade: Facade, tmp_path: Path) -> None:
    """Nobody restarts anything; while both CAs are listed no request fails; what leaves is out at once.

    The CAs are two beside kube-apiserver's own, which puts its own back whenever somebody removes them.
    """
    now = datetime.datetime.now(datetime.UTC)
    proxies = [new_ca(f"proxies {name}", now=now, lifetime=DAY) for name in "ab"]
    clients = [new_ca(f"clients {name}", now=now, lifetime=DAY) for name in "ab"]
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    fronts = [pair(folder, ca, "front-proxy-client") for folder, ca in zip(folders, proxies, strict=True)]
    direct = [pair(folder, ca, "eve") for folder, ca in zip(folders, clients, strict=True)]

    def trust(*which: int) -> None:
        """List these CAs, and those of kube-apiserver."""
        own = {
            "client-ca-file": facade.plane.client_ca.cert.read_text(),
            "requestheader-client-ca-file": facade.plane.front_proxy_ca.cert.read_text(),
        }
        for number in which:
            own["client-ca-file"] += clients[number].cert_pem.decode()
            own["requestheader-client-ca-file"] += proxies[number].cert_pem.decode()
        with facade.admin as admin:
            admin.request("PATCH", TRUST, {"data": own}, content_type="application/merge-patch+json")

    async def good(number: int) -> bool:
        """Whether both certificates of a generation are believed, on new connections."""
        try:
            return [await status(client) for client in (fronts[number], direct[number])] == [200, 403]
        except (aiohttp.ClientError, OSError):
            return False

    async def status(client: KeyPair, opened: aiohttp.ClientSession | None = None) -> int:
        headers = {"X-Remote-User": "root", "X-Remote-Group": "system:masters"}
        async with contextlib.AsyncExitStack() as stack:
            opened = opened or await stack.enter_async_context(session(facade, client))
            async with opened.get(f"{facade.url}{GV}/dataplanes", headers=headers) as answer:
                await answer.read()
                return answer.status

    async def becomes(number: int, wanted: bool) -> None:
        async with asyncio.timeout(30):
            while await good(number) is not wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    failures: list[object] = []
    served = 0

    async def load(number: int, stop: asyncio.Event) -> None:
        """Requests on a connection that is kept, and on new ones."""
        nonlocal served
        async with session(facade, fronts[number]) as kept:
            while not stop.is_set():
                for client, opened, expected in (
                    (fronts[number], kept, 200),
                    (fronts[number], None, 200),
                    (direct[number], None, 403),
                ):
                    try:
                        got: object = await status(client, opened)
                    except (aiohttp.ClientError, OSError) as error:
                        got = error
                    served += 1
                    if got != expected:
                        failures.append((number, got, expected))

    trust(0)
    await becomes(0, True)
    assert not await good(1)
    stops = [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(load(0, stops[0]))]
    try:
        async with session(facade, fronts[0]) as kept:
            assert await status(fronts[0], kept) == 200
            trust(0, 1)
            await becomes(1, True)
            tasks.append(asyncio.create_task(load(1, stops[1])))
            async with asyncio.timeout(30):
                while served <= 30:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            stops[0].set()
            await tasks[0]
            assert not failures
            trust(1)
            await becomes(0, False)
            # a connection from before is no way in either
            assert await status(fronts[0], kept) == 401
        stops[1].set()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        trust()
    assert not failures
    assert "Traceback" not in facade.log.read_text()


async def test_no_session_outlives_its_verification(facade: Facade) -> None:
    """Neither tickets nor resumed sessions: each connection shows its certificate anew."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context(facade, facade.plane.front_proxy_client)
        context.maximum_version = version
        reader, writer = await asyncio.open_connection("127.0.0.1", facade.port, ssl=context)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"ok" in await reader.read()
        connection = writer.get_extra_info("ssl_object")
        assert connection.version() == version.name.replace("_", ".")
        assert connection.session is None or not connection.session.has_ticket
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
