"""Rules of MissionControlCluster: those of the spec inside it, and those of a cluster over several planes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from missioncontrol.validation.causes import (
    Cause,
    forbidden,
    invalid,
    not_found,
    required,
)
from missioncontrol.validation.changes import change_causes
from missioncontrol.validation.datacenters import SpecView
from missioncontrol.validation.spec import spec_causes
from missioncontrol.validation.supported import MISSION_CONTROL_CLUSTER, unsupported_fields
from missioncontrol.validation.values import at, integer, mapping, text

FIELD: Final = "spec.k8ssandra"
SAFE_NUM_TOKENS: Final = 16


def create_causes(cluster: Mapping[str, Any], *, planes: Collection[str] | None) -> list[Cause]:
    """Everything wrong with a new cluster; `planes` are the registered DataPlanes, None if not known."""
    return [*_state_causes(cluster), *_plane_causes(spec_view(cluster), planes, known=frozenset())]


def update_causes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, planes: Collection[str] | None
) -> list[Cause]:
    """Everything that is wrong with a change.

    An unchanged spec always passes, and so does whatever happens during deletion: a rule of a later release
    or a plane that is gone must never hold a label or a finalizer.
    """
    if old.get("spec") == new.get("spec") or at(new, "metadata", "deletionTimestamp"):
        return []
    before, after = spec_view(old), spec_view(new)
    known = frozenset(each.context for each in before.datacenters)
    state = _state_causes(new)
    change = change_causes(before, after)
    told = {cause.field for cause in change}
    return [
        *change,
        *(cause for cause in state if cause.field not in told),
        *_plane_causes(after, planes, known=known),
    ]


def spec_view(cluster: Mapping[str, Any]) -> SpecView:
    metadata = mapping(cluster.get("metadata"))
    name = text(metadata.get("name")) or text(metadata.get("generateName"))
    return SpecView(
        body=mapping(at(cluster, "spec", "k8ssandra")),
        field=FIELD,
        object_name=name,
        namespace=text(metadata.get("namespace")),
    )


def contexts(cluster: Mapping[str, Any]) -> set[str]:
    """The DataPlanes that a cluster names."""
    return {each.context for each in spec_view(cluster).datacenters if each.context}


def _state_causes(cluster: Mapping[str, Any]) -> Iterator[Cause]:
    view = spec_view(cluster)
    name = text(at(cluster, "metadata", "name"))
    if len(name) > 63:
        yield invalid("metadata.name", name, "must have at most 63 characters: it is the value of a label")
    yield from unsupported_fields(cluster.get("spec"), MISSION_CONTROL_CLUSTER, "spec")
    if not mapping(at(cluster, "spec", "k8ssandra")):
        yield required(FIELD, "describes the Cassandra cluster")
        return
    yield from spec_causes(view)
    yield from _token_causes(view)


def _plane_causes(
    view: SpecView, planes: Collection[str] | None, *, known: Collection[str]
) -> Iterator[Cause]:
    for datacenter in view.datacenters:
        field = f"{datacenter.field}.k8sContext"
        if not datacenter.context:
            yield required(field, "names the DataPlane that holds this datacenter")
        elif planes is not None and datacenter.context not in planes and datacenter.context not in known:
            registered = ", ".join(sorted(planes)) or "none"
            yield not_found(field, datacenter.context, f"no such DataPlane; registered are: {registered}")


def _token_causes(view: SpecView) -> Iterator[Cause]:
    """Few tokens need positions computed over the whole ring, which no single plane can see."""
    if len({each.context for each in view.datacenters}) < 2:
        return
    told: set[str] = set()
    for datacenter in view.datacenters:
        tokens = datacenter.num_tokens()
        number = integer(tokens.value)
        if number is not None and number < SAFE_NUM_TOKENS and tokens.field not in told:
            told.add(tokens.field)
            yield forbidden(
                tokens.field,
                f"a cluster over several data planes needs at least {SAFE_NUM_TOKENS} tokens, not {number}",
            )
