"""A stable fingerprint of what was rendered, to tell a change of ours from a change of the stored object."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any


def fingerprint(value: Any) -> str:
    """The same for equal values, whatever the order of their members."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def covers(actual: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there; members that others added do not matter."""
    if isinstance(wanted, dict):
        if not isinstance(actual, dict):
            return not wanted and actual is None
        return all(covers(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(actual, list):
            return not wanted and actual is None
        return len(actual) == len(wanted) and all(map(covers, actual, wanted))
    return bool(actual == wanted)
