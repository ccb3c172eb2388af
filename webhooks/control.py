"""What enters the control plane's storage group: who asked is recorded, rules and policies are enforced."""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

from missioncontrol.api.names import Annotation, Label
from missioncontrol.api.resources import (
    STORED_CLUSTERS,
    STORED_DATA_PLANES,
    STORED_DATACENTERS,
    STORED_OPERATIONS,
)
from missioncontrol.policy.engine import PolicyEngine
from missioncontrol.policy.question import cluster_question
from missioncontrol.validation import cluster as cluster_rules
from missioncontrol.validation import data_plane as plane_rules
from missioncontrol.validation import operation as operation_rules
from missioncontrol.validation.causes import Cause, forbidden
from missioncontrol.validation.values import mapping, text
from webhooks.budget import Budget
from webhooks.glass import annotation_patch, stamped
from webhooks.guard import guard_storage, is_component
from webhooks.inventory import Inventory
from webhooks.metrics import Metrics
from webhooks.patches import set_entries
from webhooks.quota import Quotas
from webhooks.requester import Identities, Person
from webhooks.review import (
    ALLOWED,
    Request,
    Verdict,
    allow,
    annotations_of,
    forbid,
    patched,
    refuse,
)

_SPEC_KINDS: Final = frozenset({STORED_CLUSTERS.plural, STORED_DATA_PLANES.plural, STORED_OPERATIONS.plural})


