"""DeleteOptions: preconditions name what the user has seen."""

from __future__ import annotations

from apiserver.translate.face import Face, Obj


def to_stored(face: Face, options: Obj) -> Obj:
    """The options for the stored object; how deletion propagates is not decided here."""
    stored = {**options, "apiVersion": "v1", "kind": "DeleteOptions"}
    preconditions = options.get("preconditions")
    if isinstance(preconditions, dict) and "uid" in preconditions:
        stored["preconditions"] = {**preconditions, "uid": face.swap_uid(preconditions["uid"])}
    return stored
