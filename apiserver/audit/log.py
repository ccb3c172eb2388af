"""The auditor: follows each request and hands over its events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from apiserver.audit import event as events
from apiserver.audit.policy import NOTHING, Level, Policy, Verdict
from apiserver.audit.sink import Sink
from apiserver.call import Call
from apiserver.identity import User
from apiserver.requestinfo import RequestInfo
from apiserver.status import Failure
from missioncontrol.serving.series import Values

LARGEST_EVENT: Final = 1024 * 1024
"""Bytes; longer ones are written without their bodies."""


class Trail:
    """The events of one request."""

    __slots__ = ("_auditor", "_call", "_head", "_id", "_received", "_verdict")

    def __init__(
        self, auditor: Auditor, call: Call, verdict: Verdict, audit_id: str, received: float
    ) -> None:
        self._auditor, self._call, self._verdict = auditor, call, verdict
        self._id, self._received = audit_id, received
        self._head: dict[str, Any] | None = None

    def received(self) -> None:
        """The request is known, its answer is not."""
        if "RequestReceived" not in self._verdict.omit_stages:
            self._put("RequestReceived", self._event("RequestReceived", self._received))

    def started(self, code: int) -> None:
        """A long answer has begun."""
        if "ResponseStarted" not in self._verdict.omit_stages:
            event = self._event("ResponseStarted", self._auditor.now())
            event["responseStatus"] = events.status_of(code, None)
            self._put("ResponseStarted", event)

    def ended(
        self, response: web.StreamResponse | None, failure: Failure | None, *, panic: bool = False
    ) -> None:
        """The answer is complete; None: the client left before."""
        stage = "Panic" if panic else "ResponseComplete"
        if stage in self._verdict.omit_stages:
            return
        event = self._event(stage, self._auditor.now())
        if failure is not None:
            event["responseStatus"] = events.status_of(failure.code, failure)
        elif response is not None:
            event["responseStatus"] = events.status_of(response.status, None)
        if self._verdict.level is Level.METADATA:
            self._put(stage, event)
            return
        call, verdict, limit = self._call, self._verdict, self._auditor.limit

        def encode() -> bytes:
            events.bodies(call, verdict, response, event)
            return events.encode(event, limit)

        self._auditor.put(encode)

    def _event(self, stage: str, at: float) -> dict[str, Any]:
        if self._head is None:
            self._head = events.head(self._call, self._verdict, self._id, self._received)
        event = {**self._head, "stage": stage, "stageTimestamp": events.stamp(at)}
        if self._call.asking is not None:
            event["impersonatedUser"] = events.told_user(self._call.user)
        told = events.decision(self._call)
        if told:
            event["annotations"] = told
        return event

    def _put(self, stage: str, event: dict[str, Any]) -> None:
        self._auditor.put(events.encode(event, self._auditor.limit))


class Auditor:
    """Decides by the policy which requests leave a trail. Without a sink, none does."""

    def __init__(
        self,
        policy: Policy | None = None,
        sink: Sink | None = None,
        *,
        limit: int = LARGEST_EVENT,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._policy, self._sink = policy, sink
        self.limit = limit
        self.now = now
        self.events = Values("apiserver_audit_event_total", "Audit events handed over to be written.")
        self.levels = Values("apiserver_audit_level_total", "Requests by audit level.", ("level",))
        self.errors = Values(
            "apiserver_audit_error_total",
            "Audit events that were lost: no room, or the file cannot be written.",
            ("plugin",),
        )
        self.errors.set(0, ("log",))

    def judge(self, info: RequestInfo, user: User) -> Verdict:
        """What is to be told of a request."""
        return NOTHING if self._policy is None else self._policy.judge(info, user)

    def read(self, event: dict[str, Any], reason: str) -> None:
        """A read that was answered, told in one event; `event` is its skeleton."""
        event["stage"] = "ResponseComplete"
        event["stageTimestamp"] = events.stamp(self.now())
        event["responseStatus"] = {"metadata": {}, "code": 200}
        event["annotations"] = events.decided(True, reason)
        self.levels.add((event["level"],))
        self.put(events.encode(event, self.limit))

    @property
    def series(self) -> tuple[Values, ...]:
        """What is counted here."""
        return self.events, self.levels, self.errors

    def trail(self, call: Call, user: User | None, audit_id: str, received: float) -> Trail | None:
        """What follows this request, or None when it is not to be audited."""
        if self._policy is None:
            return None
        verdict = self._policy.judge(call.info, user)
        self.levels.add((verdict.level.text,))
        if verdict.level is Level.NONE or verdict is NOTHING:
            return None
        call.keeps_body = verdict.level >= Level.REQUEST
        return Trail(self, call, verdict, audit_id, received)

    def put(self, line: bytes | Callable[[], bytes]) -> None:
        """Hand over an event."""
        assert self._sink is not None
        self.events.add()
        self._sink.put(line)
        lost = self._sink.dropped + self._sink.failed
        if lost:
            self.errors.set(lost, ("log",))
