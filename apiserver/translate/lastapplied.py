"""What `kubectl apply` remembers in an annotation: an object of the user's, so it is translated like one.

kube-apiserver reads and writes it too, when an object moves from client-side to server-side apply; it must
find the paths of the stored object there, and the user his own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from apiserver.translate.face import Obj

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def translated(metadata: Obj, version: str, translate: Callable[[Obj], Obj]) -> Obj:
    """The metadata with the remembered object translated, if it is as kubectl writes it."""
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict):
        return metadata
    text = annotations.get(ANNOTATION)
    if not isinstance(text, str) or version not in text:
        return metadata
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return metadata
    # what would not come back as it was is left alone
    if not isinstance(value, dict) or value.get("apiVersion") != version or _written(value, text) != text:
        return metadata
    return {**metadata, "annotations": {**annotations, ANNOTATION: _written(translate(value), text)}}


def _written(value: Any, like: str) -> str:
    """JSON as kubectl and kube-apiserver write it."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text + ("\n" if like.endswith("\n") else "")
