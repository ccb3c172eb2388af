"""One audit event as a line of JSON."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson
import yaml
from aiohttp import web

from apiserver.audit.policy import API_VERSION, Level, Verdict
from apiserver.call import Call
from apiserver.identity import User
from apiserver.requestinfo import RequestInfo
from apiserver.status import Failure

Obj = dict[str, Any]

TRUNCATED: Final = "audit.k8s.io/truncated"
_UNREAD: Final = frozenset({400, 413, 415})
"""Codes of requests whose body may be anything but an object."""


def stamp(seconds: float) -> str:
    """A time as MicroTime is written."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1_000_000):06d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def head(call: Call, verdict: Verdict, audit_id: str, received: float) -> Obj:
    """What all events of a request have in common. Nothing of it is a credential: of headers only the
    addresses and the name of the program are told."""
    return skeleton(
        call.info,
        call.asking or call.user,
        level=verdict.level,
        audit_id=audit_id,
        uri=call.request.raw_path,
        addresses=addresses(call.headers.get("X-Forwarded-For", ""), call.request.remote or ""),
        agent=call.headers.get("User-Agent", ""),
        received=received,
    )


def skeleton(
    info: RequestInfo,
    user: User,
    *,
    level: Level,
    audit_id: str,
    uri: str,
    addresses: list[str],
    agent: str,
    received: float,
) -> Obj:
    """The same from its parts."""
    event: Obj = {
        "kind": "Event",
        "apiVersion": API_VERSION,
        "level": level.text,
        "auditID": audit_id,
        "stage": "",
        "requestURI": uri,
        "verb": info.verb,
        "user": told_user(user),
        "sourceIPs": addresses,
        "userAgent": agent[:1024],
        "requestReceivedTimestamp": stamp(received),
        "stageTimestamp": "",
    }
    if info.is_resource:
        reference = {
            "resource": info.resource,
            "namespace": info.namespace,
            "name": info.name,
            "apiGroup": info.group,
            "apiVersion": info.version,
            "subresource": info.subresource,
        }
        event["objectRef"] = {key: value for key, value in reference.items() if value}
    return event


def told_user(user: User) -> Obj:
    """A user as events tell of him."""
    told: Obj = {"username": user.name}
    if user.uid:
        told["uid"] = user.uid
    if user.groups:
        told["groups"] = user.groups
    if user.extra:
        told["extra"] = dict(user.extra)
    return told


def addresses(forwarded: str, peer: str) -> list[str]:
    """Where a request came from, the first sender first."""
    if forwarded == peer:
        return [peer]
    parts = (*(part.strip() for part in forwarded.split(",")), peer)
    return list(dict.fromkeys(address for address in parts if address))[:16]


def decision(call: Call) -> Obj:
    """What authorization decided."""
    return {} if call.allowed is None else decided(call.allowed, call.reason)


def decided(allowed: bool, reason: str) -> Obj:
    """The annotations that say it."""
    return {
        "authorization.k8s.io/decision": "allow" if allowed else "forbid",
        "authorization.k8s.io/reason": reason,
    }


def status_of(code: int, failure: Failure | None) -> Obj:
    """The responseStatus."""
    if failure is None:
        return {"metadata": {}, "code": code}
    wanted = ("status", "message", "reason", "details")
    told = {key: failure.status[key] for key in wanted if failure.status.get(key)}
    return {"metadata": {}, **told, "code": code}


def bodies(call: Call, verdict: Verdict, response: web.StreamResponse | None, event: Obj) -> None:
    """Add what the level asks for of the request and of the answer."""
    code = response.status if response is not None else 0
    if verdict.level >= Level.REQUEST and call.body and code not in _UNREAD:
        told = _object(call.body, verdict)
        if told is not None:
            event["requestObject"] = told
            _name(event, told)
    if verdict.level < Level.REQUEST_RESPONSE or not isinstance(response, web.Response):
        return
    body = response.body
    if isinstance(body, bytes | bytearray) and body:
        data = bytes(body)
        if response.headers.get("Content-Encoding") == "gzip":
            data = zlib.decompress(data, wbits=47)
        told = _object(data, verdict)
        if told is not None:
            event["responseObject"] = told
            if code < 300:
                _name(event, told)


def _object(data: bytes, verdict: Verdict) -> Any:
    """The document in a body; YAML too, and None for what is neither."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            document = yaml.safe_load(data)
        except (yaml.YAMLError, ValueError, RecursionError):
            return None
    if verdict.omit_managed_fields and isinstance(document, dict):
        _forget_managers(document)
        for item in document.get("items") or ():
            if isinstance(item, dict):
                _forget_managers(item)
    return document


def _forget_managers(document: Obj) -> None:
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)


def _name(event: Obj, document: Any) -> None:
    """The name that a create gives, which the path does not have, and which object of that name it is."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    reference = event.get("objectRef")
    if not isinstance(metadata, dict) or not isinstance(reference, dict) or document.get("kind") == "Status":
        return
    if metadata.get("name") != reference.get("name", metadata.get("name", "")):
        return  # a list, or what was made of another kind
    for key in ("name", "uid", "resourceVersion"):
        if key not in reference and isinstance(metadata.get(key), str) and metadata[key]:
            reference[key] = metadata[key]


def encode(event: Obj, limit: int) -> bytes:
    """The line; bodies are left out, and that said, where it would be longer than the limit."""
    line = _line(event)
    if len(line) <= limit or not ("requestObject" in event or "responseObject" in event):
        return line
    short = {key: value for key, value in event.items() if key not in ("requestObject", "responseObject")}
    short["annotations"] = {**event.get("annotations", {}), TRUNCATED: "true"}
    return _line(short)


def _line(event: Obj) -> bytes:
    try:
        return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS, default=str)
    except TypeError:  # numbers beyond 64 bits, for which a body was refused: recorded all the same
        return json.dumps(event, default=str).encode() + b"\n"
