"""The way of every request: info, deadline, user, turn, right, handler; and every error as a Status."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
import uuid
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apiserver import authz, budget, impersonation, requestinfo, respond
from apiserver.audit.log import Auditor, Trail
from apiserver.authn import Authenticator
from apiserver.authz import Attributes
from apiserver.call import Call
from apiserver.context import Context
from apiserver.dispatch import dispatch, no_page
from apiserver.fairness import MUTATING, READ_ONLY, Ticket, Turns
from apiserver.handlers import documents, health
from apiserver.handlers.health import Health
from apiserver.metrics import Metrics
from apiserver.request import Request
from apiserver.selectors import FieldTerm, LabelTerm, parse_fields, parse_labels
from apiserver.status import Failure, bad_request, failure, internal_error, timed_out
from apiserver.trust import subject_of

log = logging.getLogger(__name__)
access = logging.getLogger("apiserver.access")

AUDIT_ID_LIMIT = 64
LATE_SECONDS = 5
"""When to come back, for those who come while the server ends."""
_SELECTING = frozenset({"list", "watch", "deletecollection"})
_ENDED_BY_US = frozenset({429, 503, 504})


@dataclass(slots=True)
class Life:
    """How far the server is on its way out."""

    closing: bool = False
    """It goes on serving, but tells everybody to come back on another connection."""
    refusing: bool = False
    """It finishes what it has begun, and takes nothing new."""


class ApiServer:
    """Answers requests; knows nothing of sockets."""

    def __init__(
        self,
        context: Context,
        authenticator: Authenticator,
        *,
        checks: Health,
        turns: Turns,
        metrics: Metrics,
        auditor: Auditor,
        access_log_share: float = 0.0,
    ) -> None:
        self._context = context
        self._authenticator = authenticator
        self._authorizer = context.authorizer
        self._health = checks
        self._turns = turns
        self._metrics = metrics
        self._auditor = auditor
        self._access_log_share = access_log_share
        self.life = Life()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from the first byte to the last."""
        started = time.monotonic()
        received = time.time()
        info = requestinfo.parse(request.method, request.rel_url.raw_path, request.query)
        call = Call(request=request, info=info, deadline=started + budget.REQUEST_SECONDS)
        audit_id = request.headers.get("Audit-ID", "")[:AUDIT_ID_LIMIT] or str(uuid.uuid4())
        call.audit_id = audit_id
        if isinstance(request, Request):
            request.audit_id = audit_id
        wrong: Failure | None = None
        panic = False
        trail = _Following(self._auditor, call, received)
        try:
            response = await self._answer(call, trail)
        except Failure as error:
            wrong = error
        except asyncio.CancelledError:
            # the client has left; nobody reads an answer any more
            self._metrics.aborted(call)
            if call.work is None:
                trail.ended(None, None)
            else:
                call.work.add_done_callback(functools.partial(_finished_alone, call, trail))
            raise
        except TimeoutError:
            wrong = timed_out()
        except RequestPayloadError as error:
            wrong = bad_request(f"the body of the request cannot be read: {error}")
        except Exception:
            log.exception("a request failed: %s %s", info.method, info.path, extra={"auditID": audit_id})
            wrong, panic = internal_error(f"see the log of the server under {audit_id}"), True
        if wrong is not None:
            if wrong.code in _ENDED_BY_US:
                self._metrics.terminated(call, wrong.code)
            if request.writer.output_size > 0:
                # half an answer is out: only a cut connection can say that it is not the whole
                trail.ended(None, wrong, panic=panic)
                raise ConnectionResetError("the answer broke off")
            response = respond.failed(call, wrong)
        if self.life.closing and not response.prepared:
            response.force_close()
        trail.ended(response, wrong, panic=panic)
        self._note(call, response, time.monotonic() - started)
        return response

    async def _answer(self, call: Call, trail: _Following) -> web.StreamResponse:
        info = call.info
        if info.path in health.PATHS:
            # probes must not depend on anything, not even on who asks
            return self._health.answer(call)
        if self.life.refusing:
            raise failure(
                429, "this server is shutting down; another one will answer", retry_after=LATE_SECONDS
            )
        long_running = info.verb == "watch"
        if not long_running:
            call.deadline = time.monotonic() + budget.of(call.query.get("timeout"))
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + call.remaining()) as limit:
            await self._authenticate(call)
            trail.begin()
            if impersonation.is_asked(call.headers):
                asking = call.user
                call.user = await impersonation.acting(self._authorizer, asking, call.headers)
                call.asking = asking
            if documents.is_document(info.path) and call.user.is_authenticated:
                # nothing here is secret, and it must be there when rights cannot be asked for
                return documents.answer(call)
            ticket = self._turns.ticket(call)
            try:
                if ticket is not None and not ticket.started:
                    await self._wait(call, ticket)
                await self._authorize(call)
                if not info.is_resource:
                    return await self._other(call)
                if not long_running and not info.mutating:
                    return await dispatch(self._context, call)
                # it keeps its own time: a watch has much, and a write is not stopped between two steps
                limit.reschedule(None)
                if long_running:
                    return await self._watch(call, trail)
                call.work = asyncio.create_task(self._write(call))
                return await asyncio.shield(call.work)
            finally:
                if ticket is not None:
                    ticket.release()

    async def _authenticate(self, call: Call) -> None:
        began = time.monotonic()
        certificate = call.certificate
        result = "error"
        try:
            user = self._authenticator.known(call.headers, certificate)
            if user is None:
                user = await self._authenticator.authenticate(call.headers, certificate)
            call.user = user
            result = "success"
        except Failure as error:
            result = "failure" if error.code == 401 else "error"
            raise
        finally:
            self._metrics.identity.authenticated(result, time.monotonic() - began)
        if certificate is not None:
            self._metrics.identity.certificates.observe(subject_of(certificate).expires - time.time())

    async def _wait(self, call: Call, ticket: Ticket) -> None:
        began = time.monotonic()
        executed = "false"
        try:
            await ticket.wait(call.remaining())
            executed = "true"
        finally:
            call.waited = time.monotonic() - began
            kind = MUTATING if call.info.mutating else READ_ONLY
            self._metrics.waits.observe(call.waited, (kind, executed))

    async def _authorize(self, call: Call) -> None:
        began = time.monotonic()
        attributes = _attributes(call)
        result = "error"
        try:
            decision = self._authorizer.known(call.user, attributes)
            if decision is None:
                decision = await self._authorizer.decide(call.user, attributes)
            call.allowed, call.reason = decision
            result = "allowed" if decision.allowed else "no-opinion"
        finally:
            self._metrics.identity.authorized(result, time.monotonic() - began)
        if not decision.allowed:
            raise authz.denied(call.user, attributes, decision.reason)

    async def _watch(self, call: Call, trail: _Following) -> web.StreamResponse:
        if isinstance(call.request, Request):
            call.request.begun = trail.started
        self._metrics.watching(call, 1)
        try:
            return await dispatch(self._context, call)
        finally:
            self._metrics.watching(call, -1)

    async def _write(self, call: Call) -> web.StreamResponse:
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
        return no_page(call)

    def _note(self, call: Call, response: web.StreamResponse, seconds: float) -> None:
        size = response.content_length if isinstance(response, web.Response) else None
        self._metrics.answered(call, response.status, seconds, size)
        if size is not None:
            self._turns.learn(call, size)
        if self._access_log_share and random.random() < self._access_log_share:
            access.info(
                "%s %s",
                call.info.method,
                call.request.raw_path,
                extra={
                    "code": response.status,
                    "verb": call.info.verb,
                    "user": call.user.name,
                    "bytes": size,
                    "milliseconds": round(seconds * 1000, 1),
                    "waitedMilliseconds": round(call.waited * 1000, 1),
                    "userAgent": call.headers.get("User-Agent", "")[:256],
                    "source": call.headers.get("X-Forwarded-For", call.request.remote),
                    "auditID": call.audit_id,
                },
            )


