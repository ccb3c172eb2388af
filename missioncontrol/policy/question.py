"""The input of a policy: a trimmed, documented view of what is decided on (see policies/README.md).

Conversion dominates the cost of an evaluation, and what is not given cannot leak; so policies get what they
decide on and never whole objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from missioncontrol.validation.cluster import spec_view
from missioncontrol.validation.values import mapping, text

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PlaneFacts:
    """What a policy may know of a data plane."""

    labels: Mapping[str, str]
    region: str = ""


def cluster_question(
    *,
    operation: str,
    username: str,
    groups: Iterable[str],
    cluster: Mapping[str, Any],
    old: Mapping[str, Any] | None,
    planes: Mapping[str, PlaneFacts],
) -> dict[str, Any]:
    """May this MissionControlCluster be made, or changed, like this?"""
    named = {each.context for each in spec_view(cluster).datacenters}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "operation": operation,
        "requester": {"username": username, "groups": sorted(groups)},
        "cluster": _cluster(cluster),
        "oldCluster": _cluster(old) if old is not None else None,
        "dataPlanes": {
            name: {"labels": dict(plane.labels), "region": plane.region}
            for name, plane in sorted(planes.items())
            if name in named
        },
    }


def _cluster(cluster: Mapping[str, Any]) -> dict[str, Any]:
    view, metadata = spec_view(cluster), mapping(cluster.get("metadata"))
    return {
        "namespace": text(metadata.get("namespace")),
        "name": text(metadata.get("name")),
        "labels": dict(mapping(metadata.get("labels"))),
        "serverType": view.server_type,
        "datacenters": [
            {
                "name": each.name,
                "field": each.field,
                "dataPlane": each.context,
                "size": each.size or 0,
                "racks": each.rack_names,
                "serverVersion": text(each.effective("serverVersion").value),
            }
            for each in view.datacenters
        ],
    }


def probe_question() -> dict[str, Any]:
    """An input that no policy objects to: it shows whether the library is loaded at all."""
    empty: dict[str, Any] = {"metadata": {}, "spec": {}}
    return cluster_question(operation="CREATE", username="", groups=(), cluster=empty, old=None, planes={})
