"""Labels and annotations that end up on objects which kube-apiserver itself would refuse much later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from missioncontrol.validation.causes import Cause, forbidden, invalid
from missioncontrol.validation.values import is_label_key, is_label_value, mapping

RESERVED_PREFIX: Final = "cassandra.datastax.com"
_SERVICES: Final = ("dcService", "seedService", "allPodsService", "additionalSeedService", "nodePortService")


def label_causes(labels: Mapping[str, Any], field: str) -> Iterator[Cause]:
    for key, value in labels.items():
        if not is_label_key(key):
            yield invalid(f"{field}[{key}]", key, "is not a valid label key")
        if not is_label_value(str(value)):
            yield invalid(
                f"{field}[{key}]",
                value,
                "is not a valid label value: at most 63 letters, digits, '-', '_' and '.'",
            )


def annotation_causes(annotations: Mapping[str, Any], field: str) -> Iterator[Cause]:
    for key in annotations:
        if not is_label_key(key):
            yield invalid(f"{field}[{key}]", key, "is not a valid annotation key")


def cluster_metadata_causes(metadata: Any, field: str) -> Iterator[Cause]:
    """`metadata` of a cluster or datacenter: tags of the objects that are made from it."""
    body = mapping(metadata)
    yield from _tags(body, field)
    for key, check in (("commonLabels", label_causes), ("commonAnnotations", annotation_causes)):
        yield from check(mapping(body.get(key)), f"{field}.{key}")
    yield from _tags(mapping(body.get("pods")), f"{field}.pods")
    services = mapping(body.get("services"))
    for name in _SERVICES:
        tags = mapping(services.get(name))
        yield from _tags(tags, f"{field}.services.{name}")
        yield from reserved_causes(tags, f"{field}.services.{name}", ("labels", "annotations"))


def reserved_causes(tags: Mapping[str, Any], field: str, members: tuple[str, ...]) -> Iterator[Cause]:
    """Services carry cass-operator's own labels; nobody else may set keys of its prefix on them."""
    for member in members:
        for key in mapping(tags.get(member)):
            if key.startswith(RESERVED_PREFIX):
                yield forbidden(
                    f"{field}.{member}[{key}]", f"keys starting with {RESERVED_PREFIX} are reserved"
                )


def _tags(body: Mapping[str, Any], field: str) -> Iterator[Cause]:
    yield from label_causes(mapping(body.get("labels")), f"{field}.labels")
    yield from annotation_causes(mapping(body.get("annotations")), f"{field}.annotations")
