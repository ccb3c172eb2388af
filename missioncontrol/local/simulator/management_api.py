"""The listener: the management API of every pod under /pods/<namespace>/<pod>, and the simulator's /admin.

It finds the pod, lets its faults act, hands the call to the handler of its route, and logs it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from missioncontrol.local.simulator import pods
from missioncontrol.local.simulator.answers import NOT_RUNNING, Answer, Call, NodeCall
from missioncontrol.local.simulator.calls import CallLog, masked
from missioncontrol.local.simulator.context import Context
from missioncontrol.local.simulator.faults import NoSuchPod, inject
from missioncontrol.local.simulator.node_calls import NODE_ROUTES, PROCESS_ROUTES, YOUNG_ROUTES
from missioncontrol.local.simulator.schema_calls import SCHEMA_ROUTES

ROUTES = {**NODE_ROUTES, **SCHEMA_ROUTES}
KNOWN = frozenset(path for _, path in (*ROUTES, *PROCESS_ROUTES))
BODY_LIMIT = 1024 * 1024


class ManagementApi:
    """All pods of one plane."""

    def __init__(
        self, context: Context, calls: CallLog, *, registry: CollectorRegistry | None = None
    ) -> None:
        self.context = context
        self.calls = calls
        self._counted = Counter(
            "simulator_management_calls",
            "Calls to the management APIs of all pods (code 0: the caller did not wait for the answer)",
            ["method", "route", "code"],
            registry=registry or CollectorRegistry(),
        )

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/pods/{namespace}/{pod}/{tail:.*}", self._call)
        app.router.add_get("/admin/history", self._history)
        app.router.add_get("/admin/ring", self._ring)
        app.router.add_get("/admin/calls", self._calls)
        app.router.add_get("/admin/faults", self._faults)
        app.router.add_post("/admin/faults", self._inject)
        return app

    # -- pods

    async def _call(self, request: web.Request) -> web.Response:
        namespace, pod = request.match_info["namespace"], request.match_info["pod"]
        path = "/" + request.match_info["tail"]
        began = self.context.clock()
        status, raw = 0, b""
        try:
            raw = await request.read()
            answer = await self._answer(request, raw, namespace, pod, path)
            status = answer.status
        finally:
            now = self.context.clock()
            route = path if path in KNOWN else "other"
            self._counted.labels(request.method, route, str(status)).inc()
            self.calls.write(
                now=began,
                namespace=namespace,
                pod=pod,
                method=request.method,
                path=masked(path, request.query),
                status=status,
                seconds=now - began,
                body=raw,
            )
        return _response(answer)

    async def _answer(self, request: web.Request, raw: bytes, namespace: str, name: str, path: str) -> Answer:
        while "hang" in (faults := self.context.tenants.faults(namespace, name)):
            await self.context.faults_changed.wait()
        pod = self.context.find_pod(namespace, name)
        process = self.context.store.process(pod.metadata.uid) if pod else None
        if pod is None or process is None or not pods.is_cassandra(pod) or not pods.running(pod):
            return Answer(503, f"no management API answers at {namespace}/{name}")
        key = (request.method, path.rstrip("/"))
        try:
            body = _body(raw)
        except ValueError as error:
            return Answer(400, f"the body cannot be read: {error}")
        call = Call(pod=pod, process=process, query=dict(request.query), body=body, faults=faults)
        handler = PROCESS_ROUTES.get(key)
        if handler is not None:
            return await handler(self.context, call)
        return await self._node_answer(key, call)

    async def _node_answer(self, key: tuple[str, str], call: Call) -> Answer:
        handler = ROUTES.get(key)
        if "old-api" in call.faults and key in YOUNG_ROUTES:
            return Answer(404, "not found")
        if handler is None:
            known = any(path == key[1] for _, path in ROUTES)
            return Answer(405, "method not allowed") if known else Answer(404, "not found")
        node = self.context.store.node_of(call.process)
        if node is None or not call.process.running(self.context.clock()):
            return NOT_RUNNING
        return await handler(
            self.context,
            NodeCall(
                pod=call.pod,
                process=call.process,
                query=call.query,
                body=call.body,
                faults=call.faults,
                node=node,
            ),
        )

    # -- admin

    async def _history(self, request: web.Request) -> web.Response:
        since, limit = _window(request.query)
        return _json(self.context.store.history(dict(request.query), since_ms=since, limit=limit))

    async def _ring(self, request: web.Request) -> web.Response:
        now = self.context.clock()
        snapshot = self.context.store.snapshot(now)
        cluster = request.query.get("cluster")
        nodes = [
            {
                **_fields(node),
                "mode": node.mode_at(now),
                "alive": snapshot.alive(node, seen_from=self.context.settings.plane),
            }
            for node in snapshot.nodes
            if cluster in (None, node.cluster)
        ]
        processes = [
            {**_fields(process), "running": process.running(now)}
            for process in snapshot.processes.values()
            if cluster in (None, process.cluster)
        ]
        planes = [
            {"plane": p, "heartbeat": beat, "reachable": snapshot.reachable(p, seen_from="")}
            for p, beat in sorted(snapshot.heartbeats.items())
        ]
        return _json({"nodes": nodes, "processes": processes, "planes": planes})

    async def _calls(self, request: web.Request) -> web.Response:
        since, limit = _window(request.query)
        found = await asyncio.to_thread(self.calls.read, dict(request.query), since_ms=since, limit=limit)
        return _json(found)

    async def _faults(self, request: web.Request) -> web.Response:
        return _json(self.context.tenants.all_faults())

    async def _inject(self, request: web.Request) -> web.Response:
        try:
            body = _body(await request.read())
            names = {name: str(body.get(name) or "") for name in ("namespace", "pod", "fault")}
            missing = [name for name, value in names.items() if not value]
            if missing:
                raise ValueError(f"missing: {', '.join(missing)}")
            inject(self.context, **names)
        except ValueError as error:
            return _json({"message": str(error)}, status=400)
        except NoSuchPod as error:
            return _json({"message": str(error)}, status=404)
        return _json({"plane": self.context.settings.plane, **names})


def _body(raw: bytes) -> Mapping[str, Any]:
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw)
    except json.JSONDecodeError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("it is not an object")
    return found


def _window(query: Mapping[str, str]) -> tuple[int, int]:
    try:
        return int(query.get("since", "0")), int(query.get("limit", "10000"))
    except ValueError as error:
        raise web.HTTPBadRequest(text="since (milliseconds) and limit must be numbers") from error


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _json(found: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(found), content_type="application/json")


def _response(answer: Answer) -> web.Response:
    if answer.status == 204:
        return web.Response(status=204)
    if isinstance(answer.body, str):
        return web.Response(status=answer.status, text=answer.body, content_type="text/plain")
    return _json(answer.body, status=answer.status)
