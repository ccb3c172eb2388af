"""Replication of the system keyspaces, without which logins and repairs of a second datacenter fail.

What was verified is remembered while it stays the same, so that a reconcile costs the database no calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.management import ManagementApi, ManagementError
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

    def __init__(self, api: ManagementApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._verified: dict[tuple[str, str], _Verified] = {}

    def forget(self, namespace: str, name: str) -> None:
        self._verified.pop((namespace, name), None)

    async def ensure(self, cluster: Cluster, factors: Mapping[str, int], pods: Iterable[Pod]) -> str:
        """Make it so; a sentence says what has to be waited for, an empty one that all is right."""
        key = cluster.namespace, cluster.name
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
            waiting = await self._ensure(cluster, factors, pod)
        except ManagementError as error:
            return f"the system keyspaces could not be replicated: {error}"
        if not waiting:
            self._verified[key] = _Verified(dict(factors), cluster.metadata.uid, self._clock())
        return waiting

    async def _ensure(self, cluster: Cluster, factors: Mapping[str, int], pod: Pod) -> str:
        present = await self._api.ring_datacenters(pod)
        wanted = {name: factor for name, factor in factors.items() if name in present and factor > 0}
        absent = sorted(name for name, factor in factors.items() if name not in present and factor > 0)
        if not wanted:
            return "no datacenter of the ring is to hold system keyspaces yet"
        names = (*SYSTEM_KEYSPACES, *(_DSE_KEYSPACES if cluster.server_type == "dse" else ()))
        for keyspace in names:
            waiting = await self._ensure_one(pod, keyspace, wanted)
            if waiting:
                return waiting
        return f"the ring has no node of {', '.join(absent)} yet to hold system keyspaces" if absent else ""

    async def _ensure_one(self, pod: Pod, keyspace: str, factors: Mapping[str, int]) -> str:
        present = await self._api.replication(pod, keyspace)
        if present is None:
            return f"keyspace {keyspace} does not exist yet" if keyspace in SYSTEM_KEYSPACES else ""
        if _is_replicated(present, factors):
            return ""
        versions = await self._api.schema_versions(pod)
        if len(set(versions) - {_UNREACHABLE}) > 1:
            return "the nodes do not agree on the schema yet"
        await self._api.alter_keyspace(pod, keyspace, factors)
        log.info("keyspace %s is now replicated to %s", keyspace, dict(factors))
        return ""


def _is_replicated(present: Mapping[str, str], factors: Mapping[str, int]) -> bool:
    if not present.get("class", "").endswith(_STRATEGY):
        return False
    return {key: value for key, value in present.items() if key != "class"} == {
        name: str(factor) for name, factor in factors.items()
    }
