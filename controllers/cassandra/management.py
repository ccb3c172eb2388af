"""The client of the management API that runs beside every Cassandra node.

Every call has a time-out, and there are two kinds of failure: the node did not answer (nothing is known),
or it answered with a refusal (which is final for this call).
"""

from __future__ import annotations

import copy
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson
from prometheus_client import CollectorRegistry, Histogram
from yarl import URL

from controllers.cassandra.state import Endpoint, Gossip, PodState, Process, Replicas

QUICK: Final = 3.0
"""Seconds for questions that a healthy node answers in milliseconds."""
ROLE: Final = 10.0
DRAIN: Final = 30.0
"""Seconds that a drain is waited for; the pod's own preStop hook goes on with a longer one."""
START: Final = 120.0
JOB: Final = 20.0
LONG: Final = 3600.0
"""Seconds for a synchronous job, which answers when it is done."""
ANSWER_LIMIT: Final = 300
SYSTEM_KEYSPACES: Final = ("system", "dse_", "solr_admin", "OpsCenter", "HiveMetaStore", "cfs")
"""How the names of keyspaces begin that are not users' own."""


class ManagementError(Exception):
    """A call to a management API failed."""


class NodeUnreachable(ManagementError):
    """No answer within the time; whether the call took effect is not known."""


class NodeRefused(ManagementError):
    """The node answered with an error."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"HTTP {status}: {sentence}" if sentence else f"HTTP {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Job:
    """An asynchronous job on a node."""

    status: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise NodeRefused(self.status, "the answer is not JSON") from error


BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Of the durations of calls, in seconds: upstream's."""


