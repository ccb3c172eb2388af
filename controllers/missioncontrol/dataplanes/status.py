"""What a DataPlane tells: whether it can be used, why not and since when, in conditions and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controllers.missioncontrol.conditions import Verdict, merge
from controllers.missioncontrol.dataplanes.checks import Finding
from controllers.missioncontrol.dataplanes.credentials import Problem
from missioncontrol.api.names import Condition, Reason

CONTACT_STEP = timedelta(seconds=10)
"""lastContactTime is written at most this often, unless something else changes."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a plane at the moment."""

    problem: Problem | None = None
    available: bool | None = None
    away_since: datetime | None = None
    last_contact: datetime | None = None
    version: str = ""
    server: str = ""
    message: str = ""
    """Why it does not answer."""
    finding: Finding | None = None
    unsynced: Sequence[str] = ()
    clusters: Sequence[str] = ()
    """The clusters that use it, as namespace/name."""
    deleting: bool = False

    @property
    def rejected(self) -> bool:
        """Whether the plane answers, but does not know us: then it answers nothing at all."""
        return self.finding is not None and self.finding.reason is Reason.UNAUTHORIZED

    @property
    def away(self) -> bool:
        """Whether it does not answer."""
        return self.available is False and self.problem is None and not self.rejected


def decide_status(
    observed: Observed, before: Mapping[str, Any], *, generation: int, now: datetime
) -> dict[str, Any]:
    """The whole status; equal to ``before`` when there is nothing worth a write."""
    ready = _ready(observed)
    verdicts = [ready, _reachable(observed, ready), _credentials(observed, ready)]
    if observed.deleting:
        verdicts.append(_in_use(observed))
    message = _sentence(observed, ready)
    conditions = merge(before.get("conditions") or (), verdicts, now=stamp(now), generation=generation)
    status: dict[str, Any] = {
        "conditions": conditions,
        "message": message,
        "clusters": len(observed.clusters),
        "observedGeneration": generation,
    }
    server = observed.server or before.get("server")
    version = observed.version or before.get("kubernetesVersion")
    identity = (observed.finding.cluster_id if observed.finding else "") or before.get("clusterID")
    for key, value in (("server", server), ("kubernetesVersion", version), ("clusterID", identity)):
        if value:
            status[key] = value
    if observed.away:
        known = before.get("awaySince")
        status["awaySince"] = known or stamp(observed.away_since or now)
    contact = _contact(observed, before, changed=_without_contact(before) != status)
    if contact:
        status["lastContactTime"] = contact
    return status


def stamp(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_contact(status: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in status.items() if key != "lastContactTime"}


def _contact(observed: Observed, before: Mapping[str, Any], *, changed: bool) -> str:
    written = str(before.get("lastContactTime") or "")
    if observed.last_contact is None:
        return written
    if written and not changed:
        last = datetime.fromisoformat(written.replace("Z", "+00:00"))
        if observed.last_contact - last < CONTACT_STEP:
            return written
    return max(written, stamp(observed.last_contact))


def _ready(observed: Observed) -> Verdict:
    kind = Condition.READY
    if observed.problem is not None:
        return Verdict(kind, False, observed.problem.reason, observed.problem.message)
    if observed.finding is not None and not observed.finding.ok:
        return Verdict(kind, False, observed.finding.reason, observed.finding.message)
    if observed.available is None:
        return Verdict(kind, None, Reason.CONNECTING, f"connecting to {observed.server}")
    if not observed.available:
        untrusted = "certificate" in observed.message.lower()
        reason = Reason.CERTIFICATE_UNTRUSTED if untrusted else Reason.UNREACHABLE
        remedy = (
            "check certificate-authority-data of the kubeconfig"
            if untrusted
            else "check clusters[].cluster.server of the kubeconfig, and whether the plane is up"
        )
        return Verdict(
            kind, False, reason, f"{observed.server} does not answer ({observed.message}): {remedy}"
        )
    if observed.finding is None or observed.unsynced:
        return Verdict(kind, None, Reason.CONNECTING, "reading what is there")
    return Verdict(kind, True, Reason.CONNECTED, f"{observed.server} answers")


def _reachable(observed: Observed, ready: Verdict) -> Verdict:
    if observed.problem is not None:
        return Verdict(Condition.REACHABLE, None, observed.problem.reason, "there is no usable kubeconfig")
    if observed.available or observed.rejected:
        return Verdict(Condition.REACHABLE, True, Reason.CONNECTED, f"{observed.server} answers")
    return Verdict(Condition.REACHABLE, observed.available, ready.reason, ready.message)


def _credentials(observed: Observed, ready: Verdict) -> Verdict:
    if observed.problem is not None:
        return Verdict(Condition.CREDENTIALS_VALID, False, observed.problem.reason, observed.problem.message)
    if observed.rejected:
        return Verdict(Condition.CREDENTIALS_VALID, False, ready.reason, ready.message)
    if observed.finding is None:
        return Verdict(Condition.CREDENTIALS_VALID, None, Reason.CONNECTING, "not tried yet")
    return Verdict(Condition.CREDENTIALS_VALID, True, Reason.AS_EXPECTED, "the plane accepts the kubeconfig")


def _in_use(observed: Observed) -> Verdict:
    if observed.clusters:
        names = ", ".join(observed.clusters)
        text = f"cannot be deleted while clusters have datacenters in it: {names}; delete them first"
        return Verdict(Reason.IN_USE, True, Reason.IN_USE, text)
    return Verdict(Reason.IN_USE, False, Reason.DELETING, "no cluster uses it")


def _sentence(observed: Observed, ready: Verdict) -> str:
    if observed.deleting and observed.clusters:
        return _in_use(observed).message
    return ready.message
