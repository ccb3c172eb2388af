"""The few calls that this operator makes to the management API of Cassandra nodes: about keyspaces.

It has an address resolution of its own: a pod's IP, or, where a flag allows it, the annotation with which
simulated pods say where they really answer.
"""

from __future__ import annotations

import copy
import ssl
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import orjson

from missioncontrol.api.names import Annotation
from missioncontrol.kube.views import Pod

PORT: Final = 8080
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)
_TEXT_LIMIT: Final = 300


class ManagementError(Exception):
    """A node did not answer, or answered with an error; the text is for people."""


class ManagementApi:
    """Calls to nodes over one pool of connections."""

    def __init__(self, session: aiohttp.ClientSession, *, from_annotation: bool = False) -> None:
        self._session = session
        self._from_annotation = from_annotation
        self._tls: ssl.SSLContext | None = None
        self._port = PORT

    def secured(self, context: ssl.SSLContext) -> ManagementApi:
        """The same client for nodes that speak TLS and want to see a certificate."""
        other = copy.copy(self)
        other._tls = context
        return other

    def on_port(self, port: int) -> ManagementApi:
        """The same client for nodes that listen on another port."""
        other = copy.copy(self)
        other._port = port
        return other

    async def schema_versions(self, pod: Pod) -> dict[str, list[str]]:
        """Which nodes hold which version of the schema."""
        found = await self._call("GET", pod, "/api/v1/ops/node/schema/versions")
        return found if isinstance(found, dict) else {}

    async def ring_datacenters(self, pod: Pod) -> set[str]:
        """Datacenters that have a node in the ring, as this node sees it."""
        found = await self._call("GET", pod, "/api/v0/metadata/endpoints")
        entities = found.get("entity") if isinstance(found, dict) else None
        return {
            str(each.get("DC"))
            for each in entities or []
            if str(each.get("STATUS") or each.get("STATUS_WITH_PORT")).startswith("NORMAL")
        }

    async def keyspaces(self, pod: Pod) -> list[str]:
        """The names of all keyspaces."""
        found = await self._call("GET", pod, "/api/v0/ops/keyspace")
        if not isinstance(found, list):
            raise ManagementError(f"node {pod.metadata.name} does not give the names of keyspaces")
        return sorted(map(str, found))

    async def replication(self, pod: Pod, keyspace: str) -> dict[str, str] | None:
        """The replication of a keyspace, None when there is no such keyspace."""
        found = await self._call(
            "GET", pod, "/api/v0/ops/keyspace/replication", query={"keyspaceName": keyspace}, absent_ok=True
        )
        if found is None:
            return None
        if not isinstance(found, dict):
            raise ManagementError(f"node {pod.metadata.name} does not say how {keyspace} is replicated")
        return {str(key): str(value) for key, value in found.items()}

    async def alter_keyspace(self, pod: Pod, keyspace: str, factors: Mapping[str, int]) -> None:
        """Replicate a keyspace to these datacenters and no others."""
        settings = [
            {"dc_name": name, "replication_factor": str(factor)} for name, factor in sorted(factors.items())
        ]
        body = {"keyspace_name": keyspace, "replication_settings": settings}
        await self._call("POST", pod, "/api/v0/ops/keyspace/alter", body=body)

    async def _call(
        self,
        method: str,
        pod: Pod,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        absent_ok: bool = False,
    ) -> Any:
        data = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else None
        name = pod.metadata.name
        try:
            async with self._session.request(
                method,
                f"{self._base(pod)}{path}",
                params=query,
                data=data,
                headers=headers,
                timeout=_TIMEOUT,
                ssl=self._tls or True,
            ) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ManagementError(f"node {name} does not answer: {error or type(error).__name__}") from error
        if answer.status == 404 and absent_ok:
            return None
        if answer.status >= 400:
            told = raw.decode(errors="replace").strip()[:_TEXT_LIMIT]
            raise ManagementError(f"node {name} refused {method} {path} with {answer.status}: {told}")
        if method != "GET":
            return None
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ManagementError(f"node {name} answered {method} {path} with what is no JSON") from error

    def _base(self, pod: Pod) -> str:
        if self._from_annotation:
            given = pod.metadata.annotations.get(Annotation.MANAGEMENT_API)
            if given:
                return given.rstrip("/")
        ip = pod.status.pod_ip
        if not ip:
            raise ManagementError(f"pod {pod.metadata.name} has no address yet")
        host = f"[{ip}]" if ":" in ip else ip
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"
