"""The OpenAPI documents of the aggregated group, v2 and v3.

kube-apiserver merges the v2 document with its own and serves the result to everybody, so it must be
valid Swagger 2.0 to the letter and repeat the meta types verbatim; Kubernetes' own types inside our kinds
are any object there, which keeps it small. The v3 document is what kubectl reads: it has everything.
"""

from __future__ import annotations

import functools
from typing import Any

from missioncontrol.api.emit.discovery import GROUP_VERSION, Rendered, render
from missioncontrol.api.emit.operations import Operation, Path, paths
from missioncontrol.api.emit.parameters import PARAMETERS
from missioncontrol.api.emit.schema import DEFINITION_PREFIX, JsonSchema, Referenced, description_of
from missioncontrol.api.emit.snapshot import META_PREFIX, SCALE, closure, load
from missioncontrol.api.model import KubeModel
from missioncontrol.api.operations import OperationViewSpec
from missioncontrol.api.registry import KINDS, OPERATION_KINDS, KindInfo
from missioncontrol.api.resources import VIRTUAL_GROUP, Resource

Document = dict[str, Any]

# What Kubernetes says of the metadata of every custom resource.
_METADATA = (
    "Standard object's metadata. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_INFO = {"title": "Mission Control", "version": "v1alpha1"}
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_MEDIA_TYPES = ("application/json", "application/yaml")
_UNAUTHORIZED = "401"
_V2_ONLY = frozenset({"nullable", "oneOf", "anyOf", "not", "x-kubernetes-validations"})


def _definition_name(resource: Resource) -> str:
    return DEFINITION_PREFIX + resource.kind if resource.group == VIRTUAL_GROUP else SCALE


def _kind_definitions(kind: KindInfo, shape: Referenced, prefix: str) -> dict[str, JsonSchema]:
    """The definitions of an object and of a list of it."""
    resource = kind.resource
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    known = load()["meta"][f"{META_PREFIX}DeleteOptions"]["properties"]
    types = {name: known[name] for name in ("apiVersion", "kind")}
    meta = {"$ref": f"{prefix}{META_PREFIX}ObjectMeta"}
    of_lists = load()["meta"][f"{META_PREFIX}Status"]["properties"]["metadata"]["description"]
    list_meta = {"$ref": f"{prefix}{META_PREFIX}ListMeta", "description": of_lists}
    name = _definition_name(resource)
    return {
        name: {
            "type": "object",
            "description": kind.description,
            "properties": {
                **types,
                "metadata": {**meta, "description": _METADATA},
                "spec": _described(shape, kind.spec),
                "status": _described(shape, kind.status),
            },
            "required": ["spec"],
            "x-kubernetes-group-version-kind": [gvk],
        },
        f"{name}List": {
            "type": "object",
            "description": f"A list of objects of kind {resource.kind}.",
            "required": ["items"],
            "properties": {
                **types,
                "metadata": list_meta,
                "items": {
                    "type": "array",
                    "description": "The objects.",
                    "items": {"$ref": prefix + name},
                },
            },
            "x-kubernetes-group-version-kind": [{**gvk, "kind": f"{resource.kind}List"}],
        },
    }


def _described(shape: Referenced, model: type[KubeModel]) -> JsonSchema:
    """A field of a type with the type's description: kubectl prints a field's own, and then the type's."""
    reference = shape.model(model)
    definition = shape.definitions[reference["$ref"].rpartition("/")[2]]
    definition.pop("description", None)
    return {**reference, "description": description_of(model)}


def _definitions(prefix: str, *, opaque_core_types: bool) -> dict[str, JsonSchema]:
    shape = Referenced(prefix, opaque_core_types=opaque_core_types)
    found: dict[str, JsonSchema] = {}
    for kind in KINDS:
        found |= _kind_definitions(kind, shape, prefix)
    view = _view_definition(shape)
    return found | shape.definitions | view


def _view_definition(shape: Referenced) -> dict[str, JsonSchema]:
    """The spec of the view over all operations, which has each kind's arguments under the kind's name."""
    name = DEFINITION_PREFIX + OperationViewSpec.__name__
    schema = shape.definitions[name]
    properties = dict(schema["properties"])
    properties["type"] = {
        **properties["type"],
        "enum": sorted(each.resource.kind for each in OPERATION_KINDS),
    }
    for operation in OPERATION_KINDS:
        assert operation.arguments is not None
        properties[operation.singular] = _described(shape, operation.arguments)
    return {name: {**schema, "properties": properties}}


def _meta(prefix: str) -> dict[str, JsonSchema]:
    names = [
        SCALE,
        *(META_PREFIX + name for name in ("DeleteOptions", "Patch", "Status", "ObjectMeta", "ListMeta")),
    ]
    definitions = closure(names, load()["meta"])
    return {name: _with_prefix(schema, prefix) for name, schema in definitions.items()}


def _with_prefix(schema: Any, prefix: str) -> Any:
    if isinstance(schema, list):
        return [_with_prefix(item, prefix) for item in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {key: _with_prefix(value, prefix) for key, value in schema.items()}
    if isinstance(renamed.get("$ref"), str):
        renamed["$ref"] = prefix + renamed["$ref"].rpartition("/")[2]
    return renamed


def _schema_ref(kind: Resource | str, prefix: str, *, as_list: bool = False) -> JsonSchema:
    name = (
        META_PREFIX + kind if isinstance(kind, str) else _definition_name(kind) + ("List" if as_list else "")
    )
    return {"$ref": prefix + name}


def _responses(operation: Operation) -> dict[str, str]:
    """The answers by code; those that only say that there is no right to one have no schema."""
    found = {"200": "OK"}
    if operation.created or operation.verb == "patch":
        found["201"] = "Created"
    if operation.created or operation.verb == "delete":
        found["202"] = "Accepted"
    return found | {_UNAUTHORIZED: "Unauthorized"}


def _common(operation: Operation) -> Document:
    kind = operation.kind
    return {
        "description": operation.description,
        "operationId": operation.operation_id,
        "tags": [operation.tag],
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {
            "group": kind.group,
            "version": kind.version,
            "kind": kind.kind,
        },
    }


# --- version 2 ---------------------------------------------------------------------------------


def openapi_v2() -> Document:
    """``GET /openapi/v2``."""
    prefix = "#/definitions/"
    definitions = _definitions(prefix, opaque_core_types=True)
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": {path.path: _path_v2(path, prefix) for path in paths()},
        "definitions": {name: _swagger(schema) for name, schema in definitions.items()} | _meta(prefix),
    }


def _swagger(schema: Any) -> Any:
    """A schema without what Swagger 2.0 does not know. A reference stands alone there."""
    if isinstance(schema, list):
        return [_swagger(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {key: schema[key] for key in ("$ref", "description") if key in schema}
    swagger = {key: _swagger(value) for key, value in schema.items() if key not in _V2_ONLY}
    if schema.get("x-kubernetes-int-or-string"):
        swagger |= {"type": "string", "format": "int-or-string"}
        swagger.pop("pattern", None)
    return swagger


def _path_v2(path: Path, prefix: str) -> Document:
    item: Document = {"parameters": [PARAMETERS[name].v2("path") for name in path.parameters]}
    for operation in path.operations:
        item[operation.method] = _operation_v2(operation, prefix)
    return {key: value for key, value in item.items() if value}


def _operation_v2(operation: Operation, prefix: str) -> Document:
    parameters = [PARAMETERS[name].v2("query") for name in operation.parameters]
    if operation.body is not None:
        body = {"name": "body", "in": "body", "schema": _schema_ref(operation.body, prefix)}
        parameters.insert(0, body | ({"required": True} if operation.body != "DeleteOptions" else {}))
    answer = _schema_ref(operation.answer, prefix, as_list=operation.answers_list)
    return _common(operation) | {
        "schemes": ["https"],
        "consumes": list(_PATCH_TYPES) if operation.verb == "patch" else ["*/*"],
        "produces": list(_MEDIA_TYPES),
        "parameters": parameters,
        "responses": {
            code: {"description": text, **({"schema": answer} if code != _UNAUTHORIZED else {})}
            for code, text in _responses(operation).items()
        },
    }


# --- version 3 ---------------------------------------------------------------------------------


def openapi_v3() -> Document:
    """``GET /openapi/v3/apis/missioncontrol.io/v1alpha1``."""
    prefix = "#/components/schemas/"
    schemas = _definitions(prefix, opaque_core_types=False) | _meta(prefix)
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": {path.path: _path_v3(path, prefix) for path in paths()},
        "components": {"schemas": {name: _referencing(schema) for name, schema in schemas.items()}},
    }


def _referencing(schema: Any) -> Any:
    """A schema whose references carry their descriptions: beside a reference nothing counts in 3.0."""
    if isinstance(schema, list):
        return [_referencing(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    members = {key: _referencing(value) for key, value in schema.items()}
    if isinstance(members.get("$ref"), str) and len(members) > 1:
        reference = members.pop("$ref")
        return {"allOf": [{"$ref": reference}], **members}
    return members


def _path_v3(path: Path, prefix: str) -> Document:
    item: Document = {"parameters": [PARAMETERS[name].v3("path") for name in path.parameters]}
    for operation in path.operations:
        item[operation.method] = _operation_v3(operation, prefix)
    return {key: value for key, value in item.items() if value}


def _operation_v3(operation: Operation, prefix: str) -> Document:
    content = _content(operation.answer, prefix, operation.answers_list)
    document = _common(operation) | {
        "parameters": [PARAMETERS[name].v3("query") for name in operation.parameters],
        "responses": {
            code: {"description": text, **({"content": content} if code != _UNAUTHORIZED else {})}
            for code, text in _responses(operation).items()
        },
    }
    if operation.body is not None:
        media_types = _PATCH_TYPES if operation.verb == "patch" else _MEDIA_TYPES
        schema = _schema_ref(operation.body, prefix)
        document["requestBody"] = {"content": {media_type: {"schema": schema} for media_type in media_types}}
        if operation.body != "DeleteOptions":
            document["requestBody"]["required"] = True
    return document


def _content(answer: Resource | str, prefix: str, as_list: bool) -> Document:
    schema = _schema_ref(answer, prefix, as_list=as_list)
    return {media_type: {"schema": schema} for media_type in _MEDIA_TYPES}


# --- as bytes ----------------------------------------------------------------------------------


@functools.cache
def rendered_v2() -> Rendered:
    """``GET /openapi/v2``, as bytes."""
    return render(openapi_v2())


@functools.cache
def rendered_v3() -> Rendered:
    """``GET /openapi/v3/apis/missioncontrol.io/v1alpha1``, as bytes."""
    return render(openapi_v3())


@functools.cache
def rendered_v3_root() -> Rendered:
    """``GET /openapi/v3``, as bytes."""
    digest = rendered_v3().etag.strip('"')
    url = f"/openapi/v3/apis/{GROUP_VERSION}?hash={digest}"
    return render({"paths": {f"apis/{GROUP_VERSION}": {"serverRelativeURL": url}}})
