"""The annotation by which the operator knows that an object is still what it would render.

It is a hash of the canonical JSON of the intent, so it is the same for the same spec in every release that
renders the same, and it leaves out what changes without meaning a change of the pods (the number of
replicas).
"""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

import orjson

from missioncontrol.api.names import Annotation


def intent_hash(rendered: dict[str, Any]) -> str:
    """The hash of a rendered object, without regard to its replicas, owner or its own hash annotation."""
    intent = copy.deepcopy(rendered)
    metadata = intent.get("metadata", {})
    metadata.get("annotations", {}).pop(Annotation.RESOURCE_HASH, None)
    for name in ("ownerReferences", "resourceVersion", "namespace"):
        metadata.pop(name, None)
    if isinstance(intent.get("spec"), dict):
        intent["spec"].pop("replicas", None)
    canonical = orjson.dumps(intent, option=orjson.OPT_SORT_KEYS)
    return base64.b64encode(hashlib.sha256(canonical).digest()).decode()


def with_hash(rendered: dict[str, Any], *, intent: dict[str, Any] | None = None) -> dict[str, Any]:
    """The object with the hash annotation set; `intent` stands for it where numbers in it are no intent."""
    digest = intent_hash(intent or rendered)
    metadata = rendered["metadata"]
    annotations = {**metadata.get("annotations", {}), Annotation.RESOURCE_HASH: digest}
    return {**rendered, "metadata": {**metadata, "annotations": annotations}}
