"""The annotation by which the operator knows that an object is still what it would render.

It is a hash of the canonical JSON of the intent, so it is the same for the same spec in every release that
renders the same, and it leaves out what changes without meaning a change of the pods (the number of
replicas).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson

from missioncontrol.api.names import Annotation


def intent_hash(rendered: dict[str, Any]) -> str:
    """The hash of a rendered object, without regard to its replicas, owner or its own hash annotation."""
    metadata = _without(rendered.get("metadata", {}), "ownerReferences", "resourceVersion", "namespace")
    if "annotations" in metadata:
        metadata["annotations"] = _without(metadata["annotations"], Annotation.RESOURCE_HASH)
    intent = {**rendered, "metadata": metadata}
    if isinstance(rendered.get("spec"), dict):
        intent["spec"] = _without(rendered["spec"], "replicas")
    canonical = orjson.dumps(intent, option=orjson.OPT_SORT_KEYS)
    return base64.b64encode(hashlib.sha256(canonical).digest()).decode()


def _without(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy, one level deep: this is done for every object of a datacenter each time it is looked at."""
    return {key: value for key, value in given.items() if key not in names}


def with_hash(rendered: dict[str, Any], *, intent: dict[str, Any] | None = None) -> dict[str, Any]:
    """The object with the hash annotation set; `intent` stands for it where numbers in it are no intent."""
    digest = intent_hash(intent or rendered)
    metadata = rendered["metadata"]
    annotations = {**metadata.get("annotations", {}), Annotation.RESOURCE_HASH: digest}
    return {**rendered, "metadata": {**metadata, "annotations": annotations}}
