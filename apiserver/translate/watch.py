"""Lines of a watch: events of stored objects become events of virtual ones."""

from __future__ import annotations

from apiserver.translate import statuses
from apiserver.translate.face import Face, Faces, Obj
from apiserver.translate.objects import to_virtual


def event_to_virtual(faces: Faces, face: Face, event: Obj) -> Obj:
    """ADDED, MODIFIED, DELETED and BOOKMARK carry an object, ERROR a Status."""
    item = event.get("object")
    if not isinstance(item, dict):
        return event
    if event.get("type") == "ERROR" or item.get("kind") == "Status":
        return {**event, "object": statuses.to_virtual(faces, face, item)}
    return {**event, "object": to_virtual(faces, face, item)}
