"""When the status of a datacenter is written: at once, or with what changes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.cassandra.status import WORDS_SECONDS, held_back, patch

NOW = datetime(2030, 1, 1, tzinfo=UTC)
JUST_NOW = NOW - timedelta(seconds=1)


def condition(status: str = "False", message: str = "waiting for pods to be made") -> dict[str, Any]:
    return {
        "type": "Ready",
        "status": status,
        "message": message,
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    }


BEFORE = {"conditions": [condition()], "nodeStatuses": {"a": {"hostID": "1"}}}
OTHER_WORDS = {**BEFORE, "conditions": [condition(message="waiting until a can be started")]}


@pytest.mark.parametrize(
    ("sentence", "after", "written_at", "seconds"),
    [
        ("other words wait a while", OTHER_WORDS, JUST_NOW, WORDS_SECONDS - 1),
        ("words that have waited are written", OTHER_WORDS, NOW - timedelta(seconds=WORDS_SECONDS), 0),
        ("the first words of a process are written at once", OTHER_WORDS, None, 0),
        ("a condition that turns is written at once", {"conditions": [condition("True")]}, JUST_NOW, 0),
        (
            "a new condition is written at once",
            {"conditions": [condition(), {"type": "Healthy", "status": "True", "message": ""}]},
            JUST_NOW,
            0,
        ),
        ("a new member is written at once", {**OTHER_WORDS, "nodeStatuses": {"b": {}}}, JUST_NOW, 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words_alone_wait_for_what_changes_next(
    sentence: str, after: dict[str, Any], written_at: datetime | None, seconds: float
) -> None:
    assert held_back(BEFORE, patch(BEFORE, after), written_at, NOW) == seconds
