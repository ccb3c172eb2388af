"""What is listed to delete a collection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from apiserver.handlers import delete
from apiserver.storage import Query

Obj = dict[str, Any]


class Pages:
    """A store that lists in two pages, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    async def read(self, call: Any, face: Any, path: str, query: Query) -> Obj:
        self.asked.append(dict(query))
        if "continue" not in self.asked[-1]:
            return {"metadata": {"continue": "more", "resourceVersion": "7"}, "items": [{"n": 1}]}
        return {"metadata": {"resourceVersion": "7"}, "items": [{"n": 2}]}


async def listed(query: Query) -> tuple[Obj, list[dict[str, str]]]:
    store: Any = Pages()
    nobody: Any = SimpleNamespace(face=None)
    context: Any = SimpleNamespace(store=store)
    return await delete._listed(context, nobody, nobody, "/path", query), store.asked


@pytest.mark.parametrize("limit", [[], [("limit", "")], [("limit", "0")]])
async def test_without_a_limit_all_pages_are_listed_of_the_version_asked_for(limit: Query) -> None:
    query = [("labelSelector", "x"), ("resourceVersion", "7"), ("resourceVersionMatch", "Exact"), *limit]
    found, asked = await listed(query)
    assert [each["n"] for each in found["items"]] == [1, 2]
    page = {"labelSelector": "x", "limit": str(delete.PAGE)}
    assert asked == [
        {**page, "resourceVersion": "7", "resourceVersionMatch": "Exact"},
        {**page, "continue": "more"},
    ]


async def test_with_a_limit_that_page_is_all() -> None:
    found, asked = await listed([("limit", "1")])
    assert [each["n"] for each in found["items"]] == [1]
    assert asked == [{"limit": "1"}]
