"""The configuration that the nodes are built from: one JSON document in the environment of an init container.

Upstream merges documents by a rule of its own (a scalar that meets another one becomes an array of both)
and writes numbers as Go does; the same text has to come out here, since a different text is a different pod
template.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.cdc import with_cdc

_EXACT = 2**53


def render_config(datacenter: Datacenter, config: Mapping[str, Any] | None = None) -> str:
    """The document as text; `config` stands for `spec.config` where the user keeps it in a Secret."""
    given = config if config is not None else datacenter.spec.config
    return to_go_json(with_cdc(config_document(datacenter, given or {}), datacenter))


def config_document(datacenter: Datacenter, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the operator knows of the datacenter, merged with what the user wants."""
    workloads = datacenter.spec.dse_workloads if datacenter.is_dse else None
    document: dict[str, Any] = {
        "cassandra-yaml": _ports(datacenter),
        "cluster-info": {
            "name": datacenter.spec.cluster_name,
            "seeds": f"{datacenter.seed_service},{datacenter.additional_seed_service}",
        },
        "datacenter-info": {
            "name": datacenter.cassandra_name,
            "graph-enabled": int(bool(workloads and workloads.graph_enabled)),
            "solr-enabled": int(bool(workloads and workloads.search_enabled)),
            "spark-enabled": int(bool(workloads and workloads.analytics_enabled)),
        },
    }
    return merge(document, config)


def _ports(datacenter: Datacenter) -> dict[str, Any]:
    ports = datacenter.spec.networking.node_port if datacenter.spec.networking else None
    if ports is None:
        return {}
    found = {
        "native_transport_port_ssl" if ports.native_ssl else "native_transport_port": datacenter.native_port,
        "ssl_storage_port" if ports.internode_ssl else "storage_port": datacenter.internode_port,
    }
    return {key: value for key, value in found.items() if value}


def merge(into: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both documents in one: objects are merged, values that meet are collected in an array."""
    merged = dict(into)
    for key, value in other.items():
        if key not in merged:
            merged[key] = copy.deepcopy(value)
        elif isinstance(merged[key], dict) and isinstance(value, dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = [*_as_list(merged[key]), *_as_list(value)]
    return merged


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def to_go_json(value: Any) -> str:
    """JSON as Go's encoder writes it: keys sorted, HTML characters escaped, numbers through a double."""
    text = orjson.dumps(_numbers(value), option=orjson.OPT_SORT_KEYS).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and abs(value) <= _EXACT:
        return value
    return _double(float(value))


def _double(number: float) -> Any:
    """Go writes plain digits between 1e-6 and 1e21 and an exponent beyond."""
    if not math.isfinite(number):
        return None
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        return orjson.Fragment(format(Decimal(repr(number)).normalize(), "f").encode())
    mantissa, _, exponent = repr(number).partition("e")
    return orjson.Fragment(f"{mantissa}e{int(exponent):+d}".encode())
