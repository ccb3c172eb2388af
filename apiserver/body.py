"""Bodies of requests: read with a limit, decoded from JSON or YAML, with duplicate keys found.

The store never sees a user's bytes, only what was decoded here; so what decoding would hide (a key that
is given twice) is found here as well.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml
from aiohttp import StreamReader

from apiserver import yamldoc
from apiserver.repeated import mark
from apiserver.status import Failure, bad_request, failure, unsupported_media_type

LIMIT = 3 * 1024 * 1024
ASIDE = 32 * 1024
"""Bytes that are decoded at once; more are decoded in a thread."""
_MAX_NODES = 1_000_000
_YAML_TYPES = frozenset({"application/yaml"})

APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, APPLY)
# The third cannot be read, as with a custom resource, and yet is named in refusals.
_OBJECT_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_SPACES = b" \t\r\n"
_PARAMETER = re.compile(r"\s*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|\"(?:[^\"\\]|\\.)*\")\s*")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded body and the paths of keys that it gives more than once."""

    value: Any
    duplicates: tuple[str, ...] = field(default=())


async def read(stream: StreamReader) -> bytes:
    """The whole body, or 413."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in stream.iter_any():
            size += len(chunk)
            if size > LIMIT:
                raise longer()
            chunks.append(chunk)
    except ConnectionError as error:
        raise bad_request("the connection broke before the whole body had come") from error
    return b"".join(chunks)


def longer() -> Failure:
    return failure(413, f"Request entity too large: limit is {LIMIT}")


def media_type(header: str | None) -> str:
    """The media type of a Content-Type header; absent means JSON, as `create --raw` has none."""
    kind, *parameters = (header or "application/json").split(";")
    if not all(_PARAMETER.fullmatch(each) for each in parameters if each.strip()):
        return ""
    return kind.strip().lower()


def decode_object(data: bytes, content_type: str | None, *, keep: bool = False) -> Decoded:
    """The body of a create, update or delete. With ``keep`` a key given twice is there twice, marked."""
    decode = decode_json if object_type(content_type) == "application/json" else decode_yaml
    return decode(data, keep=keep)


def object_type(content_type: str | None) -> str:
    """The media type of an object, or 415."""
    kind = media_type(content_type)
    if kind != "application/json" and kind not in _YAML_TYPES:
        raise unsupported_media_type(_OBJECT_TYPES)
    return kind


def patch_type(content_type: str | None) -> str:
    """The kind of a patch, or 415. Strategic merge patches are for built-in types only, as with a CRD."""
    # kube-apiserver compares what stands before the first semicolon, letter by letter
    kind = (content_type or "").partition(";")[0]
    if kind not in PATCH_TYPES:
        raise unsupported_media_type(PATCH_TYPES)
    return kind


def decode_json(data: bytes, *, keep: bool = False) -> Decoded:
    """JSON; orjson judges the syntax, and the slower decoder runs where keys may be given twice."""
    return _decode_json(_readable, data, keep=keep)


def _decode_json(read: Callable[[bytes], tuple[bytes, Any]], data: bytes, *, keep: bool) -> Decoded:
    try:
        data, value = read(data)
        if len(data) > ASIDE or data.count(b"{") + data.count(b"[") >= yamldoc.MAX_DEPTH:
            check_depth(value)
        if _says_all(value, data):
            return Decoded(value)
        repeated: list[tuple[int, str]] = []
        value = json.loads(data, object_pairs_hook=lambda pairs: _object(pairs, repeated, keep))
    except orjson.JSONDecodeError as error:
        # integers beyond 64 bits are JSON, but no number that Kubernetes could hold
        raise bad_request(f"the object provided is not valid JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise bad_request("the object provided is nested too deeply") from error
    check_depth(value)
    return Decoded(value, _paths(value, repeated) if repeated else ())


def _says_all(value: Any, data: bytes) -> bool:
    """Whether nothing of some JSON got lost when it was read: a key that was given twice, digits of a number.

    False also where the same is only written in another way. Spaces within texts do not matter: what they are
    between is there in both, and in the same order.
    """
    if b"\\u00" in data:
        # as Go writes them; where it is no escape, what comes of it is no JSON, and equal to nothing
        for sign in b"<>&":
            data = data.replace(b"\\u%04x" % sign, bytes([sign]))
    return data.translate(None, _SPACES) == orjson.dumps(value).translate(None, _SPACES)


def _each(error: UnicodeError) -> tuple[str, int]:
    """What stands for bytes that are no text: one sign for each, as in Go."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("each", _each)
_ESCAPE = re.compile(
    r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|u(d[89a-f][0-9a-f]{2})|.)", re.I | re.S
)