class ControlPlane:
    """The handlers of the control plane's webhooks."""

    def __init__(
        self,
        inventory: Inventory,
        quotas: Quotas,
        policies: PolicyEngine,
        identities: Identities,
        metrics: Metrics,
    ) -> None:
        self._inventory = inventory
        self._quotas = quotas
        self._policies = policies
        self._identities = identities
        self._metrics = metrics

    async def mutate(self, request: Request, budget: Budget) -> Verdict:
        """Record who asked and who broke the glass, and label operations with their cluster."""
        body = request.object
        if body is None:
            return ALLOWED
        person = not is_component(request, self._identities)
        wanted, unwanted = stamped(request, datetime.datetime.now(datetime.UTC), person=person)
        if request.resource.resource == STORED_DATACENTERS.plural:
            return patched(annotation_patch(body, wanted, unwanted))
        if request.operation == "CREATE":
            asked = self._identities.person(request.user_info).username
        else:
            # Whoever replaces an object without knowing of the annotation shall not lose it.
            asked = annotations_of(request.old_object).get(Annotation.REQUESTED_BY, "")
            if Annotation.REQUESTED_BY in annotations_of(body):
                asked = ""
        if asked:
            wanted = {**wanted, Annotation.REQUESTED_BY: asked}
        operations = annotation_patch(body, wanted, unwanted)
        if request.resource.resource == STORED_OPERATIONS.plural:
            cluster = text(mapping(body.get("spec")).get("clusterName"))  # no schema has been asked yet
            if cluster and len(cluster) <= 63:
                operations += set_entries(body, "labels", {Label.MC_CLUSTER_NAME: cluster})
        return patched(operations)

    async def validate(self, request: Request, budget: Budget) -> Verdict:
        """The guard, the rules of the kind, the right to use a plane, the policies, and last the quotas."""
        passage = guard_storage(request, self._identities, datetime.datetime.now(datetime.UTC))
        if isinstance(passage, Verdict):
            return passage
        if request.sub_resource not in ("", "status"):
            # Another subresource would change a spec past the rules on specs.
            return forbid(
                f"{request.resource.resource}/{request.sub_resource} is not written in the storage group"
            )
        if request.sub_resource or request.resource.resource not in _SPEC_KINDS or request.deleting:
            return allow(passage.warnings)
        causes = [*self._requester_causes(request), *await self._causes(request)]
        if causes:
            return refuse(causes, passage.warnings)
        if request.resource.resource == STORED_CLUSTERS.plural and request.operation != "DELETE":
            refusal = await self._cluster_refusal(request, budget)
            if refusal is not None:
                return refusal
        if request.operation == "CREATE":
            exceeded = await self._quotas.charge(request)
            if exceeded is not None:
                return exceeded
        return allow(passage.warnings)

    def _requester_causes(self, request: Request) -> list[Cause]:
        if request.operation != "UPDATE":
            return []
        key = Annotation.REQUESTED_BY
        before, after = annotations_of(request.old_object).get(key), annotations_of(request.object).get(key)
        if before == after:
            return []
        return [
            forbidden(f"metadata.annotations[{key}]", "tells who created the object and cannot be changed")
        ]

    async def _causes(self, request: Request) -> list[Cause]:
        match request.resource.resource, request.operation:
            case STORED_CLUSTERS.plural, "CREATE":
                body = request.object or {}
                planes = await self._inventory.planes_among(cluster_rules.contexts(body))
                return cluster_rules.create_causes(body, planes=planes)
            case STORED_CLUSTERS.plural, "UPDATE":
                old, new = request.old_object or {}, request.object or {}
                added = cluster_rules.contexts(new) - cluster_rules.contexts(old)
                planes = await self._inventory.planes_among(added)
                return cluster_rules.update_causes(old, new, planes=planes)
            case STORED_DATA_PLANES.plural, "CREATE":
                return plane_rules.create_causes(request.object or {})
            case STORED_DATA_PLANES.plural, "UPDATE":
                return plane_rules.update_causes(request.old_object or {}, request.object or {})
            case STORED_DATA_PLANES.plural, "DELETE":
                body = request.old_object or {"metadata": {"name": request.name}}
                return plane_rules.deletion_causes(body, await self._inventory.users_of_plane(request.name))
            case STORED_OPERATIONS.plural, "CREATE":
                return await self._operation_causes(request)
            case STORED_OPERATIONS.plural, "UPDATE":
                return operation_rules.update_causes(request.old_object or {}, request.object or {})
        return []

    async def _operation_causes(self, request: Request) -> list[Cause]:
        body = request.object or {}
        target = text(mapping(body.get("spec")).get("clusterName"))
        found = await self._inventory.cluster(request.namespace, target) if target else None
        return operation_rules.create_causes(body, cluster=found)

    async def _cluster_refusal(self, request: Request, budget: Budget) -> Verdict | None:
        old, new = request.old_object, request.object or {}
        if old is not None and old.get("spec") == new.get("spec"):
            return None
        person = self._identities.person(request.user_info)
        added = cluster_rules.contexts(new) - (cluster_rules.contexts(old) if old else set())
        without = await self._without_use(person, added)
        if without:
            return forbid(
                f"{person.username} may not use the data plane {', '.join(without)}: the right is the verb "
                f'"use" on dataplanes.missioncontrol.io'
            )
        return await self._policy_refusal(request, person, old, new, budget)

    async def _without_use(self, person: Person, planes: Collection[str]) -> list[str]:
        """Which of these planes the person may not use. Writes of our operator are nobody's request."""
        return [name for name in sorted(planes) if not await self._inventory.may_use(person, name)]

    async def _policy_refusal(
        self,
        request: Request,
        person: Person,
        old: Mapping[str, Any] | None,
        new: Mapping[str, Any],
        budget: Budget,
    ) -> Verdict | None:
        question = cluster_question(
            operation=request.operation,
            username=person.username,
            groups=person.groups,
            cluster=new,
            old=old,
            planes=await self._inventory.plane_facts(cluster_rules.contexts(new)),
        )
        began, result = time.monotonic(), "unavailable"
        try:
            decision = await self._policies.decide(question, timeout=budget.left)
            result = "allowed" if decision.allowed else "denied"
        finally:
            self._metrics.policy_seconds.labels(result).observe(time.monotonic() - began)
        if decision.allowed:
            return None
        return forbid("; ".join(f"{each.message} (policy {each.policy})" for each in decision.violations))
