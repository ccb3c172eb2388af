"""May they: SubjectAccessReview for everything that is not open to all, answers kept for ten seconds."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

from apiserver.cache import TimedCache
from apiserver.identity import User
from apiserver.requestinfo import RequestInfo
from apiserver.reviews import Observe, review
from apiserver.selectors import FieldTerm, LabelTerm
from apiserver.status import Failure, failure
from missioncontrol.api.resources import SUBJECT_ACCESS_REVIEWS
from missioncontrol.kube.client import Client

DECISION_SECONDS = 10.0
LARGEST_KEPT: Final = 10_000
"""Questions longer than this are asked anew each time: nobody fills the memory with long names."""
# probes must never depend on anything else
ALWAYS_ALLOWED = frozenset({"/healthz", "/livez", "/readyz"})


class Attributes(NamedTuple):
    """What somebody wants to do, in the words of a SubjectAccessReview."""

    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    fields: tuple[FieldTerm, ...] = ()
    labels: tuple[LabelTerm, ...] = ()

    def spec(self) -> dict[str, Any]:
        """The part of a SubjectAccessReview's spec."""
        if self.path:
            return {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        attributes: dict[str, Any] = {
            member: value
            for member in ("namespace", "verb", "group", "version", "resource", "subresource", "name")
            if (value := getattr(self, member))
        }
        if self.fields:
            attributes["fieldSelector"] = {
                "requirements": [
                    {"key": term.field, "operator": "In" if term.equal else "NotIn", "values": [term.value]}
                    for term in self.fields
                ]
            }
        labels = [
            {
                "key": term.key,
                "operator": term.operator,
                **({"values": list(term.values)} if term.values else {}),
            }
            for term in self.labels
            if term.operator not in ("Gt", "Lt")
        ]
        if labels:
            attributes["labelSelector"] = {"requirements": labels}
        return {"resourceAttributes": attributes}


def of_request(
    info: RequestInfo, fields: tuple[FieldTerm, ...] = (), labels: tuple[LabelTerm, ...] = ()
) -> Attributes:
    """The attributes of the request itself."""
    if not info.is_resource:
        return Attributes(verb=info.method.lower(), path=info.path)
    return Attributes(
        verb=info.verb,
        group=info.group,
        version=info.version,
        resource=info.resource,
        subresource=info.subresource,
        namespace=info.namespace,
        name=info.name or next((t.value for t in fields if t.field == "metadata.name" and t.equal), ""),
        fields=fields,
        labels=labels,
    )


class Decision(NamedTuple):
    """The answer, with the reason that the authorizer gave."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Asks kube-apiserver, so that its RBAC is the only place where rights are given."""

    def __init__(self, client: Client, *, observe: Observe = lambda code, seconds: None) -> None:
        self._client = client
        self._observe = observe
        self._decisions: TimedCache[tuple[User, Attributes], Decision] = TimedCache(
            seconds=DECISION_SECONDS, limit=8192, clock=time.monotonic
        )

    def known(self, user: User, attributes: Attributes) -> Decision | None:
        """The decision, where it needs no question."""
        if user.is_master or attributes.path in ALWAYS_ALLOWED:
            return _ALLOWED
        decision = self._decisions.get((user, attributes))
        if decision is None and attributes.name:
            general = self._decisions.get((user, attributes._replace(name="")))
            return general if general is not None and general.allowed else None
        return decision

    async def decide(self, user: User, attributes: Attributes) -> Decision:
        """Whether the user may do it.

        In a review no name means all names. Most rights are such, and one question then answers for every
        object; only who does not have it is asked about by name.
        """
        known = self.known(user, attributes)
        if known is not None:
            return known
        if attributes.name:
            general = await self._ask(user, attributes._replace(name=""))
            if general.allowed:
                return general
        return await self._ask(user, attributes)

    async def _ask(self, user: User, attributes: Attributes) -> Decision:
        keep = _length((user, attributes)) < LARGEST_KEPT
        return await self._decisions.find(
            (user, attributes), lambda: self._review(user, attributes), keep=lambda _: keep
        )

    async def require(self, user: User, attributes: Attributes) -> None:
        """403 unless the user may do it."""
        decision = await self.decide(user, attributes)
        if not decision.allowed:
            raise denied(user, attributes, decision.reason)

    async def _review(self, user: User, attributes: Attributes) -> Decision:
        spec: dict[str, Any] = {"user": user.name, "groups": list(user.groups), **attributes.spec()}
        if user.uid:
            spec["uid"] = user.uid
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra}
        status = await review(
            self._client, SUBJECT_ACCESS_REVIEWS, spec, what="rights", observe=self._observe
        )
        allowed = bool(status.get("allowed")) and not status.get("denied")
        return Decision(allowed, str(status.get("reason") or ""))


_ALLOWED: Final = Decision(True)


def _length(value: object) -> int:
    """How many characters a question has."""
    if isinstance(value, str):
        return len(value) + 1
    if isinstance(value, tuple):
        return sum(map(_length, value))
    # a selector's term
    return len(repr(value))


def denied(user: User, attributes: Attributes, reason: str = "") -> Failure:
    """403 in the words of Kubernetes."""
    tail = f": {reason}" if reason else ""
    if attributes.path:
        message = f'forbidden: User "{user.name}" cannot {attributes.verb} path "{attributes.path}"{tail}'
        return failure(403, message, details={})
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    where = f' in the namespace "{attributes.namespace}"' if attributes.namespace else " at the cluster scope"
    subject = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    if attributes.name:
        subject += f' "{attributes.name}"'
    details = {"group": attributes.group, "kind": attributes.resource}
    if attributes.name:
        details["name"] = attributes.name
    return failure(
        403,
        f'{subject} is forbidden: User "{user.name}" cannot {attributes.verb} resource "{resource}" '
        f'in API group "{attributes.group}"{where}{tail}',
        details=details,
    )
