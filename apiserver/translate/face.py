"""One face of a stored kind: under which group, kind, name and UID users see it.

A stored kind may have several faces: a stored Operation is a RollingRestart `r1` and the Operation
`rollingrestart.r1`. Everything that distinguishes them is data here, so that the translating modules
know no kind by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from missioncontrol.api.faces import UID_VERSION, swap_uid
from missioncontrol.api.resources import Resource

Obj = dict[str, Any]

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[489][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_UID_IN_TEXT = re.compile(
    r"(UID in (?:the )?(?:precondition|record|object meta)(?:: | \()"
    r'|metadata\.uid: Invalid value: "|specified uid )'
    rf"({_UID.pattern})"
)


def swap_uids(text: str, digit: str) -> str:
    """A text with every UID in it of the other side."""
    return _UID.sub(lambda found: str(swap_uid(found[0], digit)), text)


def stored_owner_uid(uid: Any) -> Any:
    """The stored UID for a virtual one of any face, told by the version digit alone."""
    if isinstance(uid, str) and len(uid) > UID_VERSION and uid[UID_VERSION] in "89":
        return swap_uid(uid, uid[UID_VERSION])
    return uid


@dataclass(frozen=True)
class Face:
    """How one virtual kind is stored."""

    virtual: Resource
    stored: Resource
    uid_version: str = "8"
    argument: str = ""
    """For a typed operation: the member of spec with its own arguments, and the prefix of stored names."""
    common: frozenset[str] = frozenset()
    """Members of spec that are in the same place on both sides, when there is an argument member."""
    requester_annotation: str = ""
    """Where the store keeps who asked for an operation; users see it in status.requestedBy."""
    is_view: bool = False
    """A second face of objects that have another. It shows no owners and no propagation finalizers: the
    garbage collector would want to patch them away, here as well as there."""

    @cached_property
    def prefix(self) -> str:
        """What stored names begin with."""
        return f"{self.argument}." if self.argument else ""

    @cached_property
    def translated(self) -> frozenset[str]:
        """Members of an object, besides apiVersion and kind, that may differ from what is stored."""
        spec = {"spec"} if self.argument else set()
        status = {"status"} if self.requester_annotation else set()
        return frozenset({"metadata"} | spec | status)

    def stored_name(self, name: Any) -> Any:
        """The name an object is stored under. What is no name passes, for the store to refuse."""
        return f"{self.prefix}{name}" if self.prefix and isinstance(name, str) and name else name

    def virtual_name(self, name: Any) -> Any:
        """The name users know for a stored one."""
        return name.removeprefix(self.prefix) if self.prefix and isinstance(name, str) else name

    def shows(self, stored_name: str) -> bool:
        """Whether a stored object with this name has this face."""
        return stored_name.startswith(self.prefix)

    def swap_uid(self, uid: Any) -> Any:
        """The UID on the other side."""
        return swap_uid(uid, self.uid_version)

    @cached_property
    def _replacements(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        virtual, stored = self.virtual, self.stored
        rules = [
            (rf"\b{stored.plural}\.{re.escape(stored.group)}\b", virtual.group_resource),
            (rf"\b{stored.kind}\.{re.escape(stored.group)}\b", f"{virtual.kind}.{virtual.group}"),
            # not the word alone: "Operation cannot be fulfilled" is how every conflict begins
            (
                rf"(\bKind=\"?|\bmust be |\bof type |\bas an? |\(){stored.kind}\b(?![\w.-])",
                rf"\g<1>{virtual.kind}",
            ),
            (rf"\b{stored.kind}(?= in version \")", virtual.kind),
            (rf'^{stored.kind}(?=(?:\.\S+)? "[^"]*" is invalid)', virtual.kind),
            (
                rf"/registry/{re.escape(stored.group)}/{stored.plural}/",
                f"/registry/{virtual.group}/{virtual.plural}/",
            ),
        ]
        if self.argument:
            rules += [
                (rf'(["/(]){re.escape(self.prefix)}', r"\1"),
                (rf"\bspec\.{self.argument}\b(?!-)", "spec"),
                (rf"/spec/{self.argument}\b(?!-)", "/spec"),
            ]
        # whatever is left, such as names of webhooks
        rules.append((re.escape(stored.group), virtual.group))
        return tuple((re.compile(pattern), replacement) for pattern, replacement in rules)

    def text(self, text: Any) -> Any:
        """A sentence of the store in the words of this face."""
        if not isinstance(text, str):
            return text
        for pattern, replacement in self._replacements:
            text = pattern.sub(replacement, text)
        return _UID_IN_TEXT.sub(lambda found: found[1] + self.swap_uid(found[2]), text)

    def field_path(self, path: Any) -> Any:
        """A field path of the store (`spec.rollingrestart.x`, maybe with a dot in front) as users know it."""
        if not self.argument or not isinstance(path, str):
            return path
        dot = "." if path.startswith(".") else ""
        bare, inside = path.removeprefix("."), f"spec.{self.argument}"
        if bare == inside:
            return f"{dot}spec"
        if bare.startswith((f"{inside}.", f"{inside}[")):
            return f"{dot}spec{bare[len(inside) :]}"
        return path

    def stored_field_path(self, path: str) -> str:
        """The store's path of a field in spec (`spec.x`)."""
        head, _, rest = path.partition(".")
        member = re.split(r"[.\[]", rest, maxsplit=1)[0]
        if not self.argument or head != "spec" or not member or member in self.common:
            return path
        return f"spec.{self.argument}.{rest}"


