"""What may be said in a Scale, and how what may not is refused. The store never sees one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import orjson

from apiserver.call import MANAGER_LIMIT, Call
from apiserver.status import Failure, bad_request, failure, invalid
from apiserver.translate.face import Obj
from missioncontrol.api.emit import snapshot
from missioncontrol.api.resources import SCALES, Resource

MAX_INT32: Final = 2**31 - 1


@functools.cache
def _members() -> dict[str, frozenset[str]]:
    """What a Scale has, by the path of what has it."""
    metadata = snapshot.load()["meta"][f"{snapshot.META_PREFIX}ObjectMeta"]
    return {
        "": frozenset({"apiVersion", "kind", "metadata", "spec", "status"}),
        "metadata": frozenset(metadata["properties"]),
        "spec": frozenset({"replicas"}),
        "status": frozenset({"replicas", "selector"}),
    }


def unknown(scale: Any) -> list[str]:
    """What is to be said of fields that no Scale has; the store never sees them."""
    if not isinstance(scale, dict) or scale.get("kind") not in (None, "", "Scale"):
        return []  # it is refused for that
    texts = []
    for place, known in _members().items():
        value = scale.get(place) if place else scale
        if isinstance(value, dict):
            names = (f"{place}.{name}" if place else name for name in value if name not in known)
            texts += [f'unknown field "{name}"' for name in names]
    return texts


def check_options(call: Call, kind: str, *, applies: bool = False) -> None:
    """The parameters of the write: a change of nothing never reaches the store, which would check them."""
    dry, manager = call.query.getall("dryRun", []), call.query.get("fieldManager", "")
    causes = []
    if any(each not in ("All", "") for each in dry):
        shown = orjson.dumps(dry).decode()
        message = f'Unsupported value: {shown}: supported values: "All"'
        causes.append({"reason": "FieldValueNotSupported", "message": message, "field": "dryRun"})
    if applies and not manager:
        message = "Required value: is required for apply patch"
        causes.append({"reason": "FieldValueRequired", "message": message, "field": "fieldManager"})
    if len(manager.encode()) > MANAGER_LIMIT:
        message = f"Too long: may not be more than {MANAGER_LIMIT} bytes"
        causes.append({"reason": "FieldValueTooLong", "message": message, "field": "fieldManager"})
    if causes:
        raise invalid(Resource("meta.k8s.io", "v1", "", kind), "", causes)


def metadata_of(value: Any) -> Mapping[str, Any]:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def check_applied(value: Any) -> None:
    """An apply says what it is."""
    whole = value if isinstance(value, dict) else {}
    api_version, kind = whole.get("apiVersion") or "", whole.get("kind") or ""
    if (api_version, kind) != (SCALES.api_version, SCALES.kind):
        place = api_version if "/" in str(api_version) else f"/{api_version}"
        raise bad_request(f"invalid object type: {place}, Kind={kind}")


def check_type(wanted: Any) -> None:
    """Whether it is a Scale at all."""
    if not isinstance(wanted, dict) or wanted.get("kind") not in (None, "", SCALES.kind):
        raise bad_request("the object provided is unrecognized (must be of type Scale)")
    if wanted.get("apiVersion") not in (None, "", SCALES.api_version):
        raise bad_request(
            f"the API version in the data ({wanted.get('apiVersion')}) does not match the expected "
            f"API version ({SCALES.api_version})"
        )
    spec = wanted.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool) or abs(replicas) > MAX_INT32:
        raise bad_request("spec.replicas of a Scale must be an integer")


def unfit(wanted: Any, problem: Failure) -> Failure:
    """What a patch makes is no Scale."""
    text = orjson.dumps(orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS).decode()).decode()
    message = f"Invalid value: {text}: {problem}"
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]
    return failure(422, f' "" is invalid: patch: {message}', details={"causes": causes})


def check_place(call: Call, wanted: Obj) -> None:
    """Whether it is the Scale that the path names."""
    metadata, info = metadata_of(wanted), call.info
    if not metadata.get("name"):
        raise bad_request(
            f"the name of the object ({info.name} based on URL) was undeterminable: name must be provided"
        )
    if metadata["name"] != info.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({info.name})"
        )
    if metadata.get("namespace") not in (None, "", info.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
