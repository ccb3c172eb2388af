"""Patches: the paths and values of a JSON patch, the bodies of merge and apply patches."""

from __future__ import annotations

from typing import Any

from apiserver.translate.face import Face, Faces, Obj
from apiserver.translate.objects import to_stored


def apply_to_stored(faces: Faces, face: Face, body: Obj) -> Obj:
    """The body of a server-side apply: an object that may be partial, but complete where it has a spec.

    An empty spec claims no type: so who owns one is told from who has lost all other fields to others.
    """
    stored = to_stored(faces, face, body)
    if face.argument and body.get("spec") == {}:
        stored["spec"] = {face.argument: {}}
    return stored


def with_type(face: Face, stored: Obj) -> Obj:
    """An apply of an empty spec as one that claims the type as well."""
    return {**stored, "spec": {"type": face.virtual.kind, **stored["spec"]}}


def is_bare(face: Face, stored: Obj) -> bool:
    """Whether this is an apply of an empty spec."""
    return bool(face.argument) and stored.get("spec") == {face.argument: {}}


def merge_to_stored(faces: Faces, face: Face, body: Obj) -> Obj:
    """The body of a JSON merge patch."""
    return to_stored(faces, face, body, whole=False)


def json_to_stored(faces: Faces, face: Face, operations: list[Any]) -> list[Any]:
    """The operations of a JSON patch. Malformed ones pass, for the store to refuse."""
    return [_operation(faces, face, each) if isinstance(each, dict) else each for each in operations]


def needs_whole(operations: list[Any]) -> bool:
    """Whether operations cannot be translated one by one: where they move what is there, which may be stored
    otherwise than it is shown, and may end up too deep; where they reach into an owner; and where they test
    the whole, at which kube-apiserver panics when nothing is said to test for.
    """
    return any(
        each.get("op") in ("copy", "move")
        or _reaches(each)
        or (each.get("op"), each.get("path")) == ("test", "")
        for each in operations
        if isinstance(each, dict)
    )


def _reaches(operation: Obj) -> bool:
    """Into an owner."""
    pointer = operation.get("path")
    return (
        isinstance(pointer, str)
        and pointer.startswith("/metadata/ownerReferences/")
        and pointer.count("/") > 3
    )


def _operation(faces: Faces, face: Face, operation: Obj) -> Obj:
    translated = dict(operation)
    for member in ("path", "from"):
        if isinstance(operation.get(member), str):
            translated[member] = _pointer(face, operation[member])
    if "value" in operation and isinstance(operation.get("path"), str):
        translated["value"] = _value_at(faces, face, operation["path"], operation["value"])
    return translated


def _pointer(face: Face, pointer: str) -> str:
    """`/spec/X` stays where X is common to all operations; else it is one of the kind's own arguments."""
    parts = pointer.split("/")
    if face.argument and len(parts) > 2 and parts[1] == "spec" and _unescape(parts[2]) not in face.common:
        parts.insert(2, face.argument)
    return "/".join(parts)


def _value_at(faces: Faces, face: Face, pointer: str, value: Any) -> Any:
    """Translate a value by wrapping it into the object that its path describes, and unwrapping it again."""
    if pointer == "":
        return to_stored(faces, face, value) if isinstance(value, dict) else value
    if not pointer.startswith("/"):
        return value
    path = [_unescape(part) for part in pointer[1:].split("/")]
    if path[0] == "spec" and len(path) > 1:
        return value  # below spec only places change
    wrapped: Any = value
    for part in reversed(path):
        wrapped = [wrapped] if part == "-" or part.isdigit() else {part: wrapped}
    if not isinstance(wrapped, dict):
        return value
    if path == ["kind"]:
        wrapped["apiVersion"] = face.virtual.api_version
    unwrapped: Any = to_stored(faces, face, wrapped)
    for part in path:
        unwrapped = unwrapped[0] if isinstance(unwrapped, list) else unwrapped[part]
    return unwrapped


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
