"""Whether labels match a selector, for those that our informers use: equality and existence."""

from __future__ import annotations

from collections.abc import Mapping


def matches(selector: str | None, labels: Mapping[str, str]) -> bool | None:
    """True or False, or None for a selector with operators that this function does not know."""
    if not selector:
        return True
    if "(" in selector:
        return None
    for term in selector.split(","):
        if "!" in term:
            return None
        key, equals, value = term.partition("=")
        key, value = key.strip(), value.lstrip("=").strip()
        if key not in labels or (equals and labels[key] != value):
            return False
    return True
