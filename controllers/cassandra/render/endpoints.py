"""EndpointSlices for `spec.additionalSeeds`: one for each family of addresses that occurs."""

from __future__ import annotations

import ipaddress
from typing import Any

from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.render.hashing import with_hash
from controllers.cassandra.render.metadata import rendered
from missioncontrol.api.names import Label, LabelValue
from missioncontrol.api.resources import ENDPOINT_SLICES

FAMILIES = ("IPv4", "IPv6", "FQDN")


def endpoint_slices(datacenter: Datacenter) -> list[dict[str, Any]]:
    """The slices that should exist; a family without addresses has none."""
    addresses: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for seed in dict.fromkeys(datacenter.spec.additional_seeds):
        addresses[address_family(seed)].append(seed)
    return [_slice(datacenter, family, addresses[family]) for family in FAMILIES if addresses[family]]


def endpoint_slice_name(datacenter: Datacenter, family: str) -> str:
    return f"{datacenter.additional_seed_service}-{family.lower()}"


def address_family(seed: str) -> str:
    """IPv4 (also where it is written as IPv6), IPv6, or FQDN for everything that is no address."""
    try:
        address = ipaddress.ip_address(seed)
    except ValueError:
        return "FQDN"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return "IPv6" if address.scope_id is None else "FQDN"
    return "IPv4"


def _slice(datacenter: Datacenter, family: str, addresses: list[str]) -> dict[str, Any]:
    identity = {
        **datacenter.datacenter_labels,
        Label.SERVICE_NAME: datacenter.additional_seed_service,
        Label.ENDPOINT_SLICE_MANAGED_BY: LabelValue.CASS_OPERATOR,
    }
    body = rendered(ENDPOINT_SLICES, endpoint_slice_name(datacenter, family), datacenter, identity)
    return with_hash({**body, "addressType": family, "endpoints": [{"addresses": addresses}]})
