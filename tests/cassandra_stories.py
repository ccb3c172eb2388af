"""Reads recorded stories of the upstream operator: what was put in, what it asked of nodes, how tasks ended.

The environment variable GOLDENS names the folder. Reads, seeds told again and roles written again are left
out: how often these come is a matter of pace, which differs on purpose.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

Json = dict[str, Any]
Call = tuple[str, str, Json | None]
"""Node, path with query, and body of a call that changes something."""
Told = tuple[str, str]
"""Type and reason of an event."""

_BLOCK = re.compile(r"^([^\n]+):\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"MGMT (\S+)\s+(?:POST|DELETE) (\S+?)(?: (\{.*\}))? -> \d+")
_EVENT = re.compile(r"API\s+event (Normal|Warning) (\w+):")
_CONDITIONS = re.compile(r"cassandradatacenters/status \S+: (?:\w+: .*; )?conditions (\w+)=(True|False)")
_REPEATED = ("/ops/seeds/reload", "/ops/auth/role", "/ops/node/fullquerylogging")
_ADDRESS = re.compile(r"\b10\.\d+\.\d+\.\d+\b")


@dataclass(frozen=True)
class Story:
    """One recording, with the cluster renamed to the one that tests have."""

    inputs: tuple[Json, ...]
    endings: tuple[Json, ...]
    """The objects as they were at the end, for tasks."""
    calls: tuple[Call, ...]
    events: frozenset[Told]
    conditions: Mapping[str, str]
    """What became of those conditions of datacenters that changed on the way, by type."""


def read_story(number: str, *, namespace: str, folder: str = "stories") -> Story:
    """The story of that number; the test is skipped where the recordings are not at hand."""
    root = os.environ.get("GOLDENS")
    found = sorted((Path(root) / folder).glob(f"{number}-*/story.md")) if root else []
    if not found:
        pytest.skip("the environment variable GOLDENS names no folder with recorded stories")
    recorded = found[0].read_text()
    text = re.sub(r"\b(s[a-f]|k[xz])-(?=dc\d|superuser|seed)", "demo-", recorded)
    text = re.sub(r"(?<=: )(cassandra-)?(s[a-f]|k[xz])$", r"\1demo", text, flags=re.MULTILINE)
    text = re.sub(r"\bk?st-[a-fxz]\d?\b", namespace, text)
    blocks = [(label, yaml.safe_load(body)) for label, body in _BLOCK.findall(text)]
    return Story(
        inputs=tuple(body for label, body in blocks if not label.startswith("final object")),
        endings=tuple(body for label, body in blocks if label.startswith("final object")),
        calls=tuple(
            comparable_call(node, path, body) for node, path, body in _CALL.findall(text) if counts(path)
        ),
        events=frozenset(_EVENT.findall(text)),
        conditions=dict(_CONDITIONS.findall(text)),
    )


def counts(path: str) -> bool:
    """Whether a call belongs to what is compared."""
    return not any(part in path for part in _REPEATED)


def comparable_call(node: str, path: str, body: str | None) -> Call:
    """A call without the addresses of this run."""
    return node, _ADDRESS.sub("<podIP>", path), json.loads(body) if body else None


def comparable_status(status: Json) -> Json:
    """The status of a task without times, ids and the order of its conditions."""
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    kept = {kind: _kept(each, ("status", "reason")) for kind, each in conditions.items()}
    pods = {name: _shape(each) for name, each in (status.get("podStatuses") or {}).items()}
    plain = {key: value for key, value in status.items() if key in ("active", "succeeded", "failed")}
    times = {key: True for key in ("startTime", "completionTime") if status.get(key)}
    return {**plain, **times, "conditions": kept, "podStatuses": pods}


def _kept(body: Json, keys: tuple[str, ...]) -> Json:
    return {key: body.get(key) for key in keys}


def _shape(pod: Json) -> Json:
    # the words of an error are the node's
    drawn = ("jobId", "startTime", "completionTime", "error")
    return {key: bool(value) if key in drawn else value for key, value in pod.items()}
