"""Where the pods of a rack may run: nodes with its labels, and no two of a datacenter on one worker.

The labels of a rack are laid over those of the datacenter for that rack alone: nothing is written back, so
that no rack inherits what another one asked for.
"""

from __future__ import annotations

from typing import Any

from controllers.cassandra.datacenter import Datacenter
from missioncontrol.api.cassandra import Rack
from missioncontrol.api.names import Label

Json = dict[str, Any]

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def affinity(datacenter: Datacenter, rack: Rack, template: Json) -> Json:
    """The affinity of a rack's pods."""
    given = (template, rack.affinity or {})
    found: Json = {}
    node = _node_affinity(datacenter, rack, [each.get("nodeAffinity") or {} for each in given])
    if node:
        found["nodeAffinity"] = node
    if template.get("podAffinity") is not None:
        found["podAffinity"] = template["podAffinity"]
    rules = [each["podAntiAffinity"] for each in given if each.get("podAntiAffinity") is not None]
    if rules or not datacenter.spec.allow_multiple_nodes_per_worker:
        found["podAntiAffinity"] = _pod_anti_affinity(datacenter, rules)
    return found


def rack_node_labels(datacenter: Datacenter, rack: Rack) -> dict[str, str]:
    """The labels that a worker needs for this rack."""
    labels = {**(datacenter.spec.node_affinity_labels or {}), **(rack.node_affinity_labels or {})}
    if rack.zone:
        labels[Label.LEGACY_ZONE] = rack.zone
    return labels


def _node_affinity(datacenter: Datacenter, rack: Rack, given: list[Json]) -> Json:
    labels = rack_node_labels(datacenter, rack)
    terms: list[Json] = []
    if labels:
        expressions = [{"key": key, "operator": "In", "values": [labels[key]]} for key in sorted(labels)]
        terms.append({"matchExpressions": expressions})
    for each in given:
        terms += (each.get(REQUIRED) or {}).get("nodeSelectorTerms") or []
    preferred = [term for each in given for term in each.get(PREFERRED) or ()]
    found: Json = {}
    if terms:
        found[REQUIRED] = {"nodeSelectorTerms": terms}
    if preferred:
        found[PREFERRED] = preferred
    return found


def _pod_anti_affinity(datacenter: Datacenter, given: list[Json]) -> Json:
    required: list[Json] = []
    if not datacenter.spec.allow_multiple_nodes_per_worker:
        keys = (Label.CLUSTER, Label.DATACENTER, Label.RACK)
        selector = {"matchExpressions": [{"key": key, "operator": "Exists"} for key in keys]}
        required.append({"labelSelector": selector, "topologyKey": Label.HOSTNAME})
    required += [term for each in given for term in each.get(REQUIRED) or ()]
    preferred = [term for each in given for term in each.get(PREFERRED) or ()]
    found: Json = {}
    if required:
        found[REQUIRED] = required
    if preferred:
        found[PREFERRED] = preferred
    return found
