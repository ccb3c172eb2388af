"""Kubernetes' own types inside our kinds: resolved from the snapshot, made valid for CRDs."""

from __future__ import annotations

from typing import Any

from missioncontrol.api.emit.snapshot import CORE_PREFIX, META_PREFIX, closure, load
from missioncontrol.api.model import CoreType, IntOrString, Quantity, Schema

JsonSchema = dict[str, Any]

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_OBJECT_META = META_PREFIX + "ObjectMeta"
_TIME = META_PREFIX + "Time"
# what has a reference's name among its own members is a reference to upstream's generator: owned as a whole
_REFERENCES = {
    CORE_PREFIX + name
    for name in (
        "ConfigMapEnvSource",
        "ConfigMapProjection",
        "ConfigMapVolumeSource",
        "SecretEnvSource",
        "SecretProjection",
    )
}
_LIST_MARKERS = ("x-kubernetes-list-type", "x-kubernetes-list-map-keys")
# defaults that kube-apiserver has and upstream's definitions have not: what is stored must not differ
_NO_DEFAULTS = {CORE_PREFIX + "AzureDiskVolumeSource": ("cachingMode", "kind")}
# the part of a template's metadata that means something before the object exists
_TEMPLATE_META: JsonSchema = {
    "type": "object",
    "properties": {
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "name": {"type": "string"},
        "namespace": {"type": "string"},
    },
}


def _members(annotated: Any) -> JsonSchema:
    return next(dict(item.members) for item in annotated.__metadata__ if isinstance(item, Schema))


_SPECIAL: dict[str, JsonSchema] = {
    _QUANTITY: _members(Quantity),
    _INT_OR_STRING: _members(IntOrString),
    _OBJECT_META: _TEMPLATE_META,
    _TIME: {"type": "string", "format": "date-time"},
}


def _source(core_type: CoreType) -> tuple[str, JsonSchema]:
    """The name and the schema of a type. VolumeSource is a Volume that has no name of its own."""
    types = load()["core"]
    if core_type.name != "VolumeSource":
        return core_type.name, types[core_type.name]
    volume = dict(types[CORE_PREFIX + "Volume"])
    volume["properties"] = {key: value for key, value in volume["properties"].items() if key != "name"}
    volume["required"] = [key for key in volume.get("required", ()) if key != "name"]
    if not volume["required"]:
        del volume["required"]
    volume["description"] = "The source of a volume."
    return CORE_PREFIX + "VolumeSource", volume


def inline(core_type: CoreType) -> JsonSchema:
    """The type as a structural schema, without descriptions."""
    _, schema = _source(core_type)
    inlined: JsonSchema = _inline(schema, frozenset(core_type.drop_list_maps))
    return inlined


def _inline(schema: Any, drop: frozenset[str], owner: str = "") -> Any:
    """`owner` is the member that the schema belongs to, for lists the one that holds the items."""
    if isinstance(schema, list):
        return [_inline(item, drop, owner) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = _SPECIAL.get(name) or _inline(_type(name), drop, owner)
        return {**target, **({"default": schema["default"]} if "default" in schema else {})}
    inlined: JsonSchema = {}
    for key, value in schema.items():
        if key == "properties":
            inlined[key] = {name: _member(sub, drop, owner, name) for name, sub in value.items()}
        elif key == "additionalProperties" and isinstance(value, dict):
            # a value of null is nobody's wish for the empty one
            inlined[key] = _without(_inline(value, drop, owner), "default")
        elif key != "description":
            inlined[key] = _inline(value, drop, owner)
    return inlined


def _member(schema: Any, drop: frozenset[str], owner: str, name: str) -> Any:
    inlined = _inline(schema, drop, name)
    return _without(inlined, *_LIST_MARKERS) if f"{owner}.{name}" in drop else inlined


def _type(name: str) -> JsonSchema:
    schema: JsonSchema = load()["core"][name]
    if name in _REFERENCES:
        return {**schema, "x-kubernetes-map-type": "atomic"}
    if name not in _NO_DEFAULTS:
        return schema
    bare = {field: _without(schema["properties"][field], "default") for field in _NO_DEFAULTS[name]}
    return {**schema, "properties": {**schema["properties"], **bare}}


def _without(schema: JsonSchema, *keys: str) -> JsonSchema:
    return {key: value for key, value in schema.items() if key not in keys}


def definitions(core_type: CoreType, prefix: str) -> tuple[str, dict[str, JsonSchema]]:
    """The name of the type, and the definitions of the type and of all that it refers to."""
    name, schema = _source(core_type)
    types = {**load()["core"], name: schema}
    # a template's metadata is only a part of ObjectMeta, and so needs a name of its own
    template_meta = CORE_PREFIX + "TemplateObjectMeta"
    found = {}
    for key, definition in closure([name], {**types, _OBJECT_META: _described_template_meta()}).items():
        wire_key = template_meta if key == _OBJECT_META else key
        found[wire_key] = _rename(definition, prefix, template_meta)
    return name, found


def _described_template_meta() -> JsonSchema:
    """A template's metadata with what Kubernetes says of its members."""
    known = load()["meta"][_OBJECT_META]["properties"]
    properties: dict[str, JsonSchema] = _TEMPLATE_META["properties"]
    return {
        **_TEMPLATE_META,
        "description": "The metadata of what is made from the template.",
        "properties": {
            name: {**schema, "description": known[name]["description"]} for name, schema in properties.items()
        },
    }


def _rename(schema: Any, prefix: str, template_meta: str) -> Any:
    if isinstance(schema, list):
        return [_rename(item, prefix, template_meta) for item in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _rename(value, prefix, template_meta) for key, value in schema.items()}
    if isinstance(renamed.get("$ref"), str):
        name = renamed["$ref"].rpartition("/")[2]
        renamed["$ref"] = prefix + (template_meta if name == _OBJECT_META else name)
    return renamed
