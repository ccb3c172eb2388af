"""When the status of a datacenter is written: at once, or with what changes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.cassandra.status import LastWrite, only_words, patch

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def condition(status: str = "False", message: str = "", kind: str = "Ready") -> dict[str, Any]:
    return {"type": kind, "status": status, "message": message, "lastTransitionTime": "2030-01-01T00:00:00Z"}


VALID = condition(message="a volume cannot shrink", kind="Valid")
BEFORE = {"conditions": [condition(), VALID], "nodeStatuses": {"a": {"hostID": "1"}}}
OTHER_WORDS = {**BEFORE, "conditions": [condition(message="waiting until a can be started"), VALID]}


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param(OTHER_WORDS, True, id="another sentence"),
        pytest.param({"conditions": [condition("True"), VALID]}, False, id="a condition turns"),
        pytest.param(
            {"conditions": [condition(), VALID, condition("True", kind="Healthy")]}, False, id="a new one"
        ),
        pytest.param(
            {"conditions": [condition(), condition(message="too small", kind="Valid")]}, False, id="a refusal"
        ),
        pytest.param({**OTHER_WORDS, "nodeStatuses": {"b": {}}}, False, id="a new member"),
    ],
)
def test_words_are_told_from_what_is_decided_by(after: dict[str, Any], words: bool) -> None:
    assert only_words(BEFORE, patch(BEFORE, after)) is words


@pytest.mark.parametrize(
    ("age", "words", "seconds"),
    [
        pytest.param(1, 0, 2, id="they wait a while"),
        pytest.param(3, 0, 0, id="they have waited"),
        pytest.param(3, 1, 3, id="the second ones in succession wait longer"),
        pytest.param(4, 50, 6, id="but not for ever"),
    ],
)
def test_words_wait_for_what_changes_next(age: float, words: int, seconds: float) -> None:
    assert LastWrite(NOW - timedelta(seconds=age), words).held_back(NOW) == seconds
