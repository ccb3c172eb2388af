"""Answers without what must differ: groups, names of the case, UIDs, times, and the numbers of versions.

What these have to say stays: the same UID is the same symbol in all answers of a case, and the versions of
an object are ranks, so that "changed", "unchanged" and "later" are compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tests.conformance.api import Api, Exchange

# What clients read. Others are kube-apiserver's own (audit and flow control), or of the connection.
HEADERS = (
    "Content-Type", "Warning", "Retry-After", "Allow", "Cache-Control", "Etag", "Vary", "Content-Encoding",
    "X-Content-Type-Options", "Location", "Www-Authenticate", "Expires", "Accept-Patch",
    "Upgrade", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "Sec-Websocket-Accept", "Close-Code",
)  # fmt: skip
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_AGE = re.compile(r"\d+s|\d+m(\d+s)?")
_VERSION_IN_TEXT = re.compile(r"(?i)(resource version[^0-9]{0,12})(\d+)((?:, current: |\s\()(\d+))?")
# Decoding errors quote how a body begins, and that is the name of the group.
_EXCERPT = re.compile(r" \((?:\{[^)]*|[0-9a-f]+) \.\.\.\)")
_QUOTED_VERSION = re.compile(r'((?:resourceVersion\\*"?: ?\\*"|in record \())(\d+)\b(?!-)')
_VERSION_LINE = re.compile(r' *resourceVersion: "([1-9]\d*)"')
_TOKEN = re.compile(r"(continue(?:=|: ))eyJ[\w-]+")
_LIST_IN_YAML = re.compile(r'(?m)(^  continue: .*\n(?:  remainingItemCount: \d+\n)?  resourceVersion: ")\d+')
_HTTP_DATE = re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
_GENERATED = re.compile(r"(gen[-.]*|e{20,}[-.]*)[bcdfghjklmnpqrstvwxz2456789]{5}\b")


class Normal:
    """The answers of one case on one arm, made comparable."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._uids: dict[str, str] = {}
        versions = sorted({each for exchange in api.exchanges for each in _versions(exchange.body)}, key=int)
        self._ranks = {version: f"<version {rank}>" for rank, version in enumerate(versions, 1)}

    def exchanges(self) -> list[dict[str, Any]]:
        return [self._exchange(each) for each in self._api.exchanges]

    def _exchange(self, exchange: Exchange) -> dict[str, Any]:
        body = _ordered(exchange.body)
        return {
            "request": self.text(exchange.label),
            "status": exchange.status,
            "headers": {
                name: [self.text(value) for value in sorted(exchange.headers[name])]
                for name in HEADERS
                if name in exchange.headers
            },
            "body": self.value(body),
        }

    def value(self, value: Any, key: str = "", parent: Any = None) -> Any:
        if isinstance(value, dict):
            return {self.text(name): self.value(below, name, value) for name, below in value.items()}
        if isinstance(value, list):
            return [
                self.value(each, key) for each in (_by_manager(value) if key == "managedFields" else value)
            ]
        if not isinstance(value, str):
            return value
        if key == "resourceVersion":
            return self._version(value, parent)
        if key == "continue":
            return "<token>" if value else value
        if key == "cells" and _AGE.fullmatch(value):
            return "<age>"
        return self.text(value)

    def _version(self, value: str, parent: Any) -> str:
        if not value.isdigit():
            return self.text(value)
        if value == "0":
            return value
        is_object = isinstance(parent, dict) and ("uid" in parent or "name" in parent)
        return self._ranks.get(value, "<other version>") if is_object else "<version of the list>"

    def text(self, text: str) -> str:
        text = text.replace(self._api.token, "TOKEN").replace(self._api.arm.group, "GROUP")
        text = _LIST_IN_YAML.sub(r"\1<version of the list>", text)
        text = _QUOTED_VERSION.sub(lambda found: found[1] + self._ranks.get(found[2], "<version>"), text)
        text = _TOKEN.sub(r"\1<token>", text)
        text = _EXCERPT.sub(" (<excerpt>)", text)
        text = _UUID.sub(lambda found: self._uid(found[0]), text)
        text = _HTTP_DATE.sub("<date>", _TIME.sub("<time>", text))
        text = _GENERATED.sub(r"\1<random>", text)
        return _VERSION_IN_TEXT.sub(
            lambda found: f"{found[1]}<version>" + ("<and current>" if found[3] else ""), text
        )

    def _uid(self, uid: str) -> str:
        return self._uids.setdefault(uid, f"<uid {len(self._uids) + 1}>")


def _by_manager(managers: list[Any]) -> list[Any]:
    """Owners of fields in an order that does not depend on the second in which they wrote."""
    return sorted(
        managers,
        key=lambda each: [each.get(k, "") for k in ("operation", "manager", "subresource", "apiVersion")],
    )


def _ordered(body: Any) -> Any:
    """A Status with its causes in one order: kube-apiserver names them in that of a hash table."""
    if isinstance(body, dict) and "errors:\n" in str(body.get("message")):
        first, *others = body["message"].split("\n")
        return {**body, "message": "\n".join([first, *sorted(others)])}
    details = body.get("details") if isinstance(body, dict) and body.get("kind") == "Status" else None
    causes = details.get("causes") if isinstance(details, dict) else None
    if not isinstance(causes, list) or len(causes) < 2:
        return body
    ordered = sorted(causes, key=lambda cause: json.dumps(cause, sort_keys=True))
    message = body["message"]
    if all(cause.get("message", "") in message for cause in causes):
        message = re.sub(r"(is invalid|conflicts?): .*", r"\1: <the causes>", message, flags=re.DOTALL)
    return {**body, "message": message, "details": {**details, "causes": ordered}}


def _versions(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        version = value.get("resourceVersion")
        known = "uid" in value or "name" in value
        if known and isinstance(version, str) and version.isdigit() and version != "0":
            yield version
        for below in value.values():
            yield from _versions(below)
    elif isinstance(value, list):
        for below in value:
            yield from _versions(below)
    elif isinstance(value, str) and (line := _VERSION_LINE.fullmatch(value)):
        yield line[1]
