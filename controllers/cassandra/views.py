"""The slim views that this operator keeps of Kubernetes' objects: only what its decisions read."""

from __future__ import annotations

from typing import Any

import msgspec

from missioncontrol.kube.views import Meta, StatefulSetStatus, View


class TemplateMeta(View, frozen=True):
    """The metadata of a pod template."""

    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class Template(View, frozen=True):
    """A pod template without its spec, which is large and represented by its hash."""

    metadata: TemplateMeta = TemplateMeta()


class ClaimResources(View, frozen=True):
    """How much a claim asks for."""

    requests: dict[str, Any] = msgspec.field(default_factory=dict)


class ClaimTemplateSpec(View, frozen=True):
    """The spec of a claim template."""

    resources: ClaimResources = ClaimResources()


class ClaimTemplate(View, frozen=True):
    """A volume claim template."""

    metadata: Meta = Meta()
    spec: ClaimTemplateSpec = ClaimTemplateSpec()


class RollingUpdate(View, frozen=True):
    """How a changed template is rolled out."""

    partition: int | None = None


class UpdateStrategy(View, frozen=True):
    """Whether, and how far, a changed template is rolled out."""

    rolling_update: RollingUpdate | None = None

    @property
    def partition(self) -> int:
        """The lowest ordinal that is touched."""
        return (self.rolling_update.partition if self.rolling_update else None) or 0


class RackSetSpec(View, frozen=True):
    """The spec of a rack's StatefulSet."""

    replicas: int = 1
    template: Template = Template()
    volume_claim_templates: tuple[ClaimTemplate, ...] = ()
    update_strategy: UpdateStrategy = UpdateStrategy()


class RackSetView(View, frozen=True):
    """The StatefulSet of a rack."""

    metadata: Meta = Meta()
    spec: RackSetSpec = RackSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class SliceEndpoint(View, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] = ()


class SliceView(View, frozen=True):
    """An EndpointSlice that an operator wrote, not Kubernetes itself."""

    metadata: Meta = Meta()
    address_type: str = ""
    endpoints: tuple[SliceEndpoint, ...] | None = None
