"""The base of every model, and the vocabulary for what a Python type alone cannot say about a schema.

A model is read by three parties: controllers parse specs with it, the emitter derives CRDs, OpenAPI and
reference pages from it, and people read it. Hence its rules:

- attributes are snake_case, names on the wire camelCase;
- a default that is a plain value is also the default of the CRD; ``None`` and factories mean that the
  field is simply optional;
- every field has a description in our own words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


def to_camel(name: str) -> str:
    """The name on the wire: ``server_version`` becomes ``serverVersion``. Digits change nothing."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


class KubeModel(BaseModel):
    """Base of all models of specs and statuses. Unknown fields are ignored: the API server judges them."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        defer_build=True,
        protected_namespaces=(),
    )

    # CEL rules of this object, emitted as x-kubernetes-validations
    cel_rules: ClassVar[tuple[Rule, ...]] = ()
    # further members of this object's schema, such as x-kubernetes-preserve-unknown-fields
    schema_extra: ClassVar[dict[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        # Go writers send explicit nulls for empty fields now and then; they mean the same as absence
        if isinstance(data, dict) and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data

    def to_dict(self) -> dict[str, Any]:
        """The object for the wire: camelCase, only what was given; the API server adds the defaults."""
        return self.model_dump(by_alias=True, exclude_none=True, exclude_unset=True, mode="json")


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule with the message that its violation gives."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""
    field_path: str = ""

    def to_dict(self) -> dict[str, str]:
        """The entry of x-kubernetes-validations."""
        members = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.message_expression,
            "reason": self.reason,
            "fieldPath": self.field_path,
        }
        return {key: value for key, value in members.items() if value}


IMMUTABLE = Rule("self == oldSelf", "cannot be changed once it is set")


@dataclass(frozen=True, slots=True)
class CoreType:
    """The schema of a Kubernetes type, by its OpenAPI name; taken from a snapshot when schemas are emitted.

    ``drop_list_maps`` names arrays inside the type, by the member they are in, whose list-map markers must go
    (upstream does so for the ports of a pod template's containers, to let users give partial entries).
    """

    name: str
    drop_list_maps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """Members that are put into the emitted schema of a field as they are."""

    members: dict[str, Any] = field(default_factory=dict, hash=False)
    rules: tuple[Rule, ...] = ()


def list_map(*keys: str) -> Schema:
    """Marks a list as keyed, so that server-side apply merges its items by these keys."""
    return Schema({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


LIST_ATOMIC = Schema({"x-kubernetes-list-type": "atomic"})
LIST_SET = Schema({"x-kubernetes-list-type": "set"})

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_CONDITION_TYPE = rf"^({_LABEL}(\.{_LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
_CONDITION_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
_QUANTITY_PATTERN = rf"^(\+|-)?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?$"

Time = Annotated[str, Schema({"format": "date-time"})]
Int32 = Annotated[int, Schema({"format": "int32"})]
Int64 = Annotated[int, Schema({"format": "int64"})]
IntOrString = Annotated[int | str, Schema({"x-kubernetes-int-or-string": True})]
Quantity = Annotated[int | str, Schema({"x-kubernetes-int-or-string": True, "pattern": _QUANTITY_PATTERN})]
# any JSON object
FreeObject = Annotated[dict[str, Any], Schema({"x-kubernetes-preserve-unknown-fields": True})]

ResourceRequirements = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.ResourceRequirements")]
PersistentVolumeClaimSpec = Annotated[
    dict[str, Any], CoreType("io.k8s.api.core.v1.PersistentVolumeClaimSpec")
]
PodTemplateSpec = Annotated[
    dict[str, Any],
    CoreType(
        "io.k8s.api.core.v1.PodTemplateSpec",
        drop_list_maps=("containers.ports", "initContainers.ports", "spec.topologySpreadConstraints"),
    ),
]
Container = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.Container")]
EnvVar = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.EnvVar")]
Volume = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.Volume")]
Affinity = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.Affinity")]
Toleration = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.Toleration")]
Probe = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.Probe")]
PodSecurityContext = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.PodSecurityContext")]
SecurityContext = Annotated[dict[str, Any], CoreType("io.k8s.api.core.v1.SecurityContext")]
# a volume's source is a volume without its name; the name would be pruned, so it is not asked for
VolumeSource = Annotated[dict[str, Any], CoreType("VolumeSource")]


class LocalObjectReference(KubeModel):
    """A reference to an object in the same namespace."""

    schema_extra = {"x-kubernetes-map-type": "atomic"}

    name: str = Field("", description="Name of the object.")


class ObjectReference(KubeModel):
    """A reference to an object, in the manner of core/v1."""

    schema_extra = {"x-kubernetes-map-type": "atomic"}

    api_version: str | None = Field(None, description="API version of the object.")
    kind: str | None = Field(None, description="Kind of the object.")
    name: str | None = Field(None, description="Name of the object.")
    namespace: str | None = Field(None, description="Namespace of the object.")
    uid: str | None = Field(None, description="UID of the object.")
    resource_version: str | None = Field(None, description="Version of the object that is meant.")
    field_path: str | None = Field(None, description="Part of the object that is meant.")


class SecretKeyRef(KubeModel):
    """A key of a Secret in the same namespace."""

    schema_extra = {"x-kubernetes-map-type": "atomic"}

    name: str = Field("", description="Name of the Secret.")
    key: str | None = Field(None, description="Key inside the Secret.")


ConditionStatus = Literal["True", "False", "Unknown"]


class StatusCondition(KubeModel):
    """One observed aspect of an object, in the manner of meta/v1 Condition."""

    type: str = Field(description="Which aspect this is.")
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    reason: str | None = Field(None, description="One word for the cause, for programs.")
    message: str | None = Field(None, description="The cause in a sentence, for people.")
    last_transition_time: Time | None = Field(None, description="When status changed last.")
    observed_generation: Int64 | None = Field(
        None, description="The metadata.generation this condition was computed from."
    )


class TaskCondition(KubeModel):
    """One observed aspect of a task, with the limits of meta/v1 Condition."""

    type: Annotated[str, Schema({"maxLength": 316, "pattern": _CONDITION_TYPE})] = Field(
        description="Which aspect this is."
    )
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    reason: Annotated[str, Schema({"minLength": 1, "maxLength": 1024, "pattern": _CONDITION_REASON})] = Field(
        description="One word for the cause, for programs."
    )
    message: Annotated[str, Schema({"maxLength": 32768})] = Field(
        description="The cause in a sentence, for people."
    )
    last_transition_time: Time = Field(description="When status changed last.")
    observed_generation: Annotated[Int64, Schema({"minimum": 0})] | None = Field(
        None, description="The metadata.generation this condition was computed from."
    )


Conditions = Annotated[list[StatusCondition], list_map("type")]
