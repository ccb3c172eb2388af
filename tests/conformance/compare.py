"""What differs between the native arm and another one, line by line, and what of it is allowed."""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.conformance.differences import DIFFERENCES, Difference

_ABSENT = "(absent)"


@dataclass(frozen=True)
class Line:
    """One place where the answers differ."""

    case: str
    arm: str
    request: str
    place: str
    native: Any
    ours: Any

    def __str__(self) -> str:
        both = f"native {_short(self.native)}, ours {_short(self.ours)}"
        return f"[{self.arm}] {self.request}\n    {self.place}: {both}"


def _short(value: Any) -> str:
    text = value if value == _ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 4000 else f"{text[:4000]}…"


def compare(case: str, arm: str, native: list[Any], ours: list[Any]) -> list[Line]:
    """All lines in which two recordings of a case differ."""
    lines: list[Line] = []
    for index in range(max(len(native), len(ours))):
        left = native[index] if index < len(native) else {"request": _ABSENT}
        right = ours[index] if index < len(ours) else {"request": _ABSENT}
        request = f"{index + 1}. {left['request']}"
        lines += [
            Line(case, arm, request, place, before, after)
            for place, before, after in _differing("", left, right)
        ]
    return lines


def _differing(place: str, left: Any, right: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in dict.fromkeys([*left, *right]):
            below = f"{place}.{key}" if place else str(key)
            yield from _differing(below, left.get(key, _ABSENT), right.get(key, _ABSENT))
    elif _is_text(left) and _is_text(right):
        matcher = difflib.SequenceMatcher(a=left, b=right, autojunk=False)
        for what, start, end, other, last in matcher.get_opcodes():
            if what != "equal":
                yield f"{place}[{start}]", left[start:end] or _ABSENT, right[other:last] or _ABSENT
    elif isinstance(left, list) and isinstance(right, list):
        for index in range(max(len(left), len(right))):
            yield from _differing(
                f"{place}[{index}]",
                left[index] if index < len(left) else _ABSENT,
                right[index] if index < len(right) else _ABSENT,
            )
    elif left != right or type(left) is not type(right):
        yield place, left, right


def _is_text(value: Any) -> bool:
    """Whether it is lines."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def unexplained(lines: Iterable[Line]) -> tuple[list[Line], set[Difference]]:
    """The lines that no listed difference covers, and the differences that were met."""
    rest, met = [], set()
    for line in lines:
        reason = next((each for each in DIFFERENCES if _covers(each, line)), None)
        if reason is None:
            rest.append(line)
        else:
            met.add(reason)
    return rest, met


def _covers(difference: Difference, line: Line) -> bool:
    return (
        (not difference.arm or difference.arm == line.arm)
        and fnmatch.fnmatchcase(line.case, _literal(difference.cases))
        and fnmatch.fnmatchcase(line.request, _literal(difference.requests))
        and fnmatch.fnmatchcase(line.place, _literal(difference.places))
    )


def _literal(pattern: str) -> str:
    """Only `*` and `?` are patterns here; brackets are indices, but for those of numbers."""
    return re.sub(r"\[(?!\d-\d\])", "[[]", pattern)