class Faces:
    """All faces, for references between objects."""

    def __init__(self, faces: Iterable[Face]) -> None:
        self._all = tuple(faces)
        self._by_kind = {face.virtual.kind: face for face in self._all}
        self._virtual_versions = {face.virtual.api_version for face in self._all}
        self._stored_versions = {face.stored.api_version for face in self._all}

    def __iter__(self) -> Any:
        return iter(self._all)

    def by_kind(self, kind: Any) -> Face | None:
        """The face of a virtual kind."""
        return self._by_kind.get(kind) if isinstance(kind, str) else None

    def stored_reference(self, reference: Any) -> Any:
        """An ownerReference as it is stored."""
        if not isinstance(reference, dict):
            return reference
        if reference.get("apiVersion") not in self._virtual_versions:
            # part of a reference, in a patch: only a UID of ours has these version digits
            partial = "apiVersion" not in reference and "uid" in reference
            return {**reference, "uid": stored_owner_uid(reference["uid"])} if partial else reference
        face = self.by_kind(reference.get("kind"))
        if face is None:
            return reference
        translated = {**reference, "apiVersion": face.stored.api_version, "kind": face.stored.kind}
        if "name" in reference:
            translated["name"] = face.stored_name(reference["name"])
        if "uid" in reference:
            translated["uid"] = face.swap_uid(reference["uid"])
        return translated

    def virtual_reference(self, reference: Any) -> Any:
        """A stored ownerReference as users see it. Operations are shown as their typed kind."""
        if not isinstance(reference, dict) or reference.get("apiVersion") not in self._stored_versions:
            return reference
        face = self._for_stored(reference)
        if face is None:
            return reference
        translated = {**reference, "apiVersion": face.virtual.api_version, "kind": face.virtual.kind}
        if "name" in reference:
            translated["name"] = face.virtual_name(reference["name"])
        if "uid" in reference:
            translated["uid"] = face.swap_uid(reference["uid"])
        return translated

    def _for_stored(self, reference: Obj) -> Face | None:
        name = reference.get("name")
        candidates = [
            face
            for face in self._all
            if face.stored.kind == reference.get("kind")
            and face.stored.api_version == reference.get("apiVersion")
            and isinstance(name, str)
            and face.shows(name)
        ]
        return max(candidates, key=lambda face: len(face.prefix), default=None)
