"""JSON beyond the depth of the quick codec."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from apiserver import deep
from missioncontrol.serving.run import NESTING


@pytest.fixture(autouse=True)
def _as_deep_as_programs_are() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(NESTING)
    yield
    sys.setrecursionlimit(before)


def nested(depth: int) -> Any:
    value: Any = "ü"
    for _ in range(depth):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize("depth", [1, 127, 128, 400])
def test_what_is_written_is_read_again(depth: int) -> None:
    value = nested(depth)
    written = deep.dumps(value, orjson.OPT_APPEND_NEWLINE)
    assert written == b'{"a":[' * depth + '"ü"'.encode() + b"]}" * depth + b"\n"
    assert deep.dumps(deep.loads(written)) == written[:-1]


def test_it_is_read_deeper_than_the_quick_codec_goes() -> None:
    text = b"[" * 4000 + b"]" * 4000
    assert deep.dumps(deep.loads(text)) == text


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 2000, b"nothing"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        deep.loads(text)


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        deep.dumps({"a": object()})
