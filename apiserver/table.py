"""Tables and metadata-only objects: what kubectl prints and what Kubernetes' controllers read."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from apiserver.negotiate import Accepted
from apiserver.status import Late, bad_request
from apiserver.translate.face import Obj
from missioncontrol.api.columns import Column
from missioncontrol.api.emit import snapshot

INCLUDE_OBJECT = ("None", "Metadata", "Object")


def include_object(value: str | None) -> str:
    """The parameter includeObject: what each row carries of its object."""
    if not value:
        return "Metadata"
    if value not in INCLUDE_OBJECT:
        problem = bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{value}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )
        raise Late(problem.status)
    return value


def table(
    columns: tuple[Column, ...],
    objects: Iterable[Obj],
    *,
    accepted: Accepted,
    include: str,
    now: datetime,
    metadata: Obj,
    definitions: bool = True,
) -> Obj:
    """A Table over the objects. ``metadata`` is the list's: resourceVersion, continue, remainingItemCount."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{accepted.version}",
        "metadata": {
            member: metadata[member]
            for member in ("resourceVersion", "continue", "remainingItemCount")
            if metadata.get(member)
        },
        "columnDefinitions": definitions_of(columns) if definitions else None,
        "rows": [
            {
                "cells": [column.value(item, now) for column in columns],
                "object": None if include == "None" else _row_object(item, include, accepted),
            }
            for item in objects
        ],
    }


def definitions_of(columns: tuple[Column, ...]) -> list[Obj]:
    """The columns as a Table defines them."""
    name, *others = (column.definition() for column in columns)
    return [{**name, "description": _name_description()}, *others]


@functools.cache
def _name_description() -> str:
    """What Kubernetes itself says of the name in every Table."""
    metadata = snapshot.load()["meta"]["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]
    return str(metadata["properties"]["name"]["description"])


def _row_object(item: Obj, include: str, accepted: Accepted) -> Any:
    return item if include == "Object" else partial(item, accepted)


def partial(item: Obj, accepted: Accepted) -> Obj:
    """The metadata of an object alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{accepted.version}",
        "metadata": item.get("metadata", {}),
    }


def partial_list(items: Iterable[Obj], metadata: Obj, accepted: Accepted) -> Obj:
    """The metadata of the objects of a list. As in Kubernetes no token is left out, and no items are null."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{accepted.version}",
        "metadata": {key: value for key, value in metadata.items() if key != "continue" or value},
        "items": [partial(item, accepted) for item in items] or None,
    }
