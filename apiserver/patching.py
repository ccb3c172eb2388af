"""JSON patch and merge patch, of what the store cannot patch: a Scale, an object as its author sees it.

A JSON patch does what it does in kube-apiserver, which is less strict than RFC 6902: a member that is missing
reads as null and may be replaced, indices count from the end when they are negative, a value that is not
there is null, and whatever stands before the first slash of a path is ignored.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import orjson

from apiserver.status import Failure, bad_request, failure

MAX_OPERATIONS: Final = 10_000
MAX_COPIED_BYTES: Final = 3 << 20
"""By all operations of a patch together, as in kube-apiserver: each may double what is there."""


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
    """The patched document; it itself stays as it is. A Failure of 400 for what is no patch, of 422 for one
    that does not fit.
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("the body of a JSON patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise failure(413, f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}")
    patching = _Patching(copy.deepcopy(document))
    for operation in copy.deepcopy(operations):  # what is put in may be changed by the next one
        patching.apply(operation)
    return patching.document


class _Patching:
    """A document on its way."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._copied = 0

    def apply(self, operation: dict[str, Any]) -> None:
        path, value = operation.get("path"), operation.get("value")
        match operation.get("op"):
            case "add":
                _add(self._place(path), value)
            case "remove":
                _remove(self._place(path))
            case "replace" if path == "":
                if not isinstance(value, dict | list):
                    raise _unfit()
                self.document = value
            case "replace":
                _replace(self._place(path), value)
            case "test":
                found = self.document if path == "" else _get(self._place(path))
                if not _equal(found, value):
                    raise _unfit()
            case "copy":
                found = self._copy(_get(self._place(operation.get("from"))))
                _add(self._place(path), found)
            case "move":
                source = self._place(operation.get("from"))
                found = _get(source)
                _remove(source)
                _add(self._place(path), found)
            case _:
                raise _unfit()

    def _place(self, pointer: Any) -> tuple[Any, str]:
        """The object or list that a pointer leads to, and the member or index in it."""
        if not isinstance(pointer, str) or "/" not in pointer:
            raise _unfit()
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        value = self.document
        for part in way:
            value = _get((value, part))
        if not isinstance(value, dict | list):
            raise _unfit()
        return value, last

    def _copy(self, value: Any) -> Any:
        try:
            data = orjson.dumps(value)
        except orjson.JSONEncodeError as error:  # it is nested too deep
            raise _unfit() from error
        self._copied += len(data)
        if self._copied > MAX_COPIED_BYTES:
            raise _unfit()
        return orjson.loads(data)


def _get(place: tuple[Any, str]) -> Any:
    parent, last = place
    if isinstance(parent, dict):
        return parent.get(last)
    if isinstance(parent, list):
        return parent[_index(last, len(parent))]
    raise _unfit()


def _add(place: tuple[Any, str], value: Any) -> None:
    parent, last = place
    if isinstance(parent, dict):
        parent[last] = value
    else:
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)


def _replace(place: tuple[Any, str], value: Any) -> None:
    parent, last = place
    parent[last if isinstance(parent, dict) else _index(last, len(parent))] = value


def _remove(place: tuple[Any, str]) -> None:
    parent, last = place
    if isinstance(parent, dict):
        if last not in parent:
            raise _unfit()
        del parent[last]
    else:
        del parent[_index(last, len(parent))]


def _index(text: str, size: int) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    # more of them are no index of anything, and may be too many to be read
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise _unfit()
    index = int(text)
    if not -size <= index < size:
        raise _unfit()
    return index % size


def _equal(one: Any, other: Any) -> bool:
    """As JSON: 1, 1.0 and true are three things."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return type(one) is type(other) and bool(one == other)


def _unfit() -> Failure:
    # kube-apiserver keeps to itself what it was
    return failure(422, "the server rejected our request due to an error in our request", details={})
