"""Who is behind a request: the caller itself, or the person for whom our API server writes.

The API server writes under its own ServiceAccount and names the person in an extra of its identity, which
only it may set (impersonating an extra is a right of its own). From anybody else the extra means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from missioncontrol.api.names import REQUESTER_EXTRA, Component
from webhooks.review import UserInfo

# Kubernetes' own cleaners must pass whatever state we are in; without credentials of their own they act as
# kube-controller-manager itself.
CLEANERS: Final = frozenset(
    {
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
        "system:kube-controller-manager",
    }
)


@dataclass(frozen=True, slots=True)
class Person:
    """The one who asked."""

    username: str
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identities:
    """The names under which our components come."""

    system_namespace: str

    def account(self, component: Component) -> str:
        return f"system:serviceaccount:{self.system_namespace}:{component.value}"

    def is_component(self, user: UserInfo, *components: Component) -> bool:
        return user.username in {self.account(each) for each in components}

    def person(self, user: UserInfo) -> Person:
        """Who asked for this."""
        if self.is_component(user, Component.APISERVER):
            told = _read(user.extra.get(REQUESTER_EXTRA, ()))
            if told is not None:
                return told
        return Person(user.username, user.uid, user.groups, user.extra)


def is_cleaner(user: UserInfo) -> bool:
    return user.username in CLEANERS


def _read(values: Sequence[str]) -> Person | None:
    if not values:
        return None
    try:
        told: Any = orjson.loads(values[0])
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("username"), str):
        return None
    groups, extra = told.get("groups"), told.get("extra")
    return Person(
        told["username"],
        str(told.get("uid") or ""),
        tuple(map(str, groups)) if isinstance(groups, list) else (),
        extra if isinstance(extra, dict) else {},
    )
