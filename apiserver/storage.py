"""The store: storage.missioncontrol.io in kube-apiserver, where every object of ours really is.

Requests go through with nothing added but who asked; errors and warnings come back in the words of the
face that the user talks to. The server writes as itself, impersonating itself, for only so can the name
of the requester reach the store's webhooks in a way that no client can forge.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from apiserver import deep
from apiserver.body import APPLY
from apiserver.call import Call
from apiserver.kinds import FACES
from apiserver.repeated import Document, encode
from apiserver.status import Failure, failure, internal_error, store_unavailable, timed_out
from apiserver.translate import statuses
from apiserver.translate.face import Face, Obj
from missioncontrol.api.names import REQUESTER_EXTRA, Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotSent, TransportError
from missioncontrol.kube.plain import PlainReader
from missioncontrol.kube.stream import Stream
from missioncontrol.kube.transport import Response

log = logging.getLogger(__name__)

Query = Sequence[tuple[str, str]]

LIST_PARAMETERS = ("resourceVersion", "resourceVersionMatch", "limit", "continue", "labelSelector")
WATCH_PARAMETERS = (*LIST_PARAMETERS, "timeoutSeconds", "allowWatchBookmarks", "sendInitialEvents")
FIELD_VALIDATION = "fieldValidation"
WRITE_PARAMETERS = ("dryRun", FIELD_VALIDATION)
_DIRECTIVES = ("", "Ignore", "Warn", "Strict")
WATCH_IDLE_SECONDS = 150.0
_REQUESTER_HEADER = f"Impersonate-Extra-{quote(REQUESTER_EXTRA, safe='')}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the store answered to a write."""

    status: int
    body: Obj


class Store:
    """The façade's one way to its objects."""

    def __init__(self, client: Client, *, system_namespace: str) -> None:
        self._client = client
        self._lean = PlainReader(client)
        self._self = f"system:serviceaccount:{system_namespace}:{Component.APISERVER}"

    async def read(self, call: Call, face: Face, path: str, query: Query = ()) -> Obj:
        """GET an object or a list."""
        return (await self._send(call, face, "GET", path, query=query)).body

    async def write(
        self,
        call: Call,
        face: Face,
        method: str,
        path: str,
        *,
        body: Any,
        query: Query = (),
        content_type: str = "application/json",
    ) -> Reply:
        """Change something on behalf of the caller; a body of bytes is sent as it is."""
        document = _encoded(body, content_type)
        headers = {
            "Content-Type": document.content_type,
            "Impersonate-User": self._self,
            _REQUESTER_HEADER: call.user.as_requester(),
        }
        if not document.repeats and content_type == APPLY:
            query = read_once(query)
        return await self._send(call, face, method, path, query=query, body=document.data, headers=headers)

    async def _send(
        self,
        call: Call,
        face: Face,
        method: str,
        path: str,
        *,
        query: Query,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        try:
            # not repeated here: clients know how, and hold the time budget
            response = await self._lean.exchange(
                method,
                path,
                query=query,
                body=body,
                headers=headers or {},
                timeout=call.remaining(),
            )
        except TransportError as error:
            raise self.no_answer(call, method, error) from error
        call.warnings += [face.text(each) for each in response.headers.getall("Warning", ())]
        if response.status >= 400:
            raise self.refused(face, response)
        return Reply(response.status, _decoded(response))

    @asynccontextmanager
    async def watch(self, call: Call, face: Face, path: str, query: Query) -> AsyncIterator[Stream]:
        """Open a watch; an error before the first event is raised as a Failure, a later one as it is."""
        opened = False
        try:
            async with self._client.stream(
                path, query=list(query), idle_timeout=WATCH_IDLE_SECONDS, timeout=call.remaining()
            ) as stream:
                if stream.status >= 400:
                    body = b"".join([chunk async for chunk in stream.chunks()])
                    raise self.refused(face, Response(stream.status, stream.headers, body))
                opened = True
                yield stream
        except TransportError as error:
            if opened:
                raise
            raise self.no_answer(call, "GET", error) from error

    def no_answer(self, call: Call, method: str, error: TransportError) -> Failure:
        """What a caller is told when the store does not answer."""
        call.remaining()  # 504 if it was the caller's own time that ran out
        log.warning("the store does not answer: %s", error)
        if method == "GET" or isinstance(error, NotSent):
            return store_unavailable()
        # no Retry-After here: the change may have been made, and a client that repeats it blindly would err
        return failure(503, "the store did not answer in time; whether the change was made is not known")

    def refused(self, face: Face, response: Response) -> Failure:
        """What the store refuses, in the words of the face."""
        status = _status_in(response)
        message = str(status.get("message") or "")
        headers = (
            {"Retry-After": response.headers["Retry-After"]} if "Retry-After" in response.headers else {}
        )
        if response.status == 401:
            log.error("the store does not accept this server's credentials")
            return store_unavailable("the store does not accept this server's credentials")
        if response.status == 403 and f'User "{self._self}" cannot' in message:
            log.error("this server lacks a right in the store: %s", message)
            return internal_error("this server lacks a right in its store")
        if response.status == 404 and not status:
            return store_unavailable(f"the store of {face.virtual.group_resource} is not installed")
        if response.status == 504 and not status:
            return timed_out()
        if not status:
            return failure(response.status, "the store refused the request", headers=headers)
        return Failure({**statuses.to_virtual(FACES, face, status), "code": response.status}, headers=headers)


def _encoded(body: Any, content_type: str) -> Document:
    if isinstance(body, bytes):  # of the client, perhaps unreadable: nobody knows what it repeats
        return Document(body, content_type, repeats=True)
    return encode(body, content_type)


def read_once(query: Query) -> Query:
    """The parameters of an apply that gives no key twice, so that the store does not look for such keys.

    It would read the YAML a second time for that (0.5 ms for 4 KiB). `fieldValidation` judges nothing else of
    an apply: unknown fields are refused in any case.
    """
    given = [value for name, value in query if name == FIELD_VALIDATION]
    if any(value not in _DIRECTIVES for value in given):
        return query  # to be refused by the store
    return [each for each in query if each[0] != FIELD_VALIDATION] + [(FIELD_VALIDATION, "Ignore")]


def _status_in(response: Response) -> Obj:
    try:
        decoded = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) and decoded.get("kind") == "Status" else {}


def _decoded(response: Response) -> Obj:
    try:
        decoded = deep.loads(response.body)
    except orjson.JSONDecodeError as error:
        raise internal_error("the store's answer cannot be read") from error
    if not isinstance(decoded, dict):
        raise internal_error("the store's answer cannot be read")
    return decoded
