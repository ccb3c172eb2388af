"""AdmissionReview v1 on the wire, and a verdict in our own terms."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson

from missioncontrol.validation.causes import Cause, sentence

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
WARNING_LIMIT: Final = 256
MESSAGE_LIMIT: Final = 4096


class GroupVersionKind(msgspec.Struct, frozen=True):
    """What kind an object is of."""

    group: str = ""
    version: str = ""
    kind: str = ""


class GroupVersionResource(msgspec.Struct, frozen=True):
    """Which resource a request is for."""

    group: str = ""
    version: str = ""
    resource: str = ""


class UserInfo(msgspec.Struct, frozen=True):
    """Who sends the request, as kube-apiserver has authenticated them."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be judged."""

    uid: str
    kind: GroupVersionKind
    resource: GroupVersionResource
    operation: str
    user_info: UserInfo
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None
    dry_run: bool = False

    @property
    def subject(self) -> Mapping[str, Any]:
        """The object as it would be; at a deletion the one that would go."""
        return self.object or self.old_object or {}

    @property
    def deleting(self) -> bool:
        """Whether the object is on its way out, so that only its finalizers matter any more."""
        return bool(metadata(self.object).get("deletionTimestamp"))


class Review(msgspec.Struct, frozen=True, rename="camel"):
    """The envelope."""

    api_version: str
    kind: str
    request: Request


_decoder = msgspec.json.Decoder(Review)


class BadReview(Exception):
    """What was sent is no AdmissionReview; there is no uid to answer to."""


def read(body: bytes) -> Request:
    """The request of an AdmissionReview."""
    try:
        review = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReview(f"not an AdmissionReview: {error}") from error
    if (review.api_version, review.kind) != (API_VERSION, KIND):
        raise BadReview(f"not an {API_VERSION} {KIND} but {review.api_version} {review.kind}")
    return review.request


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a request."""

    allowed: bool = True
    code: int = 200
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()
    patch: tuple[dict[str, Any], ...] = ()


ALLOWED: Final = Verdict()


def allow(warnings: Sequence[str] = ()) -> Verdict:
    return Verdict(warnings=tuple(warnings))


def patched(operations: Sequence[dict[str, Any]]) -> Verdict:
    return Verdict(patch=tuple(operations))


def forbid(message: str) -> Verdict:
    """403: the right is missing, or a policy objects."""
    return Verdict(False, 403, "Forbidden", message)


def refuse(causes: Sequence[Cause], warnings: Sequence[str] = ()) -> Verdict:
    """422: the object breaks rules."""
    return Verdict(False, 422, "Invalid", sentence(causes), tuple(causes), tuple(warnings))


def fail(code: int, reason: str, message: str) -> Verdict:
    """There is no judgement, so the request does not pass."""
    return Verdict(False, code, reason, message)


def answer(request: Request, verdict: Verdict) -> bytes:
    """The AdmissionReview to send back."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        response["status"] = _status(request, verdict)
    elif verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(list(verdict.patch))).decode()
    if verdict.warnings:
        response["warnings"] = [each[:WARNING_LIMIT] for each in verdict.warnings]
    return orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _status(request: Request, verdict: Verdict) -> dict[str, Any]:
    kind, name = request.kind, request.name or str(metadata(request.subject).get("name") or "")
    message = verdict.message
    details: dict[str, Any] | None = None
    if verdict.code == 422:
        message = f'{kind.kind}.{kind.group} "{name}" is invalid: {message}'
    if verdict.code == 403:
        resource = request.resource
        subject = f"{resource.resource}.{resource.group}" + (f' "{name}"' if name else "")
        message = f"{subject} is forbidden: {message}"
        details = {"group": resource.group, "kind": resource.resource, **({"name": name} if name else {})}
    status: dict[str, Any] = {
        "status": "Failure",
        "code": verdict.code,
        "reason": verdict.reason,
        "message": message[:MESSAGE_LIMIT],
    }
    if verdict.causes:
        causes = [each.as_dict() for each in verdict.causes]
        details = {"group": kind.group, "kind": kind.kind, "name": name, "causes": causes}
    if details is not None:
        status["details"] = details
    return status


def metadata(body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The metadata of an object that may not be there."""
    found = (body or {}).get("metadata")
    return found if isinstance(found, dict) else {}


def annotations_of(body: Mapping[str, Any] | None) -> Mapping[str, str]:
    return metadata(body).get("annotations") or {}


def labels_of(body: Mapping[str, Any] | None) -> Mapping[str, str]:
    return metadata(body).get("labels") or {}
