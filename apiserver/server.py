"""The way of every request: info, deadline, user, place, right, handler; and every error as a Status."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
import uuid

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apiserver import authz, requestinfo, respond
from apiserver.authn import Authenticator
from apiserver.authz import Authorizer
from apiserver.call import Call
from apiserver.context import Context
from apiserver.dispatch import dispatch, no_page
from apiserver.handlers import documents, health
from apiserver.handlers.health import Health
from apiserver.inflight import Inflight
from apiserver.metrics import Metrics
from apiserver.selectors import parse_fields, parse_labels
from apiserver.status import Failure, bad_request, internal_error, timed_out

log = logging.getLogger(__name__)
access = logging.getLogger("apiserver.access")

REQUEST_SECONDS = 60.0
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SELECTING = frozenset({"list", "watch", "deletecollection"})


class ApiServer:
    """Answers requests; knows nothing of sockets."""

    def __init__(
        self,
        context: Context,
        authenticator: Authenticator,
        *,
        checks: Health,
        inflight: Inflight,
        metrics: Metrics,
        access_log_share: float = 0.0,
    ) -> None:
        self._context = context
        self._authenticator = authenticator
        self._authorizer: Authorizer = context.authorizer
        self._health = checks
        self._inflight = inflight
        self._metrics = metrics
        self._access_log_share = access_log_share
        self.closing = False
        """Set while shutting down: answers then tell clients to come back on another connection."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from the first byte to the last."""
        started = time.monotonic()
        info = requestinfo.parse(request.method, request.rel_url.raw_path, request.query)
        call = Call(request=request, info=info, deadline=started + REQUEST_SECONDS)
        audit_id = request.headers.get("Audit-ID") or str(uuid.uuid4())
        try:
            response = await self._answer(call)
        except Failure as failure:
            response = respond.failed(call, failure)
        except (TimeoutError, ConnectionError) as error:
            response = respond.failed(
                call, timed_out() if isinstance(error, TimeoutError) else internal_error("")
            )
        except Exception:
            log.exception("a request failed: %s %s", info.method, info.path, extra={"auditID": audit_id})
            response = respond.failed(call, internal_error(f"see the log of the server under {audit_id}"))
        if not response.prepared:
            response.headers["Audit-Id"] = audit_id
            response.headers["Server"] = "missioncontrol"
            if self.closing:
                response.force_close()
        self._note(call, response.status, time.monotonic() - started, audit_id)
        return response

    async def _answer(self, call: Call) -> web.StreamResponse:
        info = call.info
        if self._health.answers(info.path) and info.method in ("GET", "HEAD") and info.path in health.PATHS:
            return self._health.answer(call)
        if info.verb != "watch":
            call.deadline = time.monotonic() + _budget(call.query.get("timeout"))
        certificate = _certificate(call.request)
        async with asyncio.timeout(call.remaining()):
            call.user = await self._authenticator.authenticate(call.headers, certificate)
        if documents.is_document(info.path) and call.user.is_authenticated:
            # nothing here is secret, and it must be there when rights cannot be asked for
            return documents.answer(call)
        with self._inflight.admitted(info, call.user):
            async with asyncio.timeout(call.remaining()):
                await self._authorize(call)
            return await self._handled(call)

    async def _authorize(self, call: Call) -> None:
        info = call.info
        if not info.is_resource or info.verb not in _SELECTING:
            await self._authorizer.require(call.user, authz.of_request(info))
            return
        fields = tuple(parse_fields(call.query.get("fieldSelector")))
        labels = tuple(parse_labels(call.query.get("labelSelector")))
        await self._authorizer.require(call.user, authz.of_request(info, fields, labels))

    async def _handled(self, call: Call) -> web.StreamResponse:
        info = call.info
        if not info.is_resource:
            return await self._other(call)
        if info.verb == "watch":
            self._metrics.watching(call, 1)
            try:
                return await dispatch(self._context, call)
            finally:
                self._metrics.watching(call, -1)
        work = asyncio.create_task(self._within(call))
        # a client that goes away must not stop a write between two of its steps
        return await (asyncio.shield(work) if info.mutating else _cancelling(work))

    async def _within(self, call: Call) -> web.StreamResponse:
        async with asyncio.timeout(call.remaining()):
            return await dispatch(self._context, call)

    async def _other(self, call: Call) -> web.StreamResponse:
        path = call.info.path
        if documents.is_document(path):
            return documents.answer(call)
        if self._health.answers(path):
            return self._health.answer(call)
        if path == "/version":
            return health.version(call)
        if path == "/metrics":
            text = await asyncio.to_thread(generate_latest, self._metrics.registry)
            return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
        return no_page()

    def _note(self, call: Call, code: int, seconds: float, audit_id: str) -> None:
        self._metrics.answered(call, code, seconds)
        if self._access_log_share and random.random() < self._access_log_share:
            access.info(
                "%s %s",
                call.info.method,
                call.info.path,
                extra={
                    "code": code,
                    "verb": call.info.verb,
                    "user": call.user.name,
                    "milliseconds": round(seconds * 1000, 1),
                    "auditID": audit_id,
                },
            )


async def _cancelling(work: asyncio.Task[web.StreamResponse]) -> web.StreamResponse:
    try:
        return await work
    finally:
        work.cancel()


def _certificate(request: web.BaseRequest) -> bytes | None:
    connection = request.get_extra_info("ssl_object")
    return connection.getpeercert(binary_form=True) if connection is not None else None


def _budget(text: str | None) -> float:
    """`?timeout=`: a Go duration, no longer than the server's own limit."""
    if text is None:
        return REQUEST_SECONDS
    if text in ("0", "0s"):
        return REQUEST_SECONDS
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        raise bad_request(f"invalid timeout specified in the request URL - time: invalid duration {text!r}")
    seconds = sum(float(part[0][: -len(part[1])]) * _SECONDS[part[1]] for part in _DURATION.finditer(text))
    return min(seconds, REQUEST_SECONDS) or REQUEST_SECONDS
