"""A refusal in Kubernetes' vocabulary: reason, field path and sentence, one for each thing that is wrong.

Rules return all causes at once, so that a user mends a manifest in one round. The words are those of
apimachinery's field errors, because kubectl prints `<field>: <message>` for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """The CauseTypes of apimachinery that our rules use."""

    NOT_FOUND = "FieldValueNotFound"
    REQUIRED = "FieldValueRequired"
    DUPLICATE = "FieldValueDuplicate"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    FORBIDDEN = "FieldValueForbidden"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with an object."""

    reason: Reason
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def as_dict(self) -> dict[str, str]:
        """The shape of an entry in `status.details.causes`."""
        return {"reason": self.reason.value, "field": self.field, "message": self.message}


def invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause(Reason.INVALID, field, f"Invalid value: {_shown(value)}: {detail}")


def required(field: str, detail: str) -> Cause:
    return Cause(Reason.REQUIRED, field, f"Required value: {detail}")


def duplicate(field: str, value: Any) -> Cause:
    return Cause(Reason.DUPLICATE, field, f"Duplicate value: {_shown(value)}")


def not_found(field: str, value: Any, detail: str) -> Cause:
    return Cause(Reason.NOT_FOUND, field, f"Not found: {_shown(value)}: {detail}")


def forbidden(field: str, detail: str) -> Cause:
    return Cause(Reason.FORBIDDEN, field, f"Forbidden: {detail}")


def unknown_value(field: str, value: Any, known: Iterable[str]) -> Cause:
    supported = ", ".join(_shown(each) for each in known)
    return Cause(
        Reason.NOT_SUPPORTED, field, f"Unsupported value: {_shown(value)}: supported values: {supported}"
    )


def not_supported_yet(field: str, what: str = "") -> Cause:
    """What the schema knows and this release does not carry out; `what` defaults to the field's own name."""
    return forbidden(field, f"{what or field.rsplit('.', 1)[-1]} is not supported yet")


def sentence(causes: Iterable[Cause]) -> str:
    """All causes in one text, in the manner of apimachinery's aggregated errors."""
    texts = [str(cause) for cause in causes]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
