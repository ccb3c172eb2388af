"""YAML as Kubernetes reads it, for bodies that may have been made to hurt.

libyaml parses, many times faster than Python does; but it recurses, and takes quadratic time, on what is
nested deeply. So the parts of a document are counted one after the other before anything is built of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import yaml

MAX_DEPTH: Final = 240
"""More than any object has that people wrote. What encodes objects takes 254: with what lists, Tables, events
and the record of field owners put around them, all that is stored can be shown.
"""
MAX_PARTS: Final = 150_000
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class TooLarge(Exception):
    """More parts than any object has."""


class TooDeep(yaml.YAMLError):
    """Nested deeper than any object is."""

    problem = "it is nested too deeply"


class BadKey(yaml.YAMLError):
    """A key that cannot be one in JSON."""

    problem = "a key must be a string"


def load(text: str, make_object: Callable[[list[tuple[str, Any]], list[int]], dict[str, Any]]) -> Any:
    """The first document in a text. ``make_object`` is told all pairs, also of keys given twice, and the
    lines of their keys.
    """
    _measure(text)
    loader = _Loader(text)
    loader.make_object = make_object
    try:
        # what follows is not looked at, as in Kubernetes
        return loader.get_data() if loader.check_data() else None
    finally:
        loader.dispose()


def _measure(text: str) -> None:
    depth = 0
    for parts, event in enumerate(yaml.parse(text, Loader=_BASE)):
        if isinstance(event, _OPENING):
            depth += 1
            if depth > MAX_DEPTH:
                raise TooDeep
        elif isinstance(event, _CLOSING):
            depth -= 1
        elif isinstance(event, yaml.DocumentEndEvent):
            return  # what follows may be anything
        if parts > MAX_PARTS:
            raise TooLarge


class _Loader(_BASE):  # type: ignore[misc]
    """Safe, without YAML's implicit timestamps and base-60 numbers, and with repeated keys noted."""

    make_object: Callable[[list[tuple[str, Any]], list[int]], dict[str, Any]]
    _merged = 0

    def flatten_mapping(self, node: Any) -> None:
        """Merge what `<<` names; merges of merges grow fast, so what they bring is counted."""
        super().flatten_mapping(node)
        self._merged += len(node.value)
        if self._merged > 2 * MAX_PARTS:
            raise TooLarge

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        pairs = [
            (_key(self.construct_object(k, deep=True)), self.construct_object(v, deep=True))
            for k, v in node.value
        ]
        return self.make_object(pairs, [k.start_mark.line + 1 for k, _ in node.value])


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise BadKey


_INT = re.compile(r"^[-+]?(0b[0-1_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_BOOL = re.compile(r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")


def _construct_map(loader: _Loader, node: Any) -> dict[Any, Any]:
    return loader.construct_mapping(node)


def _construct_int(_loader: _Loader, node: Any) -> int:
    text = str(node.value).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits.startswith("0x"):
        return sign * int(digits, 16)
    if digits.startswith("0b"):
        return sign * int(digits[2:], 2)
    if len(digits) > 1 and digits.startswith("0"):
        return sign * int(digits[1:].lstrip("o") or "0", 8)
    return sign * int(digits)


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("yYnNtTfFoO"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
