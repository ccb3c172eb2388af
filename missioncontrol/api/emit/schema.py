"""From a model to a schema, in one of two shapes.

A CRD wants one structural schema without references (``Inline``). OpenAPI documents want one definition
for each model (``Referenced``), which keeps them small: the same model is described once and not ten times.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from missioncontrol.api.emit import core
from missioncontrol.api.model import CoreType, KubeModel, Schema

JsonSchema = dict[str, Any]

DEFINITION_PREFIX = "io.missioncontrol.v1alpha1."
_PRIMITIVES: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


class Shape(Protocol):
    """Decides how a model and a Kubernetes type appear inside another schema."""

    def model(self, model: type[KubeModel]) -> JsonSchema:
        """The schema, or the reference, of a model."""

    def core_type(self, core_type: CoreType) -> JsonSchema:
        """The schema, or the reference, of a Kubernetes type."""


class Inline:
    """Every type is spelt out in place, as structural schemas demand."""

    def model(self, model: type[KubeModel]) -> JsonSchema:
        """The schema of a model."""
        return object_schema(model, self)

    def core_type(self, core_type: CoreType) -> JsonSchema:
        """The schema of a Kubernetes type; without descriptions, which would make a CRD too large."""
        return core.inline(core_type)


class Referenced:
    """Every type becomes a definition of its own, collected in ``definitions``."""

    def __init__(self, prefix: str, *, opaque_core_types: bool) -> None:
        self._prefix = prefix
        self._opaque = opaque_core_types
        self._models: dict[str, type[KubeModel]] = {}
        self.definitions: dict[str, JsonSchema] = {}

    def model(self, model: type[KubeModel]) -> JsonSchema:
        """A reference to the definition of a model."""
        name = DEFINITION_PREFIX + model.__name__
        if self._models.setdefault(name, model) is not model:
            raise ValueError(f"{model.__module__} and {self._models[name].__module__} both define {name}")
        if name not in self.definitions:
            self.definitions[name] = {}  # models may refer to themselves
            self.definitions[name] = object_schema(model, self)
        return {"$ref": self._prefix + name}

    def core_type(self, core_type: CoreType) -> JsonSchema:
        """A reference to a Kubernetes type; or any object, where the document shall stay small."""
        if self._opaque:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        name, definitions = core.definitions(core_type, self._prefix)
        self.definitions.update(definitions)
        return {"$ref": self._prefix + name}


def object_schema(model: type[KubeModel], shape: Shape) -> JsonSchema:
    """The schema of a model with its properties."""
    properties, required = {}, []
    for name, info in model.model_fields.items():
        wire_name = info.alias or name
        properties[wire_name] = field_schema(info, shape)
        if info.is_required():
            required.append(wire_name)
    schema: JsonSchema = {"type": "object"}
    if description := description_of(model):
        schema["description"] = description
    if properties:
        schema["properties"] = properties
    if required:
        schema["required"] = sorted(required)
    schema.update(model.schema_extra)
    if model.cel_rules:
        schema["x-kubernetes-validations"] = [rule.to_dict() for rule in model.cel_rules]
    return schema


def field_schema(info: FieldInfo, shape: Shape) -> JsonSchema:
    """The schema of one field: its type, its limits, its default, its description."""
    schema = dict(type_schema(info.annotation, shape))
    _apply(schema, info.metadata, shape)
    if info.default_factory is None and not info.is_required() and info.default is not None:
        default = info.default
        schema["default"] = default.value if isinstance(default, Enum) else default
    if info.description:
        schema["description"] = info.description
    return schema


def type_schema(annotation: Any, shape: Shape) -> JsonSchema:
    """The schema of a type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *metadata = get_args(annotation)
        return _annotated(base, metadata, shape)
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        # a union of several types is always spelt out by its Schema metadata (int-or-string)
        return type_schema(members[0], shape) if len(members) == 1 else {}
    if origin is Literal:
        return {"type": "string", "enum": list(get_args(annotation))}
    if origin is list:
        return {"type": "array", "items": type_schema(get_args(annotation)[0], shape)}
    if origin is dict:
        return _dict_schema(get_args(annotation)[1], shape)
    return _class_schema(annotation, shape)


def _class_schema(annotation: Any, shape: Shape) -> JsonSchema:
    if annotation in _PRIMITIVES:
        return {"type": _PRIMITIVES[annotation]}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {"type": "string", "enum": [member.value for member in annotation]}
    if isinstance(annotation, type) and issubclass(annotation, KubeModel):
        return shape.model(annotation)
    raise TypeError(f"{annotation!r} has no schema")


def _dict_schema(values: Any, shape: Shape) -> JsonSchema:
    if values is Any:
        return {"type": "object"}
    return {"type": "object", "additionalProperties": type_schema(values, shape)}


def _annotated(base: Any, metadata: Iterable[Any], shape: Shape) -> JsonSchema:
    core_type = next((item for item in metadata if isinstance(item, CoreType)), None)
    schema = shape.core_type(core_type) if core_type else dict(type_schema(base, shape))
    _apply(schema, metadata, shape)
    return schema


def _apply(schema: JsonSchema, metadata: Iterable[Any], shape: Shape) -> None:
    """Adds what metadata says beyond the type: limits, patterns, and members given as they are."""
    for item in metadata:
        if isinstance(item, FieldInfo):
            # of the items of a list, of the values of a map, of an optional type
            _apply(schema, item.metadata, shape)
        elif isinstance(item, Schema):
            schema.update(item.members)
            if item.rules:
                schema["x-kubernetes-validations"] = [rule.to_dict() for rule in item.rules]
        elif isinstance(item, CoreType):
            schema.update(shape.core_type(item))
        elif isinstance(item, annotated_types.Ge):
            schema["minimum"] = item.ge
        elif isinstance(item, annotated_types.Le):
            schema["maximum"] = item.le
        elif isinstance(item, annotated_types.MinLen):
            schema[_length("min", schema)] = item.min_length
        elif isinstance(item, annotated_types.MaxLen):
            schema[_length("max", schema)] = item.max_length
        elif (pattern := getattr(item, "pattern", None)) is not None:
            schema["pattern"] = pattern


def _length(bound: str, schema: JsonSchema) -> str:
    units = {"array": "Items", "object": "Properties"}
    return bound + units.get(schema.get("type", "string"), "Length")


def description_of(model: type[KubeModel]) -> str:
    """What a model's documentation says first."""
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())
