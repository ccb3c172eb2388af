"""JSON patch and merge patch on small documents of our own, such as a Scale.

Patches of stored objects are the store's work; only what exists nowhere else is patched here.
"""

from __future__ import annotations

import copy
from typing import Any

from apiserver.status import Failure, bad_request, failure

MAX_OPERATIONS = 10_000


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects are merged, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902; the document itself stays as it is."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("the body of a JSON patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise failure(413, f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}")
    holder = {"": copy.deepcopy(document)}
    for operation in operations:
        _apply(holder, operation)
    return holder[""]


def _apply(holder: Any, operation: dict[str, Any]) -> None:
    path = _pointer(operation.get("path"))
    match operation.get("op"):
        case "add":
            _add(holder, path, _value(operation))
        case "remove":
            _remove(holder, path)
        case "replace":
            _find(holder, path)
            _replace(holder, path, _value(operation))
        case "test":
            if _find(holder, path) != _value(operation):
                raise _failed(f"testing path {operation['path']} failed")
        case "copy":
            _add(holder, path, copy.deepcopy(_find(holder, _pointer(operation.get("from")))))
        case "move":
            source = _pointer(operation.get("from"))
            value = _find(holder, source)
            _remove(holder, source)
            _add(holder, path, value)
        case other:
            raise bad_request(f"unknown operation in a JSON patch: {other!r}")


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise bad_request(f"the operation {operation.get('op')!r} of a JSON patch needs a value")
    return operation["value"]


def _pointer(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise bad_request("a path in a JSON patch must begin with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _find(holder: Any, path: list[str]) -> Any:
    value = holder
    for part in path:
        value = _step(value, part, path)
    return value


def _step(value: Any, part: str, path: list[str]) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    raise _failed(f"missing path {'/'.join(path)}")


def _add(holder: Any, path: list[str], value: Any) -> None:
    parent, last = _find(holder, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and (last == "-" or (last.isdigit() and int(last) <= len(parent))):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        raise _failed(f"missing path {'/'.join(path)}")


def _replace(holder: Any, path: list[str], value: Any) -> None:
    parent, last = _find(holder, path[:-1]), path[-1]
    parent[int(last) if isinstance(parent, list) else last] = value


def _remove(holder: Any, path: list[str]) -> None:
    _find(holder, path)
    parent, last = _find(holder, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]


def _failed(why: str) -> Failure:
    # kube-apiserver keeps to itself what it was; the log and the client's own patch tell
    del why
    return failure(422, "the server rejected our request due to an error in our request", details={})
