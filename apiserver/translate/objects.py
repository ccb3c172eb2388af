"""Whole objects, both ways. What is malformed passes as it is, for the store to refuse in its words.

Copies only what it changes: the input is never modified, and the rest is shared.
"""

from __future__ import annotations

from typing import Any

from apiserver.repeated import plain
from apiserver.translate import finalizers, lastapplied, managed
from apiserver.translate.face import Face, Faces, Obj


def to_virtual(faces: Faces, face: Face, stored: Obj) -> Obj:
    """A stored object as users see it."""
    virtual = dict(stored)
    if stored.get("apiVersion") == face.stored.api_version:
        virtual["apiVersion"] = face.virtual.api_version
        if stored.get("kind") == face.stored.kind:
            virtual["kind"] = face.virtual.kind
    if isinstance(stored.get("metadata"), dict):
        virtual["metadata"] = metadata_to_virtual(faces, face, stored["metadata"])
    if face.argument and isinstance(stored.get("spec"), dict):
        virtual["spec"] = _spec_to_virtual(face, stored["spec"])
    if face.requester_annotation:
        _show_requester(face.requester_annotation, virtual)
    return virtual


def _show_requester(annotation: str, virtual: Obj) -> None:
    metadata, status = virtual.get("metadata"), virtual.get("status") or {}
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and annotation in annotations and isinstance(status, dict):
        virtual["status"] = {"requestedBy": annotations[annotation], **status}


def to_stored(faces: Faces, face: Face, virtual: Obj, *, whole: bool = True) -> Obj:
    """An object of a user as it is stored. Not `whole`: a part of one, as in a patch; nothing is added."""
    stored = dict(virtual)
    if virtual.get("apiVersion") == face.virtual.api_version:
        stored["apiVersion"] = face.stored.api_version
    if virtual.get("kind") == face.virtual.kind:
        stored["kind"] = face.stored.kind
    if isinstance(virtual.get("metadata"), dict):
        stored["metadata"] = metadata_to_stored(faces, face, virtual["metadata"])
    if face.argument and isinstance(virtual.get("spec"), dict):
        stored["spec"] = _spec_to_stored(face, virtual["spec"], whole=whole)
    return stored


def metadata_to_virtual(faces: Faces, face: Face, stored: Obj) -> Obj:
    """An object's metadata as users see it."""
    virtual = dict(
        lastapplied.translated(stored, face.stored.api_version, lambda value: to_virtual(faces, face, value))
    )
    owners: dict[str, str] = {}
    for member in ("name", "generateName"):
        if member in stored:
            virtual[member] = face.virtual_name(stored[member])
    if "uid" in stored:
        virtual["uid"] = face.swap_uid(stored["uid"])
    references = stored.get("ownerReferences")
    if face.is_view:
        virtual.pop("ownerReferences", None)
    elif isinstance(references, list):
        virtual["ownerReferences"] = shown = [faces.virtual_reference(each) for each in references]
        owners = {
            before["uid"]: after["uid"]
            for before, after in zip(references, shown, strict=True)
            if isinstance(before, dict) and isinstance(before.get("uid"), str)
        }
    if isinstance(stored.get("finalizers"), list) and not face.is_view:
        virtual["finalizers"] = [finalizers.virtual(each) for each in stored["finalizers"]]
    if "managedFields" in stored:
        virtual["managedFields"] = managed.to_virtual(face, stored["managedFields"], owners)
    return virtual


def metadata_to_stored(faces: Faces, face: Face, virtual: Obj) -> Obj:
    """An object's metadata as it is stored."""
    stored = dict(
        lastapplied.translated(virtual, face.virtual.api_version, lambda value: to_stored(faces, face, value))
    )
    for member in ("name", "generateName"):
        if member in virtual:
            stored[member] = face.stored_name(virtual[member])
    if virtual.get("generateName") == "-":
        stored["generateName"] = "-"  # refused alone, but not behind the stored prefix
    if "uid" in virtual:
        stored["uid"] = face.swap_uid(virtual["uid"])
    if isinstance(virtual.get("ownerReferences"), list):
        stored["ownerReferences"] = [faces.stored_reference(each) for each in virtual["ownerReferences"]]
    if isinstance(virtual.get("finalizers"), list):
        stored["finalizers"] = [finalizers.stored(each) for each in virtual["finalizers"]]
    if "managedFields" in virtual:
        stored["managedFields"] = managed.to_stored(face, virtual["managedFields"])
    return stored


def _spec_to_virtual(face: Face, spec: Obj) -> Obj:
    own = spec.get(face.argument)
    virtual = {name: value for name, value in spec.items() if name not in (face.argument, "type")}
    if isinstance(own, dict):
        virtual.update(own)
    return virtual


def _spec_to_stored(face: Face, spec: Obj, *, whole: bool) -> Obj:
    stored: Obj = {name: value for name, value in spec.items() if plain(name) in face.common}
    own = {name: value for name, value in spec.items() if plain(name) not in face.common}
    if whole:
        stored["type"] = face.virtual.kind
    if whole or own:
        stored[face.argument] = own
    return stored


def list_to_virtual(faces: Faces, face: Face, stored: Obj) -> Obj:
    """A list of stored objects as users see it; resourceVersion and continue token are the store's."""
    items: Any = stored.get("items")
    return {
        **stored,
        "apiVersion": face.virtual.api_version,
        "kind": f"{face.virtual.kind}List",
        "items": [to_virtual(faces, face, item) for item in items or ()],
    }