class _Following:
    """The audit trail of a request, which begins when its user is known, or when that has failed."""

    __slots__ = ("_auditor", "_call", "_received", "_trail")

    def __init__(self, auditor: Auditor, call: Call, received: float) -> None:
        self._auditor, self._call, self._received = auditor, call, received
        self._trail: Trail | None = None

    def begin(self) -> None:
        call = self._call
        self._trail = self._auditor.trail(call, call.user, call.audit_id, self._received)
        if self._trail is not None:
            self._trail.received()

    def started(self, code: int) -> None:
        if self._trail is not None:
            self._trail.started(code)

    def ended(
        self, response: web.StreamResponse | None, wrong: Failure | None, *, panic: bool = False
    ) -> None:
        if self._trail is None and wrong is not None and wrong.code == 401:
            # whoever it was: that somebody tried is worth knowing
            self.begin()
        if self._trail is not None:
            self._trail.ended(response, wrong, panic=panic)


def _finished_alone(call: Call, trail: _Following, work: asyncio.Task[web.StreamResponse]) -> None:
    """A write has ended whose client did not wait for it: what it did is told all the same."""
    error = asyncio.CancelledError() if work.cancelled() else work.exception()
    if error is None:
        trail.ended(work.result(), None)
        return
    wrong = error if isinstance(error, Failure) else timed_out()
    if not isinstance(error, Failure | TimeoutError | asyncio.CancelledError):
        wrong = internal_error(f"see the log of the server under {call.audit_id}")
        log.error(
            "a request failed: %s %s",
            call.info.method,
            call.info.path,
            extra={"auditID": call.audit_id},
            exc_info=error,
        )
    trail.ended(None, wrong)


def _attributes(call: Call) -> Attributes:
    info = call.info
    if not info.is_resource or info.verb not in _SELECTING:
        return authz.of_request(info)
    fields: tuple[FieldTerm, ...]
    labels: tuple[LabelTerm, ...]
    try:
        fields = tuple(parse_fields(call.query.get("fieldSelector")))
        labels = tuple(parse_labels(call.query.get("labelSelector")))
    except Failure:
        fields, labels = (), ()
    if not all(term.field for term in fields):
        fields = ()
    # what cannot be read is refused by its handler, to those who may do the same with nothing selected
    return authz.of_request(info, fields, labels)
