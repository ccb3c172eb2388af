"""What is audited, and how much of it: `audit.k8s.io/v1` Policy, as kube-apiserver reads it.

The first rule that matches a request decides. Without a file: writes with their bodies, reads without, and
what only says that somebody is there (probes, discovery) not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import yaml

from apiserver.identity import User
from apiserver.requestinfo import RequestInfo

API_VERSION: Final = "audit.k8s.io/v1"
STAGES: Final = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")


class PolicyError(ValueError):
    """The policy cannot be used; the text says where and why."""


class Level(IntEnum):
    """How much is told of a request; each one more than the one before."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def text(self) -> str:
        return _TEXTS[self]


_TEXTS: Final = {
    Level.NONE: "None",
    Level.METADATA: "Metadata",
    Level.REQUEST: "Request",
    Level.REQUEST_RESPONSE: "RequestResponse",
}
_LEVELS: Final = {text: level for level, text in _TEXTS.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of one request."""

    level: Level
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


NOTHING: Final = Verdict(Level.NONE)


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources of one group; empty means all of them."""

    group: str
    resources: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    def match(self, info: RequestInfo) -> bool:
        if info.group != self.group:
            return False
        if self.names and info.name not in self.names:
            return False
        if not self.resources:
            return True
        whole = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        return any(_resource_matches(pattern, whole, info) for pattern in self.resources)


def _resource_matches(pattern: str, whole: str, info: RequestInfo) -> bool:
    if pattern in ("*", whole):
        return True
    resource, slash, subresource = pattern.partition("/")
    if not slash:
        return False
    return (subresource == "*" and resource == info.resource) or (
        resource == "*" and subresource == info.subresource != ""
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; what is empty matches everything."""

    verdict: Verdict
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    resources: tuple[Resources, ...] = ()
    namespaces: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()

    def match(self, info: RequestInfo, user: User | None) -> bool:
        if self.users and (user is None or user.name not in self.users):
            return False
        if self.groups and (user is None or self.groups.isdisjoint(user.groups)):
            return False
        if self.verbs and info.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not self.resources and not self.namespaces and not self.paths:
            return True
        if not info.is_resource:
            return any(_path_matches(pattern, info.path) for pattern in self.paths)
        if not self.resources and not self.namespaces:
            return False
        if self.namespaces and info.namespace not in self.namespaces:
            return False
        return not self.resources or any(each.match(info) for each in self.resources)


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return path == pattern


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order."""

    rules: tuple[Rule, ...]

    def judge(self, info: RequestInfo, user: User | None) -> Verdict:
        """What to tell of a request; of what no rule names, nothing."""
        for rule in self.rules:
            if rule.match(info, user):
                return rule.verdict
        return NOTHING


def load(file: Path) -> Policy:
    """Read a policy file; PolicyError says what is wrong with it."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyError(f"the audit policy {file} cannot be read: {error}") from error
    try:
        return parse(document)
    except PolicyError as error:
        raise PolicyError(f"the audit policy {file}: {error}") from error


def parse(document: Any) -> Policy:
    """A Policy object; unknown fields are refused, for a rule that is misspelt would audit too little."""
    top = _Fields(document, "")
    if (top.text("apiVersion"), top.text("kind")) != (API_VERSION, "Policy"):
        raise PolicyError(f"it must be a Policy of {API_VERSION}")
    top.optional("metadata")
    stages = _stages(top, "omitStages")
    managed = top.flag("omitManagedFields")
    rules = tuple(
        _rule(_Fields(rule, f"rules[{index}]"), stages, managed)
        for index, rule in enumerate(top.items("rules"))
    )
    top.done()
    if not rules:
        raise PolicyError("rules: at least one is needed")
    return Policy(rules)


def _rule(fields: _Fields, stages: frozenset[str], managed: bool | None) -> Rule:
    level = fields.text("level")
    if level not in _LEVELS:
        raise PolicyError(f"{fields.place}.level: {level!r} is none of {', '.join(_LEVELS)}")
    own = fields.flag("omitManagedFields")
    verdict = Verdict(
        _LEVELS[level],
        stages | _stages(fields, "omitStages"),
        bool(managed if own is None else own),
    )
    resources = tuple(
        _resources(_Fields(each, f"{fields.place}.resources[{index}]"))
        for index, each in enumerate(fields.items("resources"))
    )
    rule = Rule(
        verdict,
        users=frozenset(fields.texts("users")),
        groups=frozenset(fields.texts("userGroups")),
        verbs=frozenset(fields.texts("verbs")),
        resources=resources,
        namespaces=frozenset(fields.texts("namespaces")),
        paths=tuple(fields.texts("nonResourceURLs")),
    )
    fields.done()
    if rule.paths and (rule.resources or rule.namespaces):
        raise PolicyError(f"{fields.place}: a rule is for nonResourceURLs or for resources, not for both")
    for path in rule.paths:
        if path != "*" and (not path.startswith("/") or "*" in path[:-1]):
            raise PolicyError(f"{fields.place}.nonResourceURLs: {path!r} is no path; * may only end it")
    return rule


def _resources(fields: _Fields) -> Resources:
    group = fields.optional("group") or ""
    if not isinstance(group, str):
        raise PolicyError(f"{fields.place}.group: must be a text")
    found = Resources(group, tuple(fields.texts("resources")), frozenset(fields.texts("resourceNames")))
    fields.done()
    if found.names and not found.resources:
        raise PolicyError(f"{fields.place}.resourceNames: only together with resources")
    return found


def _stages(fields: _Fields, name: str) -> frozenset[str]:
    stages = frozenset(fields.texts(name))
    unknown = sorted(stages - set(STAGES))
    if unknown:
        raise PolicyError(f"{fields.place}{name}: {unknown[0]!r} is none of {', '.join(STAGES)}")
    return stages


class _Fields:
    """An object of the file; says which of its fields were not asked for."""

    def __init__(self, value: Any, place: str) -> None:
        self.place = place
        if not isinstance(value, dict):
            raise PolicyError(f"{place or 'it'} must be an object")
        self._left = dict(value)

    def optional(self, name: str) -> Any:
        return self._left.pop(name, None)

    def text(self, name: str) -> str:
        value = self.optional(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool | None:
        value = self.optional(name)
        if value is not None and not isinstance(value, bool):
            raise PolicyError(f"{self.place}.{name}: must be true or false")
        return value

    def items(self, name: str) -> list[Any]:
        value = self.optional(name)
        if value is not None and not isinstance(value, list):
            raise PolicyError(f"{self.place}.{name}: must be a list")
        return value or []

    def texts(self, name: str) -> Iterable[str]:
        values = self.items(name)
        if not all(isinstance(value, str) for value in values):
            raise PolicyError(f"{self.place}.{name}: must be a list of texts")
        return values

    def done(self) -> None:
        if self._left:
            raise PolicyError(f"{self.place}: unknown field {sorted(map(str, self._left))[0]!r}")


_QUIET: Final = frozenset({"RequestReceived"})
_NEVER_NEWS: Final = (
    "/healthz*", "/livez*", "/readyz*", "/version", "/metrics", "/openapi*", "/apis*", "/",
)  # fmt: skip
DEFAULT: Final = Policy(
    (
        Rule(NOTHING, verbs=frozenset({"get", "head"}), paths=_NEVER_NEWS),
        Rule(
            Verdict(Level.REQUEST_RESPONSE, _QUIET, omit_managed_fields=True),
            verbs=frozenset({"create", "update", "patch", "delete", "deletecollection"}),
        ),
        Rule(Verdict(Level.METADATA, _QUIET)),
    )
)
