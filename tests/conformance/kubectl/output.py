"""What kubectl prints, made comparable: JSON as JSON, text in lines, without times and places."""

from __future__ import annotations

import json
import re
from typing import Any, Final

# Cells that no JSON path can say. All others are the same on both sides.
_COMPUTED: Final = frozenset(
    {"DATACENTERS", "NODES", "VERSION", "PHASE", "READY", "LAST CONTACT", "REASON", "PROGRESS"}
)
_HEADER = re.compile(r"(?:EVENT +|NAMESPACE +)*NAME( |$)")
_COLUMN = re.compile(r"\S+(?: \S+)*\s*")
_AGE = re.compile(r"(?<![\w.-])(?:\d+m)?\d+s(?![\w-])|(?<![\w.-])\d+m(?![\w-])")
_LOG = re.compile(r"^([IWEF])\d{4} [\d:.]+ +\d+ (\S+?:)\d+\]", re.MULTILINE)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}")
_FOLDER = re.compile(
    r"(LIVE|MERGED)-\d+|(?:HOME/)?kubectl-edit-\d+(?:\.yaml|\.json)|(?:/tmp|HOME)/[\w.-]*\d{6,}[\w.-]*"
)
_OWN = re.compile(r"X509SHA256=[0-9a-f]{64}|(?<=, was )\d+$", re.MULTILINE)
_PORT = re.compile(r"127\.0\.0\.1:\d+")
# Ours have names, as those of built-in kinds; a custom resource has none.
_TYPE = re.compile(r"(?<=<)((?:\[\]|map\[string\])*)[A-Z]\w*(?=>)")
_SECOND = re.compile(r"(?m)^(\s*(?:Time|Last Transition Time|Creation Timestamp): +)\S.*$")


_OUT_OF_TIME = re.compile(r"(?m)^E\d+ .* reflector\.go:.*context deadline exceeded.*\n?")
"""Told, or not, by a kubectl whose own time ends just while it opens its watch again."""


def legible(text: str, *, with_types: bool = False) -> Any:
    """A document where it is one, else lines."""
    text = _OWN.sub("<its own>", text)
    if text[:1] in "{[":
        try:
            return json.loads(text)
        except ValueError:
            pass
    text = _OUT_OF_TIME.sub("", text)
    text = _LOG.sub(r"\1 \2", text if with_types else _TYPE.sub(r"\1Object", text))
    text = _PORT.sub("ADDRESS", _FOLDER.sub(lambda found: found[1] or "FILE", _STAMP.sub("<time>", text)))
    return [_spaced(_AGE.sub("<age>", line)) for line in _cells(_SECOND.sub(r"\1<time>", text).splitlines())]


def _spaced(line: str) -> str:
    """Columns are as wide as what stands in them; how far a line is indented tells something."""
    indent = len(line) - len(line.lstrip())
    return line[:indent] + re.sub(r"  +", "  ", line[indent:]).rstrip()


def _cells(lines: list[str]) -> list[str]:
    """Tables with their rows as they are told apart, and of computed cells only that they are there."""
    found: list[str] = []
    columns: list[tuple[str, int, int]] = []
    for line in lines:
        if _HEADER.match(line):
            columns = [(each[0].rstrip(), each.start(), each.end()) for each in _COLUMN.finditer(line)]
            columns[-1] = (*columns[-1][:2], 10_000)
            found.append(line)
        elif columns and line.strip():
            found.append("  ".join(_cell(name, line[start:end]) for name, start, end in columns))
        else:
            columns = []
            found.append(line)
    return found


def _cell(column: str, cell: str) -> str:
    return "<cell>" if column in _COMPUTED else cell.strip()
