"""Selectors as kube-apiserver reads them, or None where we leave it to the server."""

from __future__ import annotations

import pytest

from missioncontrol.kube.selectors import matches

LABELS = {"a": "b", "c": ""}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, True),
        ("", True),
        ("a=b", True),
        ("a==b", True),
        ("a = b", True),
        ("a", True),
        ("c=", True),
        ("a=c", False),
        ("x", False),
        ("a=b,x", False),
        ("a!=b", None),
        ("!a", None),
        ("a in (b, c)", None),
    ],
)
def test_matches(selector: str | None, expected: bool | None) -> None:
    assert matches(selector, LABELS) is expected
