"""Log lines: one JSON object each, with the context of the work."""

from __future__ import annotations

import asyncio
import json
import logging

from missioncontrol.serving import logs


def line(message: str, *args: object, **extra: object) -> dict[str, object]:
    record = logging.getLogger("room").makeRecord(
        "room", logging.INFO, "f", 1, message, args, None, extra=extra
    )
    decoded: dict[str, object] = json.loads(logs.JSONFormatter("operator").format(record))
    return decoded


def test_a_line_has_time_level_logger_component_and_message() -> None:
    found = line("hello %s", "you")
    assert found.pop("time")
    assert found == {"level": "info", "logger": "room", "component": "operator", "message": "hello you"}


async def test_context_nests_and_travels_into_tasks() -> None:
    async def inner() -> dict[str, object]:
        return line("x", retry_in=3)

    with logs.context(controller="c", cluster=""):
        with logs.context(reconcile_id="1"):
            found = await asyncio.create_task(inner())
        assert "reconcile_id" not in line("x")
    assert (found["controller"], found["reconcile_id"], found["retry_in"]) == ("c", "1", 3)
    assert "controller" not in line("x")


def test_anything_can_be_logged() -> None:
    assert line("x", odd=object(), surrogate="\ud800")["message"] == "x"


def test_errors_come_with_their_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.getLogger("room").makeRecord("room", logging.ERROR, "f", 1, "it failed", (), info)
    text = logs.JSONFormatter().format(record)
    assert "\n" not in text
    assert "ValueError: why" in json.loads(text)["error"]