class ManagementApi:
    """Calls to the nodes of all datacenters, over one pool of connections."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        from_annotation: bool = False,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._session = session
        self._from_annotation = from_annotation
        self._tls: ssl.SSLContext | None = None
        self._seconds = Histogram(
            "cass_operator_httphelper_call_duration_seconds",
            "Duration of calls to the management API",
            ["method", "route", "result"],
            buckets=BUCKETS,
            registry=registry or CollectorRegistry(),
        )

    def secured(self, context: ssl.SSLContext) -> ManagementApi:
        """The same client for nodes that speak TLS and want to see a certificate."""
        other = copy.copy(self)
        other._tls = context
        return other

    async def process(self, pod: PodState, *, port: int) -> Process:
        """Whether Cassandra runs beside the management API; UNREACHABLE when nobody answers."""
        try:
            answer = await self._call("GET", pod, port, "/api/v0/lifecycle/pid", timeout=QUICK)
        except NodeUnreachable:
            return Process.UNREACHABLE
        except NodeRefused as error:
            return Process.UNKNOWN if error.status in (404, 405) else Process.UNREACHABLE
        return Process.STOPPED if answer.status == 204 or not answer.body.strip() else Process.RUNNING

    async def start(self, pod: PodState, *, port: int, replaces: str = "") -> None:
        """Start Cassandra, perhaps in the place of a dead node. One that runs already just goes on."""
        query = {"replace_ip": replaces} if replaces else None
        await self._call("POST", pod, port, "/api/v0/lifecycle/start", query=query, timeout=START)

    async def gossip(self, pod: PodState, *, port: int) -> Gossip:
        """The ring as this node sees it."""
        answer = await self._call("GET", pod, port, "/api/v0/metadata/endpoints", timeout=QUICK)
        entities = answer.json().get("entity") or []
        return tuple(_endpoint(entity) for entity in entities)

    async def has_quorum(self, pod: PodState, *, port: int, replicas: int) -> bool:
        """Whether this node sees a LOCAL_QUORUM for every range."""
        query = {"consistency_level": "LOCAL_QUORUM", "rf_per_dc": str(replicas)}
        try:
            await self._call("GET", pod, port, "/api/v0/probes/cluster", query=query, timeout=QUICK)
        except NodeRefused:
            return False
        return True

    async def reload_seeds(self, pod: PodState, *, port: int) -> None:
        """Let the node read the seed list again."""
        await self._call("POST", pod, port, "/api/v0/ops/seeds/reload", timeout=QUICK)

    async def drain(self, pod: PodState, *, port: int) -> None:
        """Let the node flush, and take its leave in gossip."""
        await self._call("POST", pod, port, "/api/v0/ops/node/drain", timeout=DRAIN)

    async def decommission(self, pod: PodState, *, port: int, asynchronous: bool) -> str:
        """Tell the node to leave the ring; the id of the job, or nothing when it has left already."""
        path, query = "/ops/node/decommission", {"force": "true"}
        if asynchronous:
            return await self.submit(pod, port=port, path=f"/api/v1{path}", body=None, query=query)
        await self.run(pod, port=port, path=f"/api/v0{path}", body=None, query=query)
        return ""

    async def replication(self, pod: PodState, *, port: int, datacenter: str) -> dict[str, Replicas]:
        """How many replicas each keyspace of users has in a datacenter, or in the whole ring."""
        answer = await self._call("GET", pod, port, "/api/v0/ops/keyspace", timeout=QUICK)
        found = {}
        for name in answer.json():
            if str(name).startswith(SYSTEM_KEYSPACES):
                continue
            query = {"keyspaceName": str(name)}
            path = "/api/v0/ops/keyspace/replication"
            options = (await self._call("GET", pod, port, path, query=query, timeout=QUICK)).json()
            simple = str(options.get("class", "")).endswith("SimpleStrategy")
            factor = options.get("replication_factor" if simple else datacenter, "0")
            found[str(name)] = Replicas(int(str(factor).partition("/")[0] or 0), anywhere=simple)
        return found

    async def log_queries(self, pod: PodState, *, port: int) -> bool:
        """Have the node log every query, unless it does; False if its management API cannot."""
        if "full_query_logging" not in await self.features(pod, port=port):
            return False
        path = "/api/v0/ops/node/fullquerylogging"
        if not (await self._call("GET", pod, port, path, timeout=QUICK)).json().get("entity"):
            await self._call("POST", pod, port, path, query={"enabled": "true"}, timeout=ROLE)
        return True

    async def write_role(
        self, pod: PodState, *, port: int, name: str, password: str, superuser: bool
    ) -> None:
        """Create a role, or give it this password."""
        query = {
            "can_login": "true",
            "is_superuser": "true" if superuser else "false",
            "password": password,
            "username": name,
        }
        await self._call("POST", pod, port, "/api/v0/ops/auth/role", query=query, timeout=ROLE)

    async def features(self, pod: PodState, *, port: int) -> frozenset[str]:
        """What the node's management API can do; an old one that cannot say can do nothing extra."""
        try:
            answer = await self._call("GET", pod, port, "/api/v0/metadata/versions/features", timeout=QUICK)
        except NodeRefused as error:
            if error.status == 404:
                return frozenset()
            raise
        return frozenset(answer.json().get("features") or ())

    async def submit(
        self, pod: PodState, *, port: int, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str]
    ) -> str:
        """Begin an asynchronous job; its id."""
        answer = await self._call("POST", pod, port, path, body=body, query=query, timeout=JOB)
        return answer.body.decode(errors="replace").strip().strip('"')

    async def run(
        self, pod: PodState, *, port: int, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str]
    ) -> None:
        """Run a synchronous job to its end."""
        await self._call("POST", pod, port, path, body=body, query=query, timeout=LONG)

    async def job(self, pod: PodState, *, port: int, job_id: str) -> Job | None:
        """How far an asynchronous job is; None when the node does not know it (any more)."""
        query = {"job_id": job_id}
        try:
            answer = await self._call(
                "GET", pod, port, "/api/v0/ops/executor/job", query=query, timeout=QUICK
            )
        except NodeRefused as error:
            if error.status == 404:
                return None
            raise
        found = answer.json()
        return Job(str(found.get("status", "")), str(found.get("error") or "")) if found.get("id") else None

    # --- one call ------------------------------------------------------------------------------

    def url(self, pod: PodState, port: int) -> str:
        """Where a pod's management API is; the annotation counts only where it is allowed to."""
        if self._from_annotation and pod.management_url:
            return pod.management_url.rstrip("/")
        if not pod.ip:
            raise NodeUnreachable(f"pod {pod.name} has no address yet")
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        return f"{'http' if self._tls is None else 'https'}://{host}:{port}"

    async def _call(
        self,
        method: str,
        pod: PodState,
        port: int,
        path: str,
        *,
        timeout: float,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        pairs = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted((query or {}).items()))
        target = URL(f"{self.url(pod, port)}{path}{'?' if pairs else ''}{pairs}", encoded=True)
        data = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if data is not None else {}
        began, result = time.monotonic(), "error"
        try:
            limit = aiohttp.ClientTimeout(total=timeout, connect=QUICK)
            async with self._session.request(
                method, target, data=data, headers=headers, timeout=limit, ssl=self._tls or True
            ) as got:
                answer = Answer(got.status, await got.read())
            # upstream's words
            result = "success" if answer.status < 300 else "error"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # the target carries passwords, so the error's own text must not be passed on
            raise NodeUnreachable(f"{pod.name}: {method} {path}: {type(error).__name__}") from None
        finally:
            self._seconds.labels(method, path, result).observe(time.monotonic() - began)
        if answer.status >= 400:
            raise NodeRefused(answer.status, answer.body.decode(errors="replace").strip()[:ANSWER_LIMIT])
        return answer


def _endpoint(entity: Mapping[str, Any]) -> Endpoint:
    said = str(entity.get("STATUS") or entity.get("STATUS_WITH_PORT") or "")
    status, _, token = said.partition(",")
    return Endpoint(
        address=str(entity.get("ENDPOINT_IP") or entity.get("RPC_ADDRESS") or ""),
        host_id=str(entity.get("HOST_ID") or ""),
        datacenter=str(entity.get("DC") or ""),
        rack=str(entity.get("RACK") or ""),
        status=status,
        alive=str(entity.get("IS_ALIVE", "")).lower() == "true",
        local=str(entity.get("IS_LOCAL", "")).lower() == "true",
        load=_number(entity.get("LOAD")),
        token=token.partition(",")[0],
    )


def _number(value: object) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        return 0.0
