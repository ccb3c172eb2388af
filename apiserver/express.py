"""The short way of reads that come from kube-apiserver and need nothing but what is in memory.

Of the hundreds of microseconds that a read takes here, most go to reading its headers, making objects of
them and walking through every stage. But all requests of a user look alike, but for the path and an id. So
what the headers mean is remembered by their bytes, and what a path means by the path. The checks are the
same: the front proxy's certificate, the user's right, the user's turn. Whatever is not plain takes the long
way, with the very same bytes; there is no error and no refusal in this module.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from multidict import CIMultiDict, CIMultiDictProxy

from apiserver import authz, impersonation, requestinfo, trust
from apiserver.asked import LONGEST, Asked, Dialect, TextField
from apiserver.audit import event
from apiserver.audit.event import Obj
from apiserver.audit.log import Auditor
from apiserver.audit.policy import Level
from apiserver.authn import proxied_user
from apiserver.authz import Attributes
from apiserver.context import Context
from apiserver.fairness import Ticket, Turns
from apiserver.handlers import read
from apiserver.identity import User, completed
from apiserver.kinds import GROUP, SERVED, Served
from apiserver.metrics import Metrics, labels_of_read
from apiserver.negotiate import LIST, SINGLE, accept, takes_gzip, wants_pretty
from apiserver.requestinfo import RequestInfo
from apiserver.status import Failure
from apiserver.trust import Trust
from apiserver.watchcache import forms
from apiserver.watchcache.entries import Entry, Selection, selection
from apiserver.watchcache.forms import Form
from apiserver.watchcache.mirror import Mirror
from missioncontrol.api.registry import StoredAs
from missioncontrol.kube.transport import Response

log = logging.getLogger(__name__)

REMEMBERED: Final = 4096
_PLAIN_TARGET: Final = re.compile(rb"/apis/[\w.~/:-]{1,1024}(?:\?[\w.~=&-]{1,256})?")
_PARAMETERS: Final = frozenset({"resourceVersion", "resourceVersionMatch", "limit"})
_AUDIT_ID: Final = re.compile(rb"[\w.:-]{1,64}")
_NOT_PLAIN: Final = frozenset(
    {"authorization", "connection", "content-length", "expect", "if-match", "if-none-match", "range"}
    | {"te", "trailer", "transfer-encoding", "upgrade", "http2-settings"}
)


@dataclass(slots=True)
class _Target:
    """What a path and query ask for."""

    info: RequestInfo
    served: Served
    query: dict[str, str]
    attributes: Attributes
    general: Attributes
    """The same for all objects."""
    labels: tuple[str, ...]
    uri: str
    """As it is asked for."""
    name: str
    """Of the stored object, or nothing for a list."""
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class _Headers:
    """What a block of headers says."""

    user: User
    accept: str
    gzip: bool
    agent: str
    forwarded: str


class Answer(NamedTuple):
    """200, and JSON."""

    asked: Asked
    body: bytes
    """May be compressed."""


Done = Callable[[Answer | None], None]
"""What is called with the answer; None sends the request the long way."""


class Reply:
    """A request on the short way."""

    __slots__ = ("asked", "began", "done", "headers", "target", "ticket", "trail")

    def __init__(
        self, asked: Asked, target: _Target, headers: _Headers, ticket: Ticket | None, done: Done
    ) -> None:
        self.asked, self.target, self.headers, self.ticket = asked, target, headers, ticket
        self.done = done
        self.began = time.monotonic()
        self.trail: tuple[Obj, str] | None = None
        """The skeleton of its audit event, and why it is allowed."""


class Express:
    """Answers plain reads."""

    def __init__(
        self,
        context: Context,
        trusted: Callable[[], Trust],
        *,
        turns: Turns,
        metrics: Metrics,
        auditor: Auditor,
        is_open: Callable[[], bool],
    ) -> None:
        self._context = context
        self._trusted = trusted
        self._turns, self._metrics, self._auditor = turns, metrics, auditor
        self._is_open = is_open
        self._targets: dict[tuple[Dialect, bytes], _Target | None] = {}
        self._headers: dict[tuple[Dialect, bytes], tuple[Trust, _Headers | None]] = {}
        self._forms: dict[tuple[str, str, bool], Form | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, asked: Asked, certificate: bytes | None, peer: str, done: Done) -> bool:
        """Take one request, if it is a plain read; `done` then gets the answer, at once or later, or None
        when the request has to go the long way after all.
        """
        if certificate is None or not self._is_open() or not asked.audit_id:
            return False
        target = self._target(asked)
        if target is None:
            return False
        trusted = self._trusted()
        if not trust.is_front_proxy(trusted, certificate, time.time()):
            return False
        headers = self._head(asked, trusted)
        if headers is None:
            return False
        # most have the right on all objects, and that is one entry in what is known
        known = self._context.authorizer.known
        decision = known(headers.user, target.general)
        if decision is None or not decision.allowed:
            decision = known(headers.user, target.attributes)
            if decision is None or not decision.allowed:
                return False
        verdict = self._auditor.judge(target.info, headers.user)
        if verdict.level > Level.METADATA or (verdict.level and "RequestReceived" not in verdict.omit_stages):
            # more is to be told of it than one event
            return False
        audit_id = asked.dialect.audit_id(asked.audit_id)
        if audit_id is None or not _AUDIT_ID.fullmatch(audit_id):
            return False
        try:
            ticket = self._turns.place(target.info, headers.user)
        except Failure:
            return False
        if ticket is not None and not ticket.started:
            ticket.release()
            return False
        reply = Reply(asked, target, headers, ticket, done)
        if verdict.level and "ResponseComplete" not in verdict.omit_stages:
            skeleton = event.skeleton(
                target.info,
                headers.user,
                level=verdict.level,
                audit_id=audit_id.decode(),
                uri=target.uri,
                addresses=event.addresses(headers.forwarded, peer),
                agent=headers.agent,
                received=time.time(),
            )
            reply.trail = skeleton, decision.reason
        try:
            return self._answer(reply)
        except Exception:
            log.exception("the short way failed for %s", target.info.path)
            self._release(reply)
            return False

    # What is remembered ------------------------------------------------------------------------------------

    def _target(self, asked: Asked) -> _Target | None:
        key = asked.dialect, asked.target
        try:
            return self._targets[key]
        except KeyError:
            if len(self._targets) >= REMEMBERED:
                self._targets.clear()
            raw = asked.dialect.target(asked.target)
            found = _parse_target(raw) if raw is not None and _PLAIN_TARGET.fullmatch(raw) else None
            self._targets[key] = found
            return found

    def _head(self, asked: Asked, trusted: Trust) -> _Headers | None:
        key = asked.dialect, asked.rest
        found = self._headers.get(key)
        if found is None or found[0] is not trusted:
            if len(asked.rest) > LONGEST:
                return None
            if len(self._headers) >= REMEMBERED:
                self._headers.clear()
            fields = asked.dialect.fields(asked.rest)
            found = trusted, _parse_headers(fields, trusted) if fields is not None else None
            self._headers[key] = found
        return found[1]

    def _form(self, reply: Reply) -> Form | None:
        target = reply.target
        key = (target.info.resource, reply.headers.accept, bool(target.name))
        try:
            return self._forms[key]
        except KeyError:
            if len(self._forms) >= REMEMBERED:
                self._forms.clear()
            found = self._forms[key] = _negotiated(*key)
            return found

    # Answers -----------------------------------------------------------------------------------------------

    def _answer(self, reply: Reply) -> bool:
        form, target = self._form(reply), reply.target
        mirror = self._context.cache.mirror(target.served.info.stored)
        if form is None or mirror is None:
            self._release(reply)
            return False
        if target.name:
            return self._get(reply, form, mirror)
        if target.selection is None:
            target.selection = selection(mirror.reader, target.info.namespace, target.served.selection, ())
        if target.selection is None:
            self._release(reply)
            return False
        task = asyncio.ensure_future(self._list(reply, form, mirror, target.selection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def _get(self, reply: Reply, form: Form, mirror: Mirror) -> bool:
        target = reply.target
        version = target.query.get("resourceVersion")
        if version:
            known = read.is_number(version) and int(version) <= mirror.position
            entry = mirror.get(target.info.namespace, target.name) if known else None
            if entry is None:
                self._release(reply)
                return False
            self._send(reply, forms.single(form, entry, datetime.now(UTC)))
            return True
        reads = self._context.cache.objects(target.served.info.stored)
        latest = reads.latest(target.info.namespace, target.name)
        latest.add_done_callback(functools.partial(self._got, reply, form))
        return True

    def _got(self, reply: Reply, form: Form, latest: asyncio.Future[Entry | Response]) -> None:
        entry = None if latest.cancelled() or latest.exception() is not None else latest.result()
        body = None
        if isinstance(entry, Entry):
            try:
                body = forms.single(form, entry, datetime.now(UTC))
            except Exception:
                log.exception("the short way failed for %s", reply.target.info.path)
        self._end(reply, body)

    async def _list(self, reply: Reply, form: Form, mirror: Mirror, selected: Selection) -> None:
        body = None
        try:
            body = await self._listed(reply, form, mirror, selected)
        except Exception:
            log.exception("the short way failed for %s", reply.target.info.path)
        finally:
            self._end(reply, body)

    async def _listed(self, reply: Reply, form: Form, mirror: Mirror, selected: Selection) -> bytes | None:
        cache, query = self._context.cache, reply.target.query
        found = read.known(query, mirror, selected) or await read.proven(cache, query, mirror, selected)
        if found is None:
            return None
        body = await read.listed(cache, form, selected, found, gzip=reply.headers.gzip)
        self._turns.learn_size(reply.target.info, len(body))
        return body

    def _end(self, reply: Reply, body: bytes | None) -> None:
        if body is not None:
            self._send(reply, body)
            return
        self._release(reply)
        reply.done(None)

    def _send(self, reply: Reply, body: bytes) -> None:
        self._release(reply)
        self._metrics.read(reply.target.labels, time.monotonic() - reply.began, len(body))
        if reply.trail is not None:
            self._auditor.read(*reply.trail)
        reply.done(Answer(reply.asked, body))

    def _release(self, reply: Reply) -> None:
        if reply.ticket is not None:
            reply.ticket.release()
            reply.ticket = None


def _parse_target(raw: bytes) -> _Target | None:
    path, _, tail = raw.decode("ascii").partition("?")
    pairs = [pair.partition("=") for pair in tail.split("&") if pair]
    query = {name: value for name, _, value in pairs}
    if len(query) != len(pairs) or not set(query) <= _PARAMETERS or "//" in path:
        return None
    if any(segment in (".", "..") for segment in path.split("/")):
        return None
    info = requestinfo.parse("GET", path, query)
    served = SERVED.get(info.resource)
    if served is None or (info.group, info.version) != (GROUP, served.info.resource.version):
        return None
    if info.verb not in ("get", "list") or info.subresource or info.rest or path.endswith("/"):
        return None
    if served.info.stored_as is StoredAs.COMPUTED or info.verb not in served.info.verbs:
        return None
    if served.info.resource.namespaced is not bool(info.namespace) and (info.namespace or info.verb == "get"):
        return None
    return _Target(
        info=info,
        served=served,
        query=query,
        attributes=(attributes := authz.of_request(info)),
        general=attributes._replace(name=""),
        labels=labels_of_read(info),
        uri=raw.decode("ascii"),
        name=served.face.stored_name(info.name) if info.name else "",
    )


def _parse_headers(fields: list[TextField], trusted: Trust) -> _Headers | None:
    """The meaning of headers; None for those that are not plain."""
    headers: CIMultiDict[str] = CIMultiDict(fields)
    names = {name.lower() for name in headers}
    if (
        names & _NOT_PLAIN
        or impersonation.is_asked(CIMultiDictProxy(headers))
        or len(headers.getall("Host", ())) != 1
    ):
        return None
    user = proxied_user(trusted, CIMultiDictProxy(headers))
    if user is None or wants_pretty(None, headers.get("User-Agent", "")):
        return None
    gzip = takes_gzip(headers.get("Accept-Encoding", ""))
    return _Headers(
        completed(user),
        headers.get("Accept", ""),
        gzip,
        headers.get("User-Agent", ""),
        headers.get("X-Forwarded-For", ""),
    )


def _negotiated(plural: str, header: str, single: bool) -> Form | None:
    try:
        accepted = accept(header, SINGLE if single else LIST)
    except Failure:
        return None
    return None if accepted.yaml else forms.form(plural, accepted, None)
