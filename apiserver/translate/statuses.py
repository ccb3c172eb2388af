"""Status objects and warnings of the store, in the words of the face that the user talks to."""

from __future__ import annotations

import re
from typing import Final

from apiserver.translate.face import Face, Obj

# The rules of our own webhooks are the rules of the kind: to users they come from the API itself.
_OWN_WEBHOOK: Final = re.compile(
    r'^admission webhook "(?:mutate|validate)\.control-plane\.missioncontrol\.io" denied the request: '
)


def to_virtual(face: Face, status: Obj) -> Obj:
    """An error or success of the store as the user's own API would have said it."""
    virtual = dict(status)
    if isinstance(status.get("message"), str):
        virtual["message"] = face.text(_OWN_WEBHOOK.sub("", status["message"]))
    details = status.get("details")
    if isinstance(details, dict):
        virtual["details"] = _details(face, details)
    return virtual


def _details(face: Face, details: Obj) -> Obj:
    virtual = dict(details)
    if details.get("group") == face.stored.group:
        virtual["group"] = face.virtual.group
        kinds = {face.stored.plural: face.virtual.plural, face.stored.kind: face.virtual.kind}
        if details.get("kind") in kinds:
            virtual["kind"] = kinds[details["kind"]]
        if "name" in details:
            virtual["name"] = face.virtual_name(details["name"])
        if "uid" in details:
            virtual["uid"] = face.swap_uid(details["uid"])
    if isinstance(details.get("causes"), list):
        virtual["causes"] = [
            _cause(face, cause) if isinstance(cause, dict) else cause for cause in details["causes"]
        ]
    return virtual


def _cause(face: Face, cause: Obj) -> Obj:
    virtual = dict(cause)
    if "message" in cause:
        virtual["message"] = face.text(cause["message"])
    if "field" in cause:
        virtual["field"] = face.field_path(cause["field"])
    return virtual
