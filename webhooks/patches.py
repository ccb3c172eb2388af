"""JSON patches that touch as little as possible and may be computed again on their own result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def set_entries(body: Mapping[str, Any], member: str, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    """Operations that give `metadata.<member>` (labels or annotations) these entries, none where they are."""
    metadata = body.get("metadata") or {}
    present = metadata.get(member)
    missing = {key: value for key, value in wanted.items() if (present or {}).get(key) != value}
    if not missing:
        return []
    if not isinstance(present, dict):
        return [{"op": "add", "path": f"/metadata/{member}", "value": missing}]
    return [
        {"op": "add", "path": f"/metadata/{member}/{escape(key)}", "value": value}
        for key, value in sorted(missing.items())
    ]


def escape(key: str) -> str:
    """A key as a segment of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
