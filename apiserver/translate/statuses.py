"""Status objects and warnings of the store, in the words of the face that the user talks to."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from apiserver.translate import finalizers
from apiserver.translate.face import Face, Faces, Obj, swap_uids
from apiserver.translate.objects import to_virtual as object_to_virtual

_QUOTED_OBJECT = re.compile(r'"(?:\{\\"(?:[^"\\]|\\.)*\})"')
_BARE_OBJECT = re.compile(r"(?<= is missing in ')\{.*\}(?=')", re.DOTALL)
NAME_LIMIT: Final = 253
"""Characters of a name in the store, which has the kind of an operation in front of it."""
_LONG_NAME: Final = re.compile(
    r'(metadata\.(?:name|generateName): Invalid value: "[^"]*": must be no more than )'
    rf"{NAME_LIMIT}(?= characters)"
)
# The rules of our own webhooks are the rules of the kind: to users they come from the API itself.
_OWN_WEBHOOK: Final = re.compile(
    r'^admission webhook "(?:mutate|validate)\.control-plane\.missioncontrol\.io" denied the request: '
)


def to_virtual(faces: Faces, face: Face, status: Obj) -> Obj:
    """An error or success of the store as the user's own API would have said it."""
    virtual = dict(status)
    if isinstance(status.get("message"), str):
        virtual["message"] = text(faces, face, _OWN_WEBHOOK.sub("", status["message"]))
    details = status.get("details")
    if isinstance(details, dict):
        virtual["details"] = _details(faces, face, details)
        if face.argument and isinstance(details.get("causes"), list):
            _leave_out_what_only_the_store_requires(face, virtual, details["causes"])
    return virtual


def _leave_out_what_only_the_store_requires(face: Face, virtual: Obj, stored: list[Any]) -> None:
    """Who takes away all of a spec takes its type and arguments away, too, and never knew of them."""
    own = ("spec.type", f"spec.{face.argument}")
    shown = virtual["details"]["causes"]
    kept = [
        each
        for before, each in zip(stored, shown, strict=True)
        if not isinstance(before, dict) or before.get("field") not in own
    ]
    head, invalid, _ = str(virtual.get("message")).partition(" is invalid: ")
    if not kept or len(kept) == len(shown) or not invalid:
        return
    told = list(dict.fromkeys(f"{each.get('field')}: {each.get('message')}" for each in kept))
    virtual["details"] = {**virtual["details"], "causes": kept}
    virtual["message"] = head + invalid + (told[0] if len(told) == 1 else f"[{', '.join(told)}]")


def text(faces: Faces, face: Face, sentence: Any) -> Any:
    """A sentence of the store. Some refusals quote the whole object: it is shown as its user knows it."""
    if not isinstance(sentence, str):
        return sentence
    told = _QUOTED_OBJECT.sub(lambda found: _quoted(faces, face, found[0]), sentence)
    told = face.text(_BARE_OBJECT.sub(lambda found: _bare(faces, face, found[0]), told))
    if face.prefix:
        told = _LONG_NAME.sub(rf"\g<1>{NAME_LIMIT - len(face.prefix)}", told)
    return told if face.is_view else finalizers.IN_TEXT.sub(lambda found: finalizers.virtual(found[0]), told)


def _quoted(faces: Faces, face: Face, quoted: str) -> str:
    try:
        return json.dumps(_encoded(faces, face, json.loads(json.loads(quoted))), ensure_ascii=False)
    except ValueError:
        return quoted


def _bare(faces: Faces, face: Face, text: str) -> str:
    """An object that the store has; what its client sent is shown as it came."""
    try:
        stored = json.loads(text)
    except ValueError:
        return text
    metadata = stored.get("metadata") if isinstance(stored, dict) else None
    return _encoded(faces, face, stored) if isinstance(metadata, dict) and "uid" in metadata else text


def _encoded(faces: Faces, face: Face, stored: Obj) -> str:
    virtual = object_to_virtual(faces, face, stored)
    return json.dumps(virtual, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _details(faces: Faces, face: Face, details: Obj) -> Obj:
    virtual = dict(details)
    if "name" in details:
        virtual["name"] = face.virtual_name(details["name"])
    if details.get("kind") == face.stored.kind:
        virtual["kind"] = face.virtual.kind
    if details.get("group") == face.stored.group:
        virtual["group"] = face.virtual.group
        kinds = {face.stored.plural: face.virtual.plural, face.stored.kind: face.virtual.kind}
        if details.get("kind") in kinds:
            virtual["kind"] = kinds[details["kind"]]
        if "uid" in details:
            virtual["uid"] = face.swap_uid(details["uid"])
    if isinstance(details.get("causes"), list):
        virtual["causes"] = [
            _cause(faces, face, cause) if isinstance(cause, dict) else cause for cause in details["causes"]
        ]
    return virtual


def _cause(faces: Faces, face: Face, cause: Obj) -> Obj:
    virtual = dict(cause)
    if "message" in cause:
        field = cause.get("field")
        of_name = f"{field}: " if field in ("metadata.name", "metadata.generateName") else ""
        virtual["message"] = text(faces, face, f"{of_name}{cause['message']}").removeprefix(of_name)
        if field == "metadata.uid" and isinstance(cause["message"], str):
            virtual["message"] = swap_uids(virtual["message"], face.uid_version)
    if "field" in cause:
        virtual["field"] = face.field_path(cause["field"])
    return virtual
