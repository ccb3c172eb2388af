"""Replication of the system keyspaces, without which logins and repairs of a second datacenter fail.

What was verified is remembered while it stays the same, so that a reconcile costs the database no calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.doors import Doors
from controllers.k8ssandra.management import ManagementApi, ManagementError
from controllers.k8ssandra.materials import Materials
from controllers.k8ssandra.views import is_serving
from missioncontrol.kube.views import Pod

log = logging.getLogger(__name__)

SYSTEM_KEYSPACES: Final = ("system_traces", "system_distributed", "system_auth")
_DSE_KEYSPACES: Final = ("dse_leases", "dse_perf", "dse_security")
VERIFY_AGAIN_SECONDS: Final = 600.0
_UNREACHABLE: Final = "UNREACHABLE"
_STRATEGY: Final = "NetworkTopologyStrategy"


@dataclass(frozen=True, slots=True)
class _Verified:
    factors: Mapping[str, int]
    uid: str
    at: float


class Keyspaces:
    """Gives the system keyspaces of clusters their replication."""

    def __init__(self, doors: Doors, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._doors = doors
        self._clock = clock
        self._verified: dict[tuple[str, str], _Verified] = {}
        self._absent: dict[tuple[str, str], list[str]] = {}

    def forget(self, namespace: str, name: str) -> None:
        self._verified.pop((namespace, name), None)
        self._absent.pop((namespace, name), None)

    def absent_outside(self, cluster: Cluster) -> list[str]:
        """Datacenters outside of the cluster that the ring did not know when it was asked last."""
        return self._absent.get((cluster.namespace, cluster.name), [])

    async def ensure(
        self, cluster: Cluster, factors: Mapping[str, int], pods: Iterable[Pod], materials: Materials
    ) -> str:
        """Make it so; a sentence says what has to be waited for, an empty one that all is right."""
        key = cluster.namespace, cluster.name
        if key in self._absent:
            self._verified.pop(key, None)
        known = self._verified.get(key)
        if (
            known is not None
            and (known.factors, known.uid) == (factors, cluster.metadata.uid)
            and self._clock() - known.at < VERIFY_AGAIN_SECONDS
        ):
            return ""
        pod = next((each for each in pods if is_serving(each)), None)
        if pod is None:
            return "no node is ready to be asked about the system keyspaces"
        try:
            api = self._doors.to(cluster, pod, materials)
            waiting = await self._ensure(api, cluster, factors, pod)
        except ManagementError as error:
            return f"the system keyspaces could not be replicated: {error}"
        if not waiting:
            self._verified[key] = _Verified(dict(factors), cluster.metadata.uid, self._clock())
        return waiting

    async def held_by(
        self, cluster: Cluster, datacenter: str, pods: Iterable[Pod], materials: Materials
    ) -> str:
        """Why a datacenter of the ring may not go yet: a keyspace of a user that is replicated to it."""
        pod = next((each for each in pods if is_serving(each)), None)
        if pod is None:
            return f"datacenter {datacenter} stays until a node of another one can be asked about keyspaces"
        try:
            api = self._doors.to(cluster, pod, materials)
            for keyspace in await api.keyspaces(pod):
                if keyspace in (*SYSTEM_KEYSPACES, *_DSE_KEYSPACES):
                    continue
                if datacenter in (await api.replication(pod, keyspace) or {}):
                    return (
                        f"cannot decommission datacenter {datacenter}: keyspace {keyspace} still has "
                        "replicas on it; alter its replication first"
                    )
        except ManagementError as error:
            return f"datacenter {datacenter} stays until it is known what is replicated to it: {error}"
        return ""

    async def _ensure(
        self, api: ManagementApi, cluster: Cluster, factors: Mapping[str, int], pod: Pod
    ) -> str:
        present = await api.ring_datacenters(pod)
        outside = set(cluster.external_datacenters)
        wanted = {name: factor for name, factor in factors.items() if name in present and factor > 0}
        lacking = sorted(name for name, factor in factors.items() if name not in present and factor > 0)
        absent = [name for name in lacking if name not in outside]
        self._note_absent(cluster, [name for name in lacking if name in outside])
        if not wanted:
            return "no datacenter of the ring is to hold system keyspaces yet"
        names = (*SYSTEM_KEYSPACES, *(_DSE_KEYSPACES if cluster.server_type == "dse" else ()))
        for keyspace in names:
            waiting = await self._ensure_one(api, pod, keyspace, wanted, outside)
            if waiting:
                return waiting
        return f"the ring has no node of {', '.join(absent)} yet to hold system keyspaces" if absent else ""

    def _note_absent(self, cluster: Cluster, names: list[str]) -> None:
        """Who is outside of the cluster may be away or not connected yet: that holds nothing up."""
        key = cluster.namespace, cluster.name
        if not names:
            self._absent.pop(key, None)
        elif self._absent.get(key) != names:
            self._absent[key] = names
            log.warning("the ring of %s/%s does not know %s", *key, ", ".join(names))

    async def _ensure_one(
        self,
        api: ManagementApi,
        pod: Pod,
        keyspace: str,
        factors: Mapping[str, int],
        outside: Collection[str],
    ) -> str:
        present = await api.replication(pod, keyspace)
        if present is None:
            return f"keyspace {keyspace} does not exist yet" if keyspace in SYSTEM_KEYSPACES else ""
        # copies outside of the cluster are never taken away because nobody answers for them right now
        kept = {name: int(present[name]) for name in outside if name in present and name not in factors}
        factors = {**factors, **kept}
        if _is_replicated(present, factors):
            return ""
        versions = await api.schema_versions(pod)
        if len(set(versions) - {_UNREACHABLE}) > 1:
            return "the nodes do not agree on the schema yet"
        await api.alter_keyspace(pod, keyspace, factors)
        log.info("keyspace %s is now replicated to %s", keyspace, dict(factors))
        return ""


def _is_replicated(present: Mapping[str, str], factors: Mapping[str, int]) -> bool:
    if not present.get("class", "").endswith(_STRATEGY):
        return False
    return {key: value for key, value in present.items() if key != "class"} == {
        name: str(factor) for name, factor in factors.items()
    }
