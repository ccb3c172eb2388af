"""One case's view of one arm: sends requests, waits for streams, and records every answer."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import ssl
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from missioncontrol.api.resources import STORED_DATACENTERS
from tests.conformance.kinds import CLUSTER, RESTART, VERSION, VIRTUAL_GROUP, Kind

Obj = dict[str, Any]

JSON = "application/json"
YAML = "application/yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_AUTO = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_SECONDS = 60.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class Arm:
    """A way to an API: the native one, the façade through kube-apiserver, or the façade itself."""

    name: str
    letter: str
    url: str
    group: str
    tls: ssl.SSLContext
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_native(self) -> bool:
        return self.name == "native"

    @property
    def base(self) -> str:
        return f"/apis/{self.group}/{VERSION}"


@dataclass(frozen=True)
class Exchange:
    """What was asked and what was answered."""

    label: str
    status: int
    headers: dict[str, list[str]]
    body: Any

    @property
    def rv(self) -> str:
        assert 200 <= self.status < 300, f"{self.label}: {self.status} {self.body}"
        version: str = self.body["metadata"]["resourceVersion"]
        return version

    @property
    def uid(self) -> str:
        uid: str = self.body["metadata"]["uid"]
        return uid


class Api:
    """One case on one arm. Names begin with `token`, which comparison replaces."""

    def __init__(self, arm: Arm, admin: Arm, kind: Kind, token: str) -> None:
        self.arm = arm
        self.admin = admin
        """kube-apiserver itself, for what is no part of the comparison."""
        self.kind = kind
        self.token = token
        self.exchanges: list[Exchange] = []

    # --- names and objects ---------------------------------------------------------------------

    @property
    def group_version(self) -> str:
        return f"{self.arm.group}/{VERSION}"

    def name(self, short: str) -> str:
        return f"{self.token}-{short}"

    @property
    def everywhere(self) -> str:
        """The collection over all namespaces."""
        return f"{self.arm.base}/{self.kind.plural}"

    @property
    def collection(self) -> str:
        place = f"/namespaces/{self.token}" if self.kind.namespaced else ""
        return f"{self.arm.base}{place}/{self.kind.plural}"

    def at(self, short: str, subresource: str = "") -> str:
        return f"{self.collection}/{self.name(short)}" + (f"/{subresource}" if subresource else "")

    def sample(self, short: str = "a", *, metadata: Obj | None = None, **members: Any) -> Obj:
        """A valid object, with more metadata, or other members (None takes one away)."""
        sample: Obj = {
            "apiVersion": self.group_version,
            "kind": self.kind.name,
            "metadata": {"name": self.name(short), **(metadata or {})},
            "spec": self.kind.spec(self.token),
            **members,
        }
        sample["metadata"] = {k: v for k, v in sample["metadata"].items() if v is not None}
        return {name: value for name, value in sample.items() if value is not None}

    def identity(self, short: str = "a", **members: Any) -> Obj:
        """An object with nothing but its name and these members, as for an apply."""
        return {
            "apiVersion": self.group_version,
            "kind": self.kind.name,
            "metadata": {"name": self.name(short)},
            **members,
        }

    # --- requests ------------------------------------------------------------------------------

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: str | dict[str, Any] = "",
        body: Any = None,
        type: str | None = JSON,
        headers: dict[str, str] | None = None,
        label: str = "",
        record: bool = True,
        arm: Arm | None = None,
    ) -> Exchange:
        """Any request. `body` is JSON unless it is text or bytes; `type=None` sends no Content-Type."""
        arm = arm or self.arm
        text = urlencode(query, doseq=True) if isinstance(query, dict) else query
        url = URL(arm.url + path + (f"?{text}" if text else ""), encoded=True)
        data = body if body is None or isinstance(body, bytes) else _encoded(body)
        sent = {"User-Agent": "conformance/1.0", **arm.headers, **(headers or {})}
        if data is not None and type is not None:
            sent["Content-Type"] = type
        try:
            exchange = await self._sent(arm, method, url, data, sent)
        except aiohttp.ClientError as error:
            exchange = Exchange("", 0, {}, f"no answer: {error.__class__.__name__}")
        name = label or f"{method} {path.removeprefix(arm.base)}" + (f"?{text}" if text else "")
        exchange = replace(exchange, label=name, body=self._own(exchange.body))
        if record:
            self.exchanges.append(exchange)
        return exchange

    def _own(self, body: Any) -> Any:
        """A list without what other cases have made meanwhile."""
        if isinstance(body, list):  # the events of a watch
            own = [each for each in body if each["type"] == "ERROR" or self._is_event(each)]
            return _with_columns(body, own) or ""
        if isinstance(body, dict) and body.get("kind") == "APIGroupDiscoveryList":
            return body
        for member in ("items", "rows"):
            items = body.get(member) if isinstance(body, dict) else None
            if isinstance(items, list) and "kind" in body and str(body["kind"]).endswith(("List", "Table")):
                return {**body, member: [each for each in items if self._is_own(each)]}
        return body

    def _is_event(self, event: Any) -> bool:
        """Bookmarks that mark nothing come when they come: within the second of a case by luck."""
        if event["type"] != "BOOKMARK":
            return self._is_own(event)
        return "initial-events-end" in json.dumps(event)

    def _is_own(self, item: Any) -> bool:
        return self.token in json.dumps(item)

    async def _sent(
        self, arm: Arm, method: str, url: URL, data: bytes | None, headers: dict[str, str]
    ) -> Exchange:
        async with (
            asyncio.timeout(_SECONDS),
            arm.session.request(
                method,
                url,
                data=None if data is None else io.BytesIO(data),
                headers=headers,
                ssl=arm.tls,
                skip_auto_headers=_AUTO,
                allow_redirects=False,
            ) as answer,
        ):
            received = await answer.read()
            return Exchange(
                "",
                answer.status,
                {name: answer.headers.getall(name) for name in dict.fromkeys(map(str.title, answer.headers))},
                _decoded(received, answer),
            )

    async def create(self, short: str = "a", query: Any = "", **options: Any) -> Exchange:
        """POST of a sample; `metadata` and members as for `sample`."""
        body = self.sample(short, **options)
        return await self.send(
            "POST", self.collection, query=query, body=body, label=f"create {short} {query}"
        )

    async def post(self, body: Any, query: Any = "", **options: Any) -> Exchange:
        return await self.send("POST", self.collection, body=body, query=query, **options)

    async def get(self, short: str = "a", query: Any = "", sub: str = "", **options: Any) -> Exchange:
        return await self.send("GET", self.at(short, sub), query=query, **options)

    async def list(self, query: Any = "", **options: Any) -> Exchange:
        return await self.send("GET", self.collection, query=query, **options)

    async def put(
        self, body: Any, short: str = "a", query: Any = "", sub: str = "", **options: Any
    ) -> Exchange:
        return await self.send("PUT", self.at(short, sub), body=body, query=query, **options)

    async def patch(
        self, body: Any, short: str = "a", query: Any = "", sub: str = "", type: str = MERGE, **options: Any
    ) -> Exchange:
        return await self.send("PATCH", self.at(short, sub), body=body, query=query, type=type, **options)

    async def apply(
        self,
        body: Any,
        short: str = "a",
        manager: str = "one",
        query: str = "",
        sub: str = "",
        **options: Any,
    ) -> Exchange:
        text = f"fieldManager={manager}" + (f"&{query}" if query else "")
        return await self.send("PATCH", self.at(short, sub), body=body, query=text, type=APPLY, **options)

    async def delete(self, short: str = "a", query: Any = "", body: Any = None, **options: Any) -> Exchange:
        return await self.send("DELETE", self.at(short), body=body, query=query, **options)

    async def watch(self, query: str = "", path: str = "", **options: Any) -> Exchange:
        """A watch that ends by itself after a second; its events are the answer."""
        text = f"watch=true&timeoutSeconds=1{f'&{query}' if query else ''}"
        return await self.send("GET", path or self.collection, query=text, **options)

    async def socket(
        self, query: str = "", *, headers: dict[str, str] | None = None, label: str = ""
    ) -> None:
        """A watch over a WebSocket, as browsers make it; each message is an event."""
        text = f"watch=true&timeoutSeconds=1{f'&{query}' if query else ''}"
        url = URL(f"{self.arm.url}{self.collection}?{text}", encoded=True)
        sent = {**self.arm.headers, **(headers or {})}
        messages: list[Any] = []
        async with (
            asyncio.timeout(_SECONDS),
            self.arm.session.ws_connect(url, headers=sent, ssl=self.arm.tls, origin="https://x") as socket,
        ):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                messages.append(json.loads(message.data))
            answered = {"Upgrade": ["websocket"], "Close-Code": [f"{message.type.name} {message.data}"]}
        self.exchanges.append(Exchange(label or f"socket {text}", 101, answered, self._own(messages)))

    def relabel(self, first: int, label: str) -> None:
        """Put the name of a row before the requests that it made."""
        for index in range(first, len(self.exchanges)):
            exchange = self.exchanges[index]
            self.exchanges[index] = replace(exchange, label=f"{label}: {exchange.label}")

    # --- preconditions -------------------------------------------------------------------------

    async def quietly(self, method: str, path: str, body: Any = None, *, type: str = JSON) -> Exchange:
        """A request to kube-apiserver that is no part of the comparison; it must succeed.

        Asked again where there was no answer: odd requests before it may have ended their connection. What
        was made without saying so is there then.
        """
        accepted = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
        for _ in range(_ATTEMPTS):
            done = await self.send(method, path, body=body, type=type, record=False, arm=self.admin)
            if done.status:
                break
            if method == "POST":
                accepted.add(HTTPStatus.CONFLICT)
        assert done.status in accepted, f"{method} {path}: {done.status} {done.body}"
        return done

    async def prepare(self) -> None:
        """The case's own namespace, and the cluster that an operation needs."""
        if not self.kind.namespaced:
            return
        await self.namespace(self.token)
        if self.kind is RESTART and not self.arm.is_native:
            cluster = {
                "apiVersion": f"{VIRTUAL_GROUP}/{VERSION}",
                "kind": CLUSTER.name,
                "metadata": {"name": self.name("c")},
                "spec": CLUSTER.spec(self.token),
            }
            base = f"/apis/{VIRTUAL_GROUP}/{VERSION}/namespaces/{self.token}/{CLUSTER.plural}"
            await self.quietly("POST", base, cluster)
            stored = STORED_DATACENTERS.path(self.token)
            await self.quietly("POST", stored, _datacenter(self.name("c"), STORED_DATACENTERS.api_version))

    async def namespace(self, name: str) -> None:
        await self.quietly("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def _datacenter(cluster: str, api_version: str) -> Obj:
    """What mission-control-operator would have written: without it no rack is known."""
    return {
        "apiVersion": api_version,
        "kind": STORED_DATACENTERS.kind,
        "metadata": {
            "name": f"{cluster}.dc1",
            "labels": {"missioncontrol.io/cluster-name": cluster, "missioncontrol.io/datacenter": "dc1"},
        },
        "spec": {
            "clusterName": cluster,
            "name": "dc1",
            "dataPlane": "data-plane-1",
            "size": 3,
            "racks": [{"name": rack, "size": 1} for rack in ("r1", "r2", "r3")],
        },
    }


def _encoded(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _with_columns(events: list[Any], own: list[Any]) -> list[Any]:
    """The events with the columns of Tables in the first of them, though it was the first of others that
    told them.
    """
    told = events[0].get("object", {}).get("columnDefinitions") if events else None
    if not told or not own or own[0] is events[0] or own[0]["object"].get("kind") != "Table":
        return own
    first = {**own[0], "object": {**own[0]["object"], "columnDefinitions": told}}
    return [first, *own[1:]]


def _decoded(data: bytes, answer: aiohttp.ClientResponse) -> Any:
    if answer.headers.get("Content-Encoding") == "gzip":
        data = gzip.decompress(data)
    text = data.decode(errors="replace")
    lines = [line for line in text.splitlines() if line]
    try:
        if answer.headers.get("Transfer-Encoding") == "chunked" and lines and '{"type":"' in lines[0][:10]:
            return [json.loads(line) for line in lines]
        return json.loads(text)
    except ValueError:
        return text
