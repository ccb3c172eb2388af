"""Amounts: resources, volume claims and heap sizes that contradict themselves or are no quantities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from missioncontrol.validation.causes import Cause, forbidden, invalid, required
from missioncontrol.validation.values import at, is_empty, mapping, quantity, sequence, text


def resource_causes(resources: Any, field: str) -> Iterator[Cause]:
    """ResourceRequirements: quantities, none negative, no request above its limit."""
    limits = mapping(at(resources, "limits"))
    for member in ("limits", "requests"):
        for name, value in mapping(at(resources, member)).items():
            amount = quantity(value)
            if amount is None:
                yield invalid(f"{field}.{member}.{name}", value, "must be a quantity such as 500m or 2Gi")
            elif amount < 0:
                yield invalid(f"{field}.{member}.{name}", value, "must not be negative")
            elif member == "requests" and name in limits:
                limit = quantity(limits[name])
                if limit is not None and amount > limit:
                    yield invalid(
                        f"{field}.requests.{name}", value, f"must not exceed the limit of {limits[name]}"
                    )


def storage_causes(storage: Any, field: str) -> Iterator[Cause]:
    """The claim for data must ask for space; an additional volume is either a claim or a source."""
    claim = mapping(at(storage, "cassandraDataVolumeClaimSpec"))
    if claim:
        wanted = at(claim, "resources", "requests", "storage")
        at_request = f"{field}.cassandraDataVolumeClaimSpec.resources.requests.storage"
        amount = quantity(wanted)
        if wanted is None:
            yield required(at_request, "how much space each node gets")
        elif amount is None or amount <= 0:
            yield invalid(at_request, wanted, "must be a quantity above zero such as 100Gi")
    yield from additional_volume_causes(at(storage, "additionalVolumes"), f"{field}.additionalVolumes")


def additional_volume_causes(volumes: Any, field: str) -> Iterator[Cause]:
    for index, volume in enumerate(sequence(volumes)):
        body = mapping(volume)
        has_claim, has_source = body.get("pvcSpec") is not None, body.get("volumeSource") is not None
        if has_claim and has_source:
            yield forbidden(
                f"{field}[{index}]", "pvcSpec and volumeSource exclude each other: set one of the two"
            )
        elif not has_claim and not has_source:
            yield required(f"{field}[{index}]", "set either pvcSpec or volumeSource")


def jvm_causes(config: Any, field: str) -> Iterator[Cause]:
    """Heap sizes: quantities, and the initial one not above the greatest."""
    options = mapping(at(config, "jvmOptions"))
    sizes = {}
    for key in (
        "heapSize",
        "heap_initial_size",
        "heap_max_size",
        "heapNewGenSize",
        "gc_cms_heap_size_young_generation",
    ):
        value = options.get(key)
        if is_empty(value):
            continue
        sizes[key] = quantity(value)
        if sizes[key] is None or (sizes[key] or 0) <= 0:
            yield invalid(f"{field}.jvmOptions.{key}", value, "must be a quantity above zero such as 8Gi")
    initial, greatest = sizes.get("heap_initial_size"), sizes.get("heap_max_size") or sizes.get("heapSize")
    if initial and greatest and initial > greatest:
        told = options.get("heap_max_size") or options.get("heapSize")
        yield invalid(
            f"{field}.jvmOptions.heap_initial_size",
            options.get("heap_initial_size"),
            f"must not exceed heap_max_size, which is {told}",
        )
    for index, option in enumerate(sequence(options.get("additionalOptions"))):
        if not text(option).startswith("-"):
            yield invalid(f"{field}.jvmOptions.additionalOptions[{index}]", option, "must start with '-'")
