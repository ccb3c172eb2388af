"""ResourceQuotas that count our kinds: checked and charged when an object is made, as kube-apiserver does.

kube-apiserver's own admission of quotas does not see what goes to an aggregated API, and knows what is stored
under other names. Its quota controller counts our kinds all right, so a quota such as
`count/missioncontrolclusters.missioncontrol.io` would be shown, and never enforced. Here it is. What is
charged and then not made, the controller takes back at its next count, as with any other resource.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from missioncontrol.api.registry import KINDS, StoredAs
from missioncontrol.api.resources import RESOURCE_QUOTAS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import Conflict, NotFound
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Object
from missioncontrol.validation.values import at, mapping, quantity, text
from webhooks.review import Request, Verdict, fail, forbid

ATTEMPTS: Final = 10


def counted(resource: str, body: Mapping[str, Any] | None) -> str | None:
    """The name under which a stored object is counted; None where its kind cannot be limited."""
    kind = text(at(body, "spec", "type"))
    for info in KINDS:
        if info.stored.plural != resource or "create" not in info.verbs or not info.resource.namespaced:
            continue
        if info.stored_as is StoredAs.SAME or (info.is_operation and info.resource.kind == kind):
            return f"count/{info.resource.group_resource}"
    return None


def limits(quota: Mapping[str, Any], name: str) -> bool:
    """Whether a quota has a say in this count. One with scopes selects pods and claims only."""
    spec = mapping(quota.get("spec"))
    scoped = spec.get("scopes") or spec.get("scopeSelector")
    return not scoped and name in mapping(at(quota, "status", "hard"))


def refusal(quota: Mapping[str, Any], name: str) -> str | None:
    """Why one object more is too many, in the words of Kubernetes."""
    label = text(at(quota, "metadata", "name"))
    hard, used = at(quota, "status", "hard", name), at(quota, "status", "used", name)
    limit, present = quantity(hard), quantity(used)
    if limit is None or present is None:
        return f"status unknown for quota: {label}, resources: {name}"
    if present + 1 <= limit:
        return None
    return f"exceeded quota: {label}, requested: {name}=1, used: {name}={used}, limited: {name}={hard}"


def charged(quota: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The quota with one object more in use."""
    status = mapping(quota.get("status"))
    used = mapping(status.get("used"))
    return {**quota, "status": {**status, "used": {**used, name: str((quantity(used[name]) or 0) + 1)}}}


class Quotas:
    """Knows the quotas of all namespaces; where there are none, nothing is asked."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.informer: Informer[Object] = Informer(client, RESOURCE_QUOTAS, Object)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def charge(self, request: Request) -> Verdict | None:
        """Count the object that a request is about to make, or refuse it."""
        name = counted(request.resource.resource, request.object)
        if name is None:
            return None
        quotas = self._limiting(request.namespace, name)
        if not quotas:
            return None
        # One after the other: those who all wait to write the same quota would only disturb each other.
        turn = self._turns.setdefault(request.namespace, asyncio.Lock())
        async with turn:
            return await self._charge_all(request, name, quotas)

    def _limiting(self, namespace: str, name: str) -> list[str]:
        here = [each for each in self.informer.all() if each.metadata.namespace == namespace]
        return sorted(q.metadata.name for q in here if limits({"spec": q.spec, "status": q.status}, name))

    async def _charge_all(self, request: Request, name: str, quotas: Sequence[str]) -> Verdict | None:
        for attempt in range(ATTEMPTS):
            current = [await self._read(request.namespace, each) for each in quotas]
            limiting = [each for each in current if each is not None and limits(each, name)]
            reasons = [reason for each in limiting if (reason := refusal(each, name))]
            if reasons:
                return forbid(reasons[0])
            if request.dry_run:
                return None
            try:
                for each in limiting:
                    await self._client.replace(RESOURCE_QUOTAS, charged(each, name), subresource="status")
            except NotFound:
                continue
            except Conflict:
                await asyncio.sleep(0.01 * attempt)
                continue
            return None
        return fail(409, "Conflict", f"the quota {', '.join(quotas)} changes too fast; try again")

    async def _read(self, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return await self._client.get(RESOURCE_QUOTAS, name, namespace=namespace)
        except NotFound:
            return None
