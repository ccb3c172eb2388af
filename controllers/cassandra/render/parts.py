"""The small pieces that containers are put together from, and how the user's lists meet ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def merged(given: Iterable[Json] | None, defaults: Iterable[Json]) -> list[Json]:
    """The user's items as they are, then every default whose name the user has not used."""
    own = list(given or ())
    taken = {item.get("name") for item in own}
    return [*own, *(item for item in defaults if item["name"] not in taken)]


def value(name: str, content: str) -> Json:
    """An environment variable; an empty one is written without a value, as API servers store it."""
    return {"name": name, "value": content} if content else {"name": name}


def field(name: str, path: str) -> Json:
    """An environment variable with a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def mount(name: str, path: str) -> Json:
    return {"name": name, "mountPath": path}


def pod_and_node() -> list[Json]:
    return [field("POD_NAME", "metadata.name"), field("NODE_NAME", "spec.nodeName")]
