"""managedFields: who owns which field, with the paths and versions that users know.

The entries are what server-side apply works on, so they must be true in both directions: a client may
read them, change them and write them back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from apiserver.translate import finalizers
from apiserver.translate.face import Face, Obj, stored_owner_uid

DELETION = "missioncontrol-deletion"
"""The field manager of propagation finalizers."""


def to_virtual(face: Face, entries: Any, owners: dict[str, str]) -> Any:
    """The entries of a stored object; `owners` maps stored UIDs of owners to the ones shown."""
    translated = _each(
        _shown(entries),
        lambda entry: _entry(
            entry,
            version=(face.stored.api_version, face.virtual.api_version),
            spec=lambda fields: _spec_to_virtual(face, fields),
            finalizer=finalizers.virtual,
            owner=lambda uid: owners.get(uid, uid),
        ),
    )
    if not face.argument or not isinstance(translated, list):
        return translated
    # who owns nothing else any more owns nothing that is shown
    return [each for each in translated if not isinstance(each, dict) or each.get("fieldsV1") != {}]


def to_stored(face: Face, entries: Any) -> Any:
    """The entries as the store knows them."""
    return _each(
        entries,
        lambda entry: _entry(
            entry,
            version=(face.virtual.api_version, face.stored.api_version),
            spec=lambda fields: _spec_to_stored(face, fields, applied=entry.get("operation") == "Apply"),
            finalizer=finalizers.stored,
            owner=stored_owner_uid,
        ),
    )


def _shown(entries: Any) -> Any:
    """Without what a deletion adds: in Kubernetes nobody owns the finalizers that it sets."""
    if not isinstance(entries, list):
        return entries
    return [each for each in entries if not isinstance(each, dict) or each.get("manager") != DELETION]


def _each(entries: Any, translate: Callable[[Obj], Obj]) -> Any:
    if not isinstance(entries, list):
        return entries
    return [translate(entry) if isinstance(entry, dict) else entry for entry in entries]


def _entry(
    entry: Obj,
    *,
    version: tuple[str, str],
    spec: Callable[[Obj], Obj],
    finalizer: Callable[[Any], Any],
    owner: Callable[[Any], Any],
) -> Obj:
    translated = dict(entry)
    if entry.get("apiVersion") == version[0]:
        translated["apiVersion"] = version[1]
    fields = entry.get("fieldsV1")
    if not isinstance(fields, dict):
        return translated
    fields = dict(fields)
    if isinstance(fields.get("f:spec"), dict):
        fields["f:spec"] = spec(fields["f:spec"])
        if not fields["f:spec"] and "f:type" in entry["fieldsV1"]["f:spec"]:
            # others have taken over all fields that are shown; who applies an empty spec owns no type
            del fields["f:spec"]
    if isinstance(fields.get("f:metadata"), dict):
        fields["f:metadata"] = _metadata(fields["f:metadata"], finalizer, owner)
    translated["fieldsV1"] = fields
    return translated


def _metadata(fields: Obj, finalizer: Callable[[Any], Any], owner: Callable[[Any], Any]) -> Obj:
    fields = dict(fields)
    for member, prefix, change in (
        ("f:finalizers", "v:", finalizer),
        ("f:ownerReferences", "k:", lambda key: {**key, "uid": owner(key["uid"])} if "uid" in key else key),
    ):
        value = fields.get(member)
        if isinstance(value, dict):
            fields[member] = {_key(key, prefix, change): below for key, below in value.items()}
    return fields


def _key(key: str, prefix: str, change: Callable[[Any], Any]) -> str:
    if not key.startswith(prefix):
        return key
    try:
        value = json.loads(key[len(prefix) :])
    except ValueError:
        return key
    if prefix == "k:" and not isinstance(value, dict):
        return key
    changed = change(value)
    return (
        key if changed == value else prefix + json.dumps(changed, separators=(",", ":"), ensure_ascii=False)
    )


def _spec_to_virtual(face: Face, fields: Obj) -> Obj:
    if not face.argument:
        return fields
    member = f"f:{face.argument}"
    own = fields.get(member)
    virtual = {key: below for key, below in fields.items() if key not in (member, "f:type")}
    if isinstance(own, dict):
        virtual.update({key: below for key, below in own.items() if key != "."})
    return virtual


def _spec_to_stored(face: Face, fields: Obj, *, applied: bool) -> Obj:
    """Nest the kind's own fields again.

    Who applies a spec, or has made it, owns what every stored operation carries as well, its type and its,
    possibly empty, arguments: both are constant, so this ownership can never be a conflict. Who has changed a
    field owns just that.
    """
    if not face.argument:
        return fields
    if applied and not fields:
        return {f"f:{face.argument}": {}}  # as `patches.apply_to_stored` has it
    common = {"."} | {f"f:{name}" for name in face.common}
    stored = {key: below for key, below in fields.items() if key in common}
    own = {key: below for key, below in fields.items() if key not in common}
    if own and "." in fields:
        own["."] = {}
    made = applied or "." in fields or not fields
    if made:
        stored["f:type"] = {}
    if made or own:
        stored[f"f:{face.argument}"] = own
    return stored
