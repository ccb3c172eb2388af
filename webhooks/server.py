"""The HTTPS side: reads a review, gives it a budget and a place, and answers in the review's own terms.

An answer other than 200 would reach the user as "failed calling webhook" without a reason; so even a fault of
ours becomes a refusal that says what happened. Nothing ever passes because something went wrong.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Self

from aiohttp import web

from missioncontrol.kube.errors import KubeError
from missioncontrol.policy.engine import PolicyUnavailable
from missioncontrol.serving import logs
from missioncontrol.serving.tls import ServerTLS
from webhooks.budget import Budget
from webhooks.metrics import Metrics
from webhooks.review import BadReview, Request, Verdict, answer, fail, read

log = logging.getLogger(__name__)

Handler = Callable[[Request, Budget], Awaitable[Verdict]]

CONCURRENCY: Final = 64
BODY_LIMIT: Final = 8 * 1024 * 1024
"""Two objects of the greatest size that etcd takes, with their envelope."""


class AdmissionServer:
    """Serves handlers by path while it is entered; `port` is the real one, also when 0 was asked for."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        bind_address: str,
        port: int,
        tls: ServerTLS | None,
        metrics: Metrics,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._handlers = dict(handlers)
        self._bind_address, self.port = bind_address, port
        self._tls = tls
        self._metrics = metrics
        self._slots = asyncio.Semaphore(concurrency)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=BODY_LIMIT)
        for path, handler in self._handlers.items():
            app.router.add_post(path, self._route(path.strip("/"), handler))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
        await self._runner.setup()
        context = self._tls.context if self._tls is not None else None
        try:
            site = web.TCPSite(self._runner, self._bind_address, self.port, ssl_context=context)
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _route(self, name: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def route(call: web.Request) -> web.StreamResponse:
            budget = Budget.of(call.query.get("timeout"))
            try:
                request = read(await call.read())
            except BadReview as error:
                log.warning("refused: %s", error)
                return web.Response(status=400, text=f"{error}\n")
            verdict = await self._judge(name, handler, request, budget)
            return web.Response(body=answer(request, verdict), content_type="application/json")

        return route

    async def _judge(self, name: str, handler: Handler, request: Request, budget: Budget) -> Verdict:
        began = time.monotonic()
        resource = request.resource.resource
        key = f"{request.namespace}/{request.name}".lstrip("/")
        with (
            logs.context(webhook=name, request=request.uid, resource=resource, key=key),
            self._metrics.in_flight.track_inprogress(),
        ):
            verdict = await self._within(handler, request, budget)
            if not verdict.allowed:
                log.info(
                    "refused with %d: %s",
                    verdict.code,
                    verdict.message,
                    extra={"user": request.user_info.username},
                )
        self._metrics.seconds.labels(name).observe(time.monotonic() - began)
        self._metrics.requests.labels(name, resource, request.operation, str(verdict.code)).inc()
        return verdict

    async def _within(self, handler: Handler, request: Request, budget: Budget) -> Verdict:
        """The one place where faults are caught: each becomes a refusal that can be understood."""
        try:
            async with asyncio.timeout(budget.left), self._slots:
                return await handler(request, budget)
        except TimeoutError:
            return fail(504, "Timeout", "it could not be judged in time; try again")
        except PolicyUnavailable as error:
            return fail(
                503, "ServiceUnavailable", f"{error}; without a decision of the policies nothing passes"
            )
        except KubeError as error:
            log.warning("the API server could not be asked: %s", error)
            return fail(503, "ServiceUnavailable", f"it could not be judged: {error}")
        except Exception:
            log.exception("a fault while judging")
            return fail(
                500, "InternalError", "it could not be judged because of a fault; the log has the details"
            )