def _strict(data: bytes) -> tuple[bytes, Any]:
    """JSON, if it is that, and what it says."""
    return data, orjson.loads(data)


def _readable(data: bytes) -> tuple[bytes, Any]:
    """JSON whose texts are texts. Half characters are read as kube-apiserver reads them: as the sign that
    something was there.
    """
    try:
        return _strict(data)
    except orjson.JSONDecodeError:
        text = data.decode("utf-8", "each")
        mended = _ESCAPE.sub(lambda found: r"\ufffd" if found[3] else found[0], text).encode()
        if mended == data:
            raise
        return _strict(mended)


def decode_yaml(data: bytes, *, keep: bool = False) -> Decoded:
    """One YAML document, read as Kubernetes does: timestamps stay text, anchors are limited.

    Most clients send JSON, which is YAML that is read a hundred times as fast.
    """
    if data.lstrip().startswith(b"{"):
        with contextlib.suppress(Failure):
            decoded = _decode_json(_strict, data, keep=False)
            if not decoded.duplicates:
                return decoded
    repeated: list[tuple[int, str]] = []
    try:
        value = yamldoc.load(data.decode("utf-8"), lambda pairs, lines: _object(pairs, repeated, keep, lines))
    except yamldoc.TooLarge as error:
        raise too_large() from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or "not valid YAML"
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise bad_request(f"the object provided is not valid YAML: {line}{problem}") from error
    check_depth(value)
    try:
        orjson.dumps(value)
    except TypeError as error:
        # half a character, an integer of more than 64 bits: text to YAML, and nothing to anybody else
        raise bad_request(f"the object provided holds a value that JSON cannot express: {error}") from error
    return Decoded(value, _paths(value, repeated) if repeated else ())


async def decoded(decode: Callable[[bytes], Decoded], data: bytes) -> Decoded:
    """Decode aside when it may take long, so that nobody else waits for it."""
    return decode(data) if len(data) <= ASIDE else await asyncio.to_thread(decode, data)


def _object(
    pairs: list[tuple[str, Any]],
    repeated: list[tuple[int, str]],
    keep: bool,
    lines: list[int] | None = None,
) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    last = {key: index for index, (key, _) in enumerate(pairs)}
    again = [(index, key) for index, (key, _) in enumerate(pairs) if last[key] != index]
    if keep:
        marked = {index: mark(key, index, _next(pairs, index, lines)) for index, key in again}
        return {marked.get(index, key): value for index, (key, value) in enumerate(pairs)}
    repeated += [(id(result), key) for _, key in again]
    return result


def _next(pairs: list[tuple[str, Any]], index: int, lines: list[int] | None) -> int:
    """The line in which a key comes again."""
    if lines is None:
        return 0
    key = pairs[index][0]
    return next(lines[later] for later in range(index + 1, len(pairs)) if pairs[later][0] == key)


def _paths(value: Any, repeated: list[tuple[int, str]]) -> tuple[str, ...]:
    by_object: dict[int, list[str]] = {}
    for identity, key in repeated:
        by_object.setdefault(identity, []).append(key)
    found: list[str] = []
    pending: list[tuple[str, Any]] = [("", value)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, dict):
            found += [f"{path}.{key}" if path else key for key in by_object.get(id(item), ())]
            pending += [(f"{path}.{key}" if path else key, below) for key, below in item.items()]
        elif isinstance(item, list):
            pending += [(f"{path}[{index}]", below) for index, below in enumerate(item)]
    return tuple(dict.fromkeys(sorted(found)))


def check_depth(value: Any, *, below: int = 0) -> None:
    """Bound depth and size, with references counted as often as they would be written out. The value is to
    stand so many steps below the root.
    """
    nodes = size = 0
    level = [value]
    for _ in range(yamldoc.MAX_DEPTH - below):
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                size += len(item)
            elif kind is dict:
                inner += item.values()
                size += sum(map(len, item))
            elif kind is list:
                inner += item
            elif kind is int or kind is float:
                if not _is_number(item):
                    raise bad_request("the object provided holds a number that Kubernetes cannot express")
            elif item is not None and kind is not bool:
                raise bad_request(
                    f"the object provided holds a value that JSON cannot express: {kind.__name__}"
                )
        nodes += len(level)
        if nodes + len(inner) > _MAX_NODES or size > 2 * LIMIT:
            raise too_large()
        if not inner:
            return
        level = inner
    raise bad_request("the object provided is nested too deeply")


def _is_number(value: float) -> bool:
    return math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**64


def too_large() -> Failure:
    return failure(413, "Request entity too large: the object provided has too many parts")
