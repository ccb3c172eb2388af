"""What must hold of every K8ssandraClusterSpec, whichever object carries it and whether new or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any, Final

from missioncontrol.api.names import cleanup_for_kubernetes, statefulset_name
from missioncontrol.validation.causes import Cause, duplicate, forbidden, invalid, not_supported_yet, required
from missioncontrol.validation.datacenters import DatacenterView, SpecView
from missioncontrol.validation.metadata import cluster_metadata_causes, label_causes
from missioncontrol.validation.resources import jvm_causes, resource_causes, storage_causes
from missioncontrol.validation.server import server_causes
from missioncontrol.validation.values import (
    VERSION,
    at,
    integer,
    is_dns_1035_label,
    is_dns_1123_label,
    is_dns_1123_subdomain,
    mapping,
    sequence,
    text,
)

STATEFULSET_NAME_LIMIT: Final = 60  # leaves room for "-<ordinal>" in a label value of 63 characters
_LONGEST_SERVICE: Final = "{cluster}-{datacenter}-additional-seed-service"


def spec_causes(view: SpecView) -> list[Cause]:
    """Every rule that needs nothing but the spec itself."""
    if not view.datacenters:
        return [required(f"{view.cassandra_field}.datacenters", "a cluster needs at least one datacenter")]
    return [
        *_cluster_causes(view),
        *_duplicate_names(view),
        *_outside_causes(view),
        *(cause for datacenter in view.datacenters for cause in _datacenter_causes(view, datacenter)),
    ]


def _cluster_causes(view: SpecView) -> Iterator[Cause]:
    field, cassandra = view.cassandra_field, view.cassandra
    if view.object_name and not cleanup_for_kubernetes(view.cluster_name):
        yield invalid(
            f"{field}.clusterName",
            view.cluster_name,
            "names of Kubernetes objects are made from it: it needs a letter",
        )
    given = text(cassandra.get("clusterName"))
    if given and len(given) < 2:
        yield invalid(f"{field}.clusterName", given, "must have at least 2 characters")
    secret = text(at(cassandra, "superuserSecretRef", "name"))
    if secret and not is_dns_1123_subdomain(secret):
        yield invalid(f"{field}.superuserSecretRef.name", secret, "must be the name of a Secret")
    yield from _version_causes(cassandra.get("serverVersion"), f"{field}.serverVersion")
    yield from _rack_causes(sequence(cassandra.get("racks")), f"{field}.racks", view, None)
    yield from resource_causes(cassandra.get("resources"), f"{field}.resources")
    yield from storage_causes(cassandra.get("storageConfig"), f"{field}.storageConfig")
    yield from jvm_causes(cassandra.get("config"), f"{field}.config")
    yield from cluster_metadata_causes(cassandra.get("metadata"), f"{field}.metadata")


def _duplicate_names(view: SpecView) -> Iterator[Cause]:
    seen: set[str] = set()
    for datacenter in view.datacenters:
        if datacenter.name and datacenter.name in seen:
            yield duplicate(f"{datacenter.field}.metadata.name", datacenter.name)
        seen.add(datacenter.name)
    inside: set[str] = set()
    for datacenter in view.datacenters:
        if datacenter.ring_name in inside and datacenter.ring_name != datacenter.name:
            yield duplicate(f"{datacenter.field}.datacenterName", datacenter.ring_name)
        inside.add(datacenter.ring_name)


def _outside_causes(view: SpecView) -> Iterator[Cause]:
    """What of the same ring is managed elsewhere."""
    for index, seed in enumerate(sequence(view.cassandra.get("additionalSeeds"))):
        if not _is_address(text(seed)):
            field = f"{view.cassandra_field}.additionalSeeds[{index}]"
            yield invalid(field, seed, "must be an IP address or a host name")
    ours = {datacenter.ring_name for datacenter in view.datacenters}
    seen: set[str] = set()
    for index, name in enumerate(map(text, sequence(view.body.get("externalDatacenters")))):
        field = f"{view.field}.externalDatacenters[{index}]"
        if not name:
            yield required(field, "the name of a datacenter inside Cassandra")
        elif name in seen:
            yield duplicate(field, name)
        elif name in ours:
            yield invalid(field, name, "is a datacenter of this cluster, and not outside of it")
        seen.add(name)


def _is_address(seed: str) -> bool:
    try:
        ip_address(seed)
    except ValueError:
        return is_dns_1123_subdomain(seed.lower())
    return True


def _datacenter_causes(view: SpecView, datacenter: DatacenterView) -> Iterator[Cause]:
    field, body = datacenter.field, datacenter.body
    yield from _name_causes(view, datacenter)
    yield from _size_causes(datacenter)
    version = datacenter.effective("serverVersion")
    if not version.value:
        yield required(f"{field}.serverVersion", "must be set here or for the whole cluster")
    yield from _version_causes(body.get("serverVersion"), f"{field}.serverVersion")
    claim = datacenter.effective("storageConfig", "cassandraDataVolumeClaimSpec")
    if not mapping(claim.value):
        yield required(
            f"{field}.storageConfig",
            "storageConfig.cassandraDataVolumeClaimSpec must be set here or for the whole cluster",
        )
    yield from _rack_causes(sequence(body.get("racks")), f"{field}.racks", view, datacenter)
    yield from resource_causes(body.get("resources"), f"{field}.resources")
    yield from storage_causes(body.get("storageConfig"), f"{field}.storageConfig")
    yield from jvm_causes(body.get("config"), f"{field}.config")
    yield from _commitlog_causes(datacenter)
    yield from server_causes(view, datacenter)
    yield from cluster_metadata_causes(body.get("metadata"), f"{field}.metadata")
    yield from _derived_name_causes(view, datacenter)


def _name_causes(view: SpecView, datacenter: DatacenterView) -> Iterator[Cause]:
    field = f"{datacenter.field}.metadata.name"
    namespace = text(at(datacenter.body, "metadata", "namespace"))
    if namespace and namespace != view.namespace:
        yield not_supported_yet(
            f"{datacenter.field}.metadata.namespace", "a namespace other than that of the cluster"
        )
    if not datacenter.name:
        yield required(field, "every datacenter needs a name")
    elif not is_dns_1035_label(datacenter.name):
        yield invalid(
            field,
            datacenter.name,
            "must be lower case letters, digits and '-', start with a letter and end with a letter or digit",
        )


def _size_causes(datacenter: DatacenterView) -> Iterator[Cause]:
    field, size, racks = f"{datacenter.field}.size", datacenter.size, len(datacenter.rack_names)
    if datacenter.body.get("size") is None:
        yield required(field, "the number of nodes of the datacenter")
    elif size is None or size < 1:
        yield invalid(field, datacenter.body.get("size"), "must be a whole number of at least 1")
    elif size < racks:
        yield invalid(field, size, f"must be at least {racks}, one node for each of its {racks} racks")


def _version_causes(version: Any, field: str) -> Iterator[Cause]:
    if version not in (None, "") and not VERSION.fullmatch(str(version)):
        yield invalid(field, version, "must be a full version such as 5.0.4")


def _rack_causes(
    racks: Iterable[Any], field: str, view: SpecView, datacenter: DatacenterView | None
) -> Iterator[Cause]:
    """Names of racks, where they are given; two that make one StatefulSet name are duplicates too."""
    seen: Counter[str] = Counter()
    for index, rack in enumerate(racks):
        name, at_name = text(mapping(rack).get("name")), f"{field}[{index}].name"
        if not name:
            yield required(at_name, "every rack needs a name")
            continue
        key = statefulset_name("c", "d", name)
        seen[key] += 1
        if seen[key] > 1:
            yield duplicate(at_name, name)
        elif not is_dns_1123_label(key):
            yield invalid(
                at_name,
                name,
                "names of Kubernetes objects are made from it: only letters, digits, '-' and '_'",
            )
        affinity = mapping(mapping(rack).get("nodeAffinityLabels"))
        yield from label_causes(affinity, f"{field}[{index}].nodeAffinityLabels")


def _commitlog_causes(datacenter: DatacenterView) -> Iterator[Cause]:
    period = datacenter.effective("config", "cassandraYaml", "commitlog_sync_period_in_ms")
    batch = datacenter.effective("config", "cassandraYaml", "commitlog_sync_batch_window_in_ms")
    if period.value is not None and batch.value is not None:
        yield forbidden(batch.field, "excludes commitlog_sync_period_in_ms: set one of the two")
    tokens = datacenter.effective("config", "cassandraYaml", "num_tokens")
    if tokens.value is not None and (integer(tokens.value) is None or tokens.value < 1):
        yield invalid(tokens.field, tokens.value, "must be a whole number of at least 1")


def _derived_name_causes(view: SpecView, datacenter: DatacenterView) -> Iterator[Cause]:
    """Objects of Kubernetes are named after cluster, datacenter and rack together; they must still fit."""
    if not datacenter.name or not view.object_name:
        return
    field = f"{datacenter.field}.metadata.name"
    for rack in datacenter.rack_names:
        name = statefulset_name(view.cluster_name, datacenter.name, rack)
        if len(name) > STATEFULSET_NAME_LIMIT:
            yield invalid(
                field,
                datacenter.name,
                f"the StatefulSet of rack {rack} would be named {name} with {len(name)} characters; "
                f"at most {STATEFULSET_NAME_LIMIT} are possible: shorten a name",
            )
            return
    service = _LONGEST_SERVICE.format(
        cluster=cleanup_for_kubernetes(view.cluster_name), datacenter=datacenter.name
    )
    if len(service) > 63:
        yield invalid(
            field,
            datacenter.name,
            f"its Service {service} would have {len(service)} characters; at most 63 are possible: "
            "shorten the name of the cluster or the datacenter",
        )
